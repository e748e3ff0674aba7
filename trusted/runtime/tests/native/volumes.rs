//! Protected volumes below a guest: what lasts, what happens when they are full, and when the host attacks.

use twine_fs::limits::{BLOCK_LEN, FIXED_BLOCKS};
use twine_runtime::Sink;
use twine_runtime::files::{Error, FileSystem as _, ProtectedFiles};

use crate::guest::module_with;
use crate::script::{AT, Arg, RIGHTS_FILE, ROOT, Script, mount, path};
use crate::support::{Launch, open_volume, volume, volume_store};

const OK: u32 = 0;
const IO: u32 = 29;

#[test]
fn what_was_never_synced_survives_an_exit_but_not_a_trap() {
    let store = volume_store();
    let mounts = || {
        vec![mount(
            "/",
            Box::new(ProtectedFiles::new(open_volume(&store))),
        )]
    };
    Script::default()
        .create("f")
        .write(4, b"kept")
        .run(mounts());
    let text = "(data (i32.const 256) \"fmore\") (data (i32.const 272) \"\\01\\01\\00\\00\\04\\00\\00\\00\")";
    let append = format!(
        "(drop (call $path_open (i32.const 3) (i32.const 0) (i32.const 256) (i32.const 1) (i32.const 0)
             (i64.const {RIGHTS_FILE}) (i64.const 0) (i32.const 1) (i32.const 0)))
         (drop (call $fd_write (i32.const 4) (i32.const 272) (i32.const 1) (i32.const 0)))
         unreachable"
    );
    let mut launch = Launch::new(&module_with(text, &append));
    launch.mounts = mounts();
    let world = launch.world.clone();
    assert_eq!(launch.run().kind, twine_abi::outcome::Kind::Trapped);
    assert_eq!(world.0.borrow().text(Sink::Output), "");
    let mut script = Script::default();
    script.open(OK, "f", 0, RIGHTS_FILE).read_at(4, 0, 8);
    assert_eq!(script.run(mounts()), b"\x04\0\0\0kept\0\0\0\0");
}

#[test]
fn a_full_volume_takes_what_it_can_and_goes_on_when_there_is_room() {
    let mut files = ProtectedFiles::new(volume(1 << 20));
    let root = files.root();
    let file = files.create_file(root, b"f").unwrap();
    let piece = vec![0xa5; 100_000];
    let mut end = 0;
    let error = loop {
        match files.write(file, end, &piece) {
            Ok(len) => end += u64::try_from(len).unwrap(),
            Err(error) => break error,
        }
        assert_eq!(files.status(file).unwrap().size, end);
    };
    assert_eq!(error, Error::NoSpace);
    assert!(end > 200_000, "{end} bytes of a megabyte");
    assert_eq!(files.trouble(), None, "a full volume is the guest's affair");
    files.remove_file(root, b"f").unwrap();
    files.release(file);
    let file = files.create_file(root, b"g").unwrap();
    assert_eq!(files.write(file, 0, &piece), Ok(piece.len()));
    files.release(file);
    assert_eq!(Box::new(files).close(), Ok(()));
}

#[test]
fn tampering_is_an_io_error_to_the_guest_and_called_by_its_name_outside() {
    let store = volume_store();
    let files = || Box::new(ProtectedFiles::new(open_volume(&store)));
    Script::default()
        .create("f")
        .write(4, &[7; 4096])
        .run(vec![mount("/", files())]);
    let mounted = files();
    let start = usize::try_from(FIXED_BLOCKS).unwrap() * BLOCK_LEN;
    store.tamper(|bytes| bytes[start..].iter_mut().for_each(|byte| *byte ^= 1));
    let mut script = Script::default();
    for _ in 0..3 {
        script.call(IO, "path_filestat_get", &[ROOT, AT, path("f"), AT]);
    }
    script.call(IO, "path_create_directory", &[ROOT, path("d")]);
    script.call(IO, "fd_sync", &[Arg::Small(3)]);
    let troubles = script.report(vec![mount("/data", mounted)]).world.troubles;
    assert!(
        troubles[0].starts_with("/data: ") && troubles[0].contains("was tampered with"),
        "{troubles:?}"
    );
    // The tampering, that it poisoned the mount, and that nothing could be written at the end.
    assert!(troubles.len() <= 3, "{troubles:?}");
}
