;; Copies more from a data segment than there is.
(module
  (memory (export "memory") 1)
  (data $bytes "four")
  (func $inner 
    (memory.init $bytes (i32.const 0) (i32.const 0) (i32.const 5)))
  (func $outer (call $inner))
  (func (export "_start") (call $outer)))
