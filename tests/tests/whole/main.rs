//! Tests of the whole: guests, faults, limits, hosts that lie, on the emulator with the bundled image.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod attestation;
mod audit;
mod certificates;
mod device;
mod entries;
mod faults;
mod files;
mod guests;
mod leftovers;
mod lies;
mod limits;
mod many;
mod migration;
mod owner;
mod profile;
mod provisioning;
mod requests;
mod third_party;
mod volumes;
