//! The driver's error numbers, in words that say what a person has to do.
//!
//! A number alone says little: EACCES on opening the device is a missing group, on mapping it an executable stack. So the
//! step decides, and where several causes remain, the machine is asked.

use std::io;
use std::sync::Arc;

use twine_abi::sgx::{ErrorCode, vector};

use super::{Machine, State};
use crate::backend::{BackendError, Leaf, Refusal};

/// A step of an enclave's life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Finding the vDSO's function.
    Entry,
    /// Opening the device.
    Open,
    /// Reserving the address range.
    Reserve,
    /// ECREATE.
    Create,
    /// EADD, EEXTEND.
    AddPages,
    /// EINIT.
    Initialise,
    /// Mapping the enclave.
    Map,
    /// EENTER, ERESUME.
    Enter,
    /// EMODPR.
    Restrict,
    /// EMODT.
    Retype,
    /// EREMOVE.
    Remove,
    /// EAUG before the enclave asks for it.
    Augment,
}

/// Knows the machine, for those cases in which it has to be asked.
#[derive(Clone)]
pub(super) struct Explain {
    detect: Arc<dyn Fn() -> Machine + Send + Sync>,
}

impl Explain {
    /// Asks this machine when there is a need.
    pub(super) fn this_machine() -> Self {
        Self::of(Machine::detect)
    }

    /// Asks another one.
    pub(super) fn of(detect: impl Fn() -> Machine + Send + Sync + 'static) -> Self {
        Self {
            detect: Arc::new(detect),
        }
    }

    /// What it means that a step failed.
    pub(super) fn error(&self, step: Step, error: &io::Error) -> BackendError {
        let number = error.raw_os_error().unwrap_or(0);
        match (step, number) {
            (Step::Entry, _) => self.unusable(
                error.to_string(),
                "boot Linux 5.11 or newer with CONFIG_X86_SGX, and without `vdso=0`",
            ),
            (Step::Open, libc::ENOENT | libc::ENODEV | libc::ENXIO) => {
                self.unusable("there is no SGX device".into(), LOOK_AT_DOCTOR)
            }
            (Step::Open, libc::EACCES | libc::EPERM) => self.unusable(
                "this user may not open /dev/sgx_enclave".into(),
                LOOK_AT_DOCTOR,
            ),
            (Step::Open, libc::EAGAIN | libc::EBUSY) => advice(
                "the kernel cannot open SGX at the moment (it is updating the microcode's security version)",
                "try again in a few seconds",
            ),
            (Step::Reserve, libc::ENOMEM) => advice(
                "the process may not reserve the enclave's address range",
                "lift the limit on address space (`ulimit -v unlimited`)",
            ),
            (Step::Create, libc::EIO | libc::EINVAL) => self.unusable(
                "the processor refuses an enclave with these features (ECREATE)".into(),
                LOOK_AT_DOCTOR,
            ),
            (Step::Create | Step::AddPages, libc::ENOMEM) => advice(
                "the machine has no protected memory (EPC) left",
                "end other enclaves, or give SGX more memory in the firmware's set-up (PRMRR)",
            ),
            (Step::AddPages, libc::EACCES) => advice(
                "the kernel refuses pages from memory that cannot be executed",
                "report this as a fault of Twine: it copies pages to memory of its own",
            ),
            // The driver's word for enclaves that lost their protected memory.
            (Step::AddPages | Step::Initialise, libc::EIO) => BackendError::Lost,
            (Step::Initialise, libc::EPERM) => refused("EINIT", EINIT_REFUSED),
            (Step::Initialise, libc::EACCES) => refused(
                "EINIT",
                "the enclave asks for the provisioning key without permission",
            ),
            (Step::Initialise, libc::EINVAL) => refused(
                "EINIT",
                "the SIGSTRUCT demands features that this processor or kernel has not",
            ),
            (Step::Map, libc::EACCES) => self.unusable(
                "the kernel refuses to map the enclave".into(),
                LOOK_AT_DOCTOR,
            ),
            (Step::Map, libc::EPERM) => self.unusable(
                "the kernel refuses to map the enclave as executable".into(),
                "sudo mount -o remount,exec /dev",
            ),
            (Step::Map, libc::ENOMEM) => advice(
                "the process has too many mappings",
                "raise vm.max_map_count (`sudo sysctl vm.max_map_count=262144`)",
            ),
            (Step::Restrict | Step::Retype | Step::Remove, libc::ENOTTY) => advice(
                "the kernel cannot change an enclave's pages",
                "boot Linux 6.0 or newer",
            ),
            (Step::Restrict | Step::Retype | Step::Remove, libc::ENODEV) => advice(
                "the processor cannot change an enclave's pages: it has no SGX2",
                "use an Intel Xeon of the third Scalable generation (Ice Lake, 2021) or newer",
            ),
            _ => BackendError::Os {
                what: what(step),
                source: io::Error::new(error.kind(), error.to_string()),
            },
        }
    }

    /// What it means that pages were not changed; `code` is what the instruction returned, if it was executed.
    pub(super) fn change(&self, step: Step, error: &io::Error, code: u64) -> BackendError {
        let leaf = match step {
            Step::Restrict => "EMODPR",
            Step::Retype => "EMODT",
            _ => "EREMOVE",
        };
        if code != 0 {
            let name = u32::try_from(code)
                .ok()
                .and_then(|code| ErrorCode::try_from(code).ok())
                .map_or("an unknown error", ErrorCode::name);
            let reason = Refusal::Code { code, name };
            return BackendError::Refused { leaf, reason };
        }
        match error.raw_os_error() {
            Some(libc::EINVAL) => refused(
                leaf,
                "the range, the permissions or the type is not allowed",
            ),
            Some(libc::EFAULT) => {
                refused(leaf, "a page is not there, or was changed and not accepted")
            }
            Some(libc::EPERM) => refused(leaf, "the enclave has not accepted the page's removal"),
            _ => self.error(step, error),
        }
    }

