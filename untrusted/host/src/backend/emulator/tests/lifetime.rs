//! What an enclave takes from the process, it gives back.

use std::fs;

use super::guest::op;
use super::support::{SIZE, platform, secs, start, start_with};

/// Address ranges and open files of this process. Other tests run at the same time and have enclaves of their own, so
/// only what lies in the given range is counted.
fn mappings_in(base: u64, len: u64) -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines()
        .filter_map(|line| line.split_once('-'))
        .filter_map(|(start, _)| u64::from_str_radix(start, 16).ok())
        .filter(|start| (base - 4096..base + len).contains(start))
        .count()
}

#[test]
fn a_dropped_enclave_leaves_no_mapping() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    guest.call(0, op::NOTHING, [0; 4]);
    let base = guest.base;
    assert!(mappings_in(base, SIZE) > 3);
    drop(guest);
    assert_eq!(mappings_in(base, SIZE), 0);
}

#[test]
fn an_enclave_of_64_gib_costs_address_space_only() {
    let platform = platform(|_| ());
    let secs = twine_abi::sgx::Secs {
        size: 1 << 36,
        ..secs()
    };
    let guest = start_with(&platform, &secs, |_| ());
    guest.call(0, op::NOTHING, [0; 4]);
    assert_eq!(guest.base % (1 << 36), 0);
    let base = guest.base;
    drop(guest);
    assert_eq!(mappings_in(base, 1 << 36), 0);
}

/// One number of `/proc/self/statm`, in pages: the whole address space.
fn address_space() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').next().unwrap().parse().unwrap()
}

/// A thousand enclaves one after the other, each entered by a thread of its own, which gets a signal stack and gives it
/// back. In a process of their own, so that nothing else is counted.
#[test]
fn a_thousand_enclaves_and_threads_leak_neither_memory_nor_descriptors() {
    const NAME: &str = "a_thousand_enclaves_and_threads_leak_neither_memory_nor_descriptors";
    const ALONE: &str = "TWINE_EMULATOR_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args([NAME, "--test-threads=1"])
            .env(ALONE, "1")
            // One arena: another one would reserve 64 MiB of address space, which is what is measured here.
            .env("MALLOC_ARENA_MAX", "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        return;
    }
    let platform = platform(|_| ());
    let round = || {
        let guest = start(&platform);
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                guest.left(0, op::UD2, [0; 4]);
                guest.handle_and_resume(0);
            });
            // Joined, not only waited for: the stack of a thread that is still on its way out counts as grown.
            thread.join().unwrap();
        });
    };
    let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
    (0..20).for_each(|_| round());
    let (space, files) = (address_space(), descriptors());
    (0..1000).for_each(|_| round());
    assert_eq!(descriptors(), files);
    // The allocator may have taken a little more; a leak of one page for each enclave would be a thousand.
    let grown = address_space().saturating_sub(space);
    assert!(grown < 200, "{grown} pages");
}
