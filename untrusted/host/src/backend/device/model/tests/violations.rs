//! Every rule of the driver, broken once by a loader made for it: the model must notice, say which rule it was, and answer
//! with the driver's error number.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use twine_abi::sgx::{
    AttributeFlags, MiscSelect, PageKind, Permissions, SecInfo, SecInfoFlags, Tcs,
};

use crate::backend::device::kernel::Reservation;
use crate::backend::device::operand::PageBuffer;
use crate::backend::device::seam::Request;
use crate::backend::device::uapi::{Create, Init, ModifyTypes, RemovePages, RestrictPermissions};
use crate::backend::emulator::tests::support::{DATA, FREE, SIZE, TCS};

use super::support::{Loader, PAGE, sigstruct};

/// What a wrong loader does last.
type Wrong = fn(&Loader) -> io::Result<()>;

/// No memory is ever there.
const NOWHERE: u64 = 0x10;
/// Passed with a note: the kernel does not look, or only later.
const NONE: i32 = 0;

fn restrict(
    offset: u64,
    change: impl FnOnce(&mut RestrictPermissions),
) -> impl FnOnce(&Loader) -> io::Result<()> {
    let mut operand = RestrictPermissions {
        offset,
        length: PAGE,
        permissions: 1,
        result: 0,
        count: 0,
    };
    change(&mut operand);
    move |loader| {
        loader
            .file
            .request(Request::RestrictPermissions(&mut operand))
    }
}

fn modify(
    offset: u64,
    change: impl FnOnce(&mut ModifyTypes),
) -> impl FnOnce(&Loader) -> io::Result<()> {
    let mut operand = ModifyTypes {
        offset,
        length: PAGE,
        page_type: PageKind::Trim as u64,
        result: 0,
        count: 0,
    };
    change(&mut operand);
    move |loader| loader.file.request(Request::ModifyTypes(&mut operand))
}

fn remove(
    offset: u64,
    change: impl FnOnce(&mut RemovePages),
) -> impl FnOnce(&Loader) -> io::Result<()> {
    let mut operand = RemovePages {
        offset,
        length: PAGE,
        count: 0,
    };
    change(&mut operand);
    move |loader| loader.file.request(Request::RemovePages(&mut operand))
}

const CREATE: &[(&str, i32, Wrong)] = &[
    ("CREATE: once for a file", libc::EINVAL, |l| {
        l.create(|_| ())?;
        l.create(|_| ())
    }),
    ("CREATE: src leads to a SECS", libc::EFAULT, |l| {
        l.file
            .request(Request::Create(&mut Create { src: NOWHERE }))
    }),
    ("CREATE: SIZE is a power of two", libc::EINVAL, |l| {
        l.create(|s| s.size -= PAGE)
    }),
    ("CREATE: BASEADDR is a multiple of SIZE", libc::EIO, |l| {
        l.create(|s| s.base += PAGE)
    }),
    ("CREATE: the address range is reserved", libc::EIO, |l| {
        l.create(|s| s.base = std::ptr::from_ref(l).addr() as u64 / SIZE * SIZE)
    }),
    (
        "CREATE: ECREATE was refused: #GP(0), SECS.ATTRIBUTES asks",
        libc::EIO,
        |l| l.create(|s| s.attributes.flags = s.attributes.flags | AttributeFlags::INIT),
    ),
    (
        "SECS.ATTRIBUTES asks for what the processor does not offer",
        libc::EIO,
        |l| {
            l.create(|s| s.attributes.flags = s.attributes.flags.without(AttributeFlags::MODE64BIT))
        },
    ),
    ("SECS.ATTRIBUTES asks", libc::EIO, |l| {
        l.create(|s| s.attributes.xfrm = 0xe7)
    }),
    ("SECS.MISCSELECT asks", libc::EIO, |l| {
        l.create(|s| s.misc_select = MiscSelect::CPINFO)
    }),
    ("SECS.SSAFRAMESIZE is too small", libc::EIO, |l| {
        l.create(|s| s.ssa_frame_size = 0)
    }),
    (
        "SECS.CONFIGID or SECS.CONFIGSVN without KSS",
        libc::EIO,
        |l| l.create(|s| s.attributes.flags = s.attributes.flags.without(AttributeFlags::KSS)),
    ),
    ("a field of SECS that is reserved", libc::EIO, |l| {
        l.create(|s| s.reserved4[7] = 1)
    }),
    (
        "a field of SECS that is reserved or the processor's own",
        libc::EIO,
        |l| l.create(|s| s.mr_enclave[0] = 1),
    ),
];

