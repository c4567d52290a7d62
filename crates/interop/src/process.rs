//! Processes as the engine sees them: what to start, how it ended, what it cost.

use std::ffi::OsString;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use rapid_fatal_error::ErrorType;

/// A process to start, complete: nothing is inherited but what stands here.
#[derive(Clone)]
pub struct Launch {
    /// The name in logs, unique within a sandbox: `runtime-1`, `extension-agent-1`.
    pub name: String,
    /// Whose output it is.
    pub source: OutputSource,
    /// The command line; the first item is the executable, looked up through `PATH` of
    /// [`Launch::env`] when it has no slash.
    pub argv: Vec<OsString>,
    /// The whole environment of the process.
    pub env: Vec<(OsString, OsString)>,
    /// The working directory; absolute, or refused with [`LaunchError::RelativeWorkingDirectory`].
    pub cwd: PathBuf,
}

impl fmt::Debug for Launch {
    /// Leaves the environment out: it holds credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Launch")
            .field("name", &self.name)
            .field("argv", &self.argv)
            .field("cwd", &self.cwd)
            .finish_non_exhaustive()
    }
}

/// Who wrote a line of output.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OutputSource {
    /// The runtime process and its children.
    Runtime,
    /// The extension of that name and its children.
    Extension(Box<str>),
}

/// Why a process could not be started.
///
/// # Source
/// Lifecycle, "Init" steps 8 and 10; wording of the operating system's errors as in "Supervisor".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LaunchError {
    /// None of the usual places holds an executable bootstrap.
    #[error("Couldn't find valid bootstrap(s): [{}]", .searched.join(" "))]
    NoBootstrap {
        /// The places that were looked at, in order.
        searched: Vec<String>,
    },
    /// The command does not exist.
    #[error("fork/exec {path}: no such file or directory")]
    NotFound {
        /// The executable as it was given.
        path: String,
    },
    /// The command exists but may not be executed; a directory may not either.
    #[error("fork/exec {path}: permission denied")]
    NotExecutable {
        /// The executable as it was given.
        path: String,
    },
    /// The operating system refused for another reason.
    #[error("fork/exec {path}: {reason}")]
    Refused {
        /// The executable as it was given.
        path: String,
        /// The system's words, in lower case.
        reason: String,
    },
    /// The working directory is not absolute.
    #[error("the working directory '{path}' is invalid, it needs to be an absolute path")]
    RelativeWorkingDirectory {
        /// The directory as it was given.
        path: String,
    },
    /// The working directory does not exist or is no directory.
    #[error("the working directory doesn't exist: {path}")]
    WorkingDirectory {
        /// The directory as it was given.
        path: String,
    },
}

impl LaunchError {
    /// What a person can do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NoBootstrap { .. } => {
                "give a command, as in `rapid -- ./bootstrap`, or put an executable there"
            }
            Self::NotFound { .. } => "check the path, and PATH if it has no slash",
            Self::NotExecutable { .. } => "it has to be a file with execute permission (chmod +x)",
            Self::Refused { .. } => "check that it runs on this machine",
            Self::RelativeWorkingDirectory { .. } | Self::WorkingDirectory { .. } => {
                "start rapid in a directory that exists"
            }
        }
    }

    /// The fatal error that this failure of the runtime's launch is.
    #[must_use]
    pub fn error_type(&self) -> ErrorType {
        match self {
            Self::RelativeWorkingDirectory { .. } | Self::WorkingDirectory { .. } => {
                ErrorType::RuntimeInvalidWorkingDir
            }
            Self::NoBootstrap { .. }
            | Self::NotFound { .. }
            | Self::NotExecutable { .. }
            | Self::Refused { .. } => ErrorType::RuntimeInvalidEntrypoint,
        }
    }
}

/// How a process ended.
///
/// # Source
/// Lifecycle, "First fatal error" (wording) and "Supervisor".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Termination {
    /// It exited with this status, 0 to 255.
    Exited(i32),
    /// This signal ended it.
    Signaled(i32),
    /// The kernel killed it because memory ran out.
    OutOfMemory,
}

impl Termination {
    /// Whether it exited with status 0.
    #[must_use]
    pub const fn success(self) -> bool {
        matches!(self, Self::Exited(0))
    }

    /// The fatal error that this end of the runtime is, outside shutdown.
    #[must_use]
    pub const fn error_type(self) -> ErrorType {
        match self {
            Self::OutOfMemory => ErrorType::RuntimeOutOfMemory,
            Self::Exited(_) | Self::Signaled(_) => ErrorType::RuntimeExitError,
        }
    }

    /// What an invoker is told when an extension ended like this.
    #[must_use]
    pub fn extension_message(self) -> String {
        if self.success() { "exit code 0".to_owned() } else { self.to_string() }
    }

    /// What an invoker is told when the runtime ended like this.
    #[must_use]
    pub fn runtime_message(self) -> String {
        if self.success() {
            "Runtime exited without providing a reason".to_owned()
        } else {
            format!("Runtime exited with error: {self}")
        }
    }
}

impl fmt::Display for Termination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exit status {status}"),
            Self::Signaled(signal) => write!(f, "signal: {}", SignalName(*signal)),
            Self::OutOfMemory => write!(f, "signal: {}", SignalName(9)),
        }
    }
}

