//! The two SGX instructions' leaf numbers, the error codes they return in RAX, and the exceptions they raise.

/// Defines an enumeration with the manual's names and a checked way back from the number.
macro_rules! numbers {
    (
        $(#[$meta:meta])*
        $name:ident: $integer:ty {
            $($(#[$variant_meta:meta])* $variant:ident = $number:literal $text:literal;)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[repr($integer)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_meta])* $variant = $number,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name in the manual.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl TryFrom<$integer> for $name {
            type Error = $integer;

            /// Returns the number itself if it names nothing.
            fn try_from(number: $integer) -> Result<Self, $integer> {
                match number {
                    $($number => Ok(Self::$variant),)+
                    _ => Err(number),
                }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

numbers! {
    /// Leaves of ENCLS, the privileged instruction. Manual, "Supervisor Instructions for SGX".
    Encls: u32 {
        /// Creates an enclave.
        Create = 0x00 "ECREATE";
        /// Adds a page to an enclave that is being built.
        Add = 0x01 "EADD";
        /// Finishes an enclave.
        Init = 0x02 "EINIT";
        /// Removes a page.
        Remove = 0x03 "EREMOVE";
        /// Measures 256 bytes of a page.
        Extend = 0x06 "EEXTEND";
        /// Starts a tracking cycle.
        Track = 0x0c "ETRACK";
        /// Adds a page to a finished enclave.
        Aug = 0x0d "EAUG";
        /// Restricts the permissions of a page.
        ModPr = 0x0e "EMODPR";
        /// Changes the type of a page.
        ModT = 0x0f "EMODT";
    }
}

numbers! {
    /// Leaves of ENCLU, the user instruction. Manual, "User Instructions for SGX".
    Enclu: u32 {
        /// Makes a report.
        Report = 0 "EREPORT";
        /// Derives a key.
        GetKey = 1 "EGETKEY";
        /// Enters an enclave.
        Enter = 2 "EENTER";
        /// Enters again where an asynchronous exit left.
        Resume = 3 "ERESUME";
        /// Leaves the enclave.
        Exit = 4 "EEXIT";
        /// Accepts what the host did to a page.
        Accept = 5 "EACCEPT";
        /// Extends the permissions of a page.
        ModPe = 6 "EMODPE";
        /// Accepts a page and fills it.
        AcceptCopy = 7 "EACCEPTCOPY";
    }
}

numbers! {
    /// Error codes in RAX. Manual, "Information and Error Codes".
    ErrorCode: u32 {
        /// No error.
        Success = 0 "SGX_SUCCESS";
        /// SIGSTRUCT contains a bad value.
        InvalidSigStruct = 1 "SGX_INVALID_SIG_STRUCT";
        /// The attributes do not match SIGSTRUCT, or are not allowed.
        InvalidAttribute = 2 "SGX_INVALID_ATTRIBUTE";
        /// The page is blocked already.
        BlkState = 3 "SGX_BLKSTATE";
        /// MRENCLAVE is not what SIGSTRUCT says.
        InvalidMeasurement = 4 "SGX_INVALID_MEASUREMENT";
        /// The page cannot be blocked.
        NotBlockable = 5 "SGX_NOTBLOCKABLE";
        /// There is no such page.
        PgInvld = 6 "SGX_PG_INVLD";
        /// Another instruction is using the page.
        EpcPageConflict = 7 "SGX_EPC_PAGE_CONFLICT";
        /// The signature of SIGSTRUCT is wrong.
        InvalidSignature = 8 "SGX_INVALID_SIGNATURE";
        /// An authentication tag is wrong.
        MacCompareFail = 9 "SGX_MAC_COMPARE_FAIL";
        /// The page is not blocked.
        PageNotBlocked = 10 "SGX_PAGE_NOT_BLOCKED";
        /// Tracking is not complete: a processor may still hold an old translation.
        NotTracked = 11 "SGX_NOT_TRACKED";
        /// The version array's slot is in use.
        VaSlotOccupied = 12 "SGX_VA_SLOT_OCCUPIED";
        /// The enclave has pages still.
        ChildPresent = 13 "SGX_CHILD_PRESENT";
        /// A thread is inside the enclave.
        EnclaveAct = 14 "SGX_ENCLAVE_ACT";
        /// The epoch is locked.
        EntryEpochLocked = 15 "SGX_ENTRYEPOCH_LOCKED";
        /// The launch token is not valid.
        InvalidEinitToken = 16 "SGX_INVALID_EINITTOKEN";
        /// A tracking cycle is going on.
        PrevTrkIncmpl = 17 "SGX_PREV_TRK_INCMPL";
        /// The page is a SECS.
        PgIsSecs = 18 "SGX_PG_IS_SECS";
        /// The page is not what SECINFO says.
        PageAttributesMismatch = 19 "SGX_PAGE_ATTRIBUTES_MISMATCH";
        /// The page is in a state in which it cannot be changed.
        PageNotModifiable = 20 "SGX_PAGE_NOT_MODIFIABLE";
        /// The page cannot be read by a debugger.
        PageNotDebuggable = 21 "SGX_PAGE_NOT_DEBUGGABLE";
        /// CPUSVN is larger than the processor's, or not one.
        InvalidCpuSvn = 32 "SGX_INVALID_CPUSVN";
        /// ISVSVN (or CONFIGSVN) is larger than the enclave's.
        InvalidIsvSvn = 64 "SGX_INVALID_ISVSVN";
        /// An event came in while EINIT was working.
        UnmaskedEvent = 128 "SGX_UNMASKED_EVENT";
        /// There is no such key, or not for this enclave.
        InvalidKeyName = 256 "SGX_INVALID_KEYNAME";
    }
}

/// Exception vectors. Manual, volume 3A, "Protected-Mode Exceptions and Interrupts".
pub mod vector {
    /// #DE, divide error.
    pub const DE: u8 = 0;
    /// #DB, debug.
    pub const DB: u8 = 1;
    /// #BP, breakpoint.
    pub const BP: u8 = 3;
    /// #BR, bound range exceeded.
    pub const BR: u8 = 5;
    /// #UD, invalid opcode.
    pub const UD: u8 = 6;
    /// #GP, general protection.
    pub const GP: u8 = 13;
    /// #PF, page fault.
    pub const PF: u8 = 14;
    /// #MF, x87 floating-point error.
    pub const MF: u8 = 16;
    /// #AC, alignment check.
    pub const AC: u8 = 17;
    /// #XM, SIMD floating-point error.
    pub const XM: u8 = 19;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_names_itself_and_no_other_is_accepted() {
        for &code in ErrorCode::ALL {
            assert_eq!(ErrorCode::try_from(code as u32), Ok(code));
        }
        for &leaf in Enclu::ALL {
            assert_eq!(Enclu::try_from(leaf as u32), Ok(leaf));
        }
        assert_eq!(Enclu::try_from(8), Err(8));
        assert_eq!(ErrorCode::try_from(63), Err(63));
    }
}
