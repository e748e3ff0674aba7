//! Properties that fuzzers drive; the tests call them on corner cases.

use crate::bundle::{Envelope, Header, Payload};
use crate::{Claims, Evidence, HandOver, PeerMessage, Request};

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
    if let Ok(hand_over) = HandOver::decode(bytes) {
        assert_eq!(hand_over.encode(), bytes, "a hand-over has one encoding");
    }
}

/// As [`claims`], of requests for provisioning.
pub fn request(bytes: &[u8]) {
    if let Ok(request) = Request::decode(bytes) {
        assert_eq!(request.encode(), bytes, "a request has one encoding");
    }
}

/// As [`claims`], of bundles, of their headers, and of what is inside.
pub fn bundle(bytes: &[u8]) {
    if let Ok((envelope, signature, place)) = Envelope::parse(bytes) {
        assert_eq!(
            envelope.encode(signature),
            bytes,
            "a bundle has one encoding"
        );
        assert_eq!(bytes.get(place), Some(envelope.ciphertext));
    }
    if let Ok(header) = Header::parse(bytes) {
        assert_eq!(header.encode(), bytes, "a header has one encoding");
    }
    if let Ok(payload) = Payload::parse(bytes) {
        let encoded = payload.encode().map(|bytes| bytes.to_vec());
        assert_eq!(encoded, Ok(bytes.to_vec()), "a payload has one encoding");
    }
}
