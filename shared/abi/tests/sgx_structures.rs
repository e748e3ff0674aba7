//! Compares the processor's structures with two independent statements of them, the crates `sgx-isa` and `sgx`.
//!
//! Where a crate states a field as public, its offset is compared. Where it states bytes, a structure whose every byte
//! differs from its neighbours is carried over through the byte image, and every field must come out equal. What
//! neither crate knows (CONFIGID and what belongs to it in SECS, TARGETINFO and KEYREQUEST) is held by the table in the
//! definition alone.

use std::mem::{align_of, offset_of, size_of};

use twine_abi::sgx::{
    AttributeFlags, Encls, Enclu, ErrorCode, ExInfo, GprSgx, KeyName, KeyPolicy, KeyRequest,
    MiscSelect, PageInfo, PageKind, Report, ReportBody, SecInfo, SecInfoFlags, Secs, Sigstruct,
    TargetInfo, Tcs, TcsFlags, sigstruct,
};

macro_rules! same_offsets {
    ($ours:ty, $theirs:ty: $($our:ident $their:ident),+ $(,)?) => {
        $(assert_eq!(offset_of!($ours, $our), offset_of!($theirs, $their), stringify!($our));)+
    };
}

#[test]
fn offsets_agree_with_sgx_isa() {
    same_offsets!(Secs, sgx_isa::Secs: size size, base baseaddr, ssa_frame_size ssaframesize, misc_select miscselect,
        attributes attributes, mr_enclave mrenclave, mr_signer mrsigner, isv_prod_id isvprodid, isv_svn isvsvn);
    same_offsets!(Tcs, sgx_isa::Tcs: flags flags, ossa ossa, cssa cssa, nssa nssa, oentry oentry, ofsbase ofsbasgx,
        ogsbase ogsbasgx, fslimit fslimit, gslimit gslimit);
    same_offsets!(PageInfo, sgx_isa::Pageinfo: linear_address linaddr, source_page srcpge, sec_info secinfo, secs secs);
    same_offsets!(SecInfo, sgx_isa::Secinfo: flags flags);
    same_offsets!(TargetInfo, sgx_isa::Targetinfo: measurement measurement, attributes attributes,
        misc_select miscselect);
    same_offsets!(KeyRequest, sgx_isa::Keyrequest: key_name keyname, key_policy keypolicy, isv_svn isvsvn,
        cpu_svn cpusvn, attribute_mask attributemask, key_id keyid, misc_mask miscmask);
    same_offsets!(Report, sgx_isa::Report: key_id keyid, mac mac);
    same_offsets!(ReportBody, sgx_isa::Report: cpu_svn cpusvn, misc_select miscselect, cet_attributes cet_attributes,
        isv_ext_prod_id isvextnprodid, attributes attributes, mr_enclave mrenclave, mr_signer mrsigner,
        config_id configid, isv_prod_id isvprodid, isv_svn isvsvn, config_svn configsvn, isv_family_id isvfamilyid,
        report_data reportdata);
    same_offsets!(Sigstruct, sgx_isa::Sigstruct: header header, vendor vendor, date date, header2 header2,
        software_defined swdefined, modulus modulus, exponent exponent, signature signature, misc_select miscselect,
        misc_mask miscmask, cet_attributes cet_attributes, cet_attributes_mask cet_attributes_mask,
        isv_family_id isvfamilyid, attributes attributes, attribute_mask attributemask, enclave_hash enclavehash,
        isv_ext_prod_id isvextprodid, isv_prod_id isvprodid, isv_svn isvsvn, q1 q1, q2 q2);
}

