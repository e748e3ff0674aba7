//! The specification's tests, run by the same code that runs guests. Only in test builds (feature `spectest`).
//!
//! ```text
//!   .wast ──(outside: parse, compile)──► Script ──encode──► bytes ══► enclave ──decode──► Session ──► Report
//! ```
//!
//! A script takes a module's place in a launch: same launch document, same hash, same engine, same way of loading code.
//! What is inside differs: instead of one program with WASI there are many modules with the imports that the
//! specification's test suite expects. The result comes out as text on standard output, and as the exit code: 0 if every
//! command did what it should, else 1.
//!
//! | module | owns |
//! |---|---|
//! | [`script`] | commands and values, and their encoding |
//! | `session` | executing commands |
//! | `values` | from a script's values to the engine's, and comparing them |
//! | `imports` | the module `spectest` |

mod imports;
pub mod script;
mod session;
mod values;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

pub use script::{Action, Command, Expected, Float, Script, Step, Value};

use crate::error::Error;
use crate::identity::{Identity, VerifiedModule};
use crate::outcome::Outcome;
use crate::platform::{Platform, Sink};
use crate::run::{Launched, Remains, Request};
use crate::{engine, streams};
use session::Session;

/// Runs the script that takes the module's place in `request`.
pub(crate) fn launch(
    mut platform: Box<dyn Platform>,
    identity: &Identity,
    request: &Request,
) -> Launched {
    let outcome = match run(identity, request) {
        Ok(report) => {
            // Whoever reads the result misses it if it does not come out; there is nothing else to be done here.
            let _ = streams::write(&mut *platform, Sink::Output, report.to_text().as_bytes());
            Outcome::exited(u32::from(!report.failures.is_empty()))
        }
        Err(error) => error.into(),
    };
    Launched {
        outcome,
        remains: Remains::default(),
    }
}

fn run(identity: &Identity, request: &Request) -> Result<Report, Error> {
    let document = identity.verify(&request.document, &request.signature)?;
    let verified = VerifiedModule::verify(&document, &request.module)?;
    let script = Script::decode(verified.bytes())
        .ok_or_else(|| Error::Unusable("it is not a well-formed script".into()))?;
    let engine = engine::engine(&document)?;
    let mut session = Session::new(&engine, &verified)?;
    let mut report = Report::default();
    for command in &script.commands {
        match session.execute(&command.step) {
            Ok(()) => report.passed += 1,
            Err(reason) => report
                .failures
                .push(format!("line {}: {reason}", command.line)),
        }
    }
    Ok(report)
}

/// What became of a script.
#[derive(Debug, Default)]
struct Report {
    passed: usize,
    failures: alloc::vec::Vec<String>,
}

impl Report {
    fn to_text(&self) -> String {
        let mut text = format!("passed {} failed {}\n", self.passed, self.failures.len());
        for failure in &self.failures {
            text.push_str(failure);
            text.push('\n');
        }
        text
    }
}
