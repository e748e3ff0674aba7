//! What the device backend needs of a machine, whether it is there, and how to get it.

use super::linux::ENCLAVE_DEVICE;
use super::{Access, Machine};

/// One thing that a machine must have, or should.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Requirement {
    /// What it is.
    pub name: &'static str,
    /// Whether it is there.
    pub state: State,
    /// What was found, where there is more to say than yes or no.
    pub found: String,
    /// How to get it, if it is not there.
    pub remedy: String,
}

/// Whether a requirement is met.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// It is there.
    Met,
    /// It is not there, and only a later step (attestation) needs it.
    Optional,
    /// It is not there, and no enclave can run without it.
    Missing,
}

pub(super) fn of(machine: &Machine) -> Vec<Requirement> {
    let processor = processor(machine);
    let system = system(machine);
    processor
        .into_iter()
        .chain(system)
        .map(|row| Requirement {
            name: row.name,
            state: if row.met { State::Met } else { row.otherwise },
            found: row.found,
            remedy: row.remedy,
        })
        .collect()
}

/// A requirement before it is judged.
struct Row {
    name: &'static str,
    met: bool,
    otherwise: State,
    found: String,
    remedy: String,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            name: "",
            met: false,
            otherwise: State::Missing,
            found: String::new(),
            remedy: NEWER_PROCESSOR.into(),
        }
    }
}

fn processor(machine: &Machine) -> [Row; 10] {
    let cpu = &machine.cpu;
    // Without SGX there are no numbers, only zeros.
    let if_sgx = |number| if cpu.sgx { number } else { String::new() };
    [
        Row {
            name: "processor with SGX",
            met: cpu.sgx,
            remedy: format!(
                "{NEWER_PROCESSOR}; if this is one, its firmware hides SGX: {FIRMWARE}"
            ),
            ..Row::default()
        },
        Row {
            name: "SGX switched on",
            met: cpu.sgx1,
            remedy: FIRMWARE.into(),
            ..Row::default()
        },
        Row {
            name: "SGX2 (pages change while the enclave runs)",
            met: cpu.sgx2,
            ..Row::default()
        },
        Row {
            name: "flexible launch control",
            met: cpu.launch_control,
            remedy: "unlock the launch control registers in the firmware's set-up".into(),
            ..Row::default()
        },
        Row {
            name: "KSS (CONFIGID)",
            met: cpu.kss,
            ..Row::default()
        },
        Row {
            name: "EXINFO (faults reported by hardware)",
            met: cpu.exinfo,
            ..Row::default()
        },
        Row {
            name: "enclaves of 64 GiB address range",
            met: cpu.allows_enclave_len(),
            found: if_sgx(format!("2^{} bytes", cpu.enclave_len_max_log2)),
            ..Row::default()
        },
        Row {
            name: "AVX state in enclaves",
            met: cpu.allows_xfrm(),
            found: if_sgx(format!("XFRM {:#x}", cpu.xfrm)),
            ..Row::default()
        },
        Row {
            name: "protected memory (EPC)",
            met: cpu.epc_bytes > 0,
            found: if_sgx(format!("{} MiB", cpu.epc_bytes >> 20)),
            remedy: FIRMWARE.into(),
            ..Row::default()
        },
        Row {
            name: "AEX-Notify",
            met: cpu.aex_notify,
            otherwise: State::Optional,
            remedy: "comes with microcode of 2023 and newer; a defence that Twine does not use yet"
                .into(),
            ..Row::default()
        },
    ]
}

