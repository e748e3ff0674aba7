//! What `twine run --profile` tells: a file for a browser or for other tools, and a line that says where the time went.

mod flame;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;
use twine::Error;
use twine::launch::profile::{Place, Profile, Stack};

use crate::demangle;

/// Writes the profile: a flame graph if the file is called `.svg`, else a line for each stack and its samples, which
/// is what flame graphs are made of elsewhere.
///
/// # Errors
/// [`Error::File`].
pub(crate) fn write(profile: &Profile, path: &Path) -> Result<()> {
    let is_svg = path.extension().is_some_and(|extension| extension == "svg");
    let stacks = folded(profile);
    let text = if is_svg {
        flame::svg(&stacks)
    } else {
        stacks
            .iter()
            .fold(String::new(), |mut text, (stack, samples)| {
                // Writing to a string does not fail.
                let _ = writeln!(text, "{} {samples}", stack.join(";"));
                text
            })
    };
    fs::write(path, text).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })?;
    Ok(())
}

/// The shares of guest, runtime and host, and the functions in whose code the guest was most.
pub(crate) fn summary(profile: &Profile) -> String {
    let of = |place| {
        let stacks = profile.stacks.iter().filter(|stack| stack.place == place);
        stacks.map(|stack| stack.samples).sum::<u64>()
    };
    let [guest, runtime, host] = [Place::Guest, Place::Runtime, Place::Host].map(of);
    let all = guest + runtime + host;
    let mut text = format!(
        "profile: {all} samples; guest {}, runtime {}, host {}",
        percent(guest, all),
        percent(runtime, all),
        percent(host, all)
    );
    let mut own: BTreeMap<&str, u64> = BTreeMap::new();
    for stack in profile
        .stacks
        .iter()
        .filter(|stack| stack.place == Place::Guest)
    {
        if let Some(function) = stack.functions.last() {
            *own.entry(function).or_default() += stack.samples;
        }
    }
    let mut own: Vec<_> = own.into_iter().collect();
    own.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    for (index, (function, samples)) in own.into_iter().take(HOTTEST).enumerate() {
        text += if index == 0 { "; in " } else { ", " };
        text += &format!("{} {}", demangle::name_of(function), percent(samples, all));
    }
    text
}

/// So many functions are named in one line.
const HOTTEST: usize = 3;

fn percent(part: u64, all: u64) -> String {
    format!("{:.1}%", part as f64 * 100.0 / all.max(1) as f64)
}

/// Stacks as people read them, with where the thread was as innermost part if that was not the guest; sorted, so that
/// neighbours share callers.
fn folded(profile: &Profile) -> Vec<(Vec<String>, u64)> {
    let mut stacks: BTreeMap<Vec<String>, u64> = BTreeMap::new();
    for Stack {
        functions,
        place,
        samples,
    } in &profile.stacks
    {
        // Both characters mean something in the file.
        let names = functions
            .iter()
            .map(|name| demangle::name_of(name).replace(';', ":").replace('\n', " "));
        let place = match place {
            Place::Guest if functions.is_empty() => Some(OTHER),
            Place::Guest => None,
            Place::Runtime => Some(RUNTIME),
            Place::Host => Some(HOST),
        };
        let stack = names.chain(place.map(str::to_owned)).collect();
        *stacks.entry(stack).or_default() += samples;
    }
    stacks.into_iter().collect()
}

/// Innermost parts of stacks that are not functions of the guest's.
const RUNTIME: &str = "[runtime]";
const HOST: &str = "[host]";
/// What the compiler put between functions.
const OTHER: &str = "[between functions]";

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        let stack = |functions: &[&str], place, samples| Stack {
            functions: functions.iter().map(|name| (*name).to_owned()).collect(),
            place,
            samples,
        };
        Profile {
            stacks: vec![
                stack(&["_start", "main"], Place::Guest, 6),
                stack(&["_start", "main"], Place::Runtime, 3),
                stack(&["_start", "a;b"], Place::Host, 1),
            ],
        }
    }

    #[test]
    fn stacks_are_lines_that_other_tools_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("profile.txt");
        write(&profile(), &path).unwrap();
        assert_eq!(
            fs::read_to_string(path).unwrap(),
            "_start;a:b;[host] 1\n_start;main 6\n_start;main;[runtime] 3\n"
        );
    }

    #[test]
    fn the_summary_tells_shares_and_what_is_hot() {
        assert_eq!(
            summary(&profile()),
            "profile: 10 samples; guest 60.0%, runtime 30.0%, host 10.0%; in main 60.0%"
        );
        assert!(summary(&Profile::default()).starts_with("profile: 0 samples"));
    }
}
