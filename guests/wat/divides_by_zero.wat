;; Divides an integer by zero.
(module
  (memory (export "memory") 1)
  (func $inner 
    (drop (i32.div_s (i32.const 1) (i32.load (i32.const 0)))))
  (func $outer (call $inner))
  (func (export "_start") (call $outer)))