fn system(machine: &Machine) -> [Row; 8] {
    let linux = &machine.linux;
    let group = linux.enclave_group.as_deref().unwrap_or("sgx");
    [
        Row {
            name: "Linux 6.0 or newer",
            met: linux.version.is_some_and(|version| version >= (6, 0)),
            found: linux.release.clone(),
            remedy: "install a newer kernel with CONFIG_X86_SGX".into(),
            ..Row::default()
        },
        Row {
            name: ENCLAVE_DEVICE,
            met: linux.enclave_device != Access::Absent,
            found: describe(linux.enclave_device).into(),
            remedy: "boot a kernel with CONFIG_X86_SGX on a processor with SGX; in a container, pass the device through (--device /dev/sgx_enclave)".into(),
            ..Row::default()
        },
        Row {
            name: "permission to use it",
            met: linux.enclave_device == Access::Granted,
            found: describe(linux.enclave_device).into(),
            remedy: rights(group),
            ..Row::default()
        },
        Row {
            name: "/dev mounted without noexec",
            met: !linux.devices_noexec,
            remedy: "sudo mount -o remount,exec /dev".into(),
            ..Row::default()
        },
        Row {
            name: "a vDSO that enters enclaves",
            met: linux.vdso,
            remedy: "boot Linux 5.11 or newer with CONFIG_X86_SGX on a processor with SGX, and without `vdso=0`".into(),
            ..Row::default()
        },
        Row {
            name: "a program without executable stack",
            met: !linux.executable_data,
            remedy: "some library of the host program asks for an executable stack (`readelf -lW` shows GNU_STACK RWE), or the program runs under `setarch -X`: link with -z noexecstack".into(),
            ..Row::default()
        },
        Row {
            name: "AESM (signs quotes for remote attestation)",
            met: linux.aesm,
            otherwise: State::Optional,
            remedy: "install Intel's sgx-aesm-service and libsgx-aesm-quote-ex-plugin, and start aesmd".into(),
            ..Row::default()
        },
        Row {
            name: "/dev/sgx_provision",
            met: linux.provision_device == Access::Granted,
            otherwise: State::Optional,
            found: describe(linux.provision_device).into(),
            remedy: "only needed to make quotes without AESM: join the group `sgx_prv`".into(),
        },
    ]
}

/// How to get the right to use the device.
fn rights(group: &str) -> String {
    if group == "root" {
        return "the device belongs to root alone: install Intel's libsgx-enclave-common, whose udev rules make it the group `sgx`'s, or write one: KERNEL==\"sgx_enclave\", GROUP=\"sgx\", MODE=\"0660\"".into();
    }
    format!("join the device's group: sudo usermod -aG {group} $USER, then log in again")
}

const FIRMWARE: &str = "enable SGX in the firmware's set-up (\"SW Guard Extensions\", and memory for it, \"PRMRR\"); in a virtual machine, ask for a type with SGX";
const NEWER_PROCESSOR: &str =
    "needs an Intel Xeon of the third Scalable generation (Ice Lake, 2021) or newer";

const fn describe(access: Access) -> &'static str {
    match access {
        Access::Absent => "not there",
        Access::Denied => "no permission",
        Access::Granted => "yes",
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{Cpu, Linux};
    use super::*;

    pub(in super::super) fn good() -> Machine {
        Machine {
            cpu: Cpu {
                sgx: true,
                sgx1: true,
                sgx2: true,
                launch_control: true,
                kss: true,
                exinfo: true,
                aex_notify: false,
                enclave_len_max_log2: 56,
                xfrm: 0xe7,
                epc_bytes: 128 << 30,
            },
            linux: Linux {
                release: "6.1.0-18-amd64".into(),
                version: Some((6, 1)),
                enclave_device: Access::Granted,
                provision_device: Access::Denied,
                devices_noexec: false,
                enclave_group: Some("sgx".into()),
                executable_data: false,
                vdso: true,
                aesm: false,
            },
        }
    }

    #[test]
    fn a_machine_can_lack_what_only_attestation_needs() {
        assert_eq!(good().first_missing(), None);
    }

    #[test]
    fn the_processor_comes_before_the_driver() {
        let mut machine = good();
        machine.linux.enclave_device = Access::Absent;
        let missing = |machine: &Machine| machine.first_missing().map(|missing| missing.name);
        assert_eq!(missing(&machine), Some("/dev/sgx_enclave"));
        machine.cpu.sgx2 = false;
        assert!(missing(&machine).is_some_and(|name| name.starts_with("SGX2")));
    }

    #[test]
    fn a_device_without_rights_is_reported_as_such() {
        let mut machine = good();
        machine.linux.enclave_device = Access::Denied;
        let missing = machine.first_missing().unwrap();
        assert_eq!(missing.name, "permission to use it");
        assert!(missing.remedy.contains("usermod -aG sgx"));
        machine.linux.enclave_group = Some("root".into());
        let missing = machine.first_missing().unwrap();
        assert!(missing.remedy.contains("udev"));
    }
}
