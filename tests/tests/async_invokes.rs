//! Asynchronous invocations: boto3 as the invoker, a Python function, and a rapid that is stopped,
//! killed and started again.

#![expect(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

#[path = "async_invokes/example.rs"]
mod example;
#[path = "async_invokes/killing.rs"]
mod killing;
#[path = "clients/peers.rs"]
mod peers;
#[path = "async_invokes/world.rs"]
mod world;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use rapid_e2e::{
    DEADLINE, Options, Rapid, Request, Subscriber, error_body, eventually, fixture_runtime, run,
};
use serde_json::{Value, json};

use crate::peers::{installed, source};
use crate::world::{ARN, World, accepted, accepted_by, boto3, ids, pending, send, wait_until_idle};

// --- Accepting -----------------------------------------------------------------------------------

#[test]
fn an_event_is_answered_before_it_has_run() {
    let world = World::new();
    let rapid = Rapid::serve(world.function());
    let options = ["--log-type", "Tail", "--client-context", r#"{"custom":{}}"#];
    let answer = boto3(&rapid, world.gated("a").to_string().as_bytes(), &options);
    assert_eq!((&answer["status"], &answer["http_status"]), (&json!(202), &json!(202)));
    assert_eq!(answer["payload"], "");
    for absent in ["function_error", "executed_version", "log_result"] {
        assert_eq!(answer[absent], Value::Null, "{answer}");
    }
    world.wait_for_attempts(1);
    assert!(world.told_to("succeeded").is_empty());
    world.open_gate();
    let records = world.wait_for("succeeded", 1);
    let id = answer["request_id"].as_str().expect("it has an id");
    assert_eq!(records[0]["responsePayload"]["id"], id, "the function knows the same id");
    rapid.wait_for_line(&format!("REPORT RequestId: {id}\t"), DEADLINE);
}

#[test]
fn what_is_no_event_is_refused_and_never_runs() {
    const LIMIT: usize = 1024 * 1024;
    let world = World::new();
    let rapid = Rapid::serve(world.function());
    let refused = |payload: &[u8], class: &str, status: u16| {
        let answer = boto3(&rapid, payload, &[]);
        let told = [&answer["exception"], &answer["typed"], &answer["status"], &answer["type"]];
        assert_eq!(told, [&json!(class), &json!(true), &json!(status), &json!("User")], "{answer}");
    };
    refused(b"{no json}", "InvalidRequestContentException", 400);
    let mut event = vec![b'x'; LIMIT];
    (event[0], event[LIMIT - 1]) = (b'"', b'"');
    event.push(b' ');
    refused(&event, "RequestTooLargeException", 413);
    assert_eq!(pending(&rapid)["oldestAgeMs"], Value::Null);

    event.pop();
    let answer = boto3(&rapid, &event, &[]);
    assert_eq!(answer["status"], 202, "{answer}");
    let records = world.wait_for("succeeded", 1);
    assert_eq!(records[0]["responsePayload"].as_str().map(str::len), Some(LIMIT - 2));
    assert_eq!(rapid.stdout().matching("START RequestId").len(), 1);
}

#[test]
fn a_full_queue_is_too_many_requests_until_there_is_room_again() {
    let world = World::new();
    let rapid = Rapid::serve(world.function().flags(["--async-max-events", "2"]));
    for name in ["a", "b"] {
        accepted(&rapid, &world.gated(name));
    }
    let event = world.gated("c").to_string();
    let answer = boto3(&rapid, event.as_bytes(), &[]);
    assert_eq!(answer["exception"], "TooManyRequestsException", "{answer}");
    assert_eq!((&answer["typed"], &answer["status"]), (&json!(true), &json!(429)));
    assert!(answer["reason"].is_string(), "{answer}");
    world.open_gate();
    world.wait_for("succeeded", 2);
    wait_until_idle(&rapid);
    accepted(&rapid, &world.gated("d"));
    world.wait_for("succeeded", 3);
    assert_eq!(world.journal(), ["a", "b", "d"]);
}

#[test]
fn the_older_operation_takes_events_too() {
    const CALL: &str = "
import sys, warnings, boto3
warnings.simplefilter('ignore')
client = boto3.client('lambda', endpoint_url=sys.argv[1], region_name='us-east-1',
                      aws_access_key_id='A', aws_secret_access_key='s')
print(client.invoke_async(FunctionName='test_function', InvokeArgs=sys.argv[2])['Status'])
";
    let world = World::new();
    let rapid = Rapid::serve(world.function());
    let called = Command::new(installed("python/bin/python"))
        .args(["-c", CALL, &format!("http://{}", rapid.invoke_address())])
        .arg(world.event("a", json!({})).to_string())
        .env_clear()
        .output()
        .expect("Python can be started");
    assert_eq!(String::from_utf8_lossy(&called.stdout), "202\n", "{called:?}");
    let trace = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=53995c3f42cd8ad8;Sampled=1";
    let path = "/2014-11-13/functions/test_function/invoke-async";
    let request = Request::post(path, world.event("b", json!({})).to_string());
    let request = request.header("X-Amzn-Trace-Id", trace);
    let reply = rapid.to_invoke().exchange(&request).expect("it is answered");
    assert_eq!((reply.status, reply.text().as_str()), (202, ""));
    let records = world.wait_for("succeeded", 2);
    let given = records[1]["responsePayload"]["trace"].as_str().unwrap_or_default();
    assert!(given.starts_with("Root=1-") && !given.contains("5bef4de7"), "{given}");
}

#[test]
fn health_tells_what_is_pending() {
    let world = World::new();
    let rapid = Rapid::serve(world.function().flags(["--async-retry-delays", "600,600"]));
    assert_eq!(pending(&rapid), json!({ "queued": 0, "retrying": 0, "inFlight": 0 }));
    accepted(&rapid, &world.event("fails", json!({ "failures": 1 })));
    eventually("it waits to be tried again", || pending(&rapid)["retrying"] == 1);
    for name in ["a", "b", "c"] {
        accepted(&rapid, &world.gated(name));
    }
    world.wait_for_attempts(2);
    let mut told = pending(&rapid);
    assert!(told["oldestAgeMs"].is_u64(), "{told}");
    told["oldestAgeMs"] = Value::Null;
    assert_eq!(told, json!({ "queued": 2, "retrying": 1, "inFlight": 1, "oldestAgeMs": null }));
}

// --- Running -------------------------------------------------------------------------------------

#[test]
fn who_waits_for_a_response_comes_in_between() {
    let world = World::new();
    let rapid = Rapid::serve(world.function());
    for name in ["first", "second", "third", "fourth"] {
        accepted(&rapid, &world.gated(name));
    }
    world.wait_for_attempts(1);
    let mut waiting = rapid.to_invoke();
    let event = world.event("waits", json!({})).to_string();
    waiting.send(&Request::post(&Rapid::invoke_path("function"), event)).expect("it is sent");
    // What came later is answered: the invocation has been taken in.
    assert_eq!(rapid.health(), "invoking");
    world.open_gate();
    let reply = waiting.receive().expect("it is answered");
    assert_eq!((reply.status, reply.function_error()), (200, None), "{reply:?}");
    world.wait_for("succeeded", 4);
    assert_eq!(world.journal(), ["first", "waits", "second", "third", "fourth"]);
}

#[test]
fn a_success_is_told_once_and_with_everything() {
    let world = World::new();
    let rapid = Rapid::serve(world.function());
    let event = world.event("a", json!({ "gr\u{fc}\u{df}e": [null, 1.5, "\u{1f600}"] }));
    let id = accepted_by(&rapid, &event);
    let mut records = world.wait_for("succeeded", 1);
    let timestamp = records[0]["timestamp"].take();
    let trace = records[0]["responsePayload"]["trace"].clone();
    assert_eq!(
        records[0],
        json!({
            "version": "1.0",
            "timestamp": null,
            "requestContext": {
                "requestId": id,
                "functionArn": format!("{ARN}:$LATEST"),
                "condition": "Success",
                "approximateInvokeCount": 1,
            },
            "requestPayload": event,
            "responseContext": { "statusCode": 200, "executedVersion": "$LATEST" },
            "responsePayload": { "id": id, "trace": trace },
        })
    );
    let timestamp = timestamp.as_str().unwrap_or_default();
    assert!(timestamp.len() == 24 && timestamp.ends_with('Z'), "{timestamp}");
    wait_until_idle(&rapid);
    assert_eq!(world.told_to("succeeded").len(), 1);
    assert!(world.told_to("failed").is_empty() && world.told_to("dead").is_empty());
}

#[test]
fn a_failure_is_tried_three_times_under_one_id_and_told_to_both() {
    let world = World::new();
    let rapid = Rapid::serve(world.function());
    let event = world.event("a", json!({ "failures": 9 }));
    let id = accepted_by(&rapid, &event);
    let mut dead = world.wait_for("dead", 1);
    let mut records = world.wait_for("failed", 1);
    assert_eq!(rapid.stdout().matching(&format!("START RequestId: {id}")).len(), 3);
    assert_eq!(world.journal(), ["a", "a", "a"]);

    let record = &mut records[0];
    record["timestamp"].take();
    let error = record["responsePayload"].take();
    assert_eq!(
        *record,
        json!({
            "version": "1.0",
            "timestamp": null,
            "requestContext": {
                "requestId": id,
                "functionArn": format!("{ARN}:$LATEST"),
                "condition": "RetriesExhausted",
                "approximateInvokeCount": 3,
            },
            "requestPayload": event,
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            },
            "responsePayload": null,
        })
    );
    assert_eq!(
        (&error["errorMessage"], &error["errorType"]),
        (&json!("boom"), &json!("ValueError"))
    );
    let body = dead[0]["body"].take();
    assert_eq!(body.as_str(), Some(event.to_string().as_str()), "the very bytes");
    assert_eq!(
        dead[0],
        json!({
            "body": null,
            "messageAttributes": {
                "RequestID": { "stringValue": id, "dataType": "String" },
                "ErrorCode": { "stringValue": "200", "dataType": "Number" },
                "ErrorMessage": { "stringValue": "boom", "dataType": "String" },
            },
        })
    );
    wait_until_idle(&rapid);
    assert!(world.told_to("succeeded").is_empty());
}

