;; Has 100 MiB of memory from the start, and writes to its last byte.
(module
  (memory (export "memory") 1600)
  (func (export "_start")
    (i32.store8 (i32.const 0x63fffff) (i32.const 1))))
