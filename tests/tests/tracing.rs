//! What an X-Ray daemon and an OpenTelemetry collector are told of real functions.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

#[path = "tracing/absent.rs"]
mod absent;
#[path = "tracing/listeners.rs"]
mod listeners;
#[path = "clients/peers.rs"]
mod peers;
#[path = "../../crates/telemetry/tests/otel/received.rs"]
#[allow(dead_code, reason = "the tests of the exporter itself look at more")]
mod received;

use std::ffi::OsStr;
use std::path::PathBuf;

use opentelemetry_proto::tonic::trace::v1::Span;
use rapid_e2e::{DEADLINE, Extensions, Options, Rapid, Reply, event, run};
use serde_json::Value;

use crate::listeners::{Collector, Daemon, ENDPOINT};
use crate::peers::installed;
use crate::received::{Received, attribute};

const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
const INVOKER: &str = "53995c3f42cd8ad8";
const TRACE: &str = "5759e988bd862e3fe1be46a994272793";
const SAMPLED: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

// --- What they are told ----------------------------------------------------------------------

/// Ends rapid in order; it sends what it has left.
#[track_caller]
fn end(rapid: &Rapid) {
    rapid.term();
    assert_eq!(rapid.exit_code(DEADLINE), Some(0), "{}", rapid.stderr().text());
}

#[track_caller]
fn traced(rapid: &Rapid, header: &str, what: &str) -> Reply {
    rapid.invoke_with("function", &[("X-Amzn-Trace-Id", header)], event(what).to_string())
}

/// The tracing header that the runtime got with an event, from the reply to `report-event`.
#[track_caller]
fn told_to_the_runtime(reply: &Reply) -> String {
    let reply = reply.json();
    let headers = reply["headers"].as_array().unwrap().iter();
    let mut traces = headers.filter(|header| header[0] == "Lambda-Runtime-Trace-Id");
    traces.next().unwrap()[1].as_str().unwrap().to_owned()
}

fn parent(header: &str) -> &str {
    header.split(';').find_map(|part| part.strip_prefix("Parent=")).unwrap()
}

