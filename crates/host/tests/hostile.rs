//! A guest that passes whatever it likes: random pointers, lengths, handles, specs
//! and commands. No call may panic or write outside the ranges it was given, and
//! after a trap nothing is committed but the parts that had ended before it.
//!
//! An `increment` looks at what it is added to when it is committed. What the guest
//! would find under such a key just before that decides what must happen: if an
//! addition cannot be made, all of the commit is refused; else exactly that is stored.
//!
//! `WASM_STORAGE_HOSTILE_CALLS` sets the number of calls, `WASM_STORAGE_HOSTILE_SEED`
//! the first invocation's seed; a failure names its own.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use common::{code, grants, memory_store};
use wasm_storage_abi::{Kind, wire};
use wasm_storage_codec::record;
use wasm_storage_engine::{
    Attempt, KeyRange, NamespaceId, Order, Outcome, PageHint, SessionOptions, Store, Why,
};
use wasm_storage_host::{GuestEnd, Invocation, InvocationOptions, Trap, calls, legacy};

const GUEST: usize = 64 * 1024;
const GUARD: usize = 4096;
const PATTERN: u8 = 0xa5;
const CALLS_PER_INVOCATION: usize = 60;

/// xorshift64* (Vigna 2016, "An experimental exploration of Marsaglia's xorshift
/// generators, scrambled").
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: u32) -> u32 {
        u32::try_from((self.next() >> 32) % u64::from(n)).unwrap()
    }

    fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    fn u32(&mut self) -> u32 {
        let [a, b, c, d, ..] = self.next().to_be_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// Mostly inside the memory, at times at its end, at times anywhere.
    fn pointer(&mut self) -> u32 {
        let end = u32::try_from(GUEST).unwrap();
        match self.below(200) {
            0 => self.u32(),
            1 => end - self.below(16),
            2 => u32::MAX - self.below(16),
            3 => end,
            _ => self.below(end),
        }
    }

    fn length(&mut self) -> u32 {
        match self.below(300) {
            0 => self.u32(),
            1 | 2 => self.below(2 * u32::try_from(GUEST).unwrap()),
            3..10 => 4096 + self.below(3),
            10..60 => 0,
            60..150 => self.below(8),
            _ => self.below(256),
        }
    }

    fn handle(&mut self) -> u32 {
        match self.below(12) {
            0 => self.u32(),
            1 => 2,
            2 | 3 => 1,
            _ => 0,
        }
    }

    fn small_i32(&mut self) -> i32 {
        match self.below(8) {
            0 => i32::from_le_bytes(self.u32().to_le_bytes()),
            n => i32::try_from(n).unwrap() - 2,
        }
    }

    fn delta(&mut self) -> i64 {
        match self.below(4) {
            0 => i64::from_le_bytes(self.next().to_le_bytes()),
            1 => i64::MAX,
            2 => i64::MIN,
            _ => 1,
        }
    }

    /// Few different ones, so that they meet.
    fn key(&mut self) -> Vec<u8> {
        const ALPHABET: [u8; 5] = [0, 2, b'a', b'b', 0xff];
        let length = match self.below(50) {
            0 => 4095 + self.below(3),
            n => n % 4,
        };
        (0..length)
            .map(|_| ALPHABET[usize::try_from(self.below(5)).unwrap()])
            .collect()
    }

    fn value(&mut self) -> Vec<u8> {
        match self.below(8) {
            0 => Vec::new(),
            1 | 2 => record::i64_entry(self.delta()).to_vec(),
            3 => (0..self.below(3000)).map(|_| self.byte()).collect(),
            _ => (0..self.below(40)).map(|_| self.byte()).collect(),
        }
    }

    /// A length field that is mostly true.
    fn said_length(&mut self, bytes: &[u8]) -> [u8; 4] {
        if self.one_in(40) {
            return self.u32().to_le_bytes();
        }
        u32::try_from(bytes.len()).unwrap().to_le_bytes()
    }

    fn spec(&mut self) -> Vec<u8> {
        let flags = if self.one_in(20) {
            self.u32()
        } else {
            self.u32() & wire::scan::ALL
        };
        let limit = if self.one_in(2) { 0 } else { self.below(5) };
        let mut spec = [flags.to_le_bytes(), limit.to_le_bytes()].concat();
        for bit in [
            wire::scan::HAS_LO,
            wire::scan::HAS_HI,
            wire::scan::HAS_AFTER,
        ] {
            let key = if flags & bit == 0 && !self.one_in(20) {
                Vec::new()
            } else {
                self.key()
            };
            spec.extend(self.said_length(&key));
            spec.extend(key);
        }
        spec
    }

    fn command(&mut self) -> Vec<u8> {
        let count = self.below(8);
        let said = if self.one_in(30) { self.u32() } else { count };
        let mut command = vec![1, self.byte() & wire::exec::ALL];
        command.extend(&said.to_le_bytes()[..2]);
        if self.one_in(50) {
            command[0] = self.byte();
            command[1] = self.byte();
        }
        for _ in 0..count {
            let op = if self.one_in(20) {
                self.byte()
            } else {
                1 + self.byte() % 8
            };
            let flags = if self.one_in(3) { self.byte() % 8 } else { 0 };
            let key = if op >= wire::exec::DELETE_RANGE {
                Vec::new()
            } else {
                self.key()
            };
            let body = match op {
                wire::exec::PUT | wire::exec::REPLACE => self.value(),
                wire::exec::ADD => self.delta().to_le_bytes().to_vec(),
                wire::exec::SCAN | wire::exec::DELETE_RANGE => self.spec(),
                _ if self.one_in(4) => self.value(),
                _ => Vec::new(),
            };
            command.extend([op, flags]);
            command.extend(&self.handle().to_le_bytes()[..2]);
            command.extend(self.said_length(&key));
            command.extend(self.said_length(&body));
            command.extend(key);
            command.extend(body);
        }
        command
    }
}