#[test]
fn a_success_after_a_failure_is_a_success() {
    let world = World::new();
    let rapid = Rapid::serve(world.function());
    let id = accepted(&rapid, &world.event("a", json!({ "failures": 1 })));
    let records = world.wait_for("succeeded", 1);
    assert_eq!(records[0]["requestContext"]["approximateInvokeCount"], 1);
    assert_eq!(records[0]["responsePayload"]["id"], id.as_str());
    assert_eq!(world.journal(), ["a", "a"]);
    wait_until_idle(&rapid);
    assert!(world.told_to("failed").is_empty());
}

#[test]
fn timeouts_and_exits_are_failures_of_the_function() {
    let world = World::new();
    let options = world.function().timeout(1).flags(["--async-retries", "0"]);
    let rapid = Rapid::serve(options);
    let exit = accepted(&rapid, &world.event("a", json!({ "exit": 3 })));
    let late = accepted(&rapid, &world.event("b", json!({ "sleep": 60 })));
    let records = world.wait_for("failed", 2);
    assert_eq!(ids(&records), [exit.as_str(), late.as_str()]);
    let expected = [
        error_body("Runtime.ExitError", &exit, "Runtime exited with error: exit status 3"),
        error_body("Sandbox.Timedout", &late, "Task timed out after 1.00 seconds"),
    ];
    for (record, expected) in records.iter().zip(expected) {
        assert_eq!(record["requestContext"]["approximateInvokeCount"], 1);
        assert_eq!(record["responseContext"]["functionError"], "Unhandled");
        assert_eq!(record["responsePayload"].to_string(), sorted(&expected));
    }
}

