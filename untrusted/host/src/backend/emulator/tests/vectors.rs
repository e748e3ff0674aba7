//! An enclave that others have built and signed: the one of the Linux kernel's own SGX test (with the signature that the
//! crate `sgx` carries; see `tests/data/README.md`). Its ENCLUs have no room for a jump, so all of them trap.

use std::sync::atomic::{AtomicU64, Ordering};

use twine_abi::sgx::{AttributeFlags, Attributes, PageKind, Permissions, SecInfo, Secs, Sigstruct};

use crate::backend::emulator::PAGE_BYTES;
use crate::backend::{Backend as _, Leaf, Left, Measure, Registers};

use super::support::{PAGE, platform};

const IMAGE: &[u8] = include_bytes!("../../../../tests/data/encl.bin");
const SIGSTRUCT: &[u8; Sigstruct::LEN] = include_bytes!("../../../../tests/data/encl.ss");

#[test]
fn the_kernels_test_enclave_is_accepted_and_runs() {
    let platform = platform(|_| ());
    let secs = Secs {
        size: (IMAGE.len() as u64).next_power_of_two(),
        ssa_frame_size: 1,
        attributes: Attributes {
            flags: AttributeFlags::MODE64BIT,
            xfrm: 3,
        },
        ..Secs::ZERO
    };
    let mut build = platform.emulator.create(&secs).unwrap();
    let (tcs, rest) = IMAGE.split_at(PAGE_BYTES);
    let thread = SecInfo::new(PageKind::Tcs, Permissions::EMPTY);
    let all = SecInfo::new(PageKind::Reg, Permissions::RWX);
    build.add_pages(0, tcs, thread, Measure::Contents).unwrap();
    build.add_pages(PAGE, rest, all, Measure::Contents).unwrap();
    let enclave = build.initialise(&Sigstruct::from_bytes(SIGSTRUCT)).unwrap();

    // It copies the word at RDI to RSI.
    let (from, to) = (AtomicU64::new(0x1122_3344_5566_7788), AtomicU64::new(0));
    let address = |word: &AtomicU64| word.as_ptr().expose_provenance() as u64;
    let mut registers = Registers {
        rdi: address(&from),
        rsi: address(&to),
        ..Registers::default()
    };
    let left = enclave.enter(0, Leaf::Enter, &mut registers).unwrap();
    assert_eq!(left, Left::Exited);
    assert_eq!(to.load(Ordering::SeqCst), from.load(Ordering::SeqCst));
}