/// The guest's memory between two guards.
struct Arena(Vec<u8>);

impl Arena {
    fn new() -> Self {
        Arena(vec![PATTERN; GUARD + GUEST + GUARD])
    }

    fn guest(&mut self) -> &mut [u8] {
        &mut self.0[GUARD..GUARD + GUEST]
    }

    fn check_guards(&self, what: &str) {
        let untouched = [PATTERN; GUARD];
        let (before, rest) = self.0.split_at(GUARD);
        assert!(
            before == untouched && rest[GUEST..] == untouched,
            "{what}: wrote outside the memory"
        );
    }

    /// Puts bytes where they fit; their range, mostly.
    fn place(&mut self, random: &mut Random, bytes: &[u8]) -> (u32, u32) {
        let room = u32::try_from(GUEST - bytes.len()).unwrap();
        let at = random.below(room);
        let start = usize::try_from(at).unwrap();
        self.guest()[start..start + bytes.len()].copy_from_slice(bytes);
        match random.below(30) {
            0 => (random.pointer(), random.length()),
            1 => (at, random.length()),
            _ => (at, u32::try_from(bytes.len()).unwrap()),
        }
    }
}

/// The keys of increments since the last commit, by handle, and what the guest would
/// have found there just before the next: an entry, nothing, or a status.
#[derive(Default)]
struct Increments {
    keys: BTreeSet<(u32, Vec<u8>)>,
    found: Vec<((u32, Vec<u8>), Found)>,
}

type Found = Result<Option<Vec<u8>>, i32>;

impl Increments {
    /// Looks, if the call can still be asked.
    fn look(&mut self, call: &mut Invocation) {
        let mut found = Vec::new();
        for (ns, key) in &self.keys {
            let mut out = vec![0; GUEST];
            let there = match call.get(*ns, key, &mut out) {
                Ok(length @ 0..) => {
                    out.truncate(usize::try_from(length).unwrap());
                    Ok(Some(out))
                }
                Ok(status) if status == code(Kind::NotFound) => Ok(None),
                Ok(status) => Err(status),
                Err(_) => return,
            };
            found.push(((*ns, key.clone()), there));
        }
        self.found = found;
    }

    /// Whether the commit must be refused.
    fn are_bad(&self) -> bool {
        self.found.iter().any(|(_, there)| there.is_err())
    }

