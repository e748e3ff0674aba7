//! The engine's platform: the symbols that Wasmtime's `custom` platform asks for, on the enclave's own memory and threads.
//!
//! | symbol | here |
//! |---|---|
//! | `wasmtime_mmap_*`, `wasmtime_munmap`, `wasmtime_mprotect` | [`arena`] |
//! | `wasmtime_memory_image_*` | declined: linear memories are initialised by copying |
//! | `wasmtime_init_traps` | the handler is kept; [`crate::exception`] sends faults to it |
//! | `wasmtime_tls_*` | the thread block |
//! | `wasmtime_sync_*` | [`sync`] |
//!
//! Signatures: `capi.rs` of the engine's sources (version 48, "min-platform").

use core::sync::atomic::{AtomicUsize, Ordering};

use twine_abi::sgx::Permissions;

use crate::memory::PAGE_SIZE;
use crate::memory::arena::{self, ArenaError};
use crate::{fatal, sync, thread};

/// `WASMTIME_PROT_*`.
mod protection {
    pub(super) const READ: u32 = 1;
    pub(super) const WRITE: u32 = 2;
    pub(super) const EXEC: u32 = 4;
}

/// The engine's trap handler: program counter, frame pointer, whether there is a faulting address, and which. Does not
/// return if the trap was the guest's.
type TrapHandler = extern "C" fn(usize, usize, bool, usize);

/// The handler that `wasmtime_init_traps` gave, as an address; zero before.
static TRAP_HANDLER: AtomicUsize = AtomicUsize::new(0);

/// Calls the engine's trap handler; `entry.s` comes here from `trap_landing`, on the guest's stack.
pub(crate) extern "sysv64" fn deliver_trap(
    pc: usize,
    frame: usize,
    has_address: bool,
    address: usize,
) -> ! {
    let handler = TRAP_HANDLER.load(Ordering::Relaxed);
    if handler != 0 {
        // SAFETY: the only value ever stored is the handler that the engine passed to `wasmtime_init_traps`.
        let handler: TrapHandler = unsafe { core::mem::transmute::<usize, TrapHandler>(handler) };
        handler(pc, frame, has_address, address);
    }
    fatal::kill(format_args!("the engine knows no trap at {pc:#x}"))
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_init_traps(handler: TrapHandler) -> i32 {
    TRAP_HANDLER.store(handler as usize, Ordering::Relaxed);
    0
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_page_size() -> usize {
    PAGE_SIZE
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_mmap_new(size: usize, flags: u32, address: &mut *mut u8) -> i32 {
    answer((|| {
        let at = arena::reserve(size as u64)?;
        *address = at as *mut u8;
        arena::protect(at, size as u64, permissions(flags)?)
    })())
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_mmap_remap(address: *mut u8, size: usize, flags: u32) -> i32 {
    answer((|| {
        arena::renew(address as u64, size as u64, permissions(flags)?)
    })())
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_munmap(address: *mut u8, size: usize) -> i32 {
    answer(arena::release(address as u64, size as u64))
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_mprotect(address: *mut u8, size: usize, flags: u32) -> i32 {
    answer((|| {
        arena::protect(address as u64, size as u64, permissions(flags)?)
    })())
}

/// Declines to make an image of a linear memory's initial contents.
#[unsafe(no_mangle)]
extern "C" fn wasmtime_memory_image_new(_: *const u8, _: usize, image: &mut *mut u8) -> i32 {
    *image = core::ptr::null_mut();
    0
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_memory_image_map_at(_: *mut u8, _: *mut u8, _: usize) -> i32 {
    NOT_SUPPORTED
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_memory_image_free(_: *mut u8) {}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_tls_get(slot: usize) -> *mut u8 {
    thread::engine_slot(slot) as *mut u8
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_tls_set(slot: usize, value: *mut u8) {
    thread::set_engine_slot(slot, value as u64);
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_sync_lock_free(_: &AtomicUsize) {}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_sync_lock_acquire(lock: &AtomicUsize) {
    sync::acquire(lock);
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_sync_lock_release(lock: &AtomicUsize) {
    sync::release(lock);
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_sync_rwlock_read(lock: &AtomicUsize) {
    sync::acquire_shared(lock);
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_sync_rwlock_read_release(lock: &AtomicUsize) {
    sync::release_shared(lock);
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_sync_rwlock_write(lock: &AtomicUsize) {
    sync::acquire(lock);
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_sync_rwlock_write_release(lock: &AtomicUsize) {
    sync::release(lock);
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_sync_rwlock_free(_: &AtomicUsize) {}

/// ENOTSUP: the engine prints the number.
const NOT_SUPPORTED: i32 = 95;

/// The engine's flags as permissions of pages; `None` for no access.
fn permissions(flags: u32) -> Result<Option<Permissions>, ArenaError> {
    const READ_WRITE: u32 = protection::READ | protection::WRITE;
    const READ_EXEC: u32 = protection::READ | protection::EXEC;
    Ok(Some(match flags {
        0 => return Ok(None),
        protection::READ => Permissions::R,
        READ_WRITE => Permissions::RW,
        READ_EXEC => Permissions::RX,
        _ => return Err(ArenaError::NoSuchStep),
    }))
}

/// A result as the number that the engine reports ("os error"), Linux's for the same failure.
fn answer(result: Result<(), ArenaError>) -> i32 {
    match result {
        Ok(()) => 0,
        Err(ArenaError::Full) => 12,
        Err(ArenaError::NotReserved) => 22,
        Err(ArenaError::NoSuchStep) => NOT_SUPPORTED,
    }
}
