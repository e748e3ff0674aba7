//! The owner and the host. The host gets the launch document and bundles, and nothing else.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use twine::cache::Cache;
use twine::module::Module;
use twine::state::Directories;
use twine_guests::Guest;

use crate::search::{self, Haystack, Needle};

const SECRET: &[u8] = b"nobody outside reads these words";
const VOLUME_KEY: &[u8; 32] = b"and nobody has this volume's key";
const NONCE: &str = "0011223344556677";

/// What the host does have: the search has to find it.
pub(crate) const PLANTED: &str = "the host was given this string to keep";

/// What the document asks for, behind the provisioner's key.
const RULES: &str = r#"
folder = "/run/secrets"
secrets = ["token"]

[[mounts]]
guest = "/data"
kind = "volume"
bound_to = "provisioner"
create = true

[[mounts]]
guest = "/state"
kind = "volume"
bound_to = "document"
runtime = "image"
create = true
"#;

/// What the host starts.
const SERVICE: &[&str] = &[
    "run",
    "app.toml",
    "--backend",
    "emulator",
    "--volume",
    "data.tv::/data",
    "--volume",
    "state.tv::/state",
];

/// What the owner answers requests with.
const GOODS: &[&str] = &[
    "--policy",
    "policy.toml",
    "--collateral",
    "collateral.json",
    "--document",
    "app.toml",
    "--key",
    "provisioner.pem",
    "--module",
    "app.wasm",
    "--secret",
    "token=token",
    "--volume-key",
    "/data=volume.key",
];

/// How requests and bundles get from one to the other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Folder,
    Http,
}

/// The owner and the host, each with a folder of their own.
pub(crate) struct Parties {
    owner: Party,
    host: Party,
}

struct Party {
    folder: TempDir,
    /// Keys and compiled modules. They stay from test to test: it takes long to make an RSA key.
    home: PathBuf,
}

