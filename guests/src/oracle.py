# Runs a module on this process's streams: argv is its file, then host and guest folder of each mount, then "--env" and
# each NAME=VALUE, then "--" and the arguments, of which the first is the program's name. Compiled code is kept.
import sys
from wasmtime import Config, Engine, ExitTrap, Linker, Module, Store, WasiConfig

module, *given = sys.argv[1:]
env, end = given.index("--env"), given.index("--")
config = Config()
config.cache = True
engine = Engine(config)
linker = Linker(engine)
linker.define_wasi()
store = Store(engine)
wasi = WasiConfig()
for host, guest in zip(given[0:env:2], given[1:env:2]):
    wasi.preopen_dir(host, guest)
wasi.env = [variable.split("=", 1) for variable in given[env + 1 : end]]
wasi.argv = given[end + 1 :]
wasi.inherit_stdin()
wasi.inherit_stdout()
wasi.inherit_stderr()
store.set_wasi(wasi)
instance = linker.instantiate(store, Module.from_file(engine, module))
try:
    instance.exports(store)["_start"](store)
except ExitTrap as ended:
    sys.exit(ended.code)
