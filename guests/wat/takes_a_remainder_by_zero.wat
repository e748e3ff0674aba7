;; Takes a remainder by zero, in 64 bits and without sign.
(module
  (memory (export "memory") 1)
  (func $inner 
    (drop (i64.rem_u (i64.const 1) (i64.load (i32.const 0)))))
  (func $outer (call $inner))
  (func (export "_start") (call $outer)))
