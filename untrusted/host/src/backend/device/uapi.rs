//! The driver's structures and request numbers, and the vDSO's structure, as Linux freezes them in `asm/sgx.h`.
//!
//! A test compiles the system's own header and compares every size, offset and number.

/// Operand of `SGX_IOC_ENCLAVE_CREATE`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Create {
    /// Address of the SECS, a page.
    pub src: u64,
}

/// Operand of `SGX_IOC_ENCLAVE_ADD_PAGES`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct AddPages {
    /// Address of the contents.
    pub src: u64,
    /// Offset of the first page from the base.
    pub offset: u64,
    /// Bytes to add.
    pub length: u64,
    /// Address of the SECINFO.
    pub secinfo: u64,
    /// [`PAGE_MEASURE`], or zero.
    pub flags: u64,
    /// Written: bytes added.
    pub count: u64,
}

/// Operand of `SGX_IOC_ENCLAVE_INIT`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Init {
    /// Address of the SIGSTRUCT.
    pub sigstruct: u64,
}

/// Operand of `SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct RestrictPermissions {
    /// Offset of the first page from the base.
    pub offset: u64,
    /// Bytes to change.
    pub length: u64,
    /// R 1, W 2, X 4.
    pub permissions: u64,
    /// Zero; written: the error code of EMODPR.
    pub result: u64,
    /// Zero; written: bytes changed.
    pub count: u64,
}

/// Operand of `SGX_IOC_ENCLAVE_MODIFY_TYPES`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct ModifyTypes {
    /// Offset of the first page from the base.
    pub offset: u64,
    /// Bytes to change.
    pub length: u64,
    /// TCS 1 or TRIM 4.
    pub page_type: u64,
    /// Zero; written: the error code of EMODT.
    pub result: u64,
    /// Zero; written: bytes changed.
    pub count: u64,
}

/// Operand of `SGX_IOC_ENCLAVE_REMOVE_PAGES`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct RemovePages {
    /// Offset of the first page from the base.
    pub offset: u64,
    /// Bytes to remove.
    pub length: u64,
    /// Zero; written: bytes removed.
    pub count: u64,
}

/// `struct sgx_enclave_run`: what passes between the vDSO's function and its caller.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Run {
    /// Address of the TCS.
    pub tcs: u64,
    /// Written: 4 after EEXIT, else the leaf (2 or 3) at which an exception was taken.
    pub function: u32,
    /// Written with an exception: its vector.
    pub exception_vector: u16,
    /// Written with an exception: its error code.
    pub exception_error_code: u16,
    /// Written with a page fault: the page.
    pub exception_addr: u64,
    /// A function to be called before the vDSO returns; zero for none.
    pub user_handler: u64,
    /// The caller's own.
    pub user_data: u64,
    /// Zero, else EINVAL.
    pub reserved: [u8; 216],
}

impl Run {
    /// For entering the TCS at this address.
    pub(super) const fn new(tcs: u64) -> Self {
        Self {
            tcs,
            function: 0,
            exception_vector: 0,
            exception_error_code: 0,
            exception_addr: 0,
            user_handler: 0,
            user_data: 0,
            reserved: [0; 216],
        }
    }
}

/// `SGX_PAGE_MEASURE`: all sixteen EEXTENDs of each page.
pub const PAGE_MEASURE: u64 = 1;

/// `SGX_IOC_ENCLAVE_CREATE`.
pub const IOC_CREATE: u32 = iow(0x00, size_of::<Create>());
/// `SGX_IOC_ENCLAVE_ADD_PAGES`.
pub const IOC_ADD_PAGES: u32 = iowr(0x01, size_of::<AddPages>());
/// `SGX_IOC_ENCLAVE_INIT`.
pub const IOC_INIT: u32 = iow(0x02, size_of::<Init>());
/// `SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS`.
pub const IOC_RESTRICT_PERMISSIONS: u32 = iowr(0x05, size_of::<RestrictPermissions>());
/// `SGX_IOC_ENCLAVE_MODIFY_TYPES`.
pub const IOC_MODIFY_TYPES: u32 = iowr(0x06, size_of::<ModifyTypes>());
/// `SGX_IOC_ENCLAVE_REMOVE_PAGES`.
pub const IOC_REMOVE_PAGES: u32 = iowr(0x07, size_of::<RemovePages>());

