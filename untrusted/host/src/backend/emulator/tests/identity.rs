//! EREPORT and EGETKEY: what a report says, who can check it, and what a key depends on.

use aes::Aes128;
use cmac::{Cmac, KeyInit as _, Mac as _};
use twine_abi::sgx::{
    AttributeFlags, Attributes, ErrorCode, KeyName, KeyPolicy, KeyRequest, Report, Secs, Sigstruct,
    TargetInfo,
};

use crate::backend::Left;

use super::guest::op;
use super::support::{
    FREE, Guest, Platform, SCRATCH, TCS, key, platform, secs, signed_by, start, start_with,
};

const EREPORT: u64 = 0;
const EGETKEY: u64 = 1;
/// Where the operands are put: multiples of 512, all in one page that nothing else uses.
const OPERAND: u64 = SCRATCH;
const REPORT_DATA: u64 = SCRATCH + 512;
const RESULT: u64 = SCRATCH + 1024;
/// ZF.
const ZERO: u64 = 0x40;

fn report(guest: &Guest, target: &TargetInfo, data: &[u8; 64]) -> Report {
    guest.store_bytes(OPERAND, &target.to_bytes());
    guest.store_bytes(REPORT_DATA, data);
    let base = guest.base;
    guest.leaf(EREPORT, base + OPERAND, base + REPORT_DATA, base + RESULT);
    Report::from_bytes(&guest.load_bytes(RESULT))
}

fn get_key(guest: &Guest, request: &KeyRequest) -> Result<[u8; 16], u64> {
    guest.store_bytes(OPERAND, &request.to_bytes());
    let (code, flags) = guest.leaf(EGETKEY, guest.base + OPERAND, guest.base + RESULT, 0);
    assert_eq!(flags & ZERO != 0, code != 0);
    if code == 0 {
        Ok(guest.load_bytes(RESULT))
    } else {
        Err(code)
    }
}

/// The sealing key that depends on as much as possible.
fn seal() -> KeyRequest {
    KeyRequest {
        key_name: KeyName::Seal as u16,
        key_policy: KeyPolicy::MRENCLAVE
            | KeyPolicy::MRSIGNER
            | KeyPolicy::CONFIGID
            | KeyPolicy::ISVFAMILYID
            | KeyPolicy::ISVEXTPRODID,
        isv_svn: 3,
        config_svn: 5,
        cpu_svn: *b"SIMULATED-CPUSVN",
        attribute_mask: Attributes {
            flags: AttributeFlags::from_bits(u64::MAX),
            xfrm: u64::MAX,
        },
        misc_mask: u32::MAX,
        key_id: [9; 32],
        ..KeyRequest::ZERO
    }
}

#[test]
fn a_report_states_the_enclaves_identity() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    let body = report(&guest, &TargetInfo::ZERO, &[0x5a; 64]).body;
    assert_eq!(&body.cpu_svn, b"SIMULATED-CPUSVN");
    assert_eq!(body.report_data, [0x5a; 64]);
    let expected = super::support::statement(&secs());
    assert_eq!(body.mr_enclave, expected.enclave_hash);
    assert_eq!(body.attributes, expected.attributes);
    assert_eq!(body.misc_select, expected.misc_select);
    assert_eq!(body.isv_prod_id, 77);
    assert_eq!(body.isv_svn, 3);
    assert_eq!(body.isv_family_id, [0xfa; 16]);
    assert_eq!(body.isv_ext_prod_id, [0xe7; 16]);
    assert_eq!(body.config_id, [0xc1; 64]);
    assert_eq!(body.config_svn, 5);
    let zeroes = (
        body.reserved1,
        body.reserved2,
        body.reserved3,
        body.reserved4,
    );
    assert_eq!(zeroes, ([0; 11], [0; 32], [0; 32], [0; 42]));
}

fn verifies(report: &Report, key: [u8; 16]) -> bool {
    let mut mac = Cmac::<Aes128>::new_from_slice(&key).unwrap();
    mac.update(&report.body.to_bytes());
    mac.verify_slice(&report.mac).is_ok()
}

