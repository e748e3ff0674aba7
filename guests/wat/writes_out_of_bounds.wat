;; Writes past the end of the memory.
(module
  (memory (export "memory") 1)
  (func $inner 
    (i64.store (i32.const 65536) (i64.const -1)))
  ;; Through a table, so that the compiler does not merge the two functions.
  (table $calls funcref (elem $inner))
  (func $outer (export "_start") (call_indirect $calls (i32.const 0))))
