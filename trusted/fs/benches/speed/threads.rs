//! Question: what does a second thread add? Both do the same on files of their own, so that two cores should take as long
//! as one does with one thread, and commits of two threads share flushes. Writes wait for each other (decision 0006).

use std::path::Path;

use twine_fs::{FileStore, HostPlatform, Options, SharedVolume, Suite, Volume};

use super::{
    BLOCK, MappedStore, buffer, key,
    measure::{Variant, compare},
    mounted,
};

pub(crate) fn run(folder: &Path) {
    let path = folder.join("threads");
    let store = Box::new(FileStore::open(&path).unwrap());
    let (platform, options) = (Box::new(HostPlatform), Options::default());
    let mut volume = Volume::create(store, platform, key(), Suite::Aegis128L, options).unwrap();
    let chunk = vec![7; 256 * BLOCK];
    let files = ["a", "b"].map(|name| {
        let file = volume.create_file(Volume::ROOT, name.as_bytes()).unwrap();
        for at in 0..16 {
            volume.write(file, at << 20, &chunk).unwrap();
        }
        file
    });
    volume.close().unwrap();
    let shared = &SharedVolume::new(mounted(MappedStore::open(&path)));
    let read = |file| {
        let mut buffer = buffer();
        for at in 0..16 {
            assert!(shared.read(file, at << 20, &mut buffer).unwrap() > 0);
        }
    };
    let commit = |file| {
        for at in 0..8 {
            shared.write(file, at << 20, &chunk[..BLOCK]).unwrap();
            shared.sync_file(file).unwrap();
        }
    };
    let write = |file| (0..16).for_each(|at| shared.write(file, at << 20, &chunk).unwrap());
    let both = |work: &(dyn Fn(u64) + Sync)| {
        std::thread::scope(|scope| {
            scope.spawn(|| work(files[0]));
            work(files[1]);
        });
    };
    let ask = |question, work: &(dyn Fn(u64) + Sync)| {
        let variants: Vec<Variant<'_>> = vec![
            ("one", Box::new(|_| work(files[0]))),
            ("two", Box::new(|_| both(work))),
        ];
        compare(question, 2, 50, variants);
    };
    ask("fs/threads/read-16MiB-each", &read);
    ask("fs/threads/write-16MiB-each", &write);
    ask("fs/threads/8-commits-each", &commit);
}
