//! What the runtime may and may not ask the Runtime API, and what becomes of the invocation.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::thread;

use rapid_e2e::{DEADLINE, Options, Rapid, Request, error_body, event};
use serde_json::{Value, json};

const NEXT: &str = "/2018-06-01/runtime/invocation/next";

const ACCEPTED: &str = "{\"status\":\"OK\"}\n";
const INVALID_ID: &str =
    "{\"errorMessage\":\"Invalid request ID\",\"errorType\":\"InvalidRequestID\"}\n";

fn refused(from: &str, to: &str) -> String {
    format!(
        "{{\"errorMessage\":\"State transition from {from} to {to} failed for runtime. Error: \
         State transition is not allowed\",\"errorType\":\"InvalidStateTransition\"}}\n"
    )
}

#[track_caller]
fn expect_answers(heard: &Value, expected: &[(u16, &str)]) {
    let heard = heard.as_array().expect("a list of answers");
    assert_eq!(heard.len(), expected.len(), "{heard:?}");
    for (heard, (status, body)) in heard.iter().zip(expected) {
        assert_eq!((&heard["status"], &heard["body"]), (&json!(status), &json!(body)), "{heard:?}");
    }
}

/// What odd calls were answered with since this was last asked.
#[track_caller]
fn recall(rapid: &Rapid) -> Value {
    rapid.invoke(event("recall").to_string()).json()
}

#[test]
fn an_event_comes_back_as_it_was_sent() {
    let rapid = Rapid::serve(Options::fixture());
    for payload in [r#"{"a": [1, "ü\u0000", null]}"#, "null", "0", r#""text""#, " [ ] "] {
        let reply = rapid.invoke(payload);
        assert_eq!((reply.status, reply.text().as_str()), (200, payload));
        assert_eq!(reply.header("Content-Type"), Some("application/json"));
        assert_eq!(reply.header("X-Amz-Executed-Version"), Some("$LATEST"));
        assert!(reply.header("X-Amzn-Trace-Id").unwrap().starts_with("Root=1-"));
        assert!(reply.header("Content-Length").is_some() && reply.header("Date").is_some());
    }
    assert_eq!(rapid.invoke("").text(), "{}", "an event that was left out");
}

// --- Answers -----------------------------------------------------------------------------------

#[test]
fn an_answer_under_an_id_that_is_not_running_is_refused_and_the_right_one_still_lands() {
    let rapid = Rapid::serve(Options::fixture());
    let heard = rapid.invoke(event("respond-wrong-id").to_string()).json();
    expect_answers(&heard, &[(400, INVALID_ID), (400, INVALID_ID), (400, INVALID_ID)]);
    rapid.expect_echo();
    let heard = rapid.invoke(event("respond-old-id").to_string()).json();
    expect_answers(&heard, &[(400, INVALID_ID)]);
    rapid.expect_echo();
}

#[test]
fn a_second_answer_is_refused_and_the_first_one_counts() {
    let rapid = Rapid::serve(Options::fixture());
    let cases = [
        ("respond-twice", "\"first\"", None, "InvocationResponse"),
        ("respond-then-error", "\"good\"", None, "InvocationErrorResponse"),
        ("error-then-respond", "\"bad\"", Some("Unhandled"), "InvocationResponse"),
    ];
    for (what, body, error, target) in cases {
        let reply = rapid.invoke(event(what).to_string());
        assert_eq!((reply.text().as_str(), reply.function_error()), (body, error), "{what}");
        let refused = refused("RuntimeResponseSentState", target);
        expect_answers(&recall(&rapid), &[(202, ACCEPTED), (403, &refused)]);
    }
}

#[test]
fn an_answer_before_the_first_event_is_refused() {
    let rapid = Rapid::serve(Options::fixture_that(["respond-before-next"]));
    expect_answers(&recall(&rapid), &[(400, INVALID_ID)]);
}

#[test]
fn asking_again_before_answering_gives_the_same_event() {
    let rapid = Rapid::serve(Options::fixture());
    let reply = rapid.invoke(json!({"do": "next-again", "payload": "p"}).to_string());
    assert_eq!(reply.json(), json!({"status": 200, "same": true}));
    rapid.expect_echo();
}

