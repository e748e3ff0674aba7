//! Images are compared with enclaves that other projects measured, and with themselves after a round trip.

use twine_abi::layout::{
    BLOCK_OFFSET, ENCLAVE_LEN, SSA_OFFSET, TCS_OFFSET, THREAD_AREA_LEN, THREAD_COUNT,
    THREADS_OFFSET,
};
use twine_abi::sgx::{PageKind, Permissions, SecInfo, Sigstruct, Tcs};

use super::elf::fixture::Fixture;
use super::pages::{PAGE, PageRule, Pages};
use super::{Image, SgxsError, SgxsRule, fuzzing};

const LINUX_ENCLAVE: &[u8] = include_bytes!("../../tests/data/encl.bin");
const LINUX_SIGSTRUCT: &[u8; Sigstruct::LEN] = include_bytes!("../../tests/data/encl.ss");
const FORTANIX_SGXS: &[u8] = include_bytes!("../../tests/data/test_enclave.sgxs");
const FORTANIX_SIGSTRUCT: &[u8; Sigstruct::LEN] =
    include_bytes!("../../tests/data/test_enclave.sig");

/// The enclave of Linux's self test: a TCS, then pages that may do everything.
fn linux_enclave() -> Image {
    let (tcs, rest) = LINUX_ENCLAVE.split_at(PAGE);
    let mut pages = Pages::new(0x8000, 1);
    let kinds = [
        (0, PageKind::Tcs, Permissions::EMPTY, tcs),
        (0x1000, PageKind::Reg, Permissions::RWX, rest),
    ];
    for (offset, kind, permissions, bytes) in kinds {
        pages
            .add(offset, SecInfo::new(kind, permissions), bytes.to_vec())
            .unwrap();
    }
    Image::new(pages)
}

fn image() -> Image {
    Image::from_elf(&Fixture::default().to_bytes()).unwrap()
}

fn stream(image: &Image) -> Vec<u8> {
    let mut stream = Vec::new();
    image.write_sgxs(&mut stream).unwrap();
    stream
}

#[test]
fn the_self_test_of_linux_has_the_measurement_its_signer_certified() {
    let certified = Sigstruct::from_bytes(LINUX_SIGSTRUCT).enclave_hash;
    assert_eq!(linux_enclave().mrenclave(), certified);
}

#[test]
fn a_stream_of_another_tool_is_read_and_has_the_measurement_its_signer_certified() {
    let image = Image::from_sgxs(FORTANIX_SGXS).unwrap();
    let certified = Sigstruct::from_bytes(FORTANIX_SIGSTRUCT).enclave_hash;
    assert_eq!(image.mrenclave(), certified);
    assert_eq!(image.threads().collect::<Vec<_>>(), [0x15000]);
    fuzzing::sgxs(FORTANIX_SGXS);
}

#[test]
fn an_image_survives_being_written_and_read() {
    for image in [image(), linux_enclave()] {
        let stream = stream(&image);
        let again = Image::from_sgxs(&stream).unwrap();
        assert_eq!(again.runs(), image.runs());
        assert_eq!(again.size(), image.size());
        assert_eq!(again.ssa_frame_pages(), image.ssa_frame_pages());
        fuzzing::sgxs(&stream);
    }
}

#[test]
fn every_thread_has_a_tcs_that_points_into_its_own_area() {
    let image = image();
    assert_eq!(image.size(), ENCLAVE_LEN);
    let threads: Vec<_> = image.threads().collect();
    assert_eq!(threads.len() as u64, THREAD_COUNT);
    for (index, tcs) in threads.into_iter().enumerate() {
        let area = THREADS_OFFSET + index as u64 * THREAD_AREA_LEN;
        assert_eq!(tcs, area + TCS_OFFSET);
        let run = image.runs().iter().find(|run| run.offset == tcs).unwrap();
        assert_eq!(run.info, SecInfo::new(PageKind::Tcs, Permissions::EMPTY));
        let expected = Tcs {
            ossa: area + SSA_OFFSET,
            nssa: 2,
            oentry: 0x1000,
            ofsbase: area + BLOCK_OFFSET,
            ogsbase: area + BLOCK_OFFSET,
            fslimit: 0xffff_ffff,
            gslimit: 0xffff_ffff,
            ..Tcs::ZERO
        };
        assert_eq!(run.bytes, expected.to_bytes());
    }
}