const ADD_PAGES: &[(&str, i32, Wrong)] = &[
    (
        "ADD_PAGES: after CREATE and before INIT",
        libc::EINVAL,
        |l| l.add(|_, _| ()).1,
    ),
    (
        "ADD_PAGES: after CREATE and before INIT",
        libc::EINVAL,
        |l| {
            l.complete();
            l.add(|_, _| ()).1
        },
    ),
    ("ADD_PAGES: src is a page's address", libc::EINVAL, |l| {
        created(l).add(|o, _| o.src += 1).1
    }),
    ("ADD_PAGES: offset is a page's", libc::EINVAL, |l| {
        created(l).add(|o, _| o.offset += 64).1
    }),
    ("ADD_PAGES: length is not zero", libc::EINVAL, |l| {
        created(l).add(|o, _| o.length = 0).1
    }),
    ("ADD_PAGES: length is whole pages", libc::EINVAL, |l| {
        created(l).add(|o, _| o.length += 256).1
    }),
    (
        "ADD_PAGES: the range does not wrap around",
        libc::EINVAL,
        |l| created(l).add(|o, _| o.length = 0_u64.wrapping_sub(PAGE)).1,
    ),
    (
        "ADD_PAGES: the range lies in the enclave",
        libc::EINVAL,
        |l| created(l).add(|o, _| o.offset = SIZE).1,
    ),
    ("ADD_PAGES: secinfo leads to a SECINFO", libc::EFAULT, |l| {
        created(l).add(|o, _| o.secinfo = NOWHERE).1
    }),
    ("SECINFO: the type is REG or TCS", libc::EINVAL, |l| {
        created(l).add(|_, i| kind(i, PageKind::Va)).1
    }),
    ("SECINFO: the type is REG or TCS", libc::EINVAL, |l| {
        created(l).add(|_, i| kind(i, PageKind::Secs)).1
    }),
    ("SECINFO: W needs R", libc::EINVAL, |l| {
        created(l)
            .add(|_, i| i.flags = i.flags.without(SecInfoFlags::R))
            .1
    }),
    ("SECINFO: a TCS has no permissions", libc::EINVAL, |l| {
        created(l).add(|_, i| kind(i, PageKind::Tcs)).1
    }),
    ("SECINFO: no reserved flag", libc::EINVAL, |l| {
        created(l)
            .add(|_, i| i.flags = i.flags | SecInfoFlags::PENDING)
            .1
    }),
    ("SECINFO: no reserved flag", libc::EINVAL, |l| {
        created(l)
            .add(|_, i| i.flags = i.flags | SecInfoFlags::from_bits(1 << 20))
            .1
    }),
    ("SECINFO: reserved bytes are zero", libc::EINVAL, |l| {
        created(l).add(|_, i| i.reserved[55] = 1).1
    }),
    ("ADD_PAGES: each page once", libc::EBUSY, |l| {
        created(l).add(|_, _| ()).1?;
        l.add(|_, _| ()).1
    }),
    ("ADD_PAGES: src leads to memory", libc::EFAULT, |l| {
        created(l).add(|o, _| o.src = 0).1
    }),
    ("ADD_PAGES: src leads to all contents", libc::EFAULT, |l| {
        // The reservation is mapped without access: its own addresses cannot be read.
        created(l).add(|o, _| o.src = l.place.base()).1
    }),
    ("ADD_PAGES: src may be executed", libc::EACCES, |l| {
        // A program's own code is a file.
        let folder = std::env::current_exe()?.parent().map(Into::into);
        *l.model.world.lock(&l.model.world.noexec) = folder;
        let code = (page_of_code as fn(&Loader) as *const ()).addr() as u64;
        created(l).add(|o, _| o.src = code / PAGE * PAGE).1
    }),
    ("ADD_PAGES: flags have no bit without a name", NONE, |l| {
        created(l).add(|o, _| o.flags |= 2).1
    }),
    (
        "ADD_PAGES: no mapping allows more than the page is added for",
        NONE,
        |l| {
            created(l)
                .file
                .map(&l.place, FREE, PAGE, Permissions::RWX)?;
            l.add(|_, _| ()).1
        },
    ),
    ("EADD was refused: #GP(0), TCS: OSSA", libc::EIO, |l| {
        let tcs = Tcs {
            ossa: 64,
            ..Tcs::ZERO
        };
        let page = PageBuffer::of(&tcs.to_bytes());
        let added = created(l).add(|o, i| {
            kind(i, PageKind::Tcs);
            i.flags = i.flags.without(SecInfoFlags::from_bits(7));
            o.src = page.address();
        });
        added.1
    }),
];

