//! Protected volumes between runs and hosts: who may open one, and what becomes of one that the host changes, swaps, cuts or
//! lies about. The guest counts in a file how often it has run: a wrong number is what must never come out.

use std::fs;
use std::path::{Path, PathBuf};

use twine::abi::exchange::{Header, HostCall};
use twine::document::{Binding, KeySource, LaunchDocument, MountKind, RuntimeBinding};
use twine::error::Refusal;
use twine::{Error, Launch, Module, Outcome};
use twine_tests::hostile::liar;
use twine_tests::run::{Ran, module, run, runtime, text};

const BLOCK: usize = 4096;

/// A volume's file in a folder of its own.
struct Volume {
    folder: tempfile::TempDir,
    module: Module,
}

impl Volume {
    /// A volume in which the guest has run once.
    fn new() -> Self {
        let volume = Self {
            folder: tempfile::tempdir().unwrap(),
            module: module("c_counts_its_runs"),
        };
        let ran = volume.run(|launch| launch.create_volumes().unwrap());
        assert_eq!(count(&ran), Some(1), "{ran:?}");
        volume
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("runs.volume")
    }

    fn run<'a>(&'a self, set: impl FnOnce(Launch<'a>) -> Launch<'a>) -> Ran {
        run(&self.module, |launch| {
            set(counting(launch).volume("/", self.path()))
        })
    }

    /// A run whose host answers `op` by `lie`.
    fn lied_to(
        &self,
        op: HostCall,
        mut lie: impl FnMut(&Header, &mut [u8], i64) -> i64 + 'static,
    ) -> Ran {
        self.run(|launch| {
            launch.services(liar(move |header, payload, honest| {
                let answer = honest.serve(header, payload);
                if header.op == op as u32 {
                    lie(header, payload, answer)
                } else {
                    answer
                }
            }))
        })
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }

    fn replace(&self, bytes: &[u8]) {
        fs::write(self.path(), bytes).unwrap();
    }
}

fn counting(launch: Launch<'_>) -> Launch<'_> {
    launch.args(["/runs", "returns"])
}

/// The number that the guest printed, if it ended well.
fn count(ran: &Ran) -> Option<u32> {
    match ran.outcome {
        Ok(Outcome::Exited { code: 0 }) => {
            let number = text(&ran.output).trim().strip_prefix("run ")?.parse();
            Some(number.expect("a number"))
        }
        _ => None,
    }
}

fn refused(ran: &Ran) -> Option<Refusal> {
    match ran.outcome {
        Err(Error::Refused { refusal, .. }) => Some(refusal),
        _ => None,
    }
}

#[test]
fn a_volume_keeps_what_was_written_and_shows_none_of_it() {
    let volume = Volume::new();
    for expected in 2..5 {
        assert_eq!(count(&volume.run(|launch| launch)), Some(expected));
    }
    let bytes = volume.bytes();
    assert!(!bytes.windows(4).any(|window| window == b"runs"));
}

#[test]
fn a_volume_opens_for_its_module_alone_under_any_document() {
    let volume = Volume::new();
    let other = module("c_uses_files");
    let ran = run(&other, |launch| launch.volume("/", volume.path()));
    assert_eq!(refused(&ran), Some(Refusal::Volume), "{ran:?}");
    let ran = volume.run(Launch::debuggable);
    assert_eq!(refused(&ran), Some(Refusal::Volume), "{ran:?}");
    let ran = volume.run(|launch| launch.env("ANOTHER", "document"));
    assert_eq!(count(&ran), Some(2));
}

/// The launch document with every volume's policy changed.
fn rewritten(launch: &Launch<'_>, runtime: RuntimeBinding, comment: &str) -> Vec<u8> {
    let mut draft = (*launch.document().unwrap()).clone();
    for mount in &mut draft.mounts {
        if let MountKind::Volume(policy) = &mut mount.kind {
            policy.create = true;
            policy.key = KeySource::Sealed {
                bound_to: Binding::Document,
                runtime,
            };
        }
    }
    let document = LaunchDocument::new(draft).unwrap();
    format!("{}# {comment}\n", document.to_toml()).into_bytes()
}

#[test]
fn a_volume_bound_to_a_document_opens_for_that_document_alone() {
    for binding in [RuntimeBinding::Image, RuntimeBinding::Signer] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v");
        let module = module("c_counts_its_runs");
        let generated = counting(Launch::new(runtime(), &module)).volume("/", &path);
        let [first, second] = ["a", "b"].map(|comment| rewritten(&generated, binding, comment));
        let start = |document: &[u8]| {
            let launch = Launch::from_document(runtime(), &module, document).unwrap();
            let output = twine::Capture::default();
            let outcome = counting(launch).volume("/", &path).stdout(&output).run();
            Ran {
                outcome,
                output: output.take(),
                errors: Vec::new(),
            }
        };
        assert_eq!(count(&start(&first)), Some(1));
        assert_eq!(refused(&start(&second)), Some(Refusal::Volume));
        assert_eq!(count(&start(&first)), Some(2));
    }
}

