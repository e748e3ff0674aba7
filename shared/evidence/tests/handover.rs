//! Hand-overs from outside: their one form, and every other.

use twine_evidence::limits::{HAND_OVER_LEN_BYTES_MAX, VOLUME_KEYS_COUNT_MAX};
use twine_evidence::{Claims, Error, HandOver, PeerMessage, Statement, fuzzing};

fn message(byte: u8) -> PeerMessage {
    let claims = Claims {
        document: [byte; 64],
        statement: Statement::Migrate { key: [byte; 32] },
    };
    PeerMessage::new([byte; 432], &claims)
}

fn hand_over(count: usize) -> Result<HandOver, Error> {
    let bytes = (0_u8..).take(count);
    HandOver::new(bytes.map(message).collect())
}

#[test]
fn a_hand_over_comes_back_as_it_was_written() {
    for count in [0, 1, 2, VOLUME_KEYS_COUNT_MAX] {
        let written = hand_over(count).unwrap();
        let bytes = written.encode();
        assert!(bytes.len() <= HAND_OVER_LEN_BYTES_MAX);
        assert_eq!(HandOver::decode(&bytes).unwrap(), written);
        assert_eq!(written.messages().len(), count);
    }
}

#[test]
fn its_form_is_that_of_the_documentation() {
    let written = hand_over(1).unwrap().encode();
    let message = message(0).encode();
    let head = [&b"\x83\x6etwine-handover\x01\x81\x59"[..]].concat();
    let len = [message.len() >> 8, message.len() & 0xff].map(|byte| u8::try_from(byte).unwrap());
    assert_eq!(written, [&head, &len[..], &message].concat());
}

#[test]
fn there_are_at_most_as_many_messages_as_mounts() {
    let too_many = Error::Malformed {
        what: "hand-over",
        part: "number of messages",
    };
    assert_eq!(hand_over(VOLUME_KEYS_COUNT_MAX + 1), Err(too_many));
    let many = b"\x83\x6etwine-handover\x01\x9b\xff\xff\xff\xff\xff\xff\xff\xff";
    HandOver::decode(many).unwrap_err();
    let without_end = b"\x83\x6etwine-handover\x01\x9f\xff";
    HandOver::decode(without_end).unwrap_err();
}

#[test]
fn what_is_cut_off_longer_or_changed_is_refused_or_still_one_encoding() {
    let bytes = hand_over(2).unwrap().encode();
    for len in 0..bytes.len() {
        HandOver::decode(bytes.get(..len).unwrap()).unwrap_err();
    }
    HandOver::decode(&[&bytes[..], b"\0"].concat()).unwrap_err();
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        *changed.get_mut(place).unwrap() ^= 1;
        fuzzing::peer_message(&changed);
    }
}
