;; Calls itself without end with frames that spill many values: a small guard could be jumped over.
(module
  (memory (export "memory") 1)
  (func $inner (call $wide (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5) (i64.const 6)))
  (func $wide (param i64 i64 i64 i64 i64 i64)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local.set $a (i64x2.splat (local.get 0)))
    (local.set $b (i64x2.splat (local.get 1)))
    (local.set $c (i64x2.splat (local.get 2)))
    (local.set $d (i64x2.splat (local.get 3)))
    (call $wide
      (local.get 5) (local.get 0) (local.get 1) (local.get 2) (local.get 3)
      (i64.add (local.get 4) (i64.load (i32.const 0))))
    ;; Used after the call, so that they must be kept through it.
    (v128.store (i32.const 0) (v128.xor (v128.xor (local.get $a) (local.get $b)) (v128.xor (local.get $c) (local.get $d))))
    (i64.store (i32.const 16) (i64.add (local.get 4) (local.get 5))))
  (func $outer (export "_start") (call $inner)))
