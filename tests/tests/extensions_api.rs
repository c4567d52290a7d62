//! What extensions may and may not ask the Extensions API, word for word. The test speaks for the
//! extension: its own process does nothing.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

#[path = "extensions/register.rs"]
mod register;

use rapid_e2e::{
    Agent, Connection, DEADLINE, Extensions, Options, Rapid, Reply, Request, epoch_ms, event,
    eventually,
};

const BASE: &str = "/2020-01-01/extension";
const ACCEPTED: &str = "{\"status\":\"OK\"}\n";
const STRANGER: &str = "6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11";

/// One external extension, which has not registered; the runtime waits for it.
fn with_agent() -> (Rapid, Extensions) {
    let extensions = Extensions::none().mute("agent");
    let options = Options::fixture().extensions(&extensions).flags(["--init-timeout", "60"]);
    (Rapid::serve(options), extensions)
}

/// An external extension that has registered and asked for its first event, which comes over the
/// connection; the function is ready.
#[track_caller]
fn with_ready_agent() -> (Rapid, Extensions, Agent, Connection) {
    let (rapid, extensions) = with_agent();
    let agent = Agent::register(&rapid, "agent", &["INVOKE", "SHUTDOWN"]);
    let parked = agent.ask(&rapid);
    rapid.wait_for_line("EXTENSION\tName: agent\tState: Ready", DEADLINE);
    (rapid, extensions, agent, parked)
}

/// One that has got the event of an invocation and has not come back.
#[track_caller]
fn with_running_agent() -> (Rapid, Extensions, Agent) {
    let (rapid, extensions, agent, mut parked) = with_ready_agent();
    rapid.expect_echo();
    assert_eq!(parked.receive().expect("the event comes").status, 200);
    (rapid, extensions, agent)
}

#[track_caller]
fn expect_json(reply: &Reply, status: u16, body: &str) {
    assert_eq!((reply.status, reply.text().as_str()), (status, body));
    assert_eq!(reply.header("Content-Type"), Some("application/json"));
}

/// What every mistake is answered with.
#[track_caller]
fn expect_refusal(reply: &Reply, error_type: &str, message: &str) {
    let body = format!("{{\"errorMessage\":\"{message}\",\"errorType\":\"{error_type}\"}}\n");
    expect_json(reply, 403, &body);
}

/// What a call is answered with that the state does not allow.
#[track_caller]
fn expect_conflict(reply: &Reply, from: &str, to: &str, who: &str) {
    let message = format!(
        "State transition from {from} to {to} failed for extension {who}. \
         Error: State transition is not allowed"
    );
    expect_refusal(reply, "Extension.InvalidExtensionState", &message);
}

// --- The identifier ----------------------------------------------------------------------------

/// The calls that need an identifier.
fn signed_calls() -> [Request; 3] {
    let somebody = |kind: &str| {
        Request::post(&format!("{BASE}/{kind}/error"), "{}")
            .header("Lambda-Extension-Function-Error-Type", "Extension.Odd")
    };
    [Request::get(&format!("{BASE}/event/next")), somebody("init"), somebody("exit")]
}

#[test]
fn a_call_without_an_identifier_is_refused() {
    let (rapid, _extensions) = with_agent();
    for call in signed_calls() {
        for request in [call.clone(), Agent::with_id("").signed(call.clone())] {
            let message = "Missing Lambda-Extension-Identifier header";
            expect_refusal(&rapid.call(&request), "Extension.MissingExtensionIdentifier", message);
        }
    }
}

#[test]
fn a_call_with_an_identifier_that_is_no_uuid_is_refused() {
    let (rapid, _extensions) = with_agent();
    let long = format!("{STRANGER}0");
    for call in signed_calls() {
        for id in ["agent", "6f1c8e2a", "(6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11)", &long] {
            let reply = rapid.call(&Agent::with_id(id).signed(call.clone()));
            let message = "Invalid Lambda-Extension-Identifier";
            expect_refusal(&reply, "Extension.InvalidExtensionIdentifier", message);
        }
    }
}

