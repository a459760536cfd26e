;; A guest of the raw convention of wasm-bindgen 0.2.61, by hand. Before each block is
;; its size; a block that is freed twice, or with another size, traps.
(module
    (import "wasm_storage_v1" "get" (func $get (param i32 i32 i32 i32 i32) (result i32)))
    (import "wasm_storage_v1" "put" (func $put (param i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2)
    ;; No pointer and no length: a caller has to take them away.
    (data (i32.const 8) "\ff\ff\ff\ff\ff\ff\ff\ff")
    (data (i32.const 0x100) "said")
    (data (i32.const 0x108) "freed 0")
    (data (i32.const 0x110) "hello ")
    (global $initialized (mut i32) (i32.const 0))
    (global $next (mut i32) (i32.const 0x400))
    (global $freed (mut i32) (i32.const 0))
    (global $loop_in_free (mut i32) (i32.const 0))

    (func (export "_initialize")
        (global.set $initialized (i32.add (global.get $initialized) (i32.const 1))))

    (func $malloc (export "__wbindgen_malloc") (param $size i32) (result i32)
        (local $block i32) (local $missing i32)
        (if (i32.eqz (local.get $size)) (then (return (i32.const 4))))
        (local.set $block (i32.add (global.get $next) (i32.const 4)))
        (global.set $next (i32.and
            (i32.add (i32.add (local.get $block) (local.get $size)) (i32.const 3))
            (i32.const -4)))
        (local.set $missing (i32.sub (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
        (if (i32.gt_s (local.get $missing) (i32.const 0)) (then
            (if (i32.eq (i32.const -1) (memory.grow (i32.div_u
                    (i32.add (local.get $missing) (i32.const 65535)) (i32.const 65536))))
                (then unreachable))))
        (i32.store (i32.sub (local.get $block) (i32.const 4)) (local.get $size))
        (local.get $block))

    (func $free (param $block i32) (param $size i32)
        (local $header i32)
        (if (i32.eqz (local.get $size)) (then (return)))
        (local.set $header (i32.sub (local.get $block) (i32.const 4)))
        (if (i32.ne (i32.load (local.get $header)) (local.get $size)) (then unreachable))
        (i32.store (local.get $header) (i32.const -1)))

    ;; Stores what was freed from outside.
    (func (export "__wbindgen_free") (param $block i32) (param $size i32)
        (if (global.get $loop_in_free) (then (loop $for_ever (br $for_ever))))
        (i32.store8 (i32.const 0x10e) (i32.add (i32.const 0x30) (global.get $freed)))
        (global.set $freed (i32.add (global.get $freed) (i32.const 1)))
        (if (call $put (i32.const 0) (i32.const 0x108) (i32.const 7)
                (local.get $block) (local.get $size))
            (then unreachable))
        (call $free (local.get $block) (local.get $size)))

    ;; Stores what was said, having looked whether something was.
    (func $say (param $text i32) (param $length i32)
        (drop (call $get (i32.const 0) (i32.const 0x100) (i32.const 4) (i32.const 0x200) (i32.const 64)))
        (if (call $put (i32.const 0) (i32.const 0x100) (i32.const 4)
                (local.get $text) (local.get $length))
            (then unreachable)))

    (func $return (param $to i32) (param $block i32) (param $length i32)
        (i32.store (local.get $to) (local.get $block))
        (i32.store offset=4 (local.get $to) (local.get $length)))

    ;; "hello " and the text.
    (func (export "say") (param $to i32) (param $text i32) (param $length i32)
        (local $block i32) (local $all i32)
        (if (i32.ne (global.get $initialized) (i32.const 1)) (then unreachable))
        (call $say (local.get $text) (local.get $length))
        (local.set $all (i32.add (local.get $length) (i32.const 6)))
        (local.set $block (call $malloc (local.get $all)))
        (memory.copy (local.get $block) (i32.const 0x110) (i32.const 6))
        (memory.copy (i32.add (local.get $block) (i32.const 6)) (local.get $text) (local.get $length))
        (call $free (local.get $text) (local.get $length))
        (call $return (local.get $to) (local.get $block) (local.get $all)))

    ;; The one, then the other.
    (func (export "join") (param $to i32) (param $a i32) (param $la i32) (param $b i32) (param $lb i32)
        (local $block i32) (local $all i32)
        (local.set $all (i32.add (local.get $la) (local.get $lb)))
        (local.set $block (call $malloc (local.get $all)))
        (memory.copy (local.get $block) (local.get $a) (local.get $la))
        (memory.copy (i32.add (local.get $block) (local.get $la)) (local.get $b) (local.get $lb))
        (call $free (local.get $a) (local.get $la))
        (call $free (local.get $b) (local.get $lb))
        (call $return (local.get $to) (local.get $block) (local.get $all)))

    ;; The length of what it is given, in four bytes.
    (func (export "length") (param $to i32) (param $text i32) (param $length i32)
        (local $block i32)
        (call $free (local.get $text) (local.get $length))
        (local.set $block (call $malloc (i32.const 4)))
        (i32.store (local.get $block) (local.get $length))
        (call $return (local.get $to) (local.get $block) (i32.const 4)))

    ;; Takes nothing, returns "said".
    (func (export "what") (param $to i32)
        (local $block i32)
        (local.set $block (call $malloc (i32.const 4)))
        (memory.copy (local.get $block) (i32.const 0x100) (i32.const 4))
        (call $return (local.get $to) (local.get $block) (i32.const 4)))
    (func (export "nothing") (param $to i32) (call $say (i32.const 0x110) (i32.const 5)))
    (func (export "initialized") (result i32) (global.get $initialized))
    (func (export "set") (param i32) (call $say (i32.const 0x110) (local.get 0)))

    ;; These store, and do not return as they should.
    (func (export "wild") (param $to i32) (call $say (i32.const 0x110) (i32.const 5))
        (call $return (local.get $to) (i32.const 0x1fff0) (i32.const 17)))
    (func (export "endless") (param $to i32) (call $say (i32.const 0x110) (i32.const 5))
        (call $return (local.get $to) (i32.const -1) (i32.const -1)))
    (func (export "not_a_block") (param $to i32) (call $say (i32.const 0x110) (i32.const 5))
        (call $return (local.get $to) (i32.const 0x110) (i32.const 5)))
    (func (export "already_freed") (param $to i32)
        (local $block i32)
        (call $say (i32.const 0x110) (i32.const 5))
        (local.set $block (call $malloc (i32.const 4)))
        (call $free (local.get $block) (i32.const 4))
        (call $return (local.get $to) (local.get $block) (i32.const 4)))
    (func (export "slow_to_free") (param $to i32) (call $say (i32.const 0x110) (i32.const 5))
        (global.set $loop_in_free (i32.const 1))))