impl Party {
    fn new(name: &str) -> Self {
        let homes = Path::new(env!("CARGO_TARGET_TMPDIR")).join("confidential");
        Self {
            folder: tempfile::tempdir().unwrap(),
            home: homes.join(name),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself, which the test has noticed then.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A service that has said something and waits for its input to end.
pub(crate) struct Service {
    process: Process,
    pub(crate) said: String,
}

impl Service {
    pub(crate) fn id(&self) -> u32 {
        self.process.0.id()
    }

    pub(crate) fn stop(mut self) {
        drop(self.process.0.stdin.take());
        let status = self.process.0.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Parties {
    pub(crate) fn new() -> Self {
        let parties = Self {
            owner: Party::new("owner"),
            host: Party::new("host"),
        };
        fs::create_dir(parties.host("exchange")).unwrap();
        parties
    }

    pub(crate) fn owner(&self, name: &str) -> PathBuf {
        self.owner.path().join(name)
    }

    pub(crate) fn host(&self, name: &str) -> PathBuf {
        self.host.path().join(name)
    }

    /// Everything that the host keeps.
    pub(crate) fn files_of_the_host(&self) -> Haystack {
        fs::write(self.host("planted"), PLANTED).unwrap();
        let mut files = search::files(self.host.path());
        files.extend(search::files(&self.host.home));
        files
    }

    fn twine(at: &Party) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_twine"));
        command
            .current_dir(at.path())
            .env("TWINE_HOME", &at.home)
            .env("PLANTED", PLANTED);
        command
    }

    fn good(at: &Party, arguments: &[&str]) -> Output {
        let output = Self::twine(at).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        output
    }

    fn at_the_owners(&self, arguments: &[&str]) -> String {
        String::from_utf8(Self::good(&self.owner, arguments).stdout).unwrap()
    }

    /// Init, keys, measure: what the owner prepares.
    pub(crate) fn prepare(&self) {
        let wasm = Guest::named("c_keeps_a_secret").unwrap().module().unwrap();
        fs::copy(wasm, self.owner("app.wasm")).unwrap();
        self.at_the_owners(&["init", "app.wasm", "-o", "app.toml"]);
        let key = self.at_the_owners(&["sign", "--generate", "provisioner.pem"]);
        let key = key.trim_start_matches("[owner]\n");
        let document = fs::read_to_string(self.owner("app.toml")).unwrap();
        let document = document.replace("# confidential", "confidential");
        let document = format!("{document}\n[provisioning]\n{key}{RULES}");
        fs::write(self.owner("app.toml"), document).unwrap();
        fs::copy(self.owner("app.toml"), self.host("app.toml")).unwrap();
        fs::write(self.owner("token"), SECRET).unwrap();
        let volume_key = self.owner("volume.key");
        fs::write(&volume_key, VOLUME_KEY).unwrap();
        fs::set_permissions(volume_key, fs::Permissions::from_mode(0o600)).unwrap();
        let explained = self.at_the_owners(&["check", "app.toml"]);
        assert!(explained.contains("neither the Wasm"), "{explained}");
        let policy = self.at_the_owners(&["measure", "app.toml", "--policy"]);
        fs::write(self.owner("policy.toml"), policy).unwrap();
    }

    /// Has the host make evidence, and gives the owner what it takes to believe its emulator.
    pub(crate) fn attest(&self) {
        let made = Self::good(
            &self.host,
            &[
                "attest",
                "-v",
                "app.toml",
                "--nonce",
                NONCE,
                "-o",
                "evidence.cbor",
                "--collateral",
                "collateral.json",
            ],
        );
        for name in ["evidence.cbor", "collateral.json"] {
            fs::copy(self.host(name), self.owner(name)).unwrap();
        }
        let told = String::from_utf8(made.stderr).unwrap();
        let (_, root) = told.split_once("sha256 ").unwrap();
        let root: String = root.chars().take(64).collect();
        let policy = fs::read_to_string(self.owner("policy.toml")).unwrap();
        let policy = format!("{policy}\n[simulation]\ntrusted_roots_sha256 = [\"{root}\"]\n");
        fs::write(self.owner("policy.toml"), policy).unwrap();
    }

    pub(crate) fn verify_evidence(&self) {
        self.attest();
        let verdict = self.at_the_owners(&[
            "verify",
            "evidence.cbor",
            "--policy",
            "policy.toml",
            "--collateral",
            "collateral.json",
            "--nonce",
            NONCE,
        ]);
        assert!(verdict.starts_with("SIMULATED"), "{verdict}");
    }

    pub(crate) fn accept_any_document(&self) {
        let policy = fs::read_to_string(self.owner("policy.toml")).unwrap();
        let any = policy.lines().map(|line| match line {
            line if line.starts_with("config_id") => "config_id = \"any\"\n".to_owned(),
            line => format!("{line}\n"),
        });
        fs::write(self.owner("policy.toml"), any.collect::<String>()).unwrap();
    }

    /// Starts the service at the host, provisions it, and waits until it has said something.
    pub(crate) fn start(&self, way: Way) -> Service {
        let (mut process, server) = match way {
            Way::Folder => {
                let process = self.launch();
                let answered = self.answer();
                assert!(answered.status.success(), "{answered:?}");
                let verdict = String::from_utf8(answered.stdout).unwrap();
                assert!(verdict.starts_with("SIMULATED"), "{verdict}");
                self.bring(&fs::read(self.owner("bundle.cbor")).unwrap());
                (process, None)
            }
            Way::Http => {
                let (server, url) = self.serve();
                (self.launch_asking(&url), Some(server))
            }
        };
        let mut said = String::new();
        let mut output = BufReader::new(process.0.stdout.take().unwrap());
        output.read_line(&mut said).unwrap();
        drop(server);
        Service { process, said }
    }

    /// What the owner says to a launch; the launch is given up.
    pub(crate) fn answer_to_a_launch(&self) -> Output {
        let _launched = self.launch();
        self.answer()
    }

    /// How a launch ends whose request gets this answer.
    pub(crate) fn launch_answered_with(&self, bundle: &[u8]) -> Output {
        let process = self.launch();
        self.bring(bundle);
        ended(process)
    }

    pub(crate) fn launch_that_nobody_answers(&self) -> Output {
        let mut command = Self::twine(&self.host);
        command.args(SERVICE).args(["--provision", "exchange"]);
        command
            .args(["--provision-timeout", "10ms"])
            .output()
            .unwrap()
    }

    /// Starts the service with the folder, and waits for its request.
    fn launch(&self) -> Process {
        let request = self.host("exchange/request.cbor");
        let _ = fs::remove_file(&request);
        let mut process = self.launch_asking("exchange");
        while !request.exists() {
            let ended = process.0.try_wait().unwrap();
            assert_eq!(ended, None, "it ended without a request");
            thread::sleep(Duration::from_millis(20));
        }
        fs::copy(&request, self.owner("request.cbor")).unwrap();
        process
    }

    fn launch_asking(&self, whom: &str) -> Process {
        let mut command = Self::twine(&self.host);
        command.args(SERVICE).args(["--provision", whom]);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Process(command.stderr(Stdio::piped()).spawn().unwrap())
    }

    fn answer(&self) -> Output {
        let mut command = Self::twine(&self.owner);
        command.args(["provision", "request.cbor", "-o", "bundle.cbor"]);
        command.args(GOODS).output().unwrap()
    }

    /// Puts a bundle into the folder, complete from the start.
    fn bring(&self, bundle: &[u8]) {
        fs::write(self.host("exchange/new"), bundle).unwrap();
        fs::rename(self.host("exchange/new"), self.host("exchange/bundle.cbor")).unwrap();
    }

    fn serve(&self) -> (Process, String) {
        let mut command = Self::twine(&self.owner);
        command.args(["provision", "serve", "--listen", "127.0.0.1:0"]);
        let mut server = Process(command.args(GOODS).stderr(Stdio::piped()).spawn().unwrap());
        let mut told = BufReader::new(server.0.stderr.take().unwrap());
        let mut line = String::new();
        told.read_line(&mut line).unwrap();
        let (_, url) = line.trim().split_once(" at ").unwrap();
        // What it tells later is read, so that it is never kept from telling.
        thread::spawn(move || std::io::copy(&mut told, &mut std::io::sink()));
        (server, url.to_owned())
    }

    /// What nobody but owner and enclave may have.
    pub(crate) fn needles(&self) -> Vec<Needle> {
        let wasm = fs::read(self.owner("app.wasm")).unwrap();
        let cache = Cache::of(&Directories::below(&self.owner.home));
        let module = Module::load(&self.owner("app.wasm"), &cache).unwrap();
        let backwards: Vec<u8> = SECRET.iter().rev().copied().collect();
        let mut needles = vec![
            Needle::new("secret", SECRET),
            Needle::new("file contents", &backwards),
            Needle::new("volume key", VOLUME_KEY),
            Needle::new("constant of the module", b"%s %zu bytes\n"),
        ];
        needles.extend(search::pieces("Wasm", &wasm));
        needles.extend(search::pieces("machine code", module.machine_code()));
        needles.extend(self.provisioners_key());
        needles
    }

    /// The private key, as text and as bytes.
    fn provisioners_key(&self) -> [Needle; 2] {
        let pem = fs::read_to_string(self.owner("provisioner.pem")).unwrap();
        let line = pem.lines().nth(1).unwrap();
        let key = twine::owner::OwnerKey::from_pem(&pem).unwrap();
        let scalar = key.signing_key().to_bytes();
        [
            Needle::new("provisioner's key", line.as_bytes()),
            Needle::new("provisioner's key", &scalar),
        ]
    }
}

fn ended(mut process: Process) -> Output {
    drop(process.0.stdin.take());
    let mut stderr = Vec::new();
    let mut told = process.0.stderr.take().unwrap();
    told.read_to_end(&mut stderr).unwrap();
    Output {
        status: process.0.wait().unwrap(),
        stdout: Vec::new(),
        stderr,
    }
}