/// A signal under the name that Linux prints for it.
struct SignalName(i32);

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Numbers of Linux on x86-64 and aarch64, which agree.
        let name = match self.0 {
            1 => "hangup",
            2 => "interrupt",
            3 => "quit",
            4 => "illegal instruction",
            5 => "trace/breakpoint trap",
            6 => "aborted",
            7 => "bus error",
            8 => "floating point exception",
            9 => "killed",
            10 => "user defined signal 1",
            11 => "segmentation fault",
            12 => "user defined signal 2",
            13 => "broken pipe",
            14 => "alarm clock",
            15 => "terminated",
            16 => "stack fault",
            24 => "CPU time limit exceeded",
            25 => "file size limit exceeded",
            26 => "virtual timer expired",
            27 => "profiling timer expired",
            30 => "power failure",
            31 => "bad system call",
            other => return write!(f, "signal {other}"),
        };
        f.write_str(name)
    }
}

/// How a process is brought to its end, decided before anything is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopPlan {
    /// What it is given before SIGKILL.
    pub grace: Grace,
    /// How long to wait for everything to be reaped after SIGKILL.
    pub reap_limit: Duration,
}

/// What a process is given before SIGKILL goes to its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grace {
    /// Nothing: SIGKILL at once.
    None,
    /// SIGTERM to the group, and this time for all of it to end.
    Terminate(Duration),
    /// This time for the leader to end by itself; it has been told in another way.
    Await(Duration),
}

/// What became of a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopReport {
    /// `false`: processes were still there when [`StopPlan::reap_limit`] had passed.
    pub clean: bool,
}

/// A file that is to be started as an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionFile {
    /// Its base name, which is the extension's name.
    pub name: Box<str>,
    /// What to execute.
    pub path: PathBuf,
}

/// Where extensions are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtensionSources {
    /// The directories, the first of two files of the same name counts; none: no extensions.
    pub directories: Vec<PathBuf>,
    /// A file whose existence turns extensions off.
    pub switch: Option<PathBuf>,
}

/// What was found there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtensionDiscovery {
    /// The switch is there.
    Disabled,
    /// These files, sorted by name within each directory.
    Found(Vec<ExtensionFile>),
}

/// Starts processes for the engine. `rapid-supervisor` is the real one.
pub trait Processes: Send + Sync + 'static {
    /// A started process.
    type Process: Process;

    /// Looks for extensions, without waiting for anything but the file system.
    fn find_extensions(&self, sources: &ExtensionSources) -> ExtensionDiscovery;

    /// Starts a process in a process group of its own.
    ///
    /// # Errors
    /// [`LaunchError`] when it could not be executed; nothing was started then.
    fn launch(
        &self,
        launch: Launch,
    ) -> impl Future<Output = Result<Self::Process, LaunchError>> + Send;
}

/// A started process and its group. Clones mean the same process.
pub trait Process: Clone + Send + Sync + 'static {
    /// Resolves once the leader of the group has ended; any number may wait. [`Process::stop`] is
    /// to follow even then: it ends the rest of the group and reaps the leader.
    fn exited(&self) -> impl Future<Output = Termination> + Send;

    /// Ends the whole group, descendants that left it included where that can be known.
    ///
    /// Resolves when all are reaped, or when the plan's limits have passed. A leader that is gone
    /// already does not keep its group from being ended.
    fn stop(&self, plan: StopPlan) -> impl Future<Output = StopReport> + Send;

    /// Passes on every whole line that the group has written so far, without waiting.
    ///
    /// The engine calls it before it reports the end of an invocation, so that a function's lines
    /// stand before the platform's.
    fn drain_output(&self);

    /// The peak of resident memory over all processes of the group so far, in bytes.
    ///
    /// A measurement may be up to 100 ms old; it is fresh at the first call and after the end.
    fn peak_memory(&self) -> u64;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_described_as_the_service_describes_them() {
        let rows = [
            (Termination::Exited(0), "Runtime exited without providing a reason"),
            (Termination::Exited(3), "Runtime exited with error: exit status 3"),
            (Termination::Signaled(11), "Runtime exited with error: signal: segmentation fault"),
            (Termination::Signaled(9), "Runtime exited with error: signal: killed"),
            (Termination::Signaled(34), "Runtime exited with error: signal: signal 34"),
            (Termination::OutOfMemory, "Runtime exited with error: signal: killed"),
        ];
        for (termination, message) in rows {
            assert_eq!(termination.runtime_message(), message);
        }
    }

    #[test]
    fn endings_of_extensions_are_described_without_their_name() {
        assert_eq!(Termination::Exited(0).extension_message(), "exit code 0");
        assert_eq!(Termination::Exited(1).extension_message(), "exit status 1");
        assert_eq!(Termination::Signaled(9).extension_message(), "signal: killed");
    }

    #[test]
    fn a_missing_bootstrap_names_the_places_that_were_searched() {
        let error = LaunchError::NoBootstrap {
            searched: vec!["/var/task/bootstrap".into(), "/opt/bootstrap".into()],
        };
        assert_eq!(
            error.to_string(),
            "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
        );
        assert_eq!(error.error_type(), ErrorType::RuntimeInvalidEntrypoint);
    }

    #[test]
    fn a_launch_never_prints_its_environment() {
        let launch = Launch {
            name: "runtime-1".into(),
            source: OutputSource::Runtime,
            argv: vec!["/bin/true".into()],
            env: vec![("AWS_SECRET_ACCESS_KEY".into(), "hush".into())],
            cwd: "/".into(),
        };
        assert!(!format!("{launch:?}").contains("hush"));
    }
}