#[test]
fn an_unknown_response_mode_is_refused_and_told_to_the_invoker() {
    let rapid = Rapid::serve(Options::fixture());
    let message = "Invalid Lambda-Runtime-Function-Response-Mode header";
    let answer = "{\"errorMessage\":\"Invalid function response mode\",\
                  \"errorType\":\"InvalidFunctionResponseMode\"}\n";
    for mode in ["nonsense", "Streaming", "buffered,streaming"] {
        let reply = rapid.invoke(json!({"do": "bad-mode", "mode": mode}).to_string());
        Rapid::expect_failure(&reply, "Runtime.InvalidResponseModeHeader", message);
        expect_answers(&recall(&rapid), &[(400, answer)]);
        rapid.expect_echo();
    }
}

#[test]
fn a_response_that_breaks_off_is_told_to_the_invoker_at_once() {
    let rapid = Rapid::serve(Options::fixture());
    let answer = "{\"errorMessage\":\"HTTP request detected as truncated\",\
                  \"errorType\":\"TruncatedHTTPRequest\"}\n";
    for how in ["close", "half-close", "chunked", "bad-chunk"] {
        let reply = rapid.invoke(json!({"do": "respond-truncated", "how": how}).to_string());
        let message = "Response was truncated by the runtime";
        Rapid::expect_failure(&reply, "Runtime.TruncatedResponse", message);
        let heard = recall(&rapid);
        let closed = heard[0]["closed"] == true || !heard[0]["error"].is_null();
        let told = heard[0]["status"] == 400 && heard[0]["body"] == answer;
        assert!(closed || told, "{how}: {heard}");
        rapid.expect_echo();
    }
}

#[test]
fn a_response_in_chunks_is_put_together_and_trailers_may_turn_it_into_an_error() {
    let rapid = Rapid::serve(Options::fixture());
    for (trailers, streaming) in [(false, false), (false, true), (true, false), (true, true)] {
        let event = json!({"do": "respond-chunked", "trailers": trailers, "streaming": streaming});
        let reply = rapid.invoke(event.to_string());
        let (body, error) =
            if trailers { ("{}", Some("Unhandled")) } else { ("\"one two three\"", None) };
        assert_eq!((reply.status, reply.text().as_str()), (200, body), "{event}");
        assert_eq!(reply.function_error(), error, "{event}");
        expect_answers(&recall(&rapid), &[(202, ACCEPTED)]);
    }
}

#[test]
fn a_runtime_that_waits_for_100_continue_gets_it() {
    let rapid = Rapid::serve(Options::fixture());
    assert_eq!(rapid.invoke(event("respond-expect").to_string()).text(), "\"continued\"");
    let heard = recall(&rapid);
    assert_eq!((&heard[0]["status"], &heard[0]["interim"]), (&json!(202), &json!(100)));
}

#[test]
fn an_invoker_that_waits_for_100_continue_gets_it() {
    let rapid = Rapid::serve(Options::fixture());
    let mut connection = rapid.to_invoke();
    let request =
        Request::post(&Rapid::invoke_path("function"), "[1]").header("Expect", "100-continue");
    connection.write(&request.head()).unwrap();
    assert_eq!(connection.receive_interim().unwrap(), 100);
    connection.write(&request.body()).unwrap();
    assert_eq!(connection.receive().unwrap().text(), "[1]");
}

#[test]
fn an_error_during_an_invocation_cannot_be_one_of_the_initialisation() {
    let rapid = Rapid::serve(Options::fixture());
    let path = "/2018-06-01/runtime/init/error";
    let heard = rapid.invoke(json!({"do": "request", "method": "POST", "path": path}).to_string());
    expect_answers(&heard.json(), &[(403, &refused("Running", "InitError"))]);
    rapid.expect_echo();
}

// --- Paths and methods ---------------------------------------------------------------------------

