;; Reads at the highest address that an instruction can name, almost 8 GiB from the start of the memory.
(module
  (memory (export "memory") 1)
  (func $inner 
    (drop (i32.load8_u offset=0xffffffff (i32.const -1))))
  (func $outer (call $inner))
  (func (export "_start") (call $outer)))