/// JSON in the order in which values are written here.
fn sorted(json: &str) -> String {
    serde_json::from_str::<Value>(json).expect("it is JSON").to_string()
}

#[test]
fn an_event_that_would_be_too_old_for_its_next_attempt_fails_at_once() {
    let world = World::new();
    let flags = ["--async-max-age", "60", "--async-retry-delays", "61,61"];
    let rapid = Rapid::serve(world.function().flags(flags));
    accepted(&rapid, &world.event("a", json!({ "failures": 9 })));
    let records = world.wait_for("failed", 1);
    let context = &records[0]["requestContext"];
    assert_eq!(context["condition"], "EventAgeExceeded");
    assert_eq!(context["approximateInvokeCount"], 1);
    assert_eq!(records[0]["responsePayload"]["errorMessage"], "boom");
}

#[test]
fn to_be_throttled_costs_no_retry() {
    let world = World::new();
    let flags = ["--queue", "0", "--async-retries", "0"];
    let rapid = Rapid::serve(world.function().flags(flags));
    let waiting = rapid.invoke_in_background(world.gated("waits").to_string());
    world.wait_for_attempts(1);
    let id = accepted(&rapid, &world.event("a", json!({})));
    eventually("it was throttled", || pending(&rapid)["retrying"] == 1);
    world.open_gate();
    assert_eq!(waiting.join().expect("no panic").expect("it is answered").status, 200);
    assert_eq!(ids(&world.wait_for("succeeded", 1)), [id.as_str()]);
    assert_eq!(world.journal(), ["waits", "a"]);
}

