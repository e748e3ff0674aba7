//! Modules that are ready to launch, and the file that a compiled one is kept in.
//!
//! ```text
//! offset  size  field
//!      0     8  magic        89 "TWASM" 1a 0a
//!      8     4  version      1
//!     12     4  reserved     zero
//!     16     8  native_len   length of the machine code
//!     24     8  reserved     zero
//!     32    32  engine       name of the engine profile it was compiled for, padded with zeros
//!     64    32  wasm         SHA-256 of the Wasm it was compiled from
//!     96    32  native       SHA-256 of the machine code
//!    128     …  machine code, in the engine's own format
//! ```
//!
//! Integers are little-endian. The hashes find accidents, not attacks: what keeps foreign machine code out of an
//! enclave is the launch document, which names the hash of the only code that may run.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use twine_abi::profile;
use twine_launch::limits::MODULE_LEN_BYTES_MAX;
use twine_launch::{Application, Arguments, Diagnostics, Digest, Draft, ModuleIdentity};

use crate::cache::Cache;
use crate::compile;
use crate::error::Error;
use crate::launch::buffer::SharedBuffer;

/// A compiled module. Clones share the code.
#[derive(Clone, Debug)]
pub struct Module {
    name: String,
    native: Arc<SharedBuffer>,
    sha256: Digest,
    wasm_sha256: Digest,
}

impl Module {
    /// Loads the module in a file: Wasm, binary or text, or compiled earlier ([`Module::write`]). Wasm is compiled, if
    /// the cache does not have it already.
    ///
    /// # Errors
    /// [`Error::File`] if the file cannot be read; [`Error::BadModule`] if it is no module, or a broken one;
    /// [`Error::NoCompiler`] if it is Wasm and this build cannot compile.
    pub fn load(path: &Path, cache: &Cache) -> Result<Self, Error> {
        let bytes = fs::read(path).map_err(|source| Error::File {
            path: path.to_owned(),
            source,
        })?;
        let name = path.file_stem().unwrap_or(path.as_os_str());
        let shown = path.display().to_string();
        compile::load(&name.to_string_lossy(), &shown, &bytes, cache)
    }

    /// The same from bytes.
    ///
    /// # Errors
    /// Those of [`Module::load`].
    pub fn from_bytes(name: &str, bytes: &[u8], cache: &Cache) -> Result<Self, Error> {
        compile::load(name, name, bytes, cache)
    }

    /// Its name: the file's name without directories and extension. Names the application in a generated launch
    /// document, and is the guest's first argument.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SHA-256 of the machine code: what the enclave checks.
    #[must_use]
    pub const fn sha256(&self) -> Digest {
        self.sha256
    }

    /// SHA-256 of the Wasm that it was compiled from.
    #[must_use]
    pub const fn wasm_sha256(&self) -> Digest {
        self.wasm_sha256
    }

    /// What a launch document says about it.
    #[must_use]
    pub fn identity(&self) -> ModuleIdentity {
        ModuleIdentity {
            sha256: self.sha256,
            wasm_sha256: self.wasm_sha256,
            engine: profile::ENGINE.into(),
            confidential: false,
        }
    }

    /// The launch document of a module about which nothing else is known: version 0, arguments from the caller, no
    /// environment, default limits, backtraces reported. Something to start from.
    #[must_use]
    pub fn draft(&self) -> Draft {
        let application = Application {
            name: self.name.clone(),
            version: 0,
        };
        Draft {
            arguments: Arguments::FromCaller,
            diagnostics: Diagnostics { backtraces: true },
            ..Draft::new(application, self.identity())
        }
    }

    /// The machine code, in the engine's own format: what a provisioner seals if it is confidential.
    #[must_use]
    pub fn machine_code(&self) -> &[u8] {
        self.native.bytes()
    }

    /// The machine code, where the enclave can copy it from.
    #[must_use]
    pub(crate) fn native(&self) -> &SharedBuffer {
        &self.native
    }

    /// Writes the module as a file that can be loaded without compiling.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, mut writer: impl Write) -> io::Result<()> {
        let native = self.native.bytes();
        writer.write_all(&MAGIC)?;
        writer.write_all(&VERSION.to_le_bytes())?;
        writer.write_all(&[0; 4])?;
        writer.write_all(&self.native.span().len.to_le_bytes())?;
        writer.write_all(&[0; 8])?;
        for field in [ENGINE, self.wasm_sha256.0, self.sha256.0] {
            writer.write_all(&field)?;
        }
        writer.write_all(native)?;
        writer.flush()
    }

    /// A module of freshly compiled code.
    #[cfg(any(test, feature = "compiler"))]
    pub(crate) fn compiled(name: String, wasm_sha256: Digest, native: &[u8]) -> Self {
        Self {
            name,
            native: Arc::new(SharedBuffer::copy_of(native)),
            sha256: sha256(native),
            wasm_sha256,
        }
    }

    /// Reads the file's form.
    pub(crate) fn parse(name: String, mut reader: impl Read) -> Result<Self, Flaw> {
        let mut head = [0; HEADER_LEN];
        reader.read_exact(&mut head).map_err(shortened)?;
        let head = Header::parse(&head)?;
        let native = SharedBuffer::read_exactly(&mut reader, head.native_len).map_err(shortened)?;
        if reader.read(&mut [0]).map_err(Flaw::Io)? != 0 {
            return Err(Flaw::Broken("it is longer than it says"));
        }
        if sha256(native.bytes()) != head.native {
            return Err(Flaw::Broken("its machine code is damaged"));
        }
        Ok(Self {
            name,
            native: Arc::new(native),
            sha256: head.native,
            wasm_sha256: head.wasm,
        })
    }
}

