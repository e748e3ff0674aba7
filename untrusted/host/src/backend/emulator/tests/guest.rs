//! The enclave that tests run: position-independent code of a page, and what its operations are called.
//!
//! GS points at a block: host RSP @0, host RBP @8, where to return @16, stack top @24, bytes to skip after an exception
//! @32, offset of SSA\[0\].GPRSGX @40, scratch @48.

#![expect(unsafe_code, reason = "the enclave's code is assembly")]

use std::arch::global_asm;

/// Operations, in RDI at EENTER. Arguments are RSI, RDX, R8, R9; results RSI and RDX.
pub(in crate::backend) mod op {
    /// Come back.
    pub(in crate::backend) const NOTHING: u64 = 0;
    /// ENCLU with RAX = RSI, RBX = RDX, RCX = R8, RDX = R9, at a site with room for a jump. Results: RAX, RFLAGS.
    pub(in crate::backend) const LEAF: u64 = 1;
    /// The same at a site without room: it always traps.
    pub(in crate::backend) const LEAF_TRAPPING: u64 = 2;
    /// UD2.
    pub(in crate::backend) const UD2: u64 = 3;
    /// Result: the word at RSI.
    pub(in crate::backend) const LOAD: u64 = 4;
    /// Writes RDX to RSI.
    pub(in crate::backend) const STORE: u64 = 5;
    /// Divides by zero.
    pub(in crate::backend) const DIVIDE: u64 = 6;
    /// Writes 1 to RSI, then counts until the word at RDX is not zero. Every register holds a known value meanwhile;
    /// result: how many of them have changed at the end.
    pub(in crate::backend) const SPIN: u64 = 7;
    /// Jumps to RSI.
    pub(in crate::backend) const JUMP: u64 = 8;
    /// INT3.
    pub(in crate::backend) const INT3: u64 = 9;
    /// UD2 with every register holding a known value; result: how many of them have changed afterwards.
    pub(in crate::backend) const UD2_WITH_REGISTERS: u64 = 10;
    /// EEXIT to RSI instead of where it came from.
    pub(in crate::backend) const EXIT_ELSEWHERE: u64 = 11;
    /// Results: RAX, RSP at EENTER.
    pub(in crate::backend) const ENTRY_REGISTERS: u64 = 12;
    /// EEXIT at a site without room for a jump.
    pub(in crate::backend) const EXIT_TRAPPING: u64 = 13;
    /// Result: RDGSBASE.
    pub(in crate::backend) const GS_BASE: u64 = 14;
    /// Executes ENCLU for RDX pages from RSI: EACCEPT with the SECINFO at R8. Result: the first RAX that is not zero.
    pub(in crate::backend) const ACCEPT_PAGES: u64 = 15;
    /// Writes to one word in each of RDX pages from RSI.
    pub(in crate::backend) const TOUCH_PAGES: u64 = 16;
}

/// What the exception entry answers in RDI.
pub(in crate::backend) const ANSWER_RESUME: u64 = 0x5e5;

