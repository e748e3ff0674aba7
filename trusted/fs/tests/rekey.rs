//! A new volume key, cut short at every write: the volume opens with the old key or with the new one, and holds the same.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod support;

use std::sync::Arc;

use support::{TestPlatform, assert_clean, contents, key, open};
use twine_fs::{
    Access, Error, Holder, KeySlots, MemoryStore, Options, SlotKind, SlotSecret, Store, Suite,
    Volume,
    store::testing::{Event, RecordingStore},
};

const SECTORS: usize = 8;

fn secret(byte: u8) -> SlotSecret {
    SlotSecret::new([byte; 32])
}

const fn holder(secret: &SlotSecret) -> Holder<'_> {
    Holder {
        kind: SlotKind::Provisioned,
        parameters: b"",
        secret,
    }
}

/// Opens an image as a holder of one of the secrets does.
fn unlock(store: &Arc<MemoryStore>, secrets: &[u8], access: Access) -> Result<Volume, Error> {
    let mut refused = Error::NotFound;
    for copy in KeySlots::copies(&**store)? {
        for (number, _) in copy.slots() {
            for &byte in secrets {
                let options = Options {
                    access,
                    ..Options::default()
                };
                let opened = copy.unlock(number, &secret(byte)).and_then(|key| {
                    Volume::open(
                        Box::new(Arc::clone(store)),
                        TestPlatform::boxed(),
                        key,
                        options,
                    )
                });
                match opened {
                    Ok(volume) => return Ok(volume),
                    Err(error) => refused = error,
                }
            }
        }
    }
    Err(refused)
}

/// A volume with a slot, some files and a log, and a store that records from then on.
fn prepared() -> (Volume, Arc<RecordingStore>) {
    let store = Arc::new(RecordingStore::default());
    let mut volume = Volume::create(
        Box::new(Arc::clone(&store)),
        TestPlatform::boxed(),
        key(),
        Suite::Aegis128L,
        Options::default(),
    )
    .unwrap();
    volume
        .add_slot(SlotKind::Provisioned, b"", &secret(1))
        .unwrap();
    for number in 0..5u8 {
        let file = volume.create_file(Volume::ROOT, &[b'a' + number]).unwrap();
        let len = usize::from(number) * 3000;
        volume.write(file, 0, &vec![number + 1; len]).unwrap();
        volume.sync().unwrap();
    }
    (volume, store)
}

fn assert_contents(volume: &mut Volume, when: &str) {
    for number in 0..5u8 {
        let file = volume.lookup(Volume::ROOT, &[b'a' + number]).unwrap();
        let expected = vec![number + 1; usize::from(number) * 3000];
        assert!(contents(volume, file).unwrap() == expected, "{when}");
    }
}

/// Applies the sectors of a write that `kept` names.
fn apply(image: &mut Vec<u8>, event: &Event, kept: impl Fn(usize) -> bool) {
    match event {
        Event::Write(first, data) => {
            let start = *first as usize * 4096;
            image.resize(image.len().max(start + data.len()), 0);
            for (number, sector) in data.chunks(512).enumerate().filter(|(at, _)| kept(*at)) {
                image[start + number * 512..][..512].copy_from_slice(sector);
            }
        }
        Event::Resize(blocks) => image.resize(*blocks as usize * 4096, 0),
        Event::Flush | Event::Note(_) => {}
    }
}

#[test]
fn a_crash_at_any_write_leaves_the_old_key_or_the_new_one() {
    let (mut volume, store) = prepared();
    let mut image = store.memory().image();
    let skipped = store.events().len();
    volume.rekey(&[holder(&secret(2))]).unwrap();
    drop(volume);
    let events = store.events().split_off(skipped);
    let (mut old, mut new) = (0, 0);
    for (at, event) in events.iter().enumerate() {
        for torn in 0..=SECTORS {
            let mut crashed = image.clone();
            apply(&mut crashed, event, |sector| sector % SECTORS < torn);
            let when = format!("event {at}, {torn} of 8 sectors");
            for (count, secret) in [(&mut old, 1), (&mut new, 2)] {
                let store = Arc::new(MemoryStore::from_image(&crashed));
                if let Ok(mut volume) = unlock(&store, &[secret], Access::ReadOnly) {
                    assert_contents(&mut volume, &when);
                    *count += 1;
                }
            }
            // Whoever has both goes on, and a second attempt succeeds.
            let store = Arc::new(MemoryStore::from_image(&crashed));
            let mut volume = unlock(&store, &[1, 2], Access::ReadWrite).expect(&when);
            assert_contents(&mut volume, &when);
            volume.rekey(&[holder(&secret(3))]).unwrap();
            drop(volume);
            let mut volume = unlock(&store, &[3], Access::ReadOnly).expect(&when);
            assert_contents(&mut volume, &when);
            assert_clean(&mut volume);
            assert!(unlock(&store, &[1, 2], Access::ReadOnly).is_err(), "{when}");
        }
        apply(&mut image, event, |_| true);
    }
    assert!(
        old > SECTORS && new > SECTORS,
        "{old} images open with the old key, {new} with the new one"
    );
}

