//! Panics in a function two calls deep. Its message goes to the error stream; then it traps.

#[inline(never)]
fn third_of(numbers: &[u32]) -> u32 {
    numbers[2]
}

#[inline(never)]
fn look_too_far(count: usize) -> u32 {
    third_of(&vec![7; count])
}

fn main() {
    println!("{}", look_too_far(std::env::args().count().min(2)));
}