// --- Destinations --------------------------------------------------------------------------------

#[test]
fn another_function_gets_the_record_as_its_event() {
    let world = World::new();
    let fixture = Options::fixture;
    let second = Rapid::serve(world.told(fixture()));
    let target = format!("lambda:http://{}/alarm", second.invoke_address());
    let first = Rapid::serve(fixture().flags(["--on-success", &target]));
    let id = accepted(&first, &json!({ "do": "echo" }));
    let records = world.wait_for("succeeded", 1);
    let record = &records[0]["requestPayload"];
    assert_eq!(record["requestContext"]["requestId"], id.as_str());
    assert_eq!(record["responsePayload"], json!({ "do": "echo" }));
    let context = &records[0]["requestContext"];
    assert_ne!(context["requestId"], id.as_str(), "it is an invocation of its own");
    let arn = ARN.replace("test_function", "alarm:$LATEST");
    assert_eq!(context["functionArn"], arn.as_str());
}

#[test]
fn an_address_gets_the_record_posted() {
    let (sender, posted) = mpsc::channel();
    let server = Subscriber::start(move |request| {
        // After the test nobody listens any more.
        let _ = sender.send(request.clone());
    });
    let target = format!("http://127.0.0.1:{}/hook?from=rapid", server.port());
    let rapid = Rapid::serve(Options::fixture().flags(["--on-success", &target]));
    let id = accepted(&rapid, &json!({ "do": "echo" }));
    let request = posted.recv_timeout(DEADLINE).expect("it is posted");
    assert!(request.head.starts_with("POST /hook?from=rapid HTTP/1.1\r\n"), "{}", request.head);
    assert!(request.head.contains("content-type: application/json\r\n"), "{}", request.head);
    let record: Value = serde_json::from_str(&request.body).expect("it is JSON");
    assert_eq!(ids(&[record]), [id.as_str()]);
}

