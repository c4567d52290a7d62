//! How asynchronous invocations are kept and tried, and who is told of their end.

use std::time::Duration;

use rapid::Persona;
use rapid::async_invoke::{Config as AsyncConfig, Destinations, Policy, Target};

use super::{Values, Vars};
use crate::settings::{SETTINGS, Setting};

/// The settings that are about asynchronous invocations.
const KEYS: [&str; 8] = [
    "async-dir",
    "async-max-events",
    "async-retries",
    "async-max-age",
    "async-retry-delays",
    "on-success",
    "on-failure",
    "dead-letter",
];

/// No delay may be longer than an event may be old.
const LONGEST_DELAY: f64 = 21_600.0;

impl<V: Vars> Values<'_, V> {
    /// `None` for the emulator, which has none; what was said of them is a problem then.
    pub(super) fn async_invokes(&mut self, persona: Persona) -> Option<AsyncConfig> {
        match persona {
            Persona::Aws => Some(self.async_config()),
            Persona::Rie => {
                self.refuse_async_settings();
                None
            }
        }
    }

    fn async_config(&mut self) -> AsyncConfig {
        let default = AsyncConfig::default();
        let policy = Policy::default();
        AsyncConfig {
            directory: self
                .read("async-dir", "a directory", |text| (!text.is_empty()).then(|| text.into())),
            max_events: self
                .read("async-max-events", "a whole number from 1", |text| {
                    text.parse().ok().filter(|number| *number > 0)
                })
                .unwrap_or(default.max_events),
            policy: Policy {
                max_retry_attempts: self
                    .read("async-retries", "0, 1 or 2", |text| {
                        text.parse().ok().filter(|number| *number <= 2)
                    })
                    .unwrap_or(policy.max_retry_attempts),
                max_event_age: self
                    .read("async-max-age", "a whole number of seconds from 60 to 21600", |text| {
                        let seconds = text.parse().ok();
                        let fits = seconds.filter(|seconds| (60..=21_600).contains(seconds));
                        fits.map(Duration::from_secs)
                    })
                    .unwrap_or(policy.max_event_age),
                retry_delays: self
                    .read(
                        "async-retry-delays",
                        "two numbers of seconds from 0 to 21600, as in 60,120 or 0,0.5",
                        delays,
                    )
                    .unwrap_or(policy.retry_delays),
                ..policy
            },
            destinations: Destinations {
                on_success: self.target("on-success"),
                on_failure: self.target("on-failure"),
                dead_letter: self.target("dead-letter"),
            },
            ..default
        }
    }

    /// A destination. Its file or directory is made now: later, a record would be lost.
    fn target(&mut self, key: &str) -> Option<Target> {
        let setting = setting(key)?;
        let (text, source) = self.find_one(setting)?;
        let parsed = text.parse::<Target>();
        match parsed.and_then(|target| target.prepare().map(|()| target)) {
            Ok(target) => Some(target),
            Err(error) => {
                self.problems.push(format!("{source}: {error}"));
                None
            }
        }
    }

    fn refuse_async_settings(&mut self) {
        for key in KEYS {
            if let Some((_, source)) = setting(key).and_then(|setting| self.find(setting)) {
                self.problems.push(format!(
                    "{source}: the Runtime Interface Emulator has no asynchronous invocations; \
                     they need --compat aws"
                ));
            }
        }
    }
}

