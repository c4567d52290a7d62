//! The clients that extensions in Rust are written with: AWS's `lambda-extension` and rapid's own,
//! each as an extension that prints what it is told.

#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

#[path = "clients/image.rs"]
mod image;
#[path = "clients/peers.rs"]
mod peers;

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rapid_e2e::{DEADLINE, Options, Rapid, Reply, event, eventually, fixture_runtime};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::image::{Front, Image};
use crate::peers::{installed, source};

const CLIENTS: [&str; 2] = ["with-lambda-extension", "with-rapid-extension"];
const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:test_function";

/// A directory of extensions with the one of a client.
fn extensions(client: &str) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory can be made");
    let program = installed("rust/debug").join(client);
    symlink(program, dir.path().join(client)).expect("a link can be made");
    dir
}

fn with(dir: &TempDir) -> Options {
    Options::fixture().flags([Path::new("--extensions-dir"), dir.path()])
}

/// What extensions have recorded, in order.
fn records(lines: &[String]) -> Vec<Value> {
    let records = lines.iter().filter_map(|line| line.strip_prefix("recorder: "));
    records.map(|record| serde_json::from_str(record).expect("it records JSON")).collect()
}

/// The ids of the invocations among the records.
fn invocations(records: &[Value]) -> Vec<&str> {
    records.iter().filter_map(|record| record["invoke"].as_str()).collect()
}

#[track_caller]
fn expect_shutdown(record: Option<&Value>, reason: &str) {
    let record = record.expect("something was recorded");
    assert_eq!(record["shutdown"], reason, "{record}");
    assert!(record["deadline"].as_u64().is_some_and(|at| at > 1_700_000_000_000), "{record}");
}

/// Waits for the nth record that contains `what`.
#[track_caller]
fn wait_for(rapid: &Rapid, what: &str, nth: usize) {
    rapid.stdout().wait_for_nth(what, nth, DEADLINE);
}

#[test]
fn every_invocation_is_told_once_and_in_order_with_what_the_runtime_is_told() {
    for client in CLIENTS {
        let dir = extensions(client);
        let rapid = Rapid::serve(with(&dir).flags(["--handler=app.act"]));
        let replies: Vec<Reply> =
            (0..20).map(|_| rapid.invoke(event("report-event").to_string())).collect();
        rapid.term();
        assert_eq!(rapid.exit_code(DEADLINE), Some(0), "{}", rapid.stderr().text());
        rapid.expect_family(0);
        rapid.stdout().wait_for_end(DEADLINE);

        let records = records(&rapid.stdout().lines());
        let ids: Vec<String> = replies.iter().map(Reply::request_id).collect();
        assert_eq!(invocations(&records), ids);
        let (hello, end) = (&records[0], records.last());
        assert_eq!(hello["function"], "test_function");
        assert_eq!((&hello["version"], &hello["handler"]), (&json!("$LATEST"), &json!("app.act")));
        expect_shutdown(end, "spindown");
        assert_eq!(records.len(), ids.len() + 2, "{records:#?}");

        for (record, reply) in records[1..].iter().zip(&replies) {
            let told = reply.json();
            let header = |name: &str| {
                let headers = told["headers"].as_array().expect("the runtime reports headers");
                let found = headers.iter().find(|pair| pair[0] == name);
                found.expect(name)[1].as_str().expect("a header is text").to_owned()
            };
            assert_eq!(record["arn"], ARN);
            assert_eq!(header("Lambda-Runtime-Invoked-Function-Arn"), ARN);
            let trace = header("Lambda-Runtime-Trace-Id");
            assert_eq!(record["tracing"], json!(["X-Amzn-Trace-Id", trace]));
            let deadline: u64 = header("Lambda-Runtime-Deadline-Ms").parse().expect("a number");
            // Both are the same moment, each by a look of its own at the wall clock.
            let told = record["deadline"].as_u64().expect("a number");
            assert!(told.abs_diff(deadline) < 1000, "{told} {deadline}");
        }
    }
}

#[test]
fn only_the_client_that_asks_for_it_is_told_the_account() {
    for (client, account) in CLIENTS.into_iter().zip([json!("123456789012"), Value::Null]) {
        let dir = extensions(client);
        let rapid = Rapid::serve(with(&dir));
        rapid.expect_echo();
        let hello = rapid.wait_for_line("recorder: ", DEADLINE);
        assert_eq!(records(&[hello])[0]["account"], account, "{client}");
    }
}

