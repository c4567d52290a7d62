//! [`Rapid`]: a `rapid` that serves.

use std::io;
use std::net::SocketAddr;
use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::command;
use crate::fixture::error_body;
use crate::http::{Connection, Reply, Request};
use crate::options::Options;
use crate::processes::{self, Process};
use crate::stream::Stream;
use crate::wait::{DEADLINE, eventually_some, within};

/// The variable by which every process that a `rapid` ever starts can be told.
const MARK: &str = "E2E_MARK";

/// The name of the helper that outlives a killed rapid for a moment, by design.
const GUARD: &str = "rapid-guard";

/// A `rapid` that serves, as a process. Dropped, it is killed with all it has started.
#[derive(Debug)]
pub struct Rapid {
    pid: i32,
    child: Mutex<Child>,
    stdout: Stream,
    stderr: Stream,
    invoke_address: SocketAddr,
    runtime_address: SocketAddr,
    mark: String,
    scratch: TempDir,
}

impl Rapid {
    /// Starts it and waits until it listens.
    ///
    /// # Panics
    /// When it does not announce itself within [`DEADLINE`]; shows what it said instead.
    #[track_caller]
    pub fn serve(options: Options) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let tag = format!("{}-{serial}-{}", std::process::id(), since.as_nanos());
        let mark = format!("{}={tag}", MARK);
        let mut options = options.env(MARK, tag);
        if !options.own_ports {
            options.flags.splice(
                0..0,
                ["--address", "127.0.0.1:0", "--runtime-api-address", "127.0.0.1:0"]
                    .map(Into::into),
            );
        }
        let scratch = tempfile::tempdir().expect("a directory can be made");
        let mut child = command::command(&[], &options, scratch.path())
            .stdin(std::process::Stdio::null())
            .spawn()
            .expect("rapid can be started");
        let pid = i32::try_from(child.id()).expect("process ids are small");
        let (stdout, stderr) = command::streams(&mut child, &options);
        let line = stderr.wait_for("rapid: invoke at http://", DEADLINE);
        let (invoke_address, runtime_address) =
            addresses(&line).unwrap_or_else(|| panic!("no addresses in: {line}"));
        Self {
            pid,
            child: Mutex::new(child),
            stdout,
            stderr,
            invoke_address,
            runtime_address,
            mark,
            scratch,
        }
    }

    /// The process id.
    pub const fn pid(&self) -> i32 {
        self.pid
    }

    /// Where the Invoke API listens.
    pub const fn invoke_address(&self) -> SocketAddr {
        self.invoke_address
    }

    /// Where the Runtime API listens.
    pub const fn runtime_address(&self) -> SocketAddr {
        self.runtime_address
    }

    /// Its directory, unless [`Options::current_dir`] named another.
    pub fn scratch(&self) -> &std::path::Path {
        self.scratch.path()
    }

    /// Its standard output: the function's lines, `START`, `END` and `REPORT`.
    pub const fn stdout(&self) -> &Stream {
        &self.stdout
    }

    /// Its standard error: its own log.
    pub const fn stderr(&self) -> &Stream {
        &self.stderr
    }

    /// Waits for a line on standard output that contains `pattern`.
    ///
    /// # Panics
    /// When there is none within `limit`.
    #[track_caller]
    pub fn wait_for_line(&self, pattern: &str, limit: Duration) -> String {
        self.stdout.wait_for(pattern, limit)
    }

    /// Waits for the `REPORT` line of an invocation.
    ///
    /// # Panics
    /// When there is none within [`DEADLINE`].
    #[track_caller]
    pub fn report_of(&self, reply: &Reply) -> String {
        self.wait_for_line(&format!("REPORT RequestId: {}\t", reply.request_id()), DEADLINE)
    }

    // --- Talking -----------------------------------------------------------------------------

    /// The path that invokes `function`.
    pub fn invoke_path(function: &str) -> String {
        format!("/2015-03-31/functions/{function}/invocations")
    }

    /// Invokes the function.
    ///
    /// # Panics
    /// When there is no reply within [`DEADLINE`].
    #[track_caller]
    pub fn invoke(&self, payload: impl Into<Vec<u8>>) -> Reply {
        self.invoke_with("function", &[], payload)
    }

    /// Invokes the function under a name, with further headers.
    ///
    /// # Panics
    /// When there is no reply within [`DEADLINE`].
    #[track_caller]
    pub fn invoke_with(
        &self,
        function: &str,
        headers: &[(&str, &str)],
        payload: impl Into<Vec<u8>>,
    ) -> Reply {
        let mut request = Request::post(&Self::invoke_path(function), payload);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        match self.to_invoke().exchange(&request) {
            Ok(reply) => reply,
            Err(error) => {
                panic!("no reply: {error}\n{}\n{}", self.stdout.text(), self.stderr.text())
            }
        }
    }

    /// Invokes the function in another thread.
    pub fn invoke_in_background(
        &self,
        payload: impl Into<Vec<u8>>,
    ) -> thread::JoinHandle<io::Result<Reply>> {
        let request = Request::post(&Self::invoke_path("function"), payload);
        let address = self.invoke_address;
        thread::spawn(move || Connection::open(address)?.exchange(&request))
    }

    /// Invokes the fixture and expects it to answer as if nothing had happened before.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn expect_echo(&self) -> Reply {
        let payload = r#"{"do":"echo","and":"all is well"}"#;
        let reply = self.invoke(payload);
        assert_eq!(reply.text(), payload, "{reply:?}\n{}", self.stderr.text());
        assert_eq!((reply.status, reply.function_error()), (200, None), "{reply:?}");
        reply
    }

    /// Expects a failure that the platform describes itself, in the service's manner.
    ///
    /// # Panics
    /// When the reply is another.
    #[track_caller]
    pub fn expect_failure(reply: &Reply, error_type: &str, message: &str) {
        assert_eq!(reply.text(), error_body(error_type, &reply.request_id(), message));
        assert_eq!((reply.status, reply.function_error()), (200, Some("Unhandled")), "{reply:?}");
        assert_eq!(reply.header("Content-Type"), Some("application/json"));
    }

    /// A new connection to the Invoke API.
    ///
    /// # Panics
    /// When nobody listens.
    #[track_caller]
    pub fn to_invoke(&self) -> Connection {
        Connection::open(self.invoke_address).expect("the Invoke API listens")
    }

    /// A new connection to the Runtime API.
    ///
    /// # Panics
    /// When nobody listens.
    #[track_caller]
    pub fn to_runtime(&self) -> Connection {
        Connection::open(self.runtime_address).expect("the Runtime API listens")
    }

    /// A request to the Runtime API, over a connection of its own.
    ///
    /// # Panics
    /// When there is no reply within [`DEADLINE`].
    #[track_caller]
    pub fn call(&self, request: &Request) -> Reply {
        match self.to_runtime().exchange(request) {
            Ok(reply) => reply,
            Err(error) => panic!("no reply: {error}\n{}", self.stderr.text()),
        }
    }

    /// What `GET /health` calls the state.
    ///
    /// # Panics
    /// When there is no answer.
    #[track_caller]
    pub fn health(&self) -> String {
        let reply = self.to_invoke().exchange(&Request::get("/health")).expect("it is answered");
        reply.json()["state"].as_str().unwrap_or_default().to_owned()
    }

    // --- Signals and the end -----------------------------------------------------------------

    /// Sends SIGTERM.
    pub fn term(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Sends SIGINT.
    pub fn int(&self) {
        self.signal(Signal::SIGINT);
    }

    /// Sends SIGKILL.
    pub fn kill9(&self) {
        self.signal(Signal::SIGKILL);
    }

    /// Sends a signal to this process alone, unless it has ended.
    pub fn signal(&self, signal: Signal) {
        let mut child = self.child();
        if matches!(child.try_wait(), Ok(None)) {
            // It has not been waited for, so that its id is its own.
            let _ = kill(Pid::from_raw(self.pid), signal);
        }
    }

    /// Waits for its end; the exit code, or `None` when a signal ended it.
    ///
    /// # Panics
    /// When it has not ended within `limit`.
    #[track_caller]
    pub fn exit_code(&self, limit: Duration) -> Option<i32> {
        self.exit_status(limit).code()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it has not ended within `limit`.
    #[track_caller]
    pub fn exit_status(&self, limit: Duration) -> ExitStatus {
        command::wait(&mut self.child(), limit)
            .unwrap_or_else(|| panic!("rapid runs still after {limit:?}\n{}", self.stderr.text()))
    }

    /// Whether it has not ended.
    pub fn is_running(&self) -> bool {
        matches!(self.child().try_wait(), Ok(None))
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // --- Looking -----------------------------------------------------------------------------

    /// Every process that it or anything it has started has started, dead ones that nobody has
    /// waited for included; the guard is not among them.
    pub fn family(&self) -> Vec<Process> {
        let mut family = processes::family(self.pid, &self.mark);
        family.retain(|process| process.name != GUARD);
        family
    }

    /// The helper that cleans up after a killed rapid.
    pub fn guard(&self) -> Option<Process> {
        let mut family = processes::family(self.pid, &self.mark).into_iter();
        family.find(|process| process.name == GUARD)
    }

    /// Waits until exactly `count` processes are left besides rapid and its guard, and returns
    /// them.
    ///
    /// # Panics
    /// When that is not so within [`DEADLINE`].
    #[track_caller]
    pub fn expect_family(&self, count: usize) -> Vec<Process> {
        let settled = within(DEADLINE, || {
            let family = self.family();
            (family.len() == count).then_some(family)
        });
        settled.unwrap_or_else(|| panic!("not {count} processes are left: {:#?}", self.family()))
    }

    /// The runtime process: rapid's only child besides the guard.
    ///
    /// # Panics
    /// When there is none within [`DEADLINE`].
    #[track_caller]
    pub fn runtime(&self) -> Process {
        eventually_some("a runtime process", || {
            // A process that has just been forked is still called rapid.
            let grown_up = |p: &Process| p.state != 'Z' && !p.name.starts_with("rapid");
            self.family().into_iter().find(|p| p.parent == self.pid && grown_up(p))
        })
    }

    /// The process of that name that it has started itself: an extension's is called as its file.
    ///
    /// # Panics
    /// When there is none within [`DEADLINE`].
    #[track_caller]
    pub fn child_called(&self, name: &str) -> Process {
        eventually_some(&format!("a process called {name}"), || {
            let mine = |p: &Process| p.parent == self.pid && p.state != 'Z' && p.name == name;
            self.family().into_iter().find(mine)
        })
    }

    /// How many file descriptors it has.
    pub fn descriptors(&self) -> usize {
        processes::descriptors(self.pid)
    }

    /// How many threads it has.
    pub fn threads(&self) -> usize {
        processes::threads(self.pid)
    }

    /// Its resident memory, in KiB.
    pub fn resident_kib(&self) -> u64 {
        processes::resident_kib(self.pid)
    }
}

impl Drop for Rapid {
    fn drop(&mut self) {
        let family = self.family();
        let mut child = self.child();
        // It may have ended already; then there is nothing to kill and nothing to wait for.
        let _ = child.kill();
        let _ = child.wait();
        drop(child);
        for process in family.into_iter().chain(self.family()) {
            process.kill();
        }
    }
}

/// `rapid: invoke at http://HOST:PORT/… (Runtime API at HOST:PORT)`
fn addresses(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let (_, rest) = line.split_once("http://")?;
    let (invoke, rest) = rest.split_once('/')?;
    let (_, runtime) = rest.split_once("(Runtime API at ")?;
    let invoke = invoke.replace("localhost:", "127.0.0.1:");
    Some((invoke.parse().ok()?, runtime.strip_suffix(')')?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_the_announcement() {
        let line = "rapid: invoke at http://127.0.0.1:4711/2015-03-31/functions/function/invocations (Runtime API at 127.0.0.1:4712)";
        let (invoke, runtime) = addresses(line).unwrap();
        assert_eq!((invoke.port(), runtime.port()), (4711, 4712));
        assert_eq!(addresses("rapid: something else"), None);
    }
}
