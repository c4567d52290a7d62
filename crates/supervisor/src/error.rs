//! What can keep a supervisor from being set up.

use std::io;

/// Why a supervisor, a guard or a console could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SupervisorError {
    /// There is no tokio runtime to run on.
    #[error("no tokio runtime is running here")]
    NoRuntime,
    /// The signal that tells of ended children cannot be watched.
    #[error("the end of children cannot be watched")]
    ChildSignal(#[source] io::Error),
    /// The process could not be made the one that adopts its orphaned descendants.
    #[error("orphaned descendants cannot be adopted")]
    Subreaper(#[source] io::Error),
    /// Another supervisor of this process reaps every child already.
    #[error("another supervisor of this process reaps every child already")]
    AlreadyReapingAll,
    /// The guard must be started while the process has a single thread.
    #[error("the guard must be started before any thread is, and there are {threads} already")]
    GuardTooLate {
        /// How many threads there are.
        threads: usize,
    },
    /// The guard's process or its pipe could not be made.
    #[error("the guard cannot be started")]
    Guard(#[source] io::Error),
    /// The file descriptor of the output cannot be used.
    #[error("the output cannot be opened")]
    Console(#[source] io::Error),
}
