//! A host that enters when and how it should not. Every wrong entry is refused and changes nothing, or the processor
//! itself refuses it; the honest way still works afterwards.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use twine::abi::entry::{Call, Entry, Event, Exit, Status};
use twine::abi::layout::{ENCLAVE_LEN, HEAP_OFFSET, PAGE_LEN, THREAD_COUNT, THREADS_OFFSET};
use twine::backend::{BackendError, Enclave, Leaf, Left, Registers};
use twine::serve::Services as _;
use twine::{Input, Outcome};
use twine_tests::hostile::{Came, Door, Over, Papers, captured, honest, honest_with, refused};
use twine_tests::run::text;
use twine_tests::stage::{DONE, HOST_CALL, Stage};

fn processor_refuses(result: Result<impl std::fmt::Debug, BackendError>) {
    assert!(
        matches!(result, Err(BackendError::Refused { .. })),
        "{result:?}"
    );
}

#[test]
fn nothing_but_initialisation_is_possible_on_a_new_enclave() {
    let enclave = Papers::of("wat_does_nothing").enclave();
    let mut door = Door::new(&enclave, 0);
    for call in [Call::Launch, Call::Ping, Call::Echo] {
        assert_eq!(
            door.call(call).unwrap(),
            Came::Out(Exit::Done, Status::WrongState),
            "{call:?}"
        );
    }
    assert_eq!(door.complete(Call::Initialise, &mut honest(&enclave)), DONE);
    assert_eq!(door.call(Call::Ping).unwrap(), DONE);
}

#[test]
fn initialisation_and_launch_happen_once() {
    let mut stage = Stage::for_guest("wat_does_nothing");
    let again = Came::Out(Exit::Done, Status::WrongState);
    assert_eq!(stage.main.call(Call::Initialise).unwrap(), again);
    assert_eq!(stage.until_something_happens(), DONE);
    assert_eq!(stage.outcome(), Outcome::Exited { code: 0 });
    assert_eq!(stage.begin(), again);
    assert_eq!(stage.main.call(Call::Initialise).unwrap(), again);
}

#[test]
fn a_launch_on_another_thread_than_the_first_is_refused() {
    let stage = Stage::for_guest("wat_does_nothing");
    for thread in 1..THREAD_COUNT {
        let mut door = Door::new(&stage.enclave, thread);
        assert_eq!(
            door.call(Call::Launch).unwrap(),
            Came::Out(Exit::Done, Status::WrongState)
        );
    }
}

#[test]
fn unknown_calls_and_entries_are_refused() {
    let mut stage = Stage::for_guest("wat_does_nothing");
    for call in [0, 5, 1 << 32 | 3, u64::MAX] {
        assert_eq!(
            stage.main.begin(call).unwrap(),
            Came::Out(Exit::Done, Status::UnknownCall),
            "{call:#x}"
        );
    }
    let exchange = stage.main.exchange.address();
    for rdi in [2, 3, 1 << 32, u64::MAX] {
        let came = stage
            .main
            .enter_with(rdi, exchange, Call::Ping as u64)
            .unwrap();
        assert_eq!(came, refused(Status::WrongState), "{rdi:#x}");
    }
    assert_eq!(stage.main.call(Call::Ping).unwrap(), DONE);
}

#[test]
fn an_exchange_area_that_touches_the_enclave_wraps_around_or_is_misaligned_is_refused() {
    let mut stage = Stage::for_guest("wat_does_nothing");
    let base = stage.enclave.base();
    let honest = stage.main.exchange.address();
    let wrong = [
        base,
        base + THREADS_OFFSET,
        base + HEAP_OFFSET,
        base + ENCLAVE_LEN - 8,
        base - 8,
        base - PAGE_LEN,
        0,
        honest + 1,
        honest + 4,
        u64::MAX - 7,
        u64::MAX,
    ];
    for address in wrong {
        for call in [Call::Ping, Call::Echo, Call::Launch] {
            let came = stage
                .main
                .enter_with(Entry::Call as u64, address, call as u64)
                .unwrap();
            assert_eq!(
                came,
                Came::Out(Exit::Done, Status::BadExchange),
                "{address:#x}"
            );
        }
    }
    assert_eq!(stage.until_something_happens(), DONE);
    assert_eq!(stage.outcome(), Outcome::Exited { code: 0 });
}

#[test]
fn a_return_without_a_host_call_is_refused() {
    let mut stage = Stage::for_guest("wat_does_nothing");
    assert_eq!(stage.main.answer(0).unwrap(), refused(Status::WrongState));
    let mut other = Door::new(&stage.enclave, 1);
    assert_eq!(other.answer(0).unwrap(), refused(Status::WrongState));
    assert_eq!(stage.main.call(Call::Ping).unwrap(), DONE);
}

