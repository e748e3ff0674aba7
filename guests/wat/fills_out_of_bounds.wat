;; Fills a stretch of memory that ends past the end.
(module
  (memory (export "memory") 1)
  (func $inner 
    (memory.fill (i32.const 65535) (i32.const 1) (i32.const 2)))
  (func $outer (call $inner))
  (func (export "_start") (call $outer)))
