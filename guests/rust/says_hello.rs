//! The smallest program that everybody knows.

fn main() {
    println!("Hello from Rust.");
}
