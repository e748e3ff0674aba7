//! One open file of the driver: which request may come when, and what has been added and mapped.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use twine_abi::sgx::{PageKind, Permissions, Secs};

use super::{World, errno, moods, vdso};
use crate::backend::device::kernel::Reservation;
use crate::backend::device::seam::{Request, SgxFile};
use crate::backend::emulator::{Bare, Emulator};
use crate::backend::{Counts, PageRange};

/// The file.
pub(super) struct File {
    pub(super) emulator: Arc<Emulator>,
    pub(super) world: Arc<World>,
    state: Mutex<State>,
    /// A request is being served.
    busy: AtomicBool,
}

/// What the driver knows about its enclave.
#[derive(Default)]
pub(super) struct State {
    pub(super) stage: Stage,
    /// The SECS, as it was created.
    pub(super) secs: Option<Secs>,
    /// What the driver remembers of pages, by their offsets. Pages that came by EAUG are not in here.
    pub(super) pages: BTreeMap<u64, Entry>,
    /// What has been mapped: end and permissions by start, in the order of requests.
    pub(super) mapped: Vec<(std::ops::Range<u64>, Permissions)>,
}

/// How far the enclave has come.
#[derive(Default)]
pub(super) enum Stage {
    /// Not created.
    #[default]
    Empty,
    /// Created.
    Building(Box<Bare>),
    /// Initialised.
    Running(Arc<Bare>),
}

/// What the driver remembers of a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// Its type, for the driver.
    pub(super) kind: PageKind,
    /// Most that a mapping of it may allow.
    pub(super) most: Permissions,
}

impl File {
    pub(super) fn new(emulator: Arc<Emulator>, world: Arc<World>) -> Self {
        Self {
            emulator,
            world,
            state: Mutex::default(),
            busy: AtomicBool::new(false),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, request: Request<'_>) -> io::Result<()> {
        self.world.mood(moods::Moment::Request)?;
        match request {
            Request::Create(operand) => self.create(operand),
            Request::AddPages(operand) => self.add_pages(operand),
            Request::Init(operand) => self.initialise(operand),
            Request::RestrictPermissions(operand) => self.restrict(operand),
            Request::ModifyTypes(operand) => self.modify(operand),
            Request::RemovePages(operand) => self.remove(operand),
        }
    }
}

impl SgxFile for File {
    fn request(&self, request: Request<'_>) -> io::Result<()> {
        if self.busy.swap(true, Ordering::SeqCst) {
            self.world.note("one request at a time for a file");
            return Err(errno(libc::EBUSY));
        }
        let result = self.serve(request);
        self.busy.store(false, Ordering::SeqCst);
        result
    }

    fn map(
        &self,
        place: &Reservation,
        offset: u64,
        len: u64,
        permissions: Permissions,
    ) -> io::Result<()> {
        let mut state = self.state();
        let Some(secs) = state.secs else {
            self.world.note("mmap: there is an enclave to map");
            return Err(errno(libc::EINVAL));
        };
        let end = offset.checked_add(len).filter(|end| *end <= place.len());
        let whole = len > 0 && offset.is_multiple_of(4096) && len.is_multiple_of(4096);
        let Some(end) = end.filter(|_| whole) else {
            self.world.note("mmap: whole pages of the reservation");
            return Err(errno(libc::EINVAL));
        };
        self.world.demand(
            place.base() == secs.base && place.len() == secs.size,
            libc::EACCES,
            "mmap: inside the enclave's address range",
        )?;
        let exceeds = state
            .pages
            .range(offset..end)
            .any(|(_, page)| !page.most.contains(permissions));
        self.world.demand(
            !exceeds,
            libc::EACCES,
            "mmap: no more than each page was added for",
        )?;
        let pages = PageRange {
            offset,
            count: len / 4096,
        };
        match &state.stage {
            Stage::Empty => return Err(errno(libc::EINVAL)),
            Stage::Building(bare) => bare.map(pages, permissions)?,
            Stage::Running(bare) => bare.map(pages, permissions)?,
        }
        state.mapped.push((offset..end, permissions));
        Ok(())
    }

    fn touch(&self, _: &Reservation, offset: u64, len: u64) -> io::Result<u64> {
        self.look(offset, len)
    }

    fn counts(&self) -> Option<Counts> {
        match &self.state().stage {
            Stage::Empty => None,
            Stage::Building(bare) => Some(bare.counts()),
            Stage::Running(bare) => Some(bare.counts()),
        }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if let Some(secs) = self.state().secs {
            vdso::forget(secs.base);
        }
    }
}