#[test]
fn what_a_function_streams_is_in_the_record_if_it_is_json() {
    let client = installed("node/node_modules/.bin/aws-lambda-ric");
    let world = World::new();
    let options = world.told(Options::new()).command([client, "stream.handler".into()]);
    let rapid = Rapid::serve(options.current_dir(source("tests/peers/node")));
    accepted(&rapid, &json!({ "chunks": ["{\"a\"", ":1}"] }));
    accepted(&rapid, &json!({ "chunks": ["no", " JSON"] }));
    let records = world.wait_for("succeeded", 2);
    assert_eq!(records[0]["responsePayload"], json!({ "a": 1 }));
    assert_eq!(records[0].get("deliveryError"), None);
    assert_eq!(records[1].get("responsePayload"), None);
    let error = json!({ "statusCode": 400, "errorCode": "InvalidRequestContentException" });
    assert_eq!(records[1]["deliveryError"], error);
}

#[test]
fn a_directory_gets_a_file_for_each_failure() {
    let world = World::new();
    let target = format!("dir:{}", world.path("objects").display());
    let flags = ["--async-retries", "0", "--on-failure", &target, "--function-name", "f"];
    let rapid = Rapid::serve(Options::fixture().flags(flags));
    let sent: Vec<String> = (0..2).map(|_| accepted(&rapid, &json!({ "do": "error" }))).collect();
    let folder = world.path("objects/aws/lambda/async/f");
    eventually("both are told", || files(&folder).len() == 2);
    wait_until_idle(&rapid);
    let mut told = Vec::new();
    for file in files(&folder) {
        let record = fs::read(file).expect("it can be read");
        let record: Value = serde_json::from_slice(&record).expect("it is JSON");
        assert_eq!(record["responsePayload"]["errorType"], "T");
        told.push(record["requestContext"]["requestId"].clone());
    }
    assert!(sent.iter().all(|id| told.contains(&json!(id))), "{told:?}");
}

/// Every file below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let below = entries
        .map(|entry| entry.path())
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    // One that is being written has a name with a dot before it.
    let is_hidden = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
    };
    below.filter(|path| !is_hidden(path)).collect()
}

#[test]
fn a_destination_that_nobody_reaches_is_told_of_on_standard_error() {
    let world = World::new();
    let target = format!("file:{}/there/x", world.path("gone").display());
    fs::create_dir_all(world.path("gone/there")).expect("it can be made");
    let rapid = Rapid::serve(Options::fixture().flags(["--on-success", &target]));
    fs::remove_dir_all(world.path("gone")).expect("it can be removed");
    let id = accepted(&rapid, &json!({ "do": "echo" }));
    let line = rapid.stderr().wait_for("could not be told how an event has ended", DEADLINE);
    assert!(line.contains(&id) && line.contains(&target), "{line}");
    wait_until_idle(&rapid);
}

#[test]
fn a_destination_that_cannot_be_used_is_told_at_the_start() {
    let world = World::new();
    let pipe = world.path("pipe");
    make_pipe(&pipe);
    fs::write(world.path("file"), "").expect("it can be written");
    let rows = [
        (format!("file:{}", pipe.display()), "it is no regular file"),
        (format!("dir:{}", world.path("file").display()), "File exists"),
        ("http://me:secret@localhost/x".to_owned(), "http://...@localhost/x"),
    ];
    for (target, reason) in rows {
        let options = Options::fixture().flags(["--on-failure", &target]);
        let refused = run(&[], &options, b"");
        assert_eq!(refused.code, Some(2), "{refused:?}");
        let told = &refused.stderr;
        assert!(told.contains("--on-failure: ") && told.contains(reason), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
}

#[test]
fn a_pipe_that_takes_the_place_of_a_file_keeps_nobody_from_ending() {
    let world = World::new();
    let path = world.path("told");
    let target = format!("file:{}", path.display());
    let rapid = Rapid::serve(Options::fixture().flags(["--on-success", &target]));
    fs::remove_file(&path).expect("it was made at the start");
    make_pipe(&path);
    // More than a pipe holds that nobody reads.
    let id = accepted(&rapid, &json!({ "do": "echo", "much": "x".repeat(200_000) }));
    let line = rapid.stderr().wait_for("could not be told how an event has ended", DEADLINE);
    assert!(line.contains(&id) && line.contains("it is no regular file"), "{line}");
    rapid.term();
    assert_eq!(rapid.exit_code(DEADLINE), Some(0));
}

fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().expect("it can be started").success());
}

