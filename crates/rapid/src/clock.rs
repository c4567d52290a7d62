//! The wall clock, with which records and events are stamped.

use std::time::{SystemTime, UNIX_EPOCH};

use rapid_interop::EpochMillis;

pub(crate) fn now() -> EpochMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    EpochMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