    /// What was found is what is stored now, in the namespaces by handle.
    fn are_stored(&self, store: &Store, handles: [NamespaceId; 2]) -> bool {
        let mut session = store.begin(SessionOptions::read_only());
        self.found.iter().all(|((ns, key), there)| {
            let ns = handles[usize::try_from(*ns).unwrap()];
            let mut now = None;
            session
                .get(ns, key, |value| now = Some(value.to_vec()))
                .unwrap();
            *there == Ok(now)
        })
    }
}

/// The statuses of an addition that cannot be made.
fn is_bad_addition(status: i32) -> bool {
    [Kind::TypeMismatch, Kind::Overflow]
        .map(code)
        .contains(&status)
}

/// What of the guest's memory a call may write to.
type Writable = Option<(u32, u32)>;

/// One random call: its name, what it may write, and its answer.
fn one(
    random: &mut Random,
    call: &mut Invocation,
    arena: &mut Arena,
    before: &mut Vec<u8>,
    increments: &mut Increments,
) -> (&'static str, Writable, Result<i32, Trap>) {
    let out = random.pointer();
    let cap = random.length();
    let ns = random.handle();
    let (key, value) = (random.key(), random.value());
    let (key, key_len) = arena.place(random, &key);
    let (value, value_len) = arena.place(random, &value);
    let bytes = match random.below(12) {
        0 => b"granted".to_vec(),
        1..6 => random.spec(),
        _ => random.command(),
    };
    let spec = bytes.len() != 7 && bytes.first() != Some(&1);
    let (bytes, len) = arena.place(random, &bytes);
    before.clear();
    before.extend_from_slice(arena.guest());
    let memory = arena.guest();
    let to_out = Some((out, cap));
    match random.below(66) {
        0..3 => ("input", to_out, calls::input(call, memory, out, cap)),
        3..14 => {
            let answer = calls::get(call, memory, ns, key, key_len, out, cap);
            ("get", to_out, answer)
        }
        14..23 => {
            let answer = calls::put(call, memory, ns, key, key_len, value, value_len);
            ("put", None, answer)
        }
        23 | 24 => {
            let answer = calls::mint(call, memory, ns, value, value_len, out);
            ("mint", Some((out, 8)), answer)
        }
        25 | 26 => (
            "delete",
            None,
            calls::delete(call, memory, ns, key, key_len),
        ),
        27 => ("has", None, calls::has(call, memory, ns, key, key_len)),
        28..31 => {
            let delta = random.delta();
            let answer = calls::add(call, memory, ns, key, key_len, delta, out);
            ("add", Some((out, 8)), answer)
        }
        31 => {
            let delta = random.delta();
            let answer = calls::increment(call, memory, ns, key, key_len, delta);
            if let Ok(0) = answer {
                let start = usize::try_from(key).unwrap();
                let end = start + usize::try_from(key_len).unwrap();
                let key = memory.get(start..end).unwrap_or_default();
                increments.keys.insert((ns, key.to_vec()));
            }
            ("increment", None, answer)
        }
        32..49 if spec => {
            let answer = calls::scan(call, memory, ns, bytes, len, out, cap);
            ("scan", to_out, answer)
        }
        32..49 => {
            let answer = calls::exec(call, memory, bytes, len, out, cap);
            ("exec", to_out, answer)
        }
        49..52 => ("fetch", to_out, calls::fetch(call, memory, out, cap)),
        52 => {
            let flags = random.small_i32().max(0) / 2;
            ("open", None, calls::open(call, memory, bytes, len, flags))
        }
        53 => ("savepoint", None, calls::savepoint(call, memory)),
        54 => {
            let savepoint = random.small_i32();
            ("release", None, calls::release(call, memory, savepoint))
        }
        55 => {
            let savepoint = random.small_i32();
            let answer = calls::rollback_to(call, memory, savepoint);
            ("rollback_to", None, answer)
        }
        56 | 60 | 61 => {
            increments.look(call);
            ("commit", None, calls::commit(call, memory))
        }
        57 => ("info", to_out, calls::info(call, memory, out, cap)),
        58 => {
            let answer = calls::error_text(call, memory, out, cap);
            ("error_text", to_out, answer)
        }
        62.. => of_2020(random, call, memory, (key, out)),
        _ if random.one_in(4) => {
            let answer = calls::abort(call, memory, bytes, len).map(|()| 0);
            ("abort", None, answer)
        }
        _ => {
            let status = random.small_i32();
            increments.look(call);
            (
                "finish",
                None,
                calls::finish(call, memory, status, bytes, len),
            )
        }
    }
}

