//! The byte routines that compiled code expects to find by name; elsewhere they come from a C library.
//!
//! `bytes.s` gives them names of their own, so that tests can run it natively beside the C library's.

use core::arch::global_asm;

global_asm!(include_str!("bytes.s"));

global_asm!(
    ".globl memcpy, memmove, memset, memcmp, bcmp, strlen",
    ".set memcpy, bytes_move",
    ".set memmove, bytes_move",
    ".set memset, bytes_set",
    ".set memcmp, bytes_compare",
    ".set bcmp, bytes_compare",
    ".set strlen, bytes_len",
);
