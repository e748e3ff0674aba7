//! A guest that makes WASI calls and reports what each of them returned.
//!
//! The body of its entry point is WAT. `(call $try …)` notes the errno of a call, `(call $show address len)` shows
//! memory. Both come out through standard error, so bodies must leave descriptor 2 alone or put it back.
//!
//! ```text
//! memory   0x0000   the body's own, zero at the start
//!          0x7000   scratch of the report
//!          0x8000   errnos, four bytes each
//!          0xffff   last byte
//! ```

use crate::support::{Launch, World};

/// What a guest reported.
pub(crate) struct Report {
    /// The errno of each noted call, in order.
    pub(crate) errnos: Vec<u32>,
    /// The memory that was shown, all pieces in order.
    pub(crate) shown: Vec<u8>,
    /// The world afterwards; what the report itself wrote is taken out.
    pub(crate) world: World,
}

impl Report {
    /// What was shown, as 32-bit numbers.
    pub(crate) fn u32s(&self) -> Vec<u32> {
        let (words, rest) = self.shown.as_chunks();
        assert!(rest.is_empty());
        words.iter().copied().map(u32::from_le_bytes).collect()
    }

    /// What was shown, as 64-bit numbers.
    pub(crate) fn u64s(&self) -> Vec<u64> {
        let (words, rest) = self.shown.as_chunks();
        assert!(rest.is_empty());
        words.iter().copied().map(u64::from_le_bytes).collect()
    }
}

/// The module around a body.
pub(crate) fn module(body: &str) -> String {
    module_with("", body)
}

/// The module around a body and other fields, such as data.
pub(crate) fn module_with(fields: &str, body: &str) -> String {
    let imports = include_str!("preview1.wat");
    format!(
        r#"(module $guest
        {imports}
        {fields}
        (memory (export "memory") 1)
        (global $noted (mut i32) (i32.const 0x8000))
        (func $try (param $errno i32)
            (i32.store (global.get $noted) (local.get $errno))
            (global.set $noted (i32.add (global.get $noted) (i32.const 4))))
        (func $show (param $address i32) (param $len i32)
            (i32.store (i32.const 0x7000) (local.get $address))
            (i32.store (i32.const 0x7004) (local.get $len))
            (if (call $fd_write (i32.const 2) (i32.const 0x7000) (i32.const 1) (i32.const 0x7008)) (then unreachable)))
        (func $vector (param $at i32) (param $address i32) (param $len i32)
            (i32.store (local.get $at) (local.get $address))
            (i32.store offset=4 (local.get $at) (local.get $len)))
        (func $body {body})
        (func (export "_start")
            (call $body)
            (call $show (i32.const 0x8000) (i32.sub (global.get $noted) (i32.const 0x8000)))))"#
    )
}

/// Runs a body in a world made by `prepare` and returns its report.
pub(crate) fn report(body: &str, prepare: impl FnOnce(&mut Launch)) -> Report {
    let mut launch = Launch::new(&module(body));
    prepare(&mut launch);
    report_of(launch)
}

/// Runs a module that was made here, and returns its report.
pub(crate) fn report_of(launch: Launch) -> Report {
    let world = launch.world.clone();
    assert_eq!(launch.run(), twine_runtime::Outcome::exited(0));
    let mut world = world.0.take();
    let mut shown: Vec<Vec<u8>> = world
        .written
        .extract_if(.., |(sink, _)| *sink == twine_runtime::Sink::Error)
        .map(|(_, bytes)| bytes)
        .collect();
    let noted = shown.pop().unwrap_or_default();
    let (words, _) = noted.as_chunks();
    Report {
        errnos: words.iter().copied().map(u32::from_le_bytes).collect(),
        shown: shown.concat(),
        world,
    }
}

/// Runs a body in an ordinary world and returns the errnos of its calls.
pub(crate) fn errnos(body: &str) -> Vec<u32> {
    report(body, |_| ()).errnos
}
