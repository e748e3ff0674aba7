;; Calls itself without end.
(module
  (memory (export "memory") 1)
  (func $inner 
    (call $inner)
    (i32.store (i32.const 0) (i32.const 1)))
  (func $outer (call $inner))
  (func (export "_start") (call $outer)))
