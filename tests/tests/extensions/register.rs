//! What `register` takes and refuses, in the order of its checks.

use rapid_e2e::{Agent, DEADLINE, Extensions, Options, Rapid, Request};

use crate::{
    BASE, expect_conflict, expect_json, expect_refusal, with_agent, with_ready_agent,
    with_running_agent,
};

/// No external extension, and a runtime that never asks for an event: internal ones may register.
fn with_runtime_in_init() -> (Rapid, Extensions) {
    let extensions = Extensions::none();
    let options = Options::fixture_that(["never-next"]).flags(["--init-timeout", "60"]);
    let rapid = Rapid::serve(options.extensions(&extensions));
    rapid.runtime();
    (rapid, extensions)
}

fn register(name: &str, body: &str) -> Request {
    Request::post(&format!("{BASE}/register"), body).header("Lambda-Extension-Name", name)
}

#[test]
fn a_registration_is_answered_with_an_id_and_the_function() {
    let extensions = Extensions::none().mute("agent");
    let flags = ["--function-name", "hello", "--function-version", "7", "--handler", "app.handler"];
    let rapid = Rapid::serve(Options::fixture().extensions(&extensions).flags(flags));
    let reply = rapid.call(&Agent::registration("agent", &["INVOKE"]));
    let body =
        "{\"functionName\":\"hello\",\"functionVersion\":\"7\",\"handler\":\"app.handler\"}\n";
    expect_json(&reply, 200, body);
    let id = reply.header("Lambda-Extension-Identifier").unwrap();
    let lengths: Vec<usize> = id.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
    assert!(id.bytes().all(|b| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
    let names: Vec<&str> = reply.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Content-Type", "Lambda-Extension-Identifier", "Content-Length", "Date"]);
}

#[test]
fn the_handler_of_the_command_line_is_told() {
    let extensions = Extensions::none().mute("agent");
    let options = Options::fixture_that(["other.handler"]).extensions(&extensions);
    let reply = Rapid::serve(options).call(&Agent::registration("agent", &[]));
    assert_eq!(reply.json()["handler"], "other.handler");
}

#[test]
fn the_account_is_told_to_those_who_ask_for_it_and_where_there_is_one() {
    let told = "{\"accountId\":\"123456789012\",\"functionName\":\"test_function\",\
                \"functionVersion\":\"$LATEST\",\"handler\":\"never-next\"}\n";
    let untold = told.replace("\"accountId\":\"123456789012\",", "");
    let (rapid, _extensions) = with_runtime_in_init();
    let ask = |rapid: &Rapid, name: &str, feature: &str| {
        rapid.call(&register(name, "{}").header("Lambda-Extension-Accept-Feature", feature))
    };
    expect_json(&ask(&rapid, "a", "accountId"), 200, told);
    expect_json(&ask(&rapid, "b", "other , accountId,"), 200, told);
    expect_json(&ask(&rapid, "c", "AccountId"), 200, &untold);
    expect_json(&ask(&rapid, "d", ""), 200, &untold);
    expect_json(&rapid.call(&register("e", "{}")), 200, &untold);

    let extensions = Extensions::none().mute("agent");
    let options = Options::fixture_that(["never-next"]).rie().flags(["--init", "eager"]);
    let options = options.extensions(&extensions);
    let emulator = Rapid::serve(options);
    expect_json(&ask(&emulator, "agent", "accountId"), 200, &untold);
}

#[test]
fn a_registration_may_leave_out_what_is_optional() {
    let (rapid, _extensions) = with_runtime_in_init();
    let bodies = [
        "{}",
        "null",
        r#"{"events":null,"configurationKeys":null}"#,
        r#"{"events":[],"configurationKeys":[]}"#,
        r#" {"other":{"events":["x"]},"events":["INVOKE","INVOKE"]} "#,
    ];
    for (place, body) in bodies.iter().enumerate() {
        let reply = rapid.call(&register(&format!("extension {place}"), body));
        assert_eq!(reply.status, 200, "{body}: {}", reply.text());
    }
}

#[test]
fn a_registration_without_a_name_or_with_an_empty_one_is_refused() {
    let (rapid, _extensions) = with_agent();
    let nameless = Request::post(&format!("{BASE}/register"), r#"{"events":["INVOKE"]}"#);
    for request in [nameless, register("", r#"{"events":["INVOKE"]}"#)] {
        let reply = rapid.call(&request);
        expect_refusal(&reply, "Extension.InvalidExtensionName", "Empty extension name");
    }
}

#[test]
fn a_registration_that_is_not_the_json_that_is_asked_for_is_refused() {
    let (rapid, _extensions) = with_agent();
    let bodies = [
        "",
        "{",
        "events",
        "[]",
        "1",
        r#"[["INVOKE"]]"#,
        r#"{"events":"INVOKE"}"#,
        r#"{"events":[1]}"#,
        r#"{"events":{"INVOKE":true}}"#,
        r#"{"configurationKeys":"key"}"#,
        r#"{"events":["INVOKE"]} {}"#,
    ];
    for body in bodies {
        let reply = rapid.call(&register("agent", body));
        let error = reply.json();
        let message = error["errorMessage"].as_str().expect("the parser's words");
        assert!(!message.is_empty());
        expect_refusal(&reply, "InvalidRequestFormat", &message.replace('"', "\\\""));
    }
    Agent::register(&rapid, "agent", &["INVOKE"]);
}

#[test]
fn a_registration_with_configuration_keys_is_refused() {
    let (rapid, _extensions) = with_agent();
    let body = r#"{"events":["INVOKE"],"configurationKeys":["key"]}"#;
    let reply = rapid.call(&register("agent", body));
    let message = "configurationKeys are deprecated; use environment variables instead";
    expect_refusal(&reply, "InvalidRequestFormat", message);
}

#[test]
fn an_event_that_does_not_exist_is_refused_to_an_external_extension() {
    let (rapid, _extensions) = with_agent();
    for event in ["invoke", "Shutdown", "INVOKE ", ""] {
        let reply = rapid.call(&Agent::registration("agent", &["INVOKE", event, "SHUTDOWN"]));
        let message = format!("{event}: ErrorInvalidEventType");
        expect_refusal(&reply, "Extension.InvalidEventType", &message);
    }
    // Nothing of that has counted.
    let _parked = Agent::register(&rapid, "agent", &["SHUTDOWN"]).ask(&rapid);
    rapid.wait_for_line("EXTENSION\tName: agent\tState: Ready\tEvents: [SHUTDOWN]", DEADLINE);
}

#[test]
fn the_event_of_the_end_is_refused_to_an_internal_extension() {
    let (rapid, _extensions) = with_runtime_in_init();
    let reply = rapid.call(&Agent::registration("inner", &["INVOKE", "SHUTDOWN"]));
    let message = "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension";
    expect_refusal(&reply, "Extension.InvalidEventType", message);
    // Nothing of that has counted.
    Agent::register(&rapid, "inner", &["INVOKE"]);
}

#[test]
fn an_event_that_does_not_exist_is_refused_to_an_internal_extension() {
    let (rapid, _extensions) = with_runtime_in_init();
    let reply = rapid.call(&Agent::registration("inner", &["INVOKE", "Invoke", "SHUTDOWN"]));
    expect_refusal(&reply, "Extension.InvalidEventType", "Invoke: ErrorInvalidEventType");
    Agent::register(&rapid, "inner", &["INVOKE"]);
}

#[test]
fn an_internal_extension_is_refused_once_the_runtime_has_asked_for_its_first_event() {
    let (rapid, _extensions, _agent, _parked) = with_ready_agent();
    let refused = "Extension registration closed already";
    for name in ["inner", "agent2"] {
        let reply = rapid.call(&Agent::registration(name, &["INVOKE"]));
        expect_refusal(&reply, "Extension.RegistrationClosed", refused);
    }
    rapid.expect_echo();
    let reply = rapid.call(&Agent::registration("inner", &[]));
    expect_refusal(&reply, "Extension.RegistrationClosed", refused);
}

#[test]
fn an_eleventh_extension_is_refused_whatever_the_others_are() {
    let extensions = Extensions::none().mute("agent");
    let options = Options::fixture_that(["never-next"]).flags(["--init-timeout", "60"]);
    let rapid = Rapid::serve(options.extensions(&extensions));
    Agent::register(&rapid, "agent", &["INVOKE"]);
    for i in 0..9 {
        Agent::register(&rapid, &format!("inner {i}"), &["INVOKE"]);
    }
    let reply = rapid.call(&Agent::registration("inner 9", &["INVOKE"]));
    expect_refusal(&reply, "Extension.TooManyExtensions", "Extension limit (10) reached");
}

#[test]
fn an_internal_extension_whose_name_is_taken_is_refused() {
    let (rapid, _extensions) = with_runtime_in_init();
    Agent::register(&rapid, "inner", &["INVOKE"]);
    let reply = rapid.call(&Agent::registration("inner", &[]));
    let message = "Extension with this name already registered";
    expect_refusal(&reply, "Extension.InvalidExtensionState", message);
}

#[test]
fn an_external_extension_registers_once() {
    let (rapid, _extensions, _agent) = with_running_agent();
    let again = Agent::registration("agent", &["INVOKE"]);
    expect_conflict(&rapid.call(&again), "Running", "Registered", "agent");

    let (rapid, _extensions) = with_agent();
    let agent = Agent::register(&rapid, "agent", &["INVOKE"]);
    expect_conflict(&rapid.call(&again), "Registered", "Registered", "agent");
    let _parked = agent.ask(&rapid);
    rapid.wait_for_line("State: Ready", DEADLINE);
    expect_conflict(&rapid.call(&again), "Ready", "Registered", "agent");
}

#[test]
fn of_several_mistakes_in_a_registration_the_first_in_the_order_of_the_checks_is_told() {
    let (rapid, _extensions) = with_runtime_in_init();
    for i in 0..10 {
        Agent::register(&rapid, &format!("inner {i}"), &[]);
    }
    let rows = [
        ("", "{", "Extension.InvalidExtensionName"),
        ("inner 1", r#"{"configurationKeys":["k"],"events":[1]}"#, "InvalidRequestFormat"),
        ("inner 1", r#"{"configurationKeys":["k"],"events":["x"]}"#, "InvalidRequestFormat"),
        ("inner 1", r#"{"events":["x"]}"#, "Extension.InvalidEventType"),
        ("inner 1", "{}", "Extension.TooManyExtensions"),
    ];
    for (name, body, error_type) in rows {
        let error = rapid.call(&register(name, body)).json();
        assert_eq!(error["errorType"], error_type, "{name} {body}");
    }
    let (rapid, _extensions, _agent, _parked) = with_ready_agent();
    let rows = [
        ("inner", r#"{"events":["SHUTDOWN"]}"#, "Extension.InvalidEventType"),
        ("agent", r#"{"events":["x"]}"#, "Extension.InvalidEventType"),
        ("inner", "{}", "Extension.RegistrationClosed"),
        ("agent", "{}", "Extension.InvalidExtensionState"),
    ];
    for (name, body, error_type) in rows {
        let error = rapid.call(&register(name, body)).json();
        assert_eq!(error["errorType"], error_type, "{name} {body}");
    }
}
