//! Tests of the whole: guests, faults, limits, hosts that lie, on the emulator with the bundled image.

mod audit;
mod entries;
mod faults;
mod guests;
mod lies;
mod limits;
mod many;
mod requests;
mod third_party;
