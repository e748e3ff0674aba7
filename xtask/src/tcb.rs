//! `tcb`: the size of the trusted computing base, counted.
//!
//! Counted is what the compiler read while it built the image, by its own dependency lists: not what happens to lie in
//! a package. Tests are not in the image and are not counted. What only runs while the image is built (build scripts,
//! macros) is listed apart: it is not inside, yet could change what is.

use anyhow::Result;
use clap::Args;

use crate::image::shape::Shape;
use crate::image::{self, build};
use crate::project::{Project, Workspace};

mod graph;
mod lines;
mod report;

use report::Report;

#[derive(Args)]
pub(crate) struct Options {
    /// Print JSON instead of tables.
    #[arg(long)]
    pub json: bool,
}

/// Builds the image and counts.
pub(crate) fn run(project: &Project, options: &Options) -> Result<()> {
    let build = build::build(&project.path(""), &project.target("enclave"))?;
    let metadata = project.metadata(Workspace::Enclave)?;
    let crates = graph::crates(project, &metadata, &build)?;
    let report = Report {
        crates,
        sections: Shape::of(&image::read(&build.image)?)?.sections,
    };
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}
