;; Writes sixteen bytes of which the last lies past the end.
(module
  (memory (export "memory") 1)
  (func $inner 
    (v128.store (i32.const 65521) (v128.const i64x2 -1 -1)))
  ;; Through a table, so that the compiler does not merge the two functions.
  (table $calls funcref (elem $inner))
  (func $outer (export "_start") (call_indirect $calls (i32.const 0))))