const INIT: &[(&str, i32, Wrong)] = &[
    ("INIT: after CREATE, once", libc::EINVAL, |l| {
        l.init_with(&sigstruct())
    }),
    ("INIT: after CREATE, once", libc::EINVAL, |l| {
        l.complete();
        l.init_with(&sigstruct())
    }),
    ("INIT: sigstruct leads to a SIGSTRUCT", libc::EFAULT, |l| {
        created(l)
            .file
            .request(Request::Init(&mut Init { sigstruct: NOWHERE }))
    }),
    ("INIT: VENDOR is 0 or 0x8086", libc::EINVAL, |l| {
        filled(l).init(|s| s.vendor = 1)
    }),
    ("INIT: SIGSTRUCT demands no attribute", libc::EINVAL, |l| {
        filled(l).init(|s| s.attributes.flags = s.attributes.flags | AttributeFlags::CET)
    }),
    ("INIT: SIGSTRUCT demands no MISCSELECT", libc::EINVAL, |l| {
        filled(l).init(|s| s.misc_select = MiscSelect::from_bits(3))
    }),
    ("INIT: SIGSTRUCT demands no XFRM", libc::EINVAL, |l| {
        filled(l).init(|s| s.attributes.xfrm = 0xe7)
    }),
    (
        "INIT: no privileged attribute without PROVISION",
        libc::EACCES,
        |l| {
            l.create(|s| s.attributes.flags = s.attributes.flags | AttributeFlags::PROVISIONKEY)?;
            l.init(|_| ())
        },
    ),
    ("SGX_INVALID_MEASUREMENT", libc::EPERM, |l| {
        created(l).init_with(&sigstruct())
    }),
    ("SGX_INVALID_MEASUREMENT", libc::EPERM, |l| {
        filled(l).add(|o, _| o.flags = 0).1?;
        l.init_with(&sigstruct())
    }),
    ("SGX_INVALID_SIGNATURE", libc::EPERM, |l| {
        let mut other = sigstruct();
        other.isv_svn += 1;
        filled(l).init_with(&other)
    }),
    ("SGX_INVALID_SIG_STRUCT", libc::EPERM, |l| {
        filled(l).init(|s| s.reserved3[0] = 1)
    }),
    ("SGX_INVALID_ATTRIBUTE", libc::EPERM, |l| {
        filled(l).init(|s| s.attributes.flags = s.attributes.flags | AttributeFlags::DEBUG)
    }),
];

const MAP: &[(&str, i32, Wrong)] = &[
    ("mmap: there is an enclave to map", libc::EINVAL, |l| {
        l.file.map(&l.place, 0, PAGE, Permissions::R)
    }),
    (
        "mmap: inside the enclave's address range",
        libc::EACCES,
        |l| {
            let elsewhere = Reservation::new(SIZE)?;
            created(l).file.map(&elsewhere, 0, PAGE, Permissions::R)
        },
    ),
    (
        "mmap: no more than each page was added for",
        libc::EACCES,
        |l| filled(l).file.map(&l.place, DATA, PAGE, Permissions::RWX),
    ),
    (
        "mmap: no more than each page was added for",
        libc::EACCES,
        |l| filled(l).file.map(&l.place, TCS[0], PAGE, Permissions::RX),
    ),
    ("mmap: whole pages of the reservation", libc::EINVAL, |l| {
        created(l).file.map(&l.place, SIZE, PAGE, Permissions::R)
    }),
    ("mmap: whole pages of the reservation", libc::EINVAL, |l| {
        created(l).file.map(&l.place, 0, 100, Permissions::R)
    }),
];

