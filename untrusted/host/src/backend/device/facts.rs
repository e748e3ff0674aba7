//! Facts about a machine for a bug report: what somebody without it needs to know, and nothing about its owner. No names of
//! hosts, users or files of theirs are in it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::kernel::Kernel;
use super::seam::SgxDevice as _;
use super::{Cpu, Linux};

/// One fact.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fact {
    /// What it is about.
    pub name: &'static str,
    /// What was found; "none" if nothing was.
    pub value: String,
}

/// Collects them. Changes nothing and needs no rights.
pub(super) fn collect(cpu: &Cpu, linux: &Linux) -> Vec<Fact> {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let found = [
        ("twine", Some(env!("CARGO_PKG_VERSION").into())),
        ("processor", field(&cpuinfo, "model name", ":")),
        ("family, model, stepping", signature(&cpuinfo)),
        ("microcode", field(&cpuinfo, "microcode", ":")),
        ("processor flags", flags(&cpuinfo)),
        ("CPUID", Some(format!("{cpu:?}"))),
        ("machine", dmi(&["sys_vendor", "product_name"])),
        (
            "firmware",
            dmi(&["bios_vendor", "bios_version", "bios_date"]),
        ),
        ("distribution", distribution()),
        ("kernel", Some(linux.release.clone())),
        ("kernel configuration", configuration(&linux.release)),
        ("kernel parameters", parameters()),
        ("protected memory by node", nodes()),
        ("/dev", mount("/dev")),
        ("/dev/sgx_enclave", node("/dev/sgx_enclave")),
        ("/dev/sgx_provision", node("/dev/sgx_provision")),
        ("/dev/sgx_vepc", node("/dev/sgx_vepc")),
        ("groups of this process", status("Groups")),
        ("vDSO function", Some(entry())),
        ("personality", read("/proc/self/personality")),
        ("address space", limit("Max address space")),
        ("vm.max_map_count", read("/proc/sys/vm/max_map_count")),
        (
            "vm.overcommit_memory",
            read("/proc/sys/vm/overcommit_memory"),
        ),
        ("security modules", read("/sys/kernel/security/lsm")),
        (
            "AESM",
            Some(
                if linux.aesm {
                    "answers"
                } else {
                    "does not answer"
                }
                .into(),
            ),
        ),
        ("quote libraries", libraries()),
    ];
    let facts = found.into_iter().map(|(name, value)| Fact {
        name,
        value: value.unwrap_or_else(|| "none".into()),
    });
    facts.collect()
}

/// The value of the first line that begins with a name.
fn field(text: &str, name: &str, separator: &str) -> Option<String> {
    let mut lines = text.lines().filter_map(|line| line.split_once(separator));
    let (_, value) = lines.find(|(found, _)| found.trim() == name)?;
    Some(value.trim().to_owned())
}

fn signature(cpuinfo: &str) -> Option<String> {
    let of = |name| field(cpuinfo, name, ":");
    Some(format!(
        "{}, {}, {}",
        of("cpu family")?,
        of("model")?,
        of("stepping")?
    ))
}

/// Those flags that matter here.
fn flags(cpuinfo: &str) -> Option<String> {
    let all = field(cpuinfo, "flags", ":")?;
    let matters =
        |flag: &&str| flag.starts_with("sgx") || ["hypervisor", "avx", "fsgsbase"].contains(flag);
    let some: Vec<&str> = all.split_whitespace().filter(matters).collect();
    Some(some.join(" "))
}

fn dmi(names: &[&str]) -> Option<String> {
    let values = names
        .iter()
        .filter_map(|name| read(&format!("/sys/class/dmi/id/{name}")));
    let values: Vec<String> = values.collect();
    (!values.is_empty()).then(|| values.join(", "))
}

fn distribution() -> Option<String> {
    let text = fs::read_to_string("/etc/os-release").ok()?;
    field(&text, "PRETTY_NAME", "=").map(|name| name.trim_matches('"').to_owned())
}

/// What the kernel was built with, where the distribution leaves its configuration.
fn configuration(release: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/boot/config-{release}")).ok()?;
    let lines = text.lines().filter(|line| line.contains("CONFIG_X86_SGX"));
    let lines: Vec<&str> = lines.collect();
    Some(lines.join("; "))
}

