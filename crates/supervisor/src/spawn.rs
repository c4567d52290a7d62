//! The thread from which every process is launched.
//!
//! A process asks for a signal at its parent's death, and to the kernel the parent is the thread
//! that forked. So there is one thread for it that lives as long as anything it has launched.

use std::io::{self, PipeReader};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use nix::libc;
use nix::sys::signal::Signal;
use rapid_interop::process::{Launch, LaunchError, OutputSource};
use tokio::sync::oneshot;

use crate::child::Child;
use crate::exec::{self, Announcement, Image};
use crate::group::{Group, NewGroup};
use crate::log_pipe::{self, LogPipe};
use crate::memory::Peak;
use crate::output::{Pipe, Stream};
use crate::registry::own_pid;
use crate::supervisor::{Lifeline, Shared};
use crate::{lookup, oom, proc};

/// How often an executable that somebody is writing is tried again, and after which pause.
const BUSY_RETRIES: u32 = 5;
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// A launch on its way to the thread.
pub(crate) struct Request {
    pub(crate) launch: Launch,
    pub(crate) life: Arc<Lifeline>,
    pub(crate) reply: oneshot::Sender<Result<Child, LaunchError>>,
}

/// Starts the thread. It ends when the sender is dropped.
///
/// # Errors
/// When the system refuses another thread.
pub(crate) fn start(shared: Arc<Shared>) -> io::Result<mpsc::Sender<Request>> {
    let (sender, requests) = mpsc::channel::<Request>();
    thread::Builder::new().name("rapid-spawn".to_owned()).spawn(move || {
        while let Ok(Request { launch, life, reply }) = requests.recv() {
            let child = launch_one(&shared, launch, life);
            // Who asked may be gone; the dropped child ends what was started then.
            let _ = reply.send(child);
        }
    })?;
    Ok(sender)
}

fn launch_one(
    shared: &Arc<Shared>,
    launch: Launch,
    life: Arc<Lifeline>,
) -> Result<Child, LaunchError> {
    let path = lookup::executable(&launch)?;
    let token = shared.tokens.fetch_add(1, Ordering::Relaxed);
    let started = begin(shared, &launch, &path, token);
    // The reaper may have passed by while the launch was under way.
    shared.wake.notify_one();
    match started {
        Ok(group) => {
            tracing::debug!(process.name = group.name, process.pid = group.pid, "process started");
            Ok(Child::new(life, group))
        }
        Err(error) => {
            if let Some(guard) = &shared.registry.guard {
                guard.remove(token);
            }
            Err(lookup::refusal(&launch, &path, &error))
        }
    }
}

/// Starts the process and enters it into the registry.
fn begin(shared: &Arc<Shared>, launch: &Launch, path: &Path, token: u32) -> io::Result<Arc<Group>> {
    let takes_log = launch.source == OutputSource::Runtime && shared.sink.wants_log();
    let log = takes_log.then(LogPipe::open).transpose()?;
    let mut command = command(shared, launch, path, token, log.as_ref())?;
    let oom_kills = oom::kills();
    let peak = Peak::new(proc::own_anonymous_memory());
    let launching = shared.registry.launching();
    let mut process = spawn(&mut command)?;
    let pid = i32::try_from(process.id()).map_err(io::Error::other)?;
    // The process has its own writing end now; with ours the log would never end.
    let log = log.map(|log| log.reader);
    let open = |fd, stream| {
        let sink = Arc::clone(&shared.sink);
        Pipe::open(&shared.runtime, fd, sink, launch.source.clone(), stream)
    };
    let pipes = streams(&mut process, log, open);
    let (pipes, error) = match pipes {
        Ok(pipes) => (pipes, None),
        // It runs all the same and has to be ended like any other.
        Err(error) => (Vec::new(), Some(error)),
    };
    let group = Arc::new(Group::new(NewGroup {
        name: launch.name.clone(),
        pid,
        start: proc::stat(pid).map_or(0, |stat| stat.start),
        token,
        pipes,
        peak,
        oom_kills,
    }));
    launching.done(Arc::clone(&group));
    let Some(error) = error else { return Ok(group) };
    group.signal(Signal::SIGKILL);
    group.abandon();
    Err(error)
}

