//! EAUG, RESTRICT_PERMISSIONS, MODIFY_TYPES, REMOVE_PAGES: page by page, until one is refused; what is done stays done, and the
//! caller is told how much that is.

use std::io;
use std::sync::Arc;

use twine_abi::sgx::{PageKind, Permissions};

use super::file::{Entry, File, Stage, State};
use super::{errno, moods};
use crate::backend::device::uapi::{ModifyTypes, RemovePages, RestrictPermissions};
use crate::backend::emulator::Bare;
use crate::backend::{BackendError, Refusal};

impl File {
    pub(super) fn restrict(&self, operand: &mut RestrictPermissions) -> io::Result<()> {
        let mut state = self.state();
        let bare = self.ready(&state, "RESTRICT_PERMISSIONS")?;
        self.range(
            &state,
            "RESTRICT_PERMISSIONS",
            operand.offset,
            operand.length,
        )?;
        let bits = u8::try_from(operand.permissions).map(Permissions::from_bits);
        let permissions = bits.unwrap_or(Permissions::EMPTY);
        let rules = [
            (
                bits.is_ok_and(|bits| Permissions::NAMED.contains(bits)),
                "permissions are R, W, X",
            ),
            (
                !permissions.contains(Permissions::W) || permissions.contains(Permissions::R),
                "W needs R",
            ),
            (operand.result == 0, "result is zero"),
            (operand.count == 0, "count is zero"),
        ];
        self.all("RESTRICT_PERMISSIONS", &rules)?;
        let result = &mut operand.result;
        self.each(
            &mut state,
            (operand.offset, operand.length),
            &mut operand.count,
            |state, offset| {
                let page = self.page(state, &bare, "RESTRICT_PERMISSIONS", offset)?;
                self.world.demand(
                    page.kind == PageKind::Reg,
                    libc::EINVAL,
                    "RESTRICT_PERMISSIONS: a page is REG",
                )?;
                let done = bare.restrict(offset, permissions);
                self.instruction("RESTRICT_PERMISSIONS", done, result)
            },
        )
    }

    pub(super) fn modify(&self, operand: &mut ModifyTypes) -> io::Result<()> {
        let mut state = self.state();
        let bare = self.ready(&state, "MODIFY_TYPES")?;
        self.range(&state, "MODIFY_TYPES", operand.offset, operand.length)?;
        let kind = u8::try_from(operand.page_type)
            .ok()
            .and_then(|number| PageKind::try_from(number).ok());
        let rules = [
            (operand.page_type <= 0xff, "page_type is a byte"),
            (operand.result == 0, "result is zero"),
            (operand.count == 0, "count is zero"),
            (
                matches!(kind, Some(PageKind::Tcs | PageKind::Trim)),
                "page_type is TCS or TRIM",
            ),
        ];
        self.all("MODIFY_TYPES", &rules)?;
        let kind = kind.unwrap_or(PageKind::Trim);
        let result = &mut operand.result;
        self.each(
            &mut state,
            (operand.offset, operand.length),
            &mut operand.count,
            |state, offset| {
                let page = self.page(state, &bare, "MODIFY_TYPES", offset)?;
                self.world.demand(
                    page.kind == PageKind::Reg
                        || page.kind == PageKind::Tcs && kind == PageKind::Trim,
                    libc::EINVAL,
                    "MODIFY_TYPES: REG becomes TCS or TRIM, TCS becomes TRIM",
                )?;
                self.world.demand(
                    kind == PageKind::Trim || page.most.contains(Permissions::RW),
                    libc::EPERM,
                    "MODIFY_TYPES: a page that becomes a TCS was added for R and W",
                )?;
                let done = bare.retype(offset, kind);
                self.instruction("MODIFY_TYPES", done, result)?;
                let most = match kind {
                    PageKind::Tcs => Permissions::RW,
                    _ => page.most,
                };
                state.pages.insert(offset, Entry { kind, most });
                Ok(())
            },
        )
    }

