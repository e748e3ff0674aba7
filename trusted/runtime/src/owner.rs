//! The owner's signature of the launch document (`docs/attestation.md`, section 3).
//!
//! CONFIGID says which document this enclave was created for; anybody may create one for any document. With an owner in the
//! document, only what the owner has signed runs, so two documents that name one owner have one author.

use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};
use twine_launch::LaunchDocument;

use crate::error::Error;

/// Checks that the owner whom `document` names, if it does, has signed `bytes`, which it was read from.
///
/// # Errors
/// [`Error::OwnersKey`], [`Error::NotSigned`], [`Error::WrongSignature`].
pub(crate) fn verify(
    document: &LaunchDocument,
    bytes: &[u8],
    signature: &[u8],
) -> Result<(), Error> {
    let Some(owner) = &document.owner else {
        return Ok(());
    };
    let key = VerifyingKey::from_sec1_bytes(&owner.key.0).map_err(|_| Error::OwnersKey)?;
    if signature.is_empty() {
        return Err(Error::NotSigned);
    }
    let signature = Signature::from_slice(signature).map_err(|_| Error::WrongSignature)?;
    key.verify_prehash(&Sha256::digest(bytes), &signature)
        .map_err(|_| Error::WrongSignature)
}
