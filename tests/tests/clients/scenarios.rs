//! What every runtime client goes through, whatever its language. Each function takes how the
//! peer's `act` is started; its words are the same in all languages.

#![expect(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

use rapid_e2e::{DEADLINE, Options, Rapid, Reply, Request, error_body, eventually_some};
use serde_json::{Value, json};

/// As many bytes as a response may have.
const RESPONSE_LIMIT: usize = 6 * 1024 * 1024 + 100;

// --- Answers ---------------------------------------------------------------------------------

#[track_caller]
fn expect_echo(rapid: &Rapid, value: &Value) -> Reply {
    let reply = rapid.invoke(json!({ "do": "echo", "value": value }).to_string());
    assert_eq!((reply.status, reply.function_error()), (200, None), "{}", reply.text());
    assert!(reply.json() == *value, "another value came back: {:.200}", reply.text());
    reply
}

/// Values of every kind, and as the whole event.
#[track_caller]
pub(crate) fn values_come_back(options: Options) {
    let rapid = Rapid::serve(options);
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(-9_007_199_254_740_991_i64),
        json!(0.1),
        json!(1e21),
        json!(""),
        json!("grüße, 世界, 😀, \u{0}, \u{7f}, \u{2028}, \"\\/\r\n\t"),
        json!([]),
        json!({ "": {} }),
        json!({ "ключ": [1, [2, [3, { "four": null }]]], "a b": "c" }),
        json!("ü".repeat(512 * 1024)),
    ];
    for value in &values {
        let reply = expect_echo(&rapid, value);
        assert_eq!(reply.header("Content-Type"), Some("application/json"));
    }
    for event in ["null", "7", r#""text""#, "[1,2]", " {} "] {
        let reply = rapid.invoke(event);
        assert_eq!(reply.status, 200);
        assert_eq!(reply.json(), serde_json::from_str::<Value>(event).expect("it is JSON"));
    }
    assert_eq!(rapid.invoke("").json(), json!({}));
}

/// One response of exactly the limit, and one that is a byte longer.
#[track_caller]
pub(crate) fn responses_have_a_limit(options: Options) {
    let rapid = Rapid::serve(options);
    // The string's quotes count, too.
    let big = |n: usize| json!({ "do": "big", "n": n - 2 }).to_string();
    let reply = rapid.invoke(big(RESPONSE_LIMIT));
    assert_eq!((reply.status, reply.function_error()), (200, None), "{:.200}", reply.text());
    assert_eq!(reply.body.len(), RESPONSE_LIMIT);
    assert!(reply.body.trim_ascii_end().ends_with(b"xxx\""));

    let reply = rapid.invoke(big(RESPONSE_LIMIT + 1));
    assert_eq!((reply.status, reply.function_error()), (200, Some("Unhandled")));
    assert_eq!(
        reply.text(),
        r#"{"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}"#
    );
    expect_echo(&rapid, &json!("works again"));
}

/// Prints a line in each of some invocations.
#[track_caller]
pub(crate) fn output_is_between_start_and_end(options: Options) {
    let rapid = Rapid::serve(options);
    for n in 0..10 {
        let text = format!("grüße Nr. {n}.");
        let reply = rapid.invoke(json!({ "do": "print", "text": text }).to_string());
        assert_eq!(reply.text(), "null");
        rapid.report_of(&reply);
        let id = reply.request_id();
        let lines = rapid.stdout().lines();
        let position = |pattern: &str| {
            let found = lines.iter().position(|line| line.contains(pattern));
            found.unwrap_or_else(|| panic!("no line has {pattern}: {lines:#?}"))
        };
        let places = [
            position(&format!("START RequestId: {id} Version: $LATEST")),
            position(&text),
            position(&format!("END RequestId: {id}")),
            position(&format!("REPORT RequestId: {id}\t")),
        ];
        assert!(places.is_sorted(), "{lines:#?}");
    }
}

/// Many invocations, one after the other.
#[track_caller]
pub(crate) fn one_process_answers_them_all(options: Options) {
    let rapid = Rapid::serve(options);
    let first = expect_echo(&rapid, &json!("first"));
    let runtime = rapid.runtime();
    let mut invoker = rapid.to_invoke();
    let mut last = first;
    for n in 0..200 {
        let event = json!({ "do": "echo", "value": n }).to_string();
        let request = Request::post(&Rapid::invoke_path("function"), event);
        last = invoker.exchange(&request).expect("it is answered");
        assert_eq!((last.status, last.json()), (200, json!(n)));
    }
    rapid.report_of(&last);
    assert_eq!(rapid.runtime().pid, runtime.pid);
    assert_eq!(rapid.stdout().matching("REPORT RequestId").len(), 201);
    assert_eq!(rapid.stdout().matching("Init Duration").len(), 1);
}

// --- What the function is told ---------------------------------------------------------------

