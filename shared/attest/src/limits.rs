//! Every bound on what is read here.

/// Longest quote. Those of today have 4 to 5 KB; evidence as a whole takes at most this.
pub const QUOTE_LEN_BYTES_MAX: usize = 64 << 10;

/// Longest certificate, in DER or PEM. Real ones have 5 to 10 KB of evidence in them, some twice.
pub const CERTIFICATE_LEN_BYTES_MAX: usize = 128 << 10;

/// Longest collateral. Real sets have about 20 KB; lists of revoked certificates grow.
pub const COLLATERAL_LEN_BYTES_MAX: usize = 4 << 20;

/// Longest policy. A person can read so much.
pub const POLICY_LEN_BYTES_MAX: usize = 64 << 10;

/// Shortest nonce that evidence can carry.
pub const NONCE_LEN_BYTES_MIN: usize = 8;

/// Longest nonce that evidence can carry.
pub const NONCE_LEN_BYTES_MAX: usize = 64;
