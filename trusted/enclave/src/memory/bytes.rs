//! The byte routines that compiled code expects to find by name; elsewhere they come from a C library.

core::arch::global_asm!(include_str!("bytes.s"));
