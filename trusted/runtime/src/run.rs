//! One launch: from the host's request to the outcome.
//!
//! ```text
//!   verify document ─► verify module ─► engine ─► load ─► link ─► instantiate ─► _start ─► outcome
//!   └──── nothing of the module has been interpreted ───┘
//! ```

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;

use twine_abi::exchange::launch_flag;
use twine_abi::outcome::Kind;
use twine_launch::LaunchDocument;
use wasmtime::{
    Engine, ExternType, InstancePre, Linker, Module, Store, Trap, TypedFunc, WasmBacktrace,
};

use crate::attestation::Subject;
use crate::clocks::Clocks;
use crate::descriptors::{Descriptors, Entry, OpenDirectory, Origin, Resource};
use crate::error::Error;
use crate::files::{Mount, Mounts};
use crate::halt::Halt;
use crate::identity::{self, Identity, VerifiedModule};
use crate::limiter::Limiter;
use crate::limits::{BACKTRACE_FRAMES_MAX, MISSING_IMPORTS_MAX};
use crate::outcome::Outcome;
use crate::platform::Platform;
use crate::state::State;
use crate::volume::VolumeKeys;
use crate::{
    attestation, engine, guest_calls, migration, mounting, null_call, provisioning, tls, wasi,
};

/// What the host asks to be launched, already copied into the enclave.
#[derive(Debug, Default)]
pub struct Request {
    /// The launch document.
    pub document: Vec<u8>,
    /// The compiled module.
    pub module: Vec<u8>,
    /// The caller's arguments, each ended by a zero byte.
    pub arguments: Vec<u8>,
    /// The caller's environment, `NAME=value` each ended by a zero byte.
    pub environment: Vec<u8>,
    /// The owner's signature of the document, or nothing.
    pub signature: Vec<u8>,
    /// What comes with a task: a verifier's nonce, what another enclave said, or nothing.
    pub message: Vec<u8>,
    /// [`twine_abi::exchange::launch_flag`]s; bits without a meaning are ignored.
    pub flags: u64,
}

/// A finished launch.
#[derive(Debug)]
#[must_use]
pub struct Launched {
    /// How it ended.
    pub outcome: Outcome,
    /// What is left of it.
    pub remains: Remains,
}

/// The guest's memory, tables and code after its end. Dropping it gives everything back, page by page; an enclave
/// that never runs a second guest saves the time with [`core::mem::forget`].
#[derive(Default)]
pub struct Remains(Option<Store<State>>);

impl core::fmt::Debug for Remains {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Remains").field(&self.0.is_some()).finish()
    }
}

/// Checks that everything in `request` is what the enclave with this `identity` was created for, and runs the guest to
/// its end, or does the task of [`launch_flag::TASKS`] that is asked for instead.
pub fn launch(platform: Box<dyn Platform>, identity: &Identity, request: Request) -> Launched {
    launch_mounted(platform, identity, request, |platform, document, keys| {
        mounting::mount(platform, identity, document, keys)
    })
}

/// As [`launch`], with the mounts that `mount` makes, once everything else has been checked. They are closed when this
/// returns.
pub fn launch_with(
    platform: Box<dyn Platform>,
    identity: &Identity,
    request: Request,
    mount: impl FnOnce(&mut dyn Platform, &LaunchDocument) -> Result<Vec<Mount>, Error>,
) -> Launched {
    launch_mounted(platform, identity, request, |platform, document, _| {
        mount(platform, document)
    })
}

fn launch_mounted(
    platform: Box<dyn Platform>,
    identity: &Identity,
    request: Request,
    mount: impl FnOnce(&mut dyn Platform, &LaunchDocument, &VolumeKeys) -> Result<Vec<Mount>, Error>,
) -> Launched {
    if request.flags & launch_flag::TASKS != 0 {
        let mut platform = platform;
        return Launched {
            outcome: perform(&mut *platform, identity, &request)
                .map_or_else(Outcome::from, |()| Outcome::exited(0)),
            remains: Remains::default(),
        };
    }
    #[cfg(feature = "spectest")]
    if crate::spectest::Script::is_meant(&request.module) {
        return crate::spectest::launch(platform, identity, &request);
    }
    prepare(platform, identity, request, mount).map_or_else(
        |error| Launched {
            outcome: error.into(),
            remains: Remains::default(),
        },
        Guest::run,
    )
}

/// Does what is asked for in place of running the guest.
fn perform(
    platform: &mut dyn Platform,
    identity: &Identity,
    request: &Request,
) -> Result<(), Error> {
    let document = identity.verify(&request.document, &request.signature)?;
    let program = (identity, &document);
    let message = &request.message;
    match request.flags & launch_flag::TASKS {
        launch_flag::ATTEST => attestation::attest(platform, program, message),
        launch_flag::OFFER => migration::offer(platform, program, message),
        launch_flag::HAND_OVER => migration::hand_over(platform, program, message),
        launch_flag::TAKE_OVER => migration::take_over(platform, program, message),
        _ => Err(Error::Tasks),
    }
}

