//! The state of one call, and the imports over slices: what the functions of
//! [`calls`](crate::calls) do once pointers are slices. A native guest calls these directly.
//!
//! A status is `>= 0`, or the negative code of a [`Kind`]. A [`Trap`] ends the guest.
//!
//! Invariant: after `finish` or `abort`, and once it is doomed, the session is
//! sealed; every import but `info` traps. All of this is of one attempt: an
//! invocation that is run again is made anew. A parked result belongs to the last call
//! that answered one: every import but `fetch`, `info` and `error_text` drops it.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasm_storage_abi::wire::info;
use wasm_storage_abi::{Kind, keyspace, limits, v1};
use wasm_storage_engine::layout::minted_key;
use wasm_storage_engine::{Error, NamespaceId, OpError, SavepointId, Session};

use crate::ending::End;
use crate::legacy::Record;
use crate::trap::Trap;

/// The namespaces that a host grants beside the invocation's own, by name.
pub type Grants = Arc<BTreeMap<String, NamespaceId>>;

/// What an invocation is given.
#[derive(Clone, Debug)]
pub struct InvocationOptions {
    /// The namespace of handle 0.
    pub namespace: NamespaceId,
    /// Further namespaces that `open` may open.
    pub grants: Grants,
    /// The bytes of `input`, at most 64 MiB.
    pub input: Arc<[u8]>,
    /// Whether the guest may end parts of its call (`commit`): a part stays, whatever
    /// becomes of the rest.
    pub parts: bool,
}

impl InvocationOptions {
    /// Without input, and with nothing granted but the namespace itself.
    pub fn new(namespace: NamespaceId) -> Self {
        InvocationOptions {
            namespace,
            grants: Grants::default(),
            input: Arc::default(),
            parts: false,
        }
    }
}

/// One call of a guest, from its first import to its end.
#[derive(Debug)]
pub struct Invocation {
    pub(crate) session: Session,
    grants: Grants,
    /// Namespaces by handle; handle 0 is the invocation's own.
    handles: Vec<NamespaceId>,
    input: Arc<[u8]>,
    /// Whether `commit` is granted.
    parts: bool,
    parked: Parked,
    /// Text of the last error.
    error: String,
    pub(crate) end: End,
    /// A buffer kept for reuse.
    scratch: Vec<u8>,
    /// What the imports of 2020 are storing or loading.
    pub(crate) record: Record,
}

/// A result that was too large for the guest's buffer.
#[derive(Debug)]
enum Parked {
    Nothing,
    /// The input: it is kept anyway.
    Input,
    Bytes(Vec<u8>),
}

type Status = Result<i32, Trap>;

