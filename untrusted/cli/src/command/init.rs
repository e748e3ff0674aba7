//! `twine init`: a launch document for a module, to be edited.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use twine::Error;
use twine::cache::Cache;
use twine::document::{Draft, LaunchDocument};
use twine::imports::Imports;
use twine::module::Module;
use twine::state::Directories;

use super::usage;

/// Write a commented launch document for a module
///
/// The document allows nothing but to run: no arguments, no environment, no files. What else there is stands in comments.
/// What the module imports and the runtime does not have is warned about.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The module: .wasm, .wat, or compiled by `twine compile`
    module: PathBuf,
    /// Where to write the launch document; `-` for standard output
    #[arg(short, long, value_name = "FILE.toml")]
    output: PathBuf,
    /// Name of the application [default: the module's]
    #[arg(long)]
    name: Option<String>,
}

impl Arguments {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::File { path, source }
        };
        if self.output != Path::new("-") && !super::is_document(&self.output) {
            return Err(usage("a launch document's name ends in .toml").into());
        }
        let bytes = fs::read(&self.module).map_err(at(&self.module))?;
        let imports = Imports::of(&self.module.display().to_string(), &bytes)?;
        let module = Module::load(&self.module, &Cache::of(&Directories::of_user()?))?;
        let mut draft = module.draft();
        if let Some(name) = &self.name {
            draft.application.name.clone_from(name);
        }
        // What is not valid fails before anything is written.
        LaunchDocument::new(draft.clone()).map_err(Error::from)?;
        let text = text(&draft, imports.as_ref());
        if self.output == Path::new("-") {
            io::stdout().write_all(text.as_bytes())?;
        } else {
            // Somebody may have edited an earlier one, or signed it.
            let mut options = OpenOptions::new();
            let file = options.write(true).create_new(true).open(&self.output);
            file.and_then(|mut file| file.write_all(text.as_bytes()))
                .map_err(at(&self.output))?;
        }
        warn(imports.as_ref());
        Ok(ExitCode::SUCCESS)
    }
}

fn warn(imports: Option<&Imports>) {
    let Some(imports) = imports else {
        log::warn!("the module is compiled and does not tell what it imports");
        return;
    };
    if imports.older_wasi {
        log::warn!(
            "the module was built for WASI before preview 1: build it with a toolchain from 2020 or later"
        );
    }
    for (module, name) in &imports.missing {
        log::warn!(
            "the module imports {module:?} {name:?}, which does not exist here: it cannot run"
        );
    }
    if imports.sockets {
        log::warn!("the module uses sockets, and there are none yet: its calls fail with ENOTSOCK");
    }
}

fn text(draft: &Draft, imports: Option<&Imports>) -> String {
    let name = toml_text(&draft.application.name);
    let module = &draft.module;
    let files = match imports {
        Some(imports) if !imports.files => "# The module opens no files.\n",
        Some(_) => "# The module opens files, and has none unless you mount some.\n",
        None => "",
    };
    format!(
        r#"# A launch document. Every byte of it counts: its SHA-512 is the enclave's CONFIGID.
# `twine check` explains it, `twine measure` tells what a verifier has to know, docs/launch.md what else may stand here.
version = 1

[application]
name = {name}
version = 1                     # raise it with every release: CONFIGSVN

[module]
sha256 = "{sha256}"
wasm_sha256 = "{wasm_sha256}"
engine = "{engine}"
# confidential = true           # the host gets no module: it comes from the provisioner

# [owner]                       # who has to sign this document (`twine sign`)
# key = "02..."

[arguments]
fixed = [{name}]                # all arguments, the program's name first
# from_caller = true            # instead: whoever starts it chooses them

# [environment]
# from_caller = ["LANG"]        # whoever starts it may set these

# [environment.fixed]
# MODE = "production"

# [limits]                      # what it may use at most
# memory_bytes = 67108864
# timeout_ms = 60000

{files}# [[mounts]]                    # files that are encrypted, and kept by the host
# guest = "/data"
# kind = "volume"
# bound_to = "document"         # who gets the key: "document", "owner", "module" or "provisioner"
# runtime = "signer"            # in which runtime: "image" or "signer"
# create = true

# [[mounts]]                    # files in the enclave's memory
# guest = "/tmp"
# kind = "tmpfs"
# size_bytes = 67108864

# [provisioning]                # who sends it what the host must not see (`twine provision`)
# key = "02..."                 # `twine sign --generate provisioner.pem` makes a key
# folder = "/run/secrets"
# secrets = ["password"]        # becomes the file /run/secrets/password

# [recovery]                    # who can open the volumes if this machine is lost (`twine volume keygen`)
# keys = ["..."]

# [tls]                         # a key and a certificate that proves what runs here, for serving TLS
# folder = "/run/tls"
# names = ["db.example.org"]

[diagnostics]
backtraces = false              # true: the host learns where the program trapped
"#,
        sha256 = module.sha256,
        wasm_sha256 = module.wasm_sha256,
        engine = module.engine,
    )
}

/// A TOML basic string.
fn toml_text(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            // Valid names hold no control characters.
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use twine::document::{Application, Digest, ModuleIdentity};

    use super::*;

    fn draft(name: &str) -> Draft {
        let application = Application {
            name: name.to_owned(),
            version: 0,
        };
        let module = ModuleIdentity {
            sha256: Digest([1; 32]),
            wasm_sha256: Digest([2; 32]),
            engine: "e".to_owned(),
            confidential: false,
        };
        Draft::new(application, module)
    }

    #[test]
    fn what_is_written_is_a_document_that_allows_nothing_but_to_run() {
        for name in ["app", r#"a "b" \c"#] {
            let mut expected = draft(name);
            let document = LaunchDocument::parse(text(&expected, None).as_bytes()).unwrap();
            expected.application.version = 1;
            assert_eq!(*document, expected);
        }
    }

    #[test]
    fn every_example_in_the_comments_is_valid() {
        let text = text(&draft("app"), None);
        let uncommented: String = text
            .lines()
            .filter(|line| !line.contains("from_caller = true"))
            .map(|line| match line.strip_prefix("# ") {
                Some(example) if example.starts_with('[') || example.contains(" = ") => example,
                _ => line,
            })
            .flat_map(|line| [line, "\n"])
            .collect();
        let key = "02".repeat(33);
        let uncommented = uncommented
            .replace("\"02...\"", &format!("\"{key}\""))
            .replace("\"...\"", &format!("\"{}\"", "05".repeat(32)));
        let document = LaunchDocument::parse(uncommented.as_bytes()).unwrap();
        assert!(document.owner.is_some() && document.provisioning.is_some());
        assert!(document.module.confidential);
        assert_eq!((document.mounts.len(), document.recovery.len()), (2, 1));
        assert!(document.environment.from_caller.contains("LANG"));
    }

    #[test]
    fn files_are_spoken_of_as_the_module_uses_them() {
        let says = |files| {
            let imports = Imports {
                files,
                ..Imports::default()
            };
            text(&draft("app"), Some(&imports))
        };
        assert!(says(false).contains("opens no files"));
        assert!(says(true).contains("unless you mount some"));
    }
}
