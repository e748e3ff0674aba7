;; Converts 2^63 to a 32-bit integer without saturation.
(module
  (memory (export "memory") 1)
  (func $inner 
    (drop (i32.trunc_f64_s (f64.convert_i64_u (i64.or (i64.load (i32.const 0)) (i64.const 0x8000000000000000))))))
  ;; Through a table, so that the compiler does not merge the two functions.
  (table $calls funcref (elem $inner))
  (func $outer (export "_start") (call_indirect $calls (i32.const 0))))
