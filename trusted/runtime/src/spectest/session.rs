//! Executes a script's commands.
//!
//! Instances live in a store, and a store gives nothing back before its own end. Each linear memory reserves more than
//! 4 GiB of the enclave's 60, so a store is replaced as soon as nothing in it can be referred to any more: when a module
//! comes and no instance before it has a name.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use wasmtime::{Engine, Error, Extern, Instance, Linker, Module, Store, Trap, Val};

use super::script::{Action, Expected, Step, Value};
use super::{imports, values};
use crate::engine;
use crate::identity::VerifiedModule;

/// What is wrong with a command's result.
type Wrong = String;

/// A script being executed.
pub(super) struct Session<'a> {
    engine: &'a Engine,
    script: &'a VerifiedModule<'a>,
    world: World,
    definitions: BTreeMap<Option<String>, Module>,
}

/// Instances that can refer to each other.
struct World {
    store: Store<()>,
    linker: Linker<()>,
    named: BTreeMap<String, Instance>,
    latest: Option<Instance>,
    /// Whether a later module can refer to an instance.
    lasting: bool,
}

impl World {
    fn new(engine: &Engine) -> wasmtime::Result<Self> {
        let mut store = Store::new(engine, ());
        let mut linker = Linker::new(engine);
        linker.allow_shadowing(true);
        imports::define(&mut linker, &mut store)?;
        Ok(Self {
            store,
            linker,
            named: BTreeMap::new(),
            latest: None,
            lasting: false,
        })
    }

    fn instantiate(&mut self, module: &Module) -> wasmtime::Result<Instance> {
        imports::define_for(&mut self.linker, &mut self.store, module)?;
        self.linker.instantiate(&mut self.store, module)
    }

    fn instance(&self, name: Option<&str>) -> Result<Instance, Wrong> {
        let found = match name {
            Some(name) => self.named.get(name).copied(),
            None => self.latest,
        };
        found.ok_or_else(|| format!("there is no instance {name:?}"))
    }

    fn export(&mut self, instance: Option<&str>, name: &str) -> Result<Extern, Wrong> {
        let instance = self.instance(instance)?;
        let export = instance.get_export(&mut self.store, name);
        export.ok_or_else(|| format!("there is no export {name:?}"))
    }

    /// Performs an action. The outer error is the script's fault, the inner one what the action came to.
    fn perform(&mut self, action: &Action<'_>) -> Result<Result<Vec<Val>, Error>, Wrong> {
        match action {
            Action::Invoke {
                instance,
                function,
                arguments,
            } => match self.export(*instance, function)? {
                Extern::Func(function) => self
                    .call(function, arguments)
                    .map_err(|error| error.to_string()),
                _ => Err(format!("{function:?} is not a function")),
            },
            Action::Get { instance, global } => match self.export(*instance, global)? {
                Extern::Global(global) => Ok(Ok(Vec::from([global.get(&mut self.store)]))),
                _ => Err(format!("{global:?} is not a global")),
            },
        }
    }

    fn call(
        &mut self,
        function: wasmtime::Func,
        arguments: &[Value],
    ) -> wasmtime::Result<Result<Vec<Val>, Error>> {
        let arguments: Vec<Val> = arguments
            .iter()
            .map(|value| values::to_engine(&mut self.store, *value))
            .collect::<wasmtime::Result<_>>()?;
        let count = function.ty(&self.store).results().len();
        let mut results = Vec::new();
        results.resize(count, Val::I32(0));
        Ok(function
            .call(&mut self.store, &arguments, &mut results)
            .map(|()| results))
    }
}

impl<'a> Session<'a> {
    /// A session for a script whose code is part of `script`.
    pub(super) fn new(
        engine: &'a Engine,
        script: &'a VerifiedModule<'a>,
    ) -> Result<Self, crate::Error> {
        Ok(Self {
            engine,
            script,
            world: World::new(engine).map_err(|error| crate::Error::Unusable(error.to_string()))?,
            definitions: BTreeMap::new(),
        })
    }

