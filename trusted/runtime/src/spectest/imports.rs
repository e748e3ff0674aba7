//! The module `spectest`, as the specification's test suite describes it (`test/core/README.md`).
//!
//! Functions do nothing: what they would print nobody looks at. Memory and table are made when the first module imports
//! them, since every memory reserves its whole address range.

use wasmtime::{
    Extern, Global, GlobalType, Linker, Memory, MemoryType, Module, Mutability, Ref, RefType,
    Store, Table, TableType, Val, ValType,
};

use crate::null_call;

/// The module's name.
const NAME: &str = "spectest";

/// Defines the functions and globals.
pub(super) fn define(linker: &mut Linker<()>, store: &mut Store<()>) -> wasmtime::Result<()> {
    null_call::link(linker)?;
    linker.func_wrap(NAME, "print", || ())?;
    linker.func_wrap(NAME, "print_i32", |_: i32| ())?;
    linker.func_wrap(NAME, "print_i64", |_: i64| ())?;
    linker.func_wrap(NAME, "print_f32", |_: f32| ())?;
    linker.func_wrap(NAME, "print_f64", |_: f64| ())?;
    linker.func_wrap(NAME, "print_i32_f32", |_: i32, _: f32| ())?;
    linker.func_wrap(NAME, "print_f64_f64", |_: f64, _: f64| ())?;
    for (name, ty, value) in [
        ("global_i32", ValType::I32, Val::I32(666)),
        ("global_i64", ValType::I64, Val::I64(666)),
        ("global_f32", ValType::F32, Val::F32(666.6f32.to_bits())),
        ("global_f64", ValType::F64, Val::F64(666.6f64.to_bits())),
    ] {
        let global = Global::new(&mut *store, GlobalType::new(ty, Mutability::Const), value)?;
        linker.define(&*store, NAME, name, global)?;
    }
    Ok(())
}

/// Defines the memory and the table if `module` imports them and they are not there yet.
pub(super) fn define_for(
    linker: &mut Linker<()>,
    store: &mut Store<()>,
    module: &Module,
) -> wasmtime::Result<()> {
    for import in module.imports().filter(|import| import.module() == NAME) {
        if linker.get(&mut *store, NAME, import.name()).is_ok() {
            continue;
        }
        let made: Extern = match import.name() {
            "memory" => Memory::new(&mut *store, MemoryType::new(1, Some(2)))?.into(),
            "table" => {
                let table = TableType::new(RefType::FUNCREF, 10, Some(20));
                Table::new(&mut *store, table, Ref::Func(None))?.into()
            }
            _ => continue,
        };
        linker.define(&*store, NAME, import.name(), made)?;
    }
    Ok(())
}