#[test]
fn paths_and_methods_that_do_not_exist_are_told_apart() {
    let rapid = Rapid::serve(Options::fixture());
    rapid.expect_echo();
    let mut connection = rapid.to_runtime();
    let base = "/2018-06-01/runtime";
    let rows = [
        ("GET", "/2018-06-01/ping".to_owned(), 200, None, "pong"),
        ("GET", "/2018-06-01/ping/".to_owned(), 200, None, "pong"),
        ("GET", "/".to_owned(), 404, None, "404 page not found\n"),
        ("GET", "/2018-06-01//ping".to_owned(), 404, None, "404 page not found\n"),
        ("GET", format!("{base}/restore/next"), 404, None, "404 page not found\n"),
        ("GET", "/2021-04-23/credentials".to_owned(), 404, None, "404 page not found\n"),
        ("POST", NEXT.to_owned(), 405, Some("GET"), ""),
        ("HEAD", NEXT.to_owned(), 405, Some("GET"), ""),
        ("DELETE", NEXT.to_owned(), 405, Some("GET"), ""),
        ("GET", format!("{base}/invocation/x/response"), 405, Some("POST"), ""),
        ("PUT", format!("{base}/invocation/x/error"), 405, Some("POST"), ""),
        ("GET", format!("{base}/init/error"), 405, Some("POST"), ""),
        ("OPTIONS", "/2018-06-01/ping".to_owned(), 405, Some("GET"), ""),
    ];
    for (method, path, status, allow, body) in rows {
        let reply = connection.exchange(&Request::new(method, &path)).unwrap();
        assert_eq!(reply.status, status, "{method} {path}");
        assert_eq!(reply.header("Allow"), allow, "{method} {path}");
        assert_eq!(reply.text(), body, "{method} {path}");
        if status == 404 {
            assert_eq!(reply.header("Content-Type"), Some("text/plain; charset=utf-8"));
            assert_eq!(reply.header("X-Content-Type-Options"), Some("nosniff"));
        }
    }
    rapid.expect_echo();
}

#[test]
fn a_runtime_that_adds_slashes_is_served() {
    // The test is the runtime.
    let rapid = Rapid::serve(Options::fixture_that(["never-next"]));
    rapid.runtime();
    let invoker = rapid.invoke_in_background("[7]");
    let mut runtime = rapid.to_runtime();
    let event = runtime.exchange(&Request::get(&format!("{NEXT}/"))).unwrap();
    assert_eq!((event.status, event.text().as_str()), (200, "[7]"));
    let id = event.header("Lambda-Runtime-Aws-Request-Id").unwrap();
    let path = format!("/2018-06-01/runtime/invocation/{id}/response/");
    assert_eq!(runtime.exchange(&Request::post(&path, "[8]")).unwrap().status, 202);
    assert_eq!(invoker.join().unwrap().unwrap().text(), "[8]");
}

#[test]
fn the_metadata_route_tells_the_zone_to_those_who_know_the_token() {
    let rapid = Rapid::serve(Options::fixture());
    let env = rapid.invoke(event("report-env").to_string()).json();
    let token = env["AWS_LAMBDA_METADATA_TOKEN"].as_str().unwrap();
    let api = env["AWS_LAMBDA_METADATA_API"].as_str().unwrap();
    assert!(api.contains(&rapid.runtime_address().to_string()), "{api}");
    let path = "/2026-01-15/metadata/execution-environment";
    let mut connection = rapid.to_runtime();
    let bearer = format!("Bearer {token}");
    let good = Request::get(path).header("Authorization", &bearer);
    let reply = connection.exchange(&good).unwrap();
    assert_eq!((reply.status, reply.json()), (200, json!({"AvailabilityZoneID": "use1-az1"})));
    let cache = "private, max-age=43200, immutable";
    assert_eq!(reply.header("Cache-Control"), Some(cache));
    for bad in [None, Some(token), Some("Bearer nonsense"), Some("")] {
        let mut request = Request::get(path);
        if let Some(value) = bad {
            request = request.header("Authorization", value);
        }
        let reply = connection.exchange(&request).unwrap();
        assert_eq!((reply.status, reply.text().as_str()), (401, "Unauthorized\n"), "{bad:?}");
    }
    let post = Request::post(path, "").header("Authorization", &bearer);
    assert_eq!(connection.exchange(&post).unwrap().status, 405);
}

