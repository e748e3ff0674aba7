//! A flame graph: a box for each function, as wide as its share of the samples, on top of the function that called it.
//!
//! ```text
//!   │ [runtime] │
//!   │ read      │ step │
//!   │ main                    │
//!   │ _start                  │
//! ```
//!
//! Plain SVG: whoever rests the pointer on a box is told its name and share.

use std::fmt::Write as _;

use super::{HOST, OTHER, RUNTIME, percent};

/// Draws stacks, which are sorted.
pub(super) fn svg(stacks: &[(Vec<String>, u64)]) -> String {
    let all: u64 = stacks.iter().map(|(_, samples)| samples).sum();
    let deepest = stacks.iter().map(|(stack, _)| stack.len()).max();
    let height = (deepest.unwrap_or(0) as f64).mul_add(ROW, 2.0 * ROW);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"monospace\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"4\" y=\"14\">{all} samples, \
         one each millisecond</text>\n"
    );
    let canvas = Canvas {
        all,
        floor: height - ROW,
    };
    canvas.level(&mut text, stacks, 0, 0);
    text + "</svg>\n"
}

struct Canvas {
    all: u64,
    /// Where the lowest row begins.
    floor: f64,
}

impl Canvas {
    /// Draws the boxes of one depth, and what stands on them. `before` samples lie left of these stacks.
    fn level(&self, text: &mut String, stacks: &[(Vec<String>, u64)], depth: usize, before: u64) {
        let mut before = before;
        for group in stacks.chunk_by(|a, b| a.0.get(depth) == b.0.get(depth)) {
            let samples: u64 = group.iter().map(|(_, samples)| samples).sum();
            let name = group.first().and_then(|(stack, _)| stack.get(depth));
            // Boxes that nobody can see would make the file large.
            if let Some(name) = name.filter(|_| self.width(samples) >= NARROWEST) {
                self.draw(text, name, depth, before, samples);
                self.level(text, group, depth + 1, before);
            }
            before += samples;
        }
    }

    fn draw(&self, text: &mut String, name: &str, depth: usize, before: u64, samples: u64) {
        let (x, width) = (self.width(before), self.width(samples));
        let y = (depth as f64).mul_add(-ROW, self.floor);
        let share = percent(samples, self.all);
        let name = escaped(name);
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "<g><title>{name}: {samples} samples, {share}</title><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
             height=\"{:.1}\" fill=\"{}\" stroke=\"#fff\" stroke-width=\"0.5\"/><svg x=\"{x:.1}\" y=\"{y:.1}\" \
             width=\"{:.1}\" height=\"{ROW}\"><text x=\"3\" y=\"13\">{}</text></svg></g>",
            ROW - 1.0,
            colour(&name),
            (width - 3.0).max(0.0),
            if width < WITH_TEXT { "" } else { &name },
        );
    }

    fn width(&self, samples: u64) -> f64 {
        WIDTH * samples as f64 / self.all.max(1) as f64
    }
}

/// In pixels.
const WIDTH: f64 = 1200.0;
const ROW: f64 = 18.0;
const NARROWEST: f64 = 0.3;
const WITH_TEXT: f64 = 24.0;

const SHADES: [&str; 8] = [
    "#f5a65b", "#f7b977", "#f2c14e", "#ee9b63", "#f6d186", "#e8a87c", "#f4b183", "#eac36b",
];

/// Grey and blue for what is not the guest's; shades that tell neighbours apart for its functions.
fn colour(name: &str) -> String {
    match name {
        RUNTIME | OTHER => return "#b5b5b5".to_owned(),
        HOST => return "#9dc3e6".to_owned(),
        _ => {}
    }
    let sum = name.bytes().fold(7_u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    let shade = SHADES.get(sum as usize % SHADES.len());
    shade.copied().unwrap_or("#f5a65b").to_owned()
}

/// A name as text in XML.
fn escaped(name: &str) -> String {
    name.chars().fold(String::new(), |mut text, letter| {
        match letter {
            '&' => text += "&amp;",
            '<' => text += "&lt;",
            '>' => text += "&gt;",
            '"' => text += "&quot;",
            letter if letter.is_control() => text.push('?'),
            letter => text.push(letter),
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_as_wide_as_their_shares_and_stand_on_their_callers() {
        let stack = |names: &[&str], samples| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            (names, samples)
        };
        let drawn = svg(&[stack(&["main"], 1), stack(&["main", "Vec<&u8>"], 3)]);
        assert!(drawn.contains("main: 4 samples, 100.0%"), "{drawn}");
        assert!(
            drawn.contains("Vec&lt;&amp;u8&gt;: 3 samples, 75.0%"),
            "{drawn}"
        );
        assert!(
            drawn.contains("x=\"300.0\" y=\"36.0\" width=\"900.0\""),
            "{drawn}"
        );
        assert!(
            drawn.contains("x=\"0.0\" y=\"54.0\" width=\"1200.0\""),
            "{drawn}"
        );
    }

    #[test]
    fn nothing_is_a_picture_too() {
        assert!(svg(&[]).ends_with("</svg>\n"));
    }
}