/// One random call of the imports of 2020: they answer or trap, without a status.
fn of_2020(
    random: &mut Random,
    call: &mut Invocation,
    memory: &mut [u8],
    (key, out): (u32, u32),
) -> (&'static str, Writable, Result<i32, Trap>) {
    let import = "2020";
    // Some keys come again, and so are found.
    let number = u32::from(random.byte() % 4);
    let answer = match random.below(16) {
        0 => {
            let made = legacy::create_uuid(call, memory, import, out);
            return ("createUUID", Some((out, 33)), made.map(|()| 33));
        }
        1 => legacy::create_number(call, memory, import).map(|_| 0),
        2 => legacy::begin_store(call, memory, import, key).map(|()| 0),
        3..6 => legacy::begin_store_number(call, memory, import, number).map(|()| 0),
        6 => legacy::begin_load(call, memory, import, key).map(|()| 0),
        7 => legacy::begin_load_number(call, memory, import, number).map(|()| 0),
        8..11 => legacy::store_i32(call, memory, import, random.small_i32()).map(|()| 0),
        11 => legacy::load_i32(call, memory, import).map(|_| 0),
        12 => legacy::store_i64(call, memory, import, random.delta()).map(|()| 0),
        13 => legacy::load_i64(call, memory, import).map(|_| 0),
        14 => legacy::end_store(call, memory, import).map(|()| 0),
        _ => legacy::end_load(call, memory, import).map(|()| 0),
    };
    (import, None, answer)
}

fn all(store: &Store, namespaces: &[NamespaceId]) -> Vec<(u32, Vec<u8>, Vec<u8>)> {
    let mut seen = Vec::new();
    for ns in namespaces {
        store
            .begin(SessionOptions::read_only())
            .scan(
                *ns,
                &KeyRange::ALL,
                Order::Forward,
                PageHint::default(),
                &mut |key, value| {
                    seen.push((ns.0, key.to_vec(), value.to_vec()));
                    ControlFlow::Continue(())
                },
            )
            .unwrap();
    }
    seen
}

fn from_env(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap(),
        Err(_) => default,
    }
}