const MANAGE: &[(&str, i32, Wrong)] = &[
    ("RESTRICT_PERMISSIONS: after INIT", libc::EINVAL, |l| {
        restrict(DATA, |_| ())(filled(l))
    }),
    ("MODIFY_TYPES: after INIT", libc::EINVAL, |l| {
        modify(DATA, |_| ())(filled(l))
    }),
    ("REMOVE_PAGES: after INIT", libc::EINVAL, |l| {
        remove(DATA, |_| ())(filled(l))
    }),
    (
        "RESTRICT_PERMISSIONS: the processor has SGX2",
        libc::ENODEV,
        |l| {
            *l.model.world.lock(&l.model.world.without_sgx2) = true;
            restrict(DATA, |_| ())(complete(l))
        },
    ),
    (
        "RESTRICT_PERMISSIONS: permissions are R, W, X",
        libc::EINVAL,
        |l| restrict(DATA, |o| o.permissions = 9)(complete(l)),
    ),
    ("RESTRICT_PERMISSIONS: W needs R", libc::EINVAL, |l| {
        restrict(DATA, |o| o.permissions = 2)(complete(l))
    }),
    ("RESTRICT_PERMISSIONS: result is zero", libc::EINVAL, |l| {
        restrict(DATA, |o| o.result = 1)(complete(l))
    }),
    ("RESTRICT_PERMISSIONS: count is zero", libc::EINVAL, |l| {
        restrict(DATA, |o| o.count = PAGE)(complete(l))
    }),
    (
        "RESTRICT_PERMISSIONS: the range lies in the enclave",
        libc::EINVAL,
        |l| restrict(DATA, |o| o.length = SIZE)(complete(l)),
    ),
    ("RESTRICT_PERMISSIONS: there is a page", libc::EFAULT, |l| {
        restrict(FREE, |_| ())(complete(l))
    }),
    ("RESTRICT_PERMISSIONS: a page is REG", libc::EINVAL, |l| {
        restrict(TCS[0], |_| ())(complete(l))
    }),
    ("RESTRICT_PERMISSIONS: a page is REG", libc::EINVAL, |l| {
        modify(DATA, |_| ())(complete(l))?;
        restrict(DATA, |_| ())(l)
    }),
    ("MODIFY_TYPES: page_type is a byte", libc::EINVAL, |l| {
        modify(DATA, |o| o.page_type = 0x104)(complete(l))
    }),
    (
        "MODIFY_TYPES: page_type is TCS or TRIM",
        libc::EINVAL,
        |l| modify(DATA, |o| o.page_type = PageKind::Reg as u64)(complete(l)),
    ),
    ("MODIFY_TYPES: result is zero", libc::EINVAL, |l| {
        modify(DATA, |o| o.result = 20)(complete(l))
    }),
    ("MODIFY_TYPES: count is zero", libc::EINVAL, |l| {
        modify(DATA, |o| o.count = 1)(complete(l))
    }),
    ("MODIFY_TYPES: there is a page", libc::EFAULT, |l| {
        modify(FREE, |_| ())(complete(l))
    }),
    ("MODIFY_TYPES: offset is a page's", libc::EINVAL, |l| {
        modify(DATA + 8, |_| ())(complete(l))
    }),
    (
        "MODIFY_TYPES: REG becomes TCS or TRIM, TCS becomes TRIM",
        libc::EINVAL,
        |l| modify(TCS[0], |o| o.page_type = PageKind::Tcs as u64)(complete(l)),
    ),
    (
        "MODIFY_TYPES: REG becomes TCS or TRIM, TCS becomes TRIM",
        libc::EINVAL,
        |l| {
            modify(DATA, |_| ())(complete(l))?;
            modify(DATA, |_| ())(l)
        },
    ),
    (
        "MODIFY_TYPES: a page that becomes a TCS was added for R and W",
        libc::EPERM,
        |l| modify(0, |o| o.page_type = PageKind::Tcs as u64)(complete(l)),
    ),
    ("EAUG: after INIT", libc::EFAULT, |l| touch(filled(l), FREE)),
    ("EAUG: where the enclave is mapped", libc::EFAULT, |l| {
        touch(complete(l), DATA)
    }),
    ("EAUG: offset is a page's", libc::EINVAL, |l| {
        touch(complete(l), FREE + 8)
    }),
    ("REMOVE_PAGES: count is zero", libc::EINVAL, |l| {
        remove(DATA, |o| o.count = PAGE)(complete(l))
    }),
    ("REMOVE_PAGES: there is a page", libc::EFAULT, |l| {
        remove(FREE, |_| ())(complete(l))
    }),
    ("REMOVE_PAGES: length is not zero", libc::EINVAL, |l| {
        remove(DATA, |o| o.length = 0)(complete(l))
    }),
    ("REMOVE_PAGES: a page is TRIM", libc::EPERM, |l| {
        remove(DATA, |_| ())(complete(l))
    }),
    (
        "REMOVE_PAGES: the enclave has accepted the removal",
        libc::EPERM,
        |l| {
            modify(DATA, |_| ())(complete(l))?;
            remove(DATA, |_| ())(l)
        },
    ),
];

