//! Programs that keep every core busy, at the lowest priority.
//!
//!
//! Why: on an idle virtual machine the disk's completions wait for a timer tick, so
//! that a sync of 0.15 ms reads as 4 ms (docs/performance.md). Each is a process of
//! its own and ends when its standard input does, so also when we are killed.
//!
//! Two kinds, since neither suits all. *Nice* ones (nice 19) for syncs in a process
//! that runs. *Idle* ones (`chrt --idle`) for the time that processes take to start:
//! a new process waits milliseconds for a nice spinner to give way. Under idle ones
//! some syncs still wait for the tick.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};

use crate::Result;

/// Running spinners, one for each core, ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Spinners(Vec<Child>);

impl Spinners {
    pub(crate) fn nice() -> Result<Self> {
        let program = std::env::current_exe()?;
        Self::start(|| spin_by(&mut Command::new(&program)))
    }

    /// Nice ones where there is no `chrt` (of util-linux).
    pub(crate) fn idle() -> Result<Self> {
        let program = std::env::current_exe()?;
        Self::start(|| {
            let mut idle = Command::new("chrt");
            idle.args(["--idle", "0"]).arg(&program);
            spin_by(&mut idle).or_else(|_| spin_by(&mut Command::new(&program)))
        })
    }

    fn start(spinner: impl Fn() -> std::io::Result<Child>) -> Result<Self> {
        let mut spinners = Spinners(Vec::new());
        for _ in 0..std::thread::available_parallelism()?.get() {
            spinners.0.push(spinner()?);
        }
        Ok(spinners)
    }
}

fn spin_by(command: &mut Command) -> std::io::Result<Child> {
    command.arg("spin").stdin(Stdio::piped()).spawn()
}

impl Drop for Spinners {
    fn drop(&mut self) {
        for spinner in &mut self.0 {
            // One that has ended already is as good.
            spinner.kill().ok();
            spinner.wait().ok();
        }
    }
}

/// What a spinner does.
pub(crate) fn spin() -> Result<()> {
    rustix::process::setpriority_process(None, 19)?;
    std::thread::spawn(|| {
        loop {
            std::hint::spin_loop();
        }
    });
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
