//! The image's code, for tests that look at single instructions: what lies where, and what memory an instruction uses.

use std::ops::Range;

use iced_x86::{
    Decoder, DecoderOptions, Instruction, InstructionInfoFactory, InstructionInfoOptions, OpAccess,
    Register,
};
use object::{Object as _, ObjectSegment as _, ObjectSymbol as _};
use twine::abi::layout::PAGE_LEN;
use twine::abi::sgx::GprSgx;
use twine::image::Image;

/// The code of the bundled image. Addresses in the file are offsets from the enclave's base.
#[derive(Debug)]
pub struct Code {
    start: u64,
    bytes: Vec<u8>,
    symbols: Vec<Symbol>,
    border: Range<u64>,
}

#[derive(Debug)]
struct Symbol {
    name: String,
    range: Range<u64>,
}

impl Code {
    /// The bundled image's.
    ///
    /// # Panics
    /// If the file is not what the host library launches.
    #[must_use]
    pub fn bundled() -> Self {
        let elf = object::File::parse(Image::BUNDLED_ELF).expect("an ELF file");
        let entry = elf.entry();
        let segment = elf
            .segments()
            .find(|segment| {
                segment.address() <= entry && entry < segment.address() + segment.size()
            })
            .expect("the entry lies in a segment");
        let symbols = elf.symbols().map(|symbol| Symbol {
            name: symbol.name().unwrap_or_default().to_owned(),
            range: symbol.address()..symbol.address() + symbol.size(),
        });
        let mut code = Self {
            start: segment.address(),
            bytes: segment.data().expect("the segment is in the file").to_vec(),
            symbols: symbols.collect(),
            border: 0..0,
        };
        code.border = code.function("enclave_entry").start..code.function("enclu").end;
        code
    }

    /// All of it.
    #[must_use]
    pub fn text(&self) -> Range<u64> {
        self.start..self.start + self.bytes.len() as u64
    }

    /// What `entry.s` makes, from the entry point to the one ENCLU of all other leaves.
    #[must_use]
    pub fn border(&self) -> Range<u64> {
        self.border.clone()
    }

    /// Where the function of this name, or with this in its name, lies.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn function(&self, name: &str) -> Range<u64> {
        self.find(name)
            .unwrap_or_else(|| panic!("the image has no function {name}"))
    }

    /// The same, if the compiler has left one of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Range<u64>> {
        self.symbols
            .iter()
            .find(|symbol| symbol.name == name)
            .or_else(|| {
                self.symbols
                    .iter()
                    .find(|symbol| symbol.name.contains(name))
            })
            .map(|symbol| symbol.range.clone())
    }

    /// The instruction at an offset.
    #[must_use]
    pub fn at(&self, offset: u64) -> Instruction {
        let skip = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        let bytes = self.bytes.get(skip..).unwrap_or_default();
        Decoder::with_ip(64, bytes, offset, DecoderOptions::NONE).decode()
    }

    /// The instructions of all functions, function by function.
    pub fn all(&self) -> impl Iterator<Item = Instruction> {
        let text = self.text();
        self.symbols
            .iter()
            .filter(move |symbol| text.contains(&symbol.range.start))
            .flat_map(|symbol| self.instructions(symbol.range.clone()))
    }

    /// All instructions from the start of a range on, one behind the other.
    pub fn instructions(&self, range: Range<u64>) -> impl Iterator<Item = Instruction> {
        let mut next = range.start;
        std::iter::from_fn(move || {
            let instruction = (next < range.end).then(|| self.at(next))?;
            next = instruction.next_ip();
            Some(instruction)
        })
    }
}

/// The whole pages that these ranges touch.
#[must_use]
pub fn pages(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut pages: Vec<Range<u64>> = ranges
        .iter()
        .map(|range| range.start - range.start % PAGE_LEN..range.end.next_multiple_of(PAGE_LEN))
        .collect();
    pages.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in pages {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// Memory that an instruction is about to use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Access {
    /// The first byte's address.
    pub address: u64,
    /// Length in bytes; 0 if the instruction alone does not tell.
    pub len: u64,
    /// Whether it is written.
    pub writes: bool,
}

/// What memory an instruction will use if it is executed with these registers. Left out is what it reaches through GS, which
/// is the thread's own block, and relative to RIP, which is the image. Of a repeated string instruction the next round only.
#[must_use]
pub fn accesses(
    factory: &mut InstructionInfoFactory,
    instruction: &Instruction,
    registers: &GprSgx,
) -> Vec<Access> {
    let repeats = instruction.has_rep_prefix() || instruction.has_repne_prefix();
    if repeats && instruction.is_string_instruction() && registers.rcx == 0 {
        return Vec::new();
    }
    let info = factory.info_options(instruction, InstructionInfoOptions::NO_REGISTER_USAGE);
    let used = info.used_memory().iter().filter(|memory| {
        let relative_to_rip = memory.base() == Register::None && memory.index() == Register::None;
        memory.access() != OpAccess::NoMemAccess
            && memory.segment() != Register::GS
            && !relative_to_rip
    });
    used.flat_map(|memory| {
        let address = memory.virtual_address(0, |register, _, _| value(registers, register));
        let reads = !matches!(memory.access(), OpAccess::Write | OpAccess::CondWrite);
        let writes = !matches!(memory.access(), OpAccess::Read | OpAccess::CondRead);
        // Of repeated instructions the total is not known, and one round's length asked of the instruction.
        let size = if repeats {
            instruction.memory_size()
        } else {
            memory.memory_size()
        };
        let access = |writes| Access {
            address: address.unwrap_or_default(),
            len: size.size() as u64,
            writes,
        };
        [reads.then(|| access(false)), writes.then(|| access(true))]
    })
    .flatten()
    .collect()
}

/// The value of a register as part of an address. Segments begin at zero.
fn value(registers: &GprSgx, register: Register) -> Option<u64> {
    if register.is_segment_register() {
        return Some(0);
    }
    let full = match register.full_register() {
        Register::RAX => registers.rax,
        Register::RBX => registers.rbx,
        Register::RCX => registers.rcx,
        Register::RDX => registers.rdx,
        Register::RSI => registers.rsi,
        Register::RDI => registers.rdi,
        Register::RBP => registers.rbp,
        Register::RSP => registers.rsp,
        Register::R8 => registers.r8,
        Register::R9 => registers.r9,
        Register::R10 => registers.r10,
        Register::R11 => registers.r11,
        Register::R12 => registers.r12,
        Register::R13 => registers.r13,
        Register::R14 => registers.r14,
        Register::R15 => registers.r15,
        _ => return None,
    };
    Some(if register.is_gpr32() {
        full & 0xffff_ffff
    } else {
        full
    })
}
