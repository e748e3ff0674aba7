//! KEYREQUEST: which key EGETKEY is to derive.

use super::Attributes;

/// KEYNAME. Manual, "Key Request KeyNames".
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u16)]
pub enum KeyName {
    /// Authenticates launch tokens.
    EinitToken = 0,
    /// Identifies the processor to its maker.
    Provision = 1,
    /// Seals what belongs to provisioning.
    ProvisionSeal = 2,
    /// Checks reports made for this enclave.
    Report = 3,
    /// Seals the enclave's data.
    Seal = 4,
}

impl TryFrom<u16> for KeyName {
    type Error = u16;

    /// Returns the number itself if it names no key.
    fn try_from(number: u16) -> Result<Self, u16> {
        Ok(match number {
            0 => Self::EinitToken,
            1 => Self::Provision,
            2 => Self::ProvisionSeal,
            3 => Self::Report,
            4 => Self::Seal,
            _ => return Err(number),
        })
    }
}

bits! {
    /// KEYPOLICY: what goes into the key besides what always does. Manual, "Key Request Policy".
    KeyPolicy: u16 {
        /// The key depends on MRENCLAVE.
        MRENCLAVE = 1;
        /// The key depends on MRSIGNER.
        MRSIGNER = 1 << 1;
        /// The key does not depend on ISVPRODID. Needs KSS.
        NOISVPRODID = 1 << 2;
        /// The key depends on CONFIGID and CONFIGSVN. Needs KSS.
        CONFIGID = 1 << 3;
        /// The key depends on ISVFAMILYID. Needs KSS.
        ISVFAMILYID = 1 << 4;
        /// The key depends on ISVEXTPRODID. Needs KSS.
        ISVEXTPRODID = 1 << 5;
    }
}

impl KeyPolicy {
    /// The policies that need the KSS attribute.
    pub const KSS: Self = Self::NOISVPRODID
        .union(Self::CONFIGID)
        .union(Self::ISVFAMILYID)
        .union(Self::ISVEXTPRODID);
}

structure! {
    /// KEYREQUEST: the operand of EGETKEY. Manual, "KEYREQUEST".
    KeyRequest: size 512, align 512 {
        /// KEYNAME: a [`KeyName`].
        0 key_name: u16,
        /// KEYPOLICY.
        2 key_policy: KeyPolicy,
        /// ISVSVN: at most the enclave's own.
        4 isv_svn: u16,
        /// CET_ATTRIBUTES_MASK.
        6 cet_attributes_mask: u8,
        /// Zero.
        7 reserved1: [u8; 1],
        /// CPUSVN: at most the processor's own.
        8 cpu_svn: [u8; 16],
        /// ATTRIBUTEMASK: the attributes that the key depends on.
        24 attribute_mask: Attributes,
        /// KEYID: to diversify the key.
        40 key_id: [u8; 32],
        /// MISCMASK: the bits of MISCSELECT that the key depends on.
        72 misc_mask: u32,
        /// CONFIGSVN: at most the enclave's own.
        76 config_svn: u16,
        /// Zero.
        78 reserved2: [u8; 434],
    }
}
