//! Who this enclave is, by the processor's word.

use twine_abi::sgx::{AttributeFlags, ReportBody, TargetInfo};

use crate::sync::Mutex;
use crate::{enclu, fatal};

/// This enclave's own report; `None` before [`establish`].
static REPORT: Mutex<Option<ReportBody>> = Mutex::new(None);

/// Asks the processor who this enclave is.
pub(crate) fn establish() {
    let body = enclu::report(&TargetInfo::ZERO, &[0; 64]).body;
    if body.attributes.flags.contains(AttributeFlags::DEBUG) {
        fatal::allow_messages();
    }
    *REPORT.lock() = Some(body);
}

/// This enclave's own report.
pub(crate) fn report() -> ReportBody {
    REPORT.lock().unwrap_or_else(|| {
        fatal::kill(format_args!(
            "the identity was asked for before it was known"
        ))
    })
}
