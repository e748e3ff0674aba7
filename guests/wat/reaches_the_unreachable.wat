;; Executes `unreachable`.
(module
  (memory (export "memory") 1)
  (func $inner 
    unreachable)
  ;; Through a table, so that the compiler does not merge the two functions.
  (table $calls funcref (elem $inner))
  (func $outer (export "_start") (call_indirect $calls (i32.const 0))))
