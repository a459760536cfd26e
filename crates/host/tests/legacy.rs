//! The imports of 2020 over a byte array as the guest's memory: what they do, and what
//! each kind of bad input comes to.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use common::{Guest, INPUT, MEMORY, OUT, code, memory_store};
use wasm_storage_abi::legacy::{Form, IMPORTS};
use wasm_storage_abi::{Kind, limits};
use wasm_storage_engine::SessionOptions;
use wasm_storage_host::{
    Grants, GuestEnd, GuestFailure, Invocation, InvocationOptions, Trap, legacy,
};

const KEY: &[u8; 32] = b"a-key-of-32-bytes-0123456789abcd";
const OTHER: &[u8; 32] = b"another-of-32-bytes-456789abcdef";
/// Where the key is in the guest's memory.
const AT: u32 = INPUT;
const END: u32 = 4096;

/// What a guest of 2020 calls.
trait Calls {
    fn begin_store(&mut self, key: &[u8; 32]);
    fn begin_load(&mut self, key: &[u8; 32]) -> Result<(), Trap>;
    fn store_i32(&mut self, value: i32) -> Result<(), Trap>;
    fn load_i32(&mut self) -> Result<i32, Trap>;
    fn end_store(&mut self);
    /// All i32 that are left.
    fn rest(&mut self) -> Vec<i32>;
    /// The stored bytes.
    fn stored(&mut self, key: &[u8]) -> Option<Vec<u8>>;
}

impl Calls for Guest {
    fn begin_store(&mut self, key: &[u8; 32]) {
        self.at(AT, key);
        legacy::begin_store(&mut self.call, &mut self.memory[..], "beginStoreTx", AT).unwrap();
    }

    fn begin_load(&mut self, key: &[u8; 32]) -> Result<(), Trap> {
        self.at(AT, key);
        legacy::begin_load(&mut self.call, &mut self.memory[..], "beginLoadTx", AT)
    }

    fn store_i32(&mut self, value: i32) -> Result<(), Trap> {
        legacy::store_i32(&mut self.call, &mut self.memory[..], "storeI32", value)
    }

    fn load_i32(&mut self) -> Result<i32, Trap> {
        legacy::load_i32(&mut self.call, &mut self.memory[..], "loadI32")
    }

    fn end_store(&mut self) {
        legacy::end_store(&mut self.call, &mut self.memory[..], "endStoreTx").unwrap();
    }

    fn rest(&mut self) -> Vec<i32> {
        std::iter::from_fn(|| self.load_i32().ok()).collect()
    }

    fn stored(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        self.value(&[&[0, 2], key].concat())
    }
}

