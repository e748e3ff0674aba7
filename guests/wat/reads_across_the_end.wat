;; Reads eight bytes of which the last lies past the end.
(module
  (memory (export "memory") 1)
  (func $inner 
    (drop (i64.load (i32.const 65529))))
  ;; Through a table, so that the compiler does not merge the two functions.
  (table $calls funcref (elem $inner))
  (func $outer (export "_start") (call_indirect $calls (i32.const 0))))
