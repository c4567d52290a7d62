//! How processes are ended: decided here as data, carried out elsewhere.

use std::time::Duration;

use rapid_interop::process::StopPlan;

/// How long to wait for the last process of a generation to be reaped.
///
/// # Source
/// Lifecycle, "Shutdown procedure", step 7.
pub const REAP_LIMIT: Duration = Duration::from_secs(2);

/// The plan for the runtime of a sandbox without extensions: SIGKILL at once, as the service does.
///
/// # Source
/// Lifecycle, "Shutdown procedure", column "no agents registered".
#[must_use]
pub const fn runtime_alone() -> StopPlan {
    StopPlan { term_grace: None, reap_limit: REAP_LIMIT }
}
