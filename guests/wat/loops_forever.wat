;; Never ends, never calls anything.
(module
  (memory (export "memory") 1)
  (func $spin (loop $again (br $again)))
  (func (export "_start") (call $spin)))
