//! [`Sdk`]: the clients that people call functions with.

use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rapid_e2e::{DEADLINE, Rapid, Stream, eventually_some};
use serde_json::Value;

use crate::peers::{installed, source};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Sdk {
    Boto3,
    JavaScript,
}

pub(crate) const SDKS: [Sdk; 2] = [Sdk::Boto3, Sdk::JavaScript];

/// A call that runs in a process of its own. Dropped, it is ended.
pub(crate) struct Call {
    child: Child,
    lines: Stream,
    said: Stream,
}

/// A stream that has ended.
#[derive(Debug)]
pub(crate) struct Streamed {
    pub(crate) head: Value,
    /// All chunks together.
    pub(crate) payload: String,
    pub(crate) complete: Value,
}

impl Sdk {
    /// Asks for a stream, and for the log if `tail`.
    pub(crate) fn stream(self, rapid: &Rapid, payload: &str, tail: bool) -> Call {
        self.call(rapid, payload, tail, true)
    }

    /// Asks for the response as a whole.
    pub(crate) fn invoke(self, rapid: &Rapid, payload: &str, tail: bool) -> Value {
        self.call(rapid, payload, tail, false).line("\"status\"")
    }

    fn call(self, rapid: &Rapid, payload: &str, tail: bool, stream: bool) -> Call {
        let endpoint = format!("http://{}", rapid.invoke_address());
        let mut command = match self {
            Self::Boto3 => {
                let mut command = Command::new(installed("python/bin/python"));
                command
                    .arg(source("tests/peers/python/call.py"))
                    .args([&endpoint, "function", payload])
                    .args(["--timeout", &DEADLINE.as_secs().to_string()])
                    .args(tail.then_some(["--log-type", "Tail"]).into_iter().flatten())
                    .args(stream.then_some("--stream"));
                command
            }
            Self::JavaScript => {
                let mut command = Command::new("node");
                command
                    .arg("--no-warnings")
                    .arg(source("tests/peers/sdk/call.mjs"))
                    .arg(installed("sdk/node_modules/@aws-sdk/client-lambda"))
                    .args([&endpoint, "function", payload])
                    .args(tail.then_some("Tail"))
                    .args(stream.then_some("stream"));
                command
            }
        };
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).stdin(Stdio::null());
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the caller can be started");
        let stdout = child.stdout.take().expect("its output is piped");
        let stderr = child.stderr.take().expect("its errors are piped");
        let lines = Stream::collect("the caller's output", stdout, false);
        Call { child, lines, said: Stream::collect("the caller's errors", stderr, false) }
    }
}

impl Call {
    /// Waits for a line with this in it.
    #[track_caller]
    pub(crate) fn line(&self, pattern: &str) -> Value {
        let Some(line) = self.lines.find(pattern, DEADLINE) else {
            panic!("no {pattern} in:\n{}\n{}", self.lines.text(), self.said.text());
        };
        serde_json::from_str(&line).expect("it prints JSON")
    }

    /// Waits for a chunk with this text.
    #[track_caller]
    pub(crate) fn chunk(&self, text: &str) {
        eventually_some(&format!("the chunk {text}"), || {
            self.lines.lines().iter().find(|line| {
                let line: Value = serde_json::from_str(line).unwrap_or_default();
                line["event"] == "chunk" && line["payload"] == text
            })?;
            Some(())
        });
    }

    /// Waits for the end of the stream.
    #[track_caller]
    pub(crate) fn end(mut self) -> Streamed {
        let child = &mut self.child;
        let status = eventually_some("the caller's end", || child.try_wait().expect("it is ours"));
        self.lines.wait_for_end(DEADLINE);
        self.said.wait_for_end(DEADLINE);
        assert!(status.success(), "{}\n{}", self.lines.text(), self.said.text());
        let lines = self.lines.lines();
        let lines: Vec<Value> =
            lines.iter().map(|line| serde_json::from_str(line).expect("it prints JSON")).collect();
        let [head, chunks @ .., complete] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!((&head["event"], &complete["event"]), (&"head".into(), &"complete".into()));
        let mut payload = String::new();
        for chunk in chunks {
            assert_eq!(chunk["event"], "chunk", "{chunk}");
            payload.push_str(chunk["payload"].as_str().expect("a chunk has text"));
        }
        Streamed { head: head.clone(), payload, complete: complete.clone() }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Streamed {
    /// Expects that nothing went wrong, and returns the payload.
    #[track_caller]
    pub(crate) fn expect_success(&self) -> &str {
        assert_eq!(self.complete["error_code"], Value::Null, "{self:?}");
        assert_eq!(self.complete["error_details"], Value::Null, "{self:?}");
        &self.payload
    }

    /// Expects that the function failed, and returns the error.
    #[track_caller]
    pub(crate) fn expect_error(&self) -> Value {
        assert_eq!(self.complete["error_code"], "Unhandled", "{self:?}");
        let details = self.complete["error_details"].as_str().expect("an error has details");
        serde_json::from_str(details).expect("they are JSON")
    }
}

/// The log in an answer, decoded.
#[track_caller]
pub(crate) fn log(answer: &Value) -> String {
    let encoded = answer["log_result"].as_str().expect("there is a log");
    let decoded = STANDARD.decode(encoded).expect("it is base64");
    String::from_utf8(decoded).expect("it is text")
}