fn parts(segment: &Value) -> Vec<&str> {
    let parts = segment["subsegments"].as_array().unwrap().iter();
    parts.map(|part| part["name"].as_str().unwrap()).collect()
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The span of that invocation.
#[track_caller]
fn span_of(received: &Received, reply: &Reply) -> Span {
    let id = Some(reply.request_id());
    let of = |span: &&Span| attribute(&span.attributes, "faas.invocation_id") == id;
    received.spans().iter().find(of).expect("the invocation has a span").clone()
}

fn children(received: &Received, span: &Span) -> Vec<String> {
    let mut names: Vec<String> = received
        .spans()
        .into_iter()
        .filter(|one| one.parent_span_id == span.span_id && one.trace_id == span.trace_id)
        .map(|one| one.name)
        .collect();
    names.sort_unstable();
    names
}

fn count(received: &Received, metric: &str) -> f64 {
    received.metric(metric).map_or(0.0, |(count, ..)| count)
}

// --- Invocations -----------------------------------------------------------------------------

#[test]
fn a_cold_and_a_warm_invocation_are_segments_and_spans_above_what_the_function_does() {
    let (daemon, collector) = (Daemon::start(), Collector::start());
    let extensions = ["one", "two"]
        .iter()
        .fold(Extensions::none(), |all, name| all.bash(name, "register INVOKE SHUTDOWN; serve"));
    let options = Options::fixture().extensions(&extensions);
    let rapid = Rapid::serve(collector.observes(daemon.observes(options)));
    let replies = [(); 2].map(|()| traced(&rapid, SAMPLED, "report-event"));
    let segments = [(); 2].map(|()| daemon.segment());
    end(&rapid);
    let received = collector.received();

    for (reply, segment) in replies.iter().zip(&segments) {
        let header = told_to_the_runtime(reply);
        assert!(header.starts_with(&format!("Root={ROOT};Parent=")), "{header}");
        // What the function does is below the segment, which is below the invoker's.
        assert_eq!(segment["id"], parent(&header));
        assert_eq!((&segment["trace_id"], &segment["parent_id"]), (&ROOT.into(), &INVOKER.into()));
        assert_eq!(segment["name"], "test_function");
        assert_eq!(segment["aws"]["request_id"], reply.request_id());
        assert_eq!(segment["fault"], Value::Null);

        let span = span_of(&received, reply);
        assert_eq!(
            (hex(&span.span_id).as_str(), hex(&span.trace_id).as_str()),
            (parent(&header), TRACE)
        );
        assert_eq!(hex(&span.parent_span_id), INVOKER);
        let parts = ["extension one", "extension two", "overhead", "runtime"];
        assert_eq!(children(&received, &span), parts);
    }
    assert_eq!(parts(&segments[0]), ["Initialization", "Invocation", "Overhead"]);
    assert_eq!(parts(&segments[1]), ["Invocation", "Overhead"]);

    let init = received.spans().into_iter().find(|span| span.name == "init").unwrap();
    assert_eq!(children(&received, &init), ["extension one", "extension two", "init runtime"]);
    let [cold, warm] = replies.map(|reply| span_of(&received, &reply));
    let links: Vec<_> = cold.links.iter().map(|link| &link.span_id).collect();
    assert_eq!((links, warm.links.len()), (vec![&init.span_id], 0));
    for (span, is_cold) in [(cold, "true"), (warm, "false")] {
        assert_eq!(attribute(&span.attributes, "faas.coldstart").as_deref(), Some(is_cold));
    }
    for (metric, expected) in [
        ("faas.invocations", 2.0),
        ("faas.coldstarts", 1.0),
        ("faas.invoke_duration", 2.0),
        ("faas.init_duration", 1.0),
        ("faas.mem_usage", 2.0),
    ] {
        assert_eq!(count(&received, metric).to_bits(), f64::to_bits(expected), "{metric}");
    }
    assert_eq!(rapid.stderr().text().matches("OpenTelemetry").count(), 0);
}

#[test]
fn an_invocation_that_is_not_sampled_is_no_segment_and_a_trace_of_its_own() {
    let (daemon, collector) = (Daemon::start(), Collector::start());
    let rapid = Rapid::serve(collector.observes(daemon.observes(Options::fixture())));
    let header = SAMPLED.replace("Sampled=1", "Sampled=0");
    let reply = traced(&rapid, &header, "report-event");
    assert_eq!(told_to_the_runtime(&reply), header);
    rapid.report_of(&reply);
    end(&rapid);
    assert!(daemon.has_nothing());
    let span = span_of(&collector.received(), &reply);
    assert_eq!(span.parent_span_id, [0; 0]);
    assert_ne!(hex(&span.trace_id), TRACE);
}

#[test]
fn an_invokers_traceparent_is_joined() {
    let (daemon, collector) = (Daemon::start(), Collector::start());
    let rapid = Rapid::serve(collector.observes(daemon.observes(Options::fixture())));
    let traceparent = format!("00-{TRACE}-{INVOKER}-01");
    let headers = [("traceparent", traceparent.as_str())];
    let reply = rapid.invoke_with("function", &headers, event("report-event").to_string());
    let segment = daemon.segment();
    end(&rapid);
    assert_eq!((&segment["trace_id"], &segment["parent_id"]), (&ROOT.into(), &INVOKER.into()));
    assert_eq!(segment["id"], parent(&told_to_the_runtime(&reply)));
    let span = span_of(&collector.received(), &reply);
    assert_eq!(
        (hex(&span.trace_id).as_str(), hex(&span.parent_span_id).as_str()),
        (TRACE, INVOKER)
    );
}

#[test]
fn with_x_ray_alone_and_with_opentelemetry_alone_the_function_has_its_parent_too() {
    let (daemon, collector) = (Daemon::start(), Collector::start());
    let rapid = Rapid::serve(daemon.observes(Options::fixture()));
    let reply = traced(&rapid, SAMPLED, "report-event");
    assert_eq!(daemon.segment()["id"], parent(&told_to_the_runtime(&reply)));

    let rapid = Rapid::serve(collector.observes(Options::fixture()));
    let reply = traced(&rapid, SAMPLED, "report-event");
    end(&rapid);
    let span = span_of(&collector.received(), &reply);
    assert_eq!(hex(&span.span_id), parent(&told_to_the_runtime(&reply)));

    // Nobody records a segment: what the function does stays below the invoker's.
    let rapid = Rapid::serve(Options::fixture());
    let reply = traced(&rapid, SAMPLED, "report-event");
    assert_eq!(told_to_the_runtime(&reply), SAMPLED);
}

// --- Failures --------------------------------------------------------------------------------

#[test]
fn every_way_to_fail_is_a_fault_with_its_cause_and_a_count() {
    let (daemon, collector) = (Daemon::start(), Collector::start());
    let options = Options::fixture().timeout(1).flags(["--queue", "0"]);
    let rapid = Rapid::serve(collector.observes(daemon.observes(options)));
    let mut posted = event("error");
    posted["cause"] = r#"{"exceptions":[{"type":"Broken","message":"no"}]}"#.into();
    let mut exits = event("exit");
    exits["code"] = 3.into();
    let hangs = event("hang");
    let rows = [
        (posted, "Broken", Value::from("Broken"), Value::from("no")),
        (exits, "Runtime.ExitError", "Runtime.ExitError".into(), Value::Null),
        (hangs, "timeout", Value::Null, "the function timed out".into()),
    ];
    let mut ends = Vec::new();
    for (what, error_type, kind, message) in rows {
        let headers = [("X-Amzn-Trace-Id", SAMPLED)];
        let reply = rapid.invoke_with("function", &headers, what.to_string());
        assert_eq!(reply.function_error(), Some("Unhandled"));
        let segment = daemon.segment();
        assert_eq!(segment["aws"]["request_id"], reply.request_id());
        assert_eq!((&segment["fault"], &segment["parent_id"]), (&true.into(), &INVOKER.into()));
        let thrown = &segment["cause"]["exceptions"][0];
        assert_eq!((&thrown["type"], &thrown["message"]), (&kind, &message), "{segment}");
        ends.push((reply, error_type));
    }
    // After a reset the next invocation is a cold one.
    let again = traced(&rapid, SAMPLED, "echo");
    let segment = daemon.segment();
    assert_eq!(parts(&segment)[0], "Initialization");
    // It is back when there is room again.
    rapid.report_of(&again);
    let running = rapid.invoke_in_background(event("hang").to_string());
    rapid.stdout().wait_for_nth("START RequestId", 5, DEADLINE);
    assert_eq!(rapid.invoke("{}").status, 429);
    assert_eq!(running.join().unwrap().unwrap().function_error(), Some("Unhandled"));
    end(&rapid);

    let received = collector.received();
    for (reply, error_type) in &ends {
        let span = span_of(&received, reply);
        let told = attribute(&span.attributes, "error.type");
        assert_eq!(told.as_deref(), Some(*error_type));
        assert_eq!(span.status.unwrap().message, *error_type);
    }
    let thrown = span_of(&received, &ends[0].0).events;
    assert_eq!(attribute(&thrown[0].attributes, "exception.message").as_deref(), Some("no"));
    for (metric, expected) in [
        ("faas.invocations", 1.0),
        ("faas.errors", 2.0),
        ("faas.timeouts", 2.0),
        ("rapid.throttles", 1.0),
    ] {
        assert_eq!(count(&received, metric).to_bits(), f64::to_bits(expected), "{metric}");
    }
}

#[test]
fn an_initialisation_that_fails_twice_is_told_with_the_invocation_it_fails() {
    let (daemon, collector) = (Daemon::start(), Collector::start());
    let options = Options::fixture_that(["init-exit", "7"]);
    let rapid = Rapid::serve(collector.observes(daemon.observes(options)));
    let reply = traced(&rapid, SAMPLED, "echo");
    assert_eq!(reply.function_error(), Some("Unhandled"));
    let segment = daemon.segment();
    assert_eq!((&segment["fault"], parts(&segment)[0]), (&true.into(), "Initialization"));
    assert_eq!(segment["cause"]["exceptions"][0]["type"], "Runtime.ExitError");
    end(&rapid);
    let received = collector.received();
    let mut phases = Vec::new();
    for init in received.spans().iter().filter(|span| span.name == "init") {
        phases.push(attribute(&init.attributes, "rapid.init.phase").unwrap());
        let told = attribute(&init.attributes, "error.type");
        assert_eq!(told.as_deref(), Some("Runtime.ExitError"));
    }
    assert_eq!(phases, ["init", "invoke"]);
    let told = attribute(&span_of(&received, &reply).attributes, "error.type");
    assert_eq!(told.as_deref(), Some("Runtime.ExitError"));
    assert_eq!(count(&received, "faas.errors").to_bits(), 1.0_f64.to_bits());
}

// --- A real runtime client -------------------------------------------------------------------

const PYTHON: &str = "
import os
def handler(event, context):
    if event:
        raise ValueError('boom')
    return os.environ['_X_AMZN_TRACE_ID']
";

/// A function of the Python client in a directory of its own.
fn python() -> (tempfile::TempDir, Options) {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("app.py"), PYTHON).unwrap();
    let python: PathBuf = installed("python/bin/python");
    let words =
        [python.as_os_str(), OsStr::new("-m"), "awslambdaric".as_ref(), "app.handler".as_ref()];
    let options = Options::new().command(words).current_dir(place.path());
    (place, options)
}

