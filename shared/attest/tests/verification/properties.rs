//! The fuzzers' properties over changed vectors: flips, cuts, insertions and splices, the same ones every time.

use twine_attest::fuzzing;

use crate::vectors::{bytes, quote};

/// A linear congruential generator: the same changes in every run. (Knuth, MMIX.)
struct Changes(u64);

impl Changes {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit.max(1)
    }

    fn changed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len());
            match self.below(5) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, u8::try_from(self.below(256)).unwrap()),
                2 if !bytes.is_empty() => drop(bytes.remove(at)),
                3 => {
                    let end = at + self.below(64).min(bytes.len() - at);
                    let piece = bytes[at..end].to_vec();
                    bytes.splice(at..at, piece);
                }
                _ if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                _ => {}
            }
        }
        bytes
    }
}

#[test]
fn quotes_survive_every_change() {
    let seed = quote("dcap-qvl__sgx_quote");
    let mut changes = Changes(1);
    for _ in 0..20_000 {
        fuzzing::quote(&changes.changed(&seed));
    }
}

#[test]
fn what_is_presented_survives_every_change() {
    let certificates = "ccc-interoperable-ra-tls/interoperability-tests";
    let mut changes = Changes(2);
    for seed in [
        quote("dcap-qvl__sgx_quote"),
        bytes("simulated-prototype/ok.quote"),
        pem::parse(bytes(&format!("{certificates}/gramine-cert.pem")))
            .unwrap()
            .into_contents(),
        bytes(&format!("{certificates}/rats-tls-cert.pem")),
    ] {
        fuzzing::presented(&seed);
        for _ in 0..150 {
            fuzzing::presented(&changes.changed(&seed));
        }
    }
}

#[test]
fn policies_survive_every_change() {
    let seed = include_bytes!("../../../../fuzz/seeds/attest_policy/full.toml");
    twine_attest::Policy::parse(seed).unwrap();
    let mut changes = Changes(3);
    for _ in 0..5_000 {
        fuzzing::policy(&changes.changed(seed));
    }
}
