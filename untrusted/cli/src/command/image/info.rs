//! `twine image info`: what an image is made of.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use twine::abi::sgx::{PageKind, Permissions};
use twine::image::{Image, Run};

use super::Source;
use crate::command::hex;

/// Show MRENCLAVE and the pages of the image
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<()> {
        let image = self.source.load()?;
        let text = if self.json {
            format!("{:#}\n", as_json(&image))
        } else {
            as_text(&image)
        };
        Ok(io::stdout().write_all(text.as_bytes())?)
    }
}

fn as_json(image: &Image) -> Value {
    let run = |run: &Run| {
        json!({
            "offset": run.offset,
            "length": run.bytes.len(),
            "permissions": permissions(run),
        })
    };
    json!({
        "mrenclave": hex(&image.mrenclave()),
        "size": image.size(),
        "ssa_frame_pages": image.ssa_frame_pages(),
        "threads": image.threads().collect::<Vec<_>>(),
        "pages": image.runs().iter().map(run).collect::<Vec<_>>(),
    })
}

fn as_text(image: &Image) -> String {
    let mut text = String::new();
    let len: usize = image.runs().iter().map(|run| run.bytes.len()).sum();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "MRENCLAVE  {}", hex(&image.mrenclave()));
    let _ = writeln!(text, "range      {} MiB of addresses", image.size() >> 20);
    let _ = writeln!(text, "threads    {}", image.threads().count());
    let _ = writeln!(
        text,
        "pages      {} ({} KiB), all measured",
        len >> 12,
        len >> 10
    );
    for run in image.runs() {
        let permissions = permissions(run);
        let _ = writeln!(
            text,
            "  {:#011x}..{:#011x}  {permissions}",
            run.offset,
            run.end()
        );
    }
    text
}

/// As `ls` shows them; a TCS page has none.
fn permissions(run: &Run) -> String {
    if run.info.kind() == Ok(PageKind::Tcs) {
        return "TCS".into();
    }
    let letter = |flag, letter| {
        if run.info.permissions().contains(flag) {
            letter
        } else {
            '-'
        }
    };
    [
        letter(Permissions::R, 'r'),
        letter(Permissions::W, 'w'),
        letter(Permissions::X, 'x'),
    ]
    .iter()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two pages of an enclave with one thread, as SGXS.
    fn image() -> Image {
        let mut stream = b"ECREATE\0\x01\0\0\0\0\x40\0\0".to_vec();
        stream.resize(64, 0);
        for (page, [flags, kind]) in [[0, 1], [5, 2]].into_iter().enumerate() {
            let offset = u64::try_from(page * 4096).unwrap();
            stream.extend(
                [
                    &b"EADD\0\0\0\0"[..],
                    &offset.to_le_bytes(),
                    &[flags, kind],
                    &[0; 46],
                ]
                .concat(),
            );
            for chunk in 0..16 {
                let place = offset + 256 * chunk;
                stream.extend([&b"EEXTEND\0"[..], &place.to_le_bytes(), &[0; 48 + 256]].concat());
            }
        }
        Image::from_sgxs(&stream).unwrap()
    }

    #[test]
    fn pages_are_shown_with_what_they_allow() {
        let text = as_text(&image());
        assert!(text.contains("0x000000000..0x000001000  TCS\n"), "{text}");
        assert!(text.contains("0x000001000..0x000002000  r-x\n"), "{text}");
        assert!(text.contains("pages      2 (8 KiB)"), "{text}");
    }

    #[test]
    fn json_holds_what_a_script_compares() {
        let json = as_json(&image());
        assert_eq!(json["mrenclave"], hex(&image().mrenclave()));
        assert_eq!(json["threads"], json!([0]));
        assert_eq!(json["size"], 0x4000);
        assert_eq!(
            json["pages"][1],
            json!({"offset": 4096, "length": 4096, "permissions": "r-x"})
        );
    }
}
