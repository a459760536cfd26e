//! Compile a module, call a function of it as one invocation.
//!
//! The way of one call: check the function and its arguments → open the
//! invocation → fresh instance → guest code (`_initialize`, if the module has it, then
//! the function) → the instance is dropped → commit.
//! The invocation opens before instantiation, so a start function belongs to it.
//!
//! Invariant: an attempt that lost to another call leaves nothing to the next, which
//! begins with the check's end: session, invocation, instance and result are made
//! anew. A guest has no import but ours, so it can always be run again.

use std::fmt;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasm_storage_abi::limits;
use wasm_storage_engine::{
    Attempt, CommitId, Error, Kind, NamespaceId, RunError, RunOptions, Session, Store,
};
use wasm_storage_host::convention::INITIALIZE;
use wasm_storage_host::{
    FailedCall, Grants, GuestEnd, GuestFailure, Invocation, InvocationOptions, Reply, Trap,
};
use wasmtime::{Cache, CacheConfig, Config, Engine, Extern, Linker, Val};

use crate::convention::{self, Within, within};
use crate::limits::{MemoryLimiter, start_ticking, ticks};
use crate::linker::{StorageState, add_to_linker};
use crate::module::{Function, LoadError, Module};
use crate::pool::{self, Gate};

/// A Wasmtime engine with the storage imports. Make one for a process.
pub struct Runtime {
    engine: Engine,
    linker: Linker<Data>,
    /// Before the pool, if there is one.
    gate: Option<Gate>,
}

/// How a [`Runtime`] is made.
#[derive(Clone, Debug, Default)]
pub struct RuntimeOptions {
    /// Where compiled modules are kept, in a folder that only this user may enter
    /// (it is made so). `None`: every load compiles.
    pub cache: Option<PathBuf>,
    /// How many instances are run at a time, from a pool that is made for them: for
    /// hosts that answer many calls. Further calls wait until their deadline. It
    /// reserves 20 GiB of address space for each, and memory for none of them; a
    /// module may have 4 memories and 4 tables.
    ///
    /// `None`: any number, each allocated when it is needed. For a host that makes a
    /// few calls, or one.
    pub instances: Option<NonZeroU32>,
}

/// The arguments of a function, and so the way in which it is called.
#[derive(Clone, Debug)]
pub enum Args {
    /// One number for each parameter. Results are numbers, too.
    Numbers(Vec<Val>),
    /// Text (UTF-8) or bytes, as functions of wasm-bindgen 0.2.61 take them
    /// ([`Module::convention`]): together at most 64 MiB. The result is one, too.
    Buffers(Vec<Arc<[u8]>>),
}

impl Default for Args {
    /// No numbers.
    fn default() -> Self {
        Args::Numbers(Vec::new())
    }
}

impl From<Vec<Val>> for Args {
    fn from(numbers: Vec<Val>) -> Self {
        Args::Numbers(numbers)
    }
}

/// A call of a function.
#[derive(Clone, Debug)]
pub struct Call {
    /// The exported function's name.
    pub function: String,
    /// Its arguments.
    pub args: Args,
    /// The bytes of the import `input`.
    pub input: Arc<[u8]>,
    /// The namespace of handle 0.
    pub namespace: NamespaceId,
    /// Further namespaces that the guest may open, by name.
    pub grants: Grants,
    /// Whether the guest may end parts of its call, which stay whatever becomes of
    /// the rest: for long jobs. A call that has ended one is not run again.
    pub parts: bool,
    /// How long the call may take, all attempts and waiting for the store included.
    pub deadline: Duration,
    /// How large the guest's memory may become, in bytes.
    pub memory: usize,
}

impl Call {
    /// A call without arguments, with nothing granted and the default limits.
    pub fn new(function: impl Into<String>, namespace: NamespaceId) -> Self {
        Call {
            function: function.into(),
            args: Args::default(),
            input: Arc::default(),
            namespace,
            grants: Grants::default(),
            parts: false,
            deadline: Duration::from_millis(limits::DEADLINE_MS),
            memory: limits::GUEST_MEMORY_BYTES,
        }
    }
}

/// A call that committed.
#[derive(Debug)]
pub struct Answer {
    /// The numbers that the function returned.
    pub values: Vec<Val>,
    /// The text or bytes that it returned, if it was called with [`Args::Buffers`].
    pub buffer: Option<Vec<u8>>,
    /// What the guest said by `finish`.
    pub reply: Reply,
    /// The commit; of a call in parts, the last.
    pub commit: Option<CommitId>,
    /// Parts that the guest ended before its end.
    pub parts: u32,
    /// How often the function ran: more than once if other calls were faster.
    pub attempts: u32,
}

