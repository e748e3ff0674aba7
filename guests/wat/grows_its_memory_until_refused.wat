;; Grows its memory page by page until that is refused, writes to the last byte, and exits with 0 if all is as it
;; should be: 1 if a refused growth changed the size, 2 if the last byte does not hold what was written.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (local $last i32)
    (loop $more
      (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
    (loop $more
      (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
    (if (i32.ne (memory.grow (i32.const 65535)) (i32.const -1)) (then (call $exit (i32.const 1))))
    (local.set $last (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1)))
    (i32.store8 (local.get $last) (i32.const 0x5a))
    (if (i32.ne (i32.load8_u (local.get $last)) (i32.const 0x5a)) (then (call $exit (i32.const 2))))
    (call $exit (i32.const 0))))
