//! Plays a transcript against one emulator and collects everything that could be seen.

use std::env;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::conformance::http::{self, Reply};
use crate::conformance::runtime::{script_path, trace_path};
use crate::conformance::step::{Request, Step};
use crate::conformance::transcript::Transcript;

const FRONT_FLAG: &str = "--runtime-interface-emulator-address";
const RUNTIME_API_FLAG: &str = "--runtime-api-address";
/// Marks a path that an invoker sends to the Runtime API.
const TO_RUNTIME_API: &str = "runtime:";

/// The end of [`Observed::exit`] when the emulator did not wait for SIGTERM.
pub(crate) const BY_ITSELF: &str = ", by itself";

/// Until an emulator listens.
const START: Duration = Duration::from_secs(10);
/// Until an invoker is answered.
const PATIENCE: Duration = Duration::from_secs(20);
/// Until an emulator has ended after SIGTERM.
const END: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(5);

/// An emulator under test.
#[derive(Debug)]
pub(crate) struct Emulator {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) flags: &'static [&'static str],
}

/// What could be seen of a transcript from outside.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    /// The replies that each process of the runtime got, in order.
    pub(crate) runtime: Vec<Vec<Reply>>,
    /// The replies that the invoker got, in order.
    pub(crate) invoker: Vec<Reply>,
    /// The emulator's standard output.
    pub(crate) stdout: String,
    /// How the emulator ended.
    pub(crate) exit: String,
}

/// Plays a transcript in the empty directory `dir`; `bootstrap` is this program.
///
/// # Errors
/// When the machine does not allow it; whatever the emulator does is a result.
pub(crate) fn play(
    emulator: &Emulator,
    transcript: &Transcript,
    dir: &Path,
    bootstrap: &Path,
) -> Result<Observed> {
    for (index, script) in transcript.runtime.iter().enumerate() {
        fs::write(script_path(dir, index + 1), script).context("writing a script")?;
    }
    let (front, runtime_api) = (free_address()?, free_address()?);
    let command = command(emulator, transcript, dir, bootstrap, front, runtime_api)?;
    let mut running = Running::start(command)?;
    let mut invoker = Vec::new();
    let exit = if running.listens(front)? && running.listens(runtime_api)? {
        let steps = transcript.invoker_steps()?;
        thread::scope(|scope| {
            let mut replies = Vec::new();
            for step in &steps {
                match step {
                    Step::Request(request) => {
                        replies.push(Awaited::Here(invoke(request, front, runtime_api)));
                    }
                    Step::Meanwhile(request) => {
                        let reply = scope.spawn(move || invoke(request, front, runtime_api));
                        replies.push(Awaited::Coming(reply));
                    }
                    Step::Pause(time) => thread::sleep(*time),
                    Step::Park | Step::Hang | Step::Say(_) | Step::Exit(_) | Step::Signal(_) => {
                        bail!("an invoker cannot {step:?}");
                    }
                }
            }
            let exit = running.terminate();
            invoker.extend(replies.into_iter().map(Awaited::get));
            exit
        })?
    } else {
        running.wait(END)?.map_or_else(
            || "does not listen".to_owned(),
            |status| format!("{}, without listening", describe(status)),
        )
    };
    drop(running);
    let stdout = fs::read(dir.join("stdout")).context("reading standard output")?;
    let stdout = String::from_utf8_lossy(&stdout).into_owned();
    Ok(Observed { runtime: traces(dir)?, invoker, stdout, exit })
}

/// A reply that an invoker has, or is going to have.
enum Awaited<'scope> {
    Here(Reply),
    Coming(ScopedJoinHandle<'scope, Reply>),
}

impl Awaited<'_> {
    fn get(self) -> Reply {
        match self {
            Self::Here(reply) => reply,
            Self::Coming(thread) => thread.join().unwrap_or_default(),
        }
    }
}

fn command(
    emulator: &Emulator,
    transcript: &Transcript,
    dir: &Path,
    bootstrap: &Path,
    front: SocketAddr,
    runtime_api: SocketAddr,
) -> Result<Command> {
    let create = |name: &str| File::create(dir.join(name)).context("creating a log");
    let mut command = Command::new(&emulator.program);
    command.args(emulator.flags);
    for (flag, address) in [(FRONT_FLAG, front), (RUNTIME_API_FLAG, runtime_api)] {
        if !transcript.flags.iter().any(|own| own.starts_with(flag)) {
            command.arg(flag).arg(address.to_string());
        }
    }
    command.args(&transcript.flags);
    if transcript.command.is_empty() {
        command.arg(bootstrap).arg("scripted-runtime").arg(dir);
    } else {
        command.args(&transcript.command);
    }
    command
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .envs(&transcript.env)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(create("stdout")?)
        .stderr(create("stderr")?);
    Ok(command)
}

/// An address of loopback that nobody listens on.
///
/// Not one of those that the system picks: a client that waits for the emulator could get the very
/// same port as its own, and be connected to itself.
fn free_address() -> Result<SocketAddr> {
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 20_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..COUNT {
        // The process id keeps runs at the same time apart.
        let step =
            NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(process::id().wrapping_mul(256));
        let port = u16::try_from(FIRST + step % COUNT).context("a port")?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port of loopback is free")
}

fn invoke(request: &Request, front: SocketAddr, runtime_api: SocketAddr) -> Reply {
    match request.path.strip_prefix(TO_RUNTIME_API) {
        Some(path) => {
            let request = Request { path: path.to_owned(), ..request.clone() };
            http::exchange(runtime_api, &request, PATIENCE)
        }
        None => http::exchange(front, request, PATIENCE),
    }
}

/// The emulator's process; killed when it is dropped before its end.
struct Running(Child);

impl Running {
    fn start(mut command: Command) -> Result<Self> {
        let child = command.spawn();
        let program = Path::new(command.get_program());
        child.map(Self).with_context(|| format!("starting {}", program.display()))
    }

    /// Waits until somebody listens; `false` when that is not going to happen.
    fn listens(&mut self, address: SocketAddr) -> Result<bool> {
        let start = Instant::now();
        while start.elapsed() < START {
            if TcpStream::connect(address).is_ok() {
                return Ok(true);
            }
            if self.0.try_wait().context("waiting for the emulator")?.is_some() {
                return Ok(false);
            }
            thread::sleep(POLL);
        }
        Ok(false)
    }

    fn terminate(&mut self) -> Result<String> {
        if let Some(status) = self.wait(Duration::ZERO)? {
            return Ok(format!("{}{BY_ITSELF}", describe(status)));
        }
        let pid = self.0.id().to_string();
        Command::new("sh").args(["-c", "kill -s TERM \"$0\"", &pid]).status().context("kill")?;
        let status = self.wait(END)?;
        Ok(status.map_or_else(|| "ignored SIGTERM".to_owned(), describe))
    }

    fn wait(&mut self, patience: Duration) -> Result<Option<ExitStatus>> {
        let start = Instant::now();
        loop {
            let status = self.0.try_wait().context("waiting for the emulator")?;
            if status.is_some() || start.elapsed() >= patience {
                return Ok(status);
            }
            thread::sleep(POLL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both are no-ops when it has been waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => code.to_string(),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown".to_owned(),
    }
}

/// What every process of the runtime wrote down.
fn traces(dir: &Path) -> Result<Vec<Vec<Reply>>> {
    let mut traces = Vec::new();
    loop {
        let path = trace_path(dir, traces.len() + 1);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(traces),
            Err(error) => return Err(error).with_context(|| format!("{}", path.display())),
        };
        // A process can be killed in the middle of a line.
        traces.push(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect());
    }
}
