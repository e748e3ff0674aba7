;; Reads at the highest address that an instruction can name, almost 8 GiB from the start of the memory.
(module
  (memory (export "memory") 1)
  (func $inner 
    (drop (i32.load8_u offset=0xffffffff (i32.const -1))))
  ;; Through a table, so that the compiler does not merge the two functions.
  (table $calls funcref (elem $inner))
  (func $outer (export "_start") (call_indirect $calls (i32.const 0))))
