//! What hardening changes, and what it leaves alone.

use wasmparser::{ExternalKind, Name};

use super::*;
use crate::cache::Cache;
use crate::compile::compile;

const FEATURES: WasmFeatures = WasmFeatures::WASM2.union(WasmFeatures::TAIL_CALL);

/// A module with everything that can name a function, and calls through two tables.
const EVERYTHING: &str = r#"(module $app
    (type $unary (func (param i64) (result i64)))
    (import "env" "before" (func $before))
    (import "env" "number" (global $number i32))
    (table $first 4 funcref)
    (table $second 2 funcref)
    (memory 1)
    (global $reference funcref (ref.func $plain))
    (export "_start" (func $start))
    (export "before" (func $before))
    (start $start)
    (elem (table $first) (i32.const 0) func $plain $before)
    (elem (table $second) (i32.const 1) funcref (ref.func $tail))
    (func $start
        (drop (call_indirect $first (type $unary) (i64.const 7) (global.get $number)))
        (call_indirect $second (i32.const 1))
        (call $before)
        (drop (ref.func $tail)))
    (func $plain (param $value i64) (result i64) (call $plain (local.get $value)))
    (func $tail (param $a i32) (param $b f64) (local $c i64) (local $d v128)
        (return_call_indirect $second (local.get $a)))
    (data (i32.const 0) "data")
    (@custom "mine" "bytes"))"#;

fn wasm(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// Hardens and checks that the result is valid.
fn hardened(text: &str) -> Vec<u8> {
    let hardened = harden(&wasm(text), FEATURES).unwrap().into_owned();
    Validator::new_with_features(FEATURES)
        .validate_all(&hardened)
        .unwrap();
    hardened
}

fn payloads(wasm: &[u8]) -> impl Iterator<Item = Payload<'_>> {
    Parser::new(0).parse_all(wasm).map(Result::unwrap)
}

/// The operators of each function, as text.
fn bodies(wasm: &[u8]) -> Vec<Vec<String>> {
    payloads(wasm)
        .filter_map(|payload| match payload {
            Payload::CodeSectionEntry(body) => Some(body.get_operators_reader().unwrap()),
            _ => None,
        })
        .map(|operators| {
            operators
                .into_iter()
                .map(|operator| format!("{:?}", operator.unwrap()))
                .collect()
        })
        .collect()
}

/// The check of `table` and the call that follows it, for a module that imports `imported` functions.
fn check(table: u32, index: u32, imported: u32) -> Vec<String> {
    [
        Operator::LocalTee { local_index: index },
        Operator::TableGet { table },
        Operator::RefIsNull,
        Operator::If {
            blockty: wasmparser::BlockType::Empty,
        },
        Operator::Call {
            function_index: imported,
        },
        Operator::Unreachable,
        Operator::End,
        Operator::LocalGet { local_index: index },
    ]
    .iter()
    .map(|operator| format!("{operator:?}"))
    .collect()
}

/// Asserts that each indirect call in `body` has its check, and returns how many there are.
fn checks(body: &[String], index: u32, imported: u32) -> usize {
    let calls = body.iter().enumerate().filter_map(|(place, operator)| {
        let (name, fields) = operator.split_once(' ')?;
        let table = fields.split("table_index: ").nth(1)?;
        let table = table.trim_end_matches([' ', '}']).parse().ok()?;
        name.ends_with("CallIndirect").then_some((place, table))
    });
    calls
        .map(|(place, table)| {
            let expected = check(table, index, imported);
            assert_eq!(body[place - expected.len()..place], expected);
        })
        .count()
}

fn function_names(wasm: &[u8]) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for payload in payloads(wasm) {
        let Payload::CustomSection(section) = payload else {
            continue;
        };
        let KnownCustom::Name(names) = section.as_known() else {
            continue;
        };
        for name in names {
            if let Name::Function(map) = name.unwrap() {
                found.extend(map.into_iter().map(|naming| {
                    let naming = naming.unwrap();
                    (naming.index, naming.name.to_owned())
                }));
            }
        }
    }
    found
}

#[test]
fn a_module_without_indirect_calls_stays_as_it_is() {
    let plain = wasm(
        r#"(module $m (table 1 funcref) (func $f (param i32) (drop (table.get (local.get 0))))
            (@custom "mine" "bytes"))"#,
    );
    assert!(matches!(harden(&plain, FEATURES), Ok(Cow::Borrowed(same)) if same == plain));
}

#[test]
fn every_indirect_call_has_a_check_of_its_own_table() {
    let bodies = bodies(&hardened(EVERYTHING));
    assert_eq!(bodies.len(), 3);
    assert_eq!(checks(&bodies[0], 0, 1), 2);
    assert_eq!(checks(&bodies[1], 0, 1), 0);
    assert_eq!(checks(&bodies[2], 4, 1), 1);
}

#[test]
fn without_the_checks_a_hardened_body_is_the_old_one_with_functions_moved_up() {
    let old = bodies(&wasm(EVERYTHING));
    let new = bodies(&hardened(EVERYTHING));
    for (index, (old, new)) in [0, 0, 4].into_iter().zip(old.iter().zip(&new)) {
        let mut rest = new.clone();
        for table in [0, 1] {
            let check = check(table, index, 1);
            while let Some(place) = rest.windows(check.len()).position(|part| part == check) {
                rest.drain(place..place + check.len());
            }
        }
        // `$plain` and `$tail`, the only functions of the module's own that code names.
        let moved: Vec<_> = old
            .iter()
            .map(|operator| {
                operator
                    .replace("function_index: 3", "function_index: 4")
                    .replace("function_index: 2", "function_index: 3")
            })
            .collect();
        assert_eq!(rest, moved);
    }
}

