//! What is left in an enclave's memory when its guest has ended: no key. All of its pages are searched, stacks and saved
//! registers included, for the processor's keys, what was derived from them, and the key of its certificate. The same
//! search finds keys while they are in use.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use aes_gcm::aead::AeadInOut as _;
use aes_gcm::{Aes256Gcm, KeyInit as _};
use hkdf::Hkdf;
use memchr::memmem::Finder;
use p256::SecretKey;
use sha2::Sha256;
use twine::abi::exchange::{Header, HostCall};
use twine::abi::layout::PAGE_LEN;
use twine::backend::emulator::{Audit, Emulator, EmulatorConfig};
use twine::document::{Binding, KeySource, LaunchDocument, MountKind, RuntimeBinding, Tls};
use twine::serve::Services;
use twine::state::Directories;
use twine::{Capture, Launch, Module, Outcome, Runtime};
use twine_tests::run::{home, module, text};

const GUEST: &str = "c_shows_its_certificate";
const FOLDER: &str = "/run/tls";

/// An enclave's memory at one moment, in runs of pages that lie one behind the other, each with the offset of the first.
struct Snapshot(Vec<(u64, Vec<u8>)>);

impl Snapshot {
    /// The enclave lies in this process, and the kernel lets a process read itself, whatever pages permit.
    fn take(audit: &Audit) -> Self {
        let mut pages = BTreeSet::new();
        for event in audit.events() {
            let page = (event.base, event.offset);
            match event.page {
                Some(_) => pages.insert(page),
                None => pages.remove(&page),
            };
        }
        let memory = File::open("/proc/self/mem").unwrap();
        let mut runs: Vec<(u64, Vec<u8>)> = Vec::new();
        let mut end = 0;
        for (base, offset) in pages {
            let mut page = vec![0; usize::try_from(PAGE_LEN).unwrap()];
            memory.read_exact_at(&mut page, base + offset).unwrap();
            match runs.last_mut() {
                Some((_, run)) if end == offset => run.append(&mut page),
                _ => runs.push((offset, page)),
            }
            end = offset + PAGE_LEN;
        }
        Self(runs)
    }

    /// Where any eight bytes of the key stand, either way around: no register and no spilled word holds less of it.
    fn traces(&self, key: &Key) -> Vec<u64> {
        let mut traces = Vec::new();
        for piece in key.bytes.as_chunks::<8>().0 {
            let backwards: Vec<u8> = piece.iter().rev().copied().collect();
            for needle in [piece.as_slice(), &backwards] {
                let finder = Finder::new(needle);
                for (offset, run) in &self.0 {
                    let found = finder.find_iter(run).map(|at| u64::try_from(at).unwrap());
                    traces.extend(found.map(|at| offset + at));
                }
            }
        }
        traces
    }
}

/// What must not be found.
struct Key {
    name: &'static str,
    bytes: Vec<u8>,
}

impl Key {
    fn new(name: &'static str, bytes: &[u8]) -> Self {
        Self {
            name,
            bytes: bytes.to_vec(),
        }
    }
}

/// A host that looks into the enclave whenever the guest writes, and once more when everything is over.
struct Watcher {
    honest: Box<dyn Services>,
    audit: Arc<Audit>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    in_use: Option<Snapshot>,
    at_the_end: Option<Snapshot>,
}

impl Services for Watcher {
    fn serve(&mut self, header: &Header, payload: &mut [u8]) -> i64 {
        if header.op == HostCall::ConsoleWrite as u32 {
            self.seen.lock().unwrap().in_use = Some(Snapshot::take(&self.audit));
        }
        self.honest.serve(header, payload)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.seen.lock().unwrap().at_the_end = Some(Snapshot::take(&self.audit));
    }
}

/// One launch that seals, attests, and serves with a certificate.
struct Launched {
    seen: Seen,
    keys: Vec<Key>,
}

fn document(runtime: &Runtime, module: &Module) -> Vec<u8> {
    let launch = Launch::new(runtime, module).volume("/", "anywhere");
    let mut draft = (*launch.document().unwrap()).clone();
    draft.tls = Some(Tls {
        folder: FOLDER.into(),
        names: Vec::new(),
    });
    for mount in &mut draft.mounts {
        if let MountKind::Volume(policy) = &mut mount.kind {
            policy.create = true;
            policy.key = KeySource::Sealed {
                bound_to: Binding::Document,
                runtime: RuntimeBinding::Image,
            };
        }
    }
    LaunchDocument::new(draft).unwrap().to_toml().into_bytes()
}

