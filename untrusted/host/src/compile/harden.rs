//! Rewrites Wasm so that no indirect call goes through a null function.
//!
//! The engine's compiler reads the callee's type through the table's entry, and expects that to fault if the entry is
//! null. Around address 0 an enclave cannot expect anything: the host may map a page there, and answer with a type that
//! fits and code of its choice. So every indirect call gets a check that asks nobody:
//!
//! ```text
//!                              local.tee $index
//!                              table.get $table
//!                              ref.is_null
//!                              if
//!                                call $null_call      ;; imported from the enclave; traps
//!                                unreachable
//!                              end
//!                              local.get $index
//!   call_indirect $table  ──►  call_indirect $table
//! ```
//!
//! `$index` is one new local of each function that needs it, behind its own. `$null_call` is imported behind the module's
//! own functions, so the functions it defines move up by one; everything that names functions is rewritten. A function
//! of the module's own would not do: its trap would be any `unreachable`.
//!
//! A module without indirect calls stays as it is, to the byte.

use std::borrow::Cow;

use twine_abi::profile::{NULL_CALL_MODULE, NULL_CALL_NAME};
use wasm_encoder::reencode::{self, Reencode, utils};
use wasm_encoder::{
    BlockType, CodeSection, EntityType, Function, ImportSection, Instruction, Module, SectionId,
    TypeSection, ValType,
};
use wasmparser::{
    CustomSectionReader, FunctionBody, ImportSectionReader, KnownCustom, Operator, Parser, Payload,
    TypeRef, TypeSectionReader, Validator, WasmFeatures,
};

/// Returns `wasm` with a check before each indirect call.
///
/// # Errors
/// If `wasm` is not valid with these features; offsets in the message are the caller's.
pub(super) fn harden(wasm: &[u8], features: WasmFeatures) -> Result<Cow<'_, [u8]>, String> {
    let told = |error: wasmparser::Error| error.to_string();
    Validator::new_with_features(features)
        .validate_all(wasm)
        .map_err(told)?;
    let survey = Survey::of(wasm).map_err(told)?;
    if !survey.has_indirect_calls {
        return Ok(Cow::Borrowed(wasm));
    }
    let mut hardened = Module::new();
    Hardener::new(&survey)
        .parse_core_module(&mut hardened, Parser::new(0), wasm)
        .map_err(|error| error.to_string())?;
    Ok(Cow::Owned(hardened.finish()))
}

/// What has to be known of a module before its first section is written.
#[derive(Default)]
struct Survey {
    /// How many parameters each type has.
    types: Vec<usize>,
    /// How many functions are imported.
    imported: u32,
    /// How many parameters each function has that the module defines.
    defined: Vec<usize>,
    has_indirect_calls: bool,
}

impl Survey {
    fn of(wasm: &[u8]) -> wasmparser::Result<Self> {
        let mut survey = Self::default();
        for payload in Parser::new(0).parse_all(wasm) {
            survey.see(payload?)?;
        }
        Ok(survey)
    }

    fn see(&mut self, payload: Payload<'_>) -> wasmparser::Result<()> {
        match payload {
            Payload::TypeSection(types) => {
                for ty in types.into_iter_err_on_gc_types() {
                    self.types.push(ty?.params().len());
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let is_function =
                        matches!(import?.ty, TypeRef::Func(_) | TypeRef::FuncExact(_));
                    self.imported += u32::from(is_function);
                }
            }
            Payload::FunctionSection(functions) => {
                for ty in functions {
                    let parameters = usize::try_from(ty?)
                        .ok()
                        .and_then(|ty| self.types.get(ty).copied());
                    self.defined.extend(parameters);
                }
            }
            Payload::CodeSectionEntry(body) if !self.has_indirect_calls => {
                self.has_indirect_calls = has_indirect_calls(&body)?;
            }
            _ => (),
        }
        Ok(())
    }
}

