//! Where SQLite's module is: installed in a place that is found from where this program is.
//!
//! ```text
//!   bin/twine, share/twine/sqlite.wasm            installed
//!   target/release/twine, target/share/twine/…    built: `cargo xtask setup` puts it there
//! ```

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::exit::{Blame, Code};

/// Finds the module.
pub(super) fn installed() -> Result<PathBuf> {
    let program = env::current_exe()?;
    let path = beside(&program);
    if path.is_file() {
        return Ok(path);
    }
    let message = format!(
        "{}: SQLite's module is not there; in a build tree `cargo xtask setup` builds it, else name it with --module",
        path.display()
    );
    let code = Code::NotFound;
    Err(Blame { code, message }.into())
}

/// Where the module of the program at `program` belongs.
fn beside(program: &Path) -> PathBuf {
    let folder = program.parent().unwrap_or(program);
    let above = folder.parent().unwrap_or(folder);
    above.join("share/twine/sqlite.wasm")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_found_from_where_the_program_is() {
        let installed = beside(Path::new("/usr/bin/twine"));
        assert_eq!(installed, Path::new("/usr/share/twine/sqlite.wasm"));
        let built = beside(Path::new("/src/twine/target/release/twine"));
        assert_eq!(
            built,
            Path::new("/src/twine/target/share/twine/sqlite.wasm")
        );
    }
}
