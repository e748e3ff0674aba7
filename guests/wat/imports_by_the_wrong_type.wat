;; Imports a WASI function by a type that it does not have.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i64)))
  (memory (export "memory") 1)
  (func (export "_start") (call $exit (i64.const 0))))