    /// Executes one command.
    pub(super) fn execute(&mut self, step: &Step<'a>) -> Result<(), Wrong> {
        match step {
            Step::Module { name, code } => {
                let module = self.load(code)?;
                self.instantiate(*name, &module)
            }
            Step::Define { name, code } => {
                let module = self.load(code)?;
                self.definitions.insert(None, module.clone());
                self.definitions.insert(name.map(Into::into), module);
                Ok(())
            }
            Step::Instantiate { name, definition } => {
                let definition = definition.map(String::from);
                let found = self.definitions.get(&definition).cloned();
                let module =
                    found.ok_or_else(|| format!("there is no definition {definition:?}"))?;
                self.instantiate(*name, &module)
            }
            Step::Register { instance, module } => self.register(*instance, module),
            Step::Perform(action) => self.results(action).map(|_| ()),
            Step::Return { action, expected } => self.returns(action, expected),
            Step::Trap { action, reason } => match self.world.perform(action)? {
                Ok(results) => Err(format!("returned {results:?}, expected a trap: {reason}")),
                Err(error) => traps(&error, reason),
            },
            Step::ModuleTrap { code, reason } => match self.try_instantiate(code)? {
                Ok(_) => Err(format!("was instantiated, expected a trap: {reason}")),
                Err(error) => traps(&error, reason),
            },
            Step::Unlinkable { code, reason } => match self.try_instantiate(code)? {
                Ok(_) => Err(format!("was instantiated, expected a refusal: {reason}")),
                Err(error) if error.is::<Trap>() => Err(format!("trapped instead of: {reason}")),
                Err(error) => says(&error, reason),
            },
        }
    }

    fn load(&self, code: &[u8]) -> Result<Module, Wrong> {
        let code = self
            .script
            .part(code)
            .ok_or("the code is not part of the script")?;
        engine::load(self.engine, &code).map_err(|error| error.to_string())
    }

    fn instantiate(&mut self, name: Option<&str>, module: &Module) -> Result<(), Wrong> {
        if !self.world.lasting {
            self.world = World::new(self.engine).map_err(|error| error.to_string())?;
        }
        let instance = self
            .world
            .instantiate(module)
            .map_err(|error| format!("{error:#}"))?;
        self.world.latest = Some(instance);
        if let Some(name) = name {
            self.world.named.insert(name.into(), instance);
            self.world.lasting = true;
        }
        Ok(())
    }

    /// Instantiates a module that should not be: whatever comes of it, nothing refers to it.
    fn try_instantiate(&mut self, code: &[u8]) -> Result<Result<Instance, Error>, Wrong> {
        let module = self.load(code)?;
        Ok(self.world.instantiate(&module))
    }

    fn register(&mut self, instance: Option<&str>, module: &str) -> Result<(), Wrong> {
        let instance = self.world.instance(instance)?;
        let World { store, linker, .. } = &mut self.world;
        linker
            .instance(store, module, instance)
            .map_err(|error| error.to_string())?;
        self.world.lasting = true;
        Ok(())
    }

    fn results(&mut self, action: &Action<'_>) -> Result<Vec<Val>, Wrong> {
        self.world
            .perform(action)?
            .map_err(|error| format!("{error:#}"))
    }

    fn returns(&mut self, action: &Action<'_>, expected: &[Expected]) -> Result<(), Wrong> {
        let found = self.results(action)?;
        let fit = found.len() == expected.len()
            && found
                .iter()
                .zip(expected)
                .all(|(found, expected)| values::fits(&self.world.store, found, expected));
        if fit {
            return Ok(());
        }
        Err(format!("returned {found:?}, expected {expected:?}"))
    }
}

fn traps(error: &Error, reason: &str) -> Result<(), Wrong> {
    if !error.is::<Trap>() {
        return Err(format!("failed without a trap: {error:#}"));
    }
    says(error, reason)
}

fn says(error: &Error, reason: &str) -> Result<(), Wrong> {
    let said = format!("{error:#}");
    // The engine does not name the element.
    let reason = if reason.starts_with(UNINITIALIZED) {
        UNINITIALIZED
    } else {
        reason
    };
    if said.contains(reason) {
        return Ok(());
    }
    Err(format!("said {said:?}, expected {reason:?}"))
}

const UNINITIALIZED: &str = "uninitialized element";
