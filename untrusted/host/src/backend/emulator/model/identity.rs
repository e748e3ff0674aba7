//! EREPORT: what the processor says about the enclave to another one on the same machine.
//!
//! Manual, "EREPORT". The tag is AES-128-CMAC under the target's report key, which the target derives by EGETKEY.

use aes::Aes128;
use cmac::{Cmac, KeyInit as _, Mac as _};
use twine_abi::sgx::{KeyName, Report, ReportBody, TargetInfo};

use super::Model;
use super::keys::Dependencies;
use super::processor::CPU_SVN;

impl Model {
    /// EREPORT.
    pub(in crate::backend::emulator) fn report(
        &self,
        target: &TargetInfo,
        report_data: [u8; 64],
    ) -> Report {
        let body = ReportBody {
            cpu_svn: CPU_SVN,
            misc_select: self.secs.misc_select,
            cet_attributes: self.secs.cet_attributes,
            isv_ext_prod_id: self.isv_ext_prod_id,
            attributes: self.secs.attributes,
            mr_enclave: self.secs.mr_enclave,
            mr_signer: self.secs.mr_signer,
            config_id: self.secs.config_id,
            isv_prod_id: self.secs.isv_prod_id,
            isv_svn: self.secs.isv_svn,
            config_svn: self.secs.config_svn,
            isv_family_id: self.isv_family_id,
            report_data,
            ..ReportBody::ZERO
        };
        let key_id = self.processor.report_key_id();
        let key = Dependencies {
            owner_epoch: self.processor.owner_epoch(),
            cpu_svn: CPU_SVN,
            attributes: target.attributes,
            misc_select: target.misc_select,
            mr_enclave: target.measurement,
            config_id: target.config_id,
            config_svn: target.config_svn,
            key_id,
            ..Dependencies::new(KeyName::Report)
        }
        .derive(&self.processor);
        let mut mac = Cmac::<Aes128>::new(&key.into());
        mac.update(&body.to_bytes());
        Report {
            body,
            key_id,
            mac: mac.finalize().into_bytes().into(),
        }
    }
}
