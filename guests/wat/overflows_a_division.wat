;; Divides the lowest integer by -1: the quotient does not fit.
(module
  (memory (export "memory") 1)
  (func $inner 
    (drop (i32.div_s (i32.const 0x80000000) (i32.sub (i32.load (i32.const 0)) (i32.const 1)))))
  ;; Through a table, so that the compiler does not merge the two functions.
  (table $calls funcref (elem $inner))
  (func $outer (export "_start") (call_indirect $calls (i32.const 0))))