#[test]
fn an_identifier_counts_in_every_usual_spelling() {
    let (rapid, _extensions) = with_agent();
    let agent = Agent::register(&rapid, "agent", &["INVOKE"]);
    let id = agent.id();
    let spellings = [
        id.to_uppercase(),
        id.replace('-', ""),
        format!("{{{id}}}"),
        format!("urn:uuid:{id}"),
        id.to_owned(),
    ];
    for spelling in spellings {
        let reply = rapid.call(&Agent::with_id(&spelling).report("init", "Extension.Odd"));
        expect_json(&reply, 202, ACCEPTED);
    }
}

// --- event/next --------------------------------------------------------------------------------

#[test]
fn nobody_gets_an_event_under_an_identifier_that_nobody_has() {
    let (rapid, _extensions) = with_agent();
    let message = format!("Unknown extension {STRANGER}");
    for spelling in [STRANGER.to_owned(), STRANGER.to_uppercase()] {
        let reply = rapid.call(&Agent::with_id(&spelling).next());
        expect_refusal(&reply, "Extension.UnknownExtensionIdentifier", &message);
    }
}

#[test]
fn asking_for_an_event_twice_at_once_is_refused() {
    let (rapid, _extensions, agent, mut parked) = with_ready_agent();
    expect_conflict(&rapid.call(&agent.next()), "Ready", "Ready", agent.id());
    // The first one waits still.
    rapid.expect_echo();
    assert_eq!(parked.receive().unwrap().json()["eventType"], "INVOKE");
}

#[test]
fn asking_for_an_event_after_an_error_is_refused() {
    for (kind, state) in [("init", "InitError"), ("exit", "ExitError")] {
        let (rapid, _extensions) = with_agent();
        let agent = Agent::register(&rapid, "agent", &["INVOKE"]);
        expect_json(&rapid.call(&agent.report(kind, "Extension.Odd")), 202, ACCEPTED);
        expect_conflict(&rapid.call(&agent.next()), state, "Ready", agent.id());
    }
}

#[test]
fn a_call_that_waits_for_an_event_is_released_when_its_extension_has_given_up() {
    let (rapid, _extensions, agent, mut parked) = with_ready_agent();
    expect_json(&rapid.call(&agent.report("exit", "Extension.Odd")), 202, ACCEPTED);
    rapid.child_called("agent").kill();
    let message = format!(
        "State transition from ExitError to Ready failed for extension {}. \
         Error: Concurrent state modification",
        agent.id()
    );
    let reply = parked.receive().unwrap();
    expect_refusal(&reply, "Extension.InvalidExtensionState", &message);
}

#[test]
fn the_event_of_an_invocation_says_which_and_until_when() {
    let (rapid, _extensions, agent, mut parked) = with_ready_agent();
    for name in ["hello", "arn:aws:lambda:us-east-1:123456789012:function:hello:$LATEST"] {
        let begun = epoch_ms();
        let invoker = rapid.invoke_with(name, &[], event("report-event").to_string());
        let heard = invoker.json();
        let runtime = |name: &str| {
            let headers = heard["headers"].as_array().expect("the runtime tells its headers");
            let own = headers.iter().find(|header| header[0] == name).expect("it is there");
            own[1].as_str().expect("text").to_owned()
        };
        let event = parked.receive().unwrap();
        let deadline = runtime("Lambda-Runtime-Deadline-Ms");
        let body = format!(
            "{{\"eventType\":\"INVOKE\",\"deadlineMs\":{deadline},\"requestId\":\"{}\",\
             \"invokedFunctionArn\":\"{}\",\
             \"tracing\":{{\"type\":\"X-Amzn-Trace-Id\",\"value\":\"{}\"}}}}",
            invoker.request_id(),
            runtime("Lambda-Runtime-Invoked-Function-Arn"),
            runtime("Lambda-Runtime-Trace-Id"),
        );
        expect_json(&event, 200, &body);
        let names: Vec<&str> = event.headers.iter().map(|(name, _)| name.as_str()).collect();
        let expected =
            ["Content-Type", "Lambda-Extension-Event-Identifier", "Content-Length", "Date"];
        assert_eq!(names, expected);
        let identifier = event.header("Lambda-Extension-Event-Identifier").unwrap();
        assert_eq!(identifier.len(), STRANGER.len());
        assert_ne!(identifier, invoker.request_id());
        let deadline: u64 = deadline.parse().unwrap();
        let limit = 300_000;
        assert!((begun + limit..=epoch_ms() + limit).contains(&deadline), "{event:?}");
        parked = agent.ask(&rapid);
        rapid.report_of(&invoker);
    }
}

