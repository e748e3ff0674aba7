//! The emulated processor: what it supports, its security version, and the secret that stands for its fuses.

use std::fmt;
use std::sync::Arc;

use aes::Aes256;
use cmac::{Cmac, KeyInit as _, Mac as _};
use twine_abi::layout::PAGE_LEN;
use twine_abi::sgx::{AttributeFlags, Attributes, ExInfo, GprSgx, MiscSelect};
use zeroize::Zeroizing;

/// CPUSVN of every emulated processor: text, so that nobody takes it for a real one.
pub(in crate::backend::emulator) const CPU_SVN: [u8; 16] = *b"SIMULATED-CPUSVN";

/// Largest enclave, as `CPUID.(EAX=12H,ECX=0):EDX[15:8]` reports it on the processors Twine asks for: 2^36 bytes.
pub(super) const ENCLAVE_LEN_MAX: u64 = 1 << 36;

/// Attributes the emulated processor offers. CET and AEX-Notify are not emulated.
const ATTRIBUTES: AttributeFlags = AttributeFlags::DEBUG
    .union(AttributeFlags::MODE64BIT)
    .union(AttributeFlags::PROVISIONKEY)
    .union(AttributeFlags::EINITTOKENKEY)
    .union(AttributeFlags::KSS);

/// x87 and SSE state, which every enclave has.
const XFRM_LEGACY: u64 = 0b11;
/// AVX state.
const XFRM_AVX: u64 = 1 << 2;

/// Legacy region and header of an XSAVE area.
const XSAVE_LEGACY_LEN: usize = 576;
/// The same with the AVX component.
const XSAVE_AVX_LEN: usize = 832;

/// The secret from which all keys of the emulated processor are derived. Not `Clone`, not printed.
pub(in crate::backend::emulator) struct PlatformSecret([u8; 32]);

impl PlatformSecret {
    pub(in crate::backend::emulator) const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// For key derivation only.
    pub(super) const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// 256 bits for a key of the processor's simulated maker. NIST SP 800-108, counter mode, with AES-CMAC.
    pub(in crate::backend::emulator) fn seed(
        &self,
        label: &str,
        attempt: u8,
    ) -> Zeroizing<[u8; 32]> {
        let mut seed = Zeroizing::new([0; 32]);
        for (counter, half) in (1..).zip(seed.as_chunks_mut::<16>().0) {
            let mut mac = Cmac::<Aes256>::new((&self.0).into());
            // What an enclave's key is derived from begins with a key's number: five small ones, none of them "SI".
            mac.update(b"SIMULATED maker's key");
            mac.update(&[counter, attempt]);
            mac.update(label.as_bytes());
            *half = mac.finalize().into_bytes().into();
        }
        seed
    }
}

impl fmt::Debug for PlatformSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlatformSecret(..)")
    }
}

/// A processor. Enclaves on the same one can check each other's reports.
#[derive(Clone, Debug)]
pub(in crate::backend::emulator) struct Processor {
    secret: Arc<PlatformSecret>,
    owner_epoch: [u8; 16],
    report_key_id: [u8; 32],
}

impl Processor {
    /// A processor with these fuses, as it is after power-on: `report_key_id` is random, and the owner epoch zero, which
    /// is what a machine has whose owner never set one.
    pub(in crate::backend::emulator) fn new(
        secret: PlatformSecret,
        report_key_id: [u8; 32],
    ) -> Self {
        Self {
            secret: secret.into(),
            owner_epoch: [0; 16],
            report_key_id,
        }
    }

    pub(super) const fn owner_epoch(&self) -> [u8; 16] {
        self.owner_epoch
    }

    pub(super) const fn report_key_id(&self) -> [u8; 32] {
        self.report_key_id
    }

    pub(in crate::backend::emulator) fn secret(&self) -> &PlatformSecret {
        &self.secret
    }

    /// Whether an enclave may ask for these attributes. INIT is the processor's to set.
    pub(super) fn supports(&self, attributes: Attributes) -> bool {
        let xfrm = attributes.xfrm;
        let has_state = xfrm & XFRM_AVX == 0 || std::is_x86_feature_detected!("avx");
        has_state
            && ATTRIBUTES.contains(attributes.flags)
            && attributes.flags.contains(AttributeFlags::MODE64BIT)
            && (xfrm == XFRM_LEGACY || xfrm == XFRM_LEGACY | XFRM_AVX)
    }

    /// What MISCSELECT may ask for.
    pub(super) fn misc_select(&self) -> MiscSelect {
        MiscSelect::EXINFO
    }

    /// Pages that an SSA frame needs at least.
    pub(super) fn ssa_frame_pages(&self, attributes: Attributes, misc: MiscSelect) -> u64 {
        let misc_len = if misc.contains(MiscSelect::EXINFO) {
            ExInfo::LEN
        } else {
            0
        };
        let len = xsave_len(attributes.xfrm) + misc_len + GprSgx::LEN;
        (len as u64).div_ceil(PAGE_LEN)
    }
}

/// Length of the XSAVE area at the start of an SSA frame.
pub(in crate::backend::emulator) const fn xsave_len(xfrm: u64) -> usize {
    if xfrm & XFRM_AVX == 0 {
        XSAVE_LEGACY_LEN
    } else {
        XSAVE_AVX_LEN
    }
}
