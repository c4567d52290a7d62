//! What an invoker gets: responses, function errors, refusals.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use rapid_interop::ports::{Failure, InvokeRefusal};
use rapid_interop::process::{LaunchError, Termination};
use rapid_invoke_api::Persona;
use tower::ServiceExt as _;

use crate::port::{FakePort, Play};
use crate::world::{BOTH, INVOKE, PLAIN, api, check, request, written};

/// The headers of every answer of an invocation that ran, apart from `failed`.
fn ran(status: u16, failed: bool, content_type: &str, body: &str) -> String {
    let error = if failed { "x-amz-function-error: Unhandled\n" } else { "" };
    format!(
        "{status}\ncontent-type: {content_type}\nx-amz-executed-version: 7\n{error}\
         x-amzn-requestid: 11111111-2222-4333-8444-555555555555\n\
         x-amzn-trace-id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1\n\n{body}"
    )
}

#[tokio::test]
async fn a_response_is_json_whatever_the_runtime_calls_it() {
    for persona in BOTH {
        let expected = ran(200, false, "application/json", "\"done\"");
        check(&FakePort::default(), persona, PLAIN, "{}", &expected).await;
    }
}

#[tokio::test]
async fn a_response_that_is_empty_or_no_json_is_passed_on() {
    for persona in BOTH {
        for text in ["", "no json"] {
            let port = FakePort::new(Play::Respond(Bytes::from_static(text.as_bytes())));
            check(&port, persona, PLAIN, "{}", &ran(200, false, "application/json", text)).await;
        }
    }
}

#[tokio::test]
async fn every_failure_has_its_status_and_the_body_that_the_port_gave() {
    let rows = [
        (Failure::Reported, 200, 200),
        (Failure::InitReported, 200, 502),
        (Failure::InitExit(Termination::Exited(1)), 200, 502),
        (Failure::InitExit(Termination::OutOfMemory), 200, 502),
        (Failure::Exit(Termination::Exited(0)), 200, 502),
        (Failure::Exit(Termination::Signaled(11)), 200, 502),
        (Failure::Launch(LaunchError::NoBootstrap { searched: vec![] }), 200, 502),
        (Failure::Launch(LaunchError::WorkingDirectory { path: "/w".into() }), 200, 502),
        (Failure::ResponseTooLarge, 200, 200),
        (Failure::Truncated, 200, 200),
        (Failure::InvalidResponseMode, 200, 200),
        (Failure::Shutdown, 200, 502),
    ];
    let body = "{\"errorType\":\"T\",\"errorMessage\":\"<m>\"}";
    for (failure, aws, rie) in rows {
        let port = FakePort::new(Play::Fail(failure, body));
        let expected = |status| ran(status, true, "application/json", body);
        check(&port, Persona::Aws, PLAIN, "{}", &expected(aws)).await;
        check(&port, Persona::Rie, PLAIN, "{}", &expected(rie)).await;
    }
}

#[tokio::test]
async fn a_timeout_is_json_for_the_service_and_a_sentence_for_the_emulator() {
    let body = "{\"errorType\":\"Sandbox.Timedout\"}";
    let sentences = [
        (Duration::from_secs(3), "Task timed out after 3.00 seconds"),
        (Duration::from_millis(1500), "Task timed out after 1.50 seconds"),
    ];
    for (limit, sentence) in sentences {
        let port = FakePort::new(Play::Fail(Failure::Timeout { limit }, body));
        check(&port, Persona::Aws, PLAIN, "{}", &ran(200, true, "application/json", body)).await;
        let expected = ran(200, true, "text/plain; charset=utf-8", sentence);
        check(&port, Persona::Rie, PLAIN, "{}", &expected).await;
    }
}

#[tokio::test]
async fn one_invocation_too_many_is_told_to_come_back() {
    let expected = "429
content-type: application/json
x-amzn-errortype: TooManyRequestsException
x-amzn-requestid: 11111111-2222-4333-8444-555555555555

{\"Reason\":\"ConcurrentInvocationLimitExceeded\",\"Type\":\"User\",\"message\":\"Rate Exceeded.\"}";
    for persona in BOTH {
        let port = FakePort::new(Play::Refuse(InvokeRefusal::TooManyRequests));
        check(&port, persona, PLAIN, "{}", expected).await;
    }
}

#[tokio::test]
async fn an_environment_that_shuts_down_takes_no_invocation() {
    let expected = "500
content-type: application/json
x-amzn-errortype: ServiceException
x-amzn-requestid: 11111111-2222-4333-8444-555555555555

{\"Type\":\"Server\",\"Message\":\"The execution environment is shutting down.\"}";
    for persona in BOTH {
        let port = FakePort::new(Play::Refuse(InvokeRefusal::ShuttingDown));
        check(&port, persona, PLAIN, "{}", expected).await;
    }
}

#[tokio::test]
async fn a_panic_is_answered_and_the_next_request_is_served() {
    let port = FakePort::new(Play::Panic);
    let router = api(&port, Persona::Aws);
    let panicked = router.clone().oneshot(request(PLAIN, "{}")).await.unwrap();
    let expected = "500
content-type: application/json
x-amzn-errortype: ServiceException

{\"Type\":\"Server\",\"Message\":\"An internal error happened.\"}";
    assert_eq!(written(panicked, false).await, expected);
    port.plays(Play::Respond(Bytes::from_static(b"1")));
    let served = router.oneshot(request(PLAIN, "{}")).await.unwrap();
    assert_eq!(written(served, true).await, ran(200, false, "application/json", "1"));
}

#[tokio::test]
async fn an_invoker_that_hangs_up_gives_its_invocation_up() {
    for persona in BOTH {
        let port = FakePort::new(Play::Hang);
        {
            let mut handling = pin!(api(&port, persona).oneshot(request(INVOKE, "{}")));
            poll_fn(|cx| {
                assert!(handling.as_mut().poll(cx).is_pending(), "there was an answer already");
                Poll::Ready(())
            })
            .await;
            assert_eq!((port.invocations(), port.given_up()), (1, 0));
        }
        assert_eq!(port.given_up(), 1);
    }
}