#[test]
fn a_timeout_and_a_crash_are_the_reasons_of_the_shutdowns_after_them() {
    for client in CLIENTS {
        let dir = extensions(client);
        let rapid = Rapid::serve(with(&dir).timeout(1));
        let late = rapid.invoke(event("hang").to_string());
        assert_eq!(late.json()["errorType"], "Sandbox.Timedout", "{}", late.text());
        let echo = rapid.expect_echo();
        let crash = rapid.invoke(json!({"do": "exit", "code": 3}).to_string());
        assert_eq!(crash.json()["errorType"], "Runtime.ExitError", "{}", crash.text());
        let again = rapid.expect_echo();
        rapid.term();
        assert_eq!(rapid.exit_code(DEADLINE), Some(0), "{}", rapid.stderr().text());
        rapid.expect_family(0);
        rapid.stdout().wait_for_end(DEADLINE);

        let records = records(&rapid.stdout().lines());
        let all = [&late, &echo, &crash, &again].map(Reply::request_id);
        assert_eq!(invocations(&records), all);
        let kinds = records.iter().map(|record| {
            let kinds = ["function", "invoke", "shutdown"];
            kinds.into_iter().find(|kind| record.get(*kind).is_some()).unwrap_or("nothing")
        });
        let life = ["function", "invoke", "shutdown"];
        let lives = [&life[..], &["function", "invoke", "invoke", "shutdown"], &life].concat();
        assert_eq!(kinds.collect::<Vec<_>>(), lives);
        let ends = records.iter().filter(|record| record.get("shutdown").is_some());
        for (record, reason) in ends.zip(["timeout", "failure", "spindown"]) {
            expect_shutdown(Some(record), reason);
        }
    }
}

#[test]
fn one_that_fails_while_it_starts_is_every_invocations_answer() {
    // AWS's client has not registered yet when that happens, rapid's has.
    let types = ["Extension.Crash", "Extension.InitError"];
    for (client, error_type) in CLIENTS.into_iter().zip(types) {
        let dir = extensions(client);
        for (options, status) in [(with(&dir), 200), (with(&dir).rie(), 502)] {
            let rapid = Rapid::serve(options.env("FAILS_AT", "0"));
            for _ in 0..2 {
                let reply = rapid.invoke(event("echo").to_string());
                assert_eq!(
                    (reply.status, &reply.json()["errorType"]),
                    (status, &json!(error_type))
                );
            }
        }
    }
}

#[test]
fn one_that_fails_in_an_invocation_is_its_answer_and_the_next_one_works() {
    // AWS's client reports the wrong kind of error then, which is refused, and exits.
    let types = ["Extension.Crash", "Extension.ExitError"];
    for (client, error_type) in CLIENTS.into_iter().zip(types) {
        let dir = extensions(client);
        let rapid = Rapid::serve(with(&dir).env("FAILS_AT", "2"));
        rapid.expect_echo();
        let reply = rapid.invoke(event("hang").to_string());
        Rapid::expect_failure(&reply, error_type, "exit status 1");
        let report = rapid.report_of(&reply);
        assert!(report.ends_with(&format!("Error Type: {error_type}")), "{report}");
        rapid.expect_echo();
        wait_for(&rapid, "recorder: {\"account\"", 2);
    }
}

#[test]
fn an_invocation_once_is_told_with_its_end() {
    for client in CLIENTS {
        let dir = extensions(client);
        let options = with(&dir).command([fixture_runtime()]);
        let finished = rapid_e2e::run(&["invoke", "--payload", "{}"], &options, b"");
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), "{}\n"), "{finished:?}");
        let lines: Vec<String> = finished.stderr.lines().map(str::to_owned).collect();
        let records = records(&lines);
        assert_eq!((records.len(), invocations(&records).len()), (3, 1), "{records:?}");
        expect_shutdown(records.last(), "spindown");
    }
}

// --- The same against the Runtime Interface Emulator --------------------------------------------

const BOTH: [Front; 2] = [Front::Emulator, Front::Rapid];

