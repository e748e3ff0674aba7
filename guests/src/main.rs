//! `cargo run -p twine-guests -- NAME…` prints the modules of the named guests, building them first; without a name,
//! of all that are written here. SQLite's programs are `sqlite_shell` and `sqlite_speedtest1`; those of others have the
//! names that their packages give them (`python`, `esbuild`).

use std::env;
use std::path::PathBuf;

use twine_guests::sqlite::Program;
use twine_guests::{ALL, Error, Guest, third_party};

#[expect(clippy::print_stdout, reason = "printing is what this program is for")]
fn main() -> Result<(), Error> {
    let given: Vec<String> = env::args().skip(1).collect();
    let all = ALL.iter().map(|guest| guest.name.to_owned());
    let names = if given.is_empty() {
        all.collect()
    } else {
        given
    };
    for name in names {
        println!("{}", module(&name)?.display());
    }
    Ok(())
}

fn module(name: &str) -> Result<PathBuf, Error> {
    if let Some(program) = Program::ALL.iter().find(|program| program.name() == name) {
        return program.module();
    }
    match third_party::ALL.iter().find(|module| module.name == name) {
        Some(module) => module.path(),
        None => Guest::named(name)?.module(),
    }
}
