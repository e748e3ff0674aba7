;; Reads one byte past a memory of one page.
(module
  (memory (export "memory") 1)
  (func $inner 
    (drop (i32.load8_u (i32.const 65536))))
  ;; Through a table, so that the compiler does not merge the two functions.
  (table $calls funcref (elem $inner))
  (func $outer (export "_start") (call_indirect $calls (i32.const 0))))
