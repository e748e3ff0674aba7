# Moving, setting and comparing bytes. System V calling convention; results as C's memmove, memset, memcmp, strlen.
#
# Moves of up to 128 bytes load everything before they store anything, so they are right for overlapping ranges. Longer ones use REP MOVSB, which the processor does in whole cache lines, forwards; only where the
# destination overlaps the source from above they go backwards.

    .section .text.bytes, "ax", @progbits
    .globl bytes_move
    .hidden bytes_move
    .type bytes_move, @function
    .p2align 5
bytes_move:
    mov rax, rdi
    cmp rdx, 16
    jae .Lmove_16
    cmp edx, 8
    jae .Lmove_8
    cmp edx, 4
    jae .Lmove_4
    cmp edx, 1
    ja .Lmove_2
    jb .Lmove_done
    mov cl, byte ptr [rsi]
    mov byte ptr [rdi], cl
.Lmove_done:
    ret
.Lmove_2:
    mov cx, word ptr [rsi]
    mov r8w, word ptr [rsi + rdx - 2]
    mov word ptr [rdi], cx
    mov word ptr [rdi + rdx - 2], r8w
    ret
.Lmove_4:
    mov ecx, dword ptr [rsi]
    mov r8d, dword ptr [rsi + rdx - 4]
    mov dword ptr [rdi], ecx
    mov dword ptr [rdi + rdx - 4], r8d
    ret
.Lmove_8:
    mov rcx, qword ptr [rsi]
    mov r8, qword ptr [rsi + rdx - 8]
    mov qword ptr [rdi], rcx
    mov qword ptr [rdi + rdx - 8], r8
    ret
.Lmove_16:
    cmp rdx, 32
    ja .Lmove_33
    vmovdqu xmm0, xmmword ptr [rsi]
    vmovdqu xmm1, xmmword ptr [rsi + rdx - 16]
    vmovdqu xmmword ptr [rdi], xmm0
    vmovdqu xmmword ptr [rdi + rdx - 16], xmm1
    ret
.Lmove_33:
    cmp rdx, 64
    ja .Lmove_65
    vmovdqu ymm0, ymmword ptr [rsi]
    vmovdqu ymm1, ymmword ptr [rsi + rdx - 32]
    vmovdqu ymmword ptr [rdi], ymm0
    vmovdqu ymmword ptr [rdi + rdx - 32], ymm1
    vzeroupper
    ret
.Lmove_65:
    cmp rdx, 128
    ja .Lmove_129
    vmovdqu ymm0, ymmword ptr [rsi]
    vmovdqu ymm1, ymmword ptr [rsi + 32]
    vmovdqu ymm2, ymmword ptr [rsi + rdx - 64]
    vmovdqu ymm3, ymmword ptr [rsi + rdx - 32]
    vmovdqu ymmword ptr [rdi], ymm0
    vmovdqu ymmword ptr [rdi + 32], ymm1
    vmovdqu ymmword ptr [rdi + rdx - 64], ymm2
    vmovdqu ymmword ptr [rdi + rdx - 32], ymm3
    vzeroupper
    ret
.Lmove_129:
    mov rcx, rdi
    sub rcx, rsi
    cmp rcx, rdx
    jb .Lmove_backwards
    mov rcx, rdx
    rep movsb
    ret
    # The destination begins inside the source. 32 bytes at a time from the end; the rest, loaded first, goes in front.
.Lmove_backwards:
    vmovdqu ymm1, ymmword ptr [rsi]
.Lmove_backwards_loop:
    vmovdqu ymm0, ymmword ptr [rsi + rdx - 32]
    vmovdqu ymmword ptr [rdi + rdx - 32], ymm0
    sub rdx, 32
    cmp rdx, 32
    ja .Lmove_backwards_loop
    vmovdqu ymmword ptr [rdi], ymm1
    vzeroupper
    ret
    .size bytes_move, . - bytes_move

    .globl bytes_set
    .hidden bytes_set
    .type bytes_set, @function
    .p2align 5
bytes_set:
    mov r8, rdi
    movzx eax, sil
    cmp rdx, 32
    jae .Lset_32
    mov rcx, rdx
.Lset_rep:
    rep stosb
    mov rax, r8
    ret
.Lset_32:
    mov rcx, rdx
    cmp rdx, 256
    ja .Lset_rep
    vmovd xmm0, eax
    vpbroadcastb ymm0, xmm0
    vmovdqu ymmword ptr [rdi + rdx - 32], ymm0
.Lset_loop:
    vmovdqu ymmword ptr [rdi], ymm0
    add rdi, 32
    sub rdx, 32
    cmp rdx, 32
    jae .Lset_loop
    vzeroupper
    mov rax, r8
    ret
    .size bytes_set, . - bytes_set

    .globl bytes_compare
    .hidden bytes_compare
    .type bytes_compare, @function
    .p2align 5
bytes_compare:
    xor ecx, ecx
    cmp rdx, 8
    jb .Lcompare_bytes
.Lcompare_words:
    mov rax, qword ptr [rdi + rcx]
    mov r8, qword ptr [rsi + rcx]
    cmp rax, r8
    jne .Lcompare_word_differs
    add rcx, 8
    sub rdx, 8
    cmp rdx, 8
    jae .Lcompare_words
.Lcompare_bytes:
    test rdx, rdx
    je .Lcompare_equal
    movzx eax, byte ptr [rdi + rcx]
    movzx r8d, byte ptr [rsi + rcx]
    inc rcx
    dec rdx
    sub eax, r8d
    je .Lcompare_bytes
    ret
.Lcompare_equal:
    xor eax, eax
    ret
.Lcompare_word_differs:
    bswap rax
    bswap r8
    cmp rax, r8
    sbb eax, eax
    or eax, 1
    ret
    .size bytes_compare, . - bytes_compare

    .globl bytes_len
    .hidden bytes_len
    .type bytes_len, @function
    .p2align 4
bytes_len:
    mov rax, rdi
.Llen_loop:
    cmp byte ptr [rax], 0
    je .Llen_done
    inc rax
    jmp .Llen_loop
.Llen_done:
    sub rax, rdi
    ret
    .size bytes_len, . - bytes_len
