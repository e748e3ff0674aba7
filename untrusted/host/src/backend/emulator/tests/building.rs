//! ECREATE, EADD and EINIT: what is refused, and with what.

use twine_abi::sgx::{
    AttributeFlags, Attributes, ErrorCode, MiscSelect, PageKind, Permissions, SecInfo,
    SecInfoFlags, Secs, Sigstruct, Tcs, TcsFlags,
};

use crate::backend::emulator::PAGE_BYTES;
use crate::backend::{Backend as _, BackendError, Build, Measure, Refusal};

use super::support::{
    DATA, FREE, PAGE, Platform, SIZE, fill, platform, secs, signed, start, statement, thread,
};

const RW: SecInfo = SecInfo::new(PageKind::Reg, Permissions::RW);

/// The instruction, and the code (zero for #GP).
fn refusal<T>(result: Result<T, BackendError>) -> (&'static str, u64) {
    match result.err().expect("refused") {
        BackendError::Refused {
            leaf,
            reason: Refusal::Code { code, .. },
        } => (leaf, code),
        BackendError::Refused {
            leaf,
            reason: Refusal::GeneralProtection(_),
        } => (leaf, 0),
        other => panic!("{other:?}"),
    }
}

#[test]
fn parameters_that_the_manual_forbids_are_refused() {
    let platform = platform(|_| ());
    let with_flags = |flags| Secs {
        attributes: Attributes { flags, xfrm: 7 },
        ..secs()
    };
    let with_xfrm = |xfrm| Secs {
        attributes: Attributes {
            xfrm,
            ..secs().attributes
        },
        ..secs()
    };
    let flags = secs().attributes.flags;
    let cases = [
        ("size zero", Secs { size: 0, ..secs() }),
        (
            "one page",
            Secs {
                size: PAGE,
                ..secs()
            },
        ),
        (
            "no power of two",
            Secs {
                size: SIZE + PAGE,
                ..secs()
            },
        ),
        (
            "too large",
            Secs {
                size: 1 << 37,
                ..secs()
            },
        ),
        (
            "no SSA frame",
            Secs {
                ssa_frame_size: 0,
                ..secs()
            },
        ),
        ("INIT", with_flags(flags | AttributeFlags::INIT)),
        ("CET", with_flags(flags | AttributeFlags::CET)),
        (
            "reserved",
            with_flags(flags | AttributeFlags::from_bits(1 << 3)),
        ),
        ("32-bit mode", with_flags(AttributeFlags::KSS)),
        ("no SSE", with_xfrm(1)),
        ("AVX without SSE", with_xfrm(5)),
        ("PKRU", with_xfrm(0x207)),
        (
            "MISCSELECT",
            Secs {
                misc_select: MiscSelect::from_bits(4),
                ..secs()
            },
        ),
        (
            "MRENCLAVE",
            Secs {
                mr_enclave: [1; 32],
                ..secs()
            },
        ),
        (
            "MRSIGNER",
            Secs {
                mr_signer: [1; 32],
                ..secs()
            },
        ),
        (
            "ISVSVN",
            Secs {
                isv_svn: 1,
                ..secs()
            },
        ),
        (
            "reserved field",
            Secs {
                reserved2: [1; 32],
                ..secs()
            },
        ),
        (
            "CONFIGID without KSS",
            with_flags(AttributeFlags::MODE64BIT),
        ),
    ];
    for (what, secs) in cases {
        assert_eq!(
            refusal(platform.emulator.create(&secs)),
            ("ECREATE", 0),
            "{what}"
        );
    }
}

fn building(platform: &Platform) -> Box<dyn Build> {
    platform.emulator.create(&secs()).unwrap()
}

