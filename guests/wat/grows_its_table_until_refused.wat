;; Grows a table by large steps until that is refused, then calls its last entry; exits with 0 if that worked.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (type $code (func (result i32)))
  (table $entries 1 funcref)
  (func $zero (result i32) (i32.const 0))
  (elem declare func $zero)
  (func (export "_start")
    (local $step i32)
    (local.set $step (i32.const 0x10000000))
    (loop $smaller
      (loop $more
        (br_if $more
          (i32.ne (table.grow $entries (ref.func $zero) (local.get $step)) (i32.const -1))))
      (local.set $step (i32.shr_u (local.get $step) (i32.const 1)))
      (br_if $smaller (local.get $step)))
    (call $exit
      (call_indirect $entries (type $code) (i32.sub (table.size $entries) (i32.const 1))))))