fn touch(loader: &Loader, offset: u64) -> io::Result<()> {
    loader.file.touch(&loader.place, offset, PAGE).map(|_| ())
}

fn created(loader: &Loader) -> &Loader {
    loader.create(|_| ()).unwrap();
    loader
}

fn filled(loader: &Loader) -> &Loader {
    created(loader).fill();
    loader
}

fn complete(loader: &Loader) -> &Loader {
    loader.complete();
    loader
}

fn kind(info: &mut SecInfo, kind: PageKind) {
    let rest = info.flags.without(SecInfoFlags::PAGE_TYPE);
    info.flags = rest | SecInfoFlags::from_bits((kind as u64) << 8);
}

/// Something whose address lies in this program's code.
fn page_of_code(_: &Loader) {}

#[test]
fn every_rule_of_the_driver_is_enforced() {
    let tables = [CREATE, ADD_PAGES, INIT, MAP, MANAGE];
    let mut rows = 0;
    for (rule, number, wrong) in tables.into_iter().flatten() {
        let loader = Loader::open();
        let record = loader.model.record();
        let result = wrong(&loader);
        let violations = record.violations();
        let got = result.err().and_then(|error| error.raw_os_error());
        assert_eq!(got.unwrap_or(NONE), *number, "{rule}: {violations:?}");
        assert!(
            matches!(&violations[..], [only] if only.contains(rule)),
            "{rule}: {violations:?}"
        );
        rows += 1;
    }
    assert!(rows >= 84, "{rows} rules");
}

#[test]
fn a_loader_that_keeps_the_rules_breaks_none() {
    let loader = Loader::open();
    let record = loader.model.record();
    loader.complete();
    restrict(DATA, |_| ())(&loader).unwrap();
    modify(DATA + PAGE, |_| ())(&loader).unwrap();
    assert_eq!(record.violations(), Vec::<String>::new());
}

#[test]
fn an_instruction_that_refuses_is_told_by_its_code() {
    let loader = Loader::open();
    loader.complete();
    let mut operand = RestrictPermissions {
        offset: DATA,
        length: 2 * PAGE,
        permissions: 1,
        result: 0,
        count: 0,
    };
    // The second page is about to be removed, which the enclave has not accepted.
    modify(DATA + PAGE, |_| ())(&loader).unwrap();
    let result = loader
        .file
        .request(Request::RestrictPermissions(&mut operand));
    assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EINVAL));
    assert_eq!(operand.count, PAGE, "the first page is done");
}

#[test]
fn two_requests_at_once_are_one_too_many() {
    let loader = Loader::open();
    created(&loader);
    let record = loader.model.record();
    let refused = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                // Until one of the two has been refused, however the threads are scheduled.
                while !refused.load(Ordering::SeqCst) {
                    let wrong = loader.add(|operand, _| operand.secinfo = NOWHERE).1;
                    if wrong.unwrap_err().raw_os_error() == Some(libc::EBUSY) {
                        refused.store(true, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    let violations = record.violations();
    assert!(
        violations
            .iter()
            .any(|rule| rule == "one request at a time for a file")
    );
}
