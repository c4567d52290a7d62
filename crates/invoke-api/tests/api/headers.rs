//! What the headers of an invocation say, and to whom.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rapid_interop::CognitoIdentity;
use rapid_interop::ports::Failure;
use rapid_invoke_api::Persona;

use crate::port::{FakePort, Play};
use crate::world::{BOTH, ID, INVOKE, TRACE, check, outcome, send};

fn with(name: &str, value: &str) -> String {
    format!("{INVOKE}\n{name}: {value}")
}

#[tokio::test]
async fn the_tracing_header_is_passed_on_and_given_back() {
    for persona in BOTH {
        let port = FakePort::default();
        let response = send(&port, persona, &with("X-Amzn-Trace-Id", TRACE), "{}").await;
        assert_eq!(response.headers()["x-amzn-trace-id"], TRACE);
        assert_eq!(port.invocation().trace_id, TRACE);
    }
}

#[tokio::test]
async fn an_invocation_without_a_tracing_header_gets_one() {
    for persona in BOTH {
        for head in [INVOKE.to_owned(), with("X-Amzn-Trace-Id", "")] {
            let port = FakePort::default();
            let response = send(&port, persona, &head, "{}").await;
            let made = port.invocation().trace_id;
            assert!(made.to_str().unwrap().starts_with("Root=1-"), "{made:?}");
            assert_eq!(response.headers()["x-amzn-trace-id"], made);
        }
    }
}

#[tokio::test]
async fn a_traceparent_is_passed_on_as_a_tracing_header() {
    for persona in BOTH {
        let port = FakePort::default();
        let traceparent = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";
        let response = send(&port, persona, &with("traceparent", traceparent), "{}").await;
        let same = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        assert_eq!(response.headers()["x-amzn-trace-id"], same);
        assert_eq!(port.invocation().trace_id, same);
    }
}

#[tokio::test]
async fn a_uuid_is_taken_for_the_request_id() {
    for persona in BOTH {
        let port = FakePort::default();
        let response = send(&port, persona, &with("X-Amzn-RequestId", ID), "{}").await;
        assert_eq!(response.headers()["x-amzn-requestid"], ID);
        assert_eq!(port.invocation().id.as_str(), ID);
    }
}

#[tokio::test]
async fn any_other_request_id_is_for_the_emulator_only() {
    for chosen in ["my-id", "1.2_3", &"x".repeat(128)] {
        let port = FakePort::default();
        let response = send(&port, Persona::Rie, &with("X-Amzn-RequestId", chosen), "{}").await;
        assert_eq!(response.headers()["x-amzn-requestid"], chosen);
        assert_eq!(port.invocation().id.as_str(), chosen);
        let port = FakePort::default();
        send(&port, Persona::Aws, &with("X-Amzn-RequestId", chosen), "{}").await;
        assert_ne!(port.invocation().id.as_str(), chosen);
    }
}

#[tokio::test]
async fn a_request_id_that_is_unfit_is_replaced_by_a_new_one() {
    for persona in BOTH {
        for unfit in ["", "a b", "a/b", "ä", &format!("{{{ID}}}"), &"x".repeat(129)] {
            let port = FakePort::default();
            let head = with("X-Amzn-RequestId", unfit);
            let response = send(&port, persona, &head, "{}").await;
            let id = port.invocation().id;
            assert_eq!(id.as_str().len(), 36, "{unfit}");
            assert_eq!(response.headers()["x-amzn-requestid"], id.as_str());
        }
    }
}

#[tokio::test]
async fn a_refusal_carries_the_request_id_too() {
    let head = format!("{INVOKE}?Qualifier=\nX-Amzn-RequestId: {ID}");
    let response = send(&FakePort::default(), Persona::Aws, &head, "{}").await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["x-amzn-requestid"]),
        (400, &ID.parse().unwrap())
    );
}

#[tokio::test]
async fn a_dry_run_is_answered_without_the_port() {
    let port = FakePort::default();
    let head = format!("{INVOKE}\nX-Amz-Invocation-Type: DryRun\nX-Amzn-RequestId: {ID}");
    let expected = "204\nx-amzn-requestid: 11111111-2222-4333-8444-555555555555\n\n";
    check(&port, Persona::Aws, &head, "{}", expected).await;
    assert_eq!(port.invocations(), 0);
}

