//! Properties that fuzzers drive; the tests call them on corner cases.

use crate::{Claims, Evidence, PeerMessage};

/// Reading any bytes ends in claims or an error, never a panic; what is read has exactly the bytes that it was read from.
pub fn claims(bytes: &[u8]) {
    if let Ok(claims) = Claims::decode(bytes) {
        assert_eq!(claims.encode(), bytes, "claims have one encoding");
        assert_eq!(
            Claims::vouched(bytes, &claims.report_data()).as_ref(),
            Ok(&claims),
            "claims are vouched for by their own hash"
        );
    }
}

/// As [`claims`], of evidence.
pub fn evidence(bytes: &[u8]) {
    if let Ok(evidence) = Evidence::decode(bytes) {
        assert_eq!(evidence.encode(), bytes, "evidence has one encoding");
    }
}

/// As [`claims`], of messages between enclaves.
pub fn peer_message(bytes: &[u8]) {
    if let Ok(message) = PeerMessage::decode(bytes) {
        assert_eq!(message.encode(), bytes, "a message has one encoding");
    }
}
