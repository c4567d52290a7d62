//! Waiting for conditions, never for time alone.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long anything may take before a test gives up on it.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// How often a condition is looked at that cannot tell by itself.
const PACE: Duration = Duration::from_millis(5);

/// Looks until `condition` holds.
///
/// # Panics
/// When it does not hold within [`DEADLINE`]; `what` says what was waited for.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    eventually_some(what, || condition().then_some(()));
}

/// Looks until there is something, and returns it.
///
/// # Panics
/// When there is nothing within [`DEADLINE`]; `what` says what was waited for.
#[track_caller]
pub fn eventually_some<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(DEADLINE, look).unwrap_or_else(|| panic!("{what}: not within {DEADLINE:?}"))
}

/// What the clock says, in milliseconds since the epoch.
#[must_use]
pub fn epoch_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Looks until there is something or `limit` has passed.
pub(crate) fn within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        thread::sleep(PACE);
    }
}
