//! What the tests of real processes have in common.

#![allow(dead_code, reason = "no test program uses all of it")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rapid_interop::process::{Grace, Launch, OutputSource, StopPlan};
use rapid_supervisor::{OutputSink, Stream};

/// Long enough for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Straight to SIGKILL.
pub(crate) const KILL: StopPlan = StopPlan { grace: Grace::None, reap_limit: PATIENCE };

/// A sink that keeps everything.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    calls: Mutex<Vec<(OutputSource, Stream, Vec<u8>)>>,
}

impl OutputSink for Kept {
    fn lines(&self, source: &OutputSource, stream: Stream, bytes: &[u8]) {
        self.calls.lock().unwrap().push((source.clone(), stream, bytes.to_vec()));
    }

    async fn room(&self) {}
}

impl Kept {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn stream(&self, wanted: Stream) -> String {
        let calls = self.calls.lock().unwrap();
        let bytes: Vec<u8> = calls
            .iter()
            .filter(|(_, stream, _)| *stream == wanted)
            .flat_map(|(_, _, bytes)| bytes.iter().copied())
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What came in each call, whichever stream it was from.
    pub(crate) fn calls(&self) -> Vec<Vec<u8>> {
        self.calls.lock().unwrap().iter().map(|(_, _, bytes)| bytes.clone()).collect()
    }

    pub(crate) fn stdout(&self) -> String {
        self.stream(Stream::Stdout)
    }

    /// Waits for that many lines, and takes each for a number.
    pub(crate) async fn numbers(&self, count: usize) -> Vec<i32> {
        eventually("numbers are written", || self.stdout().lines().count() >= count).await;
        self.stdout().lines().map(|line| line.trim().parse().unwrap()).collect()
    }
}

/// A shell script with a usual search path.
pub(crate) fn sh(script: &str) -> Launch {
    launch(&["/bin/sh", "-c", script])
}

pub(crate) fn launch(argv: &[&str]) -> Launch {
    Launch {
        name: "runtime-1".into(),
        source: OutputSource::Runtime,
        argv: argv.iter().map(Into::into).collect(),
        env: vec![("PATH".into(), std::env::var_os("PATH").unwrap())],
        cwd: "/".into(),
    }
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Whether a process runs, and is no zombie.
pub(crate) fn alive(pid: i32) -> bool {
    state(pid).is_some_and(|state| state != 'Z' && state != 'X')
}

/// The state of a process by its letter; `None`: there is no such process, it has been reaped.
pub(crate) fn state(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}
