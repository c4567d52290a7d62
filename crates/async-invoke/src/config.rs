//! [`Config`]: everything that is decided before the first event.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::policy::Policy;
use crate::target::Destinations;

/// Everything that is decided before the first event.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where events are kept, so that they outlive the process; it is made if it is missing.
    /// Without one they are kept in memory, and what is left at the end is lost.
    pub directory: Option<PathBuf>,
    /// How many events may run at the same time: as many as there are environments. By default 1.
    pub concurrency: NonZeroUsize,
    /// How many events may wait, run and be reported at the same time. By default 10,000.
    pub max_events: usize,
    /// How many bytes these may have together, with the responses that are kept for their reports.
    /// By default 64 MiB.
    pub max_bytes: usize,
    /// How events are tried; it can be changed later.
    pub policy: Policy,
    /// Who is told how events have ended.
    pub destinations: Destinations,
    /// The version of the function that reports name. By default `$LATEST`.
    pub executed_version: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            directory: None,
            concurrency: NonZeroUsize::MIN,
            max_events: 10_000,
            max_bytes: 64 * 1024 * 1024,
            policy: Policy::default(),
            destinations: Destinations::default(),
            executed_version: "$LATEST".to_owned(),
        }
    }
}