/// Why a call did not commit.
#[derive(Debug)]
pub enum CallError {
    /// The function or its arguments do not fit the module; nothing ran.
    Usage(String),
    /// The call did not begin, or not again: its input or its arguments are too large,
    /// or others kept all instances busy until its deadline (`Unavailable`). Nothing of
    /// it stays.
    Refused(Error),
    /// The guest failed; nothing of it stays but the parts that it had ended.
    Guest(FailedCall),
    /// The store failed, or other calls were faster until the deadline. After an
    /// unknown outcome it names the commit ([`RunError::commit`]).
    Store(RunError),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Usage(text) => f.write_str(text),
            CallError::Guest(failure) => failure.fmt(f),
            CallError::Refused(error) => error.fmt(f),
            CallError::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CallError {}

impl From<RunError> for CallError {
    fn from(error: RunError) -> Self {
        CallError::Store(error)
    }
}

/// What a Wasmtime store carries here.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) storage: StorageState,
    memory: MemoryLimiter,
}

impl Runtime {
    /// Makes the engine, its cache and the thread that counts its deadlines.
    ///
    /// Errors: `Io` if the cache folder cannot be made private or the thread not started,
    /// `InvalidArgument` if there is not as much address space as the pool needs.
    pub fn new(options: &RuntimeOptions) -> Result<Self, Error> {
        let internal = |error: wasmtime::Error| {
            Error::with_source(Kind::Internal, "Wasmtime", error.to_string())
        };
        let mut config = Config::new();
        config.epoch_interruption(true);
        if let Some(folder) = &options.cache {
            let folder = &std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
            private_folder(folder)?;
            let mut cache = CacheConfig::new();
            cache.with_directory(folder);
            config.cache(Some(Cache::new(cache).map_err(internal)?));
        }
        if let Some(instances) = options.instances {
            pool::use_pool(&mut config, instances);
        }
        let engine = Engine::new(&config).map_err(|error| match options.instances {
            Some(instances) => pool::refused(instances, &error),
            None => internal(error),
        })?;
        start_ticking(&engine)
            .map_err(|error| Error::with_source(Kind::Io, "the deadline's thread", error))?;
        let mut linker = Linker::new(&engine);
        add_to_linker(&mut linker, |data: &mut Data| &mut data.storage).map_err(internal)?;
        Ok(Runtime {
            engine,
            linker,
            gate: options.instances.map(Gate::new),
        })
    }

    /// Loads a module from a file.
    pub fn load(&self, path: &Path) -> Result<Module, LoadError> {
        Module::from_file(&self.engine, &self.linker, path)
    }

    /// Loads a module from its bytes; `name` stands for it in messages.
    pub fn load_bytes(&self, name: &str, bytes: &[u8]) -> Result<Module, LoadError> {
        Module::from_bytes(&self.engine, &self.linker, name, bytes)
    }

    /// Runs a function of a guest as one invocation over `store`: what it stores
    /// is committed when it returns, and nothing of it if it does not.
    ///
    /// If another call was faster, it is run again from its start, in a fresh
    /// instance, until the deadline.
    pub fn call(&self, store: &Store, module: &Module, call: &Call) -> Result<Answer, CallError> {
        let function = module.checked(&call.function, &call.args)?;
        let deadline = Instant::now().checked_add(call.deadline);
        let options = RunOptions {
            deadline,
            rerun: true,
        };
        let done = store.run(options, |session| {
            self.attempt(module, function, call, deadline, session)
        })?;
        let (parts, attempts) = (done.parts, done.attempts);
        let (Returned { values, buffer }, reply) = done.value.map_err(|failed| match failed {
            Failed::Guest(why) => CallError::Guest(FailedCall {
                why,
                parts,
                attempts,
            }),
            Failed::Start(error) => CallError::Refused(error),
        })?;
        Ok(Answer {
            values,
            buffer,
            reply,
            commit: done.commit,
            parts,
            attempts,
        })
    }