fn setting(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

fn delays(text: &str) -> Option<[Duration; 2]> {
    let (first, second) = text.split_once(',')?;
    Some([delay(first)?, delay(second)?])
}

fn delay(text: &str) -> Option<Duration> {
    let seconds: f64 = text.trim().parse().ok()?;
    let fits = (0.0..=LONGEST_DELAY).contains(&seconds);
    Duration::try_from_secs_f64(seconds).ok().filter(|_| fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::resolve;

    fn config(line: &str, vars: &[(&'static str, &str)]) -> AsyncConfig {
        resolve(line, vars).unwrap().async_invokes.unwrap()
    }

    #[test]
    fn unless_told_otherwise_events_are_in_memory_and_tried_as_the_service_does() {
        let config = config("rapid x", &[]);
        assert_eq!(config.directory, None);
        assert_eq!(config.max_events, 10_000);
        assert_eq!(config.policy, Policy::default());
        let Destinations { on_success, on_failure, dead_letter } = config.destinations;
        assert_eq!([on_success, on_failure, dead_letter], [None, None, None]);
    }

    #[test]
    fn everything_about_events_can_be_said_in_every_place() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let [out, failed] = ["out", "failed"].map(|name| folder.path().join(name));
        let text = format!("async-retries = 0\non-success = 'dir:{}'\n", out.display());
        std::fs::write(file.path(), text).unwrap();
        let on_failure = format!("file:{}", failed.display());
        let config = config(
            "rapid --async-dir events --async-max-events 3 --async-retry-delays 0,1.5 \
             --dead-letter http://127.0.0.1:9/x x",
            &[
                ("RAPID_CONFIG", file.path().to_str().unwrap()),
                ("RAPID_ASYNC_MAX_AGE", "60"),
                ("RAPID_ON_FAILURE", &on_failure),
            ],
        );
        assert_eq!(config.directory, Some("events".into()));
        assert_eq!(config.max_events, 3);
        assert_eq!(config.policy.max_retry_attempts, 0);
        assert_eq!(config.policy.max_event_age, Duration::from_mins(1));
        assert_eq!(config.policy.retry_delays, [Duration::ZERO, Duration::from_millis(1500)]);
        let Destinations { on_success, on_failure, dead_letter } = config.destinations;
        assert!(out.is_dir() && failed.is_file(), "they are made");
        assert_eq!(on_success, Some(Target::Directory(out)));
        assert_eq!(on_failure, Some(Target::File(failed)));
        assert_eq!(dead_letter, "http://127.0.0.1:9/x".parse().ok());
    }

    #[test]
    fn every_wrong_value_is_told_with_what_is_allowed() {
        let error = resolve(
            "rapid --async-dir= --async-max-events 0 --async-retries 3 --async-max-age 59 \
             --on-success https://me:secret@x --on-failure /tmp/x --dead-letter file:/nowhere/x x",
            &[("RAPID_ASYNC_RETRY_DELAYS", "1")],
        );
        let error = error.unwrap_err().to_string();
        let lines: Vec<&str> = error.lines().collect();
        assert_eq!(
            lines,
            [
                "--async-dir: '' is not a directory",
                "--async-max-events: '0' is not a whole number from 1",
                "--async-retries: '3' is not 0, 1 or 2",
                "--async-max-age: '59' is not a whole number of seconds from 60 to 21600",
                "the environment variable RAPID_ASYNC_RETRY_DELAYS: '1' is not two numbers of \
                 seconds from 0 to 21600, as in 60,120 or 0,0.5",
                "--on-success: 'https://...@x' is no destination: https is not supported, only \
                 http on a network that you trust",
                "--on-failure: '/tmp/x' is no destination: it has to begin with file:, dir:, \
                 http:// or lambda:http://",
                "--dead-letter: 'file:/nowhere/x' is no destination: the directory of the file \
                 does not exist",
            ]
        );
    }

    #[test]
    fn delays_are_two_numbers_of_seconds_that_an_event_can_wait() {
        let (zero, half) = (Duration::ZERO, Duration::from_millis(500));
        assert_eq!(delays("0,0.5"), Some([zero, half]));
        assert_eq!(delays("21600, 0"), Some([Duration::from_hours(6), zero]));
        for wrong in ["", ",", "1", "1,", "1,2,3", "-1,0", "0,21601", "inf,0", "NaN,0", "1s,2s"] {
            assert_eq!(delays(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_emulator_has_none_and_says_so() {
        assert!(resolve("aws-lambda-rie x", &[]).unwrap().async_invokes.is_none());
        let error = resolve("aws-lambda-rie --on-failure file:x x", &[("RAPID_ASYNC_DIR", "y")]);
        let rest = "the Runtime Interface Emulator has no asynchronous invocations; they need \
                    --compat aws";
        assert_eq!(
            error.unwrap_err().to_string(),
            format!("the environment variable RAPID_ASYNC_DIR: {rest}\n--on-failure: {rest}")
        );
    }

    #[test]
    fn every_setting_that_is_about_events_is_for_serving() {
        for key in KEYS {
            assert!(setting(key).is_some_and(|setting| setting.serve_only), "{key}");
        }
    }
}
