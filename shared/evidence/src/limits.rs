//! Every bound on what is read here.

/// Longest evidence. Quotes of today take about 5,000 bytes; certificates with evidence have to pass TLS libraries, which
/// stop at 64 KiB or a little above.
pub const EVIDENCE_LEN_BYTES_MAX: usize = 65_536;

/// Longest claims. The longest that the table allows take 258 bytes (`ra-tls` with a nonce of 64 bytes).
pub const CLAIMS_LEN_BYTES_MAX: usize = 512;

/// Longest quote: with the longest claims, the evidence still fits.
pub const QUOTE_LEN_BYTES_MAX: usize =
    EVIDENCE_LEN_BYTES_MAX - CLAIMS_LEN_BYTES_MAX - EVIDENCE_HEADS_LEN_BYTES;

/// Shortest nonce: shorter ones repeat by chance.
pub const NONCE_LEN_BYTES_MIN: usize = 8;

/// Longest nonce. RFC 9711 (Entity Attestation Token), section 4.1, has the same two bounds.
pub const NONCE_LEN_BYTES_MAX: usize = 64;

/// Longest peer message: name, version, report, the longest claims, and their heads.
pub const PEER_LEN_BYTES_MAX: usize = 1024;

/// What CBOR adds to quote and claims: the tag's head, the array's, and those of two byte strings.
const EVIDENCE_HEADS_LEN_BYTES: usize = 5 + 1 + 3 + 3;

/// Longest provisioning request: evidence, and what stands before it.
pub const REQUEST_LEN_BYTES_MAX: usize = EVIDENCE_LEN_BYTES_MAX + 21;

/// Most secrets in a bundle.
pub const SECRETS_COUNT_MAX: usize = 256;

/// Longest secret. Certificates with their chains and keys fit; data belongs on a volume.
pub const SECRET_LEN_BYTES_MAX: usize = 65_536;

/// Longest name of a secret.
pub const SECRET_NAME_LEN_BYTES_MAX: usize = 128;

/// Most volume keys in a bundle: as many as a launch document has mounts.
pub const VOLUME_KEYS_COUNT_MAX: usize = 16;

/// Longest name of a volume key: a guest path in a launch document.
pub const VOLUME_NAME_LEN_BYTES_MAX: usize = 255;

/// Longest module in a bundle: the longest that can be launched.
pub const MODULE_LEN_BYTES_MAX: usize = 512 << 20;

/// Longest hand-over: a message for each volume with its head, and the envelope.
pub const HAND_OVER_LEN_BYTES_MAX: usize = VOLUME_KEYS_COUNT_MAX * (PEER_LEN_BYTES_MAX + 3) + 18;

/// Longest bundle: everything at its longest, and 1024 bytes for the envelope.
pub const BUNDLE_LEN_BYTES_MAX: usize = MODULE_LEN_BYTES_MAX
    + SECRETS_COUNT_MAX * (SECRET_LEN_BYTES_MAX + SECRET_NAME_LEN_BYTES_MAX + 8)
    + VOLUME_KEYS_COUNT_MAX * (32 + VOLUME_NAME_LEN_BYTES_MAX + 5)
    + 1024;

const _: () = assert!(
    EVIDENCE_LEN_BYTES_MAX == 65_536
        && NONCE_LEN_BYTES_MIN == 8
        && NONCE_LEN_BYTES_MAX == 64
        && SECRETS_COUNT_MAX == 256
        && SECRET_LEN_BYTES_MAX == 65_536
        && SECRET_NAME_LEN_BYTES_MAX == 128
        && VOLUME_KEYS_COUNT_MAX == 16
        && MODULE_LEN_BYTES_MAX == 536_870_912,
    "frozen: docs/attestation.md"
);
