//! CREATE, ADD_PAGES, INIT.

use std::io;
use std::sync::Arc;

use twine_abi::sgx::{
    AttributeFlags, MiscSelect, PageKind, Permissions, SecInfo, SecInfoFlags, Secs, Sigstruct,
};

use super::file::{Entry, File, Stage, State};
use super::{PAGE, errno, moods, user, vdso};
use crate::backend::device::uapi::{AddPages, Create, Init, PAGE_MEASURE};
use crate::backend::emulator::Bare;
use crate::backend::{BackendError, Measure, Refusal};

/// Attributes that everybody may ask for (`SGX_ATTR_UNPRIV_MASK`).
const UNPRIVILEGED: AttributeFlags = AttributeFlags::DEBUG
    .union(AttributeFlags::MODE64BIT)
    .union(AttributeFlags::KSS)
    .union(AttributeFlags::AEXNOTIFY);

/// Attributes, MISCSELECT and XFRM that the modelled machine offers.
const OFFERED: AttributeFlags = AttributeFlags::INIT
    .union(AttributeFlags::DEBUG)
    .union(AttributeFlags::MODE64BIT)
    .union(AttributeFlags::PROVISIONKEY)
    .union(AttributeFlags::EINITTOKENKEY)
    .union(AttributeFlags::KSS);
const OFFERED_MISC: u32 = MiscSelect::EXINFO.bits();
const OFFERED_XFRM: u64 = 7;

impl File {
    pub(super) fn create(&self, operand: &Create) -> io::Result<()> {
        let world = &self.world;
        let mut state = self.state();
        world.demand(
            matches!(state.stage, Stage::Empty),
            libc::EINVAL,
            "CREATE: once for a file",
        )?;
        let bytes = user::copy::<PAGE>(world, operand.src, "CREATE: src leads to a SECS")?;
        let secs = Secs::from_bytes(&bytes);
        world.demand(
            secs.size.is_power_of_two(),
            libc::EINVAL,
            "CREATE: SIZE is a power of two",
        )?;
        world.demand(
            secs.base.is_multiple_of(secs.size),
            libc::EIO,
            "CREATE: BASEADDR is a multiple of SIZE",
        )?;
        // Not the driver's rule, but a loader's that wants to keep its own memory.
        world.demand(
            user::is_reserved(secs.base, secs.size)?,
            libc::EIO,
            "CREATE: the address range is reserved, and for nothing else",
        )?;
        let bare = Bare::create(&self.emulator, &secs).map_err(|error| {
            world.note(format!("CREATE: {error}"));
            errno(libc::EIO)
        })?;
        state.stage = Stage::Building(Box::new(bare));
        state.secs = Some(secs);
        Ok(())
    }

    pub(super) fn add_pages(&self, operand: &mut AddPages) -> io::Result<()> {
        let world = &self.world;
        let mut state = self.state();
        world.demand(
            matches!(state.stage, Stage::Building(_)),
            libc::EINVAL,
            "ADD_PAGES: after CREATE and before INIT",
        )?;
        world.demand(
            operand.src.is_multiple_of(4096),
            libc::EINVAL,
            "ADD_PAGES: src is a page's address",
        )?;
        self.range(&state, "ADD_PAGES", operand.offset, operand.length)?;
        let info = user::copy::<64>(
            world,
            operand.secinfo,
            "ADD_PAGES: secinfo leads to a SECINFO",
        )?;
        let info = SecInfo::from_bytes(&info);
        self.secinfo(&info)?;
        if operand.flags & !PAGE_MEASURE != 0 {
            // The driver looks at no other bit today.
            world.note("ADD_PAGES: flags have no bit without a name");
        }
        let measure = if operand.flags & PAGE_MEASURE != 0 {
            Measure::Contents
        } else {
            Measure::AddressOnly
        };
        operand.count = 0;
        user::may_execute(world, operand.src)?;
        while operand.count < operand.length {
            if let Err(signal) = world.mood(moods::Moment::BetweenAdded) {
                return if operand.count > 0 {
                    Ok(())
                } else {
                    Err(signal)
                };
            }
            let offset = operand.offset + operand.count;
            self.add_page(
                &mut state,
                operand.src + operand.count,
                offset,
                &info,
                measure,
            )?;
            operand.count += 4096;
        }
        Ok(())
    }

    fn secinfo(&self, info: &SecInfo) -> io::Result<()> {
        let rules = [
            (
                matches!(info.kind(), Ok(PageKind::Reg | PageKind::Tcs)),
                "SECINFO: the type is REG or TCS",
            ),
            (
                !info.flags.contains(SecInfoFlags::W) || info.flags.contains(SecInfoFlags::R),
                "SECINFO: W needs R",
            ),
            (
                info.kind() != Ok(PageKind::Tcs) || info.permissions() == Permissions::EMPTY,
                "SECINFO: a TCS has no permissions",
            ),
            (
                info.flags.without(SecInfoFlags::PAGE_TYPE).bits() & !7 == 0,
                "SECINFO: no reserved flag",
            ),
            (info.reserved == [0; 56], "SECINFO: reserved bytes are zero"),
        ];
        rules
            .into_iter()
            .try_for_each(|(holds, rule)| self.world.demand(holds, libc::EINVAL, rule))
    }