global_asm!(
    ".pushsection .rodata.twine_emulator_test_guest, \"a\", @progbits",
    ".p2align 6",
    ".hidden twine_emulator_test_guest",
    ".globl twine_emulator_test_guest",
    "twine_emulator_test_guest:",
    "mov gs:[0], rsp",
    "mov gs:[8], rbp",
    "mov gs:[16], rcx",
    "test rax, rax",
    "jne 90f",
    "mov r11, rsp",
    "mov rsp, gs:[24]",
    "cmp rdi, 0",
    "je 99f",
    "cmp rdi, 1",
    "je 21f",
    "cmp rdi, 2",
    "je 22f",
    "cmp rdi, 3",
    "je 23f",
    "cmp rdi, 4",
    "je 24f",
    "cmp rdi, 5",
    "je 25f",
    "cmp rdi, 6",
    "je 26f",
    "cmp rdi, 7",
    "je 27f",
    "cmp rdi, 8",
    "je 28f",
    "cmp rdi, 9",
    "je 29f",
    "cmp rdi, 10",
    "je 30f",
    "cmp rdi, 11",
    "je 31f",
    "cmp rdi, 12",
    "je 32f",
    "cmp rdi, 13",
    "je 33f",
    "cmp rdi, 14",
    "je 34f",
    "cmp rdi, 15",
    "je 35f",
    "cmp rdi, 16",
    "je 36f",
    "ud2",
    // LEAF
    "21:",
    "mov rax, rsi",
    "mov rbx, rdx",
    "mov rcx, r8",
    "mov rdx, r9",
    ".byte 0x0f, 0x01, 0xd7, 0x66, 0x90",
    "pushfq",
    "pop rdx",
    "mov rsi, rax",
    "jmp 99f",
    // LEAF_TRAPPING
    "22:",
    "mov rax, rsi",
    "mov rbx, rdx",
    "mov rcx, r8",
    "mov rdx, r9",
    ".byte 0x0f, 0x01, 0xd7",
    "pushfq",
    "pop rdx",
    "mov rsi, rax",
    "jmp 99f",
    "23:",
    "ud2",
    "jmp 99f",
    "24:",
    "mov rsi, [rsi]",
    "jmp 99f",
    "25:",
    "mov [rsi], rdx",
    "jmp 99f",
    "26:",
    "xor edx, edx",
    "xor ecx, ecx",
    "mov eax, 7",
    "div ecx",
    "jmp 99f",
    // SPIN
    "27:",
    "mov qword ptr [rsi], 1",
    "mov rdi, rdx",
    "mov rax, rsp",
    "movq xmm7, rax",
    "mov rax, 0x0101010101010101",
    "mov rbx, 0x0202020202020202",
    "mov rcx, 0x0303030303030303",
    "mov rbp, 0x0505050505050505",
    "mov r12, 0x1212121212121212",
    "mov r13, 0x1313131313131313",
    "mov r14, 0x1414141414141414",
    "mov r15, 0x1515151515151515",
    "movq xmm0, r12",
    "vmovq xmm1, r13",
    "vinsertf128 ymm2, ymm1, xmm1, 1",
    "71:",
    "pause",
    "mov rdx, [rdi]",
    "test rdx, rdx",
    "je 71b",
    "stc",
    "jmp 80f",
    // UD2_WITH_REGISTERS
    "30:",
    "mov rax, 0x0101010101010101",
    "mov rbx, 0x0202020202020202",
    "mov rcx, 0x0303030303030303",
    "mov rbp, 0x0505050505050505",
    "mov r12, 0x1212121212121212",
    "mov r13, 0x1313131313131313",
    "mov r14, 0x1414141414141414",
    "mov r15, 0x1515151515151515",
    "movq xmm0, r12",
    "vmovq xmm1, r13",
    "vinsertf128 ymm2, ymm1, xmm1, 1",
    "stc",
    "ud2",
    // Counts in rsi what has changed.
    "80:",
    "mov esi, 0",
    "adc rsi, 0",
    "xor rsi, 1",
    "lea rdx, [rip + 89f]",
    "cmp rax, [rdx]",
    "je 81f",
    "inc rsi",
    "81:",
    "cmp rbx, [rdx + 8]",
    "je 82f",
    "inc rsi",
    "82:",
    "cmp rcx, [rdx + 16]",
    "je 83f",
    "inc rsi",
    "83:",
    "cmp rbp, [rdx + 24]",
    "je 84f",
    "inc rsi",
    "84:",
    "cmp r12, [rdx + 32]",
    "je 85f",
    "inc rsi",
    "85:",
    "cmp r15, [rdx + 56]",
    "je 86f",
    "inc rsi",
    "86:",
    "movq rax, xmm0",
    "cmp rax, [rdx + 32]",
    "je 87f",
    "inc rsi",
    "87:",
    "vextractf128 xmm3, ymm2, 1",
    "vmovq rax, xmm3",
    "cmp rax, [rdx + 40]",
    "je 99f",
    "inc rsi",
    "jmp 99f",
    "89:",
    ".quad 0x0101010101010101, 0x0202020202020202, 0x0303030303030303, 0x0505050505050505",
    ".quad 0x1212121212121212, 0x1313131313131313, 0x1414141414141414, 0x1515151515151515",
    "28:",
    "jmp rsi",
    "29:",
    "int3",
    "jmp 99f",
    "31:",
    "mov rbx, rsi",
    "mov rsp, gs:[0]",
    "mov rbp, gs:[8]",
    "mov eax, 4",
    ".byte 0x0f, 0x01, 0xd7, 0x0f, 0x0b",
    "32:",
    "mov rsi, rax",
    "mov rdx, r11",
    "jmp 99f",
    "33:",
    "mov rbx, gs:[16]",
    "mov rsp, gs:[0]",
    "mov rbp, gs:[8]",
    "mov eax, 4",
    ".byte 0x0f, 0x01, 0xd7",
    "int3",
    "34:",
    "rdgsbase rsi",
    "jmp 99f",
    // ACCEPT_PAGES
    "35:",
    "mov r10, rsi",
    "mov r12, rdx",
    "mov rbx, r8",
    "xor esi, esi",
    "151:",
    "test r12, r12",
    "je 99f",
    "mov rcx, r10",
    "mov eax, 5",
    ".byte 0x0f, 0x01, 0xd7, 0x66, 0x90",
    "test rax, rax",
    "jne 152f",
    "add r10, 4096",
    "dec r12",
    "jmp 151b",
    "152:",
    "mov rsi, rax",
    "jmp 99f",
    // TOUCH_PAGES
    "36:",
    "test rdx, rdx",
    "je 99f",
    "mov [rsi], rdx",
    "add rsi, 4096",
    "dec rdx",
    "jmp 36b",
    // An exception: skip as many bytes as the block says.
    "90:",
    "mov r10, gs:[40]",
    "lea r11, [rip + twine_emulator_test_guest]",
    "add r10, r11",
    "mov r11, gs:[32]",
    "add [r10 + 136], r11",
    "mov rsi, rax",
    "mov edi, {answer}",
    "jmp 98f",
    // Out.
    "99:",
    "xor edi, edi",
    "98:",
    "mov rbx, gs:[16]",
    "mov rsp, gs:[0]",
    "mov rbp, gs:[8]",
    "mov eax, 4",
    ".byte 0x0f, 0x01, 0xd7, 0x0f, 0x0b",
    ".hidden twine_emulator_test_guest_end",
    ".globl twine_emulator_test_guest_end",
    "twine_emulator_test_guest_end:",
    ".popsection",
    answer = const ANSWER_RESUME,
);

unsafe extern "C" {
    static twine_emulator_test_guest: u8;
    static twine_emulator_test_guest_end: u8;
}

/// The code.
pub(in crate::backend) fn code() -> &'static [u8] {
    let start = &raw const twine_emulator_test_guest;
    let end = &raw const twine_emulator_test_guest_end;
    let len = end.addr() - start.addr();
    // SAFETY: the assembly above puts both labels around the same read-only bytes.
    unsafe { std::slice::from_raw_parts(start, len) }
}
