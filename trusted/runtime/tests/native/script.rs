//! A guest that makes one call after the other on mounted files, and the errno that each of them is expected to return.
//!
//! ```text
//! memory   0x0000   where calls put their results: `AT`, and what the test says
//!          0x1000   the guest's strings
//! ```
//!
//! Numbers of descriptors are known beforehand: the lowest free one is given out, the first mount is 3.

#![expect(
    clippy::unwrap_used,
    reason = "a script that cannot be written is a failing test, wherever the helper stands"
)]

use std::fmt::Write as _;

use twine_runtime::Mount;
use twine_runtime::files::{Access, FileSystem};

use crate::guest::{Report, module_with, report_of};
use crate::support::{Launch, file_systems};
use crate::watched::Watched;

/// An argument of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arg<'a> {
    /// 32 bits.
    Small(u32),
    /// 64 bits.
    Large(u64),
    /// 64 bits that are in memory at this address.
    Loaded(u32),
    /// Address and length of these bytes.
    Text(&'a [u8]),
    /// Address and count of a list with one buffer: address, length.
    Buffer(u32, u32),
}

/// Where calls put results that nobody looks at.
pub(crate) const AT: Arg<'_> = Arg::Small(0);

/// The first mount.
pub(crate) const ROOT: Arg<'_> = Arg::Small(3);

/// The calls so far.
#[derive(Debug, Default)]
pub(crate) struct Script {
    body: String,
    text: Vec<u8>,
    expected: Vec<(String, u32)>,
}

/// A path, as an argument.
pub(crate) fn path(path: &str) -> Arg<'_> {
    Arg::Text(path.as_bytes())
}