// --- The event ---------------------------------------------------------------------------------

/// The headers that came with an event, by lower-case name; the test's own clock says when.
struct Told {
    report: Value,
}

impl Told {
    #[track_caller]
    fn ask(rapid: &Rapid, function: &str, headers: &[(&str, &str)]) -> Self {
        let reply = rapid.invoke_with(function, headers, event("report-event").to_string());
        Self { report: reply.json() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let headers = self.report["headers"].as_array()?;
        let mut same = headers.iter().filter(|pair| pair[0] == name);
        same.next()?[1].as_str()
    }
}

#[test]
fn an_event_has_every_header_that_runtimes_rely_on() {
    let rapid = Rapid::serve(Options::fixture().timeout(7));
    rapid.expect_echo();
    let id = "0a1b2c3d-1111-4222-8333-444455556666";
    let trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    let told = Told::ask(
        &rapid,
        "test_function:live",
        &[
            ("X-Amzn-RequestId", id),
            ("X-Amzn-Trace-Id", trace),
            // {"client":{"n":"ü"}}
            ("X-Amz-Client-Context", "eyJjbGllbnQiOnsibiI6IsO8In19"),
            ("X-Amz-Cognito-Identity", r#"{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}"#),
            ("X-Amz-Tenant-Id", "tenant-7"),
            ("Content-Type", "application/x-www-form-urlencoded"),
        ],
    );
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:test_function:live";
    for (name, value) in [
        ("Lambda-Runtime-Aws-Request-Id", id),
        ("Lambda-Runtime-Invoked-Function-Arn", arn),
        ("Lambda-Runtime-Trace-Id", trace),
        ("Lambda-Runtime-Client-Context", r#"{"client":{"n":"ü"}}"#),
        (
            "Lambda-Runtime-Cognito-Identity",
            r#"{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}"#,
        ),
        ("Lambda-Runtime-Aws-Tenant-Id", "tenant-7"),
        ("Content-Type", "application/json"),
        ("Content-Length", "21"),
    ] {
        assert_eq!(told.header(name), Some(value), "{name} in {}", told.report);
    }
    let deadline: u64 = told.header("Lambda-Runtime-Deadline-Ms").unwrap().parse().unwrap();
    let left = deadline - told.report["now-ms"].as_u64().unwrap();
    assert!((5_000..=7_000).contains(&left), "{left} ms are left of 7 s");
    assert_eq!(told.header("Transfer-Encoding"), None);
}

#[test]
fn an_event_has_no_header_without_a_value() {
    let rapid = Rapid::serve(Options::fixture());
    let told = Told::ask(&rapid, "other-name", &[("X-Amz-Client-Context", "")]);
    let headers = told.report["headers"].as_array().unwrap();
    for pair in headers {
        assert_ne!(pair[1], "", "{pair}");
    }
    for absent in ["Client-Context", "Cognito-Identity", "Aws-Tenant-Id"] {
        assert_eq!(told.header(&format!("Lambda-Runtime-{absent}")), None, "{absent}");
    }
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:other-name";
    assert_eq!(told.header("Lambda-Runtime-Invoked-Function-Arn"), Some(arn));
    let trace = told.header("Lambda-Runtime-Trace-Id").unwrap();
    let parts: Vec<&str> = trace.split(';').collect();
    assert!(parts[0].starts_with("Root=1-") && parts[0].len() == 40, "{trace}");
    assert!(parts[1].starts_with("Parent=") && parts[1].len() == 23, "{trace}");
    assert_eq!(parts[2], "Sampled=0");
    assert!(parts[3].starts_with("Lineage=1:"), "{trace}");
    let id = told.header("Lambda-Runtime-Aws-Request-Id").unwrap();
    assert_eq!((id.len(), id.matches('-').count()), (36, 4), "{id}");
}

#[test]
fn the_event_of_a_caller_that_hangs_up_goes_to_the_next_one() {
    // The test is the runtime.
    let rapid = Rapid::serve(Options::fixture_that(["never-next"]));
    rapid.runtime();
    let mut gone = rapid.to_runtime();
    gone.send(&Request::get(NEXT)).unwrap();
    rapid_e2e::eventually("the caller is parked", || rapid.health() == "ready");
    drop(gone);
    let invoker = rapid.invoke_in_background("[1]");
    let mut runtime = rapid.to_runtime();
    let event = runtime.exchange(&Request::get(NEXT)).unwrap();
    assert_eq!(event.text(), "[1]");
    let id = event.header("Lambda-Runtime-Aws-Request-Id").unwrap();
    let path = format!("/2018-06-01/runtime/invocation/{id}/response");
    assert_eq!(runtime.exchange(&Request::post(&path, "[2]")).unwrap().status, 202);
    assert_eq!(invoker.join().unwrap().unwrap().text(), "[2]");
}

#[test]
fn a_second_answer_while_the_first_is_being_read_is_refused_at_once() {
    // The test is the runtime.
    let rapid = Rapid::serve(Options::fixture_that(["never-next"]));
    rapid.runtime();
    let invoker = rapid.invoke_in_background("{}");
    let mut runtime = rapid.to_runtime();
    let event = runtime.exchange(&Request::get(NEXT)).unwrap();
    let id = event.header("Lambda-Runtime-Aws-Request-Id").unwrap();
    let path = format!("/2018-06-01/runtime/invocation/{id}/response");
    let slow = Request::post(&path, "\"slow\"");
    runtime.write(&slow.head()).unwrap();
    // Until the head was read, the second one would be the first.
    let mut other = rapid.to_runtime();
    let second = loop {
        let again = other.exchange(&Request::get(NEXT)).unwrap();
        if again.status == 403 {
            break other.exchange(&Request::post(&path, "\"fast\"")).unwrap();
        }
    };
    assert_eq!(second.text(), refused("InvocationResponse", "InvocationResponse"));
    runtime.write(&slow.body()).unwrap();
    assert_eq!(runtime.receive().unwrap().status, 202);
    assert_eq!(invoker.join().unwrap().unwrap().text(), "\"slow\"");
}

#[test]
fn calls_of_a_generation_that_has_ended_are_cut_off() {
    let rapid = Rapid::serve(Options::fixture());
    rapid.expect_echo();
    let mut old = rapid.to_runtime();
    assert_eq!(old.exchange(&Request::get("/2018-06-01/ping")).unwrap().status, 200);
    let reply = rapid.invoke(json!({"do": "exit", "code": 1}).to_string());
    let message = "Runtime exited with error: exit status 1";
    let expected = error_body("Runtime.ExitError", &reply.request_id(), message);
    assert_eq!(reply.text(), expected);
    assert!(old.closes_within(DEADLINE));
    rapid.expect_echo();
}

#[test]
fn a_response_to_an_invocation_that_was_cut_off_reaches_nobody() {
    // The test is the runtime.
    let rapid = Rapid::serve(Options::fixture_that(["never-next"]).timeout(1));
    rapid.runtime();
    let invoker = rapid.invoke_in_background("{}");
    let mut runtime = rapid.to_runtime();
    let event = runtime.exchange(&Request::get(NEXT)).unwrap();
    let id = event.header("Lambda-Runtime-Aws-Request-Id").unwrap().to_owned();
    let late = thread::spawn(move || invoker.join().unwrap().unwrap()).join().unwrap();
    Rapid::expect_failure(&late, "Sandbox.Timedout", "Task timed out after 1.00 seconds");
    let path = format!("/2018-06-01/runtime/invocation/{id}/response");
    let mut new = rapid.to_runtime();
    let answer = new.exchange(&Request::post(&path, "\"late\""));
    // The generation may just be ending; then there may be no answer at all.
    if let Ok(answer) = answer {
        assert_eq!((answer.status, answer.text().as_str()), (400, INVALID_ID));
    }
}
