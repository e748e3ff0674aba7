//! Many enclaves: several at once in one process, each alone with its guest.

use std::thread;

use twine_tests::run::{Given, launch, module, text};

#[test]
fn enclaves_run_side_by_side_without_noticing() {
    let compute = module("c_computes");
    let echo = module("c_echoes_its_input");
    let expected = text(&launch(&compute, Given::default()).output);
    thread::scope(|scope| {
        for index in 0..8_u8 {
            let (compute, echo, expected) = (&compute, &echo, &expected);
            scope.spawn(move || {
                assert_eq!(&text(&launch(compute, Given::default()).output), expected);
                let input = vec![index; 100_000];
                let ran = launch(
                    echo,
                    Given {
                        input: &input,
                        ..Given::default()
                    },
                );
                assert!(
                    ran.output == input,
                    "enclave {index} saw another one's input"
                );
            });
        }
    });
}

#[test]
fn a_fault_in_one_enclave_leaves_the_others_alone() {
    let compute = module("c_computes");
    let expected = text(&launch(&compute, Given::default()).output);
    let fault = module("wat_reads_out_of_bounds");
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert_eq!(text(&launch(&compute, Given::default()).output), expected));
            scope.spawn(|| {
                for _ in 0..10 {
                    let outcome = launch(&fault, Given::default()).outcome;
                    assert!(
                        matches!(outcome, Ok(twine::Outcome::Trapped { .. })),
                        "{outcome:?}"
                    );
                }
            });
        }
    });
}
