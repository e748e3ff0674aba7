;; Writes sixteen bytes of which the last lies past the end.
(module
  (memory (export "memory") 1)
  (func $inner 
    (v128.store (i32.const 65521) (v128.const i64x2 -1 -1)))
  (func $outer (call $inner))
  (func (export "_start") (call $outer)))