#[test]
fn a_module_that_imports_nothing_gets_an_import_section() {
    let hardened = hardened("(module (table 1 funcref) (func (call_indirect (i32.const 0))))");
    let mut imports = Vec::new();
    for payload in payloads(&hardened) {
        if let Payload::ImportSection(section) = payload {
            imports.extend(section.into_imports().map(Result::unwrap));
        }
    }
    let [import] = imports[..] else {
        panic!("one import: {imports:?}");
    };
    assert_eq!(
        (import.module, import.name),
        (NULL_CALL_MODULE, NULL_CALL_NAME)
    );
    assert_eq!(checks(&bodies(&hardened)[0], 0, 0), 1);
}

#[test]
fn the_import_comes_after_the_modules_own_and_has_a_type_of_its_own() {
    let hardened = hardened(EVERYTHING);
    let (mut types, mut imports) = (Vec::new(), Vec::new());
    for payload in payloads(&hardened) {
        match payload {
            Payload::TypeSection(section) => {
                types.extend(section.into_iter_err_on_gc_types().map(Result::unwrap));
            }
            Payload::ImportSection(section) => {
                imports.extend(section.into_imports().map(Result::unwrap));
            }
            _ => (),
        }
    }
    let names: Vec<_> = imports.iter().map(|import| import.name).collect();
    assert_eq!(names, ["before", "number", NULL_CALL_NAME]);
    let TypeRef::Func(ty) = imports[2].ty else {
        panic!("a function: {:?}", imports[2]);
    };
    let ty = &types[usize::try_from(ty).unwrap()];
    assert!(ty.params().is_empty() && ty.results().is_empty());
}

#[test]
fn names_and_exports_follow_the_functions_they_name() {
    let hardened = hardened(EVERYTHING);
    let names = function_names(&hardened);
    let names: Vec<_> = names.iter().map(|(i, name)| (*i, name.as_str())).collect();
    let expected = [(0, "before"), (2, "start"), (3, "plain"), (4, "tail")];
    assert_eq!(names, expected);
    let mut exports = Vec::new();
    let mut start = None;
    for payload in payloads(&hardened) {
        match payload {
            Payload::ExportSection(section) => {
                exports.extend(section.into_iter().map(Result::unwrap));
            }
            Payload::StartSection { func, .. } => start = Some(func),
            _ => (),
        }
    }
    assert!(
        exports
            .iter()
            .all(|export| export.kind == ExternalKind::Func)
    );
    let exports: Vec<_> = exports.iter().map(|e| (e.name, e.index)).collect();
    assert_eq!(exports, [("_start", 2), ("before", 0)]);
    assert_eq!(start, Some(2));
}

#[test]
fn other_custom_sections_are_kept() {
    let hardened = hardened(EVERYTHING);
    let kept = payloads(&hardened).any(|payload| {
        matches!(payload, Payload::CustomSection(s) if s.name() == "mine" && s.data() == b"bytes")
    });
    assert!(kept);
}

#[test]
fn names_that_cannot_be_read_are_no_reason_to_refuse_a_module() {
    let mut wasm = wasm("(module (table 1 funcref) (func (call_indirect (i32.const 0))))");
    wasm.extend(b"\0\x07\x04name\x01\x09");
    let hardened = harden(&wasm, FEATURES).unwrap();
    assert_eq!(checks(&bodies(&hardened)[0], 0, 0), 1);
}

#[test]
fn the_new_local_comes_behind_however_many_there_are() {
    let locals = "i32 f64 ".repeat(5_000);
    let hardened = hardened(&format!(
        "(module (table 1 funcref)
            (func (param i64 i64 i64) (local {locals}) (call_indirect (local.get 3))))"
    ));
    assert_eq!(checks(&bodies(&hardened)[0], 10_003, 0), 1);
}

#[test]
fn unreachable_calls_are_hardened_too() {
    let hardened = hardened("(module (table 1 funcref) (func unreachable call_indirect))");
    assert_eq!(checks(&bodies(&hardened)[0], 0, 0), 1);
}

#[test]
fn what_the_new_type_or_local_would_make_valid_is_refused_with_the_callers_offset() {
    for (text, reason) in [
        (
            "(func (call_indirect (type 1) (i32.const 0)))",
            "unknown type",
        ),
        (
            "(func (call_indirect (i32.const 0)) (drop (local.get 0)))",
            "unknown local",
        ),
        (
            "(func (call_indirect (i32.const 0)) (call 1))",
            "unknown function",
        ),
    ] {
        let wasm = wasm(&format!("(module (table 1 funcref) {text})"));
        let message = harden(&wasm, FEATURES).unwrap_err();
        assert!(message.contains(reason), "{message}");
        assert!(message.contains("offset"), "{message}");
    }
}

#[test]
fn the_compiler_takes_what_is_hardened() {
    let compiled = compile("a", "a", &wasm(EVERYTHING), &Cache::disabled());
    assert!(compiled.is_ok(), "{compiled:?}");
}

#[test]
fn the_survey_knows_types_and_functions() {
    let survey = Survey::of(&wasm(EVERYTHING)).unwrap();
    assert_eq!(survey.imported, 1);
    assert_eq!(survey.defined, [0, 1, 2]);
    assert!(survey.has_indirect_calls);
}
