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

const _: () = assert!(
    EVIDENCE_LEN_BYTES_MAX == 65_536 && NONCE_LEN_BYTES_MIN == 8 && NONCE_LEN_BYTES_MAX == 64,
    "frozen: docs/attestation.md"
);