#[tokio::test]
async fn the_service_runs_what_is_synchronous_and_refuses_other_types() {
    let port = FakePort::default();
    for fine in ["", "RequestResponse"] {
        assert_eq!(
            outcome(&port, Persona::Aws, &with("X-Amz-Invocation-Type", fine), "").await,
            "200"
        );
    }
    assert_eq!(port.invocations(), 2);
    for bad in ["Event", "event", "dryrun", "Nope"] {
        let refused = outcome(&port, Persona::Aws, &with("X-Amz-Invocation-Type", bad), "").await;
        assert_eq!(refused, "400 InvalidParameterValueException", "{bad}");
    }
    assert_eq!(port.invocations(), 2);
}

#[tokio::test]
async fn the_emulator_ignores_the_type_of_an_invocation() {
    for ignored in ["Event", "DryRun", "RequestResponse", "Nope"] {
        let port = FakePort::default();
        let head = with("X-Amz-Invocation-Type", ignored);
        assert_eq!(outcome(&port, Persona::Rie, &head, "").await, "200", "{ignored}");
        assert_eq!(port.invocations(), 1);
    }
}

#[tokio::test]
async fn a_client_context_is_decoded() {
    let json = "{\"custom\":{\"name\":\"ä\"}}";
    for persona in BOTH {
        let port = FakePort::default();
        let head = with("X-Amz-Client-Context", &STANDARD.encode(json));
        assert_eq!(outcome(&port, persona, &head, "{}").await, "200");
        assert_eq!(port.invocation().client_context.unwrap().as_bytes(), json.as_bytes());
        let port = FakePort::default();
        outcome(&port, persona, &with("X-Amz-Client-Context", ""), "{}").await;
        assert_eq!(port.invocation().client_context, None);
    }
}

#[tokio::test]
async fn a_client_context_is_bounded_before_it_is_read() {
    for persona in BOTH {
        let port = FakePort::default();
        let of_size = |size: usize| {
            let json = format!("\"{}\"", "x".repeat(size - 2));
            with("X-Amz-Client-Context", &STANDARD.encode(json))
        };
        assert_eq!(outcome(&port, persona, &of_size(3583), "{}").await, "200");
        let refused = outcome(&port, persona, &of_size(3584), "{}").await;
        assert_eq!(refused, "400 InvalidRequestContentException");
        assert_eq!(port.invocations(), 1);
    }
}

#[tokio::test]
async fn a_client_context_that_cannot_be_read_is_refused() {
    for persona in BOTH {
        let port = FakePort::default();
        for bad in ["%%%", "e30", "====", "ä"] {
            let refused = outcome(&port, persona, &with("X-Amz-Client-Context", bad), "{}").await;
            assert_eq!(refused, "400 InvalidRequestContentException", "{bad}");
        }
        assert_eq!(port.invocations(), 0);
    }
    // Whether it is JSON is a matter of the service.
    let text = with("X-Amz-Client-Context", &STANDARD.encode("hello"));
    let port = FakePort::default();
    let refused = outcome(&port, Persona::Aws, &text, "{}").await;
    assert_eq!(refused, "400 InvalidRequestContentException");
    assert_eq!(outcome(&port, Persona::Rie, &text, "{}").await, "200");
    assert_eq!(port.invocation().client_context.unwrap(), "hello");
}

