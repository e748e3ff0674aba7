;; Converts 2^63 to a 32-bit integer without saturation.
(module
  (memory (export "memory") 1)
  (func $inner 
    (drop (i32.trunc_f64_s (f64.convert_i64_u (i64.or (i64.load (i32.const 0)) (i64.const 0x8000000000000000))))))
  (func $outer (call $inner))
  (func (export "_start") (call $outer)))
