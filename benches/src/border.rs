//! Crossing the border: entering and leaving, and empty host calls.

use std::cell::RefCell;
use std::sync::Arc;

use anyhow::Result;
use twine::abi::entry::Call;
use twine::backend::Enclave;
use twine::launch::create::{Configuration, Debugging, create};
use twine::launch::thread::Thread;
use twine::serve::{Console, Host, Input, Log, Output};

use crate::contest::{Contest, Row};
use crate::enclave;

/// Crossings a round: long enough that reading the clock does not count.
const REPEAT: u32 = 1000;

pub(crate) fn rows(rounds: usize) -> Result<Vec<Row>> {
    let runtime = enclave::runtime()?;
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
    let inside = RefCell::new((thread, host));
    Contest::new("border", "ns")
        .timed("getppid(2)", REPEAT, system_calls)
        .timed("ping", REPEAT, || {
            let (thread, host) = &mut *inside.borrow_mut();
            (0..REPEAT).try_for_each(|_| {
                thread.call(Call::Ping, host, None)?;
                Ok(())
            })
        })
        .timed("host_call", REPEAT, || {
            let (thread, host) = &mut *inside.borrow_mut();
            thread.exchange().set_first_argument(u64::from(REPEAT));
            thread.call(Call::Echo, host, None)?;
            Ok(())
        })
        .run(rounds)
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