#[test]
fn a_thread_finds_itself_in_the_first_word_of_its_block() {
    let image = image();
    let pages = || image.runs().iter().flat_map(super::Run::pages);
    for index in 0..THREAD_COUNT {
        let area = THREADS_OFFSET + index * THREAD_AREA_LEN;
        let (_, block) = pages()
            .find(|(offset, _)| *offset == area + BLOCK_OFFSET)
            .unwrap();
        assert_eq!(block[..8], area.to_le_bytes());
        assert!(block[8..].iter().all(|byte| *byte == 0));
    }
}

#[test]
fn no_page_of_an_image_is_writable_and_executable() {
    for run in image().runs() {
        let permissions = run.info.permissions();
        assert!(
            !permissions.contains(Permissions::W | Permissions::X),
            "{run:?}"
        );
    }
}

#[test]
fn a_changed_byte_of_the_file_changes_the_measurement() {
    let mut file = Fixture::default().to_bytes();
    file[0x1010] ^= 1;
    assert_ne!(
        Image::from_elf(&file).unwrap().mrenclave(),
        image().mrenclave()
    );
}

#[test]
fn pages_are_added_in_order_inside_the_enclave_and_as_eadd_takes_them() {
    let data = SecInfo::new(PageKind::Reg, Permissions::RW);
    let mut pages = Pages::new(0x8000, 1);
    pages.add(0x1000, data, vec![0; 2 * PAGE]).unwrap();
    for offset in [0, 0x2000, 0x3001, 0x8000, u64::MAX - 0xfff] {
        let refused = pages.add(offset, data, vec![0; PAGE]);
        assert_eq!(refused, Err(PageRule::Place(offset)));
    }
    for (kind, permissions) in [
        (PageKind::Tcs, Permissions::R),
        (PageKind::Reg, Permissions::W),
        (PageKind::Trim, Permissions::EMPTY),
        (PageKind::Secs, Permissions::EMPTY),
    ] {
        let refused = pages.add(0x3000, SecInfo::new(kind, permissions), vec![0; PAGE]);
        assert_eq!(refused, Err(PageRule::Kind(0x3000)));
    }
    let pending = data.with(twine_abi::sgx::SecInfoFlags::PENDING);
    assert_eq!(
        pages.add(0x3000, pending, vec![0; PAGE]),
        Err(PageRule::Kind(0x3000))
    );
    pages.add(0x3000, data, vec![1; PAGE]).unwrap();
    assert_eq!(
        pages.runs().len(),
        1,
        "pages that continue a run become a part of it"
    );
}

/// Only the one stream that writing gives is read.
#[test]
fn a_stream_with_any_byte_of_a_record_changed_is_another_enclave_or_none() {
    let original = Image::from_sgxs(FORTANIX_SGXS).unwrap();
    for place in (0..128).chain(384..448) {
        let mut changed = FORTANIX_SGXS.to_vec();
        changed[place] ^= 1;
        fuzzing::sgxs(&changed);
        if let Ok(image) = Image::from_sgxs(&changed) {
            assert_ne!(image.mrenclave(), original.mrenclave(), "byte {place}");
        }
    }
}

#[test]
fn a_stream_that_is_cut_short_or_out_of_order_is_refused_with_its_place() {
    let page_len = 64 + 16 * (64 + 256);
    let refused = |stream: &[u8]| Image::from_sgxs(stream).expect_err("not canonical");
    let end = |position| SgxsError {
        position,
        rule: SgxsRule::End,
    };
    assert_eq!(refused(b""), end(0));
    assert_eq!(refused(&FORTANIX_SGXS[..63]), end(0));
    assert_eq!(refused(&FORTANIX_SGXS[..64 + page_len - 1]), end(64));
    // The first page twice.
    let twice = [&FORTANIX_SGXS[..64 + page_len], &FORTANIX_SGXS[64..]].concat();
    let again = SgxsError {
        position: 64 + page_len,
        rule: SgxsRule::Page(PageRule::Place(0)),
    };
    assert_eq!(refused(&twice), again);
    // A page without its contents: the host could choose them.
    let unmeasured = [&FORTANIX_SGXS[..128], &FORTANIX_SGXS[64 + page_len..]].concat();
    let SgxsError { position, rule } = refused(&unmeasured);
    assert!(matches!(rule, SgxsRule::Expected(_)), "{rule}");
    assert_eq!(position, 64);
    // A size that no enclave can have.
    let mut odd = FORTANIX_SGXS.to_vec();
    odd[12] = 1;
    assert_eq!(refused(&odd).rule, SgxsRule::Size);
}