#[test]
fn a_report_is_checked_by_its_target_and_by_nobody_else() {
    let platform = platform(|_| ());
    let prover = start(&platform);
    let target = start(&platform);
    let other_secs = Secs {
        config_svn: 6,
        ..secs()
    };
    let other = start_with(&platform, &other_secs, |_| ());
    let own = report(&target, &TargetInfo::ZERO, &[0; 64]).body;
    let made = report(&prover, &TargetInfo::of(&own), &[1; 64]);
    let request = KeyRequest {
        key_name: KeyName::Report as u16,
        key_id: made.key_id,
        ..KeyRequest::ZERO
    };
    assert!(verifies(&made, get_key(&target, &request).unwrap()));
    assert!(!verifies(&made, get_key(&other, &request).unwrap()));
    let mut forged = made;
    forged.body.isv_svn += 1;
    assert!(!verifies(&forged, get_key(&target, &request).unwrap()));

    let elsewhere = super::support::platform(|_| ());
    let stranger = start(&elsewhere);
    assert!(!verifies(&made, get_key(&stranger, &request).unwrap()));
}

/// Every change of the request or of the enclave, and whether the key changes with it.
#[test]
fn a_sealing_key_depends_on_what_its_policy_says() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    let reference = get_key(&guest, &seal()).unwrap();
    assert_eq!(get_key(&guest, &seal()), Ok(reference));
    type Change = fn(&mut KeyRequest);
    let requests: [(&str, Change); 9] = [
        ("KEYID", |request| request.key_id = [8; 32]),
        ("ISVSVN", |request| request.isv_svn = 2),
        ("CONFIGSVN", |request| request.config_svn = 4),
        ("CPUSVN", |request| request.cpu_svn[0] = b'A'),
        ("KEYPOLICY", |request| {
            request.key_policy = request.key_policy.without(KeyPolicy::MRSIGNER);
        }),
        ("NOISVPRODID", |request| {
            request.key_policy = request.key_policy | KeyPolicy::NOISVPRODID;
        }),
        ("ATTRIBUTEMASK", |request| request.attribute_mask.xfrm = 3),
        ("MISCMASK", |request| request.misc_mask = 0),
        ("KEYNAME", |request| {
            request.key_name = KeyName::Report as u16
        }),
    ];
    for (what, change) in requests {
        let mut request = seal();
        change(&mut request);
        assert_ne!(get_key(&guest, &request), Ok(reference), "{what}");
    }
}

fn variant(platform: &Platform, change: impl FnOnce(&mut Secs, &mut Sigstruct)) -> Guest {
    let mut secs = secs();
    let mut wanted = super::support::statement(&secs);
    let before = wanted;
    change(&mut secs, &mut wanted);
    start_with(platform, &secs, |sigstruct| {
        if wanted.isv_prod_id != before.isv_prod_id {
            sigstruct.isv_prod_id = wanted.isv_prod_id;
        }
        if wanted.isv_svn != before.isv_svn {
            sigstruct.isv_svn = wanted.isv_svn;
        }
        if wanted.isv_family_id != before.isv_family_id {
            sigstruct.isv_family_id = wanted.isv_family_id;
        }
        if wanted.isv_ext_prod_id != before.isv_ext_prod_id {
            sigstruct.isv_ext_prod_id = wanted.isv_ext_prod_id;
        }
    })
}

#[test]
fn a_sealing_key_depends_on_the_enclaves_identity_as_far_as_asked() {
    let platform = platform(|_| ());
    let reference = start(&platform);
    type Change = fn(&mut Secs, &mut Sigstruct);
    let none = KeyPolicy::EMPTY;
    let cases: [(&str, Change, KeyPolicy, KeyPolicy); 6] = [
        (
            "DEBUG",
            |secs, _| secs.attributes.flags = secs.attributes.flags | AttributeFlags::DEBUG,
            // Always.
            none,
            none,
        ),
        (
            "CONFIGID",
            |secs, _| secs.config_id[63] = 1,
            KeyPolicy::CONFIGID,
            none,
        ),
        (
            "ISVFAMILYID",
            |_, sigstruct| sigstruct.isv_family_id = [1; 16],
            KeyPolicy::ISVFAMILYID,
            none,
        ),
        (
            "ISVEXTPRODID",
            |_, sigstruct| sigstruct.isv_ext_prod_id = [1; 16],
            KeyPolicy::ISVEXTPRODID,
            none,
        ),
        (
            "ISVPRODID",
            |_, sigstruct| sigstruct.isv_prod_id = 1,
            none,
            KeyPolicy::NOISVPRODID,
        ),
        (
            "size, and so MRENCLAVE",
            |secs, _| secs.size *= 2,
            KeyPolicy::MRENCLAVE,
            none,
        ),
    ];
    for (what, change, with, without) in cases {
        let other = variant(&platform, change);
        let dependent = KeyRequest {
            key_policy: with,
            ..seal()
        };
        assert_ne!(
            get_key(&reference, &dependent).unwrap(),
            get_key(&other, &dependent).unwrap(),
            "{what}"
        );
        if what == "DEBUG" {
            continue;
        }
        let independent = KeyRequest {
            key_policy: without,
            ..seal()
        };
        assert_eq!(
            get_key(&reference, &independent).unwrap(),
            get_key(&other, &independent).unwrap(),
            "{what}"
        );
    }
}