/// Between every two steps of an honest run the host tries everything that does not fit.
#[test]
fn wrong_entries_during_a_host_call_change_nothing() {
    let mut stage = Stage::for_guest("c_echoes_its_input");
    let (capture, output) = captured();
    let mut host = honest_with(&stage.enclave, Input::bytes(*b"to be echoed"), output);
    let mut other = Door::new(&stage.enclave, 1);
    let mut came = stage.begin();
    let mut calls = 0;
    while came == HOST_CALL {
        calls += 1;
        for call in [Call::Initialise, Call::Launch, Call::Ping] {
            assert_eq!(
                stage.main.call(call).unwrap(),
                refused(Status::WrongState),
                "{call:?}"
            );
        }
        assert_eq!(stage.main.enter(7).unwrap(), refused(Status::WrongState));
        processor_refuses(stage.main.resume());
        assert_eq!(other.answer(0).unwrap(), refused(Status::WrongState));
        assert_eq!(
            other.call(Call::Launch).unwrap(),
            Came::Out(Exit::Done, Status::WrongState)
        );
        assert_eq!(other.call(Call::Ping).unwrap(), DONE);
        let header = stage.main.exchange.header();
        let ret = host.serve(&header, stage.main.exchange.payload_mut());
        came = stage.main.answer(ret).unwrap();
    }
    assert_eq!(came, DONE);
    assert_eq!(stage.outcome(), Outcome::Exited { code: 0 });
    assert_eq!(text(&capture.take()), "to be echoed");
    assert!(calls >= 4, "{calls}");
}

#[test]
fn an_answer_given_twice_is_refused_the_second_time() {
    let mut stage = Stage::for_guest("wat_says_hello");
    let mut host = honest(&stage.enclave);
    let mut came = stage.begin();
    while came == HOST_CALL {
        let header = stage.main.exchange.header();
        let ret = host.serve(&header, stage.main.exchange.payload_mut());
        came = stage.main.answer(ret).unwrap();
    }
    assert_eq!(came, DONE);
    assert_eq!(stage.main.answer(0).unwrap(), refused(Status::WrongState));
}

/// The guest's fault, up to where the processor has reported it.
fn faulted() -> Stage {
    let mut stage = Stage::for_guest("wat_reads_out_of_bounds");
    let came = stage.until_something_happens();
    assert!(
        matches!(came, Came::Away(Left::Exception { vector: 14, .. })),
        "{came:?}"
    );
    stage
}

fn ends_in_a_trap(mut stage: Stage) {
    let came = stage.main.resume().unwrap();
    assert_eq!(stage.main.serve_on(came, &mut honest(&stage.enclave)), DONE);
    assert!(matches!(stage.outcome(), Outcome::Trapped { .. }));
}

#[test]
fn an_exception_that_is_resumed_without_being_handled_comes_again() {
    let mut stage = faulted();
    for _ in 0..3 {
        let came = stage.main.resume().unwrap();
        assert!(
            matches!(came, Came::Away(Left::Exception { vector: 14, .. })),
            "{came:?}"
        );
    }
    assert_eq!(
        stage.main.tell(Event::Exception).unwrap(),
        Came::Out(Exit::Resume, Status::Ok)
    );
    ends_in_a_trap(stage);
}

#[test]
fn an_exception_is_handled_once_even_if_the_host_skips_the_resume() {
    let mut stage = faulted();
    assert_eq!(
        stage.main.tell(Event::Exception).unwrap(),
        Came::Out(Exit::Resume, Status::Ok)
    );
    for _ in 0..3 {
        assert_eq!(
            stage.main.tell(Event::Exception).unwrap(),
            refused(Status::WrongState)
        );
    }
    ends_in_a_trap(stage);
}

/// While a thread has an exception, every entry is the exception entry, and its reading of the host's numbers is the only
/// one: a call or a return is nothing but an unknown event there.
#[test]
fn calls_and_returns_cannot_be_smuggled_into_an_exception() {
    let mut stage = faulted();
    assert_eq!(
        stage.main.tell(Event::Exception).unwrap(),
        Came::Out(Exit::Resume, Status::Ok)
    );
    let exchange = stage.main.exchange.address();
    for rdi in [Entry::Call as u64, 2, 7, u64::MAX] {
        let came = stage
            .main
            .enter_with(rdi, exchange, Call::Initialise as u64)
            .unwrap();
        assert_eq!(came, refused(Status::WrongState), "{rdi:#x}");
    }
    ends_in_a_trap(stage);
}

/// What the processor wrote counts, not what the host says: a fault is a fault even if the host calls it a stop.
#[test]
fn a_fault_that_the_host_calls_by_another_name_is_a_fault() {
    let mut stage = faulted();
    assert_eq!(
        stage.main.tell(Event::Stop).unwrap(),
        Came::Out(Exit::Resume, Status::Ok)
    );
    ends_in_a_trap(stage);
}

/// Interrupts the thread as soon as it is inside.
fn interrupt_soon(enclave: &Arc<dyn Enclave>, tcs: u64) -> thread::JoinHandle<()> {
    let enclave = Arc::clone(enclave);
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        enclave.interrupt(tcs);
    })
}

