;; A data segment lies past the end of the memory: it cannot be instantiated.
(module
  (memory (export "memory") 1)
  (data (i32.const 65535) "two")
  (func (export "_start")))
