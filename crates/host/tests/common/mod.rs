//! A guest made of a byte array: its memory, its invocation, and the imports.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests, of which each file uses its part"
)]

use std::sync::Arc;

use wasm_storage_engine::memory::MemoryKv;
use wasm_storage_engine::{
    Attempt, Coordinator, Kind, NamespaceId, Outcome, Session, SessionOptions, Store,
};
use wasm_storage_host::{
    Grants, GuestEnd, GuestFailure, Invocation, InvocationOptions, Reply, Trap, calls,
};

/// Size of a guest's memory in most tests, in bytes.
pub(crate) const MEMORY: usize = 4096;
/// Where [`Guest::at`] puts input.
pub(crate) const INPUT: u32 = 0;
/// Where results go: the second half.
pub(crate) const OUT: u32 = 2048;

pub(crate) struct Guest {
    pub(crate) store: Store,
    pub(crate) call: Invocation,
    pub(crate) memory: Vec<u8>,
}

pub(crate) fn memory_store() -> Store {
    Store::new(Coordinator::open(MemoryKv::new(), None).unwrap())
}

/// An invocation whose parts are granted.
pub(crate) fn in_parts(store: &Store) -> InvocationOptions {
    InvocationOptions {
        parts: true,
        ..InvocationOptions::new(store.default_namespace().unwrap())
    }
}

impl Guest {
    pub(crate) fn new() -> Self {
        Self::over(&memory_store(), MEMORY)
    }

    pub(crate) fn over(store: &Store, memory: usize) -> Self {
        Self::with(store, memory, Grants::default(), b"")
    }

    pub(crate) fn with(store: &Store, memory: usize, grants: Grants, input: &[u8]) -> Self {
        let options = InvocationOptions {
            grants,
            input: input.into(),
            ..InvocationOptions::new(store.default_namespace().unwrap())
        };
        let session = store.begin(SessionOptions::read_write());
        Self::of(session, options, memory)
    }

    /// A guest that may end parts of its call.
    pub(crate) fn in_parts(store: &Store) -> Self {
        let session = store.begin(SessionOptions::read_write());
        Self::of(session, in_parts(store), MEMORY)
    }

    pub(crate) fn of(session: Session, options: InvocationOptions, memory: usize) -> Self {
        Guest {
            store: session.store().clone(),
            call: Invocation::new(session, options).unwrap(),
            memory: vec![0xaa; memory],
        }
    }

    /// Writes bytes into the memory; their pointer and length.
    pub(crate) fn at(&mut self, pointer: u32, bytes: &[u8]) -> (u32, u32) {
        let start = usize::try_from(pointer).unwrap();
        self.memory[start..start + bytes.len()].copy_from_slice(bytes);
        (pointer, u32::try_from(bytes.len()).unwrap())
    }

    /// `length` bytes of the memory.
    pub(crate) fn bytes(&self, pointer: u32, length: i32) -> &[u8] {
        let start = usize::try_from(pointer).unwrap();
        &self.memory[start..start + usize::try_from(length).unwrap()]
    }

    pub(crate) fn put(&mut self, ns: u32, key: &[u8], value: &[u8]) -> i32 {
        let (k, kn) = self.at(INPUT, key);
        let (v, vn) = self.at(kn, value);
        calls::put(&mut self.call, &mut self.memory[..], ns, k, kn, v, vn).unwrap()
    }

    pub(crate) fn get(&mut self, ns: u32, key: &[u8], cap: u32) -> i32 {
        let (k, kn) = self.at(INPUT, key);
        calls::get(&mut self.call, &mut self.memory[..], ns, k, kn, OUT, cap).unwrap()
    }

    /// The value under a key of handle 0.
    pub(crate) fn value(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        match self.get(0, key, 1024) {
            length @ 0.. => Some(self.bytes(OUT, length).to_vec()),
            status => {
                assert_eq!(status, code(Kind::NotFound));
                None
            }
        }
    }

    pub(crate) fn add(&mut self, key: &[u8], delta: i64) -> i32 {
        let (k, kn) = self.at(INPUT, key);
        calls::add(&mut self.call, &mut self.memory[..], 0, k, kn, delta, OUT).unwrap()
    }

    pub(crate) fn increment(&mut self, key: &[u8], delta: i64) -> i32 {
        let (k, kn) = self.at(INPUT, key);
        calls::increment(&mut self.call, &mut self.memory[..], 0, k, kn, delta).unwrap()
    }

    pub(crate) fn commit(&mut self) -> i32 {
        calls::commit(&mut self.call, &mut self.memory[..]).unwrap()
    }

    pub(crate) fn fetch(&mut self, cap: u32) -> i32 {
        calls::fetch(&mut self.call, &mut self.memory[..], OUT, cap).unwrap()
    }

    pub(crate) fn open(&mut self, name: &[u8], flags: i32) -> i32 {
        let (p, n) = self.at(INPUT, name);
        calls::open(&mut self.call, &mut self.memory[..], p, n, flags).unwrap()
    }

    /// A whole scan spec, into a buffer of `cap` bytes at [`OUT`].
    pub(crate) fn scan(&mut self, spec: &[u8], cap: u32) -> i32 {
        let (p, n) = self.at(INPUT, spec);
        calls::scan(&mut self.call, &mut self.memory[..], 0, p, n, OUT, cap).unwrap()
    }

    pub(crate) fn exec(&mut self, command: &[u8], cap: u32) -> i32 {
        let (p, n) = self.at(INPUT, command);
        calls::exec(&mut self.call, &mut self.memory[..], p, n, OUT, cap).unwrap()
    }

    pub(crate) fn error_text(&mut self) -> String {
        let mut out = [0; 8192];
        let length = self.call.error_text(&mut out).unwrap();
        String::from_utf8(out[..usize::try_from(length).unwrap()].to_vec()).unwrap()
    }

