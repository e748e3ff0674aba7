;; A million tail calls, direct and through a table: they must not use up the stack. Exits with 0 at the end.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (type $count (func (param i32)))
  (table funcref (elem $odd))
  (func $even (param $left i32)
    (if (i32.eqz (local.get $left)) (then (call $exit (i32.const 0))))
    (return_call_indirect (type $count) (i32.sub (local.get $left) (i32.const 1)) (i32.const 0)))
  (func $odd (param $left i32)
    (return_call $even (i32.sub (local.get $left) (i32.const 1))))
  (func (export "_start") (call $even (i32.const 1000000))))
