//! `twine image dump`: the enclave as it lies in memory before it is first entered, for programs that analyse it.
//!
//! ```text
//!   enclave.dump   the bytes from the base on, as a file with holes where no page is
//!   enclave.json   [ {SECS}, {page}, {TCS}, ... ]: what sgx-tracer writes and Pandora's loader for memory dumps reads
//!   enclave.so     the ELF file, for its symbols, if the image is the bundled one
//! ```

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::{Value, json};
use twine::abi::layout::{PAGE_LEN, XFRM};
use twine::abi::sgx::{AttributeFlags, MiscSelect, PageKind, Permissions, Tcs};
use twine::image::{Image, Run};

use super::{Source, in_file, write};

/// Dump the enclave as it lies in memory, for programs that analyse it
///
/// Writes enclave.dump, enclave.json and, of the image that is part of this program, enclave.so. Only the first thread
/// is dumped: the others differ from it in their addresses alone.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Where to write; made if it is not there
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
}

/// Where the dump pretends that the enclave lies: any multiple of the enclave's size will do.
const BASE: u64 = 1 << 36;

/// Kinds of entries.
const SECS: u8 = 0;
const TCS: u8 = 1;
const PAGES: u8 = 2;

impl Arguments {
    pub(super) fn run(&self) -> Result<()> {
        let image = self.source.load()?;
        let directory = &self.directory;
        fs::create_dir_all(directory).map_err(|source| in_file(directory, source))?;
        let first = image.threads().next().context("the image has no thread")?;
        let end = first + PAGE_LEN;
        ensure!(
            image.size() <= BASE,
            "the enclave is too large for the address that dumps have"
        );
        let runs: Vec<&Run> = image.runs().iter().filter(|run| run.end() <= end).collect();

        let place = directory.join("enclave.dump");
        let dump = File::create(&place).map_err(|source| in_file(&place, source))?;
        let mut entries = vec![secs(&image)];
        for run in runs {
            dump.write_all_at(&run.bytes, run.offset)
                .map_err(|source| in_file(&place, source))?;
            entries.push(pages(run));
            if run.info.kind() == Ok(PageKind::Tcs) {
                let page = run.bytes.first_chunk().context("a TCS is a page")?;
                entries.push(tcs(&Tcs::from_bytes(page)));
            }
        }
        let text = format!("{:#}\n", Value::from(entries));
        write(&directory.join("enclave.json"), text.as_bytes())?;
        if self.source.image.is_none() {
            write(&directory.join("enclave.so"), Image::BUNDLED_ELF)?;
        }
        Ok(())
    }
}

/// As the launch makes it, without what differs from launch to launch.
fn secs(image: &Image) -> Value {
    let flags = AttributeFlags::MODE64BIT | AttributeFlags::KSS;
    json!({
        "entry_type": SECS,
        "size": image.size(),
        "base": BASE,
        "ssa_frame_size": image.ssa_frame_pages(),
        "miscselect": MiscSelect::EXINFO.bits(),
        "attributes": flags.bits(),
        "xfrm": XFRM,
    })
}

fn pages(run: &Run) -> Value {
    let kind = match run.info.kind() {
        Ok(PageKind::Tcs) => "PT_TCS",
        _ => "PT_REG",
    };
    json!({
        "entry_type": PAGES,
        "src": BASE,
        "offset": run.offset,
        "length": run.bytes.len(),
        "secinfo": 0,
        // SGX_PAGE_MEASURE.
        "flags": 1,
        "measured": 1,
        "count": run.bytes.len(),
        "permissions": permissions(run),
        "type": kind,
    })
}

fn tcs(tcs: &Tcs) -> Value {
    json!({
        "entry_type": TCS,
        "state": 0,
        "flags": tcs.flags.bits(),
        "ssa_offset": tcs.ossa,
        "ssa_index": 0,
        "ssa_num": tcs.nssa,
        "entry_offset": tcs.oentry,
        "exit_addr": 0,
        "fs_base": tcs.ofsbase,
        "gs_base": tcs.ogsbase,
    })
}

fn permissions(run: &Run) -> String {
    [
        (Permissions::R, 'R'),
        (Permissions::W, 'W'),
        (Permissions::X, 'X'),
    ]
    .iter()
    .map(|(permission, letter)| {
        if run.info.permissions().contains(*permission) {
            *letter
        } else {
            '-'
        }
    })
    .collect()
}
