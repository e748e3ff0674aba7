//! Writes the catalogue: every file in a language's folder is a guest, whether or not anybody remembered to list it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// A language's folder, the ending of its files, and its name in `Language`.
const LANGUAGES: [(&str, &str, &str); 5] = [
    ("c", "c", "C"),
    ("cpp", "cpp", "Cpp"),
    ("rust", "rs", "Rust"),
    ("wat", "wat", "Wat"),
    ("zig", "zig", "Zig"),
];

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    let mut guests =
        String::from("/// Every guest, by language and name.\npub const ALL: &[Guest] = &[\n");
    let mut calls = String::new();
    for (folder, ending, language) in LANGUAGES {
        println!("cargo::rerun-if-changed={folder}");
        for stem in sources(&root.join(folder), ending)? {
            let name = format!("{folder}_{stem}");
            let source = root.join(folder).join(format!("{stem}.{ending}"));
            _ = writeln!(
                guests,
                "    Guest {{ name: {name:?}, language: Language::{language}, source: {source:?} }},"
            );
            _ = writeln!(calls, "        $check!({name});");
        }
    }
    guests.push_str("];\n");
    let kernels = kernels(&root)?;
    fs::write(
        out.join("catalogue.rs"),
        guests + &kernels + &completeness(&calls),
    )
}

/// The list of `PolyBench` kernels.
fn kernels(root: &Path) -> io::Result<String> {
    println!("cargo::rerun-if-changed=polybench");
    let mut list = String::from(
        "/// Every kernel of `PolyBench`, by name.\npub const KERNELS: &[polybench::Kernel] = &[\n",
    );
    for name in sources(&root.join("polybench"), "c")? {
        _ = writeln!(list, "    polybench::Kernel({name:?}),");
    }
    list.push_str("];\n");
    Ok(list)
}

/// The names, without ending, of a folder's files, sorted.
fn sources(folder: &Path, ending: &str) -> io::Result<Vec<String>> {
    let mut stems = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == ending)
            && let Some(stem) = path.file_stem().and_then(|stem| stem.to_str())
        {
            stems.push(stem.to_owned());
        }
    }
    stems.sort();
    Ok(stems)
}

/// The macro that applies another one to every guest's name.
fn completeness(calls: &str) -> String {
    format!(
        "/// Applies the macro `$check` to the name of every guest: what a guest must have, and does not, fails the build.\n\
         #[macro_export]\n\
         macro_rules! foreach_guest {{\n    ($check:ident) => {{\n{calls}    }};\n}}\n"
    )
}
