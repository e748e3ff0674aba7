//! Collections (hash maps draw random keys), formatting, time, threads that cannot be, errors that can.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufRead, Write};
use std::time::{Duration, Instant, SystemTime};

fn main() -> io::Result<()> {
    let mut words: HashMap<String, usize> = HashMap::new();
    for line in io::stdin().lock().lines() {
        for word in line?.split_whitespace() {
            *words.entry(word.to_lowercase()).or_default() += 1;
        }
    }
    let sorted: BTreeMap<_, _> = words.iter().collect();
    let mut out = io::stdout().lock();
    for (word, count) in sorted {
        writeln!(out, "{word:>10} {count}")?;
    }
    let begin = Instant::now();
    std::thread::sleep(Duration::from_millis(5));
    writeln!(out, "slept long enough: {}", begin.elapsed() >= Duration::from_millis(5))?;
    writeln!(out, "after 2001: {}", SystemTime::UNIX_EPOCH.elapsed().map_or(0, |age| age.as_secs()) > 1_000_000_000)?;
    writeln!(out, "{:?} {:e} {:08.3}", 0.1f64 + 0.2, 1234.5f32, -1.5)?;
    writeln!(out, "arguments: {:?}", std::env::args().skip(1).collect::<Vec<_>>())?;
    writeln!(out, "variable: {:?}", std::env::var("COLOUR"))
}
