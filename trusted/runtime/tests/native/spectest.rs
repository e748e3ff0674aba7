//! The script interpreter: that it finds right what is right, and wrong what is wrong. An interpreter that accepted
//! everything would make the specification's tests worthless, so most of this is about failures.

use twine_runtime::spectest::{Action, Command, Expected, Float, Script, Step, Value};
use twine_runtime::{Outcome, Sink};

use crate::support::{Launch, compile};

const MODULE: &str = r#"(module
    (import "spectest" "global_i32" (global $spec i32))
    (import "spectest" "memory" (memory 1 2))
    (global (export "g") f32 (f32.const 1.5))
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "spec") (result i32) (global.get $spec))
    (func (export "nan") (result f32) (f32.div (f32.const 0) (f32.const 0)))
    (func (export "payload") (result f64) (f64.const nan:0xc000000000000))
    (func (export "lanes") (result v128) (v128.const f32x4 1 nan -0 2))
    (func (export "same") (param externref) (result externref) (local.get 0))
    (func $f (export "function") (result funcref) (ref.func $f))
    (func (export "nothing") (result funcref) (ref.null func))
    (func (export "two") (result i32 i64) (i32.const 1) (i64.const 2))
    (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
    (func $deep (export "deep") (call $deep)))"#;

/// Runs steps after instantiating [`MODULE`], and returns what comes out and the exit code.
fn run(steps: Vec<Step<'_>>) -> (String, u32) {
    let code = compile(MODULE);
    let mut commands = vec![Command {
        line: 1,
        step: Step::Module {
            name: Some("$m"),
            code: &code,
        },
    }];
    for (line, step) in (2..).zip(steps) {
        commands.push(Command { line, step });
    }
    run_script(&Script { commands })
}

fn run_script(script: &Script<'_>) -> (String, u32) {
    let launch = Launch::of(script.encode().unwrap_or_default());
    let world = launch.world.clone();
    let outcome = launch.run();
    assert_eq!(
        outcome,
        Outcome::exited(outcome.code),
        "{}",
        outcome.message
    );
    let text = world.0.borrow().text(Sink::Output);
    (text, outcome.code)
}

fn invoke<'a>(function: &'a str, arguments: &[Value]) -> Action<'a> {
    Action::Invoke {
        instance: None,
        function,
        arguments: arguments.to_vec(),
    }
}

fn returns<'a>(function: &'a str, arguments: &[Value], expected: Expected) -> Step<'a> {
    Step::Return {
        action: invoke(function, arguments),
        expected: vec![expected],
    }
}

fn traps<'a>(function: &'a str, arguments: &[Value], reason: &'a str) -> Step<'a> {
    Step::Trap {
        action: invoke(function, arguments),
        reason,
    }
}

const LANES: [Float<u32>; 4] = [
    Float::Bits(0x3f80_0000),
    Float::CanonicalNan,
    Float::Bits(0x8000_0000),
    Float::Bits(0x4000_0000),
];

#[test]
fn what_is_right_passes() {
    let (text, code) = run(vec![
        returns(
            "add",
            &[Value::I32(u32::MAX), Value::I32(3)],
            Expected::I32(2),
        ),
        returns("spec", &[], Expected::I32(666)),
        returns("nan", &[], Expected::F32(Float::CanonicalNan)),
        returns("nan", &[], Expected::F32(Float::ArithmeticNan)),
        returns("payload", &[], Expected::F64(Float::ArithmeticNan)),
        returns(
            "payload",
            &[],
            Expected::F64(Float::Bits(0x7ffc_0000_0000_0000)),
        ),
        returns("lanes", &[], Expected::F32x4(LANES)),
        returns("same", &[Value::Extern(7)], Expected::Extern(Some(7))),
        returns("same", &[Value::Extern(7)], Expected::Extern(None)),
        returns("same", &[Value::NullExtern], Expected::Null),
        returns("function", &[], Expected::Function),
        returns("nothing", &[], Expected::Null),
        returns(
            "nothing",
            &[],
            Expected::Either(vec![Expected::Function, Expected::Null]),
        ),
        traps("load", &[Value::I32(65533)], "out of bounds memory access"),
        traps("deep", &[], "call stack exhausted"),
        Step::Perform(invoke("two", &[])),
        Step::Return {
            action: Action::Get {
                instance: Some("$m"),
                global: "g",
            },
            expected: vec![Expected::F32(Float::Bits(0x3fc0_0000))],
        },
    ]);
    assert_eq!((text.as_str(), code), ("passed 18 failed 0\n", 0));
}