fn command(
    shared: &Shared,
    launch: &Launch,
    path: &Path,
    token: u32,
    log: Option<&LogPipe>,
) -> io::Result<Command> {
    let mut env = launch.env.clone();
    if log.is_some() {
        log_pipe::tell(&mut env);
    }
    let image = Image::new(path.into(), launch.argv.clone(), env)?;
    let line = shared.registry.guard.as_ref().and_then(|guard| guard.line());
    let announcement = line.map(|line| Announcement { line, token });
    let mut command = Command::new(path);
    command
        .current_dir(&launch.cwd)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let log = log.map(|log| log.writer.as_raw_fd());
    exec::prepare(&mut command, image, own_pid(), announcement, log);
    Ok(command)
}

/// Retries while the executable is being written: a build may be about to finish, or another
/// thread of ours has just forked with the file open.
fn spawn(command: &mut Command) -> io::Result<std::process::Child> {
    for _ in 0..BUSY_RETRIES {
        match command.spawn() {
            Err(error) if error.raw_os_error() == Some(libc::ETXTBSY) => thread::sleep(BUSY_PAUSE),
            result => return result,
        }
    }
    command.spawn()
}

fn streams(
    process: &mut std::process::Child,
    log: Option<PipeReader>,
    open: impl Fn(OwnedFd, Stream) -> io::Result<Arc<Pipe>>,
) -> io::Result<Vec<Arc<Pipe>>> {
    let missing = || io::Error::from_raw_os_error(libc::EBADF);
    let stdout = OwnedFd::from(process.stdout.take().ok_or_else(missing)?);
    let stderr = OwnedFd::from(process.stderr.take().ok_or_else(missing)?);
    let log = log.map(|log| (log.into(), Stream::Log));
    let mut pipes: Vec<Arc<Pipe>> = Vec::new();
    for (fd, stream) in [(stdout, Stream::Stdout), (stderr, Stream::Stderr)].into_iter().chain(log)
    {
        match open(fd, stream) {
            Ok(pipe) => pipes.push(pipe),
            Err(error) => {
                // Or they would be read for as long as anybody holds the other end.
                pipes.iter().for_each(|pipe| pipe.close());
                return Err(error);
            }
        }
    }
    Ok(pipes)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::runtime::Handle;

    use super::*;
    use crate::output::{AnySink, OutputSink};

    /// Keeps which streams have ended.
    #[derive(Default)]
    struct Ends(Mutex<Vec<Stream>>);

    impl OutputSink for Ends {
        fn lines(&self, _source: &OutputSource, _stream: Stream, _bytes: &[u8]) {}

        fn ended(&self, _source: &OutputSource, stream: Stream) {
            self.0.lock().unwrap().push(stream);
        }

        async fn room(&self) {}
    }

    #[tokio::test]
    async fn streams_are_abandoned_when_one_of_them_cannot_be_read() {
        let mut process = Command::new("sleep")
            .arg("60")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let ends = Arc::new(Ends::default());
        let sink = || Arc::clone(&ends) as Arc<dyn AnySink>;
        let opened = streams(&mut process, None, |fd, stream| match stream {
            Stream::Stdout => {
                Pipe::open(&Handle::current(), fd, sink(), OutputSource::Runtime, stream)
            }
            Stream::Stderr | Stream::Log => Err(io::Error::from_raw_os_error(libc::EMFILE)),
        });
        process.kill().unwrap();
        process.wait().unwrap();
        assert_eq!(opened.unwrap_err().raw_os_error(), Some(libc::EMFILE));
        assert_eq!(*ends.0.lock().unwrap(), [Stream::Stdout]);
    }
}
