//! Fuzz bodies that need a whole enclave.

use std::sync::OnceLock;

use twine::abi::exchange::{Header, HostCall};
use twine::{Error, Input, Launch, Module, Outcome};

use crate::hostile::liar;
use crate::run::{module, runtime};

/// Whatever a host answers, and whatever it writes into the payload, the run ends in an outcome or an error: the enclave
/// neither corrupts its memory nor breaks the protocol, and nothing panics.
///
/// The first byte chooses the guest; then every host call takes a byte that tells how to lie, and what the lie needs. When
/// the bytes are used up, the host becomes honest.
///
/// # Panics
/// If the property does not hold.
pub fn host_answers(bytes: &[u8]) {
    let guests = guests();
    let Some((first, script)) = bytes.split_first() else {
        return;
    };
    let Some(module) = guests.get(usize::from(*first) % guests.len()) else {
        return;
    };
    let mut script = Vec::from(script).into_iter();
    let mut previous = 0;
    let lie = liar(move |header, payload, honest| {
        let Some(how) = script.next() else {
            return honest.serve(header, payload);
        };
        let mut word = || {
            let mut word = [0; 8];
            word.fill_with(|| script.next().unwrap_or_default());
            i64::from_le_bytes(word)
        };
        previous = match how % 8 {
            0 | 1 => honest.serve(header, payload),
            2 => word(),
            3 => -(word() & 0xff),
            4 => previous,
            5 => honest.serve(header, payload).wrapping_add(word() % 9 - 4),
            6 => {
                scribble(payload, word().to_le_bytes());
                honest.serve(header, payload)
            }
            _ => lie_by_arguments(header, payload, honest, word()),
        };
        previous
    });
    let launch =
        Launch::new(runtime(), module).stdin(Input::bytes(*b"some input\nfor the guest\n"));
    let launch = launch.timeout(std::time::Duration::from_millis(500));
    check(launch.services(lie).run());
}

/// Overwrites the payload with a pattern.
fn scribble(payload: &mut [u8], pattern: [u8; 8]) {
    for (byte, new) in payload
        .iter_mut()
        .zip(pattern.into_iter().cycle())
        .take(4096)
    {
        *byte ^= new;
    }
}

/// Does something else than what was asked: the call with another argument.
fn lie_by_arguments(
    header: &Header,
    payload: &mut [u8],
    honest: &mut dyn twine::serve::Services,
    word: i64,
) -> i64 {
    let mut other = *header;
    let [choice, value, ..] = word.to_le_bytes();
    if let Some(argument) = other.args.get_mut(usize::from(choice % 3)) {
        *argument = argument.wrapping_add_signed(i64::from(value.cast_signed()) << (choice >> 4));
    }
    // Removing pages is what a host can do at any time, and what it costs is the enclave: nothing is learnt from it here.
    if HostCall::try_from(other.op) == Ok(HostCall::PageRemove) {
        return 0;
    }
    honest.serve(&other, payload)
}

/// Guests that together make every host call there is.
fn guests() -> &'static [Module] {
    static GUESTS: OnceLock<Vec<Module>> = OnceLock::new();
    GUESTS.get_or_init(|| {
        let names = [
            "c_echoes_its_input",
            "c_sleeps",
            "c_polls_its_input",
            "c_reads_the_clocks",
            "wat_says_hello",
        ];
        names.map(module).into()
    })
}

/// Outcomes and refusals are fine, and so is an enclave that killed itself; a broken protocol is not.
fn check(outcome: Result<Outcome, Error>) {
    match outcome {
        Ok(Outcome::Trapped { message }) => {
            panic!("these guests do not trap by themselves: {message}")
        }
        Err(Error::EnclaveMisbehaved(what)) => panic!("the enclave broke the protocol: {what}"),
        Ok(_) | Err(_) => {}
    }
}
