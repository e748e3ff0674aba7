//! Verification as its users see it, over real quotes, real certificates and a simulated PKI (`tests/vectors`).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::panic, reason = "a test that cannot go on has failed")]
#![expect(clippy::indexing_slicing, reason = "the vectors are known")]

mod certificates;
mod matrix;
mod policies;
mod properties;
mod refusals;
mod service;
mod simulation;
mod vectors;
