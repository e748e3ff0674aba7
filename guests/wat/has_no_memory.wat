;; Calls WASI without a memory that could hold a result.
(module
  (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (func (export "_start")
    (drop (call $yield))
    ;; Success here would be a lie.
    (if (i32.eqz (call $random (i32.const 0) (i32.const 8))) (then (call $exit (i32.const 1))))
    (call $exit (i32.const 0))))
