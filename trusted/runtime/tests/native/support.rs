//! What every test here needs: a world that can be inspected and made hostile, and a way from WAT to an outcome.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failing set-up is a failing test, wherever the helper stands"
)]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{Signature, SigningKey};
use sha2::{Digest as _, Sha256, Sha512};
use twine_abi::exchange::{Clock, interest};
use twine_abi::profile::{self, CompilerFlag};
use twine_fs::{HostPlatform, MemoryStore, Options, Suite, Volume, VolumeKey};
use twine_launch::{
    Application, Diagnostics, Digest, Draft, LaunchDocument, ModuleIdentity, Owner, VerifyingKey,
};
use twine_runtime::files::{FileSystem, ProtectedFiles, Tmpfs, TmpfsLimits};
use twine_runtime::{Fault, Identity, Mount, Outcome, Platform, Request, Sink, launch_with};

/// What a test sees of the world and decides about it.
#[derive(Debug, Default)]
pub(crate) struct World {
    /// What came out, in order.
    pub(crate) written: Vec<(Sink, Vec<u8>)>,
    /// What there is to be read; each entry is one answer.
    pub(crate) input: VecDeque<Vec<u8>>,
    /// What the clocks show, in order; the last one stays.
    pub(crate) clocks: VecDeque<u64>,
    /// Every wait that was asked for: timeout and interests.
    pub(crate) waits: Vec<(u64, u64)>,
    /// What is ready.
    pub(crate) ready: u64,
    /// Answers instead of the honest ones, used up in order.
    pub(crate) lies: VecDeque<Result<u64, Fault>>,
    /// How often the guest gave its turn away.
    pub(crate) yields: usize,
    /// Lengths of the pieces in which randomness was asked for.
    pub(crate) random: Vec<usize>,
    /// What was reported about files.
    pub(crate) troubles: Vec<String>,
}

impl World {
    /// All that went to `sink`, as text.
    pub(crate) fn text(&self, sink: Sink) -> String {
        let pieces = self.written.iter().filter(|(to, _)| *to == sink);
        let bytes: Vec<u8> = pieces.flat_map(|(_, bytes)| bytes.clone()).collect();
        String::from_utf8(bytes).unwrap()
    }

    fn time(&mut self) -> u64 {
        match self.clocks.len() {
            0 => 1_000_000_000,
            1 => self.clocks[0],
            _ => self.clocks.pop_front().unwrap(),
        }
    }
}

/// The world, as the runtime sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedWorld(pub Rc<RefCell<World>>);

impl Platform for SharedWorld {
    fn write(&mut self, sink: Sink, bytes: &[u8]) -> Result<usize, Fault> {
        let mut world = self.0.borrow_mut();
        let taken = match world.lies.pop_front() {
            Some(lie) => usize::try_from(lie?).unwrap(),
            None => bytes.len(),
        };
        let taken_bytes = bytes[..taken.min(bytes.len())].to_vec();
        world.written.push((sink, taken_bytes));
        Ok(taken)
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        let mut world = self.0.borrow_mut();
        if let Some(lie) = world.lies.pop_front() {
            return Ok(usize::try_from(lie?).unwrap());
        }
        let Some(mut bytes) = world.input.pop_front() else {
            return Ok(0);
        };
        let len = bytes.len().min(buffer.len());
        buffer[..len].copy_from_slice(&bytes[..len]);
        if len < bytes.len() {
            world.input.push_front(bytes.split_off(len));
        }
        Ok(len)
    }

    fn clock(&mut self, clock: Clock) -> Result<u64, Fault> {
        let mut world = self.0.borrow_mut();
        match (world.lies.pop_front(), clock) {
            (Some(lie), _) => lie,
            (None, Clock::Realtime) => Ok(NOW),
            (None, Clock::Monotonic) => Ok(world.time()),
        }
    }

    fn wait(&mut self, timeout: u64, interests: u64) -> Result<u64, Fault> {
        let mut world = self.0.borrow_mut();
        world.waits.push((timeout, interests));
        match world.lies.pop_front() {
            Some(lie) => lie,
            None => Ok(world.ready & interests & interest::ALL),
        }
    }

    fn yield_now(&mut self) -> Result<(), Fault> {
        self.0.borrow_mut().yields += 1;
        Ok(())
    }

    fn report(&mut self, trouble: &str) {
        self.0.borrow_mut().troubles.push(trouble.into());
    }

    fn random(&mut self, buffer: &mut [u8]) {
        self.0.borrow_mut().random.push(buffer.len());
        buffer.fill(0xa5);
    }
}

/// Compiles WAT as the host does: the shared profile, and the processor features it allows.
pub(crate) fn compile(module: impl AsRef<[u8]>) -> Vec<u8> {
    compile_with(module, |_| ())
}

/// The same with settings that are not the profile's.
pub(crate) fn compile_with(
    module: impl AsRef<[u8]>,
    spoil: impl FnOnce(&mut wasmtime::Config),
) -> Vec<u8> {
    let mut config = wasmtime::Config::new();
    twine_abi::apply_profile!(&mut config).unwrap();
    for feature in profile::CPU_FEATURES {
        enable(&mut config, feature.flag);
    }
    for CompilerFlag { flag, value } in profile::COMPILER_FLAGS {
        set(&mut config, flag, value);
    }
    spoil(&mut config);
    let engine = wasmtime::Engine::new(&config).unwrap();
    engine.precompile_module(module.as_ref()).unwrap()
}

