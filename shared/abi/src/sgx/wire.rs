//! How a structure becomes bytes and bytes become a structure: field by field, little-endian, without `unsafe`.
//!
//! `structure!` writes the definition, the byte conversions and the compile-time checks against the manual's table.
//! `bits!` does the same for a set of flags inside one integer: unknown bits are kept, never dropped, because the
//! processor's checks ("reserved bits must be zero") need to see them.

/// A value of fixed length inside a structure.
pub(crate) trait Field: Sized {
    /// All bytes zero.
    const ZERO: Self;

    /// Writes the value at the front of `out` and moves `out` behind it.
    fn put(&self, out: &mut &mut [u8]);

    /// Reads a value from the front of `input` and moves `input` behind it.
    fn take(input: &mut &[u8]) -> Self;
}

impl<const N: usize> Field for [u8; N] {
    const ZERO: Self = [0; N];

    fn put(&self, out: &mut &mut [u8]) {
        let split = core::mem::take(out).split_first_chunk_mut();
        assert!(split.is_some(), "a structure is as long as its fields");
        if let Some((head, tail)) = split {
            *head = *self;
            *out = tail;
        }
    }

    fn take(input: &mut &[u8]) -> Self {
        let split = input.split_first_chunk();
        assert!(split.is_some(), "a structure is as long as its fields");
        split.map_or(Self::ZERO, |(head, tail)| {
            *input = tail;
            *head
        })
    }
}

macro_rules! integer_fields {
    ($($integer:ty),+) => {$(
        impl Field for $integer {
            const ZERO: Self = 0;

            fn put(&self, out: &mut &mut [u8]) {
                self.to_le_bytes().put(out);
            }

            fn take(input: &mut &[u8]) -> Self {
                Self::from_le_bytes(Field::take(input))
            }
        }
    )+};
}

integer_fields!(u8, u16, u32, u64);

/// Defines a structure of the manual. Each field is preceded by its offset.
macro_rules! structure {
    (
        $(#[$meta:meta])*
        $name:ident: size $size:literal, align $align:literal {
            $($(#[$field_meta:meta])* $offset:literal $field:ident: $type:ty,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[repr(C, align($align))]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)+
        }

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $size;

            /// The structure with all bytes zero.
            pub const ZERO: Self = Self {
                $($field: <$type as $crate::sgx::wire::Field>::ZERO,)+
            };

            /// Returns the bytes, as the processor has them in memory.
            #[must_use]
            pub fn to_bytes(&self) -> [u8; $size] {
                let mut bytes = [0; $size];
                $crate::sgx::wire::Field::put(self, &mut bytes.as_mut_slice());
                bytes
            }

            /// Reads the structure. Every sequence of bytes is one; reserved bytes are kept as they are.
            #[must_use]
            pub fn from_bytes(bytes: &[u8; $size]) -> Self {
                $crate::sgx::wire::Field::take(&mut bytes.as_slice())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::ZERO
            }
        }

        impl $crate::sgx::wire::Field for $name {
            const ZERO: Self = Self::ZERO;

            fn put(&self, out: &mut &mut [u8]) {
                $($crate::sgx::wire::Field::put(&self.$field, out);)+
            }

            fn take(input: &mut &[u8]) -> Self {
                Self { $($field: $crate::sgx::wire::Field::take(input),)+ }
            }
        }

        const _: () = {
            assert!(size_of::<$name>() == $size, "the manual's size");
            assert!(align_of::<$name>() == $align, "the alignment named here");
            assert!(0 $(+ size_of::<$type>())+ == $size, "no hidden padding");
            $(assert!(core::mem::offset_of!($name, $field) == $offset, "the manual's offset");)+
        };
    };
}

/// Defines a set of flags in one integer.
macro_rules! bits {
    (
        $(#[$meta:meta])*
        $name:ident: $integer:ty {
            $($(#[$bit_meta:meta])* $bit:ident = $value:expr;)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
        #[repr(transparent)]
        pub struct $name($integer);

        impl $name {
            /// No bit.
            pub const EMPTY: Self = Self(0);
            $($(#[$bit_meta])* pub const $bit: Self = Self($value);)+
            /// Every bit that has a name here.
            pub const NAMED: Self = Self(0 $(| $value)+);

            /// The set with these bits, named or not.
            #[must_use]
            pub const fn from_bits(bits: $integer) -> Self {
                Self(bits)
            }

            /// The bits.
            #[must_use]
            pub const fn bits(self) -> $integer {
                self.0
            }

            /// The bits of both.
            #[must_use]
            pub const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// The bits of `self` that are not in `other`.
            #[must_use]
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// Whether all of `other`'s bits are here.
            #[must_use]
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Whether any of `other`'s bits is here.
            #[must_use]
            pub const fn intersects(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }
        }

        impl core::ops::BitOr for $name {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                self.union(other)
            }
        }

        impl core::ops::BitAnd for $name {
            type Output = Self;

            fn bitand(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }
        }

        impl $crate::sgx::wire::Field for $name {
            const ZERO: Self = Self::EMPTY;

            fn put(&self, out: &mut &mut [u8]) {
                $crate::sgx::wire::Field::put(&self.0, out);
            }

            fn take(input: &mut &[u8]) -> Self {
                Self($crate::sgx::wire::Field::take(input))
            }
        }
    };
}