#[test]
fn a_volume_that_is_not_there_is_made_only_if_the_document_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let module = module("c_counts_its_runs");
    let missing = |path: &Path| run(&module, |launch| counting(launch).volume("/", path));
    let path = folder.path().join("none");
    assert!(matches!(missing(&path).outcome, Err(Error::File { .. })));
    assert!(!path.exists());
    // The host claims to have made it.
    let volume = Volume::new();
    let ran = volume.lied_to(HostCall::StoreOpen, |_, _, _| 1);
    assert_eq!(refused(&ran), Some(Refusal::Volume));
    assert_eq!(count(&volume.run(|launch| launch)), Some(2));
}

#[test]
fn a_volume_that_is_in_use_is_not_opened_twice() {
    let volume = Volume::new();
    let lock = twine::serve::VolumeFile::open(&volume.path(), twine::serve::FileAccess::Write);
    let ran = volume.run(|launch| launch);
    assert!(matches!(ran.outcome, Err(Error::VolumeInUse { .. })));
    drop(lock);
    assert_eq!(count(&volume.run(|launch| launch)), Some(2));
}

#[test]
fn a_read_only_volume_is_read_and_stays_as_it_is() {
    let volume = Volume::new();
    let before = volume.bytes();
    let ran = volume.run(|launch| launch.read_only("/").unwrap());
    assert_eq!(ran.outcome.ok(), Some(Outcome::Exited { code: 1 }));
    assert!(text(&ran.errors).contains("Read-only"));
    assert_eq!(volume.bytes(), before);
}

#[test]
fn a_changed_block_yields_a_state_that_was_committed_or_none() {
    let volume = Volume::new();
    volume.run(|launch| launch);
    let good = volume.bytes();
    for block in 0..good.len() / BLOCK {
        let mut bad = good.clone();
        bad[block * BLOCK + 77] ^= 4;
        volume.replace(&bad);
        let ran = volume.run(|launch| launch);
        // Without its newest superblock a volume is what the one before says.
        let right = matches!(count(&ran), None | Some(2 | 3));
        assert!(right, "block {block}: {ran:?}");
    }
}

#[test]
fn an_older_copy_shows_an_older_state_as_a_whole() {
    let volume = Volume::new();
    let old = volume.bytes();
    assert_eq!(count(&volume.run(|launch| launch)), Some(2));
    assert_eq!(count(&volume.run(|launch| launch)), Some(3));
    let new = volume.bytes();
    volume.replace(&old);
    assert_eq!(
        count(&volume.run(|launch| launch)),
        Some(2),
        "a rollback shows"
    );
    // Blocks of both: either state, or none.
    for step in 2..6 {
        let mut mixed = new.clone();
        let blocks = old.chunks(BLOCK).zip(mixed.chunks_mut(BLOCK)).step_by(step);
        blocks.for_each(|(old, mixed)| mixed.copy_from_slice(old));
        volume.replace(&mixed);
        let ran = volume.run(|launch| launch);
        let right = matches!(count(&ran), None | Some(2..=4));
        assert!(right, "{ran:?}");
    }
}

