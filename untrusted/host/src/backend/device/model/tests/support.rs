//! The small enclave of the emulator's tests, built by the backend, or by hand through the seam.

use std::io;

use twine_abi::sgx::{PageKind, Permissions, SecInfo, Secs, Sigstruct};

use crate::backend::device::kernel::Reservation;
use crate::backend::device::model::{Model, Mood, Record};
use crate::backend::device::operand::PageBuffer;
use crate::backend::device::seam::{Request, SgxDevice as _, SgxFile};
use crate::backend::device::uapi::{AddPages, Create, Init, PAGE_MEASURE};
use crate::backend::emulator::EmulatorConfig;
use crate::backend::emulator::tests::support::{FREE, Guest, SIZE, fill, secs, signed, statement};
use crate::backend::{Backend as _, BackendError, Build, Enclave, Measure, PageRange};

pub(super) const PAGE: u64 = 4096;

/// A modelled driver with a processor of its own. The secret is read once, so the folder need not live.
pub(super) fn model(mood: Mood) -> Model {
    let folder = tempfile::tempdir().unwrap();
    let config = EmulatorConfig {
        secret: folder.path().join("platform"),
        ..EmulatorConfig::default()
    };
    Model::new(config, mood).unwrap()
}

/// The test enclave, built by the real loader.
pub(super) fn start(mood: Mood) -> (Guest, Record) {
    let model = model(mood);
    let record = model.record();
    let device = model.into_device().unwrap();
    let mut build = device.create(&secs()).unwrap();
    fill(&mut *build).unwrap();
    let pages = PageRange {
        offset: FREE,
        count: (SIZE - FREE) / PAGE,
    };
    build.leave_room(pages, Permissions::RWX).unwrap();
    (
        Guest::adopt(build.initialise(&sigstruct()).unwrap()),
        record,
    )
}

/// The certificate of the test enclave; signing takes longer than everything else.
pub(super) fn sigstruct() -> Sigstruct {
    static SIGNED: std::sync::OnceLock<Sigstruct> = std::sync::OnceLock::new();
    *SIGNED.get_or_init(|| signed(statement(&secs())))
}

/// A loader that does what it is told, through the seam. The file goes before the addresses do.
pub(super) struct Loader {
    pub(super) file: Box<dyn SgxFile>,
    pub(super) place: Reservation,
    pub(super) model: Model,
}

impl Loader {
    pub(super) fn open() -> Self {
        let model = model(Mood::Calm);
        Self {
            file: model.open().unwrap(),
            place: Reservation::new(SIZE).unwrap(),
            model,
        }
    }

    /// CREATE with changed parameters.
    pub(super) fn create(&self, change: impl FnOnce(&mut Secs)) -> io::Result<()> {
        let mut secs = Secs {
            base: self.place.base(),
            ..secs()
        };
        change(&mut secs);
        let page = PageBuffer::of(&secs.to_bytes());
        let mut operand = Create {
            src: page.address(),
        };
        self.file.request(Request::Create(&mut operand))
    }

    /// ADD_PAGES of one page of zeroes for reading and writing, with a changed operand or SECINFO. Returns `count`.
    pub(super) fn add(
        &self,
        change: impl FnOnce(&mut AddPages, &mut SecInfo),
    ) -> (u64, io::Result<()>) {
        let page = PageBuffer::of(&[0; 4096]);
        let mut info = SecInfo::new(PageKind::Reg, Permissions::RW);
        let mut operand = AddPages {
            src: page.address(),
            offset: FREE,
            length: PAGE,
            secinfo: 0,
            flags: PAGE_MEASURE,
            count: 0,
        };
        let nowhere = operand.secinfo;
        change(&mut operand, &mut info);
        let info = PageBuffer::of(&info.to_bytes());
        if operand.secinfo == nowhere {
            operand.secinfo = info.address();
        }
        let result = self.file.request(Request::AddPages(&mut operand));
        (operand.count, result)
    }

    /// All pages of the test enclave, as they should be added.
    pub(super) fn fill(&self) {
        fill(&mut Adder(self)).unwrap();
    }

    /// INIT with a changed certificate, which is signed anew.
    pub(super) fn init(&self, change: impl FnOnce(&mut Sigstruct)) -> io::Result<()> {
        let mut sigstruct = statement(&secs());
        change(&mut sigstruct);
        self.init_with(&signed(sigstruct))
    }

    /// INIT with this certificate.
    pub(super) fn init_with(&self, sigstruct: &Sigstruct) -> io::Result<()> {
        let page = PageBuffer::of(&sigstruct.to_bytes());
        let mut operand = Init {
            sigstruct: page.address(),
        };
        self.file.request(Request::Init(&mut operand))
    }

    /// The whole enclave, with room for pages behind it.
    pub(super) fn complete(&self) {
        self.create(|_| ()).unwrap();
        self.fill();
        self.init_with(&sigstruct()).unwrap();
        self.file
            .map(&self.place, FREE, SIZE - FREE, Permissions::RWX)
            .unwrap();
    }
}

/// The seam as the emulator's tests fill it.
struct Adder<'a>(&'a Loader);

impl Build for Adder<'_> {
    fn add_pages(
        &mut self,
        offset: u64,
        bytes: &[u8],
        info: SecInfo,
        measure: Measure,
    ) -> Result<(), BackendError> {
        let contents = PageBuffer::of(bytes);
        let (count, result) = self.0.add(|operand, secinfo| {
            *secinfo = info;
            operand.src = contents.address();
            operand.offset = offset;
            operand.length = contents.len();
            operand.flags = u64::from(measure == Measure::Contents);
        });
        result.unwrap();
        assert_eq!(count, contents.len());
        Ok(())
    }

    fn leave_room(&mut self, _: PageRange, _: Permissions) -> Result<(), BackendError> {
        Ok(())
    }

    fn initialise(
        self: Box<Self>,
        _: &Sigstruct,
    ) -> Result<std::sync::Arc<dyn Enclave>, BackendError> {
        Err(BackendError::Lost)
    }
}
