//! Every bound on a launch document and on what the caller passes beside it.

/// The only version of the document's form there is.
pub const FORM_VERSION: u64 = 1;

/// Longest launch document. A person can read so much, and the enclave copies it before anything is known about it.
pub const DOCUMENT_LEN_BYTES_MAX: usize = 64 << 10;

/// Longest compiled module. Large language runtimes compile to about 100 MiB.
pub const MODULE_LEN_BYTES_MAX: usize = 512 << 20;

/// Longest name of an application.
pub const APPLICATION_NAME_LEN_BYTES_MAX: usize = 128;

/// Longest name of an engine profile.
pub const ENGINE_NAME_LEN_BYTES_MAX: usize = 64;

/// Longest argument list, terminating zeros included; the same for the environment. Linux allows 128 KiB for a single
/// string (`MAX_ARG_STRLEN`).
pub const STRINGS_LEN_BYTES_MAX: usize = 128 << 10;

/// Most arguments, and most variables.
pub const STRINGS_COUNT_MAX: usize = 4096;

/// Longest name of an environment variable.
pub const VARIABLE_NAME_LEN_BYTES_MAX: usize = 255;

/// Least linear memory a guest can be limited to: one page.
pub const MEMORY_BYTES_MIN: u64 = 64 << 10;

/// Most linear memory a guest can have: all that 32-bit addresses reach.
pub const MEMORY_BYTES_MAX: u64 = 4 << 30;

/// Linear memory unless the document says otherwise: what the module itself asks for.
pub const MEMORY_BYTES_DEFAULT: u64 = MEMORY_BYTES_MAX;

/// Least stack a guest can be limited to.
pub const STACK_BYTES_MIN: u64 = 16 << 10;

/// Most stack a guest can have. The runtime needs what is left of the thread's 16 MiB for itself.
pub const STACK_BYTES_MAX: u64 = 14 << 20;

/// Stack unless the document says otherwise. Compiled C and Rust keep their arrays in linear memory, so this holds
/// about ten thousand nested calls.
pub const STACK_BYTES_DEFAULT: u64 = 1 << 20;

/// Most table elements, over all tables. Each takes 8 to 16 bytes of enclave memory.
pub const TABLE_ELEMENTS_MAX: u64 = 10_000_000;

/// Table elements unless the document says otherwise: ten times what the largest known programs declare.
pub const TABLE_ELEMENTS_DEFAULT: u64 = 1_000_000;

/// Least number of open descriptors: the three standard streams.
pub const DESCRIPTORS_MIN: u64 = 3;

/// Most open descriptors.
pub const DESCRIPTORS_MAX: u64 = 65_536;

/// Open descriptors unless the document says otherwise; Linux's usual soft limit.
pub const DESCRIPTORS_DEFAULT: u64 = 1024;

/// Most mounts. Each may hold caches of its own, so this also bounds the enclave's memory.
pub const MOUNTS_COUNT_MAX: usize = 16;

/// Longest path of a mount.
pub const MOUNT_PATH_LEN_BYTES_MAX: usize = 255;

/// Most secrets. A bundle is held in the enclave as a whole, and so are they ([`SECRET_LEN_BYTES_MAX`]).
pub const SECRETS_COUNT_MAX: usize = 256;

/// Longest secret. Keys, certificates and passwords are far shorter; data belong on a volume.
pub const SECRET_LEN_BYTES_MAX: usize = 64 << 10;

/// Longest name of a secret.
pub const SECRET_NAME_LEN_BYTES_MAX: usize = 128;

/// Most recovery keys. Each takes one of a volume's 31 key slots, and a slot that is replaced stands beside its successor
/// for a while.
pub const RECOVERY_KEYS_COUNT_MAX: usize = 8;

/// Most subject alternative names of a certificate.
pub const TLS_NAMES_COUNT_MAX: usize = 16;

/// Longest name of a host (RFC 1035, section 2.3.4, as text).
pub const TLS_NAME_LEN_BYTES_MAX: usize = 253;

/// Most images in a list of images. An application outlives few releases between two versions of its document.
pub const MIGRATION_IMAGES_COUNT_MAX: usize = 16;

/// Least size of a file system in the enclave's memory.
pub const TMPFS_BYTES_MIN: u64 = 64 << 10;

/// Most bytes of a file system in the enclave's memory: the heap holds 3 GiB, for everything.
pub const TMPFS_BYTES_MAX: u64 = 2 << 30;

/// Size of a file system in the enclave's memory unless the caller says otherwise.
pub const TMPFS_BYTES_DEFAULT: u64 = 64 << 20;

/// Shortest time limit, milliseconds.
pub const TIMEOUT_MS_MIN: u64 = 1;

/// Longest time limit, milliseconds: a year.
pub const TIMEOUT_MS_MAX: u64 = 365 * 24 * 3600 * 1000;

const _: () = {
    assert!(MEMORY_BYTES_MIN <= MEMORY_BYTES_DEFAULT && MEMORY_BYTES_DEFAULT <= MEMORY_BYTES_MAX);
    assert!(STACK_BYTES_MIN <= STACK_BYTES_DEFAULT && STACK_BYTES_DEFAULT <= STACK_BYTES_MAX);
    assert!(TABLE_ELEMENTS_DEFAULT <= TABLE_ELEMENTS_MAX);
    assert!(DESCRIPTORS_MIN <= DESCRIPTORS_DEFAULT && DESCRIPTORS_DEFAULT <= DESCRIPTORS_MAX);
};
