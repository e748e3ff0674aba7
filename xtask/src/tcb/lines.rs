//! Counting the lines of a Rust file: code, comments, `unsafe`. By tokens, so that a string is not taken for a comment.

use std::collections::HashSet;
use std::ops::AddAssign;

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use serde::Serialize;

/// Lines of one or several files, without tests.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub(super) struct Lines {
    /// Lines with a token on them.
    pub code: usize,
    /// Lines with nothing but comment or documentation.
    pub comment: usize,
    /// `unsafe` blocks.
    pub unsafe_blocks: usize,
}

impl AddAssign for Lines {
    fn add_assign(&mut self, other: Self) {
        self.code += other.code;
        self.comment += other.comment;
        self.unsafe_blocks += other.unsafe_blocks;
    }
}

/// Counts a Rust file.
///
/// # Errors
/// If it is no Rust.
pub(super) fn rust(text: &str) -> Result<Lines> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let tokens: TokenStream = text.parse().map_err(|error| anyhow!("not Rust: {error}"))?;
    let mut count = Count::default();
    count.stream(tokens);
    Ok(count.lines(text))
}

/// Counts an assembly file: `#` and `//` begin comments.
pub(super) fn assembly(text: &str) -> Lines {
    let written = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let (comment, code): (Vec<_>, Vec<_>) =
        written.partition(|line| line.starts_with('#') || line.starts_with("//"));
    Lines {
        code: code.len(),
        comment: comment.len(),
        unsafe_blocks: 0,
    }
}

#[derive(Default)]
struct Count {
    code: HashSet<usize>,
    tests: HashSet<usize>,
    unsafe_blocks: usize,
}

impl Count {
    fn stream(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            if is_punct(&token, '#') {
                let inner = tokens.next_if(|next| is_punct(next, '!'));
                match tokens
                    .next_if(|next| attribute(next).is_some())
                    .as_ref()
                    .and_then(attribute)
                {
                    Some(group) if is_documentation(group) => continue,
                    Some(group) if inner.is_none() && is_test(group) => {
                        self.test(&token, &mut tokens);
                        continue;
                    }
                    Some(group) => self.token(&TokenTree::Group(group.clone())),
                    None => {}
                }
            }
            if is_ident(&token, "unsafe") && tokens.peek().is_some_and(is_block) {
                self.unsafe_blocks += 1;
            }
            self.token(&token);
        }
    }

    fn token(&mut self, token: &TokenTree) {
        match token {
            TokenTree::Group(group) => {
                self.code.insert(group.span_open().start().line);
                self.code.insert(group.span_close().end().line);
                self.stream(group.stream());
            }
            other => self
                .code
                .extend(other.span().start().line..=other.span().end().line),
        }
    }

    /// Passes over the item that an attribute takes out of the image: up to its block or semicolon.
    fn test(&mut self, first: &TokenTree, tokens: &mut impl Iterator<Item = TokenTree>) {
        let start = first.span().start().line;
        let last = tokens.find(|token| is_block(token) || is_punct(token, ';'));
        let end = last.map_or(start, |token| token.span().end().line);
        self.tests.extend(start..=end);
    }

    fn lines(&self, text: &str) -> Lines {
        let written = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty());
        let comment = written
            .map(|(index, _)| index + 1)
            .filter(|line| !self.code.contains(line) && !self.tests.contains(line))
            .count();
        Lines {
            code: self.code.len(),
            comment,
            unsafe_blocks: self.unsafe_blocks,
        }
    }
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

fn is_ident(token: &TokenTree, wanted: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == wanted)
}

fn is_block(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

fn attribute(token: &TokenTree) -> Option<&Group> {
    match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => Some(group),
        _ => None,
    }
}

/// `///`, `//!` and `#[doc = …]`.
fn is_documentation(attribute: &Group) -> bool {
    attribute
        .stream()
        .into_iter()
        .next()
        .is_some_and(|token| is_ident(&token, "doc"))
}

fn is_test(attribute: &Group) -> bool {
    let text = attribute.stream().to_string();
    text == "test" || text.replace(' ', "") == "cfg(test)"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_comments_and_unsafe_blocks_are_told_apart() {
        let text = r#"//! A header.

/// A function.
// A remark.
fn f() -> &'static str { // Code with a remark is code.
    /* Block
       comment. */
    // SAFETY: g wants nothing.
    unsafe { g() };
    "// no comment
     at all"
}
unsafe fn g() {}
"#;
        assert_eq!(
            rust(text).unwrap(),
            Lines {
                code: 6,
                comment: 6,
                unsafe_blocks: 1
            }
        );
    }

    #[test]
    fn tests_are_not_counted() {
        let text = "fn f() {}
#[cfg(test)]
mod tests {
    fn g() {
        // SAFETY: h wants nothing.
        unsafe { h() }
    }
}
#[cfg(test)]
use a;
";
        assert_eq!(
            rust(text).unwrap(),
            Lines {
                code: 1,
                comment: 0,
                unsafe_blocks: 0
            }
        );
    }

    #[test]
    fn an_attribute_is_code() {
        assert_eq!(rust("#![no_std]\n#[inline]\nfn f() {}\n").unwrap().code, 3);
    }

    #[test]
    fn assembly_has_lines_too() {
        assert_eq!(
            assembly("# Entry.\n\nentry:\n    cld // Flags.\n"),
            Lines {
                code: 2,
                comment: 1,
                unsafe_blocks: 0
            }
        );
    }
}
