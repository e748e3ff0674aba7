//! Which function of a module a place in its machine code belongs to: the compiler writes it down for the engine's
//! backtraces, and only a build with a compiler can read it.

use std::ops::Range;

use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _};

/// How much of the file's beginning tells it from others.
const HEAD_LEN: usize = 64;

/// The functions of a module.
#[derive(Clone, Debug, Default)]
pub(super) struct Symbols {
    head: Vec<u8>,
    /// Where the code lies in the file, and in memory from the same start.
    text: Range<u64>,
    /// Functions from the start of the code, in order.
    functions: Vec<(Range<u64>, String)>,
}

type Elf<'a> = ElfFile64<'a, object::Endianness>;

impl Symbols {
    /// Reads the file; where it says nothing, there are no names.
    pub(super) fn of(native: &[u8]) -> Self {
        Self::read(native).unwrap_or_default()
    }

    fn read(native: &[u8]) -> Option<Self> {
        let file = Elf::parse(native).ok()?;
        let (start, len) = file.section_by_name(".text")?.file_range()?;
        let mut functions = functions(&file).unwrap_or_default();
        functions.sort_by_key(|(range, _)| range.start);
        Some(Self {
            head: native.get(..HEAD_LEN)?.to_vec(),
            text: start..start.checked_add(len)?,
            functions,
        })
    }

    /// The beginning of the file.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Where the code lies in the file.
    pub(super) const fn text(&self) -> &Range<u64> {
        &self.text
    }

    /// The function at an offset from the start of the code; `None` for what the compiler put between functions.
    pub(super) fn name(&self, at: u64) -> Option<String> {
        let behind = self
            .functions
            .partition_point(|(range, _)| range.start <= at);
        let (range, name) = self.functions.get(behind.checked_sub(1)?)?;
        range.contains(&at).then(|| name.clone())
    }
}

/// Ranges and names, as the engine itself reads them when it loads the file.
#[cfg(feature = "compiler")]
fn functions(file: &Elf<'_>) -> Option<Vec<(Range<u64>, String)>> {
    use wasmtime_environ::obj::{ELF_NAME_DATA, ELF_WASMTIME_INFO};
    use wasmtime_environ::{CompiledFunctionsTable, CompiledModuleInfo, FuncKey};

    let section = |name| file.section_by_name(name)?.data().ok();
    let (info, table): (CompiledModuleInfo, CompiledFunctionsTable) =
        postcard::from_bytes(section(ELF_WASMTIME_INFO)?).ok()?;
    let names = section(ELF_NAME_DATA).unwrap_or_default();
    let module = &info.module;
    let found = module.defined_func_indices().filter_map(|defined| {
        let place = table.func_loc(FuncKey::DefinedWasmFunction(module.module_index, defined))?;
        let index = module.func_index(defined);
        let sorted = &info.func_names;
        let at = sorted.binary_search_by_key(&index, |name| name.idx);
        let name = at.ok().and_then(|at| {
            let name = sorted.get(at)?;
            let start = usize::try_from(name.offset).ok()?;
            let bytes = names.get(start..)?.get(..usize::try_from(name.len).ok()?)?;
            Some(String::from_utf8_lossy(bytes).into_owned())
        });
        let name = name.unwrap_or_else(|| format!("function {}", index.as_u32()));
        let start = u64::from(place.start);
        Some((start..start + u64::from(place.length), name))
    });
    Some(found.collect())
}

#[cfg(not(feature = "compiler"))]
fn functions(_: &Elf<'_>) -> Option<Vec<(Range<u64>, String)>> {
    None
}

#[cfg(all(test, feature = "compiler"))]
mod tests {
    use super::*;
    use crate::compile::Compiler;

    #[test]
    fn functions_are_found_by_their_places_under_their_names() {
        let wasm = wat::parse_str(
            r#"(module (func $one (export "a") (result i32) i32.const 1)
                       (func (export "b") (result i32) i32.const 2))"#,
        );
        let native = Compiler::new()
            .unwrap()
            .machine_code(&wasm.unwrap())
            .unwrap();
        let symbols = Symbols::of(&native);
        let names: Vec<_> = symbols.functions.iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["one", "function 1"]);
        let (first, _) = &symbols.functions[0];
        assert_eq!(symbols.name(first.start).as_deref(), Some("one"));
        assert_eq!(symbols.name(first.end - 1).as_deref(), Some("one"));
        assert_eq!(symbols.name(u64::MAX), None);
        assert_eq!(symbols.text().start % 4096, 0);
    }

    #[test]
    fn what_is_no_machine_code_has_no_functions() {
        assert_eq!(Symbols::of(b"\x7fELF").name(0), None);
    }
}
