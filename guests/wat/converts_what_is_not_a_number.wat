;; Converts a NaN to an integer without saturation.
(module
  (memory (export "memory") 1)
  (func $inner 
    (drop (i32.trunc_f32_u (f32.div (f32.load (i32.const 0)) (f32.load (i32.const 0))))))
  (func $outer (call $inner))
  (func (export "_start") (call $outer)))