    fn add_page(
        &self,
        state: &mut State,
        source: u64,
        offset: u64,
        info: &SecInfo,
        measure: Measure,
    ) -> io::Result<()> {
        let world = &self.world;
        world.demand(
            !state.pages.contains_key(&offset),
            libc::EBUSY,
            "ADD_PAGES: each page once",
        )?;
        let bytes = user::copy::<PAGE>(world, source, "ADD_PAGES: src leads to all contents")?;
        let most = match info.kind() {
            Ok(PageKind::Tcs) => Permissions::RW,
            _ => info.permissions(),
        };
        let early = state
            .mapped
            .iter()
            .rev()
            .find(|(range, _)| range.contains(&offset));
        if early.is_some_and(|(_, permissions)| !most.contains(*permissions)) {
            // Found at the first access: SIGBUS.
            world.note("ADD_PAGES: no mapping allows more than the page is added for");
        }
        let Stage::Building(bare) = &mut state.stage else {
            return Err(errno(libc::EINVAL));
        };
        bare.add(offset, &bytes, info, measure).map_err(|error| {
            world.note(format!("ADD_PAGES: {error}"));
            errno(libc::EIO)
        })?;
        let kind = info.kind().unwrap_or(PageKind::Reg);
        state.pages.insert(offset, Entry { kind, most });
        Ok(())
    }

    pub(super) fn initialise(&self, operand: &Init) -> io::Result<()> {
        let world = &self.world;
        let mut state = self.state();
        let secs = state
            .secs
            .filter(|_| matches!(state.stage, Stage::Building(_)));
        let Some(secs) = secs else {
            world.note("INIT: after CREATE, once");
            return Err(errno(libc::EINVAL));
        };
        let bytes = user::copy::<1808>(
            world,
            operand.sigstruct,
            "INIT: sigstruct leads to a SIGSTRUCT",
        )?;
        let sigstruct = Sigstruct::from_bytes(&bytes);
        world.demand(
            matches!(sigstruct.vendor, 0 | 0x8086),
            libc::EINVAL,
            "INIT: VENDOR is 0 or 0x8086",
        )?;
        world.demand(
            UNPRIVILEGED.contains(secs.attributes.flags),
            libc::EACCES,
            "INIT: no privileged attribute without PROVISION",
        )?;
        let demanded = sigstruct.attributes.masked(sigstruct.attribute_mask);
        world.demand(
            OFFERED.contains(demanded.flags),
            libc::EINVAL,
            "INIT: SIGSTRUCT demands no attribute that the machine lacks",
        )?;
        world.demand(
            sigstruct.misc_select.bits() & sigstruct.misc_mask & !OFFERED_MISC == 0,
            libc::EINVAL,
            "INIT: SIGSTRUCT demands no MISCSELECT that the machine lacks",
        )?;
        world.demand(
            demanded.xfrm & !OFFERED_XFRM == 0,
            libc::EINVAL,
            "INIT: SIGSTRUCT demands no XFRM that the machine lacks",
        )?;
        world.mood(moods::Moment::Initialise)?;
        let Stage::Building(mut bare) = std::mem::take(&mut state.stage) else {
            return Err(errno(libc::EINVAL));
        };
        match bare.init(&sigstruct) {
            Ok(()) => {
                let bare: Arc<Bare> = Arc::from(bare);
                bare.hand_over();
                vdso::remember(secs.base, secs.size, &bare, &self.world);
                state.stage = Stage::Running(bare);
                Ok(())
            }
            Err(error) => {
                state.stage = Stage::Building(bare);
                world.note(format!("INIT: {error}"));
                let code = matches!(
                    error,
                    BackendError::Refused {
                        reason: Refusal::Code { .. },
                        ..
                    }
                );
                Err(errno(if code { libc::EPERM } else { libc::EIO }))
            }
        }
    }

    /// The driver's common rules for ranges.
    pub(super) fn range(
        &self,
        state: &State,
        request: &str,
        offset: u64,
        length: u64,
    ) -> io::Result<()> {
        let size = state.secs.map_or(0, |secs| secs.size);
        let end = offset.checked_add(length);
        let rules = [
            (offset.is_multiple_of(4096), "offset is a page's"),
            (length > 0, "length is not zero"),
            (length.is_multiple_of(4096), "length is whole pages"),
            (end.is_some(), "the range does not wrap around"),
            (
                end.is_some_and(|end| end <= size),
                "the range lies in the enclave",
            ),
        ];
        rules.into_iter().try_for_each(|(holds, rule)| {
            self.world
                .demand(holds, libc::EINVAL, &format!("{request}: {rule}"))
        })
    }
}
