;; Calls a table's entry by a type that it does not have.
(module
  (memory (export "memory") 1)
  (type $nothing (func))
  (type $number (func (result i32)))
  (table 4 funcref)
  (func $one (result i32) (i32.const 1))
  (elem (i32.const 0) $one)
  (func $inner 
    (call_indirect (type $nothing) (i32.const 0)))
  ;; Through a table, so that the compiler does not merge the two functions.
  (table $calls funcref (elem $inner))
  (func $outer (export "_start") (call_indirect $calls (i32.const 0))))
