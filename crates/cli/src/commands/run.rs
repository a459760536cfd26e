//! `run`: one call of a guest's function, as one invocation over the store.
//!
//! Invariant: a command that cannot be carried out (module, function, arguments,
//! input) makes no store, and no guest code runs before all of it is checked.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use wasm_storage_abi::limits;
use wasm_storage_wasmtime::{Answer, Args, Call, Convention, Module, Runtime, RuntimeOptions};

use crate::failure::Failure;
use crate::settings::{Run, Settings};
use crate::{buffers, numbers, opening, say, show};

/// Runs the command.
pub(crate) fn run(settings: &Settings, run: &Run) -> Result<(), Failure> {
    let runtime = runtime(run)?;
    let module = runtime.load(&run.module)?;
    let args = arguments(&module, run)?;
    let input = read(run.input.as_deref())?;

    let store = opening::to_write(settings)?;
    let namespace = store.namespace(&settings.namespace, true)?;
    let mut grants = BTreeMap::new();
    for name in &run.grants {
        grants.insert(name.clone(), store.namespace(name, true)?);
    }
    let call = Call {
        args,
        input: input.into(),
        grants: Arc::new(grants),
        parts: run.parts,
        deadline: run.timeout,
        memory: run.memory,
        ..Call::new(&run.function, namespace)
    };
    let answer = runtime.call(&store, &module, &call)?;

    // From here on the call counts, whatever happens to us.
    if let Some(trap) = &answer.reply.trap {
        say(
            "warning",
            &format!(
                "the guest had finished, so its call counts; afterwards it did not return: {trap}"
            ),
        );
    }
    if let Err(error) = store.close() {
        say(
            "warning",
            &format!("the call counts, but closing the store failed: {error}"),
        );
    }
    print(&answer, run.bytes_out)
}

/// The runtime, with its cache where that can be had.
fn runtime(run: &Run) -> Result<Runtime, Failure> {
    let with = |cache| {
        Runtime::new(&RuntimeOptions {
            cache,
            // One call: a pool would only take time to make.
            instances: None,
        })
    };
    if run.cache.is_some() {
        match with(run.cache.clone()) {
            Ok(runtime) => return Ok(runtime),
            Err(error) => say("note", &format!("running without a cache: {error}")),
        }
    }
    Ok(with(None)?)
}

/// The arguments, which fit the function.
fn arguments(module: &Module, run: &Run) -> Result<Args, Failure> {
    let by_buffers = match module.convention(&run.function)? {
        // A function of buffers that takes none, or is given too few.
        Convention::Buffers(_) => run.numbers.is_empty(),
        Convention::Numbers => !run.buffers.is_empty() || run.bytes_out,
    };
    let args = if by_buffers {
        Args::Buffers(buffers::read(&run.buffers)?)
    } else {
        Args::Numbers(numbers::parse(module, &run.function, &run.numbers)?)
    };
    module.check(&run.function, &args)?;
    Ok(args)
}

/// The guest's input, refused before more than its limit is held.
fn read(input: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let Some(path) = input else {
        return Ok(Vec::new());
    };
    let (name, bytes) = buffers::read_one(path, "the input", limits::INPUT_BYTES)?;
    if bytes.len() > limits::INPUT_BYTES {
        return Err(Failure::Usage(format!(
            "{name}: the input is over the limit of {} bytes",
            limits::INPUT_BYTES
        )));
    }
    Ok(bytes)
}

/// The result: the bytes of `finish`, or what the function returned.
fn print(answer: &Answer, bytes_out: bool) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match (&answer.reply.result, &answer.buffer) {
        (Some(bytes), _) => out.write_all(bytes)?,
        (None, Some(bytes)) if bytes_out => out.write_all(bytes)?,
        (None, Some(bytes)) => writeln!(out, "{}", String::from_utf8_lossy(bytes))?,
        (None, None) => {
            for value in &answer.values {
                writeln!(out, "{}", show::number(value))?;
            }
        }
    }
    out.flush()?;
    Ok(())
}
