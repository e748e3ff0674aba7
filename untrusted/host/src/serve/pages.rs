//! Page calls: forwarded to the platform, which knows what is allowed.

use twine_abi::exchange::HostErrno;
use twine_abi::layout::{ENCLAVE_LEN, PAGE_LEN};
use twine_abi::sgx::{PageKind, Permissions};

use super::errno::of_pages;
use crate::backend::{BackendError, Enclave, PageRange};

pub(super) fn restrict(
    enclave: &dyn Enclave,
    offset: u64,
    len: u64,
    permissions: u64,
) -> Result<u64, HostErrno> {
    let permissions = u8::try_from(permissions)
        .map(Permissions::from_bits)
        .ok()
        .filter(|bits| Permissions::NAMED.contains(*bits))
        .ok_or(HostErrno::Invalid)?;
    answer(enclave.restrict(range(offset, len)?, permissions))
}

pub(super) fn trim(enclave: &dyn Enclave, offset: u64, len: u64) -> Result<u64, HostErrno> {
    answer(enclave.retype(range(offset, len)?, PageKind::Trim))
}

pub(super) fn remove(enclave: &dyn Enclave, offset: u64, len: u64) -> Result<u64, HostErrno> {
    answer(enclave.remove(range(offset, len)?))
}

pub(super) fn add(enclave: &dyn Enclave, offset: u64, len: u64) -> Result<u64, HostErrno> {
    answer(enclave.augment(range(offset, len)?))
}

fn answer(result: Result<(), BackendError>) -> Result<u64, HostErrno> {
    result.map(|()| 0).map_err(|error| {
        log::debug!("a page call failed: {error}");
        of_pages(&error)
    })
}

/// Whole pages inside the enclave, at least one.
fn range(offset: u64, len: u64) -> Result<PageRange, HostErrno> {
    let inside = offset
        .checked_add(len)
        .is_some_and(|end| end <= ENCLAVE_LEN);
    let whole = offset.is_multiple_of(PAGE_LEN) && len.is_multiple_of(PAGE_LEN);
    if len == 0 || !inside || !whole {
        return Err(HostErrno::Invalid);
    }
    Ok(PageRange {
        offset,
        count: len / PAGE_LEN,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_pages_inside_the_enclave_are_passed_on() {
        assert_eq!(
            range(PAGE_LEN, 2 * PAGE_LEN),
            Ok(PageRange {
                offset: PAGE_LEN,
                count: 2
            })
        );
        for (offset, len) in [
            (0, 0),
            (1, PAGE_LEN),
            (0, PAGE_LEN + 1),
            (ENCLAVE_LEN, PAGE_LEN),
            (u64::MAX - 4095, PAGE_LEN),
            (PAGE_LEN, u64::MAX - 4095),
        ] {
            assert_eq!(
                range(offset, len),
                Err(HostErrno::Invalid),
                "{offset:#x}+{len:#x}"
            );
        }
    }
}
