//! `register`, row by row.

use std::sync::Arc;

use bytes::Bytes;
use rapid_interop::extension::{ExtensionRefusal, StateConflict};
use rapid_interop::message::FunctionMetadata;

use super::{REGISTER, check_internal, check_refusal, forbidden, invalid_state};
use crate::http_text::{Piece, Pieces, check, hang_up_on, request};
use crate::port::FakePort;

/// The limit of a body, in bytes.
const LIMIT: usize = 64 * 1024;

fn named(name: &str) -> String {
    format!("{REGISTER}\nLambda-Extension-Name: {name}")
}

/// Registers, and compares what the port hears.
async fn check_heard(head: &str, body: &str, heard: &str) {
    let port = FakePort::default();
    let response = crate::http_text::send(&port, request(head, body.to_owned())).await;
    assert_eq!((response.status().as_u16(), port.heard()), (200, vec![heard.to_owned()]), "{body}");
}

/// Registers with a body that cannot be read, and compares what is said about it.
async fn check_format(body: &str, message: &str) {
    let port = FakePort::default();
    let expected = forbidden("InvalidRequestFormat", message);
    check(&port, &named("e"), body.to_owned(), &expected).await;
    assert_eq!(port.heard(), [""; 0]);
}

fn function() -> FunctionMetadata {
    FunctionMetadata {
        account_id: Some("012345678912".into()),
        function_name: "f".into(),
        function_version: "$LATEST".into(),
        handler: "app.handler".into(),
        ..FunctionMetadata::default()
    }
}

fn telling(function: FunctionMetadata) -> FakePort {
    FakePort::with(|script| script.function = Arc::new(function))
}

fn registered(body: &str) -> String {
    format!(
        "200\ncontent-type: application/json\n\
         lambda-extension-identifier: 85083764-ff1e-476f-ada1-d51f26e4f6be\n\n{body}\n"
    )
}

const WITHOUT_ACCOUNT: &str =
    r#"{"functionName":"f","functionVersion":"$LATEST","handler":"app.handler"}"#;
const WITH_ACCOUNT: &str = r#"{"accountId":"012345678912","functionName":"f","functionVersion":"$LATEST","handler":"app.handler"}"#;

#[tokio::test]
async fn an_extension_is_told_its_identifier_and_the_function() {
    let port = telling(function());
    let body = r#"{"events":["INVOKE","SHUTDOWN"]}"#;
    check(&port, &named("ext.sh"), body, &registered(WITHOUT_ACCOUNT)).await;
    assert_eq!(port.heard(), ["register 'ext.sh' for [INVOKE SHUTDOWN] in 1"]);
}

#[tokio::test]
async fn what_html_gives_a_meaning_to_is_escaped() {
    let port = telling(FunctionMetadata { function_name: "<f>&\u{2029}".into(), ..function() });
    let body = r#"{"functionName":"\u003cf\u003e\u0026\u2029","functionVersion":"$LATEST","handler":"app.handler"}"#;
    check(&port, &named("e"), "{}", &registered(body)).await;
}

#[tokio::test]
async fn what_is_not_known_of_the_function_is_empty() {
    let body = r#"{"functionName":"","functionVersion":"","handler":""}"#;
    check(&FakePort::default(), &named("e"), "{}", &registered(body)).await;
}

#[tokio::test]
async fn the_account_is_told_to_those_that_ask_for_it() {
    for features in [
        "Lambda-Extension-Accept-Feature: accountId",
        "lambda-extension-accept-feature: more , \taccountId ,",
        "Lambda-Extension-Accept-Feature: more\nLambda-Extension-Accept-Feature: accountId",
    ] {
        let head = format!("{}\n{features}", named("e"));
        check(&telling(function()), &head, "{}", &registered(WITH_ACCOUNT)).await;
    }
    for features in ["", "accountid", "accountId2", "account Id", ",", "accountId;q=1", "ä"] {
        let head = format!("{}\nLambda-Extension-Accept-Feature: {features}", named("e"));
        check(&telling(function()), &head, "{}", &registered(WITHOUT_ACCOUNT)).await;
    }
}

