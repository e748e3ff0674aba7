;; Copies a stretch of memory that ends past the end.
(module
  (memory (export "memory") 1)
  (func $inner 
    (memory.copy (i32.const 65000) (i32.const 0) (i32.const 1000)))
  (func $outer (call $inner))
  (func (export "_start") (call $outer)))
