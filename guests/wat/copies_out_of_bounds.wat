;; Copies a stretch of memory that ends past the end.
(module
  (memory (export "memory") 1)
  (func $inner 
    (memory.copy (i32.const 65000) (i32.const 0) (i32.const 1000)))
  ;; Through a table, so that the compiler does not merge the two functions.
  (table $calls funcref (elem $inner))
  (func $outer (export "_start") (call_indirect $calls (i32.const 0))))