#[test]
fn an_exception_that_never_happened_is_refused() {
    let mut stage = Stage::for_guest("wat_loops_forever");
    let interrupter = interrupt_soon(&stage.enclave, stage.main.tcs());
    assert_eq!(
        stage.until_something_happens(),
        Came::Away(Left::Interrupted)
    );
    interrupter.join().unwrap();
    for event in [Event::Exception as u64, 2, u64::MAX] {
        assert_eq!(
            stage.main.enter(event).unwrap(),
            refused(Status::WrongState),
            "{event:#x}"
        );
    }
    assert_eq!(
        stage.main.tell(Event::Stop).unwrap(),
        Came::Out(Exit::Resume, Status::Ok)
    );
    assert_eq!(stage.main.resume().unwrap(), DONE);
    assert_eq!(stage.outcome(), Outcome::Stopped);
    assert_eq!(
        stage.main.call(Call::Ping).unwrap(),
        Came::Out(Exit::Done, Status::WrongState)
    );
}

#[test]
fn a_busy_thread_cannot_be_entered_twice() {
    let mut stage = Stage::for_guest("wat_loops_forever");
    let (enclave, tcs) = (Arc::clone(&stage.enclave), stage.main.tcs());
    let intruder = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        for leaf in [Leaf::Enter, Leaf::Resume] {
            processor_refuses(enclave.enter(tcs, leaf, &mut Registers::default()));
        }
        enclave.interrupt(tcs);
    });
    assert_eq!(
        stage.until_something_happens(),
        Came::Away(Left::Interrupted)
    );
    intruder.join().unwrap();
    assert_eq!(
        stage.main.tell(Event::Stop).unwrap(),
        Came::Out(Exit::Resume, Status::Ok)
    );
    assert_eq!(stage.main.resume().unwrap(), DONE);
    assert_eq!(stage.outcome(), Outcome::Stopped);
}

#[test]
fn only_a_thread_control_structure_can_be_entered() {
    let stage = Stage::for_guest("wat_does_nothing");
    let tcs = stage.main.tcs();
    for offset in [
        0,
        tcs + 8,
        tcs + PAGE_LEN,
        tcs - PAGE_LEN,
        HEAP_OFFSET,
        ENCLAVE_LEN,
        u64::MAX - 0xfff,
    ] {
        processor_refuses(
            stage
                .enclave
                .enter(offset, Leaf::Enter, &mut Registers::default()),
        );
    }
}

#[test]
fn a_resume_without_an_exception_is_refused() {
    let mut stage = Stage::for_guest("wat_does_nothing");
    processor_refuses(stage.main.resume());
    assert_eq!(stage.main.call(Call::Ping).unwrap(), DONE);
}

#[test]
fn an_enclave_that_has_killed_itself_refuses_every_entry() {
    let mut stage = Stage::for_guest("wat_does_nothing");
    // An exchange area that is not mapped: the enclave faults on its own account, which it does not survive.
    let came = stage
        .main
        .enter_with(Entry::Call as u64, 0x10_0000, Call::Echo as u64)
        .unwrap();
    assert!(
        matches!(came, Came::Away(Left::Exception { vector: 14, .. })),
        "{came:?}"
    );
    let dead = |came: Came| assert!(matches!(came, Came::Out(Exit::Dead, _)), "{came:?}");
    dead(stage.main.tell(Event::Exception).unwrap());
    for thread in 1..THREAD_COUNT {
        let mut door = Door::new(&stage.enclave, thread);
        for call in [Call::Initialise, Call::Launch, Call::Ping, Call::Echo] {
            dead(door.call(call).unwrap());
        }
    }
}

/// A host that interrupts all the time slows the guest down, and changes nothing.
#[test]
fn interruptions_at_any_time_do_not_change_what_a_guest_computes() {
    let mut stage = Stage::for_guest("c_computes");
    let (capture, output) = captured();
    let mut host = honest_with(&stage.enclave, Input::Empty, output);
    let (tcs, enclave) = (stage.main.tcs(), Arc::clone(&stage.enclave));
    let test = Over::default();
    let interruptions = thread::scope(|scope| {
        scope.spawn(|| {
            while !test.is_over() {
                enclave.interrupt(tcs);
                thread::sleep(Duration::from_micros(200));
            }
        });
        let _guard = test.guard();
        let mut came = stage.begin();
        let mut interruptions = 0;
        while came != DONE {
            came = stage.main.serve_on(came, &mut host);
            if came == Came::Away(Left::Interrupted) {
                interruptions += 1;
                came = stage.main.resume().unwrap();
            }
        }
        interruptions
    });
    assert!(
        interruptions >= 10,
        "hardly anything was interrupted: {interruptions}"
    );
    assert_eq!(stage.outcome(), Outcome::Exited { code: 0 });
    assert!(text(&capture.take()).starts_with("median 9235934689393200898, hash 82d8362ded8b24b2"));
}
