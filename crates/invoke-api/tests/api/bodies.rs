//! The event: its limits, its form, and when it is looked at.

use std::time::Duration;

use bytes::Bytes;
use rapid_interop::MAX_PAYLOAD_SIZE;
use rapid_interop::limits::MAX_SYNC_REQUEST_SIZE;
use rapid_invoke_api::Persona;

use crate::port::FakePort;
use crate::world::{BOTH, INVOKE, PLAIN, Piece, Pieces, check, outcome, send};

fn limit(persona: Persona) -> usize {
    match persona {
        Persona::Aws => MAX_SYNC_REQUEST_SIZE,
        Persona::Rie => MAX_PAYLOAD_SIZE,
    }
}

/// A JSON number of that many bytes.
fn of_size(size: usize) -> Bytes {
    Bytes::from(vec![b'1'; size])
}

fn half() -> Piece {
    Piece::Data(Bytes::from_static(b"{"))
}

#[tokio::test]
async fn an_event_of_exactly_the_limit_is_taken_and_not_copied() {
    for persona in BOTH {
        let port = FakePort::default();
        let event = of_size(limit(persona));
        assert_eq!(outcome(&port, persona, INVOKE, event.clone()).await, "200");
        assert_eq!(port.invocation().payload.as_ptr(), event.as_ptr());
        let port = FakePort::default();
        assert_eq!(outcome(&port, persona, INVOKE, Pieces::of(event.clone())).await, "200");
        assert_eq!(port.invocation().payload, event);
    }
}