#[tokio::test]
async fn an_account_that_is_not_known_is_left_out() {
    for account_id in [None, Some(String::new())] {
        let port = telling(FunctionMetadata { account_id, ..function() });
        let head = format!("{}\nLambda-Extension-Accept-Feature: accountId", named("e"));
        check(&port, &head, "{}", &registered(WITHOUT_ACCOUNT)).await;
    }
}

#[tokio::test]
async fn no_events_are_no_mistake() {
    for body in [
        "{}",
        " { } ",
        r#"{"events":null}"#,
        r#"{"events":[]}"#,
        r#"{ "events": [], "configurationKeys": [] }"#,
        r#"{"configurationKeys":null,"more":{"events":["INVOKE"]}}"#,
        "null",
    ] {
        check_heard(&named("e"), body, "register 'e' for [] in 1").await;
    }
}

#[tokio::test]
async fn the_port_gets_events_as_they_were_written() {
    let body = r#"{"events":["SHUTDOWN","invoke","","SHUTDOWN"]}"#;
    check_heard(&named("e"), body, "register 'e' for [SHUTDOWN invoke  SHUTDOWN] in 1").await;
}

#[tokio::test]
async fn the_content_type_does_not_matter() {
    for content_type in ["text/plain", "application/json", ""] {
        let head = format!("{}\nContent-Type: {content_type}", named("e"));
        check_heard(&head, r#"{"events":["INVOKE"]}"#, "register 'e' for [INVOKE] in 1").await;
    }
}

#[tokio::test]
async fn a_chunked_registration_is_one_too() {
    let port = telling(function());
    let body = Pieces::of(r#"{"events":["INVOKE"]}"#);
    check(&port, &named("e"), body, &registered(WITHOUT_ACCOUNT)).await;
    assert_eq!(port.heard(), ["register 'e' for [INVOKE] in 1"]);
}

#[tokio::test]
async fn any_name_will_do_and_what_is_not_utf_8_in_it_is_replaced() {
    check_heard(&named("a b/ä"), "{}", "register 'a b/ä' for [] in 1").await;
    let port = FakePort::default();
    let mut odd = request(REGISTER, "{}");
    let name = http::HeaderValue::from_bytes(b"a\xff").unwrap();
    odd.headers_mut().insert("lambda-extension-name", name);
    assert_eq!(crate::http_text::send(&port, odd).await.status(), 200);
    assert_eq!(port.heard(), ["register 'a\u{fffd}' for [] in 1"]);
}

#[tokio::test]
async fn row_1_an_extension_without_a_name_is_refused_whatever_its_body() {
    let expected = forbidden("Extension.InvalidExtensionName", "Empty extension name");
    let port = FakePort::default();
    for head in [REGISTER, &named("")] {
        check(&port, head, "{}", &expected).await;
        check(&port, head, "nonsense", &expected).await;
        check(&port, head, Pieces::body([Piece::BreakOff]), &expected).await;
    }
    assert_eq!(port.heard(), [""; 0]);
}

#[tokio::test]
async fn row_2_a_body_that_is_no_json_is_refused_with_the_words_of_the_parser() {
    check_format("", "EOF while parsing a value at line 1 column 0").await;
    check_format("nonsense", "expected ident at line 1 column 2").await;
    check_format("{} {}", "trailing characters at line 1 column 4").await;
    check_format(r#"{"events":["INVOKE""#, "EOF while parsing a list at line 1 column 19").await;
}

#[tokio::test]
async fn row_2_a_body_of_another_type_is_refused_with_the_words_of_the_parser() {
    check_format("[]", "invalid type: sequence, expected a map at line 1 column 0").await;
    check_format(r#"[["INVOKE"]]"#, "invalid type: sequence, expected a map at line 1 column 0")
        .await;
    check_format("1", "invalid type: integer `1`, expected a map at line 1 column 1").await;
    let text = r#"invalid type: string \"INVOKE\", expected a sequence"#;
    check_format(r#"{"events":"INVOKE"}"#, text).await;
    check_format(r#"{"events":[1]}"#, "invalid type: integer `1`, expected a string").await;
    let keys = "invalid type: map, expected a sequence";
    check_format(r#"{"configurationKeys":{}}"#, keys).await;
}

#[tokio::test]
async fn row_2_a_body_that_is_not_whole_is_refused() {
    let port = FakePort::default();
    let half = || Piece::Data(Bytes::from_static(b"{"));
    let truncated = forbidden("InvalidRequestFormat", "the body ended before it was complete");
    check(&port, &named("e"), Pieces::body([half(), Piece::BreakOff]), &truncated).await;
    hang_up_on(&port, request(&named("e"), Pieces::body([half(), Piece::Stall]))).await;
    let too_large = forbidden("InvalidRequestFormat", "the body is larger than 65536 bytes");
    let large = Bytes::from(vec![b' '; LIMIT + 1]);
    check(&port, &named("e"), large.clone(), &too_large).await;
    check(&port, &named("e"), Pieces::of(large), &too_large).await;
    assert_eq!(port.heard(), [""; 0]);
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_read() {
    let body = "{}".to_owned() + &" ".repeat(LIMIT - 2);
    check_heard(&named("e"), &body, "register 'e' for [] in 1").await;
}

#[tokio::test]
async fn row_3_configuration_keys_are_a_thing_of_the_past() {
    let text = "configurationKeys are deprecated; use environment variables instead";
    check_format(r#"{"configurationKeys":["k"]}"#, text).await;
    check_format(r#"{"events":["nonsense"],"configurationKeys":[""]}"#, text).await;
}

#[tokio::test]
async fn row_4_events_that_do_not_exist_are_named() {
    let invalid = |event: &str| ExtensionRefusal::UnknownEvent { event: event.into() };
    let error_type = "Extension.InvalidEventType";
    check_refusal(&named("e"), invalid("invoke"), error_type, "invoke: ErrorInvalidEventType")
        .await;
    let escaped = "\\u003cE\\u003e\\\"\\n: ErrorInvalidEventType";
    check_refusal(&named("e"), invalid("<E>\"\n"), error_type, escaped).await;
    check_refusal(
        &named("e"),
        ExtensionRefusal::ShutdownOfInternal,
        error_type,
        "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension",
    )
    .await;
}

#[tokio::test]
async fn row_5_registration_closes() {
    check_refusal(
        &named("e"),
        ExtensionRefusal::RegistrationClosed,
        "Extension.RegistrationClosed",
        "Extension registration closed already",
    )
    .await;
}

#[tokio::test]
async fn row_6_there_may_be_ten_extensions() {
    check_refusal(
        &named("e"),
        ExtensionRefusal::TooManyExtensions,
        "Extension.TooManyExtensions",
        "Extension limit (10) reached",
    )
    .await;
}

#[tokio::test]
async fn row_7_a_name_is_taken_once() {
    check_refusal(
        &named("e"),
        ExtensionRefusal::NameTaken,
        "Extension.InvalidExtensionState",
        "Extension with this name already registered",
    )
    .await;
}

#[tokio::test]
async fn row_8_an_extension_registers_once() {
    check_refusal(
        &named("e"),
        invalid_state("Registered", "Registered", "a<b", StateConflict::NotAllowed),
        "Extension.InvalidExtensionState",
        "State transition from Registered to Registered failed for extension a\\u003cb. Error: State transition is not allowed",
    )
    .await;
}

#[tokio::test]
async fn a_registration_that_meets_a_fault_of_the_platform_is_told_so() {
    check_internal(&named("e")).await;
}