#[test]
fn a_newer_version_of_an_enclave_has_the_older_ones_keys_and_not_the_other_way_round() {
    let platform = platform(|_| ());
    let old = start(&platform);
    let new = variant(&platform, |secs, sigstruct| {
        sigstruct.isv_svn = 4;
        secs.config_svn = 6;
    });
    assert_eq!(get_key(&old, &seal()), get_key(&new, &seal()));
    for request in [
        KeyRequest {
            isv_svn: 4,
            ..seal()
        },
        KeyRequest {
            config_svn: 6,
            ..seal()
        },
    ] {
        get_key(&new, &request).unwrap();
        let refused = get_key(&old, &request);
        assert_eq!(refused, Err(ErrorCode::InvalidIsvSvn as u64));
    }
}

#[test]
fn keys_of_two_platforms_differ_and_those_of_one_stay() {
    let one = platform(|_| ());
    let other = platform(|_| ());
    let first = get_key(&start(&one), &seal()).unwrap();
    assert_ne!(get_key(&start(&other), &seal()).unwrap(), first);
    let directory = tempfile::tempdir().unwrap();
    let again = |_: ()| platform(|config| config.secret = directory.path().join("kept"));
    let before = get_key(&start(&again(())), &seal()).unwrap();
    assert_eq!(get_key(&start(&again(())), &seal()).unwrap(), before);
}

#[test]
fn signers_have_different_keys() {
    let platform = platform(|_| ());
    let mine = start(&platform);
    let mut build = crate::backend::Backend::create(&platform.emulator, &secs()).unwrap();
    super::support::fill(&mut *build).unwrap();
    let sigstruct = signed_by(key(1), super::support::statement(&secs()));
    let enclave = build.initialise(&sigstruct).unwrap();
    let theirs = Guest::adopt(enclave);
    let by_signer = KeyRequest {
        key_policy: KeyPolicy::MRSIGNER,
        ..seal()
    };
    let by_enclave = KeyRequest {
        key_policy: KeyPolicy::MRENCLAVE,
        ..seal()
    };
    assert_ne!(get_key(&mine, &by_signer), get_key(&theirs, &by_signer));
    assert_eq!(get_key(&mine, &by_enclave), get_key(&theirs, &by_enclave));
}

#[test]
fn a_key_that_cannot_be_had_is_refused_with_the_manuals_code() {
    let platform = platform(|_| ());
    let guest = start(&platform);
    let named = |key_name: u16| KeyRequest { key_name, ..seal() };
    let mut cpu_svn = *b"SIMULATED-CPUSVN";
    cpu_svn[15] += 1;
    let cases = [
        (named(5), ErrorCode::InvalidKeyName),
        (named(u16::MAX), ErrorCode::InvalidKeyName),
        (
            named(KeyName::Provision as u16),
            ErrorCode::InvalidAttribute,
        ),
        (
            named(KeyName::ProvisionSeal as u16),
            ErrorCode::InvalidAttribute,
        ),
        (
            named(KeyName::EinitToken as u16),
            ErrorCode::InvalidAttribute,
        ),
        (KeyRequest { cpu_svn, ..seal() }, ErrorCode::InvalidCpuSvn),
        (
            KeyRequest {
                isv_svn: 4,
                ..seal()
            },
            ErrorCode::InvalidIsvSvn,
        ),
        (
            KeyRequest {
                config_svn: 6,
                ..seal()
            },
            ErrorCode::InvalidIsvSvn,
        ),
    ];
    for (request, expected) in cases {
        assert_eq!(
            get_key(&guest, &request),
            Err(expected as u64),
            "{expected}"
        );
    }
}

