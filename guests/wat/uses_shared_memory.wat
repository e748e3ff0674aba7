;; Uses a proposal that the engine profile leaves out (threads).
(module
  (memory (export "memory") 1 1 shared)
  (func (export "_start") (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))))
