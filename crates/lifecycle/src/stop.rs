//! How processes are ended: decided here as data, carried out elsewhere.

use std::time::Duration;

use rapid_interop::process::{Grace, StopPlan};

/// How long to wait for the last process of a generation to be reaped.
///
/// # Source
/// Lifecycle, "Shutdown procedure", step 7.
pub const REAP_LIMIT: Duration = Duration::from_secs(2);

/// The share of the budget that the runtime gets when there are extensions, in percent.
const RUNTIME_SHARE: u32 = 30;

/// SIGKILL at once.
///
/// # Source
/// Lifecycle, "Shutdown procedure", column "no agents registered", and step 5 for extensions that
/// have not registered for `SHUTDOWN`.
#[must_use]
pub const fn kill() -> StopPlan {
    StopPlan { grace: Grace::None, reap_limit: REAP_LIMIT }
}

/// The plan for a runtime beside extensions: SIGTERM, and SIGKILL when its share of `budget` has
/// passed.
///
/// # Source
/// Lifecycle, "Shutdown procedure", step 3.
#[must_use]
pub fn runtime_beside_extensions(budget: Duration) -> StopPlan {
    let share = budget.saturating_mul(RUNTIME_SHARE) / 100;
    StopPlan { grace: Grace::Terminate(share), reap_limit: REAP_LIMIT }
}

/// The plan for an extension that gets `SHUTDOWN`: it has what is `left` to end by itself.
///
/// # Source
/// Lifecycle, "Shutdown procedure", step 5, with the deadline enforced always.
#[must_use]
pub const fn told_extension(left: Duration) -> StopPlan {
    StopPlan { grace: Grace::Await(left), reap_limit: REAP_LIMIT }
}