#[test]
fn a_file_that_is_cut_while_it_is_mapped_costs_the_enclave_and_nothing_else() {
    let volume = Volume::new();
    for left in [0, BLOCK as u64, 3 * BLOCK as u64, 20 * BLOCK as u64] {
        let good = volume.bytes();
        let path = volume.path();
        let ran = volume.lied_to(HostCall::StoreSize, move |_, _, honest| {
            let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
            file.set_len(left).unwrap();
            honest
        });
        assert_eq!(count(&ran), None, "{left}: {ran:?}");
        volume.replace(&good);
    }
    assert_eq!(count(&volume.run(|launch| launch)), Some(2));
}

#[test]
fn spans_that_are_not_outside_end_the_run() {
    let volume = Volume::new();
    for (word, value) in [
        (0, 8),
        (0, 1),
        (0, u64::MAX - 7),
        (1, u64::MAX),
        (2, 3),
        (2, 0),
        (3, 4095),
        (3, u64::MAX),
    ] {
        let ran = volume.lied_to(HostCall::StoreOpen, move |_, payload, honest| {
            payload[8 * word..][..8].copy_from_slice(&u64::to_le_bytes(value));
            honest
        });
        assert_eq!(count(&ran), None, "word {word} {value:#x}: {ran:?}");
    }
    for answer in [2, 1 << 32, i64::MAX] {
        let ran = volume.lied_to(HostCall::StoreOpen, move |_, _, _| answer);
        assert_eq!(refused(&ran), Some(Refusal::Host), "{ran:?}");
    }
    assert_eq!(count(&volume.run(|launch| launch)), Some(2));
}

#[test]
fn a_host_without_a_map_is_asked_for_every_block() {
    let volume = Volume::new();
    let ran = volume.lied_to(HostCall::StoreOpen, |_, payload, honest| {
        payload[8..16].fill(0);
        honest
    });
    assert_eq!(count(&ran), Some(2));
    for lie in [0, 1, 4095, 65_537, i64::MAX] {
        let mut mapless = true;
        let ran = volume.run(|launch| {
            launch.services(liar(move |header, payload, honest| {
                let answer = honest.serve(header, payload);
                if header.op == HostCall::StoreOpen as u32 && mapless {
                    mapless = false;
                    payload[8..16].fill(0);
                }
                match header.op == HostCall::StoreRead as u32 {
                    true => lie,
                    false => answer,
                }
            }))
        });
        assert_eq!(count(&ran), None, "{lie}: {ran:?}");
    }
}

#[test]
fn writes_that_are_dropped_never_mix_states() {
    let volume = Volume::new();
    for keep in 0..8 {
        let (good, mut number) = (volume.bytes(), 0);
        let ran = volume.run(|launch| {
            launch.services(liar(move |header, payload, honest| {
                if header.op == HostCall::StoreWrite as u32 {
                    number += 1;
                    if number > keep {
                        return 0;
                    }
                }
                honest.serve(header, payload)
            }))
        });
        assert!(matches!(count(&ran), None | Some(2)), "{keep}: {ran:?}");
        let after = volume.run(|launch| launch);
        let right = matches!(count(&after), None | Some(2 | 3));
        assert!(right, "{keep}: {after:?}");
        volume.replace(&good);
    }
}

#[test]
fn failing_stores_are_input_output_errors() {
    let volume = Volume::new();
    for (op, answer) in [
        (HostCall::StoreWrite, -28),
        (HostCall::StoreWrite, -5),
        (HostCall::StoreSize, -5),
        (HostCall::StoreResize, -28),
        (HostCall::StoreSize, i64::MAX),
        (HostCall::StoreWrite, 7),
    ] {
        let good = volume.bytes();
        let ran = volume.lied_to(op, move |_, _, _| answer);
        assert!(
            matches!(count(&ran), None | Some(2)),
            "{op:?} {answer}: {ran:?}"
        );
        volume.replace(&good);
    }
}
