//! Crossing the border: entering and leaving, and empty host calls.

use std::sync::Arc;

use anyhow::Result;
use twine::abi::entry::Call;
use twine::backend::Enclave;
use twine::launch::create::{Configuration, Debugging, create};
use twine::launch::thread::Thread;
use twine::serve::{Console, Host, Input, Log, Output};
use twine::{BackendChoice, Runtime};

use crate::measure::{Row, Title, Unit, compare};

/// Crossings a round: long enough that reading the clock does not count.
const REPEAT: u32 = 1000;

pub(crate) fn rows(rounds: usize) -> Result<Vec<Row>> {
    let runtime = Runtime::builder()
        .backend(BackendChoice::Emulator)
        .build()?;
    let certificate = runtime.certificate(Debugging::Forbidden)?;
    let enclave = create(
        runtime.backend(),
        runtime.image(),
        certificate.sigstruct(),
        &Configuration::of(b"a measurement", 0, Debugging::Forbidden),
    )?;
    let mut thread = Thread::main(Arc::clone(&enclave));
    let mut host = host(&enclave)?;
    thread.call(Call::Initialise, &mut host, None)?;
    let ping = compare(
        title("border/ping"),
        rounds,
        REPEAT,
        || {
            (0..REPEAT).try_for_each(|_| {
                thread.call(Call::Ping, &mut host, None)?;
                Ok(())
            })
        },
        system_calls,
    )?;
    let host_call = compare(
        title("border/host_call"),
        rounds,
        REPEAT,
        || {
            thread.exchange().set_first_argument(u64::from(REPEAT));
            thread.call(Call::Echo, &mut host, None)?;
            Ok(())
        },
        system_calls,
    )?;
    Ok(vec![ping, host_call])
}

const fn title(name: &'static str) -> Title {
    Title {
        name,
        against: "getppid(2)",
        unit: Unit::Nanoseconds,
    }
}

fn host(enclave: &Arc<dyn Enclave>) -> Result<Host> {
    let console = Console::new(Input::default(), Output::default(), Output::default(), None)?;
    Ok(Host::new(console, Arc::clone(enclave), Log::default()))
}

fn system_calls() -> Result<()> {
    (0..REPEAT).for_each(|_| {
        std::hint::black_box(rustix::process::getppid());
    });
    Ok(())
}
