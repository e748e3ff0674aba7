;; Copies much memory again and again: time is up in the middle of the runtime's own code.
(module
  (memory (export "memory") 1024)
  (func (export "_start")
    (loop $again
      (memory.copy (i32.const 0) (i32.const 0x2000000) (i32.const 0x1ffffff))
      (br $again))))