#[test]
fn what_is_wrong_fails_with_line_and_reason() {
    let one = |step| {
        let (text, code) = run(vec![step]);
        assert_eq!(code, 1, "{text}");
        text
    };
    for (step, reason) in [
        (
            returns("add", &[Value::I32(1), Value::I32(1)], Expected::I32(3)),
            "expected [I32(3)]",
        ),
        (
            returns("add", &[Value::I32(1), Value::I32(1)], Expected::I64(2)),
            "returned [I32(2)]",
        ),
        (
            returns("two", &[], Expected::I32(1)),
            "returned [I32(1), I64(2)]",
        ),
        (
            returns("add", &[Value::I32(1)], Expected::I32(1)),
            "expected 2 arguments",
        ),
        (
            returns("add", &[Value::I64(1), Value::I32(1)], Expected::I32(2)),
            "type mismatch",
        ),
        (
            returns("none", &[], Expected::I32(1)),
            "there is no export \"none\"",
        ),
        (
            returns("payload", &[], Expected::F64(Float::CanonicalNan)),
            "returned",
        ),
        (
            returns("add", &[Value::I32(0), Value::I32(0)], Expected::Null),
            "returned",
        ),
        (
            returns("lanes", &[], Expected::F32x4([Float::CanonicalNan; 4])),
            "returned",
        ),
        (returns("lanes", &[], Expected::V128(0)), "returned"),
        (
            returns("same", &[Value::Extern(7)], Expected::Extern(Some(8))),
            "returned",
        ),
        (
            returns("same", &[Value::NullExtern], Expected::Extern(None)),
            "returned",
        ),
        (returns("function", &[], Expected::Null), "returned"),
        (returns("nothing", &[], Expected::Function), "returned"),
        (
            returns("nothing", &[], Expected::Either(vec![Expected::Function])),
            "returned",
        ),
        (
            returns("load", &[Value::I32(65533)], Expected::I32(0)),
            "out of bounds memory access",
        ),
        (
            traps("add", &[Value::I32(1), Value::I32(1)], "unreachable"),
            "expected a trap: unreachable",
        ),
        (
            traps("load", &[Value::I32(65533)], "unreachable"),
            "expected \"unreachable\"",
        ),
        (
            Step::Register {
                instance: Some("$x"),
                module: "x",
            },
            "there is no instance",
        ),
        (
            Step::Instantiate {
                name: None,
                definition: Some("$x"),
            },
            "there is no definition",
        ),
        (
            Step::Module {
                name: None,
                code: b"no code",
            },
            "failed to parse",
        ),
    ] {
        let text = one(step);
        assert!(text.starts_with("passed 1 failed 1\nline 2: "), "{text}");
        assert!(text.contains(reason), "{text}");
    }
}

#[test]
fn modules_find_each_other_by_the_names_they_are_registered_under() {
    let importer = compile(
        r#"(module (import "M" "add" (func (param i32 i32) (result i32))) (export "sum" (func 0)))"#,
    );
    let unlinkable = compile(r#"(module (import "M" "add" (func)))"#);
    let trapping = compile("(module (memory 1) (data (i32.const 65536) \"a\"))");
    let (text, code) = run(vec![
        Step::Unlinkable {
            code: &importer,
            reason: "unknown import",
        },
        Step::Register {
            instance: None,
            module: "M",
        },
        Step::Unlinkable {
            code: &unlinkable,
            reason: "incompatible import type",
        },
        Step::ModuleTrap {
            code: &trapping,
            reason: "out of bounds memory access",
        },
        Step::Module {
            name: None,
            code: &importer,
        },
        returns("sum", &[Value::I32(2), Value::I32(3)], Expected::I32(5)),
        Step::Define {
            name: Some("$d"),
            code: &importer,
        },
        Step::Instantiate {
            name: Some("$i"),
            definition: Some("$d"),
        },
        Step::Instantiate {
            name: None,
            definition: None,
        },
        returns("sum", &[Value::I32(2), Value::I32(3)], Expected::I32(5)),
        // And the other way round.
        Step::Unlinkable {
            code: &trapping,
            reason: "unknown import",
        },
        Step::ModuleTrap {
            code: &unlinkable,
            reason: "unknown import",
        },
        Step::ModuleTrap {
            code: &importer,
            reason: "out of bounds",
        },
        Step::Unlinkable {
            code: &importer,
            reason: "unknown import",
        },
    ]);
    assert_eq!(code, 1);
    let failures: Vec<_> = text
        .lines()
        .skip(1)
        .map(|line| line.split(": ").next().unwrap())
        .collect();
    assert_eq!(text.lines().next(), Some("passed 11 failed 4"));
    assert_eq!(failures, ["line 12", "line 13", "line 14", "line 15"]);
}

#[test]
fn more_modules_than_the_enclave_has_room_for_can_follow_each_other() {
    let code = compile(
        "(module (memory 1) (func (export \"f\") (result i32) (memory.grow (i32.const 1))))",
    );
    let mut commands = Vec::new();
    for line in 0..200 {
        let step = if line % 2 == 0 {
            Step::Module {
                name: None,
                code: &code,
            }
        } else {
            returns("f", &[], Expected::I32(1))
        };
        commands.push(Command { line, step });
    }
    assert_eq!(
        run_script(&Script { commands }),
        ("passed 200 failed 0\n".into(), 0)
    );
}

#[test]
fn a_malformed_script_is_refused_and_not_guessed_at() {
    let script = Script { commands: vec![] }.encode().unwrap();
    assert_eq!(
        run_script(&Script { commands: vec![] }).0,
        "passed 0 failed 0\n"
    );
    for bytes in [
        [&script[..], &[0]].concat(),
        [&script[..8], &[0xff; 9]].concat(),
        script[..8].to_vec(),
    ] {
        assert!(Script::decode(&bytes).is_none());
        let outcome = Launch::of(bytes).run();
        assert_eq!(outcome.kind, twine_abi::outcome::Kind::ModuleUnusable);
    }
}