/// A guest that is ready to run: everything has been checked that can be before its first instruction.
struct Guest {
    store: Store<State>,
    program: InstancePre<State>,
}

fn prepare(
    mut platform: Box<dyn Platform>,
    identity: &Identity,
    request: Request,
    mount: impl FnOnce(&mut dyn Platform, &LaunchDocument, &VolumeKeys) -> Result<Vec<Mount>, Error>,
) -> Result<Guest, Error> {
    let document = identity.verify(&request.document, &request.signature)?;
    let arguments = identity::arguments(&document.arguments, &request.arguments)?;
    let mut environment = identity::environment(&document.environment, &request.environment)?;
    let engine = engine::engine(&document)?;
    let passed = passed_module(&engine, &document, request.module)?;
    let (provisioned, brought) =
        provisioning::provision(&mut *platform, identity, &document, |bytes| {
            load(&engine, &document, bytes)
        })?;
    let Some(module) = passed.or(brought) else {
        unreachable!("a confidential module was brought, or the bundle was refused");
    };
    environment.extend(provisioned.variables);
    let state = State {
        platform,
        subject: Subject::new(identity, document.module.sha256.0),
        clocks: Clocks::default(),
        descriptors: descriptors(&document, request.flags)?,
        mounts: Mounts::default(),
        arguments,
        environment,
        limiter: Limiter::new(&document.limits),
        memory: None,
    };
    let mut store = Store::new(&engine, state);
    store.limiter(|state| &mut state.limiter);
    let program = link(&mut store, &module)?;
    let state = store.data_mut();
    let certificate = tls::mount(&mut *state.platform, identity, &document)?;
    // Last: what is mounted has to be closed again, and only a guest that runs comes to an end.
    let mut mounts = mount(&mut *state.platform, &document, &provisioned.volume_keys)?;
    mounts.extend(provisioned.secrets);
    mounts.extend(certificate);
    state.mounts = Mounts::new(mounts).map_err(Error::Mounts)?;
    open_mounts(&mut state.descriptors, &mut state.mounts)?;
    Ok(Guest { store, program })
}

/// Opens the directories that the guest finds.
pub(crate) fn open_mounts(descriptors: &mut Descriptors, mounts: &mut Mounts) -> Result<(), Error> {
    let roots = mounts
        .hold_roots()
        .map_err(|error| Error::Mounts(format!("{error:?}")))?;
    for file in roots {
        let origin = Origin::Mount;
        let entry = Entry {
            resource: Resource::Directory(OpenDirectory { file, origin }),
            rights: wasi::mount_rights(),
            flags: 0,
        };
        descriptors.open(entry).map_err(|_| {
            Error::Limit("fewer descriptors are allowed than there are streams and mounts".into())
        })?;
    }
    Ok(())
}

/// The module that the host passed; none if it has to come from the provisioner.
// Takes the bytes by value: once the engine has its own copy, ours would only be in the guest's way.
fn passed_module(
    engine: &Engine,
    document: &LaunchDocument,
    bytes: Vec<u8>,
) -> Result<Option<Module>, Error> {
    match (document.module.confidential, &*bytes) {
        (true, []) => Ok(None),
        (true, _) => Err(Error::UnexpectedModule),
        (false, bytes) => load(engine, document, bytes).map(Some),
    }
}

fn load(engine: &Engine, document: &LaunchDocument, bytes: &[u8]) -> Result<Module, Error> {
    engine::load(engine, &VerifiedModule::verify(document, bytes)?)
}

fn descriptors(document: &LaunchDocument, flags: u64) -> Result<Descriptors, Error> {
    let limit = usize::try_from(document.limits.descriptors).unwrap_or(usize::MAX);
    Descriptors::new(limit, flags, wasi::stream_rights)
        .map_err(|_| Error::Limit("fewer descriptors are allowed than there are streams".into()))
}

fn link(store: &mut Store<State>, module: &Module) -> Result<InstancePre<State>, Error> {
    let unusable = |error: wasmtime::Error| Error::Unusable(format!("{error:#}"));
    let mut linker = Linker::new(store.engine());
    wasi::link(&mut linker).map_err(unusable)?;
    guest_calls::link(&mut linker).map_err(unusable)?;
    null_call::link(&mut linker).map_err(unusable)?;
    check_imports(&linker, store, module)?;
    check_entry_point(module)?;
    linker.instantiate_pre(module).map_err(unusable)
}

fn check_imports(
    linker: &Linker<State>,
    store: &mut Store<State>,
    module: &Module,
) -> Result<(), Error> {
    let missing: Vec<String> = module
        .imports()
        .filter(|import| {
            linker
                .get(&mut *store, import.module(), import.name())
                .is_err()
        })
        .map(|import| format!("{}.{}", import.module(), import.name()))
        .take(MISSING_IMPORTS_MAX)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if module
        .imports()
        .any(|import| import.module() == wasi::OLDER_MODULE)
    {
        return Err(Error::OlderWasi);
    }
    Err(Error::MissingImports(missing))
}

