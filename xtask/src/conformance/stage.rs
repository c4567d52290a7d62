//! Plays a transcript against one emulator and collects everything that could be seen.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::conformance::http::{self, Reply};
use crate::conformance::runtime::{RUNTIME, Trace, script_path, traces};
use crate::conformance::step::{Request, Step};
use crate::conformance::transcript::Transcript;
use crate::port::free_address;

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

/// What every transcript is played with.
#[derive(Debug)]
pub(crate) struct Stage {
    /// This program.
    pub(crate) bootstrap: PathBuf,
    /// The script that enters an image.
    pub(crate) image: PathBuf,
}

/// What could be seen of a transcript from outside.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    /// The replies that each process of the runtime got, in order.
    pub(crate) runtime: Vec<Trace>,
    /// The same for each external extension, by its name.
    pub(crate) extensions: BTreeMap<String, Vec<Trace>>,
    /// The replies that the invoker got, in order.
    pub(crate) invoker: Vec<Reply>,
    /// The emulator's standard output.
    pub(crate) stdout: String,
    /// How the emulator ended.
    pub(crate) exit: String,
}

/// Plays a transcript in the empty directory `dir`.
///
/// # Errors
/// When the machine does not allow it; whatever the emulator does is a result.
pub(crate) fn play(
    emulator: &Emulator,
    transcript: &Transcript,
    dir: &Path,
    stage: &Stage,
) -> Result<Observed> {
    for (index, script) in transcript.runtime.iter().enumerate() {
        fs::write(script_path(dir, RUNTIME, index + 1), script).context("writing a script")?;
    }
    for (name, script) in &transcript.extensions {
        fs::write(script_path(dir, name, 1), script).context("writing a script")?;
        add_extension(dir, name, &stage.bootstrap)
            .with_context(|| format!("the extension {name}"))?;
    }
    let (front, runtime_api) = (free_address()?, free_address()?);
    let command = command(emulator, transcript, dir, stage, front, runtime_api)?;
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
                    Step::Await
                    | Step::Park
                    | Step::Hang
                    | Step::Say(_)
                    | Step::Exit(_)
                    | Step::Signal(_) => {
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
    let names = transcript.extensions.keys();
    let extensions = names.map(|name| Ok((name.clone(), traces(dir, name)?)));
    Ok(Observed {
        runtime: traces(dir, RUNTIME)?,
        extensions: extensions.collect::<Result<_>>()?,
        invoker,
        stdout,
        exit,
    })
}

/// Whether transcripts can have external extensions: `/opt` has to be a directory of their own,
/// which takes a user and a mount namespace, and those may be denied.
///
/// # Errors
/// When there is no directory to try it in.
pub(crate) fn has_images(image: &Path, dir: &Path) -> Result<bool> {
    fs::create_dir_all(dir.join("opt")).context("creating a directory")?;
    // Without such a program there is no way either.
    Ok(enter(image, dir).arg("true").output().is_ok_and(|output| output.status.success()))
}

/// A command that runs its arguments where `/opt` is that of an image; `dir` is given up to it.
fn enter(image: &Path, dir: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh"]).arg(image).arg(dir);
    command
}

/// Puts an extension into the image: extensions get no arguments, hence a script that does.
fn add_extension(dir: &Path, name: &str, bootstrap: &Path) -> Result<()> {
    let file = dir.join("opt/extensions").join(name);
    fs::create_dir_all(dir.join("opt/extensions"))?;
    let (bootstrap, dir) = (bootstrap.display(), dir.display());
    fs::write(&file, format!("#!/bin/sh\nexec '{bootstrap}' scripted-process '{dir}' {name}\n"))?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    Ok(())
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
    stage: &Stage,
    front: SocketAddr,
    runtime_api: SocketAddr,
) -> Result<Command> {
    let create = |name: &str| File::create(dir.join(name)).context("creating a log");
    let mut command = if transcript.extensions.is_empty() {
        Command::new(&emulator.program)
    } else {
        let mut command = enter(&stage.image, dir);
        command.arg(&emulator.program);
        command
    };
    command.args(emulator.flags);
    for (flag, address) in [(FRONT_FLAG, front), (RUNTIME_API_FLAG, runtime_api)] {
        if !transcript.flags.iter().any(|own| own.starts_with(flag)) {
            command.arg(flag).arg(address.to_string());
        }
    }
    command.args(&transcript.flags);
    if transcript.command.is_empty() {
        command.arg(&stage.bootstrap).arg("scripted-process").arg(dir).arg(RUNTIME);
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
