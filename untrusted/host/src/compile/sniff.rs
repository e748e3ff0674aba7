//! What a file is, by its first bytes. File names say nothing.

use crate::module::is_compiled;

/// What a module's bytes are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// Wasm in its binary form.
    Binary,
    /// Wasm in its text form.
    Text,
    /// A compiled module's file.
    Compiled,
}

/// Tells the forms apart; the error says what else it is.
pub(super) fn form(bytes: &[u8]) -> Result<Form, &'static str> {
    if is_compiled(bytes) {
        return Ok(Form::Compiled);
    }
    match bytes {
        [] => Err("the file is empty"),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => Ok(Form::Binary),
        [0, b'a', b's', b'm', _, _, 1, 0, ..] => {
            Err("a WebAssembly component; only core modules can be run so far")
        }
        [0, b'a', b's', b'm', ..] => Err("WebAssembly of an unknown version, or cut short"),
        [0x7f, b'E', b'L', b'F', ..] => Err("a native program or library, not WebAssembly"),
        _ if begins_like_text(bytes) => Ok(Form::Text),
        _ => Err("not WebAssembly: it begins with other bytes"),
    }
}

/// A text module begins with a parenthesis or a comment.
fn begins_like_text(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_start();
    text.starts_with(b"(") || text.starts_with(b";;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_form() {
        assert_eq!(form(b"\0asm\x01\0\0\0rest"), Ok(Form::Binary));
        assert_eq!(form(b" \n(module)"), Ok(Form::Text));
        assert_eq!(form(b";; comment"), Ok(Form::Text));
        assert_eq!(form(b"\x89TWASM\x1a\n"), Ok(Form::Compiled));
    }

    #[test]
    fn what_is_no_module_is_called_by_its_name() {
        assert!(form(b"").unwrap_err().contains("empty"));
        assert!(
            form(b"\0asm\x0d\0\x01\0")
                .unwrap_err()
                .contains("component")
        );
        assert!(form(b"\0asm").unwrap_err().contains("cut short"));
        assert!(form(b"\x7fELF\x02").unwrap_err().contains("native"));
        assert!(form(b"#!/bin/sh").unwrap_err().contains("not WebAssembly"));
    }
}