#[test]
fn a_destination_that_does_not_answer_holds_no_event_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let world = World::new();
    let target = format!("http://{}/", silent.local_addr().expect("it listens"));
    let options = world.durable(Options::fixture()).flags(["--on-success", &target]);
    let rapid = Rapid::serve(options);
    let sent: Vec<String> = (0..40).map(|_| accepted(&rapid, &json!({ "do": "echo" }))).collect();
    rapid.wait_for_line(&format!("REPORT RequestId: {}\t", sent[39]), DEADLINE);
    let given_up = rapid.stderr().matching("could not be told how an event has ended");
    assert_eq!(given_up, Vec::<String>::new(), "all have run before");
}

// --- The end and the next start ------------------------------------------------------------------

#[test]
fn a_restart_goes_on_with_what_was_pending() {
    for kill in [false, true] {
        let world = World::new();
        // One retry would be one too many: only what was cut off may be repeated.
        let flags = ["--async-retries", "0", "--shutdown-timeout", "1"];
        let options = world.durable(world.function()).flags(flags);
        let rapid = Rapid::serve(options.clone());
        let sent: Vec<String> =
            ["a", "b", "c"].map(|name| accepted(&rapid, &world.gated(name))).to_vec();
        world.wait_for_attempts(1);
        if kill {
            rapid.kill9();
            assert_eq!(rapid.exit_code(DEADLINE), None);
        } else {
            rapid.term();
            assert_eq!(rapid.exit_code(DEADLINE), Some(0), "{}", rapid.stderr().text());
            assert_eq!(rapid.stderr().matching("lost"), Vec::<String>::new());
        }
        assert_eq!(world.journal(), ["a"], "the running one was cut off");
        world.open_gate();
        let rapid = Rapid::serve(options);
        let mut told = world.wait_for("succeeded", 3);
        wait_until_idle(&rapid);
        assert_eq!(world.told_to("succeeded").len(), 3, "kill: {kill}");
        told.sort_by_key(|record| record["requestPayload"]["name"].to_string());
        assert_eq!(ids(&told), sent, "each under its id");
        assert!(world.told_to("failed").is_empty());
        assert_eq!(world.journal(), ["a", "a", "b", "c"]);
    }
}

#[test]
fn attempts_are_counted_over_restarts() {
    let world = World::new();
    let options = world.durable(world.function());
    let slow = options.clone().flags(["--async-retry-delays", "1,600"]);
    let rapid = Rapid::serve(slow);
    let id = accepted(&rapid, &world.event("a", json!({ "failures": 9 })));
    eventually("it has failed twice", || {
        world.journal().len() == 2 && pending(&rapid)["retrying"] == 1
    });
    rapid.kill9();
    rapid.exit_code(DEADLINE);
    // It is due in ten minutes; so it stays, whatever is set now.
    let rapid = Rapid::serve(options);
    assert_eq!(pending(&rapid)["retrying"], 1);
    assert!(pending(&rapid)["oldestAgeMs"].as_u64() > Some(900), "{}", pending(&rapid));
    assert_eq!(world.journal().len(), 2, "{id} was run too early");
}

#[test]
fn what_runs_may_finish_and_is_told_before_the_end() {
    for durable in [false, true] {
        let world = World::new();
        let options = world.function().flags(["--shutdown-timeout", "20"]);
        let options = if durable { world.durable(options) } else { options };
        let rapid = Rapid::serve(options);
        accepted(&rapid, &world.gated("a"));
        world.wait_for_attempts(1);
        rapid.term();
        eventually("nothing is accepted any more", || {
            rapid_e2e::Connection::open(rapid.invoke_address()).is_err()
        });
        world.open_gate();
        assert_eq!(rapid.exit_code(DEADLINE), Some(0));
        assert_eq!(world.told_to("succeeded").len(), 1, "durable: {durable}");
        assert_eq!(rapid.stderr().matching("lost"), Vec::<String>::new());
    }
}

