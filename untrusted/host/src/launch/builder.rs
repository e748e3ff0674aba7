//! One launch, as an embedder describes it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use twine_abi::sgx::Digest;
use twine_launch::{Arguments, Draft, LaunchDocument, Limits, ModuleIdentity};

use super::buffer::SharedBuffer;
use super::create::{Configuration, Debugging, create};
use super::mounts::Mounts;
use super::outcome::Outcome;
use super::profile::{Profile, Recorder};
use super::run::{Inputs, Outside, Streams, Wrap, run};
use crate::error::Error;
use crate::module::Module;
use crate::owner::DocumentSignature;
use crate::provision::Provisioner;
use crate::runtime::Runtime;
use crate::serve::{Input, Output, Services};

/// One launch of a module in an enclave of its own: what the guest is given, and where its output goes.
///
/// Without further settings the guest has no arguments but its name, no environment, no input, no time limit, and its
/// output is discarded. Its launch document is generated, or comes from the embedder ([`Launch::from_document`]); either
/// way the processor binds the enclave to it.
#[must_use = "nothing is launched until `run`"]
pub struct Launch<'a> {
    runtime: &'a Runtime,
    document: Document<'a>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    timeout: Option<Duration>,
    streams: Streams,
    mounts: Mounts,
    signature: Option<DocumentSignature>,
    provisioner: Option<Box<dyn Provisioner>>,
    debugging: Debugging,
    wrap: Option<Wrap>,
}