/// The context that the client makes of an invocation's headers.
#[track_caller]
pub(crate) fn the_context_is_the_invocations(options: Options) {
    const ID: &str = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";
    const TRACE: &str =
        "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1";
    /// `{"custom":{"who":"Ada"},"client":{…},"env":{"locale":"en"}}`, every field of it filled.
    const CLIENT_CONTEXT: &str = "eyJjdXN0b20iOnsid2hvIjoiQWRhIn0sImNsaWVudCI6eyJpbnN0YWxsYXRpb25faWQiOiJpIiwiYXBw\
        X3RpdGxlIjoidCIsImFwcF92ZXJzaW9uX25hbWUiOiJuIiwiYXBwX3ZlcnNpb25fY29kZSI6ImMiLCJh\
        cHBfcGFja2FnZV9uYW1lIjoicCJ9LCJlbnYiOnsibG9jYWxlIjoiZW4ifX0=";
    const ARN: &str = "arn:aws:lambda:eu-west-1:111122223333:function:orders";
    let rapid = Rapid::serve(options.timeout(40).flags([
        "--function-name=orders",
        "--function-version=7",
        "--memory=512",
        "--region=eu-west-1",
        "--account-id=111122223333",
        "--log-group=/test/orders",
        "--log-stream=a/stream",
    ]));
    let headers = [
        ("X-Amzn-RequestId", ID),
        ("X-Amzn-Trace-Id", TRACE),
        ("X-Amz-Client-Context", CLIENT_CONTEXT),
        ("X-Amz-Tenant-Id", "tenant one"),
    ];
    let event = json!({ "do": "context" }).to_string();
    let reply = rapid.invoke_with("orders:live", &headers, event.as_str());
    let seen = reply.json();
    assert_eq!((reply.request_id().as_str(), &seen["aws_request_id"]), (ID, &json!(ID)));
    assert_eq!(reply.header("X-Amzn-Trace-Id"), Some(TRACE));
    assert_eq!(seen["trace_id"], TRACE);
    assert_eq!(seen["client_context_custom"], json!({ "who": "Ada" }));
    assert_eq!(seen["tenant_id"], "tenant one");
    assert_eq!(seen["invoked_function_arn"], format!("{ARN}:live"));
    expect_configuration(&seen);

    // The next invocation has none of that, and nothing of the first one is left.
    let reply = rapid.invoke(event);
    let seen = reply.json();
    assert_ne!(reply.request_id(), ID);
    assert_eq!(seen["aws_request_id"], reply.request_id());
    let trace = reply.header("X-Amzn-Trace-Id").expect("there always is a trace");
    assert!(trace.starts_with("Root=1-") && trace != TRACE, "{trace}");
    assert_eq!(seen["trace_id"], trace);
    assert_eq!(seen["client_context_custom"], json!(null));
    assert_eq!(seen["tenant_id"], json!(null));
    assert_eq!(seen["invoked_function_arn"], ARN);
    expect_configuration(&seen);
}

#[track_caller]
fn expect_configuration(seen: &Value) {
    assert_eq!(seen["function_name"], "orders");
    assert_eq!(seen["function_version"], "7");
    // Some clients hand the variable on, some its number.
    assert_eq!(seen["memory_limit_in_mb"].to_string().trim_matches('"'), "512");
    assert_eq!(seen["log_group_name"], "/test/orders");
    assert_eq!(seen["log_stream_name"], "a/stream");
    let remaining = seen["remaining_time_in_millis"].as_u64().expect("it is a number");
    // A busy machine may take its time to start the function, but not half of it.
    assert!((20_000..=40_000).contains(&remaining), "{remaining}");
}

