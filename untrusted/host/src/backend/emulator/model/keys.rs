//! EGETKEY: keys that depend on the processor and on what the enclave is.
//!
//! Manual, "EGETKEY", table "Key Derivation". A key is AES-CMAC, under the processor's secret, of everything it depends
//! on; what a key does not depend on enters as zero. Real processors derive in another way nobody knows, so the keys
//! differ; which fields make a difference does not.

use aes::Aes256;
use cmac::{Cmac, KeyInit as _, Mac as _};
use twine_abi::sgx::{
    AttributeFlags, Attributes, Digest, ErrorCode, KeyName, KeyPolicy, KeyRequest, MiscSelect,
};

use crate::backend::Refusal;

use super::processor::{CPU_SVN, Processor};
use super::{Model, code, require};

/// A key of 128 bits.
pub(in crate::backend::emulator) type Key = [u8; 16];

/// Attributes that every masked key depends on, whatever the mask says.
const ATTRIBUTES_REQUIRED: Attributes = Attributes {
    flags: AttributeFlags::INIT.union(AttributeFlags::DEBUG),
    xfrm: 0b11,
};

/// Everything a key can depend on.
#[derive(Clone, Copy)]
pub(super) struct Dependencies {
    pub(super) key_name: KeyName,
    pub(super) owner_epoch: [u8; 16],
    pub(super) cpu_svn: [u8; 16],
    pub(super) isv_svn: u16,
    pub(super) isv_prod_id: u16,
    pub(super) isv_family_id: [u8; 16],
    pub(super) isv_ext_prod_id: [u8; 16],
    pub(super) attributes: Attributes,
    pub(super) attribute_mask: Attributes,
    pub(super) misc_select: MiscSelect,
    pub(super) misc_mask: u32,
    pub(super) mr_enclave: Digest,
    pub(super) mr_signer: Digest,
    pub(super) config_id: [u8; 64],
    pub(super) config_svn: u16,
    pub(super) key_policy: KeyPolicy,
    pub(super) key_id: [u8; 32],
}

impl Dependencies {
    /// Nothing but the name.
    pub(super) const fn new(key_name: KeyName) -> Self {
        Self {
            key_name,
            owner_epoch: [0; 16],
            cpu_svn: [0; 16],
            isv_svn: 0,
            isv_prod_id: 0,
            isv_family_id: [0; 16],
            isv_ext_prod_id: [0; 16],
            attributes: Attributes::ZERO,
            attribute_mask: Attributes::ZERO,
            misc_select: MiscSelect::EMPTY,
            misc_mask: 0,
            mr_enclave: [0; 32],
            mr_signer: [0; 32],
            config_id: [0; 64],
            config_svn: 0,
            key_policy: KeyPolicy::EMPTY,
            key_id: [0; 32],
        }
    }

    /// Derives the key. All fields have a fixed length, so no two sets of dependencies give the same input.
    pub(super) fn derive(&self, processor: &Processor) -> Key {
        let mut mac = Cmac::<Aes256>::new(processor.secret().expose().into());
        mac.update(&(self.key_name as u16).to_le_bytes());
        mac.update(&self.owner_epoch);
        mac.update(&self.cpu_svn);
        mac.update(&self.isv_svn.to_le_bytes());
        mac.update(&self.isv_prod_id.to_le_bytes());
        mac.update(&self.isv_family_id);
        mac.update(&self.isv_ext_prod_id);
        mac.update(&self.attributes.to_bytes());
        mac.update(&self.attribute_mask.to_bytes());
        mac.update(&self.misc_select.bits().to_le_bytes());
        mac.update(&self.misc_mask.to_le_bytes());
        mac.update(&self.mr_enclave);
        mac.update(&self.mr_signer);
        mac.update(&self.config_id);
        mac.update(&self.config_svn.to_le_bytes());
        mac.update(&self.key_policy.bits().to_le_bytes());
        mac.update(&self.key_id);
        mac.finalize().into_bytes().into()
    }
}

impl Model {
    /// EGETKEY.
    pub(in crate::backend::emulator) fn key(&self, request: &KeyRequest) -> Result<Key, Refusal> {
        self.check_request(request)?;
        let Ok(name) = KeyName::try_from(request.key_name) else {
            return Err(code(ErrorCode::InvalidKeyName));
        };
        let dependencies = match name {
            KeyName::Report => self.report_key(request),
            KeyName::Seal => self.seal_key(request)?,
            KeyName::Provision | KeyName::ProvisionSeal => self.provision_key(name, request)?,
            KeyName::EinitToken => self.launch_key(request)?,
        };
        Ok(dependencies.derive(&self.processor))
    }

