//! `run`: one call of a guest's function, as one invocation over the store.
//!
//! Invariant: a command that cannot be carried out (module, function, arguments,
//! input) makes no store, and no guest code runs before all of it is checked.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;

use wasm_storage_abi::limits;
use wasm_storage_wasmtime::{Answer, Call, Runtime, RuntimeOptions};

use crate::failure::Failure;
use crate::settings::{Input, Run, Settings};
use crate::{numbers, opening, say, show};

/// Runs the command.
pub(crate) fn run(settings: &Settings, run: &Run) -> Result<(), Failure> {
    let runtime = runtime(run)?;
    let module = runtime.load(&run.module)?;
    let args = numbers::parse(&module, &run.function, &run.numbers)?;
    let input = read(&run.input)?;

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
    print(&answer)
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

/// The guest's input, refused before more than its limit is held.
fn read(input: &Input) -> Result<Vec<u8>, Failure> {
    let (name, from): (String, Box<dyn Read>) = match input {
        Input::Nothing => return Ok(Vec::new()),
        Input::Stdin => ("standard input".into(), Box::new(io::stdin())),
        Input::File(path) => {
            let name = path.display().to_string();
            match File::open(path) {
                Ok(file) => (name, Box::new(file)),
                Err(error) => return Err(unreadable(&name, &error)),
            }
        }
    };
    let most = u64::try_from(limits::INPUT_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    from.take(most.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(&name, &error))?;
    if bytes.len() > limits::INPUT_BYTES {
        return Err(Failure::Usage(format!(
            "{name}: the input is over the limit of {} bytes",
            limits::INPUT_BYTES
        )));
    }
    Ok(bytes)
}

fn unreadable(name: &str, error: &io::Error) -> Failure {
    Failure::Usage(format!("{name}: the input cannot be read: {error}"))
}

/// The result: the bytes of `finish`, or what the function returned.
fn print(answer: &Answer) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match &answer.reply.result {
        Some(bytes) => out.write_all(bytes)?,
        None => {
            for value in &answer.values {
                writeln!(out, "{}", show::number(value))?;
            }
        }
    }
    out.flush()?;
    Ok(())
}
