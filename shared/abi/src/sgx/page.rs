//! Pages: their types, permissions and the operands that describe them (SECINFO, PAGEINFO).

bits! {
    /// What may be done with a page (SECINFO.FLAGS bits 0 to 2, and the EPCM's R, W, X).
    Permissions: u8 {
        /// The page can be read.
        R = 1;
        /// The page can be written. The processor refuses W without R.
        W = 2;
        /// The page can be executed.
        X = 4;
    }
}

impl Permissions {
    /// Read and write.
    pub const RW: Self = Self::R.union(Self::W);
    /// Read and execute.
    pub const RX: Self = Self::R.union(Self::X);
    /// Everything: an enclave with such a page could rewrite its own code.
    pub const RWX: Self = Self::NAMED;
}

/// The type of a page (PAGE_TYPE). Manual, "Page Type".
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum PageKind {
    /// The enclave's control structure.
    Secs = 0,
    /// A thread's control structure.
    Tcs = 1,
    /// Code or data.
    Reg = 2,
    /// Version array, used when pages are swapped out.
    Va = 3,
    /// About to be removed.
    Trim = 4,
    /// First page of a shadow stack.
    SsFirst = 5,
    /// Another page of a shadow stack.
    SsRest = 6,
}

impl TryFrom<u8> for PageKind {
    type Error = u8;

    /// Returns the number itself if it names no page type.
    fn try_from(number: u8) -> Result<Self, u8> {
        Ok(match number {
            0 => Self::Secs,
            1 => Self::Tcs,
            2 => Self::Reg,
            3 => Self::Va,
            4 => Self::Trim,
            5 => Self::SsFirst,
            6 => Self::SsRest,
            _ => return Err(number),
        })
    }
}

bits! {
    /// SECINFO.FLAGS. Manual, "SECINFO.FLAGS".
    SecInfoFlags: u64 {
        /// Readable.
        R = 1;
        /// Writable.
        W = 1 << 1;
        /// Executable.
        X = 1 << 2;
        /// Added by EAUG, not yet accepted.
        PENDING = 1 << 3;
        /// Its type was changed by EMODT, not yet accepted.
        MODIFIED = 1 << 4;
        /// Its permissions were restricted by EMODPR, not yet accepted.
        PR = 1 << 5;
        /// The page type.
        PAGE_TYPE = 0xff << 8;
    }
}

structure! {
    /// SECINFO: what a page is to be, or must be. Manual, "Security Information (SECINFO)".
    SecInfo: size 64, align 64 {
        /// Permissions, states and type.
        0 flags: SecInfoFlags,
        /// Zero.
        8 reserved: [u8; 56],
    }
}

impl SecInfo {
    /// A page of this type and these permissions, in no pending state.
    #[must_use]
    pub const fn new(kind: PageKind, permissions: Permissions) -> Self {
        let flags = permissions.bits() as u64 | ((kind as u64) << 8);
        Self {
            flags: SecInfoFlags::from_bits(flags),
            ..Self::ZERO
        }
    }

    /// The same with more flags, for example [`SecInfoFlags::PENDING`].
    #[must_use]
    pub const fn with(self, flags: SecInfoFlags) -> Self {
        Self {
            flags: self.flags.union(flags),
            ..self
        }
    }

    /// The permissions.
    #[must_use]
    pub const fn permissions(&self) -> Permissions {
        let [low, ..] = self.flags.bits().to_le_bytes();
        Permissions::from_bits(low & Permissions::RWX.bits())
    }

    /// The page type.
    ///
    /// # Errors
    /// The number, if it names no type.
    pub fn kind(&self) -> Result<PageKind, u8> {
        let [_, kind, ..] = self.flags.bits().to_le_bytes();
        PageKind::try_from(kind)
    }
}

structure! {
    /// PAGEINFO: the operand of ECREATE, EADD and EAUG. Manual, "Page Information (PAGEINFO)".
    PageInfo: size 32, align 32 {
        /// LINADDR: address inside the enclave.
        0 linear_address: u64,
        /// SRCPGE: address of the contents.
        8 source_page: u64,
        /// SECINFO: address of the [`SecInfo`].
        16 sec_info: u64,
        /// SECS: address of the enclave's SECS.
        24 secs: u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secinfo_gives_back_what_it_was_made_of() {
        let info = SecInfo::new(PageKind::Reg, Permissions::RX).with(SecInfoFlags::PENDING);
        assert_eq!(info.flags.bits(), 0x20d);
        assert_eq!(info.kind(), Ok(PageKind::Reg));
        assert_eq!(info.permissions(), Permissions::RX);
        assert_eq!(SecInfo::from_bytes(&info.to_bytes()), info);
    }

    #[test]
    fn bits_without_a_name_survive_the_byte_image() {
        let info = SecInfo::from_bytes(&[0xff; 64]);
        assert_eq!(info.to_bytes(), [0xff; 64]);
        assert_eq!(info.kind(), Err(0xff));
    }
}
