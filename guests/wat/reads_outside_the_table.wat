;; Reads a table's entry past its end.
(module
  (memory (export "memory") 1)
  (type $nothing (func))
  (type $number (func (result i32)))
  (table 4 funcref)
  (func $one (result i32) (i32.const 1))
  (elem (i32.const 0) $one)
  (func $inner 
    (drop (table.get 0 (i32.const 4))))
  ;; Through a table, so that the compiler does not merge the two functions.
  (table $calls funcref (elem $inner))
  (func $outer (export "_start") (call_indirect $calls (i32.const 0))))
