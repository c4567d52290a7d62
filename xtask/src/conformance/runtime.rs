//! The runtime of a transcript: does what its script says and writes down what it was answered.

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::process::parent_id;
use std::path::Path;
use std::process::{self, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::conformance::http::{self, Reply};
use crate::conformance::step::{self, Request, Step};

/// The header that names an invocation.
const REQUEST_ID: &str = "lambda-runtime-aws-request-id";
/// No runtime lives longer, whatever becomes of the emulator.
const LIFETIME: Duration = Duration::from_secs(60);

/// The script of the n-th process of a transcript that is played in `dir`.
pub(crate) fn script_path(dir: &Path, process: usize) -> std::path::PathBuf {
    dir.join(format!("script-{process}"))
}

/// What the n-th process was answered: one JSON object a line.
pub(crate) fn trace_path(dir: &Path, process: usize) -> std::path::PathBuf {
    dir.join(format!("trace-{process}"))
}

/// Plays the runtime; the one argument is the directory with scripts and traces.
///
/// # Errors
/// When the directory or the environment is not as it should be.
pub(crate) fn play(args: &[String]) -> Result<()> {
    let [dir] = args else { bail!("one argument is expected: the directory of the transcript") };
    let dir = Path::new(dir);
    let address = env::var("AWS_LAMBDA_RUNTIME_API").context("reading AWS_LAMBDA_RUNTIME_API")?;
    let address = address.parse().with_context(|| format!("the address {address}"))?;
    let (number, trace) = claim(dir)?;
    // Later processes than the transcript foresees do what the last one did.
    let last = (1..=number).rev().find(|number| script_path(dir, *number).exists());
    let script = script_path(dir, last.context("the transcript has no script")?);
    let script = fs::read_to_string(&script).with_context(|| format!("{}", script.display()))?;
    let mut runtime = Runtime { address, trace, id: String::new(), previous: String::new() };
    step::parse(&script)?.into_iter().try_for_each(|step| runtime.take(step))
}

/// Finds out which process of the transcript this is: the first whose trace does not exist yet.
fn claim(dir: &Path) -> Result<(usize, File)> {
    for number in 1..100 {
        let path = trace_path(dir, number);
        match File::create_new(&path) {
            Ok(file) => return Ok((number, file)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error).with_context(|| format!("creating {}", path.display()));
            }
        }
    }
    bail!("the runtime was started too often")
}

struct Runtime {
    address: SocketAddr,
    trace: File,
    id: String,
    previous: String,
}

impl Runtime {
    fn take(&mut self, step: Step) -> Result<()> {
        match step {
            Step::Request(request) => {
                let reply = self.send(request);
                // It outlives an emulator that has crashed, and then there is nothing to tell.
                if reply.status == http::REFUSED {
                    end(0);
                }
                self.write_down(&reply)
            }
            Step::Meanwhile(_) => bail!("a runtime does one thing at a time"),
            Step::Park => {
                let requests = step::parse("next")?;
                for step in requests {
                    if let Step::Request(request) = step {
                        self.send(request);
                    }
                }
                Ok(())
            }
            Step::Hang => {
                hang();
                Ok(())
            }
            Step::Say(text) => writeln!(std::io::stdout(), "{text}").context("standard output"),
            Step::Pause(time) => {
                thread::sleep(time);
                Ok(())
            }
            Step::Exit(status) => end(status),
            Step::Signal(name) => {
                // More than once, because the first SIGSEGV only takes away the handler that Rust
                // has for stack overflows.
                const AGAIN: &str =
                    "for _ in 1 2 3 4 5; do kill -s $0 $1 || exit; sleep 0.02; done";
                let own = process::id().to_string();
                Command::new("sh")
                    .args(["-c", AGAIN, &name, &own])
                    .stderr(Stdio::null())
                    .spawn()?;
                hang();
                Ok(())
            }
        }
    }

    fn send(&mut self, mut request: Request) -> Reply {
        request.path = request.path.replace("{id}", &self.id).replace("{previous}", &self.previous);
        let reply = http::exchange(self.address, &request, LIFETIME);
        if let Some(id) = reply.headers.get(REQUEST_ID).filter(|id| **id != self.id) {
            self.previous = std::mem::replace(&mut self.id, id.clone());
        }
        reply
    }

    fn write_down(&mut self, reply: &Reply) -> Result<()> {
        let line = serde_json::to_string(reply).context("writing the trace")?;
        self.trace.write_all(format!("{line}\n").as_bytes()).context("writing the trace")
    }
}

/// Waits for the signal that ends this process, or for the emulator to go.
fn hang() {
    let (emulator, start) = (parent_id(), Instant::now());
    while parent_id() == emulator && start.elapsed() < LIFETIME {
        thread::sleep(Duration::from_millis(20));
    }
}

#[expect(clippy::exit, reason = "a runtime that exits in the middle of something is the point")]
fn end(status: i32) -> ! {
    process::exit(status)
}
