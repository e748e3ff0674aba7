;; Takes a remainder by zero, in 64 bits and without sign.
(module
  (memory (export "memory") 1)
  (func $inner 
    (drop (i64.rem_u (i64.const 1) (i64.load (i32.const 0)))))
  ;; Through a table, so that the compiler does not merge the two functions.
  (table $calls funcref (elem $inner))
  (func $outer (export "_start") (call_indirect $calls (i32.const 0))))