impl Script {
    /// Adds a call.
    pub(crate) fn call(&mut self, expected: u32, name: &str, arguments: &[Arg<'_>]) -> &mut Self {
        let mut call = format!("(call ${name}");
        for argument in arguments {
            match *argument {
                Arg::Small(value) => write!(call, " (i32.const {value})"),
                Arg::Large(value) => write!(call, " (i64.const {value})"),
                Arg::Loaded(at) => write!(call, " (i64.load (i32.const {at}))"),
                Arg::Text(bytes) => {
                    let at = self.place(bytes);
                    write!(call, " (i32.const {at}) (i32.const {})", bytes.len())
                }
                Arg::Buffer(address, len) => {
                    let vector = [address.to_le_bytes(), len.to_le_bytes()];
                    let at = self.place(vector.as_flattened());
                    write!(call, " (i32.const {at}) (i32.const 1)")
                }
            }
            .unwrap();
        }
        write!(self.body, "(call $try {call}))").unwrap();
        let what = format!("{name} {arguments:?}");
        self.expected.push((what, expected));
        self
    }

    /// Puts bytes into memory where the following calls find them.
    pub(crate) fn place(&mut self, bytes: &[u8]) -> u32 {
        let at = TEXT + u32::try_from(self.text.len()).unwrap();
        self.text.extend_from_slice(bytes);
        at
    }

    /// Shows memory.
    pub(crate) fn show(&mut self, address: u32, len: u32) -> &mut Self {
        let show = format!("(call $show (i32.const {address}) (i32.const {len}))");
        self.body.push_str(&show);
        self
    }

    /// Opens `name` in the first mount as what is next, to be read and written, and creates it.
    pub(crate) fn create(&mut self, name: &str) -> &mut Self {
        self.open(0, name, oflag::CREAT, RIGHTS_FILE)
    }

    /// Opens `name` in the first mount, following links.
    pub(crate) fn open(&mut self, expected: u32, name: &str, how: u32, rights: u64) -> &mut Self {
        self.call(
            expected,
            "path_open",
            &[
                ROOT,
                Arg::Small(1),
                path(name),
                Arg::Small(how),
                Arg::Large(rights),
                Arg::Large(rights),
                Arg::Small(0),
                AT,
            ],
        )
    }

    /// Writes bytes at the position.
    pub(crate) fn write(&mut self, fd: u32, bytes: &[u8]) -> &mut Self {
        let at = self.place(bytes);
        let len = u32::try_from(bytes.len()).unwrap();
        self.call(0, "fd_write", &[Arg::Small(fd), Arg::Buffer(at, len), AT])
    }

    /// Reads at most `len` bytes at an offset, and shows them and their number.
    pub(crate) fn read_at(&mut self, fd: u32, offset: u64, len: u32) -> &mut Self {
        let arguments = [
            Arg::Small(fd),
            Arg::Buffer(256, len),
            Arg::Large(offset),
            AT,
        ];
        self.call(0, "fd_pread", &arguments)
            .show(0, 4)
            .show(256, len)
    }

    pub(crate) fn close(&mut self, fd: u32) -> &mut Self {
        self.call(0, "fd_close", &[Arg::Small(fd)])
    }

    /// Runs the script on what is mounted, and returns what was shown.
    pub(crate) fn run(&self, mounts: Vec<Mount>) -> Vec<u8> {
        self.report(mounts).shown
    }

    /// Runs the script on an empty file system of each kind, and returns what was shown, which is the same.
    pub(crate) fn run_on_each(&self) -> Vec<u8> {
        let run = |(kind, files)| {
            // Notices what is held too often or too long.
            let (files, watch) = Watched::around(files);
            let shown = self.run(vec![mount("/", files)]);
            assert!(watch.borrow().closed);
            (kind, shown)
        };
        let mut shown: Vec<(&str, Vec<u8>)> = file_systems().into_iter().map(run).collect();
        let (first, expected) = shown.pop().unwrap();
        for (kind, shown) in shown {
            assert_eq!(shown, expected, "{kind} and {first}");
        }
        expected
    }

    /// Runs the script, and returns all that is left.
    pub(crate) fn report(&self, mounts: Vec<Mount>) -> Report {
        self.report_in(mounts, |_| ())
    }

    /// Runs the script in a launch that `prepare` changes.
    pub(crate) fn report_in(
        &self,
        mounts: Vec<Mount>,
        prepare: impl FnOnce(&mut Launch),
    ) -> Report {
        let mut launch = Launch::new(&self.module());
        launch.mounts = mounts;
        prepare(&mut launch);
        self.check(report_of(launch))
    }

    fn module(&self) -> String {
        let text: String = self
            .text
            .iter()
            .map(|byte| format!("\\{byte:02x}"))
            .collect();
        module_with(&format!("(data (i32.const {TEXT}) \"{text}\")"), &self.body)
    }

    fn check(&self, report: Report) -> Report {
        assert_eq!(report.errnos.len(), self.expected.len());
        for (errno, (call, expected)) in report.errnos.iter().zip(&self.expected) {
            assert_eq!(errno, expected, "{call}");
        }
        report
    }
}

/// A mount that can be written.
pub(crate) fn mount(path: &str, files: Box<dyn FileSystem>) -> Mount {
    Mount {
        path: path.into(),
        files,
        access: Access::ReadWrite,
    }
}

/// What a test asks for that does not care: everything that can be done with a file.
pub(crate) const RIGHTS_FILE: u64 = wasi::RIGHTS_FD_DATASYNC
    | wasi::RIGHTS_FD_READ
    | wasi::RIGHTS_FD_SEEK
    | wasi::RIGHTS_FD_FDSTAT_SET_FLAGS
    | wasi::RIGHTS_FD_SYNC
    | wasi::RIGHTS_FD_TELL
    | wasi::RIGHTS_FD_WRITE
    | wasi::RIGHTS_FD_ADVISE
    | wasi::RIGHTS_FD_ALLOCATE
    | wasi::RIGHTS_FD_FILESTAT_GET
    | wasi::RIGHTS_FD_FILESTAT_SET_SIZE
    | wasi::RIGHTS_FD_FILESTAT_SET_TIMES
    | wasi::RIGHTS_POLL_FD_READWRITE;

/// How files are opened.
pub(crate) mod oflag {
    pub(crate) const CREAT: u32 = 1;
    pub(crate) const DIRECTORY: u32 = 2;
    pub(crate) const EXCL: u32 = 4;
    pub(crate) const TRUNC: u32 = 8;
}

const TEXT: u32 = 0x1000;