impl Invocation {
    /// Opens an invocation over a session.
    ///
    /// Errors: `TooLarge` for an input over 64 MiB; the session comes back.
    #[expect(
        clippy::result_large_err,
        reason = "once in an invocation, and rarely then"
    )]
    pub fn new(session: Session, options: InvocationOptions) -> Result<Self, (Session, Error)> {
        if options.input.len() > limits::INPUT_BYTES {
            let actual = options.input.len();
            let error = Error::too_large("an input", limits::INPUT_BYTES, actual);
            return Err((session, error));
        }
        Ok(Invocation {
            session,
            grants: options.grants,
            handles: vec![options.namespace],
            input: options.input,
            parts: options.parts,
            parked: Parked::Nothing,
            error: String::new(),
            end: End::Running,
            scratch: Vec::new(),
            record: Record::default(),
        })
    }

    /// Argument bytes of this call.
    pub fn input(&mut self, out: &mut [u8]) -> Status {
        self.enter("input")?;
        let length = length(self.input.len());
        match out.get_mut(..self.input.len()) {
            Some(out) => out.copy_from_slice(&self.input),
            None => self.parked = Parked::Input,
        }
        Ok(length)
    }

    /// The call is over: status 0 commits with `bytes` as its result, 1 rolls back
    /// with `bytes` as an error text.
    pub fn finish(&mut self, status: i32, bytes: &[u8]) -> Status {
        self.enter("finish")?;
        if bytes.len() > limits::RESULT_BYTES {
            return self.refuse(Error::too_large(
                "a result",
                limits::RESULT_BYTES,
                bytes.len(),
            ));
        }
        self.end = match status {
            0 => End::Finished(bytes.to_vec()),
            1 => End::Failed(String::from_utf8_lossy(bytes).into_owned()),
            _ => {
                return self.refuse(Error::new(
                    Kind::InvalidArgument,
                    format!("finish takes status 0 or 1, not {status}"),
                ));
            }
        };
        Ok(status)
    }

    /// Value under a key.
    pub fn get(&mut self, ns: u32, key: &[u8], out: &mut [u8]) -> Status {
        self.enter("get")?;
        let ns = match self.namespace(ns) {
            Ok(ns) => ns,
            Err(error) => return self.refuse(error),
        };
        let mut full = 0;
        let mut parked = Parked::Nothing;
        let found = self.session.get(ns, key, |value| {
            full = value.len();
            match out.get_mut(..full) {
                Some(out) => out.copy_from_slice(value),
                None => parked = Parked::Bytes(value.to_vec()),
            }
        });
        match found {
            Ok(true) => {
                self.parked = parked;
                Ok(length(full))
            }
            Ok(false) => Ok(status_of(Kind::NotFound)),
            Err(error) => self.answer(Err(error)),
        }
    }

    /// Store a value under a key.
    pub fn put(&mut self, ns: u32, key: &[u8], value: &[u8]) -> Status {
        self.enter("put")?;
        let done = self.in_namespace(ns, |session, ns| session.put(ns, key, value));
        self.answer(done.map(|()| 0))
    }

    /// Store a value under a fresh key; `out` gets the key, little-endian.
    pub fn mint(&mut self, ns: u32, value: &[u8], out: &mut [u8; 8]) -> Status {
        self.enter("mint")?;
        let minted = self.in_namespace(ns, |session, ns| {
            let number = session.mint(ns)?;
            session.put(ns, &minted_key(number), value)?;
            Ok(number)
        });
        self.answer(minted.map(|number| {
            *out = number.to_le_bytes();
            0
        }))
    }

    /// Delete a key.
    pub fn delete(&mut self, ns: u32, key: &[u8]) -> Status {
        self.enter("delete")?;
        let done = self.in_namespace(ns, |session, ns| session.delete(ns, key));
        self.answer(done.map(|()| 0))
    }

    /// Length of the value under a key, or NOT_FOUND.
    pub fn has(&mut self, ns: u32, key: &[u8]) -> Status {
        self.enter("has")?;
        let found = self.in_namespace(ns, |session, ns| session.has(ns, key));
        self.answer(found.map(|found| found.map_or(status_of(Kind::NotFound), length)))
    }

    /// Checked add on an i64 entry; `out` gets the new value, little-endian.
    pub fn add(&mut self, ns: u32, key: &[u8], delta: i64, out: &mut [u8; 8]) -> Status {
        self.enter("add")?;
        let sum = self.in_namespace(ns, |session, ns| {
            refuse_raw(key)?;
            session.add(ns, key, delta)
        });
        self.answer(sum.map(|sum| {
            *out = sum.to_le_bytes();
            0
        }))
    }

    /// Add on an i64 entry without a reply.
    pub fn increment(&mut self, ns: u32, key: &[u8], delta: i64) -> Status {
        self.enter("increment")?;
        let done = self.in_namespace(ns, |session, ns| {
            refuse_raw(key)?;
            session.increment(ns, key, delta)
        });
        self.answer(done.map(|()| 0))
    }

    /// One page of a range.
    pub fn scan(&mut self, ns: u32, spec: &[u8], out: &mut [u8]) -> Status {
        self.enter("scan")?;
        let mut page = Vec::new();
        let scanned = self.in_namespace(ns, |session, ns| {
            crate::scan::page(session, ns, spec, out.len(), &mut page)
        });
        match scanned {
            Ok(()) => Ok(self.hand_out(page, out)),
            Err(error) => self.answer(Err(error)),
        }
    }

    /// Many operations in one call.
    pub fn exec(&mut self, command: &[u8], out: &mut [u8]) -> Status {
        match self.exec_reply(command)? {
            Ok(reply) => Ok(self.hand_out(reply, out)),
            Err(status) => Ok(status),
        }
    }

    /// The reply of `exec`, or its status where there is none.
    pub(crate) fn exec_reply(&mut self, command: &[u8]) -> Result<Result<Vec<u8>, i32>, Trap> {
        self.enter("exec")?;
        match crate::exec::run(self, command) {
            Ok(reply) => Ok(Ok(reply)),
            Err(error) => self.answer(Err(error)).map(Err),
        }
    }

    /// Copy out the parked result.
    pub fn fetch(&mut self, out: &mut [u8]) -> Status {
        self.enter_keeping_parked("fetch")?;
        let bytes: &[u8] = match &self.parked {
            Parked::Bytes(bytes) => bytes,
            Parked::Input => &self.input,
            Parked::Nothing => {
                let error = Error::new(Kind::InvalidArgument, "fetch: no result is parked");
                return self.refuse(error);
            }
        };
        let length = length(bytes.len());
        if let Some(out) = out.get_mut(..bytes.len()) {
            out.copy_from_slice(bytes);
            self.parked = Parked::Nothing;
        }
        Ok(length)
    }

    /// Handle of a granted namespace. Opening one twice gives the same handle.
    pub fn open(&mut self, name: &[u8], flags: i32) -> Status {
        self.enter("open")?;
        let opened = self.open_granted(name, flags);
        self.answer(opened.map_err(OpError::Failed))
    }

    fn open_granted(&mut self, name: &[u8], flags: i32) -> Result<i32, Error> {
        if flags != 0 {
            let message = format!("open takes flags 0, not {flags}");
            return Err(Error::new(Kind::InvalidArgument, message));
        }
        if name.len() > limits::NAMESPACE_NAME_BYTES {
            let limit = limits::NAMESPACE_NAME_BYTES;
            return Err(Error::too_large("a namespace name", limit, name.len()));
        }
        let granted = std::str::from_utf8(name)
            .ok()
            .and_then(|name| self.grants.get(name));
        let ns = *granted.ok_or_else(|| {
            let name = String::from_utf8_lossy(name);
            let message = format!("namespace {name:?} is not granted to this call");
            Error::new(Kind::Denied, message)
        })?;
        let open = self.handles.iter().skip(1).position(|open| *open == ns);
        if let Some(index) = open {
            return Ok(length(index + 1));
        }
        if self.handles.len() > limits::NAMESPACE_HANDLES {
            let message = format!(
                "{} namespaces are open, the limit",
                limits::NAMESPACE_HANDLES
            );
            return Err(Error::new(Kind::TooLarge, message));
        }
        self.handles.push(ns);
        Ok(length(self.handles.len() - 1))
    }

    /// Set a savepoint; its handle.
    pub fn savepoint(&mut self) -> Status {
        self.enter("savepoint")?;
        let set = self.session.savepoint();
        let handle = set.and_then(|savepoint| {
            i32::try_from(savepoint.0)
                .map_err(|_| Error::new(Kind::TooLarge, "savepoint handles are used up").into())
        });
        self.answer(handle)
    }

    /// Forget a savepoint and those set after it.
    pub fn release(&mut self, savepoint: i32) -> Status {
        self.enter("release")?;
        let done = savepoint_id(savepoint).and_then(|id| self.session.release(id));
        self.answer(done.map(|()| 0))
    }

    /// Undo all writes since a savepoint.
    pub fn rollback_to(&mut self, savepoint: i32) -> Status {
        self.enter("rollback_to")?;
        let done = savepoint_id(savepoint).and_then(|id| self.session.rollback_to(id));
        self.answer(done.map(|()| 0))
    }

    /// End a part of a long call, where the host grants it. What a refused part has
    /// written is gone, but after DENIED and INVALID_ARGUMENT.
    pub fn commit(&mut self) -> Status {
        self.enter("commit")?;
        if !self.parts {
            return self.refuse(Error::new(
                Kind::Denied,
                "commit: the host does not grant ending a part of a call",
            ));
        }
        let ended = self.session.part();
        self.answer(ended.map(|()| 0))
    }

    /// Doom the call; its writes are discarded and the caller gets the message.
    pub fn abort(&mut self, message: &[u8]) -> Trap {
        if let Err(trap) = self.enter("abort") {
            return trap;
        }
        let shown = message.get(..limits::ERROR_TEXT_BYTES).unwrap_or(message);
        self.end = End::Aborted(String::from_utf8_lossy(shown).into_owned());
        Trap::Aborted
    }

    /// ABI minor version, limits, capability bits.
    pub fn info(&mut self, out: &mut [u8]) -> Status {
        let narrow = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX).to_le_bytes();
        let mut bytes = [0; info::BYTES];
        let fields = [
            v1::MINOR.to_le_bytes(),
            self.capability_bits().to_le_bytes(),
            narrow(limits::KEY_BYTES),
            narrow(limits::VALUE_BYTES),
            narrow(limits::PAGE_BYTES),
            narrow(limits::BATCH_OPERATIONS),
            narrow(limits::WRITE_SET_BYTES),
            // The write set is a u64; its high half.
            [0; 4],
        ];
        for (to, from) in bytes.chunks_exact_mut(4).zip(fields) {
            to.copy_from_slice(&from);
        }
        if let Some(out) = out.get_mut(..bytes.len()) {
            out.copy_from_slice(&bytes);
        }
        Ok(length(bytes.len()))
    }

    fn capability_bits(&self) -> u32 {
        let mut bits = info::BLIND_INCREMENT;
        if self.parts {
            bits |= info::PARTS;
        }
        if self.session.store().capabilities().multi_namespace {
            bits |= info::NAMESPACES;
        }
        bits
    }

    /// Text of the last error; as much of it as fits.
    pub fn error_text(&mut self, out: &mut [u8]) -> Status {
        self.enter_keeping_parked("error_text")?;
        for (to, from) in out.iter_mut().zip(self.error.bytes()) {
            *to = from;
        }
        Ok(length(self.error.len()))
    }

    /// Gives a result to the guest: into its buffer, or parked if that is too small.
    pub(crate) fn hand_out(&mut self, bytes: Vec<u8>, out: &mut [u8]) -> i32 {
        let length = length(bytes.len());
        match out.get_mut(..bytes.len()) {
            Some(out) => out.copy_from_slice(&bytes),
            None => self.parked = Parked::Bytes(bytes),
        }
        length
    }

    pub(crate) fn refuse_too_large(
        &mut self,
        import: &'static str,
        what: &str,
        limit: usize,
        actual: usize,
    ) -> Status {
        self.enter(import)?;
        self.refuse(Error::too_large(what, limit, actual))
    }

    pub(crate) fn take_scratch(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.scratch)
    }

    pub(crate) fn give_back_scratch(&mut self, scratch: Vec<u8>) {
        self.scratch = scratch;
    }

    /// Every import but `fetch`, `info` and `error_text` begins here.
    pub(crate) fn enter(&mut self, import: &'static str) -> Result<(), Trap> {
        self.enter_keeping_parked(import)?;
        self.parked = Parked::Nothing;
        Ok(())
    }

    fn enter_keeping_parked(&mut self, import: &'static str) -> Result<(), Trap> {
        match self.end {
            End::Running if self.session.is_doomed() => Err(Trap::Doomed),
            End::Running => Ok(()),
            End::Finished(_) | End::Failed(_) => Err(Trap::Finished { import }),
            End::Aborted(_) => Err(Trap::Aborted),
        }
    }

    /// The namespace of a handle.
    pub(crate) fn namespace(&self, handle: u32) -> Result<NamespaceId, Error> {
        usize::try_from(handle)
            .ok()
            .and_then(|index| self.handles.get(index))
            .copied()
            .ok_or_else(|| {
                let message = format!("{handle} is no open namespace handle");
                Error::new(Kind::InvalidArgument, message)
            })
    }

    fn in_namespace<T>(
        &mut self,
        handle: u32,
        operation: impl FnOnce(&mut Session, NamespaceId) -> Result<T, OpError>,
    ) -> Result<T, OpError> {
        let ns = self.namespace(handle)?;
        operation(&mut self.session, ns)
    }

    fn refuse(&mut self, error: Error) -> Status {
        self.answer(Err(OpError::Failed(error)))
    }

    /// A failure becomes its status, with its text kept for `error_text`.
    fn answer(&mut self, result: Result<i32, OpError>) -> Status {
        match result {
            Ok(status) => Ok(status),
            Err(OpError::Doomed) => Err(Trap::Doomed),
            Err(OpError::Overdue) => Err(Trap::Overdue),
            Err(OpError::Failed(error)) => match error.kind().status() {
                Some(status) => {
                    self.error = shortened(error.to_string());
                    Ok(status)
                }
                None => Err(Trap::Internal(error)),
            },
        }
    }
}

/// The status of a kind that has one.
pub(crate) fn status_of(kind: Kind) -> i32 {
    kind.status().unwrap_or(i32::MIN)
}

/// A length as a guest gets it. Nothing longer than a limit of 64 MiB is handed out.
pub(crate) fn length(bytes: usize) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}

fn shortened(mut text: String) -> String {
    if text.len() > limits::ERROR_TEXT_BYTES {
        let cut = text.floor_char_boundary(limits::ERROR_TEXT_BYTES);
        text.truncate(cut);
    }
    text
}

/// Values of the raw key spaces have no header, so nothing there is an i64 entry.
pub(crate) fn refuse_raw(key: &[u8]) -> Result<(), OpError> {
    if key.starts_with(&keyspace::LEGACY) || key.starts_with(&keyspace::WASI) {
        let message = "entries of the imports of 2020 and of wasi:keyvalue have no type";
        return Err(Error::new(Kind::TypeMismatch, message).into());
    }
    Ok(())
}

fn savepoint_id(handle: i32) -> Result<SavepointId, OpError> {
    u32::try_from(handle).map(SavepointId).map_err(|_| {
        let message = format!("savepoint {handle} is not open");
        Error::new(Kind::InvalidArgument, message).into()
    })
}
