;; Writes past the end of the memory.
(module
  (memory (export "memory") 1)
  (func $inner 
    (i64.store (i32.const 65536) (i64.const -1)))
  (func $outer (call $inner))
  (func (export "_start") (call $outer)))