#[test]
fn no_guest_can_panic_the_host_write_outside_its_ranges_or_keep_anything_after_a_trap() {
    let calls = from_env("WASM_STORAGE_HOSTILE_CALLS", 200_000);
    let mut seed = from_env("WASM_STORAGE_HOSTILE_SEED", 1);
    let mut arena = Arena::new();
    let mut before = Vec::with_capacity(GUEST);
    let (mut done, mut traps, mut answers, mut commits) = (0, 0u64, 0u64, 0u64);
    let (mut parts, mut kept_after_traps, mut refused) = (0u64, 0u64, 0u64);
    while done < calls {
        let store = memory_store();
        let own = store.default_namespace().unwrap();
        let granted = store.namespace("granted", true).unwrap();
        let not_granted = store.namespace("not granted", true).unwrap();
        let namespaces = [own, granted, not_granted];
        // A few invocations on each store, so that some find entries.
        for _ in 0..8 {
            let mut random = Random::new(seed);
            // What is there without the present call, but with its parts.
            let mut stored = all(&store, &namespaces);
            let parts_granted = random.one_in(2);
            let options = InvocationOptions {
                grants: grants([("granted", granted)]),
                input: random.value().into(),
                parts: parts_granted,
                ..InvocationOptions::new(own)
            };
            let session = store.begin(SessionOptions::read_write());
            let mut call = Invocation::new(session, options).unwrap();
            let mut increments = Increments::default();
            let mut own_parts = 0;
            let mut end = GuestEnd::Returned;
            for number in 0..CALLS_PER_INVOCATION {
                done += 1;
                let (import, writable, answer) = one(
                    &mut random,
                    &mut call,
                    &mut arena,
                    &mut before,
                    &mut increments,
                );
                let what = format!("seed {seed}, call {number}: {import} {writable:?}: {answer:?}");
                arena.check_guards(&what);
                if before != arena.guest() {
                    let (out, cap) = writable.expect(&what);
                    // What was answered fitted, and nothing else is written.
                    let full = usize::try_from(*answer.as_ref().expect(&what));
                    let cap = usize::try_from(cap).unwrap();
                    let written = match import {
                        "mint" | "add" => 8,
                        "createUUID" => 33,
                        "error_text" => full.expect(&what).min(cap),
                        _ => full.expect(&what),
                    };
                    assert!(written <= cap, "{what}");
                    let start = usize::try_from(out).unwrap();
                    let end = start + written;
                    let now = arena.guest();
                    assert!(before[..start] == now[..start], "{what}: wrote in front");
                    assert!(before[end..] == now[end..], "{what}: wrote behind");
                }
                match answer {
                    Ok(status) if import == "commit" => {
                        answers += 1;
                        let now = all(&store, &namespaces);
                        if status == 0 {
                            assert!(parts_granted && !increments.are_bad(), "{what}");
                            assert!(increments.are_stored(&store, [own, granted]), "{what}");
                            own_parts += 1;
                            stored = now;
                            increments = Increments::default();
                            continue;
                        }
                        assert!(now == stored, "{what}: a part of a part");
                        if is_bad_addition(status) {
                            assert!(parts_granted && increments.are_bad(), "{what}");
                            refused += 1;
                            increments = Increments::default();
                            continue;
                        }
                        let kind = if parts_granted {
                            Kind::InvalidArgument // A savepoint is open.
                        } else {
                            Kind::Denied
                        };
                        assert_eq!(status, code(kind), "{what}");
                    }
                    Ok(_) => answers += 1,
                    Err(Trap::Internal(_) | Trap::Doomed | Trap::Overdue) => panic!("{what}"),
                    Err(trap) => {
                        traps += 1;
                        end = GuestEnd::Trapped(trap.to_string());
                        break;
                    }
                }
            }
            let returned = matches!(end, GuestEnd::Returned);
            increments.look(&mut call);
            parts += own_parts;
            match call.end(end) {
                // It returned, or had called finish(0) before.
                Attempt::Commit(session, reply) => {
                    assert!(returned || reply.unwrap().result.is_some(), "seed {seed}");
                    match session.commit() {
                        Outcome::Committed(_) => {
                            assert!(!increments.are_bad(), "seed {seed}");
                            let stored = increments.are_stored(&store, [own, granted]);
                            assert!(stored, "seed {seed}");
                            commits += 1;
                        }
                        Outcome::Conflict(Why::Unmergeable(error)) => {
                            let status = error.kind().status().unwrap();
                            assert!(is_bad_addition(status), "seed {seed}: {error}");
                            assert!(increments.are_bad(), "seed {seed}: {error}");
                            assert!(all(&store, &namespaces) == stored, "seed {seed}");
                            refused += 1;
                        }
                        other => panic!("seed {seed}: {other:?}"),
                    }
                }
                Attempt::Rollback(session, _) => {
                    session.rollback();
                    assert!(all(&store, &namespaces) == stored, "seed {seed}");
                    kept_after_traps += own_parts;
                }
            }
            assert!(all(&store, &[not_granted]).is_empty(), "seed {seed}");
            seed += 1;
        }
    }
    println!(
        "{done} calls: {answers} answered, {traps} trapped; {commits} invocations committed; \
         {parts} parts, {kept_after_traps} of them of invocations that were rolled back; \
         {refused} commits refused for an addition"
    );
    // Else the calls were too wild, or too tame, to show anything.
    if calls >= 10_000 {
        assert!(traps > calls / 1000 && answers > calls / 2 && commits > 10);
        assert!(parts > calls / 1000 && kept_after_traps > calls / 2000);
        assert!(refused > calls / 10_000);
    }
}