#[test]
fn an_enclave_with_the_right_has_provisioning_keys_that_its_signer_alone_decides() {
    let platform = platform(|_| ());
    let mut secs = secs();
    secs.attributes.flags = secs.attributes.flags | AttributeFlags::PROVISIONKEY;
    let guest = start_with(&platform, &secs, |_| ());
    let named = |name: KeyName, key_id: u8| KeyRequest {
        key_name: name as u16,
        key_id: [key_id; 32],
        ..seal()
    };
    let key = get_key(&guest, &named(KeyName::Provision, 1)).unwrap();
    assert_eq!(get_key(&guest, &named(KeyName::Provision, 2)), Ok(key));
    let other = get_key(&guest, &named(KeyName::ProvisionSeal, 1)).unwrap();
    assert_ne!(other, key);
}

fn faults(guest: &Guest, leaf: u64, operands: [u64; 3]) -> u8 {
    let [rbx, rcx, rdx] = operands.map(|offset| guest.base + offset);
    match guest.left(0, op::LEAF, [leaf, rbx, rcx, rdx]) {
        Left::Exception { vector, .. } => vector,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_with_reserved_bits_is_a_general_protection_fault() {
    let platform = platform(|_| ());
    let mut reserved = seal();
    reserved.reserved2[433] = 1;
    let policy = KeyRequest {
        key_policy: KeyPolicy::from_bits(1 << 6),
        ..seal()
    };
    for request in [reserved, policy] {
        let guest = start(&platform);
        guest.store_bytes(OPERAND, &request.to_bytes());
        assert_eq!(faults(&guest, EGETKEY, [OPERAND, RESULT, 0]), 13);
    }
    // Without KSS its policies are reserved.
    let mut secs = secs();
    secs.attributes.flags = AttributeFlags::MODE64BIT;
    secs.config_id = [0; 64];
    secs.config_svn = 0;
    let guest = start_with(&platform, &secs, |sigstruct| {
        sigstruct.isv_family_id = [0; 16];
        sigstruct.isv_ext_prod_id = [0; 16];
    });
    guest.store_bytes(OPERAND, &seal().to_bytes());
    assert_eq!(faults(&guest, EGETKEY, [OPERAND, RESULT, 0]), 13);
}

#[test]
fn operands_of_report_and_key_must_be_aligned_inside_and_accessible() {
    let platform = platform(|_| ());
    let outside = 1 << 40;
    let cases = [
        (EREPORT, [OPERAND + 256, REPORT_DATA, RESULT], 13),
        (EREPORT, [OPERAND, REPORT_DATA + 64, RESULT], 13),
        (EREPORT, [OPERAND, REPORT_DATA, RESULT + 256], 13),
        (EREPORT, [outside, REPORT_DATA, RESULT], 13),
        (EREPORT, [OPERAND, outside, RESULT], 13),
        (EREPORT, [OPERAND, REPORT_DATA, outside], 13),
        (EREPORT, [FREE, REPORT_DATA, RESULT], 14),
        (EREPORT, [OPERAND, TCS[0], RESULT], 14),
        // The code is not writable.
        (EREPORT, [OPERAND, REPORT_DATA, 0], 14),
        (EGETKEY, [OPERAND + 16, RESULT, 0], 13),
        (EGETKEY, [OPERAND, RESULT + 8, 0], 13),
        (EGETKEY, [outside, RESULT, 0], 13),
        (EGETKEY, [OPERAND, outside, 0], 13),
        (EGETKEY, [FREE, RESULT, 0], 14),
        (EGETKEY, [OPERAND, 0, 0], 14),
    ];
    for (leaf, operands, vector) in cases {
        let guest = start(&platform);
        assert_eq!(
            faults(&guest, leaf, operands),
            vector,
            "{leaf} {operands:x?}"
        );
    }
}
