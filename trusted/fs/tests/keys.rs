//! Key slots, and forgetting old keys.

#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::sync::Arc;

use support::{TestPlatform, assert_clean, contents, fresh, open};
use twine_fs::{Error, KeySlots, MemoryStore, Options, SlotKind, SlotSecret, Volume};

fn secret(byte: u8) -> SlotSecret {
    SlotSecret::new([byte; 32])
}

#[test]
fn every_slot_opens_the_volume_with_its_own_secret_only() {
    let (mut volume, store) = fresh();
    let first = volume
        .add_slot(SlotKind::Passphrase, b"cost 14", &secret(1))
        .unwrap();
    let second = volume
        .add_slot(SlotKind::SealedToImage, &[7; 384], &secret(2))
        .unwrap();
    assert_eq!(
        volume.add_slot(SlotKind::Recovery, &[0; 385], &secret(3)),
        Err(Error::InvalidArgument)
    );
    drop(volume);
    let slots = KeySlots::read(&*store).unwrap();
    let kinds: Vec<_> = slots
        .slots()
        .map(|(number, slot)| (number, slot.kind, slot.parameters.len()))
        .collect();
    assert_eq!(
        kinds,
        [
            (first, SlotKind::Passphrase, 7),
            (second, SlotKind::SealedToImage, 384)
        ]
    );
    assert!(matches!(
        slots.unlock(first, &secret(2)),
        Err(Error::WrongKey)
    ));
    assert!(matches!(slots.unlock(5, &secret(1)), Err(Error::NotFound)));
    for (number, byte) in [(first, 1), (second, 2)] {
        let key = slots.unlock(number, &secret(byte)).unwrap();
        Volume::open(
            Box::new(Arc::clone(&store)),
            TestPlatform::boxed(),
            key,
            Options::default(),
        )
        .unwrap();
    }
}

#[test]
fn a_removed_slot_cannot_be_put_back_by_the_host() {
    let (mut volume, store) = fresh();
    let lost = volume
        .add_slot(SlotKind::Provisioned, b"", &secret(1))
        .unwrap();
    volume
        .add_slot(SlotKind::Recovery, b"", &secret(2))
        .unwrap();
    let before = store.image();
    volume.remove_slot(lost).unwrap();
    assert_eq!(volume.remove_slot(lost), Err(Error::NotFound));
    drop(volume);
    open(Arc::clone(&store), Options::default()).unwrap();
    store.tamper(|bytes| bytes[2 * 4096..10 * 4096].copy_from_slice(&before[2 * 4096..10 * 4096]));
    assert!(matches!(
        open(store, Options::default()),
        Err(Error::RolledBack { .. })
    ));
}

#[test]
fn a_changed_byte_in_one_copy_is_survived_and_in_both_is_noticed() {
    let (mut volume, store) = fresh();
    let number = volume
        .add_slot(SlotKind::Provisioned, b"p", &secret(1))
        .unwrap();
    drop(volume);
    for at in (0..16_384).step_by(5) {
        let image = MemoryStore::from_image(&store.image());
        image.tamper(|bytes| bytes[2 * 4096 + at] ^= 1);
        assert!(
            KeySlots::read(&image)
                .unwrap()
                .unlock(number, &secret(1))
                .is_ok(),
            "copy 0, byte {at}"
        );
        image.tamper(|bytes| bytes[6 * 4096 + at] ^= 1);
        assert!(
            matches!(KeySlots::read(&image), Err(Error::NotFound)),
            "both copies, byte {at}"
        );
        assert!(open(image, Options::default()).is_err());
    }
}

#[test]
fn refreshing_forgets_all_older_keys_and_changes_nothing_else() {
    let (mut volume, store) = fresh();
    for mount in 0..20u8 {
        let file = volume.create_file(Volume::ROOT, &[b'a' + mount]).unwrap();
        volume
            .write(file, 0, &vec![mount + 1; 20_000 + usize::from(mount)])
            .unwrap();
        let tiny = volume.create_file(Volume::ROOT, &[b'A' + mount]).unwrap();
        volume.write(tiny, 0, &[mount]).unwrap();
        volume.sync().unwrap();
        drop(volume);
        volume = open(Arc::clone(&store), Options::default()).unwrap();
    }
    while volume.refresh().unwrap() > 0 {}
    assert_clean(&mut volume);
    assert_eq!(volume.epochs(), 1, "only this mount's key is left");
    drop(volume);
    let mut volume = open(store, Options::default()).unwrap();
    for mount in 0..20u8 {
        let file = volume.lookup(Volume::ROOT, &[b'a' + mount]).unwrap();
        assert_eq!(
            contents(&mut volume, file).unwrap(),
            vec![mount + 1; 20_000 + usize::from(mount)]
        );
    }
}
