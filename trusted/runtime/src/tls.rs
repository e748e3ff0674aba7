//! What a guest serves TLS with: a key that is made here, for this launch, and a certificate that proves it (RA-TLS).
//!
//! ```text
//!   key (P-256) ──► SubjectPublicKeyInfo ──SHA-256──► claim `pubkey-hash` ──► evidence ──► extension of the certificate
//! ```
//!
//! The certificate is signed with its own key: a client believes the evidence in it, not an issuer. There is no clock to
//! trust in here, so it says that it is always valid (`docs/attestation.md`, section 6).

use alloc::boxed::Box;
use alloc::format;

use twine_evidence::Statement;
use twine_evidence::certificate::{CertificateKey, SERIAL_LEN};
use twine_launch::{LaunchDocument, Tls};
use zeroize::{Zeroizing, zeroize_stack};

use crate::attestation;
use crate::error::Error;
use crate::files::{Access, Mount, Tmpfs};
use crate::identity::Identity;
use crate::platform::Platform;

/// Makes what the document asks for, if it does: a folder with a key and its certificate.
///
/// # Errors
/// [`Error::NoEvidence`], [`Error::Mounts`].
pub(crate) fn mount(
    platform: &mut dyn Platform,
    identity: &Identity,
    document: &LaunchDocument,
) -> Result<Option<Mount>, Error> {
    let Some(tls) = &document.tls else {
        return Ok(None);
    };
    let made = folder(platform, identity, document, tls);
    zeroize_stack::<WIPED_LEN>();
    made.map(Some)
}

// A function of its own, so that its frame lies in what is wiped.
#[inline(never)]
fn folder(
    platform: &mut dyn Platform,
    identity: &Identity,
    document: &LaunchDocument,
    tls: &Tls,
) -> Result<Mount, Error> {
    let key = new_key(platform);
    let statement = Statement::RaTls {
        module: document.module.sha256.0,
        public_key: key.public_key_hash(),
        nonce: None,
    };
    let evidence = attestation::evidence(platform, identity, statement)?;
    let mut serial = [0; SERIAL_LEN];
    platform.random(&mut serial);
    let certificate = key.certificate(&tls.names, &evidence, serial);
    let private = key.to_pem();
    let files = [
        (CERTIFICATE_FILE, certificate.as_bytes()),
        (KEY_FILE, private.as_bytes()),
    ];
    let services = platform.services();
    let files = Tmpfs::of_files(files.into_iter(), Box::new(move || services.now()));
    let files = files.map_err(|error| Error::Mounts(format!("{}: {error:?}", tls.folder)))?;
    Ok(Mount {
        path: tls.folder.clone(),
        files: Box::new(files),
        access: Access::ReadOnly,
    })
}

/// A key from the enclave's own randomness.
fn new_key(platform: &mut dyn Platform) -> CertificateKey {
    loop {
        let mut bytes = Zeroizing::new([0; 32]);
        platform.random(bytes.as_mut_slice());
        if let Some(key) = CertificateKey::new(&bytes) {
            return key;
        }
    }
}

/// In the document's folder, as PEM.
const CERTIFICATE_FILE: &str = "certificate.pem";

/// Beside it, as PEM of PKCS #8.
const KEY_FILE: &str = "key.pem";

/// Bytes of stack that are overwritten when the key is in its file: more than making a key and a signature takes. A thread's
/// stack is far larger.
const WIPED_LEN: usize = 32 << 10;
