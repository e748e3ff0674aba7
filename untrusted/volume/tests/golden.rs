//! The host's ciphers read what the image's ciphers wrote: the golden volumes of `trusted/fs`, whose own tests read them
//! with the other implementation of suite 1.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use twine_fs::{Access, HostPlatform, KeySlots, Options, SlotSecret, Suite, Volume, VolumeKey};
use twine_volume::store::VolumeFile;

/// The slot secret that the volumes were written with.
const SECRET: [u8; 32] = [0x24; 32];

fn open(suite: Suite, key: Option<VolumeKey>) -> twine_fs::Result<Volume> {
    let name = format!("v1-suite{}.twinefs", suite.number());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../trusted/fs/tests/golden");
    let store = VolumeFile::open(&folder.join(name), Access::ReadOnly).unwrap();
    let unlock = || {
        KeySlots::read(&store)
            .unwrap()
            .unlock(0, &SlotSecret::new(SECRET))
            .unwrap()
    };
    let key = key.unwrap_or_else(unlock);
    let options = Options {
        access: Access::ReadOnly,
        ..Options::default()
    };
    Volume::open(Box::new(store), Box::new(HostPlatform), key, options)
}

#[test]
fn volumes_of_both_suites_are_read_and_sound() {
    for suite in [Suite::Aegis128L, Suite::Aes256Gcm] {
        let mut volume = open(suite, None).unwrap();
        let report = volume.check().unwrap();
        assert_eq!(report.findings, []);
        assert!(report.blocks > 20, "{}", report.blocks);
        let docs = volume.lookup(Volume::ROOT, b"docs").unwrap();
        let tiny = volume.lookup(docs, b"tiny").unwrap();
        let mut bytes = [0; 200];
        assert_eq!(volume.read(tiny, 0, &mut bytes).unwrap(), 100);
        assert_eq!(bytes[..4], [100, 107, 114, 121]);
    }
}

#[test]
fn another_key_opens_neither() {
    for suite in [Suite::Aegis128L, Suite::Aes256Gcm] {
        let other = open(suite, Some(VolumeKey::new([1; 32])));
        assert!(matches!(other, Err(twine_fs::Error::WrongKey)));
    }
}