#[test]
fn after_rekeying_and_refreshing_nothing_of_the_old_key_is_left() {
    let (mut volume, store) = prepared();
    volume.rekey(&[holder(&secret(2))]).unwrap();
    assert_contents(&mut volume, "in the same mount");
    while volume.refresh().unwrap() > 0 {}
    assert_eq!(volume.epochs(), 1);
    assert_clean(&mut volume);
    drop(volume);
    let store = Arc::new(MemoryStore::from_image(&store.memory().image()));
    assert!(matches!(
        open(Arc::clone(&store), Options::default()),
        Err(Error::WrongKey)
    ));
    assert!(unlock(&store, &[1], Access::ReadOnly).is_err());
    let mut volume = unlock(&store, &[2], Access::ReadWrite).unwrap();
    assert_contents(&mut volume, "after mounting");
}

/// Each step takes up where the last one stopped, also in the middle of a file, and programs may write in between.
#[test]
fn refreshing_goes_on_where_it_stopped() {
    let (mut volume, _) = prepared();
    let large = volume.create_file(Volume::ROOT, b"large").unwrap();
    let bytes: Vec<u8> = (0..12_000_000_u32)
        .map(|at| (at / 4096) as u8 | 1)
        .collect();
    volume.write(large, 0, &bytes).unwrap();
    volume.sync().unwrap();
    volume.rekey(&[holder(&secret(2))]).unwrap();
    let mut steps = Vec::new();
    loop {
        match volume.refresh().unwrap() {
            0 => break,
            blocks => steps.push(blocks),
        }
        let name = format!("between-{}", steps.len());
        let file = volume.create_file(Volume::ROOT, name.as_bytes()).unwrap();
        volume.write(file, 0, &[3; 9000]).unwrap();
    }
    let total: usize = steps.iter().sum();
    assert!(steps.len() == 2, "{steps:?}");
    assert!((2930..3000).contains(&total), "{steps:?}: each block once");
    assert_eq!(volume.epochs(), 1);
    assert_clean(&mut volume);
    assert!(contents(&mut volume, large).unwrap() == bytes);
    assert_contents(&mut volume, "after refreshing");
}

#[test]
fn slots_change_as_before_after_an_interrupted_rekey() {
    let (mut volume, store) = prepared();
    let before = store.memory().image();
    volume.rekey(&[holder(&secret(2))]).unwrap();
    drop(volume);
    // The new slots are there, the superblocks are the old key's.
    let store = {
        let mut image = before;
        let after = store.memory().image();
        image[6 * 4096..10 * 4096].copy_from_slice(&after[6 * 4096..10 * 4096]);
        Arc::new(MemoryStore::from_image(&image))
    };
    let mut volume = unlock(&store, &[1], Access::ReadWrite).unwrap();
    volume
        .add_slot(SlotKind::Passphrase, b"", &secret(4))
        .unwrap();
    drop(volume);
    assert_eq!(KeySlots::copies(&*store).unwrap().len(), 1);
    for byte in [1, 4] {
        unlock(&store, &[byte], Access::ReadOnly).unwrap();
    }
    assert!(unlock(&store, &[2], Access::ReadOnly).is_err());
    store.flush().unwrap();
}

#[test]
fn a_volume_cannot_lock_everybody_out() {
    let (mut volume, _) = prepared();
    assert_eq!(volume.rekey(&[]), Err(Error::InvalidArgument));
    let (one, two) = (secret(1), secret(2));
    let many = vec![holder(&one); 32];
    assert_eq!(volume.rekey(&many), Err(Error::InvalidArgument));
    volume.rekey(&[holder(&one), holder(&two)]).unwrap();
    volume
        .add_slot(SlotKind::Passphrase, b"", &secret(9))
        .unwrap();
}
