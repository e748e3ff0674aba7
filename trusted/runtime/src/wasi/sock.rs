//! Sockets: there are none, so every descriptor is either not open or not a socket.

use wasmtime::Linker;

use crate::state::State;
use crate::wasi::call::{Call, Result, define};
use crate::wasi::types::Errno;

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    define!(linker;
        sock_accept(fd: u32, flags: u32, accepted: u32),
        sock_recv(fd: u32, vectors: u32, count: u32, flags: u32, read: u32, out_flags: u32),
        sock_send(fd: u32, vectors: u32, count: u32, flags: u32, written: u32),
        sock_shutdown(fd: u32, how: u32),
    );
    Ok(())
}

fn sock_accept(call: &mut Call<'_>, fd: u32, _: u32, _: u32) -> Result {
    socket(call, fd)
}

fn sock_recv(call: &mut Call<'_>, fd: u32, _: u32, _: u32, _: u32, _: u32, _: u32) -> Result {
    socket(call, fd)
}

fn sock_send(call: &mut Call<'_>, fd: u32, _: u32, _: u32, _: u32, _: u32) -> Result {
    socket(call, fd)
}

fn sock_shutdown(call: &mut Call<'_>, fd: u32, _: u32) -> Result {
    socket(call, fd)
}

fn socket(call: &Call<'_>, fd: u32) -> Result {
    call.state.descriptors.entry(fd)?;
    Err(Errno::Notsock.into())
}
