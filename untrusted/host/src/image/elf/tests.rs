//! Each rule is broken in a small executable that keeps all others.

use object::elf;
use twine_abi::layout::IMAGE_LEN_MAX;
use twine_abi::sgx::Permissions;

use super::fixture::{Fixture, Program};
use super::{Elf, ElfError, RelocationRule, SegmentRule};

/// What is wrong with the fixture after `break_it`.
fn error(break_it: impl FnOnce(&mut Fixture)) -> ElfError {
    let mut fixture = Fixture::default();
    break_it(&mut fixture);
    Elf::parse(&fixture.to_bytes()).expect_err("the fixture is broken")
}

fn segment(index: usize, rule: SegmentRule) -> ElfError {
    ElfError::Segment { index, rule }
}

fn relocation(offset: u64, rule: RelocationRule) -> ElfError {
    ElfError::Relocation {
        index: 0,
        offset,
        rule,
    }
}

#[test]
fn a_good_file_gives_its_segments_as_they_are() {
    let file = Fixture::default().to_bytes();
    let elf = Elf::parse(&file).expect("nothing is wrong");
    let permissions: Vec<_> = elf.segments.iter().map(|s| s.permissions).collect();
    assert_eq!(
        permissions,
        [Permissions::R, Permissions::RX, Permissions::RW]
    );
    let [first, _, data] = elf.segments.as_slice() else {
        panic!("three segments");
    };
    assert_eq!(first.contents(), &file[..0x1000]);
    assert_eq!(data.contents().len(), 0x3000);
    assert_eq!(data.contents()[..0x1100], file[0x2000..0x3100]);
    assert!(data.contents()[0x1100..].iter().all(|byte| *byte == 0));
}

#[test]
fn bytes_around_a_segment_are_not_loaded() {
    let mut fixture = Fixture::default();
    fixture.programs[1].address += 8;
    fixture.programs[1].offset += 8;
    fixture.programs[1].file_len = 8;
    fixture.entry += 8;
    let mut file = fixture.to_bytes();
    file[0x1000..0x1020].fill(0xcc);
    let elf = Elf::parse(&file).expect("nothing is wrong");
    let contents = elf.segments[1].contents();
    assert_eq!(elf.segments[1].first_page(), 0x1000);
    assert_eq!(contents[..8], [0; 8]);
    assert_eq!(contents[8..16], [0xcc; 8]);
    assert!(contents[16..].iter().all(|byte| *byte == 0));
}

#[test]
fn a_file_for_another_machine_or_of_fixed_address_is_refused() {
    let wrong = |kind, machine| ElfError::WrongKind { kind, machine };
    assert_eq!(
        error(|f| f.kind = elf::ET_EXEC),
        wrong(elf::ET_EXEC, elf::EM_X86_64)
    );
    assert_eq!(
        error(|f| f.machine = elf::EM_AARCH64),
        wrong(elf::ET_DYN, elf::EM_AARCH64)
    );
    assert!(matches!(Elf::parse(b""), Err(ElfError::Malformed(_))));
}

#[test]
fn an_interpreter_thread_local_storage_and_unknown_segments_are_refused() {
    for kind in [elf::PT_INTERP, elf::PT_TLS, elf::PT_SHLIB, 0x6fff_ffff] {
        let found = error(|f| f.programs.push(Program::new(kind, 0, 0)));
        assert!(
            matches!(found, ElfError::SegmentKind { index: 5, kind: k, .. } if k == kind),
            "{found}"
        );
    }
}

#[test]
fn segments_must_be_readable_and_never_writable_and_executable() {
    use elf::{PF_R, PF_W, PF_X};
    for (flags, rule) in [
        (PF_R | PF_W | PF_X, SegmentRule::WritableCode),
        (PF_W | PF_X, SegmentRule::WritableCode),
        (PF_X, SegmentRule::Unreadable),
        (PF_W, SegmentRule::Unreadable),
        (0, SegmentRule::Unreadable),
    ] {
        assert_eq!(error(|f| f.programs[1].flags = flags), segment(1, rule));
    }
}

#[test]
fn segments_must_lie_in_the_file_and_in_the_image() {
    assert_eq!(
        error(|f| f.programs[2].offset = 1 << 20),
        segment(2, SegmentRule::Bytes)
    );
    assert_eq!(
        error(|f| f.programs[2].memory_len = 0x10ff),
        segment(2, SegmentRule::Bytes)
    );
    for len in [IMAGE_LEN_MAX, u64::MAX] {
        assert_eq!(
            error(|f| f.programs[2].memory_len = len),
            segment(2, SegmentRule::TooLong)
        );
    }
}