#[test]
fn pages_that_the_manual_forbids_are_refused() {
    let platform = platform(|_| ());
    let page = [0; PAGE_BYTES];
    let regular = |permissions| SecInfo::new(PageKind::Reg, permissions);
    let mut reserved = RW;
    reserved.reserved[0] = 1;
    let cases = [
        ("misaligned", 8, &page[..], RW),
        ("outside", SIZE, &page[..], RW),
        ("half a page", 0, &page[..2048], RW),
        ("W without R", 0, &page[..], regular(Permissions::W)),
        ("PENDING", 0, &page[..], RW.with(SecInfoFlags::PENDING)),
        ("MODIFIED", 0, &page[..], RW.with(SecInfoFlags::MODIFIED)),
        (
            "reserved flag",
            0,
            &page[..],
            RW.with(SecInfoFlags::from_bits(1 << 20)),
        ),
        ("reserved field", 0, &page[..], reserved),
        (
            "SECS",
            0,
            &page[..],
            SecInfo::new(PageKind::Secs, Permissions::EMPTY),
        ),
        (
            "TRIM",
            0,
            &page[..],
            SecInfo::new(PageKind::Trim, Permissions::EMPTY),
        ),
        (
            "TCS with permissions",
            0,
            &page[..],
            SecInfo::new(PageKind::Tcs, Permissions::RW),
        ),
    ];
    for (what, offset, bytes, info) in cases {
        let result = building(&platform).add_pages(offset, bytes, info, Measure::Contents);
        assert_eq!(refusal(result), ("EADD", 0), "{what}");
    }
    let mut build = building(&platform);
    build.add_pages(0, &page, RW, Measure::Contents).unwrap();
    let again = build.add_pages(0, &page, RW, Measure::Contents);
    assert_eq!(refusal(again), ("EADD", 0));
}

#[test]
fn a_tcs_must_be_as_the_processor_wants_it() {
    let platform = platform(|_| ());
    let good = thread(0);
    let mut reserved = good;
    reserved.reserved[4007] = 1;
    let cases = [
        ("OSSA", Tcs { ossa: 8, ..good }),
        ("OGSBASE", Tcs { ogsbase: 8, ..good }),
        ("OFSBASE", Tcs { ofsbase: 8, ..good }),
        ("CSSA", Tcs { cssa: 1, ..good }),
        ("STAGE", Tcs { stage: 1, ..good }),
        ("AEP", Tcs { aep: 1, ..good }),
        (
            "FLAGS",
            Tcs {
                flags: TcsFlags::DBGOPTIN,
                ..good
            },
        ),
        ("reserved", reserved),
    ];
    let info = SecInfo::new(PageKind::Tcs, Permissions::EMPTY);
    for (what, tcs) in cases {
        let mut build = building(&platform);
        let result = build.add_pages(0, &tcs.to_bytes(), info, Measure::Contents);
        assert_eq!(refusal(result), ("EADD", 0), "{what}");
    }
}

type Change = fn(&mut Sigstruct);

/// What EINIT says to a SIGSTRUCT that was changed before or after signing.
fn init(platform: &Platform, before: Change, after: Change) -> (&'static str, u64) {
    let mut build = building(platform);
    fill(&mut *build).unwrap();
    let mut sigstruct = statement(&secs());
    before(&mut sigstruct);
    let mut sigstruct = signed(sigstruct);
    after(&mut sigstruct);
    refusal(build.initialise(&sigstruct))
}

#[test]
fn a_certificate_that_does_not_fit_is_refused() {
    let platform = platform(|_| ());
    let cases: [(&str, ErrorCode, Change); 12] = [
        ("header", ErrorCode::InvalidSigStruct, |s| s.header[0] = 7),
        ("header2", ErrorCode::InvalidSigStruct, |s| s.header2[0] = 7),
        ("vendor", ErrorCode::InvalidSigStruct, |s| s.vendor = 1),
        ("reserved1", ErrorCode::InvalidSigStruct, |s| {
            s.reserved1[83] = 1
        }),
        ("reserved2", ErrorCode::InvalidSigStruct, |s| {
            s.reserved2[1] = 1
        }),
        ("reserved3", ErrorCode::InvalidSigStruct, |s| {
            s.reserved3[15] = 1
        }),
        ("reserved4", ErrorCode::InvalidSigStruct, |s| {
            s.reserved4[11] = 1
        }),
        ("hash", ErrorCode::InvalidMeasurement, |s| {
            s.enclave_hash[31] ^= 1
        }),
        ("flags", ErrorCode::InvalidAttribute, |s| {
            s.attributes.flags = s.attributes.flags | AttributeFlags::DEBUG;
        }),
        ("xfrm", ErrorCode::InvalidAttribute, |s| {
            s.attributes.xfrm = 3
        }),
        ("miscselect", ErrorCode::InvalidAttribute, |s| {
            s.misc_select = MiscSelect::EMPTY;
        }),
        ("cet", ErrorCode::InvalidAttribute, |s| {
            s.cet_attributes = 1;
            s.cet_attributes_mask = 1;
        }),
    ];
    for (what, expected, change) in cases {
        assert_eq!(
            init(&platform, change, |_| ()),
            ("EINIT", expected as u64),
            "{what}"
        );
    }
}

