//! One child, from its start to its end: started, listened to, killed.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::child::{self, FAILED};
use super::plan::Kill;
use super::said::Said;

/// How long a child may take to come to where it is to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// Exit code of a panic before the child has its hook.
const PANICKED: i32 = 101;

/// What a child said until it was dead.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// All but the steps of its opening.
    pub(crate) said: Vec<Said>,
    began: Option<Instant>,
    ready: Option<Instant>,
}

impl Heard {
    /// How long it took to open the store, if it came to its end.
    pub(crate) fn opening(&self) -> Option<Duration> {
        Some(self.ready?.duration_since(self.began?))
    }

    fn hear(&mut self, line: &str, at: Instant) -> Result<(), Box<dyn Error>> {
        match line.parse()? {
            Said::Opening => self.began = Some(at),
            Said::Ready => self.ready = Some(at),
            said => self.said.push(said),
        }
        Ok(())
    }
}

/// A process that is killed with its owner.
struct Victim(Child);

impl Drop for Victim {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Starts a child, kills it as planned, and returns when it is dead.
///
/// `opening`: how long opening takes. Errors: a child that ended by itself, other than
/// where it was told to.
pub(crate) fn kill(
    arguments: &child::Arguments,
    kill: Kill,
    opening: Duration,
) -> Result<Heard, Box<dyn Error>> {
    let program = std::env::current_exe()?;
    let mut command = match kill {
        // Beyond the limit that stands for a full disk, a write fails instead of ending
        // the process.
        Kill::Failing(trouble) if trouble.what.is_real() => {
            let mut shell = Command::new("sh");
            shell
                .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
                .arg(program);
            shell
        }
        _ => Command::new(program),
    };
    command.arg("crash-child");
    arguments.add_to(&mut command);
    let mut victim = Victim(
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?,
    );
    let lines = listen(&mut victim.0)?;
    let mut heard = Heard::default();
    let mut killed_at = Instant::now() + PATIENCE;
    loop {
        match lines.recv_timeout(killed_at.saturating_duration_since(Instant::now())) {
            Ok((line, at)) => heard.hear(&line, at)?,
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let planned = match kill {
            Kill::Opening(thousandths) => heard.began.map(|at| at + opening * thousandths / 1_000),
            Kill::Writing(after) => heard.ready.map(|at| at + after),
            Kill::At(_) | Kill::Failing(_) => None,
        };
        killed_at = planned.unwrap_or(killed_at);
        if killed_at <= Instant::now() {
            break;
        }
    }
    // Dead already, perhaps: it may have been told to end itself.
    victim.0.kill()?;
    let status = victim.0.wait()?;
    for (line, at) in lines {
        heard.hear(&line, at)?;
    }
    if ended_by_itself(status) {
        return Err(format!("a child that was to be killed ended by itself: {status}").into());
    }
    Ok(heard)
}

/// Whole lines only: a kill may cut the last one short.
fn listen(child: &mut Child) -> Result<Receiver<(String, Instant)>, Box<dyn Error>> {
    let out = child.stdout.take().ok_or("a child without output")?;
    let (say, lines) = channel();
    thread::spawn(move || {
        let mut out = BufReader::new(out);
        let mut line = String::new();
        while out.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
            let Some(whole) = line.strip_suffix('\n') else {
                return;
            };
            if say.send((whole.to_owned(), Instant::now())).is_err() {
                return;
            }
            line.clear();
        }
    });
    Ok(lines)
}

fn ended_by_itself(status: ExitStatus) -> bool {
    matches!(status.code(), Some(0 | FAILED | PANICKED))
}