#[test]
fn in_memory_what_is_lost_is_said() {
    let world = World::new();
    let options = world.function().flags(["--shutdown-timeout", "1"]);
    let rapid = Rapid::serve(options);
    let sent = ["a", "b", "c"].map(|name| accepted(&rapid, &world.gated(name)));
    world.wait_for_attempts(1);
    rapid.term();
    assert_eq!(rapid.exit_code(DEADLINE), Some(0));
    let said = rapid.stderr().matching("are lost");
    let [line] = said.as_slice() else { panic!("{said:?}") };
    assert!(sent.iter().all(|id| line.contains(id.as_str())), "{line}");
    assert!(line.contains("3 asynchronous invocations") && line.contains("--async-dir"), "{line}");
    assert!(world.told_to("succeeded").is_empty());
}

#[test]
fn a_second_signal_waits_for_no_event() {
    let world = World::new();
    let rapid = Rapid::serve(world.function().flags(["--shutdown-timeout", "3600"]));
    let id = accepted(&rapid, &world.gated("a"));
    world.wait_for_attempts(1);
    rapid.term();
    eventually("it has heard the first", || {
        rapid_e2e::Connection::open(rapid.invoke_address()).is_err()
    });
    rapid.term();
    assert_eq!(rapid.exit_code(DEADLINE), Some(0));
    let said = rapid.stderr().matching("lost");
    assert!(said.len() == 1 && said[0].contains(&id), "{said:?}");
}

#[test]
fn a_directory_has_one_user_and_has_to_be_one() {
    let world = World::new();
    let options = world.durable(Options::fixture());
    let rapid = Rapid::serve(options.clone());
    let other = run(
        &["serve", "--address", "127.0.0.1:0", "--runtime-api-address", "127.0.0.1:0"],
        &options,
        b"",
    );
    assert_eq!(other.code, Some(2), "{other:?}");
    let expected = "another process has it open. Choose another directory with --async-dir.";
    assert!(other.stderr.contains(expected), "{}", other.stderr);
    drop(rapid);

    fs::write(world.path("file"), "").expect("it can be written");
    let file = world.path("file").display().to_string();
    let flags = ["--address", "127.0.0.1:0", "--runtime-api-address", "127.0.0.1:0"];
    let options = Options::fixture().flags(flags).flags(["--async-dir", &file]);
    let refused = run(&[], &options, b"");
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(
        refused.stderr.contains(&file) && refused.stderr.contains("--async-dir"),
        "{refused:?}"
    );
}

#[test]
fn a_single_invocation_leaves_the_queue_alone() {
    let world = World::new();
    let options = Options::new().command([fixture_runtime()]);
    let options = options.env("RAPID_ASYNC_DIR", world.path("queue"));
    let finished = run(&["invoke", "--payload", "{}"], &options, b"");
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), "{}\n"), "{finished:?}");
    assert!(!world.path("queue").exists());
    let flag = Options::fixture().flags(["--async-dir", "x"]);
    let refused = run(&["invoke"], &flag, b"");
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("unexpected argument '--async-dir'"), "{}", refused.stderr);
}

#[test]
fn the_emulator_runs_what_is_said_to_be_an_event_at_once() {
    let rapid = Rapid::serve(Options::fixture().rie());
    let reply = send(&rapid, &json!({ "do": "echo" }));
    assert_eq!((reply.status, reply.text().as_str()), (200, r#"{"do":"echo"}"#));
    assert_eq!(pending(&rapid), Value::Null);
}

#[test]
fn the_example_does_what_its_readme_says() {
    example::does_what_its_readme_says();
}

#[test]
fn whatever_was_accepted_is_told_however_often_rapid_is_killed() {
    killing::twelve_times(&World::new(), Duration::from_millis(250));
}