fn has(trap: &Trap, parts: &[&str]) {
    let text = trap.to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[test]
fn numbers_are_stored_little_endian_without_anything_else_in_a_key_space_of_their_own() {
    let mut guest = Guest::new();
    guest.begin_store(KEY);
    guest.store_i32(-2).unwrap();
    let memory = &mut guest.memory[..];
    legacy::store_i64(&mut guest.call, memory, "storeI64", i64::MIN + 1).unwrap();
    assert_eq!(guest.stored(KEY), None, "not before endStoreTx");
    guest.end_store();
    let bytes = [&(-2_i32).to_le_bytes()[..], &(i64::MIN + 1).to_le_bytes()].concat();
    assert_eq!(guest.stored(KEY), Some(bytes));
    assert_eq!(guest.value(KEY), None);

    guest.begin_load(KEY).unwrap();
    assert_eq!(guest.load_i32().unwrap(), -2);
    let memory = &mut guest.memory[..];
    let loaded = legacy::load_i64(&mut guest.call, memory, "loadI64").unwrap();
    assert_eq!(loaded, i64::MIN + 1);
    // An i64 is two i32, and the other way round.
    guest.begin_load(KEY).unwrap();
    assert_eq!(guest.rest(), [-2, 1, i32::MIN]);
}

#[test]
fn loading_and_storing_share_one_record_as_in_2020() {
    let mut guest = Guest::new();
    guest.begin_store(KEY);
    guest.store_i32(1).unwrap();
    guest.end_store();
    // The bytes stay after endStoreTx: stored again, they are longer.
    guest.store_i32(2).unwrap();
    guest.end_store();
    guest.begin_load(KEY).unwrap();
    assert_eq!(guest.rest(), [1, 2]);
    // endLoadTx goes back to the first byte and keeps them.
    legacy::end_load(&mut guest.call, &mut guest.memory[..], "endLoadTx").unwrap();
    assert_eq!(guest.rest(), [1, 2]);
    // What is stored after beginLoadTx comes behind what was loaded.
    guest.begin_load(KEY).unwrap();
    guest.store_i32(3).unwrap();
    guest.end_store();
    guest.begin_load(KEY).unwrap();
    assert_eq!(guest.rest(), [1, 2, 3]);
    // beginStoreTx forgets the bytes and not how far they were read.
    guest.begin_store(OTHER);
    for number in 4..8 {
        guest.store_i32(number).unwrap();
    }
    assert_eq!(guest.rest(), [7]);
    guest.end_store();
    guest.begin_load(OTHER).unwrap();
    assert_eq!(guest.rest(), [4, 5, 6, 7]);
    assert_eq!(guest.stored(KEY).unwrap().len(), 12);
}

#[test]
fn before_any_begin_the_key_is_empty() {
    let mut guest = Guest::new();
    guest.store_i32(7).unwrap();
    guest.end_store();
    assert_eq!(guest.stored(b""), Some(7_i32.to_le_bytes().to_vec()));
}

#[test]
fn an_empty_record_is_stored_as_an_empty_value_and_replaces_what_was_there() {
    let mut guest = Guest::new();
    guest.begin_store(KEY);
    guest.store_i32(7).unwrap();
    guest.end_store();
    guest.begin_store(KEY);
    guest.end_store();
    assert_eq!(guest.stored(KEY), Some(vec![]));
    guest.begin_load(KEY).unwrap();
    has(&guest.load_i32().unwrap_err(), &["loadI32", "0 bytes"]);
}

#[test]
fn a_uuid_is_32_hex_digits_of_version_4_a_nul_and_no_byte_more() {
    let mut guest = Guest::new();
    let mut seen = Vec::new();
    for _ in 0..100 {
        guest.at(OUT, &[0xaa; 40]);
        let memory = &mut guest.memory[..];
        legacy::create_uuid(&mut guest.call, memory, "createUUID", OUT).unwrap();
        let bytes = guest.bytes(OUT, 34);
        assert_eq!(bytes[32..], [0, 0xaa]);
        let key = &bytes[..32];
        assert!(
            key.iter()
                .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')),
            "{key:?}"
        );
        assert_eq!(key[12], b'4');
        assert!(b"89ab".contains(&key[16]));
        seen.push(key.to_vec());
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 100);
    // Every digit that is not fixed takes many values.
    for place in (0..32).filter(|place| *place != 12) {
        let mut digits: Vec<u8> = seen.iter().map(|key| key[place]).collect();
        digits.sort_unstable();
        digits.dedup();
        assert!(digits.len() >= 4, "{place}: {digits:?}");
    }
}

#[test]
fn number_keys_are_stored_as_their_unsigned_decimal_text() {
    let mut guest = Guest::new();
    for (number, text) in [(0, "0"), (7, "7"), (u32::MAX, "4294967295")] {
        let memory = &mut guest.memory[..];
        legacy::begin_store_number(&mut guest.call, memory, "beginStoreTx", number).unwrap();
        guest.store_i32(1).unwrap();
        guest.end_store();
        assert!(guest.stored(text.as_bytes()).is_some(), "{text}");
        let memory = &mut guest.memory[..];
        legacy::begin_load_number(&mut guest.call, memory, "beginLoadTx", number).unwrap();
        assert_eq!(guest.rest(), [1]);
    }
    let memory = &mut guest.memory[..];
    let trap = legacy::begin_load_number(&mut guest.call, memory, "beginLoadTx", 8).unwrap_err();
    has(&trap, &["beginLoadTx: nothing is stored under key \"8\""]);
}

#[test]
fn drawn_numbers_differ() {
    let mut guest = Guest::new();
    let mut draw = || {
        let memory = &mut guest.memory[..];
        legacy::create_number(&mut guest.call, memory, "createUUID").unwrap()
    };
    let mut numbers: Vec<i32> = (0..50).map(|_| draw()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    // Two of 50 are alike once in three million runs.
    assert_eq!(numbers.len(), 50);
}

#[test]
fn a_missing_key_traps_that_call_and_the_next_one_is_fine() {
    let store = memory_store();
    let mut guest = Guest::over(&store, MEMORY);
    guest.begin_store(KEY);
    guest.store_i32(1).unwrap();
    guest.end_store();
    let trap = guest.begin_load(OTHER).unwrap_err();
    has(
        &trap,
        &["beginLoadTx: nothing is stored under key", "another-of-32"],
    );
    let failed = guest.end(GuestEnd::Trapped(trap.to_string())).unwrap_err();
    assert!(matches!(failed, GuestFailure::Trapped(_)), "{failed}");

    let mut guest = Guest::over(&store, MEMORY);
    assert_eq!(
        guest.stored(KEY),
        None,
        "a trap undoes what endStoreTx stored"
    );
    guest.begin_store(KEY);
    guest.store_i32(2).unwrap();
    guest.end_store();
    guest.end(GuestEnd::Returned).unwrap();
    let mut guest = Guest::over(&store, MEMORY);
    guest.begin_load(KEY).unwrap();
    assert_eq!(guest.rest(), [2]);
}

#[test]
fn a_value_that_is_too_short_traps_at_the_number_that_is_not_all_there() {
    let mut guest = Guest::new();
    let raw = [&[0, 2], &KEY[..]].concat();
    guest.put(0, &raw, &[1, 0, 0, 0, 9, 9, 9]);
    guest.begin_load(KEY).unwrap();
    let memory = &mut guest.memory[..];
    let trap = legacy::load_i64(&mut guest.call, memory, "loadI64").unwrap_err();
    has(&trap, &["loadI64", "7 bytes", "bytes 0 to 8", "a-key-of"]);
    // A count of one, and then not one whole number.
    assert_eq!(guest.load_i32().unwrap(), 1);
    has(&guest.load_i32().unwrap_err(), &["loadI32", "bytes 4 to 8"]);
    has(&guest.load_i32().unwrap_err(), &["bytes 4 to 8"]);
}

#[test]
fn a_key_must_be_within_the_memory_with_all_its_bytes() {
    type Pointed = fn(&mut Guest, u32) -> Result<(), Trap>;
    let calls: [(Pointed, u32); 3] = [
        (
            |g, p| legacy::create_uuid(&mut g.call, &mut g.memory[..], "createUUID", p),
            33,
        ),
        (
            |g, p| legacy::begin_store(&mut g.call, &mut g.memory[..], "beginStoreTx", p),
            32,
        ),
        (
            |g, p| legacy::begin_load(&mut g.call, &mut g.memory[..], "beginLoadTx", p),
            32,
        ),
    ];
    for (call, bytes) in calls {
        let mut guest = Guest::new();
        guest.put(0, &[&[0, 2][..], &[0xaa; 32]].concat(), b"there");
        guest.memory.fill(0xaa);
        call(&mut guest, END - bytes).unwrap();
        for pointer in [END - bytes + 1, END - 1, END, u32::MAX, u32::MAX - 31] {
            guest.memory.fill(0xaa);
            let trap = call(&mut guest, pointer).unwrap_err();
            assert!(
                matches!(trap, Trap::OutOfBounds { length, .. } if length == bytes),
                "{trap}"
            );
            assert!(guest.memory.iter().all(|byte| *byte == 0xaa));
        }
    }
}

/// 16 MiB are 4,194,304 i32: the 4,194,305th is refused, at that call.
#[test]
fn a_record_grows_to_16_mib_and_not_one_number_more() {
    let most = i32::try_from(limits::VALUE_BYTES / 4).unwrap();
    let store = memory_store();
    let mut guest = Guest::over(&store, MEMORY);
    guest.begin_store(KEY);
    for number in 0..most {
        guest.store_i32(number).unwrap();
    }
    for _ in 0..2 {
        let trap = guest.store_i32(0).unwrap_err();
        has(&trap, &["storeI32: a value of 16777220 bytes", "16777216"]);
    }
    let memory = &mut guest.memory[..];
    let trap = legacy::store_i64(&mut guest.call, memory, "storeI64", 0).unwrap_err();
    has(&trap, &["storeI64: a value of 16777224 bytes"]);
    guest.end_store();
    guest.end(GuestEnd::Returned).unwrap();

    // What is loaded counts, too.
    let mut guest = Guest::over(&store, MEMORY);
    guest.begin_load(KEY).unwrap();
    assert!(guest.store_i32(0).is_err());
    for number in 0..most {
        assert_eq!(guest.load_i32().unwrap(), number);
    }
    assert!(guest.load_i32().is_err());
}

#[test]
fn a_write_set_that_is_full_traps_with_its_limit() {
    let mut guest = Guest::new();
    let mut store = |n: u8| {
        guest.call.begin_store("beginStoreTx", &[n; 32]).unwrap();
        while guest.call.append("storeI32", [n; 1 << 16]).is_ok() {}
        guest.call.end_store("endStoreTx")
    };
    for n in 0..3 {
        store(n).unwrap();
    }
    has(&store(3).unwrap_err(), &["endStoreTx: ", "67108864"]);
}

#[test]
fn a_read_only_call_loads_and_its_end_store_traps() {
    let store = memory_store();
    let mut guest = Guest::over(&store, MEMORY);
    guest.begin_store(KEY);
    guest.store_i32(5).unwrap();
    guest.end_store();
    guest.end(GuestEnd::Returned).unwrap();

    let mut guest = Guest::over(&store, MEMORY);
    let options = InvocationOptions {
        namespace: store.default_namespace().unwrap(),
        grants: Grants::default(),
        input: b"".as_slice().into(),
        parts: false,
    };
    guest.call = Invocation::new(store.begin(SessionOptions::read_only()), options).unwrap();
    guest.begin_load(KEY).unwrap();
    assert_eq!(guest.rest(), [5]);
    let memory = &mut guest.memory[..];
    let trap = legacy::end_store(&mut guest.call, memory, "endStoreTx").unwrap_err();
    has(&trap, &["endStoreTx"]);
}

#[test]
fn they_drop_a_parked_result_and_trap_after_finish() {
    let mut guest = Guest::new();
    guest.put(0, b"long", &[7; 100]);
    assert_eq!(guest.get(0, b"long", 4), 100);
    guest.begin_store(KEY);
    assert_eq!(guest.fetch(100), code(Kind::InvalidArgument));
    guest.call.finish(0, b"").unwrap();
    has(
        &guest.store_i32(1).unwrap_err(),
        &["storeI32: called after finish"],
    );
    assert!(guest.begin_load(KEY).is_err());
}

#[test]
fn every_row_of_the_table_of_2020_has_a_function_here() {
    macro_rules! count {
        ($($(#[$doc:meta])* $form:ident $suffix:literal $function:ident($($arg:ident: $t:tt),*) -> $r:tt;)*) => {{
            $(let _ = legacy::$function::<[u8]>;)*
            [$(Form::$form),*].len()
        }};
    }
    assert_eq!(
        wasm_storage_abi::for_each_legacy_import!(count),
        IMPORTS.len()
    );
}
