;; Copies more from a data segment than there is.
(module
  (memory (export "memory") 1)
  (data $bytes "four")
  (func $inner 
    (memory.init $bytes (i32.const 0) (i32.const 0) (i32.const 5)))
  ;; Through a table, so that the compiler does not merge the two functions.
  (table $calls funcref (elem $inner))
  (func $outer (export "_start") (call_indirect $calls (i32.const 0))))
