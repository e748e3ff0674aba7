//! Disassembles the finished image and finds every instruction that must not be in it.
//!
//! The processor refuses some instructions inside an enclave (#UD), and only silicon does so: a machine without SGX
//! would run them happily. A few others are legal but have no place in this image. [`Rule`] lists both.
//!
//! x86-64 code can be read from any byte, so a check of what *is* executed has to know where instructions start.
//! Executable segments are decoded from their first byte to their last, and every function symbol must turn out to be
//! the start of an instruction: data between functions, or a decoder that lost its place, shows. Code that jumps into
//! the middle of an instruction is found for ENCLU only, which no other instruction may hide.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context as _, Result, bail, ensure};
use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic};
use object::elf::PF_X;
use object::{Object as _, ObjectSegment as _, ObjectSymbol as _, SegmentFlags, SymbolKind};

mod rule;

use rule::Rule;

/// One instruction that must not be there.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Finding {
    /// Its address, from the image's base.
    pub(crate) address: u64,
    /// The function it is in, if a symbol tells.
    pub(crate) function: Option<String>,
    /// The instruction.
    pub(crate) mnemonic: Mnemonic,
    /// The rule that it breaks.
    pub(crate) rule: Rule,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            address,
            mnemonic,
            rule,
            ..
        } = self;
        let function = self.function.as_deref().unwrap_or("no function");
        write!(f, "{address:#x} in {function}: {mnemonic:?}: {rule}")
    }
}

/// Checks an image and returns how many instructions it has.
///
/// # Errors
/// All findings, or that the code cannot be decoded.
pub(crate) fn check(file: &[u8]) -> Result<u64> {
    let (count, findings) = findings(file)?;
    if findings.is_empty() {
        return Ok(count);
    }
    let lines: Vec<_> = findings.iter().map(Finding::to_string).collect();
    bail!(
        "the image holds instructions that must not be in it:\n{}",
        lines.join("\n")
    )
}

/// Every finding in every executable segment, and the number of instructions looked at.
fn findings(file: &[u8]) -> Result<(u64, Vec<Finding>)> {
    let elf = object::File::parse(file).context("not an ELF file")?;
    let functions = functions(&elf);
    let mut findings = Vec::new();
    let mut count = 0;
    for segment in elf.segments() {
        let is_code =
            matches!(segment.flags(), SegmentFlags::Elf { p_flags } if p_flags & PF_X != 0);
        if is_code {
            let code = Code {
                bytes: segment.data()?,
                address: segment.address(),
            };
            count += code.check(&functions, &mut findings)?;
        }
    }
    ensure!(count > 0, "the image has no code");
    Ok((count, findings))
}

/// The functions by address.
fn functions(elf: &object::File<'_>) -> BTreeMap<u64, String> {
    elf.symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition())
        .map(|symbol| (symbol.address(), symbol.name().unwrap_or("?").to_owned()))
        .collect()
}

/// Code, and where it will lie.
struct Code<'bytes> {
    bytes: &'bytes [u8],
    address: u64,
}

impl Code<'_> {
    /// Decodes everything and returns the number of instructions.
    fn check(&self, functions: &BTreeMap<u64, String>, findings: &mut Vec<Finding>) -> Result<u64> {
        let end = self.address + self.bytes.len() as u64;
        let mut starts = functions.range(self.address..end).peekable();
        let mut function = None;
        let mut count = 0;
        for instruction in self.decoder() {
            if let Some((_, name)) = starts.next_if(|(start, _)| **start == instruction.ip()) {
                function = Some(name);
            }
            if let Some((start, name)) =
                starts.next_if(|(start, _)| **start < instruction.next_ip())
            {
                bail!(
                    "{name} at {start:#x} starts inside an instruction: data in code, or a decoder that lost its place"
                );
            }
            count += 1;
            if let Some(rule) = self.broken(&instruction) {
                findings.push(Finding {
                    address: instruction.ip(),
                    function: function.cloned(),
                    mnemonic: instruction.mnemonic(),
                    rule,
                });
            }
        }
        Ok(count)
    }

    fn decoder(&self) -> Decoder<'_> {
        Decoder::with_ip(64, self.bytes, self.address, DecoderOptions::NONE)
    }

    /// The rule that an instruction breaks, with its surroundings considered.
    fn broken(&self, instruction: &Instruction) -> Option<Rule> {
        let after = self.from(instruction.next_ip());
        if instruction.mnemonic() == Mnemonic::Enclu {
            let known = ENCLU_FOLLOWED_BY.iter().any(|next| after.starts_with(next));
            return (!known).then_some(Rule::EncluForm);
        }
        let here = self.from(instruction.ip());
        // What starts inside this instruction, and may end behind it.
        let hides = (1..instruction.len())
            .any(|skip| here.get(skip..).is_some_and(|rest| rest.starts_with(ENCLU)));
        rule::of(instruction).or_else(|| hides.then_some(Rule::HiddenEnclu))
    }

    /// The bytes from `address` on.
    fn from(&self, address: u64) -> &[u8] {
        usize::try_from(address - self.address)
            .ok()
            .and_then(|at| self.bytes.get(at..))
            .unwrap_or_default()
    }
}

