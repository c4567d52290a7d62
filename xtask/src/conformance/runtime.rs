//! The runtime of a transcript, or an external extension: does what its script says and writes down
//! what it was answered.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Serialize};

use crate::conformance::http::{self, Reply};
use crate::conformance::step::{self, Request, Step};

/// The header that names an invocation.
const REQUEST_ID: &str = "lambda-runtime-aws-request-id";
/// No process lives longer, whatever becomes of the emulator.
const LIFETIME: Duration = Duration::from_secs(60);

/// The role that is not the name of an external extension.
pub(crate) const RUNTIME: &str = "runtime";

/// What a process was answered, by the number of the request.
pub(crate) type Trace = BTreeMap<usize, Reply>;

/// A line of a trace.
#[derive(Serialize, Deserialize)]
struct Line {
    request: usize,
    reply: Reply,
}

/// The script of the n-th process in a role of a transcript that is played in `dir`.
pub(crate) fn script_path(dir: &Path, role: &str, process: usize) -> PathBuf {
    dir.join(format!("{role}.script-{process}"))
}

/// What the n-th process was answered: one JSON object a line.
fn trace_path(dir: &Path, role: &str, process: usize) -> PathBuf {
    dir.join(format!("{role}.trace-{process}"))
}

/// What every process in a role wrote down.
pub(crate) fn traces(dir: &Path, role: &str) -> Result<Vec<Trace>> {
    let mut traces = Vec::new();
    loop {
        let path = trace_path(dir, role, traces.len() + 1);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(traces),
            Err(error) => return Err(error).with_context(|| format!("{}", path.display())),
        };
        // A process can be killed in the middle of a line.
        let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        traces.push(lines.map(|line: Line| (line.request, line.reply)).collect());
    }
}

/// Plays the runtime or an external extension; the arguments are the directory with scripts and
/// traces, and the role.
///
/// # Errors
/// When the directory or the environment is not as it should be.
pub(crate) fn play(args: &[String]) -> Result<()> {
    let [dir, role] = args else { bail!("the transcript's directory and a role are expected") };
    let dir = Path::new(dir);
    let address = env::var("AWS_LAMBDA_RUNTIME_API").context("reading AWS_LAMBDA_RUNTIME_API")?;
    let address = address.parse().with_context(|| format!("the address {address}"))?;
    let (number, trace) = claim(dir, role)?;
    // Later processes than the transcript foresees do what the last one did.
    let last = (1..=number).rev().find(|number| script_path(dir, role, *number).exists());
    let script = script_path(dir, role, last.context("the transcript has no script")?);
    let script = fs::read_to_string(&script).with_context(|| format!("{}", script.display()))?;
    let speaker = Speaker { address, trace: Mutex::new(trace), known: Mutex::default() };
    let mut actor = Actor { speaker: Arc::new(speaker), requests: 0, meanwhile: Vec::new() };
    step::parse(&script)?.into_iter().try_for_each(|step| actor.take(step))
}

/// Finds out which process of the transcript this is: the first whose trace does not exist yet.
fn claim(dir: &Path, role: &str) -> Result<(usize, File)> {
    for number in 1..100 {
        let path = trace_path(dir, role, number);
        match File::create_new(&path) {
            Ok(file) => return Ok((number, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error).with_context(|| format!("creating {}", path.display()));
            }
        }
    }
    bail!("the {role} was started too often")
}

struct Actor {
    speaker: Arc<Speaker>,
    /// How many requests there were.
    requests: usize,
    meanwhile: Vec<JoinHandle<Result<()>>>,
}

impl Actor {
    fn take(&mut self, step: Step) -> Result<()> {
        match step {
            Step::Request(request) => {
                self.requests += 1;
                let reply = self.speaker.send(request);
                // It outlives an emulator that has crashed, and then there is nothing to tell.
                if reply.status == http::REFUSED {
                    end(0);
                }
                self.speaker.write_down(self.requests, reply)
            }
            Step::Meanwhile(request) => {
                self.requests += 1;
                let (speaker, number) = (Arc::clone(&self.speaker), self.requests);
                // Now: later requests may teach something else.
                let request = speaker.complete(request);
                self.meanwhile.push(thread::spawn(move || {
                    let reply = speaker.exchange(&request);
                    speaker.write_down(number, reply)
                }));
                Ok(())
            }
            Step::Await => self.meanwhile.drain(..).try_for_each(|thread| {
                thread.join().unwrap_or_else(|_| Err(anyhow!("a thread panicked")))
            }),
            Step::Park => {
                let requests = step::parse("next")?;
                for step in requests {
                    if let Step::Request(request) = step {
                        self.speaker.send(request);
                    }
                }
                Ok(())
            }
            Step::Hang => {
                hang();
                Ok(())
            }
            Step::Say(text) => writeln!(io::stdout(), "{text}").context("standard output"),
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
}

/// Sends requests, for all threads.
struct Speaker {
    address: SocketAddr,
    trace: Mutex<File>,
    known: Mutex<Known>,
}

/// What braces in a request stand for.
#[derive(Default)]
struct Known {
    id: String,
    previous: String,
    extension: String,
}

impl Known {
    fn insert_into(&self, text: &str) -> String {
        let text = text.replace("{id}", &self.id).replace("{previous}", &self.previous);
        text.replace("{extension}", &self.extension)
    }

    fn learn(&mut self, headers: &BTreeMap<String, String>) {
        if let Some(id) = headers.get(REQUEST_ID).filter(|id| **id != self.id) {
            self.previous = std::mem::replace(&mut self.id, id.clone());
        }
        if let Some(id) = headers.get(&step::IDENTIFIER.to_ascii_lowercase()) {
            self.extension.clone_from(id);
        }
    }
}

impl Speaker {
    fn send(&self, request: Request) -> Reply {
        self.exchange(&self.complete(request))
    }

    fn complete(&self, mut request: Request) -> Request {
        let known = self.known();
        request.path = known.insert_into(&request.path);
        for (_, value) in &mut request.headers {
            *value = known.insert_into(value);
        }
        request
    }

    fn exchange(&self, request: &Request) -> Reply {
        let reply = http::exchange(self.address, request, LIFETIME);
        self.known().learn(&reply.headers);
        reply
    }

    fn write_down(&self, request: usize, reply: Reply) -> Result<()> {
        let line = serde_json::to_string(&Line { request, reply }).context("writing the trace")?;
        let mut trace = self.trace.lock().unwrap_or_else(PoisonError::into_inner);
        trace.write_all(format!("{line}\n").as_bytes()).context("writing the trace")
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
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