fn has_indirect_calls(body: &FunctionBody<'_>) -> wasmparser::Result<bool> {
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        if called_table(&operators.read()?).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The table that an indirect call goes through.
const fn called_table(operator: &Operator<'_>) -> Option<u32> {
    match operator {
        Operator::CallIndirect { table_index, .. }
        | Operator::ReturnCallIndirect { table_index, .. } => Some(*table_index),
        _ => None,
    }
}

/// Copies a module, section by section, and puts the checks in.
struct Hardener<'a> {
    imported: u32,
    null_call_type: u32,
    /// Parameters of the functions whose bodies are still to come.
    parameters: std::slice::Iter<'a, usize>,
}

impl<'a> Hardener<'a> {
    fn new(survey: &'a Survey) -> Self {
        Self {
            imported: survey.imported,
            null_call_type: 0,
            parameters: survey.defined.iter(),
        }
    }

    /// The index of `$null_call`, which is the first behind the imported functions.
    const fn null_call(&self) -> u32 {
        self.imported
    }

    fn import_null_call(&self, imports: &mut ImportSection) {
        let ty = EntityType::Function(self.null_call_type);
        imports.import(NULL_CALL_MODULE, NULL_CALL_NAME, ty);
    }

    /// Writes the check of the entry whose index is on the stack.
    fn check(&self, function: &mut Function, table: u32, index: u32) {
        for instruction in [
            Instruction::LocalTee(index),
            Instruction::TableGet(table),
            Instruction::RefIsNull,
            Instruction::If(BlockType::Empty),
            Instruction::Call(self.null_call()),
            Instruction::Unreachable,
            Instruction::End,
            Instruction::LocalGet(index),
        ] {
            function.instruction(&instruction);
        }
    }
}

type Outcome<T = ()> = Result<T, reencode::Error>;

impl Reencode for Hardener<'_> {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, function: u32) -> Outcome<u32> {
        Ok(function + u32::from(function >= self.imported))
    }

    fn parse_type_section(
        &mut self,
        types: &mut TypeSection,
        section: TypeSectionReader<'_>,
    ) -> Outcome {
        utils::parse_type_section(self, types, section)?;
        self.null_call_type = types.len();
        types.ty().function([], []);
        Ok(())
    }

    fn parse_import_section(
        &mut self,
        imports: &mut ImportSection,
        section: ImportSectionReader<'_>,
    ) -> Outcome {
        utils::parse_import_section(self, imports, section)?;
        self.import_null_call(imports);
        Ok(())
    }

    // An indirect call needs a type, so there is a type section; imports come next.
    fn intersperse_section_hook(
        &mut self,
        module: &mut Module,
        after: Option<SectionId>,
        before: Option<SectionId>,
    ) -> Outcome {
        if after == Some(SectionId::Type) && before != Some(SectionId::Import) {
            let mut imports = ImportSection::new();
            self.import_null_call(&mut imports);
            module.section(&imports);
        }
        Ok(())
    }

    fn parse_function_body(&mut self, code: &mut CodeSection, body: FunctionBody<'_>) -> Outcome {
        let parameters = self.parameters.next().copied().unwrap_or_default();
        if !has_indirect_calls(&body)? {
            return utils::parse_function_body(self, code, body);
        }
        let mut locals = Vec::new();
        let mut index = u32::try_from(parameters).unwrap_or(u32::MAX);
        for group in body.get_locals_reader()? {
            let (count, ty) = group?;
            index = index.saturating_add(count);
            locals.push((count, self.val_type(ty)?));
        }
        locals.push((1, ValType::I32));
        let mut function = Function::new(locals);
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let operator = operators.read()?;
            if let Some(table) = called_table(&operator) {
                self.check(&mut function, table, index);
            }
            function.instruction(&self.instruction(operator)?);
        }
        code.function(&function);
        Ok(())
    }

    fn parse_custom_section(
        &mut self,
        module: &mut Module,
        section: CustomSectionReader<'_>,
    ) -> Outcome {
        if let KnownCustom::Name(names) = section.as_known() {
            // Names that cannot be read are nobody's names: the specification has them ignored.
            if let Ok(names) = self.custom_name_section(names) {
                module.section(&names);
            }
            return Ok(());
        }
        utils::parse_custom_section(self, module, section)
    }
}

#[cfg(test)]
mod tests;
