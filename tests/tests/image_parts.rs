//! Parts of the enclave image that need no enclave, run natively: its byte routines beside the standard library's, its
//! range map beside an array.

#![expect(
    unsafe_code,
    reason = "the image's byte routines are called by address, like the C library's"
)]

extern crate alloc;

#[path = "../../trusted/enclave/src/memory/ranges.rs"]
mod ranges;

use std::cmp::Ordering;

use ranges::RangeMap;

core::arch::global_asm!(include_str!("../../trusted/enclave/src/memory/bytes.s"));

unsafe extern "sysv64" {
    fn bytes_move(to: *mut u8, from: *const u8, len: usize) -> *mut u8;
    fn bytes_set(to: *mut u8, value: i32, len: usize) -> *mut u8;
    fn bytes_compare(left: *const u8, right: *const u8, len: usize) -> i32;
    fn bytes_len(text: *const u8) -> usize;
}

/// Lengths around every change of strategy.
fn lengths() -> impl Iterator<Item = usize> {
    (0..300).chain([1000, 4096])
}

#[test]
fn moving_bytes_is_right_for_every_length_and_overlap() {
    let distances = [0_usize, 1, 3, 7, 8, 16, 31, 32, 33, 64, 129, 200, 5000];
    let original: Vec<u8> = (0..10_000_u32)
        .map(|at| (at * 7 % 251).to_le_bytes()[0])
        .collect();
    for len in lengths() {
        for (from, to) in distances.iter().flat_map(|d| [(0, *d), (*d, 0)]) {
            let mut expected = original.clone();
            expected.copy_within(from..from + len, to);
            let mut bytes = original.clone();
            let start = bytes.as_mut_ptr();
            let (source, target) = (start.wrapping_add(from), start.wrapping_add(to));
            // SAFETY: both ranges end below 10,000.
            let moved = unsafe { bytes_move(target, source, len) };
            assert_eq!(moved, target);
            assert!(bytes == expected, "{len} bytes from {from} to {to}");
        }
    }
}

#[test]
fn setting_bytes_touches_no_other() {
    for len in lengths() {
        let mut bytes = vec![1; len + 8];
        let mut expected = bytes.clone();
        expected[3..3 + len].fill(0xab);
        let start = bytes.as_mut_ptr().wrapping_add(3);
        // SAFETY: the buffer is longer by 8.
        let set = unsafe { bytes_set(start, 0x1ab, len) };
        assert_eq!(set, start);
        assert!(bytes == expected, "{len} bytes");
    }
}

#[test]
fn comparing_bytes_finds_the_first_difference() {
    for len in 0..40_usize {
        let left: Vec<u8> = (0..len).map(|at| at.to_le_bytes()[0]).collect();
        for (at, change) in (0..len).flat_map(|at| [1, 128, 255].map(|change| (at, change))) {
            let mut right = left.clone();
            right[at] = right[at].wrapping_add(change);
            right[at + 1..].iter_mut().for_each(|byte| *byte = !*byte);
            // SAFETY: both have `len` bytes.
            let order = unsafe { bytes_compare(left.as_ptr(), right.as_ptr(), len) };
            assert_eq!(
                order.cmp(&0),
                left.cmp(&right),
                "difference at {at} of {len}"
            );
        }
        // SAFETY: as above.
        let same = unsafe { bytes_compare(left.as_ptr(), left.clone().as_ptr(), len) };
        assert_eq!(same.cmp(&0), Ordering::Equal);
    }
}

#[test]
fn the_length_of_a_text_ends_at_its_zero() {
    for text in [c"", c"a", c"hello"] {
        // SAFETY: the text ends in a zero.
        let len = unsafe { bytes_len(text.as_ptr().cast()) };
        assert_eq!(len, text.count_bytes());
    }
}

/// A small generator; the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// As many points as a model has.
const POINTS: u64 = 64;

/// What a range map replaces.
type Model = [Option<char>; 64];

#[expect(clippy::expect_used, reason = "the points of a model")]
fn index(point: u64) -> usize {
    usize::try_from(point).expect("a small number")
}

#[test]
fn a_range_map_is_an_array_that_takes_less_room() {
    let mut numbers = Numbers(1);
    for _ in 0..300 {
        let mut map = RangeMap::new();
        let mut model: Model = [None; 64];
        for _ in 0..60 {
            let start = numbers.below(POINTS);
            let end = start + numbers.below(POINTS + 1 - start);
            let value = [None, Some('a'), Some('b')][index(numbers.below(3))];
            map.set(start..end, value);
            model[index(start)..index(end)].fill(value);
            check(&map, &model, 1 + numbers.below(10));
        }
    }
}

#[expect(
    clippy::indexing_slicing,
    reason = "points are below the model's length"
)]
fn check(map: &RangeMap<char>, model: &Model, gap_len: u64) {
    let value = |point: u64| model[index(point)];
    assert!((0..POINTS).all(|point| map.at(point) == value(point)));
    let mut at = 5;
    for (part, found) in map.parts(5..60) {
        assert!(part.start == at && !part.is_empty());
        assert!(part.clone().all(|point| value(point) == found));
        at = part.end;
    }
    assert_eq!(at, 60);
    let is_gap = |start: &u64| (*start..start + gap_len).all(|point| value(point).is_none());
    let first = (0..=POINTS - gap_len).find(is_gap);
    assert_eq!(map.find_gap(0..POINTS, gap_len), first);
}
