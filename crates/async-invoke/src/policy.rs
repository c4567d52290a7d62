//! [`Policy`]: how often, how soon and for how long an event is tried.

use std::time::Duration;

use crate::error::AsyncInvokeError;

/// How often, how soon and for how long an event is tried.
///
/// It is read when it is applied: a change reaches the events that wait already.
///
/// # Source
/// Asynchronous invocation, "Retry rules".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How often an event is tried again after a function error: 0 to 2, by default 2.
    pub max_retry_attempts: u8,
    /// How old an event may be when an attempt begins: 1 minute to 6 hours, which is the default.
    pub max_event_age: Duration,
    /// How long to wait after the first and the second function error: by default 1 and 2 minutes.
    pub retry_delays: [Duration; 2],
    /// Whether the function's reserved concurrency is 0: then no event runs, and all fail at once.
    pub zero_reserved_concurrency: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_retry_attempts: 2,
            max_event_age: Duration::from_hours(6),
            retry_delays: [Duration::from_mins(1), Duration::from_mins(2)],
            zero_reserved_concurrency: false,
        }
    }
}

impl Policy {
    /// Whether everything is in its range.
    ///
    /// # Errors
    /// [`AsyncInvokeError::OutOfRange`].
    pub fn check(&self) -> Result<(), AsyncInvokeError> {
        let in_range = |name, value, least, most| {
            if (least..=most).contains(&value) {
                return Ok(());
            }
            Err(AsyncInvokeError::OutOfRange { name, value, least, most })
        };
        in_range("MaximumRetryAttempts", u64::from(self.max_retry_attempts), 0, 2)?;
        in_range("MaximumEventAgeInSeconds", self.max_event_age.as_secs(), 60, 21_600)
    }

    /// How long to wait after this many function errors.
    pub(crate) fn retry_delay(&self, errors: u8) -> Duration {
        let [first, later] = self.retry_delays;
        if errors <= 1 { first } else { later }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_the_ranges_of_the_service() {
        let policy = |max_retry_attempts, seconds| Policy {
            max_retry_attempts,
            max_event_age: Duration::from_secs(seconds),
            ..Policy::default()
        };
        for (attempts, seconds) in [(0, 60), (2, 21_600), (1, 3600)] {
            policy(attempts, seconds).check().unwrap();
        }
        let rows = [
            (policy(3, 60), "MaximumRetryAttempts is 3; it has to be from 0 to 2"),
            (policy(0, 59), "MaximumEventAgeInSeconds is 59; it has to be from 60 to 21600"),
            (policy(0, 21_601), "MaximumEventAgeInSeconds is 21601; it has to be from 60 to 21600"),
        ];
        for (policy, text) in rows {
            assert_eq!(policy.check().unwrap_err().to_string(), text);
        }
        Policy::default().check().unwrap();
    }
}
