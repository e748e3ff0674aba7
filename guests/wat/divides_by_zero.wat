;; Divides an integer by zero.
(module
  (memory (export "memory") 1)
  (func $inner 
    (drop (i32.div_s (i32.const 1) (i32.load (i32.const 0)))))
  ;; Through a table, so that the compiler does not merge the two functions.
  (table $calls funcref (elem $inner))
  (func $outer (export "_start") (call_indirect $calls (i32.const 0))))