/// The encoding of ENCLU.
const ENCLU: &[u8] = &[0x0f, 0x01, 0xd7];

/// What must follow it: `ud2` after EEXIT, a two-byte `nop` after the others. The emulator recognises and replaces
/// exactly these.
const ENCLU_FOLLOWED_BY: [&[u8]; 2] = [&[0x0f, 0x0b], &[0x66, 0x90]];

#[cfg(test)]
mod tests {
    use super::*;

    /// The rules that `bytes`, decoded from their start, break.
    fn rules(bytes: &[u8]) -> Vec<Rule> {
        let mut findings = Vec::new();
        Code {
            bytes,
            address: 0x1000,
        }
        .check(&BTreeMap::new(), &mut findings)
        .unwrap();
        findings.into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn every_instruction_that_is_illegal_in_an_enclave_is_found() {
        for (bytes, name) in [
            (&[0x0f, 0xa2][..], "cpuid"),
            (&[0x0f, 0x37], "getsec"),
            (&[0x0f, 0x33], "rdpmc"),
            (&[0x0f, 0x01, 0x00], "sgdt"),
            (&[0x0f, 0x01, 0x08], "sidt"),
            (&[0x0f, 0x00, 0xc0], "sldt"),
            (&[0x0f, 0x00, 0xc8], "str"),
            (&[0x0f, 0x01, 0xe0], "smsw"),
            (&[0x0f, 0x01, 0xc1], "vmcall"),
            (&[0x0f, 0x01, 0xd4], "vmfunc"),
            (&[0xe4, 0x80], "in al, imm8"),
            (&[0xec], "in al, dx"),
            (&[0x6c], "insb"),
            (&[0x6d], "insd"),
            (&[0xe6, 0x80], "out imm8, al"),
            (&[0xee], "out dx, al"),
            (&[0x6e], "outsb"),
            (&[0x6f], "outsd"),
            (&[0xff, 0x18], "call far"),
            (&[0xff, 0x28], "jmp far"),
            (&[0xcb], "retf"),
            (&[0xcd, 0x80], "int 0x80"),
            (&[0xf1], "int1"),
            (&[0xcf], "iret"),
            (&[0x48, 0xcf], "iretq"),
            (&[0x0f, 0xb2, 0x00], "lss"),
            (&[0x0f, 0xb4, 0x00], "lfs"),
            (&[0x0f, 0xb5, 0x00], "lgs"),
            (&[0x8e, 0xd8], "mov ds, ax"),
            (&[0x8e, 0xe0], "mov fs, ax"),
            (&[0x0f, 0xa1], "pop fs"),
            (&[0x0f, 0xa9], "pop gs"),
            (&[0x0f, 0x05], "syscall"),
            (&[0x0f, 0x07], "sysret"),
            (&[0x0f, 0x34], "sysenter"),
            (&[0x0f, 0x35], "sysexit"),
            (&[0x0f, 0x01, 0xcf], "encls"),
            (&[0x0f, 0x01, 0xc0], "enclv"),
        ] {
            assert_eq!(rules(bytes), [Rule::Illegal], "{name}");
        }
    }

    #[test]
    fn privileged_instructions_are_found() {
        for (bytes, name) in [
            (&[0xf4][..], "hlt"),
            (&[0xfa], "cli"),
            (&[0xfb], "sti"),
            (&[0x0f, 0x30], "wrmsr"),
            (&[0x0f, 0x09], "wbinvd"),
            (&[0x0f, 0x22, 0xc0], "mov cr0, rax"),
            (&[0x0f, 0x01, 0xf8], "swapgs"),
        ] {
            assert_eq!(rules(bytes), [Rule::Privileged], "{name}");
        }
    }

    #[test]
    fn instructions_that_are_legal_but_have_no_place_here_are_found() {
        for (bytes, rule) in [
            (&[0x0f, 0x31][..], Rule::HostsAnswer),
            (&[0x0f, 0x01, 0xf9], Rule::HostsAnswer),
            (&[0xf3, 0x0f, 0xc7, 0xf8], Rule::HostsAnswer),
            (&[0x0f, 0x01, 0xd0], Rule::HostsAnswer),
            (&[0xf3, 0x48, 0x0f, 0xae, 0xd0], Rule::SegmentBase),
            (&[0xf3, 0x48, 0x0f, 0xae, 0xd8], Rule::SegmentBase),
            (&[0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0], Rule::FsMemory),
            (&[0x62, 0xf1, 0x7c, 0x48, 0x58, 0xc0], Rule::Unsaved),
        ] {
            assert_eq!(rules(bytes), [rule], "{bytes:02x?}");
        }
        assert_eq!(rules(&[0x06]), [Rule::Unknown]);
        assert_eq!(rules(&[0x0f]), [Rule::Unknown]);
    }

    #[test]
    fn enclu_is_allowed_in_its_two_forms_only() {
        assert_eq!(rules(&[0x0f, 0x01, 0xd7, 0x0f, 0x0b]), []);
        assert_eq!(rules(&[0x0f, 0x01, 0xd7, 0x66, 0x90, 0xc3]), []);
        assert_eq!(rules(&[0x0f, 0x01, 0xd7, 0xc3]), [Rule::EncluForm]);
        assert_eq!(rules(&[0x0f, 0x01, 0xd7]), [Rule::EncluForm]);
    }

    #[test]
    fn enclu_is_found_inside_and_across_other_instructions() {
        // mov eax, ENCLU; and its last byte as the next instruction's (xlatb).
        assert_eq!(rules(&[0xb8, 0x0f, 0x01, 0xd7, 0x00]), [Rule::HiddenEnclu]);
        assert_eq!(
            rules(&[0xb8, 0x00, 0x00, 0x0f, 0x01, 0xd7]),
            [Rule::HiddenEnclu]
        );
    }

    #[test]
    fn what_an_enclave_does_all_day_is_not_found() {
        for bytes in [
            &[0x0f, 0x0b][..],                           // ud2
            &[0xcc],                                     // int3, between functions
            &[0x65, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0], // mov rax, gs:0
            &[0x0f, 0xae, 0xe8],                         // lfence
            &[0x48, 0x0f, 0xae, 0x28],                   // xrstor64
            &[0x0f, 0xc7, 0xf0],                         // rdrand
            &[0xc5, 0xfc, 0x58, 0xc1],                   // vaddps ymm
            &[0xff, 0xe0],                               // jmp rax
            &[0x8c, 0xd8],                               // mov eax, ds: reading a selector is legal
        ] {
            assert_eq!(rules(bytes), [], "{bytes:02x?}");
        }
    }

    #[test]
    fn a_function_that_starts_inside_an_instruction_is_an_error() {
        let functions = BTreeMap::from([(0x1001, "f".to_owned())]);
        let code = Code {
            bytes: &[0xb8, 0, 0, 0, 0],
            address: 0x1000,
        };
        code.check(&functions, &mut Vec::new())
            .expect_err("f lies inside mov");
    }

    /// An ELF file with one executable segment and no symbols.
    fn file(code: &[u8]) -> Vec<u8> {
        const HEADERS_LEN: u8 = 64 + 56;
        let mut file = vec![0; HEADERS_LEN.into()];
        let len = u8::try_from(code.len()).unwrap();
        for (at, bytes) in [
            (0, &b"\x7fELF\x02\x01\x01"[..]),
            (16, &[3, 0, 62, 0, 1]),
            (32, &[64]),
            (52, &[64, 0, 56, 0, 1]),
            (64, &[1, 0, 0, 0, 5]),
            (72, &[HEADERS_LEN]),
            (80, &[0, 0x10]),
            (96, &[len]),
            (104, &[len]),
        ] {
            file[at..at + bytes.len()].copy_from_slice(bytes);
        }
        file.extend(code);
        file
    }

    #[test]
    fn a_file_is_checked_from_the_first_byte_of_its_code_to_the_last() {
        assert_eq!(check(&file(&[0x90, 0xc3])).unwrap(), 2);
        let refused = check(&file(&[0x0f, 0xa2, 0x90, 0x0f, 0x05]))
            .expect_err("not for enclaves")
            .to_string();
        assert!(
            refused.contains("0x1000 in no function: Cpuid: illegal inside an enclave"),
            "{refused}"
        );
        assert!(
            refused.contains("0x1003 in no function: Syscall: illegal inside an enclave"),
            "{refused}"
        );
        check(&file(&[])).expect_err("no code");
        check(b"text").expect_err("not an ELF file");
    }
}