#[test]
fn what_the_python_client_raises_is_the_cause_and_its_trace_is_below_the_segment() {
    let (daemon, collector) = (Daemon::start(), Collector::start());
    let (_place, options) = python();
    let rapid = Rapid::serve(collector.observes(daemon.observes(options)));
    let headers = [("X-Amzn-Trace-Id", SAMPLED)];
    let fine = rapid.invoke_with("function", &headers, "{}");
    let header = fine.json().as_str().unwrap().to_owned();
    assert_eq!(daemon.segment()["id"], parent(&header));

    let raised = rapid.invoke_with("function", &headers, "1");
    let segment = daemon.segment();
    let exception = &segment["cause"]["exceptions"][0];
    assert_eq!((&exception["type"], &exception["message"]), (&"ValueError".into(), &"boom".into()));
    assert_eq!(exception["stack"][0]["label"], "handler");
    assert_eq!(exception["id"].as_str().unwrap().len(), 16);
    end(&rapid);
    let span = span_of(&collector.received(), &raised);
    assert_eq!(attribute(&span.attributes, "error.type").as_deref(), Some("ValueError"));
}

// --- Settings --------------------------------------------------------------------------------

#[test]
fn what_is_meant_for_the_functions_own_sdk_does_not_keep_it_from_starting() {
    for (variable, value) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        (ENDPOINT, "https://api.example"),
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
    ] {
        let options = Options::fixture().env(ENDPOINT, "http://127.0.0.1:9").env(variable, value);
        let rapid = Rapid::serve(options.clone());
        let variables = rapid.invoke(event("report-env").to_string()).json();
        assert_eq!(variables[variable], value);
        let line = rapid.stderr().wait_for("rapid itself sends nothing", DEADLINE);
        assert!(line.contains(&format!("{variable} is {value:?}")), "{line}");
        end(&rapid);

        let quiet = Rapid::serve(options.flags(["--tracing", "off"]));
        assert_eq!(quiet.expect_echo().status, 200);
        end(&quiet);
        assert_eq!(quiet.stderr().matching("OpenTelemetry").len(), 0);
    }
}