    pub(super) fn remove(&self, operand: &mut RemovePages) -> io::Result<()> {
        let mut state = self.state();
        let bare = self.ready(&state, "REMOVE_PAGES")?;
        self.range(&state, "REMOVE_PAGES", operand.offset, operand.length)?;
        self.all("REMOVE_PAGES", &[(operand.count == 0, "count is zero")])?;
        self.each(
            &mut state,
            (operand.offset, operand.length),
            &mut operand.count,
            |state, offset| {
                let page = self.page(state, &bare, "REMOVE_PAGES", offset)?;
                self.world.demand(
                    page.kind == PageKind::Trim,
                    libc::EPERM,
                    "REMOVE_PAGES: a page is TRIM",
                )?;
                self.world.demand(
                    bare.remove(offset).is_ok(),
                    libc::EPERM,
                    "REMOVE_PAGES: the enclave has accepted the removal",
                )?;
                state.pages.remove(&offset);
                Ok(())
            },
        )
    }

    /// A look at pages from outside: what is not there is added, if the enclave runs and something is mapped there.
    pub(super) fn look(&self, offset: u64, length: u64) -> io::Result<u64> {
        let state = self.state();
        self.range(&state, "EAUG", offset, length)?;
        let demand = |holds, rule| self.world.demand(holds, libc::EFAULT, rule);
        let Stage::Running(bare) = &state.stage else {
            return demand(false, "EAUG: after INIT").map(|()| 0);
        };
        let sgx2 = !*self.world.lock(&self.world.without_sgx2);
        demand(sgx2, "EAUG: the processor has SGX2")?;
        let mut done = 0;
        while done < length {
            let page = offset + done;
            demand(bare.is_mapped(page), "EAUG: where the enclave is mapped")?;
            if done > 0 && self.world.mood(moods::Moment::BetweenTouched).is_err() {
                break;
            }
            bare.augment(page).map_err(|_| errno(libc::EFAULT))?;
            done += 4096;
        }
        Ok(done)
    }

    /// The enclave, if its pages can be changed.
    fn ready(&self, state: &State, request: &str) -> io::Result<Arc<Bare>> {
        if *self.world.lock(&self.world.without_sgx2) {
            self.world
                .note(format!("{request}: the processor has SGX2"));
            return Err(errno(libc::ENODEV));
        }
        match &state.stage {
            Stage::Running(bare) => Ok(Arc::clone(bare)),
            Stage::Empty | Stage::Building(_) => {
                self.world.note(format!("{request}: after INIT"));
                Err(errno(libc::EINVAL))
            }
        }
    }

    fn all(&self, request: &str, rules: &[(bool, &str)]) -> io::Result<()> {
        rules.iter().try_for_each(|(holds, rule)| {
            self.world
                .demand(*holds, libc::EINVAL, &format!("{request}: {rule}"))
        })
    }

    /// What the driver knows of a page: what it remembers, or that it came by EAUG.
    fn page(&self, state: &State, bare: &Bare, request: &str, offset: u64) -> io::Result<Entry> {
        let dynamic = || {
            bare.page_kind(offset).map(|kind| Entry {
                kind,
                most: Permissions::RWX,
            })
        };
        let page = state.pages.get(&offset).copied().or_else(dynamic);
        page.ok_or_else(|| {
            self.world.note(format!("{request}: there is a page"));
            errno(libc::EFAULT)
        })
    }

    fn each(
        &self,
        state: &mut State,
        (offset, length): (u64, u64),
        count: &mut u64,
        mut change: impl FnMut(&mut State, u64) -> io::Result<()>,
    ) -> io::Result<()> {
        while *count < length {
            self.world.mood(moods::Moment::BetweenChanged)?;
            change(state, offset + *count)?;
            *count += 4096;
        }
        Ok(())
    }

    /// The instruction's own refusal, which the driver reports beside EFAULT.
    fn instruction(
        &self,
        request: &str,
        done: Result<(), BackendError>,
        result: &mut u64,
    ) -> io::Result<()> {
        done.map_err(|error| {
            self.world.note(format!("{request}: {error}"));
            if let BackendError::Refused {
                reason: Refusal::Code { code, .. },
                ..
            } = error
            {
                *result = code;
            }
            errno(libc::EFAULT)
        })
    }
}
