//! Intel's quoting library, `libsgx_dcap_ql`, in this process.
//!
//! For machines without AESM. The library loads the quoting enclave here, for which this user needs
//! `/dev/sgx_provision` (on many systems: the group `sgx_prv`).
#![expect(
    unsafe_code,
    reason = "a library of C, found when it is needed: its functions are called by their addresses"
)]

use std::path::{Path, PathBuf};

use libloading::{Library, Symbol};
use twine_abi::sgx::{Report, TargetInfo};

use super::{ErrorCode, QUOTE_LEN_MAX, QuoteError, QuoteSource, exactly};

/// The library's name, as the loader searches for it.
pub const LIBRARY: &str = "libsgx_dcap_ql.so.1";

/// The library, which is loaded when it is first asked.
#[derive(Debug)]
pub struct DcapQl {
    path: PathBuf,
}

impl DcapQl {
    /// The machine's own.
    #[must_use]
    pub fn new() -> Self {
        Self::at(LIBRARY)
    }

    /// The library in this file.
    ///
    /// # Security
    /// Its code runs in this process: name no file that others can write.
    #[must_use]
    pub fn at(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
        }
    }

    /// Loads the library, or finds it loaded.
    fn library(&self) -> Result<Library, QuoteError> {
        // SAFETY:
        // - Initialisers: they are Intel's, or those of a file that the caller named; `at` says what that means.
        unsafe { Library::new(&self.path) }.map_err(no_library)
    }
}

impl Default for DcapQl {
    fn default() -> Self {
        Self::new()
    }
}

impl QuoteSource for DcapQl {
    fn target_info(&self) -> Result<[u8; TargetInfo::LEN], QuoteError> {
        let library = self.library()?;
        // SAFETY:
        // - Type: `sgx_ql_dcap_wrapper.h` declares it so, for all versions of this name.
        let function: Symbol<'_, GetTargetInfo> =
            unsafe { library.get(b"sgx_qe_get_target_info") }.map_err(no_library)?;
        let mut target = TargetInfo::ZERO;
        // SAFETY:
        // - Pointer: to a TARGETINFO that is aligned as the processor wants it and that the function may write.
        let code = unsafe { function(&raw mut target) };
        succeeded("sgx_qe_get_target_info", code)?;
        Ok(target.to_bytes())
    }

    fn quote(&self, report: &[u8; Report::LEN]) -> Result<Vec<u8>, QuoteError> {
        let library = self.library()?;
        // SAFETY:
        // - Type: as in `target_info`.
        let get_size: Symbol<'_, GetQuoteSize> =
            unsafe { library.get(b"sgx_qe_get_quote_size") }.map_err(no_library)?;
        // SAFETY:
        // - Type: as in `target_info`.
        let get_quote: Symbol<'_, GetQuote> =
            unsafe { library.get(b"sgx_qe_get_quote") }.map_err(no_library)?;
        let mut size = 0;
        // SAFETY:
        // - Pointer: to an integer that the function may write.
        let code = unsafe { get_size(&raw mut size) };
        succeeded("sgx_qe_get_quote_size", code)?;
        let len = usize::try_from(size)
            .ok()
            .filter(|len| *len <= QUOTE_LEN_MAX)
            .ok_or(QuoteError::Protocol {
                service: LIBRARY,
                what: "a quote longer than 64 KiB",
            })?;
        let mut quote = vec![0; len];
        let report = Aligned(Report::from_bytes(report));
        // SAFETY:
        // - Report: a REPORT, aligned as the processor wants it, that outlives the call.
        // - Quote: `size` bytes that the function may write.
        let code = unsafe { get_quote(&raw const report.0, size, quote.as_mut_ptr()) };
        succeeded("sgx_qe_get_quote", code)?;
        exactly(LIBRARY, quote)
    }
}

/// `quote3_error_t sgx_qe_get_target_info(sgx_target_info_t *)`
type GetTargetInfo = unsafe extern "C" fn(*mut TargetInfo) -> u32;
/// `quote3_error_t sgx_qe_get_quote_size(uint32_t *)`
type GetQuoteSize = unsafe extern "C" fn(*mut u32) -> u32;
/// `quote3_error_t sgx_qe_get_quote(const sgx_report_t *, uint32_t, uint8_t *)`
type GetQuote = unsafe extern "C" fn(*const Report, u32, *mut u8) -> u32;

/// A REPORT where EREPORT would have put it.
#[repr(align(512))]
struct Aligned(Report);

fn succeeded(call: &'static str, code: u32) -> Result<(), QuoteError> {
    match code {
        0 => Ok(()),
        code => Err(QuoteError::Refused {
            call,
            code: ErrorCode::DcapQl(code),
        }),
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "an argument of `map_err` takes the error as it comes"
)]
fn no_library(error: libloading::Error) -> QuoteError {
    QuoteError::NoLibrary {
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// A library with these functions that does as its source says, compiled with `settings`.
    fn fake(settings: &[&str]) -> (tempfile::TempDir, DcapQl) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libfake.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/fake_dcap_ql.rs");
        let mut command = Command::new("rustc");
        command.args(["--crate-type", "cdylib", "--edition", "2024", source, "-o"]);
        command.arg(&path);
        for setting in settings {
            command.args(["--cfg", setting]);
        }
        assert!(command.status().unwrap().success());
        let library = DcapQl::at(path);
        (folder, library)
    }

    #[test]
    fn the_library_is_called_with_the_report_and_its_answer_is_cut_to_the_quote() {
        let (_folder, library) = fake(&[]);
        assert_eq!(library.target_info().unwrap(), [0x7a; 512]);
        let report: [u8; Report::LEN] = std::array::from_fn(|at| at.to_le_bytes()[0]);
        let quote = library.quote(&report).unwrap();
        assert_eq!(quote.len(), 436 + 100);
        assert_eq!(quote[48..432], report[..384]);
        assert_eq!(quote[436..], [0x3b; 100]);
    }

    #[test]
    fn refusals_have_names_and_lies_are_found_out() {
        let report = [0; Report::LEN];
        let (_folder, refusing) = fake(&["refusing"]);
        let text = refusing.target_info().unwrap_err().to_string();
        assert!(
            text.contains("SGX_QL_ENCLAVE_LOAD_ERROR (0xE016)"),
            "{text}"
        );
        let text = refusing.quote(&report).unwrap_err().to_string();
        assert!(text.contains("sgx_qe_get_quote_size was refused"), "{text}");
        assert!(text.contains("SGX_QL_NO_PLATFORM_CERT_DATA"), "{text}");
        assert!(text.contains("PCCS"), "{text}");
        let (_folder, lying) = fake(&["lying"]);
        let error = lying.quote(&report).unwrap_err();
        assert!(matches!(error, QuoteError::Protocol { .. }), "{error}");
    }

    #[test]
    fn a_library_that_is_not_there_or_is_another_one_is_named() {
        for path in ["/nowhere/libsgx_dcap_ql.so.1", "libc.so.6"] {
            let error = DcapQl::at(path).target_info().unwrap_err();
            assert!(error.is_absence(), "{error}");
            assert!(error.to_string().contains("libsgx-dcap-ql"), "{error}");
        }
    }
}
