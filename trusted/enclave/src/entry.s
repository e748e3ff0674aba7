# Every way into and out of the enclave. See `entry.rs` for the prose; constants in braces come from there.
#
# Rules kept on every path:
#   1. A register that the host controls is compared or stored, never used as an address.
#   2. The thread block (GS) and the measured layout say where stacks are; the host's RSP and RBP are only put away.
#   3. After every conditional on a host value, on both sides of it, comes an LFENCE before the value matters.
#   4. RFLAGS, x87, MXCSR and vector registers are set to fixed values before the first Rust instruction runs, and again
#      before the host sees them. General registers that carry nothing are zero both ways.

    .section .text.entry, "ax", @progbits
    .globl enclave_entry
    .hidden enclave_entry
    .type enclave_entry, @function
    .p2align 12
enclave_entry:
    cld
    test rax, rax
    jne .Lexception
    lfence
    cmp dword ptr [rip + {dead}], 0
    jne .Ldead
    mov r10, qword ptr gs:[{state}]
    cmp r10, {IDLE}
    je .Lidle
    cmp r10, {OUTSIDE}
    je .Loutside
    jmp .Lrefuse

# ---- An idle thread is asked to do something: RDI = Entry::Call, RSI = exchange area, RDX = call number.
.Lidle:
    lfence
    cmp rdi, {ENTRY_CALL}
    jne .Lrefuse
    lfence
    mov qword ptr gs:[{state}], {RUNNING}
    mov qword ptr gs:[{host_rsp}], rsp
    mov qword ptr gs:[{host_rbp}], rbp
    mov qword ptr gs:[{host_return}], rcx
    lea rsp, [rip + __ehdr_start]
    add rsp, qword ptr gs:[{area}]
    add rsp, {STACK_TOP}
    mov rdi, rsi
    mov rsi, rdx
    call .Lsanitise
    xor ebx, ebx
    xor ecx, ecx
    xor ebp, ebp
    xor r12d, r12d
    xor r13d, r13d
    xor r14d, r14d
    xor r15d, r15d
    call {enter_call}
.Lcall_done:
    mov rsi, rax
    mov edi, {EXIT_DONE}
    mov qword ptr gs:[{state}], {IDLE}
    jmp .Lexit

# ---- A host call has been served: RDI = Entry::Return.
.Loutside:
    lfence
    cmp rdi, {ENTRY_RETURN}
    jne .Lrefuse
    lfence
    mov qword ptr gs:[{state}], {RUNNING}
    mov qword ptr gs:[{host_rsp}], rsp
    mov qword ptr gs:[{host_rbp}], rbp
    mov qword ptr gs:[{host_return}], rcx
    mov rsp, qword ptr gs:[{trusted_rsp}]
    xor edi, edi
    xor esi, esi
    call .Lsanitise
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
    xor ecx, ecx
    pop r11
    lfence
    jmp r11

# ---- fn leave_for_host(): leaves with Exit::HostCall and returns when the host comes back.
    .globl leave_for_host
    .hidden leave_for_host
    .type leave_for_host, @function
    .p2align 4
leave_for_host:
    push rbp
    push rbx
    push r12
    push r13
    push r14
    push r15
    mov qword ptr gs:[{trusted_rsp}], rsp
    mov qword ptr gs:[{state}], {OUTSIDE}
    mov edi, {EXIT_HOST_CALL}
    xor esi, esi
    # A dying exception handler speaks through here; its host is the one of the exception entry.
    cmp dword ptr gs:[{in_exception}], 0
    jne .Lexception_exit
    jmp .Lexit

# ---- CSSA is not zero: something interrupted this thread inside. RDI = Event, a request and no more.
.Lexception:
    lfence
    cmp dword ptr [rip + {dead}], 0
    jne .Ldead
    mov qword ptr gs:[{exception_host_rsp}], rsp
    mov qword ptr gs:[{exception_host_rbp}], rbp
    mov qword ptr gs:[{exception_host_return}], rcx
    mov dword ptr gs:[{in_exception}], 1
    lea rsp, [rip + __ehdr_start]
    add rsp, qword ptr gs:[{area}]
    add rsp, {EXCEPTION_TOP}
    mov rsi, rax
    call .Lsanitise
    xor ebx, ebx
    xor ecx, ecx
    xor ebp, ebp
    xor r12d, r12d
    xor r13d, r13d
    xor r14d, r14d
    xor r15d, r15d
    call {handle_exception}
    mov rdi, rax
    mov rsi, rdx
    jmp .Lexception_exit

