//! Volumes that are bound to an image move to another one, where the launch document allows both.
//!
//! ```text
//!   new image                                   old image
//!   offer: a public key ──report for the old──► checks `migration.to`
//!                                               opens its volumes; adds to each a slot for that key
//!   checks `migration.from` ◄──reports for the new── hand-over: how each slot was made
//!   opens each volume by that slot, seals a slot of its own, removes the old image's
//! ```
//!
//! Both enclaves have the same launch document: another one is another application, which has no business with these
//! volumes. The reports say so, and that nobody but the old image has made the slots. The host carries the messages, and can
//! only lose them.

use alloc::vec::Vec;

use twine_abi::sgx::{ReportBody, TargetInfo};
use twine_evidence::{HandOver, PeerMessage, Statement};
use twine_launch::{Digest, KeySource, LaunchDocument, MountKind, RuntimeBinding};
use twine_recovery::PublicKey;

use crate::attestation;
use crate::error::{Error, MigrationError};
use crate::identity::Identity;
use crate::platform::Platform;
use crate::volume::{self, Mounted};

/// Who asks: the enclave and its document.
type Program<'a> = (&'a Identity, &'a LaunchDocument);

/// Offers the image whose MRENCLAVE is the message to take its volumes over.
///
/// # Errors
/// [`Error::Migration`].
pub(crate) fn offer(
    platform: &mut dyn Platform,
    (identity, document): Program<'_>,
    message: &[u8],
) -> Result<(), Error> {
    let image = message.try_into().map_err(|_| MigrationError::NoImage)?;
    check_listed(&document.migration.from, "from", &image)?;
    let own = attestation::own_target(platform).map_err(MigrationError::Host)?;
    // Whatever else differs from this enclave than the image, the report is not for it.
    let old = TargetInfo {
        measurement: image,
        ..own
    };
    let key = volume::migration_key(platform, identity).ok_or(MigrationError::NoKey)?;
    let statement = Statement::Migrate {
        key: *key.public().bytes(),
    };
    let offer = attestation::tell(platform, identity, &old, statement);
    let handed_over = offer.and_then(|offer| platform.hand_over(&offer.encode()));
    Ok(handed_over.map_err(MigrationError::Host)?)
}

/// Hands the document's volumes over to the enclave that made the offer in the message.
///
/// # Errors
/// [`Error::Migration`], [`Error::Volume`]. A volume that has been handed over keeps the slot; nobody is locked out.
pub(crate) fn hand_over(
    platform: &mut dyn Platform,
    program: Program<'_>,
    message: &[u8],
) -> Result<(), Error> {
    let (identity, document) = program;
    let offer = PeerMessage::decode(message).map_err(MigrationError::Malformed)?;
    let (new, key) = believe(platform, identity, &offer)?;
    check_listed(&document.migration.to, "to", &new.mr_enclave)?;
    let recipient = PublicKey::new(key);
    let target = TargetInfo::of(&new);
    let mut messages = Vec::new();
    for mounted in moving(document)? {
        let key = volume::hand_over(platform, program, mounted, recipient)?;
        let statement = Statement::Migrate { key };
        let told = attestation::tell(platform, identity, &target, statement);
        messages.push(told.map_err(MigrationError::Host)?);
    }
    let hand_over = HandOver::new(messages).map_err(MigrationError::Malformed)?;
    let handed_over = platform.hand_over(&hand_over.encode());
    Ok(handed_over.map_err(MigrationError::Host)?)
}

/// Takes the document's volumes over, by the hand-over in the message.
///
/// # Errors
/// [`Error::Migration`], [`Error::Volume`]. A volume that was not taken over still opens in the old image, and can be
/// handed over again.
pub(crate) fn take_over(
    platform: &mut dyn Platform,
    program: Program<'_>,
    message: &[u8],
) -> Result<(), Error> {
    let (identity, document) = program;
    let hand_over = HandOver::decode(message).map_err(MigrationError::Malformed)?;
    let mut made = Vec::new();
    for message in hand_over.messages() {
        let (old, key) = believe(platform, identity, message)?;
        check_listed(&document.migration.from, "from", &old.mr_enclave)?;
        made.push(key);
    }
    let key = volume::migration_key(platform, identity).ok_or(MigrationError::NoKey)?;
    for mounted in moving(document)? {
        volume::take_over(platform, program, mounted, &key, &made)?;
    }
    Ok(())
}

/// What another enclave says of itself, and the key in it, if it has the same document and is as closed as this one.
fn believe(
    platform: &mut dyn Platform,
    identity: &Identity,
    message: &PeerMessage,
) -> Result<(ReportBody, [u8; 32]), MigrationError> {
    let vouched = attestation::vouched(platform, message);
    let Ok((peer, Statement::Migrate { key })) = vouched else {
        return Err(MigrationError::NotVouchedFor);
    };
    if (peer.config_id, peer.config_svn) != (identity.config_id, identity.config_svn) {
        return Err(MigrationError::OtherDocument);
    }
    let own = attestation::own_target(platform).map_err(MigrationError::Host)?;
    if peer.attributes.flags != own.attributes.flags {
        return Err(MigrationError::OtherAttributes);
    }
    Ok((peer, key))
}

fn check_listed(
    list: &[Digest],
    section: &'static str,
    image: &[u8; 32],
) -> Result<(), MigrationError> {
    let image = Digest(*image);
    if list.contains(&image) {
        Ok(())
    } else {
        Err(MigrationError::NotListed { section, image })
    }
}

/// The volumes that belong to the image and can be written.
fn moving(document: &LaunchDocument) -> Result<Vec<Mounted<'_>>, MigrationError> {
    let mounts = document.mounts.iter().enumerate();
    let moving = mounts.filter_map(|(position, mount)| match &mount.kind {
        MountKind::Volume(policy) if !mount.read_only => match policy.key {
            KeySource::Sealed {
                bound_to,
                runtime: RuntimeBinding::Image,
            } => Some(Mounted {
                position,
                guest: &mount.guest,
                bound_to,
            }),
            _ => None,
        },
        _ => None,
    });
    let moving: Vec<_> = moving.collect();
    if moving.is_empty() {
        return Err(MigrationError::NoVolumes);
    }
    Ok(moving)
}