enum Document<'a> {
    Generated(&'a Module, Limits),
    /// Without a module if that is confidential.
    Given(Box<LaunchDocument>, Vec<u8>, Option<&'a Module>),
}

impl<'a> Launch<'a> {
    /// A launch whose document is generated: the module under its name, version 0, arguments and the environment from
    /// the caller, backtraces reported. The document, and with it the application's identity, depends on the module,
    /// the limits and the names of the variables; not on arguments, values or the timeout.
    pub fn new(runtime: &'a Runtime, module: &'a Module) -> Self {
        Self::with(runtime, Document::Generated(module, Limits::default()))
    }

    /// A launch with this document, byte for byte.
    ///
    /// # Errors
    /// [`Error::BadDocument`] if it is not valid; [`Error::OtherModule`] if it names another module;
    /// [`Error::ConfidentialModule`] if this host must not have it.
    pub fn from_document(
        runtime: &'a Runtime,
        module: &'a Module,
        document: &[u8],
    ) -> Result<Self, Error> {
        let parsed = LaunchDocument::parse(document)?;
        if parsed.module.confidential {
            return Err(Error::ConfidentialModule);
        }
        if parsed.module.sha256 != module.sha256() {
            return Err(Error::OtherModule {
                expected: Box::new(parsed.module.clone()),
                found: Box::new(module.identity()),
            });
        }
        let document = Document::Given(Box::new(parsed), document.to_owned(), Some(module));
        Ok(Self::with(runtime, document))
    }

    /// A launch with this document, byte for byte, whose confidential module comes from the provisioner: this host has
    /// neither Wasm nor machine code.
    ///
    /// # Errors
    /// [`Error::BadDocument`] if it is not valid; [`Error::ModuleNeeded`] if its module is not confidential.
    pub fn confidential(runtime: &'a Runtime, document: &[u8]) -> Result<Self, Error> {
        let parsed = LaunchDocument::parse(document)?;
        if !parsed.module.confidential {
            return Err(Error::ModuleNeeded);
        }
        let document = Document::Given(Box::new(parsed), document.to_owned(), None);
        Ok(Self::with(runtime, document))
    }

    fn with(runtime: &'a Runtime, document: Document<'a>) -> Self {
        Self {
            runtime,
            document,
            arguments: Vec::new(),
            environment: Vec::new(),
            timeout: None,
            streams: Streams::default(),
            mounts: Mounts::default(),
            signature: None,
            provisioner: None,
            debugging: Debugging::Forbidden,
            wrap: None,
        }
    }

    /// Adds an argument, behind the program's name, which is always the first.
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of the environment. Of two with the same name the later one counts.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        self.environment.retain(|(earlier, _)| *earlier != name);
        self.environment.push((name, value.into()));
        self
    }

    /// Limits what the guest may use. The enclave keeps these limits, except the time, which this host keeps.
    ///
    /// # Errors
    /// [`Error::FixedByDocument`] with [`Launch::from_document`].
    pub fn limits(mut self, limits: Limits) -> Result<Self, Error> {
        match &mut self.document {
            Document::Generated(_, current) => *current = limits,
            Document::Given(..) => return Err(Error::FixedByDocument("limits")),
        }
        Ok(self)
    }

    /// Stops the guest after this time, counted from when the enclave starts to load it. A shorter time in the launch
    /// document comes first.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Where standard input comes from.
    pub fn stdin(mut self, input: impl Into<Input>) -> Self {
        self.streams.input = input.into();
        self
    }

    /// Where standard output goes.
    pub fn stdout(mut self, output: impl Into<Output>) -> Self {
        self.streams.output = output.into();
        self
    }

    /// Where standard error goes.
    pub fn stderr(mut self, output: impl Into<Output>) -> Self {
        self.streams.error = output.into();
        self
    }

    /// Gives the guest this process's own standard streams.
    pub fn inherit_stdio(self) -> Self {
        self.stdin(Input::Inherit)
            .stdout(Output::Inherit)
            .stderr(Output::Inherit)
    }

    /// Puts the file of a protected volume behind the mount at `guest`. A generated document mounts it there, with its key
    /// bound to the module and to the runtimes of this signer ([`twine_launch::Binding`]).
    pub fn volume(mut self, guest: impl Into<String>, file: impl Into<PathBuf>) -> Self {
        self.mounts.volume(guest.into(), file.into());
        self
    }

    /// Puts a directory of this host, **unprotected**, behind the mount at `guest`; a generated document mounts it there.
    /// The guest sees what is in it and nothing outside.
    pub fn host_directory(
        mut self,
        guest: impl Into<String>,
        directory: impl Into<PathBuf>,
    ) -> Self {
        self.mounts.host_directory(guest.into(), directory.into());
        self
    }

    /// Makes the volumes named so far that are not there yet.
    ///
    /// # Errors
    /// [`Error::FixedByDocument`] with [`Launch::from_document`].
    pub fn create_volumes(mut self) -> Result<Self, Error> {
        self.generates("making of volumes")?;
        self.mounts.create_volumes();
        Ok(self)
    }

    /// Mounts a file system in the enclave's memory at `guest`, of at most `size_bytes` bytes.
    ///
    /// # Errors
    /// [`Error::FixedByDocument`] with [`Launch::from_document`].
    pub fn tmpfs(mut self, guest: impl Into<String>, size_bytes: u64) -> Result<Self, Error> {
        self.generates("mounts")?;
        self.mounts.tmpfs(guest.into(), size_bytes);
        Ok(self)
    }

    /// Lets the guest only read what is mounted at `guest`.
    ///
    /// # Errors
    /// [`Error::FixedByDocument`] with [`Launch::from_document`]; [`Error::NoSuchMount`] if nothing is mounted there yet.
    pub fn read_only(mut self, guest: &str) -> Result<Self, Error> {
        self.generates("mounts")?;
        match self.mounts.read_only(guest) {
            Some(()) => Ok(self),
            None => Err(Error::NoSuchMount {
                guest: guest.to_owned(),
                kind: "file system",
            }),
        }
    }

    const fn generates(&self, what: &'static str) -> Result<(), Error> {
        match self.document {
            Document::Generated(..) => Ok(()),
            Document::Given(..) => Err(Error::FixedByDocument(what)),
        }
    }

    /// The owner's signature of the launch document, for the enclave to check. It is needed if the document names an owner.
    pub const fn signature(mut self, signature: DocumentSignature) -> Self {
        self.signature = Some(signature);
        self
    }

    /// Who answers the enclave's request if the launch document asks for a provisioner.
    pub fn provisioner(mut self, provisioner: impl Provisioner + 'static) -> Self {
        self.provisioner = Some(Box::new(provisioner));
        self
    }

    /// Lets debuggers into the enclave. It protects nothing then, and everybody who verifies it can see that.
    pub fn debuggable(mut self) -> Self {
        self.debugging = Debugging::Allowed;
        self
    }

    /// Puts another host in front of the honest one: for tests that play a hostile operating system.
    #[doc(hidden)]
    pub fn services(
        mut self,
        wrap: impl FnOnce(Box<dyn Services>) -> Box<dyn Services> + 'static,
    ) -> Self {
        self.wrap = Some(Box::new(wrap));
        self
    }

    /// The launch document.
    ///
    /// # Errors
    /// [`Error::BadDocument`] if one is to be generated and limits or names of variables break its rules.
    pub fn document(&self) -> Result<LaunchDocument, Error> {
        match &self.document {
            Document::Given(parsed, ..) => Ok(LaunchDocument::clone(parsed)),
            Document::Generated(module, limits) => {
                Ok(LaunchDocument::new(self.draft(module, *limits))?)
            }
        }
    }

    /// The launch document's bytes: what is hashed.
    ///
    /// # Errors
    /// Those of [`Launch::document`].
    pub fn document_bytes(&self) -> Result<Vec<u8>, Error> {
        match &self.document {
            Document::Given(_, bytes, _) => Ok(bytes.clone()),
            Document::Generated(..) => Ok(self.document()?.to_toml().into_bytes()),
        }
    }

    /// Who this is, as reports and quotes will show it.
    ///
    /// # Errors
    /// Those of [`Launch::document`] and of [`Runtime::certificate`].
    pub fn identity(&self) -> Result<Identity, Error> {
        let document = self.document()?;
        let svn = document.application.version;
        let bytes = self.document_bytes()?;
        Ok(Identity {
            mrenclave: self.runtime.mrenclave(),
            mrsigner: self.runtime.certificate(self.debugging)?.mrsigner(),
            configuration: Configuration::of(&bytes, svn, self.debugging),
            module: document.module.clone(),
        })
    }

    /// Launches the module and waits for its outcome.
    ///
    /// # Errors
    /// Every [`Error`] but those of loading a module.
    pub fn run(self) -> Result<Outcome, Error> {
        self.run_recorded(None)
    }

    /// Launches the module and records where it spends its time, until it ends in whatever way: see
    /// [`profile`](super::profile).
    ///
    /// # Errors
    /// Those of [`Launch::run`]; [`Error::NotForProfiling`] if the launch is not [debuggable](Launch::debuggable), or the
    /// module confidential.
    pub fn run_profiled(self) -> Result<(Outcome, Profile), Error> {
        let module = self
            .module()
            .filter(|_| self.debugging == Debugging::Allowed);
        let module = module.ok_or(Error::NotForProfiling)?;
        let recorder = Recorder::new(module.native().bytes())?;
        let outcome = self.run_recorded(Some(recorder.clone()))?;
        Ok((outcome, recorder.profile()))
    }

    fn run_recorded(self, recorder: Option<Recorder>) -> Result<Outcome, Error> {
        let document = self.document()?;
        let bytes = self.document_bytes()?;
        let backings = self.mounts.open(&document)?;
        let configuration = Configuration::of(&bytes, document.application.version, self.debugging);
        let enclave = create(
            self.runtime.backend(),
            self.runtime.image(),
            self.runtime.certificate(self.debugging)?.sigstruct(),
            &configuration,
        )?;
        let none = SharedBuffer::zeroed(0);
        let module = self.module().map_or(&none, Module::native);
        let arguments = arguments(&document, self.arguments);
        let inputs = Inputs {
            document: &SharedBuffer::copy_of(&bytes),
            signature: self.signature,
            module,
            arguments: &arguments,
            environment: &self.environment,
        };
        let in_document = document.limits.timeout_ms.map(Duration::from_millis);
        let timeout = self.timeout.into_iter().chain(in_document).min();
        let outside = Outside {
            streams: self.streams,
            backings,
            provisioner: self.provisioner,
            quotes: Some(self.runtime.backend().quotes()),
            recorder,
        };
        run(&enclave, inputs, outside, timeout, self.wrap)
    }

    /// The module, unless it is confidential.
    const fn module(&self) -> Option<&'a Module> {
        match self.document {
            Document::Generated(module, _) => Some(module),
            Document::Given(_, _, module) => module,
        }
    }

    fn draft(&self, module: &Module, limits: Limits) -> Draft {
        let mut draft = module.draft();
        let names = self.environment.iter().map(|(name, _)| name.clone());
        draft.environment.from_caller = names.collect();
        draft.limits = limits;
        draft.mounts = self.mounts.generated().to_vec();
        draft
    }
}

/// What the enclave is told: nothing where the document fixes the arguments, unless the caller insists; then it is the
/// enclave's to refuse.
fn arguments(document: &LaunchDocument, given: Vec<String>) -> Vec<String> {
    if document.arguments != Arguments::FromCaller && given.is_empty() {
        return Vec::new();
    }
    let name = document.application.name.clone();
    std::iter::once(name).chain(given).collect()
}

/// What identifies a launch to whoever verifies it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// MRENCLAVE: the runtime, the same for every application.
    pub mrenclave: Digest,
    /// MRSIGNER: the key that signed the runtime.
    pub mrsigner: Digest,
    /// CONFIGID and CONFIGSVN: the application.
    pub configuration: Configuration,
    /// The module that the application's launch document names.
    pub module: ModuleIdentity,
}

impl fmt::Debug for Launch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Launch")
            .field("module", &self.module())
            .field("arguments", &self.arguments)
            .field("timeout", &self.timeout)
            .field("streams", &self.streams)
            .finish_non_exhaustive()
    }
}