    /// One attempt: a fresh instance runs, is dropped, and its session comes back.
    fn attempt(
        &self,
        module: &Module,
        function: &Function,
        call: &Call,
        deadline: Option<Instant>,
        session: Session,
    ) -> Attempt<Result<(Returned, Reply), Failed>> {
        // Held as long as there is an instance, and not while its commit waits.
        let _pass = match self.gate.as_ref().map(|gate| gate.enter(deadline)) {
            None => None,
            Some(Ok(pass)) => Some(pass),
            Some(Err(error)) => return Attempt::Rollback(session, Err(Failed::Start(error))),
        };
        let options = InvocationOptions {
            namespace: call.namespace,
            grants: Arc::clone(&call.grants),
            input: Arc::clone(&call.input),
            parts: call.parts,
        };
        let invocation = match Invocation::new(session, options) {
            Ok(invocation) => invocation,
            Err((session, error)) => return Attempt::Rollback(session, Err(Failed::Start(error))),
        };
        let data = Data {
            storage: StorageState::new(invocation),
            memory: MemoryLimiter::new(call.memory),
        };
        let mut instance_store = wasmtime::Store::new(&self.engine, data);
        instance_store.limiter(|data| &mut data.memory);
        let left = deadline.map_or(Duration::MAX, |at| {
            at.saturating_duration_since(Instant::now())
        });
        instance_store.set_epoch_deadline(ticks(left));

        let ran = run(module, function, call, &mut instance_store);
        let Data { storage, memory } = instance_store.into_data();
        let (returned, end) = match ran {
            Ok(returned) => (returned, GuestEnd::Returned),
            Err(error) => (
                Returned::default(),
                guest_end(&error, &memory, call.deadline),
            ),
        };
        match storage.invocation {
            Some(invocation) => invocation.end(end).map(|reply| match reply {
                Ok(reply) => Ok((returned, reply)),
                Err(failure) => Err(Failed::Guest(failure)),
            }),
            // `data` was made with one above, and nothing takes it out.
            None => unreachable!("the invocation has been taken away"),
        }
    }
}

enum Failed {
    Guest(GuestFailure),
    Start(Error),
}

/// What a function returned; one of both is not there.
#[derive(Default)]
struct Returned {
    values: Vec<Val>,
    buffer: Option<Vec<u8>>,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").finish_non_exhaustive()
    }
}

fn run(
    module: &Module,
    function: &Function,
    call: &Call,
    store: &mut wasmtime::Store<Data>,
) -> wasmtime::Result<Returned> {
    let instance = module.pre.instantiate(&mut *store)?;
    let find = |store: &mut wasmtime::Store<Data>, export| {
        instance
            .get_module_export(store, export)
            .and_then(Extern::into_func)
            .ok_or_else(|| wasmtime::Error::msg("the function has gone"))
    };
    match module.initialize() {
        Some(export) if call.function != INITIALIZE => {
            let initialize = find(store, export)?;
            within(INITIALIZE, initialize.call(&mut *store, &[], &mut []))?;
        }
        _ => {}
    }
    let target = find(store, &function.export)?;
    match &call.args {
        Args::Numbers(numbers) => {
            let mut values = vec![Val::I32(0); function.ty.results().len()];
            target.call(store, numbers, &mut values)?;
            Ok(Returned {
                values,
                buffer: None,
            })
        }
        Args::Buffers(buffers) => Ok(Returned {
            values: Vec::new(),
            buffer: Some(convention::call(store, &instance, target, buffers)?),
        }),
    }
}

/// Says why the guest's code did not return.
fn guest_end(error: &wasmtime::Error, memory: &MemoryLimiter, deadline: Duration) -> GuestEnd {
    let within = error.downcast_ref::<Within>();
    let within = within.map_or(String::new(), |within| format!(", {within}"));
    let mut text = match (
        error.downcast_ref::<Trap>(),
        error.downcast_ref::<wasmtime::Trap>(),
    ) {
        // In a host call, or in the guest's own code.
        (Some(Trap::Overdue), _) | (_, Some(wasmtime::Trap::Interrupt)) => {
            return GuestEnd::Deadline(deadline);
        }
        (Some(Trap::Internal(defect)), _) => return GuestEnd::Defect(defect.to_string()),
        (Some(trap), _) => format!("{trap}{within}"),
        // "the guest trapped" stands before it.
        (None, Some(trap)) => {
            let text = trap.to_string();
            let text = text.strip_prefix("wasm trap: ").unwrap_or(&text);
            format!("{text}{within}")
        }
        (None, None) => crate::module::causes(error),
    };
    if let Some(explanation) = memory.explanation() {
        text.push_str("; ");
        text.push_str(&explanation);
    }
    GuestEnd::Trapped(text)
}

/// Makes a folder that only this user may enter: what is in it is run as machine code.
///
/// Errors: `Denied` for a folder that others could write to so far, since what is
/// in it may be theirs.
fn private_folder(folder: &Path) -> Result<(), Error> {
    let failed = |error: std::io::Error| {
        let message = format!("{}: the cache of compiled modules", folder.display());
        Error::with_source(Kind::Io, message, error)
    };
    #[cfg(not(unix))]
    std::fs::create_dir_all(folder).map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
        const WRITABLE_BY_OTHERS: u32 = 0o022;
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(folder).map_err(failed)?;
        let metadata = std::fs::metadata(folder).map_err(failed)?;
        if metadata.permissions().mode() & WRITABLE_BY_OTHERS != 0 {
            return Err(Error::new(
                Kind::Denied,
                format!(
                    "{}: not used as the cache of compiled modules, because others may write to it; name a folder of its own",
                    folder.display()
                ),
            ));
        }
        let private = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(folder, private).map_err(failed)?;
    }
    Ok(())
}
