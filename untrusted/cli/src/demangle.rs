//! Makes the function names in a backtrace readable.
//!
//! The enclave passes names as they stand in the module; turning them back into what the programmer wrote needs parsers
//! that nobody has to trust out here.

use cpp_demangle::Symbol;

/// Returns a trap's message with the name at the end of each backtrace line (`… module!name`) demangled.
pub(crate) fn backtrace(message: &str) -> String {
    let lines: Vec<String> = message.lines().map(line).collect();
    lines.join("\n")
}

fn line(line: &str) -> String {
    match line.rsplit_once('!') {
        Some((place, name)) => format!("{place}!{}", name_of(name)),
        None => line.to_owned(),
    }
}

/// A Rust name without its hash, a C++ name, or what it was.
pub(crate) fn name_of(name: &str) -> String {
    if let Ok(rust) = rustc_demangle::try_demangle(name) {
        return format!("{rust:#}");
    }
    // Without the prefix the parser would take a C function named `c` for the type `char`.
    let symbol = Some(name)
        .filter(|name| name.starts_with("_Z"))
        .and_then(|name| Symbol::new(name).ok());
    symbol
        .and_then(|symbol| symbol.demangle().ok())
        .unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rust_and_cpp_read_as_written_and_others_stay() {
        let message = "wasm trap: unreachable\nwasm backtrace:\n    \
            0:  0x658 - a.wasm!_ZN6panics4main17he8304d9618c577cbE\n    \
            1: a.wasm!_ZNSt3__14pairIiiE4swapERS1_\n    \
            2: <unknown>!_start";
        assert_eq!(
            backtrace(message),
            "wasm trap: unreachable\nwasm backtrace:\n    \
            0:  0x658 - a.wasm!panics::main\n    \
            1: a.wasm!std::__1::pair<int, int>::swap(std::__1::pair<int, int>&)\n    \
            2: <unknown>!_start"
        );
    }

    #[test]
    fn text_that_is_no_name_is_left_alone() {
        for text in ["", "!", "a!b!c", "_ZN", "what is this! no"] {
            assert_eq!(backtrace(text), text);
        }
    }
}