#[test]
fn segments_start_at_zero_and_share_no_page() {
    assert_eq!(
        error(|f| f.programs[0].address = 8),
        segment(0, SegmentRule::NotAtZero)
    );
    assert_eq!(
        error(|f| f.programs[1].address = 0xff8),
        segment(1, SegmentRule::Overlap)
    );
    assert_eq!(
        error(|f| f.programs[1].memory_len = 0x1001),
        segment(2, SegmentRule::Overlap)
    );
    assert_eq!(
        error(|f| f.programs[0].offset = 0x1000),
        segment(0, SegmentRule::NotAtZero)
    );
    assert_eq!(error(|f| f.programs.clear()), ElfError::Empty);
}

#[test]
fn the_image_finds_its_program_headers_at_its_base() {
    let short = error(|f| {
        f.programs[0].file_len = 64;
        f.programs[0].memory_len = 64;
    });
    assert_eq!(short, segment(0, SegmentRule::NoHeaders));
    for kind in [elf::PT_DYNAMIC, elf::PT_GNU_RELRO] {
        let found = error(|f| f.programs.push(Program::new(kind, 0x2000, 0x1000)));
        assert!(
            matches!(found, ElfError::SegmentKind { index: 5, .. }),
            "{found}"
        );
    }
}

#[test]
fn the_entry_point_must_be_code() {
    for entry in [0, 0x1040, 0x2000, u64::MAX] {
        assert_eq!(error(|f| f.entry = entry), ElfError::Entry(entry));
    }
}

#[test]
fn what_is_sealed_is_whole_pages_of_one_writable_segment() {
    for (address, len) in [
        (0x2000, 0xff8),
        (0x2008, 0xff8),
        (0x2000, 0x4000),
        (0, 0x1000),
        (0x1000, 0x1000),
        (0x2000, u64::MAX),
    ] {
        let found = error(|f| {
            f.programs[4].address = address;
            f.programs[4].memory_len = len;
        });
        assert_eq!(
            found,
            segment(4, SegmentRule::Seal),
            "{address:#x}, {len:#x}"
        );
    }
}

#[test]
fn a_dynamic_section_that_needs_a_loader_is_refused() {
    for tag in [
        elf::DT_NEEDED,
        elf::DT_REL,
        elf::DT_RELR,
        elf::DT_JMPREL,
        elf::DT_TEXTREL,
        elf::DT_INIT,
        elf::DT_INIT_ARRAY,
        elf::DT_PREINIT_ARRAY,
        elf::DT_FINI,
        elf::DT_FINI_ARRAY,
    ] {
        let found = error(|f| f.dynamic.push((tag, 0x1000)));
        assert!(
            matches!(found, ElfError::Dynamic { tag: t, .. } if t == tag),
            "{found}"
        );
    }
    let endless = error(|f| f.programs[3].file_len = 32);
    assert!(matches!(endless, ElfError::Malformed(_)), "{endless}");
    let outside = error(|f| f.programs[3].address = 0x1ff8);
    assert!(matches!(outside, ElfError::Malformed(_)), "{outside}");
}

#[test]
fn only_base_plus_constant_on_aligned_writable_words_is_relocated() {
    let relative = u64::from(elf::R_X86_64_RELATIVE);
    for kind in [
        elf::R_X86_64_64,
        elf::R_X86_64_GLOB_DAT,
        elf::R_X86_64_IRELATIVE,
    ] {
        assert_eq!(
            error(|f| f.relocations[0].1 = kind.into()),
            relocation(0x2800, RelocationRule::Kind(kind))
        );
    }
    // A symbol besides.
    assert_eq!(
        error(|f| f.relocations[0].1 = relative | 1 << 32),
        relocation(0x2800, RelocationRule::Kind(elf::R_X86_64_RELATIVE))
    );
    for target in [0x2804, 0x800, 0x1000, 0x4ffc, 0x5000, u64::MAX - 7] {
        assert_eq!(
            error(|f| f.relocations[0].0 = target),
            relocation(target, RelocationRule::Target)
        );
    }
    for value in [0x5001, u64::MAX] {
        assert_eq!(
            error(|f| f.relocations[0].2 = value),
            relocation(0x2800, RelocationRule::Value(value))
        );
    }
}

#[test]
fn an_undefined_symbol_is_named() {
    let fixture = Fixture {
        symbol: Some("memcpy"),
        ..Fixture::default()
    };
    assert_eq!(
        Elf::parse(&fixture.to_bytes()).expect_err("undefined"),
        ElfError::Undefined("memcpy".into())
    );
}

#[test]
fn a_damaged_file_is_an_error_and_never_a_panic() {
    let fixture = Fixture {
        symbol: Some("memcpy"),
        ..Fixture::default()
    };
    let file = fixture.to_bytes();
    for len in 0..file.len() {
        crate::image::fuzzing::elf(&file[..len]);
    }
    // Every byte of the headers, the tables and the symbols, with a few values each.
    let places = (0..0x240)
        .chain(0x800..0x880)
        .chain(0x2000..0x2100)
        .chain(0x3100..file.len());
    for place in places {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut damaged = file.clone();
            damaged[place] = value;
            crate::image::fuzzing::elf(&damaged);
        }
    }
}