#[tokio::test]
async fn an_event_of_one_byte_more_is_too_large_whether_declared_or_not() {
    let rows = [(Persona::Aws, 6_291_457, 6_291_456), (Persona::Rie, 6_291_557, 6_291_556)];
    for (persona, size, limit) in rows {
        let port = FakePort::default();
        let expected = format!(
            "413
content-type: application/json
x-amzn-errortype: RequestTooLargeException
x-amzn-requestid: 11111111-2222-4333-8444-555555555555

{{\"Type\":\"User\",\"message\":\"{size} byte payload is too large for the RequestResponse \
invocation type (limit {limit} bytes)\"}}"
        );
        check(&port, persona, PLAIN, of_size(size), &expected).await;
        check(&port, persona, PLAIN, Pieces::of(of_size(size)), &expected).await;
        assert_eq!(port.invocations(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_stops_coming_is_waited_for_half_a_minute() {
    let expected = "408
content-type: application/json
x-amzn-errortype: RequestTimeoutException
x-amzn-requestid: 11111111-2222-4333-8444-555555555555

{\"Type\":\"User\",\"message\":\"The request body stopped coming.\"}";
    for persona in BOTH {
        let port = FakePort::default();
        let before = tokio::time::Instant::now();
        check(&port, persona, PLAIN, Pieces::body([half(), Piece::Stall]), expected).await;
        let waited = before.elapsed();
        assert!(waited.abs_diff(Duration::from_secs(30)) < Duration::from_millis(10), "{waited:?}");
        assert_eq!(port.invocations(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_never_ends_is_given_up_on() {
    let megabyte = of_size(1024 * 1024);
    for persona in BOTH {
        let pieces = (0..30).map(|_| Piece::Data(megabyte.clone()));
        let body = Pieces::body(pieces.chain([Piece::Stall]));
        let port = FakePort::default();
        let before = tokio::time::Instant::now();
        assert_eq!(outcome(&port, persona, INVOKE, body).await, "413 RequestTooLargeException");
        assert_eq!(before.elapsed(), Duration::ZERO, "it was read further than needed");
        // One that is too large and stalls then is too large all the same.
        let body = Pieces::body([Piece::Data(of_size(limit(persona) + 1)), Piece::Stall]);
        assert_eq!(outcome(&port, persona, INVOKE, body).await, "413 RequestTooLargeException");
        assert_eq!(port.invocations(), 0);
    }
}

#[tokio::test]
async fn an_event_that_breaks_off_is_not_invoked_with() {
    let expected = "400
content-type: application/json
x-amzn-errortype: InvalidRequestContentException
x-amzn-requestid: 11111111-2222-4333-8444-555555555555

{\"Type\":\"User\",\"message\":\"The request body ended early.\"}";
    for persona in BOTH {
        let port = FakePort::default();
        check(&port, persona, PLAIN, Pieces::body([half(), Piece::BreakOff]), expected).await;
        assert_eq!(port.invocations(), 0);
    }
}

#[tokio::test]
async fn an_empty_event_is_an_object_for_the_service_and_nothing_for_the_emulator() {
    for (persona, expected) in [(Persona::Aws, "{}"), (Persona::Rie, "")] {
        let port = FakePort::default();
        send(&port, persona, INVOKE, "").await;
        assert_eq!(port.invocation().payload, expected);
    }
}

#[tokio::test]
async fn json_of_any_kind_is_passed_on_byte_by_byte() {
    for event in [" null ", "1", "\"a\"", "[]", "{\"a\" : 1}\n", "true"] {
        for persona in BOTH {
            let port = FakePort::default();
            let head = format!("{INVOKE}\nContent-Type: application/x-www-form-urlencoded");
            send(&port, persona, &head, event).await;
            assert_eq!(port.invocation().payload, event);
            assert_eq!(port.invocation().content_type, None);
        }
    }
}

#[tokio::test]
async fn what_is_not_json_is_for_the_emulator_only() {
    for event in ["nope", "{", "{}{}", "'a'", " ", "\u{feff}{}"] {
        let port = FakePort::default();
        let refused = outcome(&port, Persona::Aws, INVOKE, event).await;
        assert_eq!(refused, "400 InvalidRequestContentException", "{event:?}");
        assert_eq!(port.invocations(), 0);
        assert_eq!(outcome(&port, Persona::Rie, INVOKE, event).await, "200");
        assert_eq!(port.invocation().payload, event);
    }
    let expected = "400
content-type: application/json
x-amzn-errortype: InvalidRequestContentException
x-amzn-requestid: 11111111-2222-4333-8444-555555555555

{\"Type\":\"User\",\"message\":\"Could not parse request body into json: Could not parse payload \
into json: expected ident at line 1 column 2\"}";
    check(&FakePort::default(), Persona::Aws, PLAIN, "nope", expected).await;
}

#[tokio::test]
async fn faults_are_found_in_the_order_in_which_the_service_looks_for_them() {
    let name = "/2015-03-31/functions/f%20g/invocations?Qualifier=1";
    let qualifier = "/2015-03-31/functions/f:1/invocations?Qualifier=2";
    let unknown = "/2015-03-31/functions/f:8/invocations";
    let fine = "/2015-03-31/functions/f/invocations";
    let header = "\nX-Amz-Client-Context: %%%";
    let huge = of_size(MAX_PAYLOAD_SIZE + 1);
    let json = Bytes::from_static(b"nope");
    let rows = [
        (name, header, &huge, "400 ValidationException"),
        (qualifier, header, &huge, "400 InvalidParameterValueException"),
        (unknown, header, &huge, "413 RequestTooLargeException"),
        (unknown, header, &json, "400 InvalidRequestContentException"),
        (unknown, "\nX-Amz-Tenant-Id: !", &json, "400 ValidationException"),
        (unknown, "\nX-Amz-Invocation-Type: DryRun", &json, "400 InvalidRequestContentException"),
        (unknown, "", &json, "400 InvalidRequestContentException"),
        (unknown, "\nX-Amz-Invocation-Type: DryRun", &of_size(1), "404 ResourceNotFoundException"),
        (fine, "\nX-Amz-Invocation-Type: DryRun", &of_size(1), "204"),
    ];
    let port = FakePort::default();
    for (path, headers, body, expected) in rows {
        let head = format!("POST {path}{headers}");
        assert_eq!(outcome(&port, Persona::Aws, &head, body.clone()).await, expected, "{head}");
    }
    assert_eq!(port.invocations(), 0);
}

#[tokio::test]
async fn the_port_learns_when_the_event_was_there_and_how_long_it_took() {
    let port = FakePort::default();
    send(&port, Persona::Aws, INVOKE, "{}").await;
    let invoke = port.invocation();
    assert_eq!(invoke.received.as_nanos(), 2_000_000_000);
    assert_eq!(invoke.request_read_time, Duration::from_secs(1));
}
