//! The host call that brings a bundle.

use std::sync::{Arc, Mutex, PoisonError};

use twine_abi::exchange::HostErrno;

use crate::launch::buffer::SharedBuffer;
use crate::provision::{ProvisionError, Provisioner};

/// Asks the provisioner, and keeps the bundle where the enclave finds it.
#[derive(Default)]
pub struct Provisioning {
    provisioner: Option<Box<dyn Provisioner>>,
    /// The enclave reads it until its call ends.
    bundle: Option<SharedBuffer>,
    failure: Failure,
}

/// Why there was no bundle, for whoever launches.
#[derive(Clone, Debug, Default)]
pub struct Failure(Arc<Mutex<Option<ProvisionError>>>);

impl Provisioning {
    /// Requests go to this provisioner, if there is one; why one did not answer ends up in `failure`.
    #[must_use]
    pub fn new(provisioner: Option<Box<dyn Provisioner>>, failure: Failure) -> Self {
        Self {
            provisioner,
            bundle: None,
            failure,
        }
    }

    /// Serves the call. The answer in `payload` is the bundle's address and length.
    pub(super) fn serve(&mut self, payload: &mut [u8], len: u64) -> Result<u64, HostErrno> {
        let request = super::prefix(payload, len)?;
        let brought = match &mut self.provisioner {
            Some(provisioner) => provisioner.provision(request),
            None => Err(ProvisionError::NoProvisioner),
        };
        match brought {
            Ok(bundle) => {
                let bundle = self.bundle.insert(SharedBuffer::copy_of(&bundle));
                let span = bundle.span();
                let words = [span.address, span.len].map(u64::to_le_bytes);
                let place = super::prefix(payload, 16)?;
                place.copy_from_slice(words.as_flattened());
                Ok(0)
            }
            Err(error) => {
                let errno = errno(&error);
                self.failure.put(error);
                Err(errno)
            }
        }
    }
}

impl Failure {
    fn put(&self, error: ProvisionError) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// What went wrong, if something did.
    #[must_use]
    pub fn take(&self) -> Option<ProvisionError> {
        let mut failure = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failure.take()
    }
}

const fn errno(error: &ProvisionError) -> HostErrno {
    match error {
        ProvisionError::NoProvisioner => HostErrno::NotFound,
        ProvisionError::Refused(_) => HostErrno::Denied,
        ProvisionError::Timeout { .. } => HostErrno::Again,
        ProvisionError::TooLong => HostErrno::TooLarge,
        ProvisionError::File { .. } | ProvisionError::Http { .. } => HostErrno::Io,
    }
}

#[cfg(test)]
mod tests {
    use twine_abi::exchange::PAYLOAD_LEN;

    use super::*;

    struct Echo;

    impl Provisioner for Echo {
        fn provision(&mut self, request: &[u8]) -> Result<Vec<u8>, ProvisionError> {
            match request {
                b"refuse" => Err(ProvisionError::Refused("no".into())),
                request => Ok(request.to_vec()),
            }
        }
    }

    fn ask(
        provisioner: Option<Box<dyn Provisioner>>,
        request: &[u8],
        len: u64,
    ) -> (Result<u64, HostErrno>, Provisioning, Vec<u8>) {
        let mut payload = vec![0; PAYLOAD_LEN];
        payload[..request.len()].copy_from_slice(request);
        let mut provisioning = Provisioning::new(provisioner, Failure::default());
        let answer = provisioning.serve(&mut payload, len);
        (answer, provisioning, payload)
    }

    #[test]
    fn the_enclave_finds_the_bundle_where_the_answer_says() {
        let (answer, provisioning, payload) = ask(Some(Box::new(Echo)), b"request", 7);
        assert_eq!(answer, Ok(0));
        let bundle = provisioning.bundle.unwrap();
        assert_eq!(bundle.bytes(), b"request");
        let (words, _) = payload.as_chunks::<8>();
        let span = bundle.span();
        assert_eq!(u64::from_le_bytes(words[0]), span.address);
        assert_eq!(u64::from_le_bytes(words[1]), span.len);
    }

    #[test]
    fn whoever_launches_learns_why_there_is_no_bundle() {
        let (answer, provisioning, _) = ask(Some(Box::new(Echo)), b"refuse", 6);
        assert_eq!(answer, Err(HostErrno::Denied));
        let why = provisioning.failure.take().unwrap();
        assert_eq!(why.to_string(), "the provisioner refuses: no");
        let (answer, provisioning, _) = ask(None, b"request", 7);
        assert_eq!(answer, Err(HostErrno::NotFound));
        let why = provisioning.failure.take().unwrap();
        assert!(matches!(why, ProvisionError::NoProvisioner), "{why}");
    }

    #[test]
    fn a_request_longer_than_the_payload_is_no_request() {
        let (answer, ..) = ask(Some(Box::new(Echo)), b"request", u64::MAX);
        assert_eq!(answer, Err(HostErrno::Invalid));
    }
}