#[test]
fn sizes_and_alignments_agree_with_sgx_isa() {
    assert_eq!(Secs::LEN, sgx_isa::Secs::UNPADDED_SIZE);
    assert_eq!(Tcs::LEN, sgx_isa::Tcs::UNPADDED_SIZE);
    assert_eq!(PageInfo::LEN, sgx_isa::Pageinfo::UNPADDED_SIZE);
    assert_eq!(SecInfo::LEN, sgx_isa::Secinfo::UNPADDED_SIZE);
    assert_eq!(Report::LEN, sgx_isa::Report::UNPADDED_SIZE);
    assert_eq!(ReportBody::LEN, sgx_isa::Report::TRUNCATED_SIZE);
    assert_eq!(TargetInfo::LEN, sgx_isa::Targetinfo::UNPADDED_SIZE);
    assert_eq!(KeyRequest::LEN, sgx_isa::Keyrequest::UNPADDED_SIZE);
    assert_eq!(Sigstruct::LEN, sgx_isa::Sigstruct::UNPADDED_SIZE);

    // SECS and TCS: see the module's documentation.
    assert_eq!(align_of::<PageInfo>(), align_of::<sgx_isa::Pageinfo>());
    assert_eq!(align_of::<SecInfo>(), align_of::<sgx_isa::Secinfo>());
    assert_eq!(align_of::<TargetInfo>(), align_of::<sgx_isa::Targetinfo>());
    assert_eq!(align_of::<KeyRequest>(), align_of::<sgx_isa::Keyrequest>());
}

#[test]
fn offsets_agree_with_the_enarx_crate() {
    use sgx::ssa::{ExInfo as TheirExInfo, GenPurposeRegs, StateSaveArea};

    same_offsets!(GprSgx, GenPurposeRegs: rax rax, rcx rcx, rdx rdx, rbx rbx, rsp rsp, rbp rbp, rsi rsi, rdi rdi,
        r8 r8, r9 r9, r10 r10, r11 r11, r12 r12, r13 r13, r14 r14, r15 r15, rflags rflags, rip rip, ursp ursp,
        urbp urbp, fs_base fsbase, gs_base gsbase);
    same_offsets!(ExInfo, TheirExInfo: address maddr, error_code errcd);
    assert_eq!(size_of::<GprSgx>(), size_of::<GenPurposeRegs>());
    assert_eq!(size_of::<ExInfo>(), size_of::<TheirExInfo>());

    let frame = size_of::<StateSaveArea>();
    assert_eq!(offset_of!(StateSaveArea, gpr), frame - GprSgx::LEN);
    assert_eq!(
        offset_of!(StateSaveArea, misc),
        frame - GprSgx::LEN - ExInfo::LEN
    );

    assert_eq!(size_of::<Secs>(), size_of::<sgx::page::Secs>());
    assert_eq!(
        size_of::<Sigstruct>(),
        size_of::<sgx::signature::Signature>()
    );
    assert_eq!(size_of::<ReportBody>(), size_of::<sgx::ReportBody>());
}

/// Bytes in which no two of the same distance repeat soon, so that a field read from the wrong place differs.
fn pattern<const N: usize>() -> [u8; N] {
    let mut state = 0x9e37_79b9_u32;
    std::array::from_fn(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3]
    })
}

#[test]
fn a_report_reads_the_same_in_all_three() {
    let bytes = pattern::<432>();
    let ours = Report::from_bytes(&bytes);
    let theirs = sgx_isa::Report::try_copy_from(&bytes).unwrap();
    assert_eq!(ours.body.isv_ext_prod_id, theirs.isvextnprodid);
    assert_eq!(ours.body.attributes.xfrm, theirs.attributes.xfrm);
    assert_eq!(ours.body.config_id, theirs.configid);
    assert_eq!(ours.body.config_svn, theirs.configsvn);
    assert_eq!(ours.body.isv_family_id, theirs.isvfamilyid);
    assert_eq!(ours.mac, theirs.mac);
    assert_eq!(ours.to_bytes(), bytes);

    let body: [u8; 384] = *bytes.first_chunk().unwrap();
    let enarx = sgx::ReportBody::from(body);
    assert_eq!(ours.body.mr_enclave, enarx.mrenclave);
    assert_eq!(ours.body.isv_svn, enarx.enclave_security_version());
    assert_eq!(ours.body.report_data, enarx.reportdata);
}

#[test]
fn a_sigstruct_is_signed_over_the_same_bytes() {
    let bytes = pattern::<1808>();
    let ours = Sigstruct::from_bytes(&bytes);
    assert_eq!(ours.to_bytes(), bytes);
    let theirs = sgx_isa::Sigstruct::try_copy_from(&bytes).unwrap();
    let (head, body) = theirs.signature_data();
    assert_eq!(ours.signed().as_slice(), [head, body].concat());
    assert_eq!(sigstruct::HEADER, sgx_isa::SIGSTRUCT_HEADER1);
    assert_eq!(sigstruct::HEADER2, sgx_isa::SIGSTRUCT_HEADER2);
}

