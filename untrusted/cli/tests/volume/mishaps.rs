//! Hostile disks, full disks, kills, and two processes at once.

use std::fs;
use std::thread;
use std::time::Duration;

use super::{BLOCK_LEN, Bench, GOOD, assert_code, assert_refused, text, tree};

#[test]
fn every_changed_block_that_matters_is_tampering() {
    let bench = Bench::with_volume();
    fs::create_dir(bench.path("in")).unwrap();
    fs::write(bench.path("in/f"), vec![7; 100_000]).unwrap();
    bench.good("import", &["v", "in"]);
    let image = fs::read(bench.path("v")).unwrap();
    let mut tampered = 0;
    for block in 10..image.len() / BLOCK_LEN {
        let mut changed = image.clone();
        changed[block * BLOCK_LEN + 100] ^= 1;
        fs::write(bench.path("changed"), &changed).unwrap();
        let output = bench.twine("fsck", &["changed"], GOOD);
        if output.status.code() == Some(116) {
            assert_refused(&output, 116, &format!("block {block} was tampered with"));
            tampered += 1;
        } else {
            // Free space: nobody reads it.
            assert_code(&output, 0);
        }
    }
    assert!(tampered >= 27, "{tampered} blocks are in use");
    let mut both = image.clone();
    both[3000] ^= 1;
    both[BLOCK_LEN + 3000] ^= 1;
    fs::write(bench.path("changed"), &both).unwrap();
    assert_refused(
        &bench.twine("fsck", &["changed"], GOOD),
        116,
        "block 0 was tampered with",
    );
    fs::write(bench.path("changed"), &image[..image.len() / 2]).unwrap();
    assert_refused(&bench.twine("fsck", &["changed"], GOOD), 116, "was cut");
}

#[test]
fn a_damaged_copy_of_the_slots_is_found_and_repaired() {
    let bench = Bench::with_volume();
    let image = fs::read(bench.path("v")).unwrap();
    for block in [2, 6] {
        let mut changed = image.clone();
        changed[block * BLOCK_LEN + 600] ^= 1;
        fs::write(bench.path("v"), &changed).unwrap();
        let found = bench.twine("fsck", &["v"], GOOD);
        assert_code(&found, 117);
        assert!(
            text(&found.stdout).starts_with("harmless: slot-copies: "),
            "{found:?}"
        );
        bench.twine("keygen", &["k"], &[]);
        bench.good("slots", &["v", "--add-recovery-key", "k.pub"]);
        bench.assert_sound("v");
    }
}

#[test]
fn a_rolled_back_volume_is_recognised_by_its_mark() {
    let bench = Bench::with_volume();
    fs::create_dir(bench.path("in")).unwrap();
    let step = |name: &str| {
        fs::write(bench.path("in/f"), name).unwrap();
        bench.good("import", &["v", "in", "--replace"]);
        fs::copy(bench.path("v"), bench.path(name)).unwrap();
        bench.mark("v")
    };
    let marks: Vec<_> = ["one", "two", "three", "four"].map(step).into();
    let relation = |volume: &str, other: &str, code: i32| {
        let output = bench.twine("diff-root", &["--json", volume, other], GOOD);
        assert_code(&output, code);
        let json: serde_json::Value = serde_json::from_str(text(&output.stdout)).unwrap();
        json["relation"].as_str().unwrap().to_owned()
    };
    assert_eq!(relation("v", &marks[3], 0), "same");
    assert_eq!(relation("v", &marks[0], 0), "newer-unproven");
    assert_eq!(relation("one", &marks[3], 116), "older");
    assert_eq!(relation("v", "four", 0), "same");
    assert_eq!(relation("v", "one", 0), "newer-unproven");
    assert_eq!(relation("one", "v", 116), "older");
    // Two copies that went on by themselves.
    fs::copy(bench.path("two"), bench.path("other")).unwrap();
    fs::write(bench.path("in/f"), "elsewhere").unwrap();
    bench.good("import", &["other", "in", "--replace"]);
    let commits = |mark: &str| mark.split(':').next().unwrap().parse::<u64>().unwrap();
    assert_eq!(commits(&bench.mark("other")), commits(&marks[2]));
    assert_eq!(relation("other", &marks[2], 116), "fork");
    assert_eq!(relation("other", "three", 116), "fork");
    let fresh = Bench::with_volume();
    fs::copy(fresh.path("v"), bench.path("stranger")).unwrap();
    let refused = bench.twine("diff-root", &["v", "stranger"], GOOD);
    assert_refused(&refused, 125, "different volumes");
    let refused = bench.twine("diff-root", &["v", "7:zz"], GOOD);
    assert_refused(&refused, 127, "7:zz");
}

#[test]
fn a_full_volume_says_so_and_stays_sound() {
    let bench = Bench::with_volume();
    fs::create_dir(bench.path("in")).unwrap();
    fs::write(bench.path("in/1-small"), vec![1; 50_000]).unwrap();
    fs::write(bench.path("in/2-large"), vec![2; 5_000_000]).unwrap();
    let refused = bench.twine("import", &["v", "in", "--capacity", "1MiB"], GOOD);
    assert_refused(&refused, 119, "2-large: no space left");
    bench.assert_sound("v");
    assert_eq!(bench.good("ls", &["v"]), "1-small\n");
    assert!(fs::metadata(bench.path("v")).unwrap().len() <= 1 << 20);
    bench.good("import", &["v", "in", "--replace"]);
    assert_eq!(bench.good("cat", &["v", "2-large"]).len(), 5_000_000);
}

/// SIGKILL is what a control-C amounts to, and worse: nothing is cleaned up.
#[test]
fn an_import_killed_at_any_moment_leaves_a_sound_volume() {
    let bench = Bench::with_volume();
    let source = bench.path("in");
    fs::create_dir(&source).unwrap();
    for number in 0..60 {
        let bytes = vec![b'a' + number % 26; 500_000 + usize::from(number) * 1000];
        fs::write(source.join(format!("{number:02}")), bytes).unwrap();
    }
    let mut partial = 0;
    for delay in 0..12 {
        fs::copy(bench.path("v"), bench.path("killed")).unwrap();
        let mut import = bench
            .command("import", &["killed", "in"], GOOD)
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(30 + delay * 25));
        import.kill().unwrap();
        import.wait().unwrap();
        bench.assert_sound("killed");
        let names = bench.good("ls", &["killed"]);
        for name in names.lines() {
            let contents = bench.good("cat", &["killed", name]);
            assert!(
                contents.as_bytes() == fs::read(source.join(name)).unwrap(),
                "{name}"
            );
        }
        partial += usize::from((1..60).contains(&names.lines().count()));
    }
    bench.good("import", &["killed", "in", "--replace"]);
    bench.good("export", &["killed", "out"]);
    assert_eq!(tree(&source), tree(&bench.path("out")));
    println!("{partial} of 12 were cut short in the middle");
}

#[test]
fn two_processes_do_not_write_one_volume() {
    let bench = Bench::with_volume();
    let file = fs::File::open(bench.path("v")).unwrap();
    file.lock().unwrap();
    let busy = "another process has this volume open";
    assert_refused(&bench.twine("ls", &["v"], GOOD), 125, busy);
    file.unlock().unwrap();
    file.lock_shared().unwrap();
    assert_code(&bench.twine("ls", &["v"], GOOD), 0);
    assert_refused(&bench.twine("compact", &["v"], GOOD), 125, busy);
}