#[test]
fn extensions_of_an_image_hear_the_same_from_rapid_and_from_the_emulator() {
    if !Image::can_have_extensions() {
        return;
    }
    for client in CLIENTS {
        for (front, reason) in BOTH.into_iter().zip(["SandboxTerminated", "spindown"]) {
            let extension = (client, installed("rust/debug").join(client));
            let mut image = Image::run(front, &[extension], &[], &[fixture_runtime().into()]);
            for _ in 0..3 {
                assert_eq!(image.invoke("{}").text(), "{}", "{}", image.said());
            }
            assert_eq!(image.term().code(), Some(0), "{}", image.said());

            let records = records(&image.lines());
            let started = image.lines();
            let started = started.iter().filter_map(|line| line.strip_prefix("START RequestId: "));
            let ids: Vec<&str> = started.filter_map(|line| line.split(' ').next()).collect();
            assert_eq!(ids.len(), 3, "{}", image.said());
            assert_eq!(invocations(&records), ids, "{}", image.said());
            assert_eq!(records[0]["function"], "test_function");
            assert_eq!(records.len(), 5, "{records:?}");
            expect_shutdown(records.last(), reason);
        }
    }
}

#[test]
fn extensions_of_an_image_that_fail_are_bad_gateways_of_rapid_and_of_the_emulator() {
    if !Image::can_have_extensions() {
        return;
    }
    let client = CLIENTS[1];
    for front in BOTH {
        for (fails_at, payload) in [("0", "{}"), ("1", r#"{"do":"hang"}"#)] {
            let extension = (client, installed("rust/debug").join(client));
            let env = [("FAILS_AT", fails_at)];
            let image = Image::run(front, &[extension], &env, &[fixture_runtime().into()]);
            assert_eq!(image.invoke(payload).status, 502, "{front:?} {}", image.said());
            image.wait_for_line("recorder failed: the extension ");
            image.wait_for_line("out of paper");
        }
    }
}

#[test]
fn an_internal_extension_hears_the_same_from_rapid_and_from_the_emulator() {
    let program = installed("rust/debug/with-rapid-extension");
    let command: [OsString; 3] = [program.into(), "internal".into(), fixture_runtime().into()];
    for front in BOTH {
        let mut image = Image::run(front, &[], &[], &command);
        for _ in 0..3 {
            assert_eq!(image.invoke("{}").text(), "{}", "{}", image.said());
        }
        // With rapid an answer does not wait for extensions.
        eventually("it has heard of all", || invocations(&records(&image.lines())).len() == 3);
        assert_eq!(image.term().code(), Some(0), "{}", image.said());
        let records = records(&image.lines());
        assert_eq!(invocations(&records).len(), 3, "{}", image.said());
        assert_eq!(records.len(), 4, "nobody is told of the end: {records:?}");
    }
}

// --- The examples --------------------------------------------------------------------------------

#[test]
fn the_examples_print_what_their_readmes_say() {
    let rust = tempfile::tempdir().expect("a directory can be made");
    symlink(installed("rust/debug/logger"), rust.path().join("logger")).expect("a link");
    let bash = source("examples/extension-bash/extensions");
    for (example, dir) in [("extension-rust", rust.path()), ("extension-bash", &bash)] {
        let options = Options::new()
            .command([source("examples/bash/bootstrap")])
            .flags([Path::new("--extensions-dir"), dir]);
        let words = ["invoke", "--payload", r#"{"name":"Ada"}"#];
        let finished = rapid_e2e::run(&words, &options, b"");
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        assert_eq!(finished.stdout, "{\"message\":\"Hello, Ada!\"}\n");
        let said: Vec<&str> =
            finished.stderr.lines().filter(|line| line.starts_with("logger: ")).collect();
        let readme = source("examples").join(example).join("README.md");
        let readme = fs::read_to_string(readme).expect("every example has a README");
        let shown: Vec<&str> = readme.lines().filter(|line| line.starts_with("logger: ")).collect();
        // All but the id of the invocation.
        assert_eq!((said.len(), said[0], said[2]), (3, shown[0], shown[2]));
        assert_eq!(said[1].rsplit_once(' ').map(|(start, _)| start), Some("logger: invocation"));
    }
}
