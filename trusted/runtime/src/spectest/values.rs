//! From a script's values to the engine's, and whether what came back is what was expected.

use wasmtime::{ExternRef, Ref, Store, Val};

use super::script::{Expected, Float, Value};

/// The engine's form of a value.
pub(super) fn to_engine(store: &mut Store<()>, value: Value) -> wasmtime::Result<Val> {
    Ok(match value {
        Value::I32(bits) => Val::I32(bits.cast_signed()),
        Value::I64(bits) => Val::I64(bits.cast_signed()),
        Value::F32(bits) => Val::F32(bits),
        Value::F64(bits) => Val::F64(bits),
        Value::V128(lanes) => Val::V128(lanes.into()),
        Value::NullFunction => Val::FuncRef(None),
        Value::NullExtern => Val::ExternRef(None),
        Value::Extern(number) => Val::ExternRef(Some(ExternRef::new(store, number)?)),
    })
}

/// Whether `found` is what was expected.
pub(super) fn fits(store: &Store<()>, found: &Val, expected: &Expected) -> bool {
    match (expected, found) {
        (Expected::Either(choices), found) => {
            choices.iter().any(|choice| fits(store, found, choice))
        }
        (Expected::I32(bits), Val::I32(found)) => *bits == found.cast_unsigned(),
        (Expected::I64(bits), Val::I64(found)) => *bits == found.cast_unsigned(),
        (Expected::F32(float), Val::F32(found)) => float_fits(*float, *found),
        (Expected::F64(float), Val::F64(found)) => float_fits(*float, *found),
        (Expected::V128(lanes), Val::V128(found)) => *lanes == found.as_u128(),
        (Expected::F32x4(lanes), Val::V128(found)) => all_fit(lanes, found.as_u128()),
        (Expected::F64x2(lanes), Val::V128(found)) => all_fit(lanes, found.as_u128()),
        (Expected::Function, Val::FuncRef(found)) => found.is_some(),
        (Expected::Extern(expected), Val::ExternRef(Some(found))) => {
            match (expected, found.data(store)) {
                (None, _) => true,
                (Some(number), Ok(Some(data))) => data.downcast_ref() == Some(number),
                (Some(_), _) => false,
            }
        }
        (Expected::Null, found) => found.ref_().is_some_and(|found: Ref| found.is_null()),
        _ => false,
    }
}

/// Bits of a floating-point type.
trait FloatBits: Copy + Eq {
    /// The sign's bit.
    const SIGN: Self;
    /// A quiet NaN without sign and payload.
    const CANONICAL_NAN: Self;
    /// The lane at `index` of a vector.
    fn lane(vector: u128, index: usize) -> Self;
    /// `self` with only the bits that are in `mask`.
    fn masked(self, mask: Self) -> Self;
    /// `self` without the bits that are in `mask`.
    fn without(self, mask: Self) -> Self;
}

macro_rules! float_bits {
    ($type:ty, $canonical:expr) => {
        impl FloatBits for $type {
            const SIGN: Self = 1 << (Self::BITS - 1);
            const CANONICAL_NAN: Self = $canonical;

            #[expect(clippy::cast_possible_truncation, reason = "a lane is what remains")]
            fn lane(vector: u128, index: usize) -> Self {
                (vector >> (index * Self::BITS as usize)) as Self
            }

            fn masked(self, mask: Self) -> Self {
                self & mask
            }

            fn without(self, mask: Self) -> Self {
                self & !mask
            }
        }
    };
}

float_bits!(u32, 0x7fc0_0000);
float_bits!(u64, 0x7ff8_0000_0000_0000);

fn float_fits<Bits: FloatBits>(expected: Float<Bits>, found: Bits) -> bool {
    match expected {
        Float::Bits(bits) => bits == found,
        Float::CanonicalNan => found.without(Bits::SIGN) == Bits::CANONICAL_NAN,
        Float::ArithmeticNan => found.masked(Bits::CANONICAL_NAN) == Bits::CANONICAL_NAN,
    }
}

fn all_fit<Bits: FloatBits>(expected: &[Float<Bits>], found: u128) -> bool {
    expected
        .iter()
        .enumerate()
        .all(|(index, float)| float_fits(*float, Bits::lane(found, index)))
}
