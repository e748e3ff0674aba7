//! The import module `twine`: what a guest may ask its enclave to say of it. For guests: docs/guest.md, `guests/twine.h`.
//!
//! | call | for |
//! |---|---|
//! | `evidence_get` | anybody elsewhere, by a quote |
//! | `report_target_get`, `report_get`, `report_verify` | another enclave of this machine, by the processor's report |
//!
//! All follow WASI's conventions: addresses and lengths of 32 bits that are checked like WASI's, an errno as the result.
//! Whatever the guest passes is hashed into the claim `tw-user`; purposes other than `guest` and `peer`, other claims and
//! REPORT_DATA are out of its reach.

use twine_abi::exchange::HostErrno;
use twine_abi::sgx::{ReportBody, TargetInfo};
use wasmtime::{Caller, Linker};

use crate::attestation::{self, Disbelief, Peer};
use crate::limits::EVIDENCE_DATA_LEN_BYTES_MAX;
use crate::platform::Fault;
use crate::state::State;
use crate::wasi::call::{Call, Failure, Result, serve};
use crate::wasi::memory::{GuestMemory, GuestRange};
use crate::wasi::types::Errno;

/// The module that guests import the calls from.
pub(crate) const MODULE: &str = "twine";

/// Defines every call in `linker`.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.func_wrap(
        MODULE,
        "evidence_get",
        |caller: Caller<'_, State>, data: u32, data_len: u32, to: u32, to_len: u32, needed: u32| {
            let (data, to) = (range(data, data_len), range(to, to_len));
            serve(caller, |call| evidence_get(call, data, to, needed))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "report_target_get",
        |caller: Caller<'_, State>, to: u32| serve(caller, |call| report_target_get(call, to)),
    )?;
    linker.func_wrap(
        MODULE,
        "report_get",
        |caller: Caller<'_, State>,
         target: u32,
         data: u32,
         data_len: u32,
         to: u32,
         to_len: u32,
         needed: u32| {
            let (data, to) = (range(data, data_len), range(to, to_len));
            serve(caller, |call| report_get(call, target, data, to, needed))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "report_verify",
        |caller: Caller<'_, State>, message: u32, message_len: u32, to: u32| {
            let message = range(message, message_len);
            serve(caller, |call| report_verify(call, message, to))
        },
    )?;
    Ok(())
}

const fn range(address: u32, len: u32) -> GuestRange {
    GuestRange { address, len }
}

fn evidence_get(call: &mut Call<'_>, data: GuestRange, to: GuestRange, needed: u32) -> Result {
    // Before the work, which takes a while: what cannot be answered is not asked for.
    check_places(&mut call.memory, to, needed)?;
    let data = user_data(&call.memory, data)?;
    let State {
        platform, subject, ..
    } = &mut *call.state;
    let evidence =
        attestation::guest_evidence(&mut **platform, subject, data).map_err(to_failure)?;
    answer(&mut call.memory, to, needed, &evidence.encode())
}

fn report_target_get(call: &mut Call<'_>, to: u32) -> Result {
    check_range(&call.memory, to, TargetInfo::LEN)?;
    let target = attestation::own_target(call.platform()).map_err(to_failure)?;
    Ok(call.memory.write(to, &target.to_bytes())?)
}

fn report_get(
    call: &mut Call<'_>,
    target: u32,
    data: GuestRange,
    to: GuestRange,
    needed: u32,
) -> Result {
    check_places(&mut call.memory, to, needed)?;
    let target = TargetInfo::from_bytes(&call.memory.array(target)?);
    let data = user_data(&call.memory, data)?;
    let State {
        platform, subject, ..
    } = &mut *call.state;
    let message = attestation::peer_message(&mut **platform, subject, &target, data);
    let message = message.map_err(to_failure)?.ok_or(Errno::Inval)?;
    answer(&mut call.memory, to, needed, &message.encode())
}

fn report_verify(call: &mut Call<'_>, message: GuestRange, to: u32) -> Result {
    check_range(&call.memory, to, PEER_LEN)?;
    let message = call.memory.slice(message)?;
    let peer = attestation::believe(&mut *call.state.platform, message);
    let peer = peer.map_err(|disbelief| match disbelief {
        Disbelief::Malformed => Errno::Badmsg,
        Disbelief::NotVouchedFor => Errno::Acces,
    })?;
    Ok(call.memory.write(to, &peer_fields(&peer))?)
}

/// What the guest chose, to be hashed.
fn user_data<'a>(
    memory: &'a GuestMemory<'_>,
    data: GuestRange,
) -> core::result::Result<&'a [u8], Errno> {
    if data.len > EVIDENCE_DATA_LEN_BYTES_MAX {
        return Err(Errno::TooBig);
    }
    memory.slice(data)
}

/// Checks that the answer and its length have places in memory.
fn check_places(memory: &mut GuestMemory<'_>, to: GuestRange, needed: u32) -> Result {
    memory.slice(to)?;
    Ok(memory.write_u32(needed, 0)?)
}

fn check_range(memory: &GuestMemory<'_>, address: u32, len: usize) -> Result {
    let len = u32::try_from(len).map_err(|_| Errno::Fault)?;
    memory.slice(GuestRange { address, len })?;
    Ok(())
}

/// Writes the answer, or only how long it is if its place is too short.
fn answer(memory: &mut GuestMemory<'_>, to: GuestRange, needed: u32, bytes: &[u8]) -> Result {
    let len = u32::try_from(bytes.len()).map_err(|_| Errno::Overflow)?;
    memory.write_u32(needed, len)?;
    if len > to.len {
        return Err(Errno::Range.into());
    }
    Ok(memory.write(to.address, bytes)?)
}

/// A machine that cannot attest is no input or output error.
fn to_failure(fault: Fault) -> Failure {
    match fault {
        Fault::Host(HostErrno::NotSupported) => Errno::Notsup.into(),
        fault => fault.into(),
    }
}

/// The peer as the guest's structure `twine_peer_t`.
///
/// ```text
/// offset  size  field
///      0    32  mrenclave
///     32    32  mrsigner
///     64    64  config_id
///    128    32  module
///    160    32  user
///    192     8  attributes      flags
///    200     8  xfrm
///    208     4  misc_select
///    212     2  isv_prod_id
///    214     2  isv_svn
///    216     2  config_svn
///    218     6  zero
/// ```
fn peer_fields(peer: &Peer) -> [u8; PEER_LEN] {
    let ReportBody {
        mr_enclave,
        mr_signer,
        config_id,
        attributes,
        misc_select,
        isv_prod_id,
        isv_svn,
        config_svn,
        ..
    } = &peer.enclave;
    let mut fields = [0; PEER_LEN];
    let values: [&[u8]; 11] = [
        mr_enclave,
        mr_signer,
        config_id,
        &peer.module,
        &peer.user,
        &attributes.flags.bits().to_le_bytes(),
        &attributes.xfrm.to_le_bytes(),
        &misc_select.bits().to_le_bytes(),
        &isv_prod_id.to_le_bytes(),
        &isv_svn.to_le_bytes(),
        &config_svn.to_le_bytes(),
    ];
    let bytes = values.into_iter().flatten();
    fields
        .iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = *from);
    fields
}

/// Length of `twine_peer_t`.
const PEER_LEN: usize = 224;
