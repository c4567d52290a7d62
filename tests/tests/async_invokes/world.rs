//! A directory in which everything of a test lies, and a rapid that has its queue and tells there.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rapid_e2e::{DEADLINE, Options, Rapid, Reply, Request, eventually, eventually_some};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::peers::{installed, source};

/// What the function is invoked as where nothing else is said.
pub(crate) const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:test_function";

/// A directory that outlives every rapid of a test.
pub(crate) struct World {
    directory: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory can be made") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A Python function, at once tried again, and a file for each destination.
    pub(crate) fn function(&self) -> Options {
        let python = installed("python/bin/python");
        let words =
            [python.to_str().expect("it is text"), "-m", "awslambdaric", "function.handler"];
        self.told(Options::new())
            .command(words)
            .current_dir(source("tests/tests/async_invokes"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
    }

    /// What tells in the files of this directory, and tries again at once.
    pub(crate) fn told(&self, options: Options) -> Options {
        let file = |name: &str| format!("file:{}", self.path(name).display());
        options
            .flags(["--async-retry-delays", "0,0"])
            .flags(["--on-success".to_owned(), file("succeeded")])
            .flags(["--on-failure".to_owned(), file("failed")])
            .flags(["--dead-letter".to_owned(), file("dead")])
    }

    /// The same, with events that outlive it.
    pub(crate) fn durable(&self, options: Options) -> Options {
        let directory = self.path("not/there/yet");
        options.flags(["--async-dir".into(), directory.into_os_string()])
    }

    /// An event for the function; `more` is what it is to do.
    pub(crate) fn event(&self, name: &str, more: Value) -> Value {
        let mut event = json!({ "name": name, "journal": self.path("journal") });
        let fields = event.as_object_mut().expect("it is an object");
        fields.extend(more.as_object().cloned().unwrap_or_default());
        event
    }

    /// One that the function does not finish before the gate is opened.
    pub(crate) fn gated(&self, name: &str) -> Value {
        self.event(name, json!({ "gate": self.path("gate") }))
    }

    pub(crate) fn open_gate(&self) {
        fs::write(self.path("gate"), "").expect("a file can be written");
    }

    /// The names of the attempts so far, in order.
    pub(crate) fn journal(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("journal")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    #[track_caller]
    pub(crate) fn wait_for_attempts(&self, count: usize) {
        eventually("the attempts", || self.journal().len() >= count);
    }

    /// What was told to a destination, once it is so much.
    #[track_caller]
    pub(crate) fn wait_for(&self, destination: &str, count: usize) -> Vec<Value> {
        eventually_some(destination, || {
            let told = lines(&self.path(destination));
            (told.len() >= count).then_some(told)
        })
    }

    /// What was told to a destination so far.
    pub(crate) fn told_to(&self, destination: &str) -> Vec<Value> {
        lines(&self.path(destination))
    }
}

/// The whole lines of a file; a process that was killed may have left half a line.
pub(crate) fn lines(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Has boto3 invoke asynchronously, in a process that knows no variables; what `call.py` prints of
/// the answer.
#[track_caller]
pub(crate) fn boto3(rapid: &Rapid, payload: &[u8], options: &[&str]) -> Value {
    let mut child = Command::new(installed("python/bin/python"))
        .arg(source("tests/peers/python/call.py"))
        .arg(format!("http://{}", rapid.invoke_address()))
        .args(["function", "-", "--timeout", &DEADLINE.as_secs().to_string()])
        .args(["--invocation-type", "Event"])
        .args(options)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python can be started");
    child.stdin.take().expect("it is piped").write_all(payload).expect("it reads all");
    let printed = child.wait_with_output().expect("it ends");
    assert!(printed.status.success(), "{printed:?}");
    serde_json::from_slice(&printed.stdout).expect("it prints JSON")
}

/// As [`boto3`], for an event that is accepted; its request id.
#[track_caller]
pub(crate) fn accepted_by(rapid: &Rapid, event: &Value) -> String {
    let answer = boto3(rapid, event.to_string().as_bytes(), &[]);
    assert_eq!(answer["status"], 202, "{answer}");
    answer["request_id"].as_str().expect("it has an id").to_owned()
}

/// Invokes asynchronously, without a client.
#[track_caller]
pub(crate) fn send(rapid: &Rapid, event: &Value) -> Reply {
    let headers = [("X-Amz-Invocation-Type", "Event")];
    rapid.invoke_with("function", &headers, event.to_string())
}

/// As [`send`], for an event that is accepted; its request id.
#[track_caller]
pub(crate) fn accepted(rapid: &Rapid, event: &Value) -> String {
    let reply = send(rapid, event);
    assert_eq!((reply.status, reply.text().as_str()), (202, ""), "{reply:?}");
    reply.request_id()
}

/// What `GET /health` says of events.
#[track_caller]
pub(crate) fn pending(rapid: &Rapid) -> Value {
    let reply = rapid.to_invoke().exchange(&Request::get("/health")).expect("it is answered");
    reply.json()["events"].clone()
}

/// Waits until no event is left.
#[track_caller]
pub(crate) fn wait_until_idle(rapid: &Rapid) {
    let none = |pending: &Value| {
        ["queued", "retrying", "inFlight"].iter().all(|state| pending[*state] == 0)
    };
    eventually("no event is left", || none(&pending(rapid)));
}

/// The request ids of a destination's records.
pub(crate) fn ids(records: &[Value]) -> Vec<&str> {
    records.iter().filter_map(|record| record["requestContext"]["requestId"].as_str()).collect()
}