    fn check_request(&self, request: &KeyRequest) -> Result<(), Refusal> {
        require(
            request.reserved1 == [0] && request.reserved2 == [0; 434],
            "KEYREQUEST: a reserved field is not zero",
        )?;
        require(
            KeyPolicy::NAMED.contains(request.key_policy),
            "KEYREQUEST.KEYPOLICY: a reserved bit is set",
        )?;
        let kss = self.secs.attributes.flags.contains(AttributeFlags::KSS);
        require(
            kss || !request.key_policy.intersects(KeyPolicy::KSS),
            "KEYREQUEST.KEYPOLICY asks for what needs KSS",
        )
    }

    fn report_key(&self, request: &KeyRequest) -> Dependencies {
        Dependencies {
            owner_epoch: self.processor.owner_epoch(),
            cpu_svn: CPU_SVN,
            attributes: self.secs.attributes,
            misc_select: self.secs.misc_select,
            mr_enclave: self.secs.mr_enclave,
            config_id: self.secs.config_id,
            config_svn: self.secs.config_svn,
            key_id: request.key_id,
            ..Dependencies::new(KeyName::Report)
        }
    }

    fn seal_key(&self, request: &KeyRequest) -> Result<Dependencies, Refusal> {
        let policy = request.key_policy;
        let mut key = self.versioned_key(KeyName::Seal, request)?;
        key.owner_epoch = self.processor.owner_epoch();
        key.key_policy = policy;
        key.key_id = request.key_id;
        if policy.contains(KeyPolicy::MRENCLAVE) {
            key.mr_enclave = self.secs.mr_enclave;
        }
        if policy.contains(KeyPolicy::MRSIGNER) {
            key.mr_signer = self.secs.mr_signer;
        }
        if policy.contains(KeyPolicy::NOISVPRODID) {
            key.isv_prod_id = 0;
        }
        if policy.contains(KeyPolicy::CONFIGID) {
            key.config_id = self.secs.config_id;
            key.config_svn = request.config_svn;
        }
        if policy.contains(KeyPolicy::ISVFAMILYID) {
            key.isv_family_id = self.isv_family_id;
        }
        if policy.contains(KeyPolicy::ISVEXTPRODID) {
            key.isv_ext_prod_id = self.isv_ext_prod_id;
        }
        Ok(key)
    }

    fn provision_key(&self, name: KeyName, request: &KeyRequest) -> Result<Dependencies, Refusal> {
        self.check_right(AttributeFlags::PROVISIONKEY)?;
        let mut key = self.versioned_key(name, request)?;
        key.mr_signer = self.secs.mr_signer;
        Ok(key)
    }

    fn launch_key(&self, request: &KeyRequest) -> Result<Dependencies, Refusal> {
        self.check_right(AttributeFlags::EINITTOKENKEY)?;
        let mut key = self.versioned_key(KeyName::EinitToken, request)?;
        key.owner_epoch = self.processor.owner_epoch();
        key.mr_signer = self.secs.mr_signer;
        key.key_id = request.key_id;
        Ok(key)
    }

    fn check_right(&self, right: AttributeFlags) -> Result<(), Refusal> {
        if self.secs.attributes.flags.contains(right) {
            Ok(())
        } else {
            Err(code(ErrorCode::InvalidAttribute))
        }
    }

    /// What all keys but the report key have in common: versions that can be older than the current ones but not newer,
    /// and masked attributes.
    fn versioned_key(&self, name: KeyName, request: &KeyRequest) -> Result<Dependencies, Refusal> {
        let is_older = request
            .cpu_svn
            .iter()
            .zip(CPU_SVN)
            .all(|(&asked, own)| asked <= own);
        if !is_older {
            return Err(code(ErrorCode::InvalidCpuSvn));
        }
        if request.isv_svn > self.secs.isv_svn || request.config_svn > self.secs.config_svn {
            return Err(code(ErrorCode::InvalidIsvSvn));
        }
        let mask = Attributes {
            flags: request.attribute_mask.flags | ATTRIBUTES_REQUIRED.flags,
            xfrm: request.attribute_mask.xfrm | ATTRIBUTES_REQUIRED.xfrm,
        };
        Ok(Dependencies {
            cpu_svn: request.cpu_svn,
            isv_svn: request.isv_svn,
            isv_prod_id: self.secs.isv_prod_id,
            attributes: self.secs.attributes.masked(mask),
            attribute_mask: request.attribute_mask,
            misc_select: self.secs.misc_select & MiscSelect::from_bits(request.misc_mask),
            misc_mask: request.misc_mask,
            ..Dependencies::new(name)
        })
    }
}