    /// The first thing that the machine lacks, or else what can be said in general.
    fn unusable(&self, problem: String, otherwise: &str) -> BackendError {
        let machine = (self.detect)();
        let missing = machine
            .requirements()
            .into_iter()
            .find(|requirement| requirement.state == State::Missing);
        match missing {
            Some(missing) => BackendError::Unusable {
                problem: format!("{problem}; missing: {}", missing.name),
                remedy: missing.remedy,
            },
            None => BackendError::Unusable {
                problem,
                remedy: otherwise.into(),
            },
        }
    }
}

/// The refusal of an instruction that would have entered.
pub(super) fn refused_entry(leaf: Leaf, vector: u8) -> BackendError {
    let name = match leaf {
        Leaf::Enter => "EENTER",
        Leaf::Resume => "ERESUME",
    };
    match vector {
        vector::GP => refused(name, "the TCS is busy or none, or has no SSA frame for it"),
        vector::UD => refused(name, "the processor does not know the instruction (#UD)"),
        _ => refused(name, "an exception that this instruction does not have"),
    }
}

fn refused(leaf: &'static str, rule: &'static str) -> BackendError {
    BackendError::Refused {
        leaf,
        reason: Refusal::GeneralProtection(rule),
    }
}

fn advice(problem: &str, remedy: &str) -> BackendError {
    BackendError::Unusable {
        problem: problem.into(),
        remedy: remedy.into(),
    }
}

const fn what(step: Step) -> &'static str {
    match step {
        Step::Entry => "finding the vDSO's function",
        Step::Open => "opening /dev/sgx_enclave",
        Step::Reserve => "reserving the enclave's addresses",
        Step::Create => "creating the enclave (ECREATE)",
        Step::AddPages => "adding pages to the enclave (EADD)",
        Step::Initialise => "finishing the enclave (EINIT)",
        Step::Map => "mapping the enclave",
        Step::Enter => "entering the enclave",
        Step::Restrict => "restricting pages (EMODPR)",
        Step::Retype => "changing the type of pages (EMODT)",
        Step::Remove => "removing pages (EREMOVE)",
        Step::Augment => "adding pages before the enclave accepts them (EAUG)",
    }
}

const LOOK_AT_DOCTOR: &str = "run `twine doctor`; if it finds nothing missing, attach `twine doctor --report` to a bug report";

/// EPERM covers all of EINIT's error codes; only the kernel's debug log tells them apart.
const EINIT_REFUSED: &str = "the SIGSTRUCT is not this image's, is not validly signed, or forbids these attributes \
     (SGX_INVALID_MEASUREMENT, SGX_INVALID_SIGNATURE or SGX_INVALID_ATTRIBUTE)";

#[cfg(test)]
mod tests {
    use super::super::requirement::tests::good;
    use super::super::{Access, Linux};
    use super::*;

    fn message(machine: Machine, step: Step, number: i32) -> String {
        let explain = Explain::of(move || machine.clone());
        explain
            .error(step, &io::Error::from_raw_os_error(number))
            .to_string()
    }

    fn linux(change: impl FnOnce(&mut Linux)) -> Machine {
        let mut machine = good();
        change(&mut machine.linux);
        machine
    }

    #[test]
    fn what_a_person_has_to_do_is_part_of_the_error() {
        let mut off = good();
        off.cpu.sgx1 = false;
        off.linux.enclave_device = Access::Absent;
        let mut old = good();
        old.cpu.kss = false;
        let cases: [(Machine, Step, i32, &str); 14] = [
            (off, Step::Open, libc::ENOENT, "firmware"),
            (
                linux(|l| l.enclave_device = Access::Denied),
                Step::Open,
                libc::EACCES,
                "usermod -aG sgx",
            ),
            (
                linux(|l| l.version = Some((5, 15))),
                Step::Create,
                libc::EIO,
                "newer kernel",
            ),
            (linux(|l| l.vdso = false), Step::Entry, 0, "vdso=0"),
            (
                linux(|l| l.executable_data = true),
                Step::Map,
                libc::EACCES,
                "executable stack",
            ),
            (
                linux(|l| l.devices_noexec = true),
                Step::Map,
                libc::EPERM,
                "remount,exec",
            ),
            (old, Step::Create, libc::EIO, "KSS"),
            (good(), Step::Open, libc::EAGAIN, "try again"),
            (good(), Step::Reserve, libc::ENOMEM, "ulimit -v"),
            (good(), Step::AddPages, libc::ENOMEM, "PRMRR"),
            (good(), Step::AddPages, libc::EIO, "gone"),
            (
                good(),
                Step::Initialise,
                libc::EPERM,
                "SGX_INVALID_MEASUREMENT",
            ),
            (good(), Step::Retype, libc::ENODEV, "SGX2"),
            (good(), Step::Remove, libc::ENOTTY, "Linux 6.0"),
        ];
        for (machine, step, number, expected) in cases {
            let message = message(machine, step, number);
            assert!(message.contains(expected), "{step:?} {number}: {message}");
        }
    }

    #[test]
    fn an_instructions_own_code_is_named() {
        let explain = Explain::of(good);
        let error = io::Error::from_raw_os_error(libc::EFAULT);
        let message = explain.change(Step::Restrict, &error, 20).to_string();
        assert!(
            message.contains("SGX_PAGE_NOT_MODIFIABLE (20)"),
            "{message}"
        );
        let message = explain.change(Step::Remove, &error, 0).to_string();
        assert!(message.contains("EREMOVE"), "{message}");
    }
}
