//! Web pages that invoke.

use http::HeaderMap;
use rapid_invoke_api::Persona;

use crate::port::FakePort;
use crate::world::{BOTH, INVOKE, check, send};

fn cors(headers: &HeaderMap) -> Vec<String> {
    let mut found: Vec<String> = headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("access-control-"))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    found.sort();
    found
}

#[tokio::test]
async fn a_preflight_is_answered_and_invokes_nothing() {
    for persona in BOTH {
        let port = FakePort::default();
        let head = format!(
            "{}
Origin: http://localhost:3000
Access-Control-Request-Method: POST
Access-Control-Request-Headers: authorization,x-amz-date",
            INVOKE.replace("POST", "OPTIONS")
        );
        let response = send(&port, persona, &head, "").await;
        assert_eq!(response.status(), 200);
        assert_eq!(
            cors(response.headers()),
            [
                "access-control-allow-headers: authorization,x-amz-date",
                "access-control-allow-methods: POST",
                "access-control-allow-origin: http://localhost:3000",
                "access-control-max-age: 600",
            ]
        );
        assert_eq!(port.invocations(), 0);
    }
}

#[tokio::test]
async fn a_page_of_this_machine_may_read_the_answer_and_what_is_said_of_it() {
    let port = FakePort::default();
    let response =
        send(&port, Persona::Aws, &format!("{INVOKE}\nOrigin: http://127.0.0.1:5173"), "{}").await;
    assert_eq!((response.status().as_u16(), port.invocations()), (200, 1));
    assert_eq!(
        cors(response.headers()),
        [
            "access-control-allow-origin: http://127.0.0.1:5173",
            "access-control-expose-headers: x-amzn-requestid,x-amzn-trace-id,\
             x-amz-executed-version,x-amz-function-error,x-amz-log-result,\
             x-amzn-remapped-content-type,x-amzn-errortype",
        ]
    );
}

#[tokio::test]
async fn a_page_of_somebody_else_is_refused_before_anything_runs() {
    for persona in BOTH {
        let port = FakePort::default();
        for (method, kind) in [("OPTIONS", "\nAccess-Control-Request-Method: POST"), ("POST", "")] {
            let invoke = INVOKE.replace("POST", method);
            let head =
                format!("{invoke}\nOrigin: https://example.com{kind}\nContent-Type: text/plain");
            let expected = r#"403
content-type: application/json
x-amzn-errortype: AccessDeniedException

{"Type":"User","Message":"Pages of https://example.com may not invoke. Allow them with --cors-origin https://example.com, or leave the header Origin out."}"#;
            check(&port, persona, &head, "{}", expected).await;
        }
        assert_eq!(port.invocations(), 0);
    }
}

#[tokio::test]
async fn who_is_no_page_is_told_nothing_of_all_this() {
    let port = FakePort::default();
    let response = send(&port, Persona::Aws, INVOKE, "{}").await;
    assert!(!response.headers().contains_key("access-control-allow-origin"));
    let options = send(&port, Persona::Aws, &INVOKE.replace("POST", "OPTIONS"), "").await;
    assert_eq!((options.status().as_u16(), port.invocations()), (405, 1));
}
