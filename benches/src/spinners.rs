//! Programs that keep every core busy, at the lowest priority.
//!
//! Under Linux's idle policy they run when nobody else wants the core, and a program
//! that starts does not wait for them; with mere niceness it waits for milliseconds.
//!
//! Why: on an idle virtual machine the disk's completions wait for a timer tick, so
//! that a sync of 0.15 ms reads as 4 ms (docs/performance.md). Each is a process of
//! its own and ends when its standard input does, so also when we are killed.

use std::io::Read as _;
use std::process::{Child, Command, Stdio};

use crate::Result;

/// Running spinners, one for each core, ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Spinners(Vec<Child>);

impl Spinners {
    pub(crate) fn start() -> Result<Self> {
        let cores = std::thread::available_parallelism()?.get();
        let program = std::env::current_exe()?;
        let mut spinners = Spinners(Vec::new());
        for _ in 0..cores {
            // `chrt` is of util-linux; without it, `spin` makes itself nice.
            let mut idle = Command::new("chrt");
            idle.args(["--idle", "0"]).arg(&program);
            let spinner = spin_by(&mut idle).or_else(|_| spin_by(&mut Command::new(&program)));
            spinners.0.push(spinner?);
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
    rustix::process::nice(19)?;
    std::thread::spawn(|| {
        loop {
            std::hint::spin_loop();
        }
    });
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
