//! What the processor says about SGX. Manual, "CPUID", leaves 07H and 12H.

use std::arch::x86_64::{__cpuid_count, CpuidResult};

use twine_abi::layout::{ENCLAVE_LEN, XFRM};

/// The processor's SGX features, as CPUID reports them to this process.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Cpu {
    /// SGX exists. It may still be switched off by the firmware.
    pub sgx: bool,
    /// SGX1: switched on, enclaves can be created.
    pub sgx1: bool,
    /// SGX2: pages can be added, removed and changed while an enclave runs.
    pub sgx2: bool,
    /// SGX_LC: the operating system may launch enclaves of any signer (flexible launch control).
    pub launch_control: bool,
    /// KSS: CONFIGID and CONFIGSVN.
    pub kss: bool,
    /// EXINFO: page faults are reported to the enclave by hardware.
    pub exinfo: bool,
    /// AEX-Notify: enclaves can be told of asynchronous exits. Not needed.
    pub aex_notify: bool,
    /// Base-2 logarithm of the largest enclave in 64-bit mode.
    pub enclave_len_max_log2: u8,
    /// Parts of the processor's state that an enclave may have (XFRM).
    pub xfrm: u64,
    /// Bytes of protected memory (EPC), all sections together.
    pub epc_bytes: u64,
}

impl Cpu {
    /// Asks this processor.
    #[must_use]
    pub fn detect() -> Self {
        Self::from_cpuid(cpuid)
    }

    /// Whether it is known that an enclave of Twine's size fits.
    #[must_use]
    pub fn allows_enclave_len(&self) -> bool {
        1_u64
            .checked_shl(self.enclave_len_max_log2.into())
            .is_some_and(|len| len >= ENCLAVE_LEN)
    }

    /// Whether an enclave may have the processor state that Twine's image uses.
    #[must_use]
    pub const fn allows_xfrm(&self) -> bool {
        self.xfrm & XFRM == XFRM
    }

    fn from_cpuid(cpuid: impl Fn(u32, u32) -> CpuidResult) -> Self {
        if cpuid(0, 0).eax < LEAF_SGX {
            return Self::default();
        }
        let features = cpuid(LEAF_FEATURES, 0);
        let sgx = bit(features.ebx, 2);
        let launch_control = bit(features.ecx, 30);
        if !sgx {
            return Self::default();
        }
        let capabilities = cpuid(LEAF_SGX, 0);
        let attributes = cpuid(LEAF_SGX, 1);
        let [_, enclave_len_max_log2, ..] = capabilities.edx.to_le_bytes();
        Self {
            sgx,
            sgx1: bit(capabilities.eax, 0),
            sgx2: bit(capabilities.eax, 1),
            launch_control,
            kss: bit(attributes.eax, 7),
            exinfo: bit(capabilities.ebx, 0),
            aex_notify: bit(attributes.eax, 10),
            enclave_len_max_log2,
            xfrm: u64::from(attributes.edx) << 32 | u64::from(attributes.ecx),
            epc_bytes: epc_bytes(cpuid),
        }
    }
}

/// Adds up the EPC sections: subleaves 2 and up, until one is invalid.
fn epc_bytes(cpuid: impl Fn(u32, u32) -> CpuidResult) -> u64 {
    (FIRST_EPC_SUBLEAF..FIRST_EPC_SUBLEAF + EPC_SECTIONS_MAX)
        .map(|subleaf| cpuid(LEAF_SGX, subleaf))
        .take_while(|section| section.eax & 0xf == 1)
        .map(|section| {
            let high = u64::from(section.edx & 0x000f_ffff) << 32;
            high | u64::from(section.ecx & 0xffff_f000)
        })
        .fold(0, u64::saturating_add)
}

const fn bit(word: u32, number: u32) -> bool {
    word >> number & 1 == 1
}

fn cpuid(leaf: u32, subleaf: u32) -> CpuidResult {
    __cpuid_count(leaf, subleaf)
}

const LEAF_FEATURES: u32 = 0x07;
const LEAF_SGX: u32 = 0x12;
const FIRST_EPC_SUBLEAF: u32 = 2;

/// More than any machine has sockets; a bound in case CPUID is nonsense.
const EPC_SECTIONS_MAX: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: CpuidResult = CpuidResult {
        eax: 0,
        ebx: 0,
        ecx: 0,
        edx: 0,
    };

    /// An Ice Lake server with two sockets of 64 GiB EPC each.
    fn ice_lake(leaf: u32, subleaf: u32) -> CpuidResult {
        let [eax, ebx, ecx, edx] = match (leaf, subleaf) {
            (0, _) => [0x1b, 0, 0, 0],
            (7, 0) => [0, 1 << 2, 1 << 30, 0],
            (0x12, 0) => [0b11, 1, 0, 0x381f],
            (0x12, 1) => [0x00b6, 0, 0xe7, 0],
            (0x12, 2 | 3) => [0x1, 0x10, 0x1, 0x10],
            _ => [0; 4],
        };
        CpuidResult { eax, ebx, ecx, edx }
    }

    #[test]
    fn a_server_with_sgx2_is_recognised() {
        let cpu = Cpu::from_cpuid(ice_lake);
        assert!(cpu.sgx1 && cpu.sgx2 && cpu.launch_control && cpu.kss && cpu.exinfo);
        assert!(cpu.allows_enclave_len() && cpu.allows_xfrm());
        assert!(!cpu.aex_notify);
        assert_eq!(cpu.epc_bytes, 128 << 30);
    }

    #[test]
    fn a_processor_without_the_leaf_or_the_feature_has_nothing() {
        assert_eq!(Cpu::from_cpuid(|_, _| NOTHING), Cpu::default());
        let old = |leaf, subleaf| match leaf {
            0 => CpuidResult {
                eax: 0xd,
                ..NOTHING
            },
            _ => ice_lake(leaf, subleaf),
        };
        assert_eq!(Cpu::from_cpuid(old), Cpu::default());
        let off = |leaf, subleaf| match leaf {
            7 => NOTHING,
            _ => ice_lake(leaf, subleaf),
        };
        assert_eq!(Cpu::from_cpuid(off), Cpu::default());
    }

    #[test]
    fn nonsense_from_cpuid_ends() {
        let ones = |_, _| CpuidResult {
            eax: u32::MAX,
            ebx: u32::MAX,
            ecx: u32::MAX,
            edx: u32::MAX,
        };
        let cpu = Cpu::from_cpuid(ones);
        assert_eq!(cpu.epc_bytes, 0, "0xf is no valid section type");
        assert!(!cpu.allows_enclave_len(), "2 to the 255th is no length");
    }
}
