//! Trees of files: what goes in comes out, and what listings show.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Bench, GOOD, assert_code, assert_refused, text, tree};

#[test]
fn a_tree_that_goes_in_comes_out_the_same() {
    for cipher in ["aegis-128l", "aes-256-gcm"] {
        let bench = Bench::new();
        bench.good(
            "create",
            &["v", "--cipher", cipher, "--passphrase-memory", "8MiB"],
        );
        let source = bench.fill("in");
        bench.good("import", &["v", "in"]);
        bench.assert_sound("v");
        bench.good("export", &["v", "out"]);
        assert_eq!(tree(&source), tree(&bench.path("out")));
        // Holes stay holes.
        let sparse = fs::metadata(bench.path("out/a/sparse")).unwrap();
        assert!(
            sparse.blocks() * 512 < 4 << 20,
            "{} sectors",
            sparse.blocks()
        );
        let again = bench.twine("export", &["v", "out"], GOOD);
        assert_refused(&again, 125, "not empty");
    }
}

#[test]
fn a_tar_archive_holds_the_same_tree() {
    let bench = Bench::with_volume();
    let source = bench.fill("in");
    bench.good("import", &["v", "in", "--to", "/deep/er"]);
    bench.good("export", &["v", "--from", "deep/er", "-o", "out.tar"]);
    let piped = bench.twine("export", &["v", "--from", "deep/er", "-o", "-"], GOOD);
    assert!(piped.stdout == fs::read(bench.path("out.tar")).unwrap());
    fs::create_dir(bench.path("out")).unwrap();
    let unpacked = Command::new("tar")
        .args(["--extract", "--no-same-owner", "--file"])
        .arg(bench.path("out.tar"))
        .arg("--directory")
        .arg(bench.path("out"))
        .status();
    assert!(unpacked.unwrap().success());
    let (mut expected, mut found) = (tree(&source), tree(&bench.path("out")));
    // The archive holds what lies in the directory, not the directory itself.
    expected.remove(Path::new(""));
    found.remove(Path::new(""));
    assert_eq!(expected, found);
}

#[test]
fn listings_are_safe_for_terminals_and_exact_for_scripts() {
    let bench = Bench::with_volume();
    bench.fill("in");
    bench.good("import", &["v", "in"]);
    let shown = bench.good("ls", &["v"]);
    for name in [
        "new\\x0aline\n",
        "\\xff\\xfe\n",
        "\\xe2\\x80\\xaetxt.exe\n",
        "back\\x5cslash\n",
    ] {
        assert!(shown.contains(name), "{name} in {shown}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&bench.good("ls", &["v", "--recursive", "--json"])).unwrap();
    let all = json.as_array().unwrap();
    let find = |path: &str| all.iter().find(|item| item["path"] == path).unwrap();
    assert_eq!(find("a/b/large")["size"], 1_234_567);
    assert_eq!(find("a/out")["target"], "../../../../etc/passwd");
    assert_eq!(find("a/sparse")["modified_ns"], 86_400_000_000_005_u64);
    assert_eq!(find("a/block")["inode"], find("a/b/c/same")["inode"]);
    assert!(all.iter().any(|item| item["path_bytes"] == "fffe"));
    assert_eq!(bench.good("cat", &["v", "a/sparse"]).len(), (40 << 20) + 3);
    assert_refused(
        &bench.twine("cat", &["v", "none"], GOOD),
        127,
        "none: no such file",
    );
    assert_refused(
        &bench.twine("cat", &["v", "a"], GOOD),
        125,
        "a: is a directory",
    );
}

#[test]
fn files_are_replaced_only_when_asked() {
    let bench = Bench::with_volume();
    fs::create_dir_all(bench.path("in/d")).unwrap();
    fs::write(bench.path("in/d/f"), "one").unwrap();
    bench.good("import", &["v", "in"]);
    fs::write(bench.path("in/d/f"), "two").unwrap();
    let refused = bench.twine("import", &["v", "in"], GOOD);
    assert_refused(&refused, 125, "d/f: exists already");
    assert_eq!(bench.good("cat", &["v", "d/f"]), "one");
    bench.good("import", &["v", "in", "--replace"]);
    assert_eq!(bench.good("cat", &["v", "d/f"]), "two");
    bench.assert_sound("v");
}

#[test]
fn compacting_gives_space_back_and_changes_nothing() {
    let bench = Bench::with_volume();
    fs::create_dir(bench.path("in")).unwrap();
    fs::write(bench.path("in/keep"), vec![1; 50_000]).unwrap();
    fs::write(bench.path("in/shrinks"), vec![2; 8_000_000]).unwrap();
    bench.good("import", &["v", "in"]);
    fs::write(bench.path("in/shrinks"), "short").unwrap();
    bench.good("import", &["v", "in", "--replace"]);
    let before = fs::metadata(bench.path("v")).unwrap().len();
    let shown = bench.good("compact", &["v"]);
    let after = fs::metadata(bench.path("v")).unwrap().len();
    assert!(
        after < 1_000_000 && before > 8_000_000,
        "{before} became {after}"
    );
    assert_eq!(
        shown,
        format!("{} bytes given back, {after} left\n", before - after)
    );
    bench.assert_sound("v");
    bench.good("export", &["v", "out"]);
    assert_eq!(tree(&bench.path("in")), tree(&bench.path("out")));
}

#[test]
fn a_reader_that_stops_early_is_no_error() {
    let bench = Bench::with_volume();
    fs::create_dir(bench.path("in")).unwrap();
    fs::write(bench.path("in/f"), vec![7; 3_000_000]).unwrap();
    bench.good("import", &["v", "in"]);
    for arguments in [["cat", "v", "f"], ["export", "v", "-o-"]] {
        let mut child = bench
            .command(arguments[0], &arguments[1..], GOOD)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(text(&output.stderr), "");
    }
}

#[test]
fn every_command_has_help_with_its_purpose() {
    let bench = Bench::new();
    let help = bench.twine("--help", &[], &[]);
    assert!(
        text(&help.stdout).contains("115  the passphrase"),
        "{help:?}"
    );
    let commands = [
        "create",
        "ls",
        "cat",
        "import",
        "export",
        "info",
        "fsck",
        "compact",
        "slots",
        "rekey",
        "diff-root",
        "keygen",
    ];
    for command in commands {
        let shown = bench.twine(command, &["--help"], &[]);
        assert_code(&shown, 0);
        assert!(
            text(&shown.stdout).contains("Usage: twine volume "),
            "{command}"
        );
        assert!(
            text(&help.stdout).contains(&format!("\n  {command} ")),
            "{command}"
        );
    }
}
