//! Running a binary to its end.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::binary::rapid_binary;
use crate::options::Options;
use crate::stream::Stream;
use crate::wait::{DEADLINE, within};

/// A `rapid` that has ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

/// Runs `rapid` with `words` in front of the flags and the command of `options`, feeds it `stdin`
/// and waits for its end.
///
/// # Panics
/// When it does not end within [`DEADLINE`].
#[track_caller]
pub fn run(words: &[&str], options: &Options, stdin: &[u8]) -> Finished {
    let scratch = tempfile::tempdir().expect("a directory can be made");
    let mut command = command(words, options, scratch.path());
    let mut child = command.stdin(Stdio::piped()).spawn().expect("rapid can be started");
    let mut input = child.stdin.take().expect("its input is piped");
    let (stdout, stderr) = streams(&mut child, options);
    // One that does not read its input may be gone already.
    let _ = input.write_all(stdin);
    drop(input);
    let Some(status) = wait(&mut child, DEADLINE) else {
        // It is the test's own child and has not been waited for.
        let _ = child.kill();
        panic!("rapid did not end: {}\n{}", stdout.text(), stderr.text());
    };
    stdout.wait_for_end(DEADLINE);
    stderr.wait_for_end(DEADLINE);
    Finished {
        code: status.code(),
        signal: status.signal(),
        stdout: stdout.text(),
        stderr: stderr.text(),
    }
}

/// `rapid` with a clean environment in a directory of its own.
pub(crate) fn command(words: &[&str], options: &Options, scratch: &Path) -> Command {
    let mut command = Command::new(options.program.as_deref().unwrap_or_else(|| rapid_binary()));
    command
        .args(words)
        .args(&options.flags)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| (OsString::from("PATH"), path)))
        // The machine's own stays as it is.
        .env("RAPID_HOSTS_FILE", "none")
        .envs(options.env.iter().map(|(name, value)| (name, value)))
        .current_dir(options.cwd.as_deref().unwrap_or(scratch))
        .stdout(if options.stdout_discarded { Stdio::null() } else { Stdio::piped() })
        .stderr(Stdio::piped());
    if !options.command.is_empty() {
        command.arg("--").args(&options.command);
    }
    command
}

pub(crate) fn streams(child: &mut Child, options: &Options) -> (Stream, Stream) {
    let stdout = child.stdout.take().filter(|_| !options.stdout_closed);
    let stderr = child.stderr.take().expect("its errors are piped");
    let stdout = match stdout {
        Some(stdout) => Stream::collect("standard output", stdout, options.stdout_paused),
        None => Stream::collect("standard output", io::empty(), false),
    };
    (stdout, Stream::collect("standard error", stderr, false))
}

pub(crate) fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    within(limit, || child.try_wait().expect("a child can be waited for"))
}
