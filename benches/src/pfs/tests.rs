//! The model keeps what is written to it, whatever leaves its memory meanwhile.

use std::time::Duration;

use super::{Form, Ledger, NODE, Pfs};

fn empty(form: Form) -> Pfs {
    let file = || tempfile::tempfile().unwrap();
    Pfs::new((file(), file()), form, Duration::ZERO, Ledger::default())
}

/// Sixty times what memory holds, over two levels of MHT nodes.
const LEN: usize = 3200 * NODE;

#[test]
fn what_is_read_is_what_was_written_last() {
    for form in [Form::Sdk, Form::Optimised] {
        let (mut file, mut expected) = (empty(form), vec![0; LEN]);
        let mut state = 1u64;
        let mut next = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as usize % below
        };
        for step in 0..3000 {
            let offset = next(LEN - 9000);
            let len = 1 + next(9000);
            if step % 2 == 0 {
                let data: Vec<u8> = (0..len).map(|at| (at + step) as u8).collect();
                file.write(offset as u64, &data).unwrap();
                expected[offset..offset + len].copy_from_slice(&data);
            } else {
                let mut into = vec![0xaa; len];
                let got = file.read(offset as u64, &mut into).unwrap();
                assert_eq!(
                    into[..got],
                    expected[offset..offset + got],
                    "{form:?}, step {step}"
                );
            }
            if step % 500 == 499 {
                file.sync().unwrap();
            }
        }
        let size = usize::try_from(file.size()).unwrap();
        let mut all = vec![0; size];
        assert_eq!(file.read(0, &mut all).unwrap(), size);
        assert!(all == expected[..size]);
    }
}

#[test]
fn an_emptied_file_reads_zeros_where_it_grows_again() {
    let mut file = empty(Form::Sdk);
    file.write(0, &[7; 20_000]).unwrap();
    file.sync().unwrap();
    file.set_size(0).unwrap();
    file.set_size(20_000).unwrap();
    let mut all = vec![1; 30_000];
    assert_eq!(file.read(0, &mut all).unwrap(), 20_000);
    assert!(all[..20_000].iter().all(|byte| *byte == 0));
    file.set_size(10).unwrap_err();
}

#[test]
fn the_papers_form_clears_nothing() {
    let mut file = empty(Form::Optimised);
    file.write(0, &[1; 100 * NODE]).unwrap();
    file.sync().unwrap();
    assert_eq!(file.spent.get().clearing, Duration::ZERO);
    assert!(file.spent.get().cipher > Duration::ZERO);
}