#[test]
fn every_event_of_an_invocation_has_an_identifier_of_its_own() {
    let extensions = Extensions::none().mute("one").mute("two");
    let rapid = Rapid::serve(Options::fixture().extensions(&extensions));
    let agents = ["one", "two"].map(|name| Agent::register(&rapid, name, &["INVOKE"]));
    let mut parked = agents.each_ref().map(|agent| agent.ask(&rapid));
    rapid.wait_for_line("Name: two\tState: Ready", DEADLINE);
    rapid.expect_echo();
    let events = parked.each_mut().map(|parked| parked.receive().unwrap());
    let [one, two] = events
        .each_ref()
        .map(|event| event.header("Lambda-Extension-Event-Identifier").unwrap().to_owned());
    assert_ne!(one, two);
    assert_eq!(events[0].text(), events[1].text());
}

#[test]
fn the_event_of_the_end_is_called_text_and_has_no_identifier() {
    let (rapid, _extensions, _agent, mut parked) = with_ready_agent();
    let begun = epoch_ms();
    rapid.term();
    let event = parked.receive().unwrap();
    let now = epoch_ms();
    rapid.child_called("agent").kill();
    let text = event.text();
    let (front, rest) = text.split_at(text.find(char::is_numeric).unwrap());
    let (deadline, back) = rest.split_at(rest.find(',').unwrap());
    assert_eq!(front, r#"{"eventType":"SHUTDOWN","deadlineMs":"#);
    assert_eq!(back, r#","shutdownReason":"spindown"}"#);
    let deadline: u64 = deadline.parse().unwrap();
    assert!((begun + 2000..=now + 2000).contains(&deadline), "{begun} {deadline} {now}");
    assert_eq!(
        (event.status, event.header("Content-Type")),
        (200, Some("text/plain; charset=utf-8"))
    );
    let names: Vec<&str> = event.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Content-Type", "Content-Length", "Date"]);
    assert_eq!(rapid.exit_code(DEADLINE), Some(0));
}

// --- init/error and exit/error -----------------------------------------------------------------

#[test]
fn a_report_without_an_error_type_is_refused_even_to_those_whom_nobody_knows() {
    let (rapid, _extensions) = with_agent();
    let agent = Agent::register(&rapid, "agent", &["INVOKE"]);
    let message = "Lambda-Extension-Function-Error-Type not found";
    for kind in ["init", "exit"] {
        let bare = Request::post(&format!("{BASE}/{kind}/error"), "{}");
        for request in [
            agent.signed(bare.clone()),
            Agent::with_id(STRANGER).signed(bare),
            agent.report(kind, ""),
        ] {
            expect_refusal(&rapid.call(&request), "Extension.MissingHeader", message);
        }
    }
    // Nothing of that has counted.
    let _parked = agent.ask(&rapid);
    rapid.wait_for_line("State: Ready", DEADLINE);
}

#[test]
fn a_report_that_the_state_does_not_allow_is_refused() {
    let (rapid, _extensions, agent, _parked) = with_ready_agent();
    let init = agent.report("init", "Extension.Odd");
    let exit = agent.report("exit", "Extension.Odd");
    expect_conflict(&rapid.call(&init), "Ready", "InitError", agent.id());
    expect_json(&rapid.call(&exit), 202, ACCEPTED);
    expect_conflict(&rapid.call(&init), "ExitError", "InitError", agent.id());

    let (rapid, _extensions, agent) = with_running_agent();
    let init = agent.report("init", "Extension.Odd");
    expect_conflict(&rapid.call(&init), "Running", "InitError", agent.id());

    let (rapid, _extensions) = with_agent();
    let agent = Agent::register(&rapid, "agent", &["INVOKE"]);
    expect_json(&rapid.call(&agent.report("init", "Extension.Odd")), 202, ACCEPTED);
    let exit = agent.report("exit", "Extension.Odd");
    expect_conflict(&rapid.call(&exit), "InitError", "Exited", agent.id());
}

#[test]
fn a_report_under_an_identifier_that_nobody_has_is_refused() {
    let (rapid, _extensions) = with_agent();
    for kind in ["init", "exit"] {
        let reply = rapid.call(&Agent::with_id(STRANGER).report(kind, "Extension.Odd"));
        let message = "Unknown Lambda-Extension-Identifier";
        expect_refusal(&reply, "Extension.UnknownExtensionIdentifier", message);
    }
}

#[test]
fn a_report_is_taken_whatever_its_body_and_the_first_of_several_counts() {
    for (kind, state) in [("init", "InitError"), ("exit", "ExitError")] {
        let (rapid, _extensions) = with_agent();
        let agent = Agent::register(&rapid, "agent", &["INVOKE"]);
        let path = format!("{BASE}/{kind}/error");
        let rows = [
            (Request::post(&path, r#"{"errorMessage":"m","errorType":"t"}"#), "Extension.First"),
            (Request::new("POST", &path), "Extension.Second"),
            (Request::post_chunked(&path, &[b"no", b" json"], &[]), "any words at all"),
            (Request::post(&path, vec![b'x'; 1 << 20]), "Extension.Last"),
        ];
        for (request, error_type) in rows {
            let request = request.header("Lambda-Extension-Function-Error-Type", error_type);
            expect_json(&rapid.call(&agent.signed(request)), 202, ACCEPTED);
        }
        rapid.child_called("agent").kill();
        let line = rapid.wait_for_line("EXTENSION\tName: agent", DEADLINE);
        let expected = format!("State: {state}\tEvents: [INVOKE]\tError Type: Extension.First");
        assert!(line.ends_with(&expected), "{line}");
    }
}

// --- The rest ----------------------------------------------------------------------------------

#[test]
fn other_methods_are_not_allowed_and_other_paths_not_there() {
    let (rapid, _extensions) = with_agent();
    let rows = [
        ("GET", "register", 405),
        ("POST", "event/next", 405),
        ("GET", "init/error", 405),
        ("PUT", "exit/error", 405),
        ("GET", "event", 404),
        ("POST", "register/agent", 404),
    ];
    for (method, path, status) in rows {
        let reply = rapid.call(&Request::new(method, &format!("{BASE}/{path}")));
        assert_eq!(reply.status, status, "{method} {path}");
    }
}

#[test]
fn an_identifier_ends_with_its_generation() {
    let (rapid, _extensions, agent) = with_running_agent();
    rapid.child_called("agent").kill();
    let again = rapid.invoke_in_background(r#"{"do":"echo"}"#);
    let unknown = format!("Unknown extension {}", agent.id());
    eventually("the next generation is there", || {
        let reply = rapid.call(&Agent::registration("agent", &["INVOKE"]));
        reply.status == 200 && {
            let fresh = Agent::registered(&reply);
            assert_ne!(fresh.id(), agent.id());
            let refused = rapid.call(&agent.next());
            expect_refusal(&refused, "Extension.UnknownExtensionIdentifier", &unknown);
            fresh.ask(&rapid).receive().expect("the event comes").status == 200
        }
    });
    assert_eq!(again.join().unwrap().unwrap().function_error(), None);
}
