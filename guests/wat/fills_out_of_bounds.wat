;; Fills a stretch of memory that ends past the end.
(module
  (memory (export "memory") 1)
  (func $inner 
    (memory.fill (i32.const 65535) (i32.const 1) (i32.const 2)))
  ;; Through a table, so that the compiler does not merge the two functions.
  (table $calls funcref (elem $inner))
  (func $outer (export "_start") (call_indirect $calls (i32.const 0))))
