//! Daemons and collectors that are not there, do not answer, or leave early.

use rapid_e2e::{DEADLINE, Extensions, Options, Rapid, eventually};

use crate::listeners::{Collector, ENDPOINT};
use crate::{SAMPLED, end, span_of, told_to_the_runtime, traced};

/// What rapid says once of a collector, and of a daemon, that takes nothing.
const COMPLAINTS: [&str; 2] = [
    "the OpenTelemetry collector at http://127.0.0.1:9/v1/traces does not take what is sent",
    "the X-Ray daemon at 127.0.0.1:9 does not take what is sent",
];

#[test]
fn a_collector_and_a_daemon_that_are_not_there_cost_one_line() {
    let options = Options::fixture()
        .env(ENDPOINT, "http://127.0.0.1:9")
        .env("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:9")
        .env("OTEL_BSP_SCHEDULE_DELAY", "1")
        .env("OTEL_METRIC_EXPORT_INTERVAL", "1")
        .env("OTEL_EXPORTER_OTLP_TIMEOUT", "50");
    let rapid = Rapid::serve(options);
    for _ in 0..20 {
        assert_eq!(traced(&rapid, SAMPLED, "echo").status, 200);
    }
    for complaint in COMPLAINTS {
        rapid.stderr().wait_for(complaint, DEADLINE);
    }
    for _ in 0..20 {
        assert_eq!(traced(&rapid, SAMPLED, "echo").status, 200);
    }
    end(&rapid);
    for end in ["the OpenTelemetry collector", "the X-Ray daemon"] {
        rapid.stderr().wait_for(&format!("not everything has reached {end}"), DEADLINE);
    }
    for complaint in COMPLAINTS {
        let said = rapid.stderr().matching(complaint).len();
        assert_eq!(said, 1, "{}", rapid.stderr().text());
    }
}

#[test]
fn a_single_invocation_that_no_daemon_was_told_of_is_warned_of_too() {
    // The network tells of the loss after the only segment was sent.
    let options = Options::fixture().env("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:9");
    let rapid = Rapid::serve(options);
    let reply = traced(&rapid, SAMPLED, "echo");
    rapid.report_of(&reply);
    end(&rapid);
    rapid.stderr().wait_for(COMPLAINTS[1], DEADLINE);
    rapid.stderr().wait_for("not everything has reached the X-Ray daemon", DEADLINE);
}

#[test]
fn a_daemon_whose_name_nobody_knows_is_warned_of() {
    let options = Options::fixture().env("AWS_XRAY_DAEMON_ADDRESS", "no-such-host.invalid:2000");
    let rapid = Rapid::serve(options);
    let reply = traced(&rapid, SAMPLED, "report-event");
    // There is no segment that it could be below.
    assert_eq!(told_to_the_runtime(&reply), SAMPLED);
    let line = "X-Ray gets no segments: the daemon at no-such-host.invalid:2000 cannot be reached";
    rapid.stderr().wait_for(line, DEADLINE);
}

#[test]
fn a_collector_that_never_answers_holds_up_neither_an_invocation_nor_the_end() {
    let collector = Collector::silent();
    let options = collector
        .observes(Options::fixture())
        .env("OTEL_BSP_SCHEDULE_DELAY", "1")
        .env("OTEL_EXPORTER_OTLP_TIMEOUT", "3600000");
    let rapid = Rapid::serve(options);
    rapid.expect_echo();
    eventually("the collector was asked", || collector.received().requests > 0);
    // The export hangs for an hour.
    for _ in 0..100 {
        rapid.expect_echo();
    }
    end(&rapid);
    rapid.stderr().wait_for("not everything has reached the OpenTelemetry collector", DEADLINE);
}

#[test]
fn a_collector_that_is_an_extension_gets_what_there_is_before_it_ends() {
    // It ends with the extensions, so that only what is sent before reaches it.
    let collector = Collector::start();
    let extensions =
        Extensions::agent("register INVOKE SHUTDOWN; next; next; pass shutdown; exit 0");
    let options = Options::fixture().extensions(&extensions);
    let rapid = Rapid::serve(collector.observes(options));
    let reply = rapid.expect_echo();
    rapid.report_of(&reply);
    rapid.term();
    eventually("spans come while the extension still runs", || {
        !collector.received().spans().is_empty()
    });
    span_of(&collector.received(), &reply);
    extensions.open("shutdown");
    assert_eq!(rapid.exit_code(DEADLINE), Some(0));
}
