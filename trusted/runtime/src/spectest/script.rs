//! Scripts: what a `.wast` file asks for, with its modules compiled.
//!
//! Encoded with `postcard` behind eight bytes that no compiled module begins with. Text and code are borrowed from the
//! encoded bytes, so that code can be shown to be part of what the launch document vouches for.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// The first bytes of an encoded script.
const MAGIC: &[u8; 8] = b"twspec\x00\x01";

/// Commands in the order of the file.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Script<'a> {
    /// The commands.
    #[serde(borrow)]
    pub commands: Vec<Command<'a>>,
}

/// One command, and where it stands.
#[derive(Debug, Deserialize, Serialize)]
pub struct Command<'a> {
    /// The line in the `.wast` file, from 1.
    pub line: u32,
    /// What to do.
    #[serde(borrow)]
    pub step: Step<'a>,
}

/// What to do. A module is given as compiled code; `None` for an instance means the latest.
#[derive(Debug, Deserialize, Serialize)]
pub enum Step<'a> {
    /// `module`: instantiate it. Its instance is the latest from now on.
    Module {
        /// The name by which later commands know it.
        name: Option<&'a str>,
        /// The compiled module.
        #[serde(borrow)]
        code: &'a [u8],
    },
    /// `module definition`: keep it, to be instantiated later.
    Define {
        /// The name by which [`Step::Instantiate`] knows it.
        name: Option<&'a str>,
        /// The compiled module.
        code: &'a [u8],
    },
    /// `module instance`: instantiate a module that was kept.
    Instantiate {
        /// The name by which later commands know the instance.
        name: Option<&'a str>,
        /// Which module; `None`: the one that was kept last.
        definition: Option<&'a str>,
    },
    /// `register`: let later modules import from an instance.
    Register {
        /// Which instance.
        instance: Option<&'a str>,
        /// The module name to import from.
        module: &'a str,
    },
    /// `invoke` or `get` on its own: it has to succeed, with whatever results.
    Perform(Action<'a>),
    /// `assert_return`.
    Return {
        /// What to do.
        action: Action<'a>,
        /// What has to come back.
        expected: Vec<Expected>,
    },
    /// `assert_trap`, and `assert_exhaustion`, for an action.
    Trap {
        /// What to do.
        action: Action<'a>,
        /// What the trap has to say.
        reason: &'a str,
    },
    /// `assert_trap` for a module.
    ModuleTrap {
        /// The compiled module.
        code: &'a [u8],
        /// What the trap has to say.
        reason: &'a str,
    },
    /// `assert_unlinkable`.
    Unlinkable {
        /// The compiled module.
        code: &'a [u8],
        /// What the refusal has to say.
        reason: &'a str,
    },
}

/// Something done to an instance.
#[derive(Debug, Deserialize, Serialize)]
pub enum Action<'a> {
    /// Call an exported function.
    Invoke {
        /// Which instance.
        instance: Option<&'a str>,
        /// The function's name.
        function: &'a str,
        /// What to call it with.
        arguments: Vec<Value>,
    },
    /// Read an exported global.
    Get {
        /// Which instance.
        instance: Option<&'a str>,
        /// The global's name.
        global: &'a str,
    },
}

/// A value to call a function with. Floats are given by their bits.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Value {
    /// `i32.const`.
    I32(u32),
    /// `i64.const`.
    I64(u64),
    /// `f32.const`.
    F32(u32),
    /// `f64.const`.
    F64(u64),
    /// `v128.const`, all lanes as one little-endian number.
    V128(u128),
    /// `ref.null` of a function type.
    NullFunction,
    /// `ref.null extern`.
    NullExtern,
    /// `ref.extern`.
    Extern(u32),
}

/// A value that has to come back.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Expected {
    /// `i32.const`.
    I32(u32),
    /// `i64.const`.
    I64(u64),
    /// `f32.const`.
    F32(Float<u32>),
    /// `f64.const`.
    F64(Float<u64>),
    /// `v128.const` of integers, all lanes as one little-endian number.
    V128(u128),
    /// `v128.const` of 32-bit floats.
    F32x4([Float<u32>; 4]),
    /// `v128.const` of 64-bit floats.
    F64x2([Float<u64>; 2]),
    /// `ref.null`, of whatever type.
    Null,
    /// `ref.func`: any function.
    Function,
    /// `ref.extern`: any, or the one that was made from this number.
    Extern(Option<u32>),
    /// `either`: one of these.
    Either(Vec<Self>),
}

/// A float that has to come back.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Float<Bits> {
    /// Exactly these bits.
    Bits(Bits),
    /// `nan:canonical`: a quiet NaN without payload, of either sign.
    CanonicalNan,
    /// `nan:arithmetic`: any quiet NaN, of either sign.
    ArithmeticNan,
}

impl<'a> Script<'a> {
    /// Encodes the script.
    ///
    /// # Errors
    /// Those of the encoding; with values of these types there are none.
    pub fn encode(&self) -> Result<Vec<u8>, postcard::Error> {
        let mut bytes = Vec::from(MAGIC);
        bytes.extend(postcard::to_allocvec(self)?);
        Ok(bytes)
    }

    /// Whether `bytes` are meant to be a script.
    #[must_use]
    pub fn is_meant(bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC)
    }

    /// Decodes a script, or returns `None` if it is malformed.
    #[must_use]
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (script, rest) = postcard::take_from_bytes(bytes.strip_prefix(MAGIC)?).ok()?;
        rest.is_empty().then_some(script)
    }
}