/// The variables that the function finds; `handler` is the expected `_HANDLER`.
#[track_caller]
pub(crate) fn the_environment_is_the_services(options: Options, handler: &str) {
    let rapid = Rapid::serve(
        options
            .clone()
            .env("RAPID_LOG_LEVEL", "error")
            .env("_HIDDEN", "by its underscore")
            .env("GREETING", "grüße=all"),
    );
    let variables = rapid.invoke(r#"{"do":"env"}"#).json();
    let expected = [
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "3008"),
        ("AWS_LAMBDA_FUNCTION_NAME", "test_function"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/test_function"),
        ("AWS_LAMBDA_RUNTIME_API", &rapid.runtime_address().to_string()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"),
        ("GREETING", "grüße=all"),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
        ("LANG", "en_US.UTF-8"),
        ("TZ", ":UTC"),
        ("_HANDLER", handler),
    ];
    for (name, value) in expected {
        assert_eq!(variables[name], value, "{name}");
    }
    for name in ["AWS_LAMBDA_LOG_STREAM_NAME", "LAMBDA_TASK_ROOT", "PATH"] {
        assert!(variables[name].as_str().is_some_and(|value| !value.is_empty()), "{name}");
    }
    let names: Vec<&String> = variables.as_object().expect("it is a map").keys().collect();
    for unwanted in ["RAPID_", "_HIDDEN", "AWS_ACCESS_KEY", "AWS_SECRET", "AWS_SESSION"] {
        assert!(!names.iter().any(|name| name.starts_with(unwanted)), "{unwanted}: {names:?}");
    }

    let rapid = Rapid::serve(
        options.env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "secret"),
    );
    let variables = rapid.invoke(r#"{"do":"env"}"#).json();
    assert_eq!(variables["AWS_ACCESS_KEY_ID"], "AKIDEXAMPLE");
    assert_eq!(variables["AWS_SECRET_ACCESS_KEY"], "secret");
    assert_eq!(variables["AWS_SESSION_TOKEN"], json!(null));
}

// --- Failures --------------------------------------------------------------------------------

/// An error that the client reports: what it said is the answer, and the process goes on.
#[track_caller]
pub(crate) fn reported_error(options: Options, word: &str) -> Value {
    let rapid = Rapid::serve(options);
    let reply = rapid.invoke(json!({ "do": word }).to_string());
    assert_eq!((reply.status, reply.function_error()), (200, Some("Unhandled")));
    assert_eq!(reply.header("Content-Type"), Some("application/json"));
    let runtime = rapid.runtime();
    expect_echo(&rapid, &json!("works on"));
    assert_eq!(rapid.runtime().pid, runtime.pid);
    reply.json()
}

/// A start that fails: every invocation tries it again, and gets the same answer.
#[track_caller]
pub(crate) fn a_failed_start_is_every_answer(broken: Options) -> Value {
    let rapid = Rapid::serve(broken);
    let [first, second] = [rapid.invoke("{}"), rapid.invoke("{}")];
    for reply in [&first, &second] {
        assert_eq!((reply.status, reply.function_error()), (200, Some("Unhandled")));
        let error_type = reply.json()["errorType"].as_str().unwrap_or_default().to_owned();
        let report = rapid.report_of(reply);
        assert!(report.ends_with(&format!("Status: error\tError Type: {error_type}")), "{report}");
    }
    assert_ne!(first.request_id(), second.request_id());
    // What rapid says itself names the invocation.
    let said_first = first.text().replace(&first.request_id(), &second.request_id());
    assert_eq!(said_first, second.text());
    second.json()
}

/// Exits in the middle of an invocation.
#[track_caller]
pub(crate) fn an_exit_is_a_runtime_exit_error(options: Options) {
    let rapid = Rapid::serve(options);
    for (code, message) in [
        (3, "Runtime exited with error: exit status 3"),
        (0, "Runtime exited without providing a reason"),
    ] {
        let reply = rapid.invoke(json!({ "do": "exit", "code": code }).to_string());
        Rapid::expect_failure(&reply, "Runtime.ExitError", message);
        let report = rapid.report_of(&reply);
        assert!(report.ends_with("Status: error\tError Type: Runtime.ExitError"), "{report}");
        expect_echo(&rapid, &json!("works again"));
    }
}

/// Is ended by a signal in the middle of an invocation.
#[track_caller]
pub(crate) fn a_signal_is_a_runtime_exit_error(options: Options) {
    let rapid = Rapid::serve(options);
    for (n, name) in [(9, "killed"), (15, "terminated")] {
        let reply = rapid.invoke(json!({ "do": "signal", "n": n }).to_string());
        let message = format!("Runtime exited with error: signal: {name}");
        Rapid::expect_failure(&reply, "Runtime.ExitError", &message);
        expect_echo(&rapid, &json!("works again"));
    }
}

/// Takes longer than it may. Not one second but three: starting again counts as well, and several
/// tests may be starting something at once.
#[track_caller]
pub(crate) fn a_timeout_ends_the_process_and_the_next_invocation_works(options: Options) {
    let rapid = Rapid::serve(options.timeout(3));
    // A start under load may eat the invocation that it is a part of.
    let runtime = eventually_some("an invocation in time", || {
        let reply = rapid.invoke(r#"{"do":"echo","value":1}"#);
        (reply.text() == "1").then(|| rapid.runtime())
    });
    let reply = rapid.invoke(r#"{"do":"sleep","seconds":60}"#);
    Rapid::expect_failure(&reply, "Sandbox.Timedout", "Task timed out after 3.00 seconds");
    let report = rapid.report_of(&reply);
    assert!(report.contains("\tStatus: timeout"), "{report}");
    eventually_some("an invocation in time", || {
        let reply = rapid.invoke(r#"{"do":"echo","value":2}"#);
        (reply.text() == "2").then_some(())
    });
    assert!(!runtime.is_alive());
    assert_ne!(rapid.runtime().pid, runtime.pid);
}

/// The same with the emulator's manners, where a crash is the gateway's failure.
#[track_caller]
pub(crate) fn the_emulators_manners_work(options: Options) {
    let rapid = Rapid::serve(options.rie());
    expect_echo(&rapid, &json!({ "a": ["grüße", null] }));
    let reply = rapid.invoke(r#"{"do":"error"}"#);
    assert_eq!((reply.status, reply.json()["errorMessage"].as_str()), (200, Some("boom")));
    let reply = rapid.invoke(r#"{"do":"exit","code":3}"#);
    assert_eq!(reply.status, 502);
    let message = "Runtime exited with error: exit status 3";
    assert_eq!(reply.text(), error_body("Runtime.ExitError", &reply.request_id(), message));
    expect_echo(&rapid, &json!("works again"));
    rapid.term();
    assert_eq!(rapid.exit_code(DEADLINE), Some(0));
}
