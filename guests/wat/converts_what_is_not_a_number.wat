;; Converts a NaN to an integer without saturation.
(module
  (memory (export "memory") 1)
  (func $inner 
    (drop (i32.trunc_f32_u (f32.div (f32.load (i32.const 0)) (f32.load (i32.const 0))))))
  ;; Through a table, so that the compiler does not merge the two functions.
  (table $calls funcref (elem $inner))
  (func $outer (export "_start") (call_indirect $calls (i32.const 0))))