#[test]
fn a_value_that_is_wrong_is_told_with_what_to_do() {
    for (variable, value, told) in [
        (ENDPOINT, "localhost:4318", "a URL is needed, like http://localhost:4318"),
        (
            "AWS_XRAY_DAEMON_ADDRESS",
            "localhost",
            "the X-Ray daemon's host and port are needed, as in 127.0.0.1:2000",
        ),
    ] {
        let wrong = Options::fixture().env(variable, value);
        let finished = run(&["invoke"], &wrong, b"");
        assert_eq!(finished.code, Some(2));
        let line = format!(
            "rapid: {variable} is {value:?}: {told}. Correct it, or let rapid itself report \
             nothing with --tracing off.\n"
        );
        assert_eq!(finished.stderr, line);
        for off in [["--tracing", "off"], ["--compat", "rie"]] {
            let finished = run(&["invoke"], &wrong.clone().flags(off), b"");
            assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        }
    }
}

#[test]
fn switched_off_nobody_is_told_and_with_the_emulators_manners_only_on_demand() {
    let (daemon, collector) = (Daemon::start(), Collector::start());
    for flags in [&["--tracing", "off"][..], &["--compat", "rie"]] {
        let options = Options::fixture().flags(flags);
        let rapid = Rapid::serve(collector.observes(daemon.observes(options)));
        let reply = traced(&rapid, SAMPLED, "echo");
        assert_eq!(reply.status, 200);
        rapid.stdout().wait_for("REPORT RequestId", DEADLINE);
        end(&rapid);
    }
    assert_eq!(collector.received().requests, 0);
    let options = Options::fixture().rie().flags(["--tracing", "on"]);
    let rapid = Rapid::serve(collector.observes(daemon.observes(options)));
    traced(&rapid, SAMPLED, "echo");
    assert_eq!(daemon.segment()["trace_id"], ROOT);
    end(&rapid);
    assert!(daemon.has_nothing());
    let received = collector.received();
    assert!(received.spans().iter().any(|span| span.name == "test_function"));
}

#[test]
fn an_invocation_from_the_command_line_is_told_before_it_leaves() {
    let collector = Collector::start();
    let options = collector.observes(Options::fixture().env("OTEL_SERVICE_NAME", "shop"));
    let finished = run(&["invoke", "--payload", "{}"], &options, b"");
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let received = collector.received();
    assert_eq!(count(&received, "faas.invocations").to_bits(), 1.0_f64.to_bits());
    let resource = &received.resources()[0].attributes;
    for (key, value) in [
        ("service.name", "shop"),
        ("faas.name", "test_function"),
        ("cloud.region", "us-east-1"),
        ("cloud.account.id", "123456789012"),
        ("faas.max_memory", "3154116608"),
    ] {
        assert_eq!(attribute(resource, key).as_deref(), Some(value), "{key}");
    }
}
