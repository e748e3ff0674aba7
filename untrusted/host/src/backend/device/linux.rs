//! What the operating system offers: kernel, driver, rights, attestation service.

use std::os::unix::fs::{FileTypeExt, MetadataExt as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::fs::{Access as Right, StatVfsMountFlags};

use super::kernel::Kernel;
use super::seam::SgxDevice as _;

/// The operating system's part of SGX.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Linux {
    /// The kernel's release, as it names itself.
    pub release: String,
    /// Major and minor number in it.
    pub version: Option<(u32, u32)>,
    /// `/dev/sgx_enclave`: creates enclaves.
    pub enclave_device: Access,
    /// `/dev/sgx_provision`: not needed if AESM makes the quotes.
    pub provision_device: Access,
    /// Whether the file system that holds the devices forbids executable mappings (mount option `noexec`).
    pub devices_noexec: bool,
    /// The group that the enclave device belongs to.
    pub enclave_group: Option<String>,
    /// Whether everything that this process can read it could also execute (READ_IMPLIES_EXEC): the kernel treats a program
    /// with an executable stack so.
    pub executable_data: bool,
    /// Whether the kernel's vDSO has the function that enters enclaves.
    pub vdso: bool,
    /// Whether AESM, Intel's service that signs quotes, answers on its socket.
    pub aesm: bool,
}

/// What this process may do with a device.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// There is no such device.
    Absent,
    /// It is there, and this user may not open it.
    Denied,
    /// It can be opened for reading and writing.
    Granted,
}

impl Linux {
    /// Asks this system.
    #[must_use]
    pub fn detect() -> Self {
        let release = rustix::system::uname()
            .release()
            .to_string_lossy()
            .into_owned();
        let noexec = |path| {
            rustix::fs::statvfs(path)
                .is_ok_and(|stat| stat.f_flag.contains(StatVfsMountFlags::NOEXEC))
        };
        Self {
            version: version(&release),
            release,
            enclave_device: access(Path::new(ENCLAVE_DEVICE)),
            provision_device: access(Path::new(PROVISION_DEVICE)),
            devices_noexec: noexec(DEVICES),
            enclave_group: group_of(Path::new(ENCLAVE_DEVICE)),
            executable_data: std::fs::read_to_string(PERSONALITY)
                .is_ok_and(|text| reads_imply_execution(&text)),
            vdso: Kernel.entry().is_ok(),
            aesm: UnixStream::connect(AESM_SOCKET).is_ok(),
        }
    }
}

/// Looks without opening: opening the device can start a microcode update.
fn access(path: &Path) -> Access {
    let is_device = path
        .metadata()
        .is_ok_and(|metadata| metadata.file_type().is_char_device());
    if !is_device {
        Access::Absent
    } else if rustix::fs::access(path, Right::READ_OK | Right::WRITE_OK).is_ok() {
        Access::Granted
    } else {
        Access::Denied
    }
}

/// The name of a file's group, if it has one.
fn group_of(path: &Path) -> Option<String> {
    let number = path.metadata().ok()?.gid();
    let groups = std::fs::read_to_string(GROUPS).ok()?;
    let of_number =
        |line: &&str| line.split(':').nth(2).and_then(|n| n.parse().ok()) == Some(number);
    let name = groups.lines().find(of_number)?.split(':').next()?;
    Some(name.to_owned())
}

/// Reads a process's personality as `/proc` shows it: a hexadecimal number.
fn reads_imply_execution(text: &str) -> bool {
    const READ_IMPLIES_EXEC: u32 = 0x0040_0000;
    u32::from_str_radix(text.trim(), 16).is_ok_and(|bits| bits & READ_IMPLIES_EXEC != 0)
}

/// "6.1.0-18-amd64" is 6.1.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

pub(super) const ENCLAVE_DEVICE: &str = "/dev/sgx_enclave";
const PROVISION_DEVICE: &str = "/dev/sgx_provision";
const DEVICES: &str = "/dev";
const GROUPS: &str = "/etc/group";
const PERSONALITY: &str = "/proc/self/personality";
const AESM_SOCKET: &str = "/var/run/aesmd/aesm.socket";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_begins_with_the_version() {
        assert_eq!(version("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(version("6.14-rc3"), Some((6, 14)));
        assert_eq!(version("5"), None);
        assert_eq!(version("unknown"), None);
    }

    #[test]
    fn a_personality_is_a_hexadecimal_number() {
        assert!(reads_imply_execution("00400000\n"));
        assert!(!reads_imply_execution("00000000\n"));
        assert!(!reads_imply_execution("what"));
    }

    #[test]
    fn the_group_of_a_file_is_looked_up() {
        assert_eq!(group_of(Path::new("/etc/passwd")).as_deref(), Some("root"));
        assert_eq!(group_of(Path::new("/no such file")), None);
    }

    #[test]
    fn only_a_character_device_is_a_device() {
        assert_eq!(access(Path::new("/dev/null")), Access::Granted);
        assert_eq!(access(Path::new("/dev/no such device")), Access::Absent);
        assert_eq!(access(Path::new("/proc/self/status")), Access::Absent);
    }
}