fn check_entry_point(module: &Module) -> Result<(), Error> {
    let refuse = |reason| Err(Error::NoEntryPoint(reason));
    match module.get_export(ENTRY_POINT) {
        Some(ExternType::Func(entry))
            if entry.params().len() == 0 && entry.results().len() == 0 =>
        {
            Ok(())
        }
        Some(_) => refuse("its export `_start` is not a function without parameters and results"),
        None if module.get_export(REACTOR_ENTRY_POINT).is_some() => {
            refuse("it is a reactor (it exports `_initialize`), to be called by another module")
        }
        None => refuse("it does not export `_start`"),
    }
}

impl Guest {
    fn run(mut self) -> Launched {
        let outcome = match self.start() {
            Ok(start) => match start.call(&mut self.store, ()) {
                Ok(()) => Outcome::exited(0),
                Err(error) => ended(&error),
            },
            Err(outcome) => outcome,
        };
        let state = self.store.data_mut();
        match outcome.kind {
            Kind::Exited => state.close_files(),
            _ => state.drop_files(),
        }
        Launched {
            outcome,
            remains: Remains(Some(self.store)),
        }
    }

    /// Instantiates the program, which runs its start function if it has one.
    fn start(&mut self) -> Result<TypedFunc<(), ()>, Outcome> {
        let instance = self.program.instantiate(&mut self.store).map_err(|error| {
            if error.is::<Trap>() || error.is::<Halt>() {
                ended(&error)
            } else {
                // Imports and their types have been checked, so all that is left is what the guest needs to exist.
                self.does_not_fit(&error).into()
            }
        })?;
        instance
            .get_typed_func(&mut self.store, ENTRY_POINT)
            .map_err(|error| Error::Unusable(format!("{error:#}")).into())
    }

    fn does_not_fit(&self, error: &wasmtime::Error) -> Error {
        Error::Limit(match self.store.data().limiter.refused() {
            Some(what) => format!("the module needs more than it may have to start: {what}"),
            None => format!("the enclave cannot hold what the module needs to start: {error:#}"),
        })
    }
}

/// How a guest ended that did not come back from its entry point.
fn ended(error: &wasmtime::Error) -> Outcome {
    match error.downcast_ref() {
        Some(Halt::Exit(code)) => Outcome::exited(*code),
        Some(Halt::Stopped) => Outcome::failed(Kind::Stopped, "the guest's time was up".into()),
        Some(Halt::Misbehaved(rule)) => Outcome::failed(
            Kind::HostMisbehaved,
            format!("the host broke the rules of a call: {rule}"),
        ),
        Some(Halt::NoMemory) | None => Outcome::failed(Kind::Trapped, trap_message(error)),
    }
}

/// The reason, then, if the engine was told to keep a backtrace, the circumstances and the backtrace: the innermost frame
/// first, one a line. Circumstances can be secret too: the address of a fault may come from what the guest computes on.
fn trap_message(error: &wasmtime::Error) -> String {
    let mut message = error.root_cause().to_string();
    if let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() {
        let result = write_circumstances(&mut message, error)
            .and_then(|()| write_frames(&mut message, backtrace));
        assert!(result.is_ok(), "writing to a string cannot fail");
    }
    message
}

/// What stands between the backtrace, which the engine puts outermost, and the reason at the root.
fn write_circumstances(out: &mut String, error: &wasmtime::Error) -> core::fmt::Result {
    let mut causes = error.chain().skip(1).peekable();
    while let Some(cause) = causes.next() {
        if causes.peek().is_some() {
            write!(out, " ({cause})")?;
        }
    }
    Ok(())
}

// The engine's own way of writing, without its heading. Names stay mangled: whoever shows them can demangle them, and
// the code for it need not be trusted.
fn write_frames(out: &mut String, backtrace: &WasmBacktrace) -> core::fmt::Result {
    out.push_str("\nwasm backtrace:");
    for (number, frame) in backtrace.frames().iter().enumerate() {
        write!(out, "\n  {number:>3}: ")?;
        if let Some(offset) = frame.module_offset() {
            write!(out, "{offset:#8x} - ")?;
        }
        let module = frame.module().name().unwrap_or("<unknown>");
        match frame.func_name() {
            Some(name) => write!(out, "{module}!{name}")?,
            None => write!(out, "{module}!<wasm function {}>", frame.func_index())?,
        }
    }
    if backtrace.frames().len() == BACKTRACE_FRAMES_MAX {
        write!(
            out,
            "\n  (no more than {BACKTRACE_FRAMES_MAX} frames are kept)"
        )?;
    }
    Ok(())
}

/// The function that WASI programs begin with.
const ENTRY_POINT: &str = "_start";

/// What reactors export instead.
const REACTOR_ENTRY_POINT: &str = "_initialize";