/// Runs the guest on a volume, which is made if it is not there yet.
fn launch(volume: &Path) -> Launched {
    let audit = Arc::new(Audit::default());
    let directories = Directories::below(&home());
    let emulator = Emulator::new(EmulatorConfig {
        secret: directories.state().unwrap().join("emulator"),
        audit: Some(Arc::clone(&audit)),
        ..EmulatorConfig::default()
    });
    let runtime = Runtime::builder()
        .with_backend(Box::new(emulator.unwrap()))
        .directories(directories)
        .build()
        .unwrap();
    let module = module(GUEST);
    let document = document(&runtime, &module);
    let seen = Arc::new(Mutex::new(Seen::default()));
    let (output, errors) = (Capture::default(), Capture::default());
    let watching = {
        let (audit, seen) = (Arc::clone(&audit), Arc::clone(&seen));
        Box::new(|honest| -> Box<dyn Services> {
            Box::new(Watcher {
                honest,
                audit,
                seen,
            })
        })
    };
    let outcome = Launch::from_document(&runtime, &module, &document)
        .unwrap()
        .args([FOLDER, "key.pem"])
        .volume("/", volume)
        .stdout(&output)
        .stderr(&errors)
        .services(watching)
        .run();
    let errors = errors.take();
    let ended = matches!(outcome, Ok(Outcome::Exited { code: 0 }));
    assert!(ended, "{outcome:?}: {}", text(&errors));

    let pem = output.take();
    let private: SecretKey = text(&pem).parse().unwrap();
    let shown = text(&pem);
    let body: String = shown.lines().skip(1).collect();
    // The private key's own 32 bytes follow 36 that are the same for all.
    let body = &body[48..88];
    let given = audit.keys();
    let mut keys = vec![
        Key::new("the certificate's private key", &private.to_bytes()),
        Key::new("the certificate's private key as text", body.as_bytes()),
    ];
    keys.extend(
        given
            .iter()
            .map(|key| Key::new("a key of the processor", key)),
    );
    let [secret, volume_key] = volume_keys(volume, &given);
    keys.push(Key::new("the slot's secret", &secret));
    keys.push(Key::new("the volume's key", &volume_key));
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    Launched { seen, keys }
}

/// The secret of the volume's sealed slot and the volume's key, as `docs/format.md`, section 8, tells it.
fn volume_keys(volume: &Path, given: &[[u8; 16]]) -> [[u8; 32]; 2] {
    let volume = fs::read(volume).unwrap();
    let area = &volume[2 * 4096..6 * 4096];
    let (header, slot) = (&area[..512], &area[512..1024]);
    assert_eq!(&header[..8], b"TWINEKEY");
    let parameters = &slot[128..128 + usize::from(slot[2]) + (usize::from(slot[3]) << 8)];
    // The first key tells the place; the next two are the slot's.
    let [_, first, second] = given else {
        panic!("{} keys for one slot", given.len());
    };
    let secret: [u8; 32] = expand(
        parameters,
        &[*first, *second].concat(),
        &[b"twine volume slot 2"],
    );
    let info = [b"twine-fs v1 slot", &header[24..40], &slot[..2]];
    let wrapping: [u8; 64] = expand(&slot[8..40], &secret, &info);
    let (key, check) = wrapping.split_at(32);
    assert_eq!(check, &slot[40..72]);
    let mut volume_key: [u8; 32] = slot[88..120].try_into().unwrap();
    let tag: [u8; 16] = slot[72..88].try_into().unwrap();
    Aes256Gcm::new_from_slice(key)
        .unwrap()
        .decrypt_inout_detached(
            &[0; 12].into(),
            &[&slot[..72], parameters].concat(),
            volume_key.as_mut_slice().into(),
            &tag.into(),
        )
        .unwrap();
    [secret, volume_key]
}

fn expand<const N: usize>(salt: &[u8], input: &[u8], info: &[&[u8]]) -> [u8; N] {
    let mut key = [0; N];
    Hkdf::<Sha256>::new(Some(salt), input)
        .expand_multi_info(info, &mut key)
        .unwrap();
    key
}

#[test]
fn no_key_is_left_in_an_enclave_whose_guest_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let volume = folder.path().join("volume");
    for round in ["makes its volume", "opens its volume"] {
        let Launched { seen, keys } = launch(&volume);
        let (in_use, at_the_end) = (seen.in_use.unwrap(), seen.at_the_end.unwrap());
        for name in ["the certificate's private key as text", "the volume's key"] {
            let key = keys.iter().find(|key| key.name == name).unwrap();
            assert!(!in_use.traces(key).is_empty(), "{round}: {name}");
        }
        let left: Vec<_> = keys
            .iter()
            .map(|key| (key.name, at_the_end.traces(key)))
            .filter(|(_, traces)| !traces.is_empty())
            .collect();
        assert!(
            left.is_empty(),
            "{round}: left at these offsets: {left:#x?}"
        );
    }
}