#[tokio::test]
async fn a_cognito_identity_is_an_object_of_two_texts() {
    let rows = [
        (r#"{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}"#, "i", "p"),
        (r#"{"cognitoIdentityPoolId":"p","more":1}"#, "", "p"),
        ("{}", "", ""),
    ];
    for (header, identity_id, pool_id) in rows {
        for persona in BOTH {
            let port = FakePort::default();
            send(&port, persona, &with("X-Amz-Cognito-Identity", header), "{}").await;
            let identity = port.invocation().cognito_identity.unwrap();
            let expected =
                CognitoIdentity { identity_id: identity_id.into(), pool_id: pool_id.into() };
            assert_eq!(identity, expected);
        }
    }
    let port = FakePort::default();
    send(&port, Persona::Aws, &with("X-Amz-Cognito-Identity", ""), "{}").await;
    assert_eq!(port.invocation().cognito_identity, None);
}

#[tokio::test]
async fn a_cognito_identity_of_another_form_is_refused() {
    for persona in BOTH {
        let port = FakePort::default();
        for bad in
            ["nope", "null", "\"i\"", "{", r#"{"cognitoIdentityId":1}"#, "[]", r#"["i","p"]"#]
        {
            let refused = outcome(&port, persona, &with("X-Amz-Cognito-Identity", bad), "{}").await;
            assert_eq!(refused, "400 InvalidRequestContentException", "{bad}");
        }
        assert_eq!(port.invocations(), 0);
    }
}

#[tokio::test]
async fn a_tenant_is_passed_on() {
    for tenant in ["acme", "a b._:/=+-@", &"x".repeat(256)] {
        for persona in BOTH {
            let port = FakePort::default();
            send(&port, persona, &with("X-Amz-Tenant-Id", tenant), "{}").await;
            assert_eq!(port.invocation().tenant_id.unwrap().as_str(), tenant);
        }
    }
}

#[tokio::test]
async fn a_tenant_that_does_not_fit_the_pattern_is_refused() {
    let expected = |value: &str| {
        format!(
            r#"400
content-type: application/json
x-amzn-errortype: ValidationException

{{"message":"1 validation error detected: Value '{value}' at 'tenantId' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9\\._:\\/=+\\-@ ]+"}}"#
        )
    };
    let long = "x".repeat(257);
    for persona in BOTH {
        let port = FakePort::default();
        for bad in ["", "a!", "ä", &long] {
            check(&port, persona, &with("X-Amz-Tenant-Id", bad), "{}", &expected(bad)).await;
        }
        assert_eq!(port.invocations(), 0);
    }
}

#[tokio::test]
async fn what_sdks_send_besides_means_nothing() {
    let head = format!(
        "{INVOKE}\nAuthorization: AWS4-HMAC-SHA256 x\nX-Amz-Date: x\nX-Amz-Security-Token: x\n\
         X-Amz-Content-Sha256: x\nX-Amz-Log-Type: None\namz-sdk-invocation-id: x\nHost: [::1]:9"
    );
    for persona in BOTH {
        assert_eq!(outcome(&FakePort::default(), persona, &head, "{}").await, "200");
    }
}

#[tokio::test]
async fn the_log_is_given_to_whom_the_service_gives_it() {
    let given = STANDARD.encode("START\nEND\n");
    let port = FakePort::default();
    for (value, expected) in [("Tail", Some(&*given)), ("None", None), ("", None)] {
        let response = send(&port, Persona::Aws, &with("X-Amz-Log-Type", value), "{}").await;
        assert_eq!(response.status(), 200);
        let log = response.headers().get("x-amz-log-result").map(|log| log.to_str().unwrap());
        assert_eq!(log, expected, "{value:?}");
    }
    let failing = FakePort::new(Play::Fail(Failure::Reported, "{}"));
    let response = send(&failing, Persona::Aws, &with("X-Amz-Log-Type", "Tail"), "{}").await;
    assert_eq!(response.headers()["x-amz-function-error"], "Unhandled");
    assert_eq!(response.headers()["x-amz-log-result"], given);
    // The emulator has no tail.
    let response = send(&port, Persona::Rie, &with("X-Amz-Log-Type", "Tail"), "{}").await;
    assert!(!response.headers().contains_key("x-amz-log-result"));
}

#[tokio::test]
async fn a_log_type_that_does_not_exist_is_refused() {
    let port = FakePort::default();
    let head = format!("{}\nX-Amzn-RequestId: {ID}", with("X-Amz-Log-Type", "tail"));
    let expected = "400
content-type: application/json
x-amzn-errortype: InvalidParameterValueException
x-amzn-requestid: 11111111-2222-4333-8444-555555555555

{\"Type\":\"User\",\"message\":\"X-Amz-Log-Type has to be None or Tail, not 'tail'.\"}";
    check(&port, Persona::Aws, &head, "{}", expected).await;
    assert_eq!(port.invocations(), 0);
}
