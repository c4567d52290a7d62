//! A `rapid invoke` that still runs.

use std::io::{BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rapid_e2e::rapid_binary;

use crate::peers::{installed, source};

/// The words that have rapid run the streaming function.
pub(crate) fn streaming_function() -> [String; 2] {
    let client = installed("node/node_modules/.bin/aws-lambda-ric");
    [client.display().to_string(), "streaming.handler".to_owned()]
}

/// Where the streaming function is.
pub(crate) fn its_directory() -> PathBuf {
    source("tests/tests/cli_invoke")
}

/// A `rapid invoke` whose output is read as it comes. Dropped, it is killed.
pub(crate) struct Live {
    pub(crate) child: Child,
    stdout: Option<BufReader<ChildStdout>>,
}

/// How it has ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// What had not been read of standard output.
    pub(crate) rest: Vec<u8>,
    pub(crate) stderr: String,
}

impl Live {
    pub(crate) fn start(words: &[&str]) -> Self {
        let mut child = Command::new(rapid_binary())
            .arg("invoke")
            .args(words)
            .env_clear()
            .env("RAPID_HOSTS_FILE", "none")
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .current_dir(its_directory())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("rapid can be started");
        let stdout = child.stdout.take().map(BufReader::new);
        Self { child, stdout }
    }

    /// The next bytes of its standard output, once there are as many.
    pub(crate) fn read(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let stdout = self.stdout.as_mut().expect("it was not closed");
        stdout.read_exact(&mut bytes).expect("there is more");
        bytes
    }

    /// Closes its standard output.
    pub(crate) fn read_no_more(&mut self) {
        self.stdout = None;
    }

    /// Sends SIGINT.
    pub(crate) fn interrupt(&self) {
        let pid = i32::try_from(self.child.id()).expect("process ids are small");
        // It has not been waited for, so that its id is its own.
        kill(Pid::from_raw(pid), Signal::SIGINT).expect("it can be told");
    }

    /// Its largest resident memory so far, in KiB.
    pub(crate) fn peak_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let figure = line.and_then(|line| line.split_whitespace().next());
        figure.and_then(|figure| figure.parse().ok()).expect("the kernel says so")
    }

    /// Reads everything and waits for the end.
    pub(crate) fn end(mut self) -> Ended {
        let (mut rest, mut stderr) = (Vec::new(), String::new());
        if let Some(mut stdout) = self.stdout.take() {
            stdout.read_to_end(&mut rest).expect("it can be read");
        }
        if let Some(mut errors) = self.child.stderr.take() {
            errors.read_to_string(&mut stderr).expect("it is text");
        }
        let code = self.child.wait().expect("it can be waited for").code();
        Ended { code, rest, stderr }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