#[test]
fn every_byte_of_every_structure_survives_the_way_there_and_back() {
    assert_eq!(Secs::from_bytes(&pattern()).to_bytes(), pattern::<4096>());
    assert_eq!(Tcs::from_bytes(&pattern()).to_bytes(), pattern::<4096>());
    assert_eq!(
        TargetInfo::from_bytes(&pattern()).to_bytes(),
        pattern::<512>()
    );
    assert_eq!(
        KeyRequest::from_bytes(&pattern()).to_bytes(),
        pattern::<512>()
    );
    assert_eq!(GprSgx::from_bytes(&pattern()).to_bytes(), pattern::<184>());
    assert_eq!(ExInfo::from_bytes(&pattern()).to_bytes(), pattern::<16>());
    assert_eq!(PageInfo::from_bytes(&pattern()).to_bytes(), pattern::<32>());
}

#[test]
fn flags_and_numbers_agree_with_sgx_isa() {
    use sgx_isa::{AttributesFlags as A, SecinfoFlags as S};
    assert_eq!(AttributeFlags::INIT.bits(), A::INIT.bits());
    assert_eq!(AttributeFlags::DEBUG.bits(), A::DEBUG.bits());
    assert_eq!(AttributeFlags::MODE64BIT.bits(), A::MODE64BIT.bits());
    assert_eq!(AttributeFlags::PROVISIONKEY.bits(), A::PROVISIONKEY.bits());
    assert_eq!(
        AttributeFlags::EINITTOKENKEY.bits(),
        A::EINITTOKENKEY.bits()
    );
    assert_eq!(AttributeFlags::CET.bits(), A::CET.bits());
    assert_eq!(AttributeFlags::KSS.bits(), A::KSS.bits());
    assert_eq!(
        MiscSelect::EXINFO.bits(),
        sgx_isa::Miscselect::EXINFO.bits()
    );
    assert_eq!(
        TcsFlags::DBGOPTIN.bits(),
        sgx_isa::TcsFlags::DBGOPTIN.bits()
    );
    assert_eq!(
        KeyPolicy::MRENCLAVE.bits(),
        sgx_isa::Keypolicy::MRENCLAVE.bits()
    );
    assert_eq!(
        KeyPolicy::MRSIGNER.bits(),
        sgx_isa::Keypolicy::MRSIGNER.bits()
    );
    assert_eq!(SecInfoFlags::PENDING.bits(), S::PENDING.bits());
    assert_eq!(SecInfoFlags::MODIFIED.bits(), S::MODIFIED.bits());
    assert_eq!(SecInfoFlags::PR.bits(), S::PR.bits());
    assert_eq!(SecInfoFlags::PAGE_TYPE.bits(), S::PT_MASK.bits());
    assert_eq!(KeyName::Seal as u16, sgx_isa::Keyname::Seal as u16);
    assert_eq!(KeyName::Report as u16, sgx_isa::Keyname::Report as u16);
    assert_eq!(PageKind::Trim as u8, sgx_isa::PageType::Trim as u8);
    assert_eq!(Encls::ModT as u32, sgx_isa::Encls::EModt as u32);
    for &leaf in Enclu::ALL {
        assert_eq!(
            sgx_isa::Enclu::try_from(leaf as u32).map(|theirs| theirs as u32),
            Ok(leaf as u32)
        );
    }
    // `sgx-isa` has every code that we name, under the same number, and one of a later extension besides.
    let known = (0..=256).filter(|&code| sgx_isa::ErrorCode::try_from(code).is_ok());
    let ours: Vec<u32> = ErrorCode::ALL.iter().map(|&code| code as u32).collect();
    assert_eq!(
        ours,
        known
            .filter(|&code| code != sgx_isa::ErrorCode::InvalidReportMacStruct as u32)
            .collect::<Vec<_>>()
    );
}
