;; Looks for a byte that is not zero in memory that it has grown; exits with 1 if there is one. Memory that another
;; guest
;; used must never show.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (local $address i32)
    (drop (memory.grow (i32.const 255)))
    (local.set $address (i32.const 8))
    (loop $next
      (if (i64.ne (i64.load (local.get $address)) (i64.const 0)) (then (call $exit (i32.const 1))))
      (i64.store (local.get $address) (i64.const -1))
      (local.set $address (i32.add (local.get $address) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $address) (i32.const 0x1000000))))
    (call $exit (i32.const 0))))
