//! The same as natively: a script that goes once through what SQLite can do, and its authors' speed test with its own
//! check sums.

use tempfile::tempdir;
use twine::{Input, Outcome};
use twine_guests::sqlite::Program;
use twine_tests::run::text;

use super::shell::{VFS, Volume, native};

#[test]
fn the_shell_prints_on_a_volume_what_it_prints_natively() {
    const SCRIPT: &str = include_str!("broad.sql");
    let folder = tempdir().unwrap();
    let expected = native(
        Program::Shell,
        folder.path(),
        &["-batch", "main.db"],
        SCRIPT,
    );
    assert!(text(&expected.output).ends_with("3000\nintegrity_check\nok\n"));
    for vfs in VFS {
        let volume = Volume::new();
        let arguments = ["-batch", "-vfs", vfs, "main.db"];
        let ran = volume.run(Program::Shell, &arguments, Input::bytes(SCRIPT));
        assert_eq!(text(&ran.errors), text(&expected.errors), "{vfs}");
        assert_eq!(text(&ran.output), text(&expected.output), "{vfs}");
        assert_eq!(
            ran.outcome.ok(),
            expected.outcome.as_ref().ok().cloned(),
            "{vfs}"
        );
        // And another enclave finds it all there.
        let found = volume.query("PRAGMA integrity_check; SELECT count(*), sum(points) FROM people;\n.open backup.db\nSELECT count(*) FROM figures;");
        let native = native(
            Program::Shell,
            folder.path(),
            &["-batch", "main.db"],
            "PRAGMA integrity_check; SELECT count(*), sum(points) FROM people;\n.open backup.db\nSELECT count(*) FROM figures;",
        );
        assert_eq!(found, text(&native.output), "{vfs}");
    }
}

/// What one connection does and another sees: each reads its own snapshot, one writes at a time, and the log is put into the
/// database when the last reader of an older snapshot is gone.
#[test]
fn connections_share_a_database_in_wal_mode_as_natively() {
    const SCRIPT: &str = include_str!("connections.sql");
    let folder = tempdir().unwrap();
    let arguments = ["-batch", "main.db"];
    let expected = native(Program::Shell, folder.path(), &arguments, SCRIPT);
    let ran = Volume::new().sql(SCRIPT);
    assert_eq!(text(&ran.output), text(&expected.output));
    assert_eq!(text(&ran.errors), text(&expected.errors));
    assert!(text(&expected.errors).contains("database is locked"));
    assert!(text(&expected.output).ends_with("ok\n"));
}

/// All sets of tests but `trigger`, which asks for tables that it does not make, whatever the platform.
#[test]
fn the_speed_test_ends_with_the_native_check_sum() {
    const SETTINGS: [&str; 5] = [
        "--size",
        "4",
        "--verify",
        "--testset",
        "main,cte,fp,orm,rtree",
    ];
    let folder = tempdir().unwrap();
    let arguments = [&SETTINGS[..], &["test.db"]].concat();
    let expected = check_sum(&native(Program::Speedtest1, folder.path(), &arguments, "").output);
    for place in [
        &[":memory:"][..],
        &["--vfs", "volume", "test.db"],
        &["--vfs", "unix", "test.db"],
    ] {
        let arguments = [&SETTINGS[..], place].concat();
        let ran = Volume::new().run(Program::Speedtest1, &arguments, Input::Empty);
        assert_eq!(
            ran.outcome.as_ref().ok(),
            Some(&Outcome::Exited { code: 0 }),
            "{place:?}: {ran:?}"
        );
        assert_eq!(check_sum(&ran.output), expected, "{place:?}");
    }
}

/// The line of the check sum over all results.
fn check_sum(output: &[u8]) -> String {
    let output = text(output);
    let line = output
        .lines()
        .find(|line| line.starts_with("Verification Hash:"));
    line.unwrap_or_else(|| panic!("no check sum in {output}"))
        .to_owned()
}