/// Those words of the kernel's command line that matter here; the others are the owner's business.
fn parameters() -> Option<String> {
    let text = fs::read_to_string("/proc/cmdline").ok()?;
    let matters = [
        "nosgx",
        "vdso",
        "clearcpuid",
        "mitigations",
        "noexec",
        "nofsgsbase",
        "dis_ucode_ldr",
    ];
    let words = text
        .split_whitespace()
        .filter(|word| matters.iter().any(|name| word.starts_with(name)));
    let words: Vec<&str> = words.collect();
    (!words.is_empty()).then(|| words.join(" "))
}

fn nodes() -> Option<String> {
    let mut sizes = Vec::new();
    for number in 0..64 {
        let path = format!("/sys/devices/system/node/node{number}/x86/sgx_total_bytes");
        if let Some(bytes) = read(&path) {
            sizes.push(format!("{number}: {bytes}"));
        }
    }
    (!sizes.is_empty()).then(|| sizes.join(", "))
}

/// The options that a folder is mounted with.
fn mount(folder: &str) -> Option<String> {
    let text = fs::read_to_string("/proc/self/mounts").ok()?;
    let line = text
        .lines()
        .rfind(|line| line.split(' ').nth(1) == Some(folder))?;
    let mut words = line.split(' ').skip(2);
    Some(format!("{} {}", words.next()?, words.next()?))
}

/// Mode and owners of a device.
fn node(path: &str) -> Option<String> {
    let metadata = Path::new(path).metadata().ok()?;
    Some(format!(
        "mode {:o}, user {}, group {}",
        metadata.mode() & 0o7777,
        metadata.uid(),
        metadata.gid()
    ))
}

fn status(name: &str) -> Option<String> {
    field(&fs::read_to_string("/proc/self/status").ok()?, name, ":")
}

fn limit(name: &str) -> Option<String> {
    let text = fs::read_to_string("/proc/self/limits").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.to_owned())
}

fn entry() -> String {
    match Kernel.entry() {
        Ok(entry) => format!("there, ENCLU {} bytes in", entry.enclu - entry.function),
        Err(error) => error.to_string(),
    }
}

fn libraries() -> Option<String> {
    let folders = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib64",
        "/opt/intel/sgxpsw/aesm",
    ];
    let names = [
        "libsgx_dcap_ql.so.1",
        "libsgx_quote_ex.so.1",
        "libdcap_quoteprov.so.1",
        "libsgx_urts.so",
    ];
    let found = |name: &&&str| {
        folders
            .iter()
            .any(|folder| Path::new(folder).join(name).exists())
    };
    let there: Vec<&str> = names.iter().filter(found).copied().collect();
    (!there.is_empty()).then(|| there.join(", "))
}

fn read(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_found_in_what_linux_shows() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Some CPU @ 2.00GHz\nmodel\t\t: 106\ncpu family\t: 6\nstepping\t: 6\nflags\t\t: fpu avx sgx sgx_lc vme\n";
        assert_eq!(
            field(cpuinfo, "model name", ":").as_deref(),
            Some("Some CPU @ 2.00GHz")
        );
        assert_eq!(signature(cpuinfo).as_deref(), Some("6, 106, 6"));
        assert_eq!(flags(cpuinfo).as_deref(), Some("avx sgx sgx_lc"));
        assert_eq!(field(cpuinfo, "microcode", ":"), None);
    }

    #[test]
    fn a_report_says_nothing_of_the_owner() {
        let facts = collect(&Cpu::detect(), &Linux::detect());
        let host = rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned();
        let home = std::env::var("HOME").unwrap_or_default();
        for fact in &facts {
            let words = || fact.value.split([' ', ',', '/']);
            assert!(
                !words().any(|word| word == host && host.len() > 3),
                "{fact:?}"
            );
            assert!(home.len() < 4 || !fact.value.contains(&home), "{fact:?}");
        }
        assert!(
            facts
                .iter()
                .any(|fact| fact.name == "kernel" && fact.value != "none")
        );
    }
}
