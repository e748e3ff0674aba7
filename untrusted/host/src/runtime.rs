//! What every launch of a process shares: the platform, the image with its certificates, and the module cache.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use twine_abi::sgx::Digest;

use crate::backend::device::{Device, Machine};
use crate::backend::emulator::{Emulator, EmulatorConfig};
use crate::backend::{Backend, BackendKind};
use crate::cache::Cache;
use crate::error::Error;
use crate::image::Image;
use crate::launch::create::Debugging;
use crate::module::Module;
use crate::sign::{Certificate, development};
use crate::state::Directories;

/// A platform and an image: everything a launch needs but the module. Make one and use it for every launch.
pub struct Runtime {
    backend: Arc<dyn Backend>,
    image: Image,
    signer: Signer,
    cache: Cache,
}

impl Runtime {
    /// The defaults: the bundled image, the device if it can be used and else the emulator, the user's cache.
    ///
    /// # Errors
    /// Those of [`RuntimeBuilder::build`].
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// Something else than the defaults.
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::default()
    }

    /// Loads the module in a file: Wasm, binary or text, or compiled earlier ([`Module::write`]).
    ///
    /// # Errors
    /// Those of [`Module::load`].
    pub fn load(&self, path: impl AsRef<Path>) -> Result<Module, Error> {
        Module::load(path.as_ref(), &self.cache)
    }

    /// Loads a module from bytes, under a name that is also the guest's first argument.
    ///
    /// # Errors
    /// Those of [`Module::from_bytes`].
    pub fn load_bytes(&self, name: &str, bytes: &[u8]) -> Result<Module, Error> {
        Module::from_bytes(name, bytes, &self.cache)
    }

    /// Which platform the enclaves run on.
    #[must_use]
    pub fn kind(&self) -> BackendKind {
        self.backend.kind()
    }

    /// The platform.
    #[must_use]
    pub fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    /// The enclave image.
    #[must_use]
    pub const fn image(&self) -> &Image {
        &self.image
    }

    /// MRENCLAVE: the identity of the runtime that every guest runs in.
    #[must_use]
    pub fn mrenclave(&self) -> Digest {
        self.image.mrenclave()
    }

    /// The certificate under which the image is launched.
    ///
    /// # Errors
    /// [`Error::Sign`] if the user's development key cannot be made, read or kept.
    pub fn certificate(&self, debugging: Debugging) -> Result<&Certificate, Error> {
        self.signer.certificate(&self.image, debugging)
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("backend", &self.backend.kind())
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}

/// Who signs the image.
enum Signer {
    /// The user's own key, as needed. The certificates are for production and for debugging.
    Development(Directories, Box<[OnceLock<Certificate>; 2]>),
    /// Somebody has signed it already.
    Given(Box<Certificate>),
}

impl Signer {
    fn certificate(&self, image: &Image, debugging: Debugging) -> Result<&Certificate, Error> {
        let (directories, certificates) = match self {
            Self::Given(certificate) => return Ok(certificate),
            Self::Development(directories, certificates) => (directories, certificates),
        };
        let [production, debug] = &**certificates;
        let place = match debugging {
            Debugging::Forbidden => production,
            Debugging::Allowed => debug,
        };
        if let Some(certificate) = place.get() {
            return Ok(certificate);
        }
        let certificate = development::certify(directories, image, debugging)?;
        Ok(place.get_or_init(|| certificate))
    }
}

/// Chooses what a [`Runtime`] is made of.
#[derive(Default)]
#[must_use = "a builder does nothing until `build`"]
pub struct RuntimeBuilder {
    choice: BackendChoice,
    backend: Option<Arc<dyn Backend>>,
    image: Option<Image>,
    certificate: Option<Certificate>,
    directories: Option<Directories>,
    cache: Option<Cache>,
}

/// Which platform to use.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum BackendChoice {
    /// The device if it can be used, else the emulator.
    #[default]
    Auto,
    /// SGX in software. It protects nothing.
    Emulator,
    /// The processor's SGX.
    Device,
}

impl RuntimeBuilder {
    /// Chooses the platform.
    pub fn backend(mut self, choice: BackendChoice) -> Self {
        self.choice = choice;
        self
    }

    /// Uses this platform, whatever [`RuntimeBuilder::backend`] says: an emulator with settings of its own, or a model
    /// of one.
    pub fn with_backend(mut self, backend: Box<dyn Backend>) -> Self {
        self.backend = Some(Arc::from(backend));
        self
    }

    /// Uses the platform of another runtime: enclaves of both can then talk to each other.
    pub fn beside(mut self, other: &Runtime) -> Self {
        self.backend = Some(Arc::clone(&other.backend));
        self
    }

    /// Uses another image than the bundled one.
    pub fn image(mut self, image: Image) -> Self {
        self.image = Some(image);
        self
    }

    /// Launches under this certificate instead of one by the user's development key.
    pub fn certificate(mut self, certificate: Certificate) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// Keeps the development key, the emulator's secret and the cache here instead of in the user's directories.
    pub fn directories(mut self, directories: Directories) -> Self {
        self.directories = Some(directories);
        self
    }

    /// Uses this cache of compiled modules.
    pub fn cache(mut self, cache: Cache) -> Self {
        self.cache = Some(cache);
        self
    }

    /// Makes the runtime.
    ///
    /// # Errors
    /// [`Error::BackendUnavailable`] if the platform that was asked for cannot be used; [`Error::State`] if there is no
    /// place for the user's files; [`Error::NoImage`] if no image was given and none is bundled; [`Error::Sign`] if the
    /// certificate is about another image.
    pub fn build(self) -> Result<Runtime, Error> {
        let directories = match self.directories {
            Some(directories) => directories,
            None => Directories::of_user()?,
        };
        let image = match self.image {
            Some(image) => image,
            None => bundled_image()?,
        };
        if let Some(certificate) = &self.certificate {
            certificate.check_image(&image)?;
        }
        let backend = match self.backend {
            Some(backend) => backend,
            None => choose(self.choice, &directories)?,
        };
        Ok(Runtime {
            backend,
            image,
            cache: self.cache.unwrap_or_else(|| Cache::of(&directories)),
            signer: match self.certificate {
                Some(certificate) => Signer::Given(Box::new(certificate)),
                None => Signer::Development(directories, Box::default()),
            },
        })
    }
}

/// The platform that was asked for; by itself, the device only if nothing is missing.
fn choose(choice: BackendChoice, directories: &Directories) -> Result<Arc<dyn Backend>, Error> {
    let missing = match choice {
        BackendChoice::Emulator => return emulator(directories),
        BackendChoice::Auto | BackendChoice::Device => Machine::detect().first_missing(),
    };
    match (missing, choice) {
        (None, _) => Ok(Arc::new(Device::new()?)),
        (Some(_), BackendChoice::Auto) => emulator(directories),
        (Some(missing), _) => Err(Error::BackendUnavailable(format!(
            "this machine cannot run enclaves on the device; it lacks: {}. To have it: {}. \
             Or use the emulator (no protection); `twine doctor` tells more",
            missing.name, missing.remedy
        ))),
    }
}

fn emulator(directories: &Directories) -> Result<Arc<dyn Backend>, Error> {
    Ok(Arc::new(Emulator::new(EmulatorConfig {
        secret: directories.emulator_secret()?,
        ..EmulatorConfig::default()
    })?))
}

#[cfg(feature = "bundled-image")]
fn bundled_image() -> Result<Image, Error> {
    Ok(Image::bundled()?)
}

#[cfg(not(feature = "bundled-image"))]
fn bundled_image() -> Result<Image, Error> {
    Err(Error::NoImage)
}
