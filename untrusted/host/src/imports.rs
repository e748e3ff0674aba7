//! What a module imports, and what of it exists here: known before it is compiled or launched.

use std::borrow::Cow;

use wasmparser::{Parser, Payload};

use crate::error::Error;
use crate::module::is_compiled;

/// What a module imports.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Imports {
    /// Modules and names that the runtime does not have.
    pub missing: Vec<(String, String)>,
    /// Whether anything comes from the snapshot of WASI before preview 1.
    pub older_wasi: bool,
    /// Whether files can be opened.
    pub files: bool,
    /// Whether evidence is asked for.
    pub evidence: bool,
    /// Whether sockets are used. The calls exist, and answer that nothing is one.
    pub sockets: bool,
}

impl Imports {
    /// Reads the imports of Wasm, binary or text; `None` if the module is compiled and does not tell any more. `shown` is
    /// what messages call it.
    ///
    /// # Errors
    /// [`Error::BadModule`].
    pub fn of(shown: &str, bytes: &[u8]) -> Result<Option<Self>, Error> {
        if is_compiled(bytes) {
            return Ok(None);
        }
        let bad = |reason: String| Error::BadModule {
            name: shown.to_owned(),
            reason,
        };
        let wasm: Cow<'_, [u8]> =
            wat::parse_bytes(bytes).map_err(|error| bad(error.to_string()))?;
        let imports = Self::of_wasm(&wasm).map_err(|error| bad(error.to_string()))?;
        Ok(Some(imports))
    }

    fn of_wasm(wasm: &[u8]) -> wasmparser::Result<Self> {
        let mut found = Self::default();
        for payload in Parser::new(0).parse_all(wasm) {
            if let Payload::ImportSection(imports) = payload? {
                for import in imports.into_imports() {
                    let import = import?;
                    found.see(import.module, import.name);
                }
            }
        }
        Ok(found)
    }

    fn see(&mut self, module: &str, name: &str) {
        match module {
            "wasi_snapshot_preview1" if WASI.contains(&name) => {
                self.files |= name == "path_open";
                self.sockets |= name.starts_with("sock_");
            }
            "twine" if TWINE.contains(&name) => self.evidence = true,
            _ => {
                self.older_wasi |= module == "wasi_unstable";
                self.missing.push((module.to_owned(), name.to_owned()));
            }
        }
    }
}

/// Functions of WASI preview 1.
const WASI: [&str; 46] = [
    "args_get",
    "args_sizes_get",
    "clock_res_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_advise",
    "fd_allocate",
    "fd_close",
    "fd_datasync",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
    "fd_fdstat_set_rights",
    "fd_filestat_get",
    "fd_filestat_set_size",
    "fd_filestat_set_times",
    "fd_pread",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_pwrite",
    "fd_read",
    "fd_readdir",
    "fd_renumber",
    "fd_seek",
    "fd_sync",
    "fd_tell",
    "fd_write",
    "path_create_directory",
    "path_filestat_get",
    "path_filestat_set_times",
    "path_link",
    "path_open",
    "path_readlink",
    "path_remove_directory",
    "path_rename",
    "path_symlink",
    "path_unlink_file",
    "poll_oneoff",
    "proc_exit",
    "proc_raise",
    "random_get",
    "sched_yield",
    "sock_accept",
    "sock_recv",
    "sock_send",
    "sock_shutdown",
];

/// Functions of the runtime's own module, for evidence.
const TWINE: [&str; 4] = [
    "evidence_get",
    "report_get",
    "report_target_get",
    "report_verify",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_list_is_that_of_the_runtimes_documentation() {
        let table = include_str!("../../../trusted/runtime/src/wasi/mod.rs");
        let rows = table
            .lines()
            .filter_map(|line| line.strip_prefix("//! | `"));
        let calls = rows.flat_map(|row| {
            let (calls, _) = row.split_once('|').unwrap();
            calls.split(['`', ',', ' ']).filter(|name| !name.is_empty())
        });
        let documented: BTreeSet<&str> = calls.filter(|name| *name != "sock_*").collect();
        let listed = WASI.into_iter().filter(|name| !name.starts_with("sock_"));
        assert_eq!(documented, listed.collect());
    }

    #[test]
    fn what_does_not_exist_is_told_from_what_does() {
        let text = r#"(module
            (import "wasi_snapshot_preview1" "path_open" (func))
            (import "wasi_snapshot_preview1" "path_shut" (func))
            (import "wasi_unstable" "fd_write" (func))
            (import "env" "memory" (memory 1)))"#;
        let imports = Imports::of("x", text.as_bytes()).unwrap().unwrap();
        assert!(imports.files && imports.older_wasi && !imports.sockets && !imports.evidence);
        let missing: Vec<_> = imports.missing.iter().map(|(_, name)| &**name).collect();
        assert_eq!(missing, ["path_shut", "fd_write", "memory"]);
        Imports::of("x", b"(module").unwrap_err();
        assert_eq!(Imports::of("x", b"\x89TWASM\x1a\n").unwrap(), None);
    }
}