# ---- Where ERESUME lands after the handler turned a fault of the guest into a trap: RDI, RSI, RDX, RCX are set.
    .globl trap_landing
    .hidden trap_landing
    .p2align 4
trap_landing:
    call {deliver_trap}
    ud2

# ---- Where ERESUME lands when the guest has been stopped. Its frames are abandoned; the call ends here.
    .globl stop_landing
    .hidden stop_landing
    .p2align 4
stop_landing:
    lea rsp, [rip + __ehdr_start]
    add rsp, qword ptr gs:[{area}]
    add rsp, {STACK_TOP}
    xor ebp, ebp
    call {finish_stopped}
    jmp .Lcall_done

# ---- fn die() -> !: the enclave is dead already (the flag is set); tell the host.
    .globl die
    .hidden die
    .p2align 4
die:
    mov edi, {EXIT_DEAD}
    xor esi, esi
    cmp dword ptr gs:[{in_exception}], 0
    jne .Lexception_exit
    jmp .Lexit

# ---- The ways out: RDI = Exit code, RSI = status, on a trusted stack.
.Lexit:
    call .Lclear_state
    mov rbx, qword ptr gs:[{host_return}]
    mov rbp, qword ptr gs:[{host_rbp}]
    mov rsp, qword ptr gs:[{host_rsp}]
    jmp .Lgo
.Lexception_exit:
    call .Lclear_state
    mov rbx, qword ptr gs:[{exception_host_return}]
    mov rbp, qword ptr gs:[{exception_host_rbp}]
    mov rsp, qword ptr gs:[{exception_host_rsp}]
    mov dword ptr gs:[{in_exception}], 0
    jmp .Lgo

# ---- Refusals touch nothing: RSP and RBP are still the host's, RCX is where to return.
.Ldead:
    lfence
    mov edi, {EXIT_DEAD}
    xor esi, esi
    mov rbx, rcx
    jmp .Lgo
.Lrefuse:
    lfence
    mov edi, {EXIT_REFUSED}
    mov esi, {STATUS_WRONG_STATE}
    mov rbx, rcx
.Lgo:
    xor ecx, ecx
    xor edx, edx
    xor r8d, r8d
    xor r9d, r9d
    xor r10d, r10d
    xor r11d, r11d
    xor r12d, r12d
    xor r13d, r13d
    xor r14d, r14d
    xor r15d, r15d
    mov eax, {EEXIT}
    enclu
    ud2

# ---- Before Rust runs: flags, x87, MXCSR, vector registers, and every register that a call may clobber except RDI, RSI.
.Lsanitise:
    push 2
    popfq
    mov eax, {XFRM}
    xor edx, edx
    xrstor64 [rip + .Lxsave_initial]
    lfence
    xor eax, eax
    xor r8d, r8d
    xor r9d, r9d
    xor r10d, r10d
    pop r11
    lfence
    jmp r11

# ---- Before the host runs: the same, RDI and RSI kept.
.Lclear_state:
    push 2
    popfq
    mov eax, {XFRM}
    xor edx, edx
    xrstor64 [rip + .Lxsave_initial]
    lfence
    pop r11
    lfence
    jmp r11
    .size enclave_entry, . - enclave_entry

# ---- fn enclu(leaf, rbx, rcx, rdx) -> rax. The one site for every leaf but EEXIT; it is called, so no red zone is in use.
    .globl enclu
    .hidden enclu
    .type enclu, @function
    .p2align 4
enclu:
    push rbx
    mov rax, rdi
    mov rbx, rsi
    mov r10, rdx
    mov rdx, rcx
    mov rcx, r10
    enclu
    .byte 0x66, 0x90
    pop rbx
    ret
    .size enclu, . - enclu
    # Nothing else on these pages: whoever steps through them (docs/emulator.md) meets no loop of the allocator's.
    .balignw 4096, 0x0b0f

# The state that XRSTOR loads. XSTATE_BV is zero, so every component takes its initial configuration (x87 control word
# 0x037F); MXCSR is read from here nevertheless. 0x1FBF masks every exception and sets every sticky flag, so that no
# data-dependent flag update is visible (Intel's guidance on MXCSR configuration dependent timing).
    .section .rodata.entry, "a", @progbits
    .p2align 6
.Lxsave_initial:
    .fill 24, 1, 0
    .long {MXCSR}
    .fill 36, 1, 0
    .fill 448, 1, 0
    .fill 64, 1, 0