#[expect(
    unsafe_code,
    reason = "the engine's way to name instruction-set extensions"
)]
pub(crate) fn enable(config: &mut wasmtime::Config, flag: &str) {
    // SAFETY:
    // - Code must not use what the processor lacks: it is run only if the runtime accepts it, which it does for the
    //   profile's extensions alone, and these every machine has that can run the tests.
    unsafe { config.cranelift_flag_enable(flag) };
}

#[expect(
    unsafe_code,
    reason = "the compiler's flags can break its output, so setting one is unsafe"
)]
fn set(config: &mut wasmtime::Config, flag: &str, value: &str) {
    // SAFETY:
    // - Code must stay what the engine expects: the flags are the profile's, and with them accesses are checked by
    //   branches instead of faults.
    unsafe { config.cranelift_flag_set(flag, value) };
}

/// Somebody who signs documents.
pub(crate) fn owner(byte: u8) -> SigningKey {
    SigningKey::from_slice(&[byte; 32]).unwrap()
}

/// A launch in the making: everything has a default, every test changes what it is about.
pub(crate) struct Launch {
    /// What the document will say.
    pub(crate) draft: Draft,
    /// What the host will pass beside the document.
    pub(crate) request: Request,
    /// Who signs the document, if it is to name an owner.
    pub(crate) owner: Option<SigningKey>,
    /// What is mounted.
    pub(crate) mounts: Vec<Mount>,
    /// The world outside.
    pub(crate) world: SharedWorld,
}

impl Launch {
    /// A launch of the module in `wat`, without limits to speak of.
    pub(crate) fn new(wat: &str) -> Self {
        Self::of(compile(wat))
    }

    /// A launch of a compiled module.
    pub(crate) fn of(module: Vec<u8>) -> Self {
        let application = Application {
            name: "guest".into(),
            version: 3,
        };
        let identity = ModuleIdentity {
            sha256: Digest(Sha256::digest(&module).into()),
            wasm_sha256: Digest([0; 32]),
            engine: profile::ENGINE.into(),
            confidential: false,
        };
        Self {
            draft: Draft {
                diagnostics: Diagnostics { backtraces: true },
                ..Draft::new(application, identity)
            },
            request: Request {
                module,
                ..Request::default()
            },
            owner: None,
            mounts: Vec::new(),
            world: SharedWorld::default(),
        }
    }

    /// Fills in the document and an identity that fits it.
    pub(crate) fn seal(mut self) -> (SharedWorld, Identity, Request) {
        if let Some(owner) = &self.owner {
            let key = owner.verifying_key().to_sec1_point(true);
            let key = VerifyingKey(key.as_bytes().try_into().unwrap());
            self.draft.owner = Some(Owner { key });
        }
        let document = LaunchDocument::new(self.draft).unwrap();
        self.request.document = document.to_toml().into_bytes();
        if let Some(owner) = &self.owner {
            let digest = Sha256::digest(&self.request.document);
            let signature: Signature = owner.sign_prehash(&digest).unwrap();
            self.request.signature = signature.to_bytes().to_vec();
        }
        let identity = Identity {
            config_id: Sha512::digest(&self.request.document).into(),
            config_svn: document.application.version,
            isv_svn: 1,
            cpu_svn: [0; 16],
        };
        (self.world, identity, self.request)
    }

    /// Runs the guest to its end.
    pub(crate) fn run(mut self) -> Outcome {
        let mounts = std::mem::take(&mut self.mounts);
        let (world, identity, request) = self.seal();
        launch_with(Box::new(world), &identity, request, |_, _| Ok(mounts)).outcome
    }
}

/// A file system of each kind, empty.
pub(crate) fn file_systems() -> Vec<(&'static str, Box<dyn FileSystem>)> {
    let limits = TmpfsLimits {
        bytes: 64 << 20,
        inodes: 10_000,
    };
    let tmpfs = Tmpfs::new(limits, Box::new(|| NOW));
    let volume = volume(0);
    vec![
        ("tmpfs", Box::new(tmpfs)),
        ("volume", Box::new(ProtectedFiles::new(volume))),
    ]
}

/// An empty volume in memory that may grow to so many bytes; 0 is no limit.
pub(crate) fn volume(capacity: u64) -> Volume {
    let (store, key) = (Box::new(MemoryStore::default()), volume_key());
    let options = Options {
        capacity,
        ..Options::default()
    };
    Volume::create(store, Box::new(Services), key, Suite::Aegis128L, options).unwrap()
}

/// The volume in a store.
pub(crate) fn open_volume(store: &Arc<MemoryStore>) -> Volume {
    let store = Box::new(Arc::clone(store));
    Volume::open(store, Box::new(Services), volume_key(), Options::default()).unwrap()
}

/// A store with an empty volume.
pub(crate) fn volume_store() -> Arc<MemoryStore> {
    let store = Arc::<MemoryStore>::default();
    let options = Options::default();
    let made = Box::new(Arc::clone(&store));
    Volume::create(
        made,
        Box::new(Services),
        volume_key(),
        Suite::Aegis128L,
        options,
    )
    .unwrap();
    store
}

fn volume_key() -> VolumeKey {
    VolumeKey::new([7; 32])
}

/// Randomness of the machine's, and always the same time.
pub(crate) struct Services;

impl twine_fs::Platform for Services {
    fn random(&self, bytes: &mut [u8]) -> twine_fs::Result<()> {
        twine_fs::Platform::random(&HostPlatform, bytes)
    }

    fn now(&self) -> u64 {
        NOW
    }
}

/// The time of day, in every test.
pub(crate) const NOW: u64 = 1_700_000_000_000_000_000;