/// `_IOW` of the driver's magic number.
const fn iow(number: u32, len: usize) -> u32 {
    request(1, number, len)
}

/// `_IOWR` of the driver's magic number.
const fn iowr(number: u32, len: usize) -> u32 {
    request(3, number, len)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the operands have less than 256 bytes"
)]
const fn request(direction: u32, number: u32, len: usize) -> u32 {
    const SGX_MAGIC: u32 = 0xa4;
    direction << 30 | (len as u32) << 16 | SGX_MAGIC << 8 | number
}

const _: () = {
    assert!(IOC_CREATE == 0x4008_a400);
    assert!(IOC_ADD_PAGES == 0xc030_a401);
    assert!(IOC_INIT == 0x4008_a402);
    assert!(IOC_RESTRICT_PERMISSIONS == 0xc028_a405);
    assert!(IOC_MODIFY_TYPES == 0xc028_a406);
    assert!(IOC_REMOVE_PAGES == 0xc018_a407);
    assert!(size_of::<Run>() == 256);
};

#[cfg(test)]
mod tests {
    use std::mem::offset_of;
    use std::process::Command;

    use super::*;

    /// C that does not compile unless `asm/sgx.h` says the same as this file.
    fn claims() -> String {
        let mut code = String::from("#include <stddef.h>\n#include <asm/sgx.h>\n");
        let mut claim = |left: &str, right: u64| {
            code.push_str(&format!(
                "_Static_assert({left} == {right}ul, \"{left}\");\n"
            ));
        };
        macro_rules! structure {
            ($rust:ident $c:literal { $($field:ident),+ }) => {
                claim(concat!("sizeof(struct ", $c, ")"), size_of::<$rust>() as u64);
                $(claim(
                    concat!("offsetof(struct ", $c, ", ", stringify!($field), ")"),
                    offset_of!($rust, $field) as u64,
                );)+
            };
        }
        structure!(Create "sgx_enclave_create" { src });
        structure!(AddPages "sgx_enclave_add_pages" { src, offset, length, secinfo, flags, count });
        structure!(Init "sgx_enclave_init" { sigstruct });
        structure!(RestrictPermissions "sgx_enclave_restrict_permissions" {
            offset, length, permissions, result, count
        });
        structure!(ModifyTypes "sgx_enclave_modify_types" {
            offset, length, page_type, result, count
        });
        structure!(RemovePages "sgx_enclave_remove_pages" { offset, length, count });
        structure!(Run "sgx_enclave_run" {
            tcs, function, exception_vector, exception_error_code, exception_addr, user_handler, user_data, reserved
        });
        claim("SGX_PAGE_MEASURE", PAGE_MEASURE);
        claim("SGX_IOC_ENCLAVE_CREATE", IOC_CREATE.into());
        claim("SGX_IOC_ENCLAVE_ADD_PAGES", IOC_ADD_PAGES.into());
        claim("SGX_IOC_ENCLAVE_INIT", IOC_INIT.into());
        claim(
            "SGX_IOC_ENCLAVE_RESTRICT_PERMISSIONS",
            IOC_RESTRICT_PERMISSIONS.into(),
        );
        claim("SGX_IOC_ENCLAVE_MODIFY_TYPES", IOC_MODIFY_TYPES.into());
        claim("SGX_IOC_ENCLAVE_REMOVE_PAGES", IOC_REMOVE_PAGES.into());
        code
    }

    fn compiles(code: &str) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("claims.c");
        std::fs::write(&file, code).unwrap();
        let output = Command::new("cc").arg("-fsyntax-only").arg(&file).output();
        output.unwrap().status.success()
    }

    #[test]
    fn sizes_offsets_and_numbers_are_those_of_the_systems_header() {
        let claims = claims();
        assert!(claims.lines().count() > 40);
        assert!(
            compiles(&claims),
            "asm/sgx.h (linux-libc-dev) says otherwise"
        );
        let wrong = claims.replace(
            "sizeof(struct sgx_enclave_run) == 256ul",
            "sizeof(struct sgx_enclave_run) == 255ul",
        );
        assert!(!compiles(&wrong), "a wrong size goes unnoticed");
    }
}
