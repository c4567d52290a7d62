//! [`State`]: what becomes of an event, decided without a clock, a store or a socket.

use std::time::Duration;

use rapid_interop::EpochMillis;
use serde::{Deserialize, Serialize};

use crate::policy::Policy;

/// How long to wait when an event could not run at all, for the first time in a row.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// The longest such wait.
pub(crate) const LONGEST_BACKOFF: Duration = Duration::from_mins(5);

/// Where an event stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It waits for an attempt.
    Waiting {
        /// When that may begin.
        due: EpochMillis,
        tally: Tally,
    },
    /// An attempt runs.
    Running { tally: Tally },
    /// It will not be tried again.
    Finished(Verdict),
}

/// What has happened to an event so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Attempts that ended with a function error.
    pub(crate) errors: u8,
    /// Attempts since the last of those that never got to run.
    pub(crate) faults: u32,
}

/// How an event has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) condition: Condition,
    /// `approximateInvokeCount`.
    pub(crate) invocations: u8,
}

/// Why it ended; the names are those of the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Condition {
    Success,
    RetriesExhausted,
    EventAgeExceeded,
    ZeroReservedConcurrency,
}

/// What happens to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// It is its turn.
    Start,
    /// The function has answered.
    Success,
    /// The function has failed.
    FunctionError,
    /// It was throttled, or the platform failed: the function is not to blame.
    Fault,
    /// It cannot be read back from the store, and will not be another time.
    Unreadable,
}

impl State {
    /// An event that has just been accepted: it may run at once.
    pub(crate) const fn accepted(at: EpochMillis) -> Self {
        Self::Waiting { due: at, tally: Tally { errors: 0, faults: 0 } }
    }

    /// What becomes of an event that was accepted at `accepted` when something happens to it.
    /// What cannot happen in a state changes nothing.
    ///
    /// # Source
    /// Asynchronous invocation, "Retry rules".
    #[must_use]
    pub(crate) fn step(
        self,
        input: Input,
        now: EpochMillis,
        accepted: EpochMillis,
        policy: &Policy,
    ) -> Self {
        let oldest = later(accepted, policy.max_event_age);
        match (self, input) {
            (Self::Waiting { tally, .. }, Input::Start) => {
                if policy.zero_reserved_concurrency {
                    finished(Condition::ZeroReservedConcurrency, tally.errors)
                } else if now > oldest {
                    finished(Condition::EventAgeExceeded, tally.errors)
                } else {
                    Self::Running { tally }
                }
            }
            // The service says 1 for every success, also after retries.
            (Self::Running { .. }, Input::Success) => finished(Condition::Success, 1),
            (Self::Running { tally }, Input::FunctionError) => {
                let errors = tally.errors.saturating_add(1);
                if errors > policy.max_retry_attempts {
                    return finished(Condition::RetriesExhausted, errors);
                }
                let tally = Tally { errors, faults: 0 };
                wait_until(later(now, policy.retry_delay(errors)), oldest, tally)
            }
            (Self::Running { tally }, Input::Fault) => {
                let due = later(now, backoff(tally.faults));
                let tally = Tally { faults: tally.faults.saturating_add(1), ..tally };
                wait_until(due, oldest, tally)
            }
            // The service has no such condition; this one says that it is not tried again.
            (Self::Running { tally }, Input::Unreadable) => {
                finished(Condition::RetriesExhausted, tally.errors)
            }
            (
                Self::Waiting { .. },
                Input::Success | Input::FunctionError | Input::Fault | Input::Unreadable,
            )
            | (Self::Running { .. }, Input::Start)
            | (
                Self::Finished(_),
                Input::Start
                | Input::Success
                | Input::FunctionError
                | Input::Fault
                | Input::Unreadable,
            ) => self,
        }
    }
}

/// Waits for the next attempt, unless the event would be too old by then.
fn wait_until(due: EpochMillis, oldest: EpochMillis, tally: Tally) -> State {
    if due > oldest {
        return finished(Condition::EventAgeExceeded, tally.errors);
    }
    State::Waiting { due, tally }
}

const fn finished(condition: Condition, invocations: u8) -> State {
    State::Finished(Verdict { condition, invocations })
}