    /// Ends the call as the adapters do: what the caller gets.
    pub(crate) fn end(self, end: GuestEnd) -> Result<Reply, GuestFailure> {
        match self.call.end(end) {
            Attempt::Commit(session, answer) => {
                match session.commit() {
                    Outcome::Committed(_) => assert!(answer.is_ok(), "{answer:?}"),
                    Outcome::Conflict(_) => assert_eq!(answer, Err(GuestFailure::Over)),
                    other => panic!("{other:?}"),
                }
                answer
            }
            Attempt::Rollback(session, answer) => {
                session.rollback();
                assert!(answer.is_err(), "{answer:?}");
                answer
            }
        }
    }
}

/// The status of a kind.
pub(crate) fn code(kind: Kind) -> i32 {
    kind.status().unwrap()
}

/// Grants of made-up namespaces.
pub(crate) fn grants<'a>(names: impl IntoIterator<Item = (&'a str, NamespaceId)>) -> Grants {
    Arc::new(
        names
            .into_iter()
            .map(|(name, id)| (name.to_string(), id))
            .collect(),
    )
}

/// One import with a range that the test chooses; other ranges are sound.
pub(crate) type Ranged = fn(&mut Guest, u32, u32) -> Result<i32, Trap>;

/// Every range of every import whose length the guest chooses.
pub(crate) const RANGES: &[(&str, Ranged)] = &[
    ("input", |g, p, n| {
        calls::input(&mut g.call, &mut g.memory[..], p, n)
    }),
    ("finish", |g, p, n| {
        calls::finish(&mut g.call, &mut g.memory[..], 0, p, n)
    }),
    ("get", |g, p, n| {
        calls::get(&mut g.call, &mut g.memory[..], 0, p, n, 0, 8)
    }),
    ("get", |g, p, n| {
        calls::get(&mut g.call, &mut g.memory[..], 0, 0, 1, p, n)
    }),
    ("put", |g, p, n| {
        calls::put(&mut g.call, &mut g.memory[..], 0, p, n, 0, 1)
    }),
    ("put", |g, p, n| {
        calls::put(&mut g.call, &mut g.memory[..], 0, 0, 1, p, n)
    }),
    ("mint", |g, p, n| {
        calls::mint(&mut g.call, &mut g.memory[..], 0, p, n, 0)
    }),
    ("delete", |g, p, n| {
        calls::delete(&mut g.call, &mut g.memory[..], 0, p, n)
    }),
    ("has", |g, p, n| {
        calls::has(&mut g.call, &mut g.memory[..], 0, p, n)
    }),
    ("add", |g, p, n| {
        calls::add(&mut g.call, &mut g.memory[..], 0, p, n, 1, 0)
    }),
    ("increment", |g, p, n| {
        calls::increment(&mut g.call, &mut g.memory[..], 0, p, n, 1)
    }),
    ("scan", |g, p, n| {
        calls::scan(&mut g.call, &mut g.memory[..], 0, p, n, 0, 8)
    }),
    ("scan", |g, p, n| {
        calls::scan(&mut g.call, &mut g.memory[..], 0, 0, 20, p, n)
    }),
    ("exec", |g, p, n| {
        calls::exec(&mut g.call, &mut g.memory[..], p, n, 0, 8)
    }),
    ("exec", |g, p, n| {
        calls::exec(&mut g.call, &mut g.memory[..], 0, 4, p, n)
    }),
    ("fetch", |g, p, n| {
        calls::fetch(&mut g.call, &mut g.memory[..], p, n)
    }),
    ("open", |g, p, n| {
        calls::open(&mut g.call, &mut g.memory[..], p, n, 0)
    }),
    ("abort", |g, p, n| {
        calls::abort(&mut g.call, &mut g.memory[..], p, n).map(|()| 0)
    }),
    ("info", |g, p, n| {
        calls::info(&mut g.call, &mut g.memory[..], p, n)
    }),
    ("error_text", |g, p, n| {
        calls::error_text(&mut g.call, &mut g.memory[..], p, n)
    }),
];

/// One import with a pointer that the test chooses.
pub(crate) type Pointed = fn(&mut Guest, u32) -> Result<i32, Trap>;

/// The imports that write 8 bytes to a pointer.
pub(crate) const OUT_OF_8: &[(&str, Pointed)] = &[
    ("mint", |g, p| {
        calls::mint(&mut g.call, &mut g.memory[..], 0, 0, 1, p)
    }),
    ("add", |g, p| {
        calls::add(&mut g.call, &mut g.memory[..], 0, 0, 1, 1, p)
    }),
];

/// One import without a range.
pub(crate) type Plain = fn(&mut Guest) -> Result<i32, Trap>;

/// The imports without ranges.
pub(crate) const PLAIN: &[(&str, Plain)] = &[
    ("savepoint", |g| {
        calls::savepoint(&mut g.call, &mut g.memory[..])
    }),
    ("release", |g| {
        calls::release(&mut g.call, &mut g.memory[..], 1)
    }),
    ("rollback_to", |g| {
        calls::rollback_to(&mut g.call, &mut g.memory[..], 1)
    }),
    ("commit", |g| calls::commit(&mut g.call, &mut g.memory[..])),
];

/// Calls every import once, with ranges of length 0 and of 8 bytes at 0.
pub(crate) fn every_import(
    mut each: impl FnMut(&'static str, &dyn Fn(&mut Guest) -> Result<i32, Trap>),
) {
    for (name, call) in RANGES {
        each(name, &|g| call(g, 0, 0));
    }
    for (name, call) in OUT_OF_8 {
        each(name, &|g| call(g, 0));
    }
    for (name, call) in PLAIN {
        each(name, call);
    }
}
