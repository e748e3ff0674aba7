;; Reads one byte past a memory of one page.
(module
  (memory (export "memory") 1)
  (func $inner 
    (drop (i32.load8_u (i32.const 65536))))
  (func $outer (call $inner))
  (func (export "_start") (call $outer)))