/// 1 s, doubled for every attempt before that did not get to run, up to 5 minutes.
fn backoff(faults: u32) -> Duration {
    let doubled = 1_u32.checked_shl(faults).and_then(|times| FIRST_BACKOFF.checked_mul(times));
    doubled.map_or(LONGEST_BACKOFF, |wait| wait.min(LONGEST_BACKOFF))
}

/// The time `after` that, rounded up: nothing is due too early.
pub(crate) fn later(at: EpochMillis, after: Duration) -> EpochMillis {
    let millis = after.as_nanos().div_ceil(1_000_000);
    EpochMillis(at.0.saturating_add(u64::try_from(millis).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ACCEPTED: EpochMillis = EpochMillis(1_000_000);
    const INPUTS: [Input; 5] =
        [Input::Start, Input::Success, Input::FunctionError, Input::Fault, Input::Unreadable];

    fn after(seconds: u64) -> EpochMillis {
        EpochMillis(ACCEPTED.0 + 1000 * seconds)
    }

    fn waiting(seconds: u64, errors: u8, faults: u32) -> State {
        State::Waiting { due: after(seconds), tally: Tally { errors, faults } }
    }

    fn running(errors: u8, faults: u32) -> State {
        State::Running { tally: Tally { errors, faults } }
    }

    fn step(state: State, input: Input, seconds: u64, policy: &Policy) -> State {
        state.step(input, after(seconds), ACCEPTED, policy)
    }

    #[test]
    fn every_input_in_every_state() {
        let policy = Policy::default();
        let verdict = finished(Condition::RetriesExhausted, 3);
        let rows = [
            (
                waiting(0, 0, 0),
                [
                    running(0, 0),
                    waiting(0, 0, 0),
                    waiting(0, 0, 0),
                    waiting(0, 0, 0),
                    waiting(0, 0, 0),
                ],
            ),
            (
                waiting(0, 2, 5),
                [
                    running(2, 5),
                    waiting(0, 2, 5),
                    waiting(0, 2, 5),
                    waiting(0, 2, 5),
                    waiting(0, 2, 5),
                ],
            ),
            (
                running(0, 0),
                [
                    running(0, 0),
                    finished(Condition::Success, 1),
                    waiting(70, 1, 0),
                    waiting(11, 0, 1),
                    finished(Condition::RetriesExhausted, 0),
                ],
            ),
            (
                running(1, 3),
                [
                    running(1, 3),
                    finished(Condition::Success, 1),
                    waiting(130, 2, 0),
                    waiting(18, 1, 4),
                    finished(Condition::RetriesExhausted, 1),
                ],
            ),
            (
                running(2, 0),
                [
                    running(2, 0),
                    finished(Condition::Success, 1),
                    verdict,
                    waiting(11, 2, 1),
                    finished(Condition::RetriesExhausted, 2),
                ],
            ),
            (verdict, [verdict; 5]),
        ];
        for (state, expected) in rows {
            for (input, expected) in INPUTS.into_iter().zip(expected) {
                assert_eq!(step(state, input, 10, &policy), expected, "{state:?} {input:?}");
            }
        }
    }

    #[test]
    fn function_errors_count_up_to_the_limit() {
        for attempts in 0..=2 {
            let policy = Policy { max_retry_attempts: attempts, ..Policy::default() };
            for errors in 0..=2 {
                let next = step(running(errors, 0), Input::FunctionError, 0, &policy);
                let exhausted = finished(Condition::RetriesExhausted, errors + 1);
                assert_eq!(next == exhausted, errors >= attempts, "{attempts} {errors}");
            }
        }
    }

    #[test]
    fn what_is_not_the_functions_fault_is_waited_out_for_longer_every_time() {
        let policy = Policy::default();
        let (mut state, mut waits) = (State::accepted(ACCEPTED), Vec::new());
        for _ in 0..12 {
            let State::Waiting { due, .. } = state else { panic!("{state:?}") };
            state = state.step(Input::Start, due, ACCEPTED, &policy);
            state = state.step(Input::Fault, due, ACCEPTED, &policy);
            let State::Waiting { due: next, tally } = state else { panic!("{state:?}") };
            assert_eq!(tally.errors, 0);
            waits.push((next.0 - due.0) / 1000);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        assert_eq!(backoff(u32::MAX), LONGEST_BACKOFF);
    }

    #[test]
    fn an_event_fails_at_once_when_its_next_attempt_would_come_too_late() {
        let policy = Policy { max_event_age: Duration::from_secs(100), ..Policy::default() };
        let expired = |invocations| finished(Condition::EventAgeExceeded, invocations);
        let rows = [
            (running(0, 0), Input::FunctionError, 40, waiting(100, 1, 0)),
            (running(0, 0), Input::FunctionError, 41, expired(1)),
            (running(1, 4), Input::Fault, 84, waiting(100, 1, 5)),
            (running(1, 4), Input::Fault, 85, expired(1)),
            (waiting(0, 0, 0), Input::Start, 100, running(0, 0)),
            (waiting(0, 0, 0), Input::Start, 101, expired(0)),
            // A handler that runs may take its time.
            (running(0, 0), Input::Success, 500, finished(Condition::Success, 1)),
            // The last attempt has been made, however old the event is.
            (running(2, 0), Input::FunctionError, 500, finished(Condition::RetriesExhausted, 3)),
        ];
        for (state, input, seconds, expected) in rows {
            assert_eq!(step(state, input, seconds, &policy), expected, "{state:?} {input:?}");
        }
    }

    #[test]
    fn without_reserved_concurrency_nothing_runs() {
        let policy = Policy { zero_reserved_concurrency: true, ..Policy::default() };
        let never_run = step(waiting(0, 0, 3), Input::Start, 0, &policy);
        assert_eq!(never_run, finished(Condition::ZeroReservedConcurrency, 0));
    }

    #[test]
    fn nothing_is_due_too_early_nor_at_the_end_of_time() {
        assert_eq!(later(EpochMillis(5), Duration::from_nanos(1)), EpochMillis(6));
        assert_eq!(later(EpochMillis(5), Duration::MAX), EpochMillis(u64::MAX));
    }

    proptest! {
        #[test]
        fn every_event_comes_to_its_end(
            attempts in 0_u8..=2,
            age in 60_u64..=21_600,
            delays in [0_u64..400, 0..400],
            inputs in proptest::collection::vec((1_usize..4, 0_u64..60), 1..400),
        ) {
            let policy = Policy {
                max_retry_attempts: attempts,
                max_event_age: Duration::from_secs(age),
                retry_delays: delays.map(Duration::from_secs),
                zero_reserved_concurrency: false,
            };
            let mut state = State::accepted(ACCEPTED);
            let mut now = ACCEPTED;
            let (mut errors, mut last) = (0, None);
            for (input, took) in inputs {
                match state {
                    State::Waiting { due, .. } => {
                        prop_assert!(due >= now);
                        prop_assert!(due.0 <= ACCEPTED.0 + 1000 * age);
                        now = due;
                        state = state.step(Input::Start, now, ACCEPTED, &policy);
                        prop_assert!(matches!(state, State::Running { .. }), "{:?}", state);
                        now = later(now, Duration::from_secs(took));
                        let input = INPUTS[input];
                        errors += u8::from(input == Input::FunctionError);
                        last = Some(input);
                        state = state.step(input, now, ACCEPTED, &policy);
                    }
                    State::Running { .. } => prop_assert!(false, "an attempt has ended"),
                    State::Finished(verdict) => {
                        let Verdict { condition, invocations } = verdict;
                        prop_assert!(invocations <= attempts + 1);
                        match condition {
                            Condition::Success => prop_assert_eq!(
                                (invocations, last), (1, Some(Input::Success))
                            ),
                            Condition::RetriesExhausted => prop_assert_eq!(
                                (invocations, errors), (attempts + 1, attempts + 1)
                            ),
                            Condition::EventAgeExceeded => prop_assert_eq!(invocations, errors),
                            Condition::ZeroReservedConcurrency => prop_assert!(false),
                        }
                        break;
                    }
                }
            }
        }
    }
}