/// What is wrong with a compiled module's file.
#[derive(Debug)]
pub(crate) enum Flaw {
    Io(io::Error),
    Broken(&'static str),
}

impl Flaw {
    /// The error for whoever passed the module called `shown`.
    pub(crate) fn blame(self, shown: &str) -> Error {
        let reason = match self {
            Self::Io(source) => source.to_string(),
            Self::Broken(what) => {
                format!("not a usable compiled module: {what}; compile it again")
            }
        };
        Error::BadModule {
            name: shown.to_owned(),
            reason,
        }
    }
}

/// Whether a file that begins so is a compiled module.
pub(crate) fn is_compiled(start: &[u8]) -> bool {
    start.starts_with(&MAGIC)
}

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

struct Header {
    native_len: usize,
    wasm: Digest,
    native: Digest,
}

impl Header {
    fn parse(bytes: &[u8; HEADER_LEN]) -> Result<Self, Flaw> {
        let (fields, hashes) = bytes.split_at(HASHES_OFFSET);
        let (words, _) = fields.as_chunks::<8>();
        let (hashes, _) = hashes.as_chunks::<32>();
        let (&[magic, version, native_len, reserved], &[engine, wasm, native]) = (words, hashes)
        else {
            return Err(Flaw::Broken("its head is too short"));
        };
        if magic != MAGIC {
            return Err(Flaw::Broken("it begins with other bytes"));
        }
        if u64::from_le_bytes(version) != u64::from(VERSION) || reserved != [0; 8] {
            return Err(Flaw::Broken("its form is of another version"));
        }
        if engine != ENGINE {
            return Err(Flaw::Broken("it was compiled for another engine profile"));
        }
        let native_len = usize::try_from(u64::from_le_bytes(native_len))
            .ok()
            .filter(|len| *len <= MODULE_LEN_BYTES_MAX)
            .ok_or(Flaw::Broken("it says to be longer than a module can be"))?;
        Ok(Self {
            native_len,
            wasm: Digest(wasm),
            native: Digest(native),
        })
    }
}

fn shortened(error: io::Error) -> Flaw {
    match error.kind() {
        ErrorKind::UnexpectedEof => Flaw::Broken("it is cut short"),
        _ => Flaw::Io(error),
    }
}

const MAGIC: [u8; 8] = *b"\x89TWASM\x1a\n";
const VERSION: u32 = 1;
const HASHES_OFFSET: usize = 32;
const HEADER_LEN: usize = 128;

/// The engine's name as the file holds it: code for another one does not run.
const ENGINE: [u8; 32] = {
    let mut padded = [0; 32];
    let (name, _) = padded.split_at_mut(profile::ENGINE.len());
    name.copy_from_slice(profile::ENGINE.as_bytes());
    padded
};

const _: () = assert!(
    HEADER_LEN == HASHES_OFFSET + 3 * 32,
    "frozen: bump VERSION to change the form"
);

#[cfg(test)]
mod tests {
    use super::*;

    fn module() -> Module {
        Module::compiled("app".into(), Digest([7; 32]), b"machine code")
    }

    fn file() -> Vec<u8> {
        let mut bytes = Vec::new();
        module().write(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_file_gives_back_the_module_it_was_written_from() {
        let read = Module::parse("app".into(), &*file()).unwrap();
        assert_eq!(read.native().bytes(), b"machine code");
        assert_eq!(read.sha256(), module().sha256());
        assert_eq!(read.wasm_sha256(), module().wasm_sha256());
        assert!(is_compiled(&file()));
    }

    #[test]
    fn every_changed_byte_but_those_of_the_wasm_hash_is_noticed() {
        let file = file();
        for at in (0..file.len()).filter(|at| !(64..96).contains(at)) {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(
                matches!(Module::parse("app".into(), &*changed), Err(Flaw::Broken(_))),
                "byte {at}"
            );
        }
    }

    #[test]
    fn every_shorter_and_every_longer_file_is_refused() {
        let file = file();
        for len in 0..file.len() {
            let cut = Module::parse("app".into(), &file[..len]);
            assert!(matches!(cut, Err(Flaw::Broken(_))), "{len}");
        }
        let longer = [&*file, b"x"].concat();
        Module::parse("app".into(), &*longer).unwrap_err();
    }
}