#[test]
fn a_signature_that_does_not_hold_is_refused() {
    let platform = platform(|_| ());
    let cases: [(&str, ErrorCode, Change); 8] = [
        ("exponent", ErrorCode::InvalidSigStruct, |s| {
            s.exponent = 65537
        }),
        ("signature", ErrorCode::InvalidSignature, |s| {
            s.signature[0] ^= 1
        }),
        ("modulus", ErrorCode::InvalidSignature, |s| {
            s.modulus[0] ^= 2
        }),
        ("short modulus", ErrorCode::InvalidSignature, |s| {
            s.modulus[383] = 0
        }),
        ("q1", ErrorCode::InvalidSignature, |s| s.q1[0] ^= 1),
        ("q2", ErrorCode::InvalidSignature, |s| s.q2[0] ^= 1),
        ("signed field", ErrorCode::InvalidSignature, |s| {
            s.isv_svn += 1
        }),
        ("date", ErrorCode::InvalidSignature, |s| s.date += 1),
    ];
    for (what, expected, change) in cases {
        assert_eq!(
            init(&platform, |_| (), change),
            ("EINIT", expected as u64),
            "{what}"
        );
    }
}

#[test]
fn what_the_mask_leaves_open_may_differ() {
    let platform = platform(|_| ());
    let debug = Secs {
        attributes: Attributes {
            flags: secs().attributes.flags | AttributeFlags::DEBUG,
            xfrm: 7,
        },
        ..secs()
    };
    let mut build = platform.emulator.create(&debug).unwrap();
    fill(&mut *build).unwrap();
    let mut sigstruct = statement(&secs());
    let all = sigstruct.attribute_mask.flags;
    sigstruct.attribute_mask.flags = all.without(AttributeFlags::DEBUG);
    build.initialise(&signed(sigstruct)).map(|_| ()).unwrap();
}

#[test]
fn a_page_more_or_less_or_changed_is_another_enclave() {
    let platform = platform(|_| ());
    let page = [0; PAGE_BYTES];
    let mut build = building(&platform);
    fill(&mut *build).unwrap();
    build
        .add_pages(FREE, &page, RW, Measure::AddressOnly)
        .unwrap();
    let result = build.initialise(&signed(statement(&secs())));
    assert_eq!(
        refusal(result),
        ("EINIT", ErrorCode::InvalidMeasurement as u64)
    );
    let result = building(&platform).initialise(&signed(statement(&secs())));
    assert_eq!(
        refusal(result),
        ("EINIT", ErrorCode::InvalidMeasurement as u64)
    );
}

#[test]
fn the_launch_tokens_key_is_not_given_away() {
    let platform = platform(|_| ());
    let mut secs = secs();
    secs.attributes.flags = secs.attributes.flags | AttributeFlags::EINITTOKENKEY;
    let mut build = platform.emulator.create(&secs).unwrap();
    fill(&mut *build).unwrap();
    let result = build.initialise(&signed(statement(&secs)));
    assert_eq!(
        refusal(result),
        ("EINIT", ErrorCode::InvalidAttribute as u64)
    );
}

#[test]
fn contents_arrive_unchanged() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    assert_eq!(guest.load(DATA + 32), 2);
    assert_eq!(guest.load(DATA + 4 * PAGE), 0);
}
