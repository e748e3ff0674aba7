//! `cargo run -p twine-guests -- NAME…` prints the modules of the named guests, building them first; without a name,
//! of all guests.

use std::env;

use twine_guests::{ALL, Error, Guest};

#[expect(clippy::print_stdout, reason = "printing is what this program is for")]
fn main() -> Result<(), Error> {
    let names: Vec<String> = env::args().skip(1).collect();
    let guests = if names.is_empty() {
        ALL.to_vec()
    } else {
        names
            .iter()
            .map(|name| Guest::named(name))
            .collect::<Result<_, _>>()?
    };
    for guest in guests {
        println!("{}", guest.module()?.display());
    }
    Ok(())
}
