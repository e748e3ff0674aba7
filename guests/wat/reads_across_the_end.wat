;; Reads eight bytes of which the last lies past the end.
(module
  (memory (export "memory") 1)
  (func $inner 
    (drop (i64.load (i32.const 65529))))
  (func $outer (call $inner))
  (func (export "_start") (call $outer)))
