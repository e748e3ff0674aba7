//! Holds the guest to its document's limits on memory and tables.
//!
//! At a limit the guest is told as the WebAssembly specification foresees: growth fails, and the guest may go on. Only a
//! module that cannot even start with what it is allowed is refused, with the reason kept here.

use alloc::format;
use alloc::string::String;

use twine_launch::Limits;
use wasmtime::ResourceLimiter;

use crate::limits::{INSTANCES_MAX, MEMORIES_MAX, TABLES_MAX};

/// What the guest has left.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory: Budget,
    tables: Budget,
    refused: Option<String>,
}

/// An amount that is handed out. Nothing comes back but what could not be used: a guest keeps what it has to its end.
#[derive(Debug)]
struct Budget {
    total: u64,
    left: u64,
    last: u64,
}

impl Limiter {
    pub(crate) const fn new(limits: &Limits) -> Self {
        Self {
            memory: Budget::new(limits.memory_bytes),
            tables: Budget::new(limits.table_elements),
            refused: None,
        }
    }

    /// What was refused last, if anything.
    pub(crate) fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }
}

impl Budget {
    const fn new(total: u64) -> Self {
        Self {
            total,
            left: total,
            last: 0,
        }
    }

    /// Whether growth is granted; the error is the total, if that is what forbids it.
    fn grow(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, u64> {
        // The module's own maximum first: growth that fails anyway must not use up the budget.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.take(current, desired).map(|()| true).ok_or(self.total)
    }

    fn take(&mut self, current: usize, desired: usize) -> Option<()> {
        let more = u64::try_from(desired.checked_sub(current)?).ok()?;
        self.left = self.left.checked_sub(more)?;
        self.last = more;
        Some(())
    }

    /// Takes the last grant back, because the engine could not make use of it.
    const fn give_back(&mut self) {
        self.left += self.last;
        self.last = 0;
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let grown = self.memory.grow(current, desired, maximum);
        Ok(grown.unwrap_or_else(|total| {
            self.refused = Some(format!(
                "{desired} bytes of linear memory, {total} are allowed"
            ));
            false
        }))
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory.give_back();
        self.refused = Some(format!(
            "linear memory that the enclave does not have: {error:#}"
        ));
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let grown = self.tables.grow(current, desired, maximum);
        Ok(grown.unwrap_or_else(|total| {
            self.refused = Some(format!(
                "a table of {desired} elements, {total} are allowed in all"
            ));
            false
        }))
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.tables.give_back();
        self.refused = Some(format!(
            "a table that the enclave has no memory for: {error:#}"
        ));
        Ok(())
    }

    fn instances(&self) -> usize {
        INSTANCES_MAX
    }

    fn tables(&self) -> usize {
        TABLES_MAX
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX
    }
}
