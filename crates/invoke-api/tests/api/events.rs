//! Invocations that nobody waits for.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rapid_interop::Invoke;
use rapid_interop::ports::{Accepting, EventPort, InvokeRefusal, PendingEvents};
use rapid_invoke_api::{Persona, Settings, router};
use tower::ServiceExt as _;

use crate::port::FakePort;
use crate::world::{ID, INVOKE, TRACE, function, outcome, request, send, written};

/// Takes events in, or refuses them, and remembers what it was given.
#[derive(Clone, Default)]
struct Queue {
    accepted: Arc<Mutex<Vec<Invoke>>>,
    refusal: Option<InvokeRefusal>,
}

impl EventPort for Queue {
    fn accept(&self, invoke: Invoke) -> Accepting<'_> {
        Box::pin(async {
            self.accepted.lock().unwrap().push(invoke);
            self.refusal.map_or(Ok(()), Err)
        })
    }

    fn pending(&self) -> PendingEvents {
        let oldest_age = Some(Duration::from_millis(1500));
        PendingEvents { queued: 3, retrying: 2, in_flight: 1, oldest_age }
    }
}

fn head() -> String {
    format!(
        "{INVOKE}\nX-Amz-Invocation-Type: Event\nX-Amzn-RequestId: {ID}\nX-Amzn-Trace-Id: {TRACE}"
    )
}

/// The answer of an API with this queue, and what the function has run meanwhile.
async fn sent(queue: &Queue, head: &str, body: Vec<u8>) -> String {
    let port = FakePort::default();
    let mut settings = Settings::new(Persona::Aws, function());
    settings.events = Some(Arc::new(queue.clone()));
    let api = router(port.clone(), settings);
    let response = api.oneshot(request(head, body)).await.unwrap();
    assert_eq!(port.invocations(), 0);
    written(response, true).await
}

#[tokio::test]
async fn an_event_is_accepted_and_not_run() {
    let queue = Queue::default();
    // Not even looked at.
    let head = format!("{}\nX-Amz-Client-Context: %%%\nX-Amz-Log-Type: Tail", head());
    assert_eq!(
        sent(&queue, &head, b"[1]".to_vec()).await,
        format!("202\nx-amzn-requestid: {ID}\nx-amzn-trace-id: {TRACE}\n\n")
    );
    let accepted = queue.accepted.lock().unwrap();
    let invoke = &accepted[0];
    assert_eq!((invoke.id.as_str(), &*invoke.payload), (ID, b"[1]".as_slice()));
    assert!(invoke.client_context.is_none() && !invoke.log_tail, "nobody is there for it");
}

#[tokio::test]
async fn an_event_is_checked_like_any_invocation_and_has_a_limit_of_its_own() {
    let queue = Queue::default();
    let refused = sent(&queue, &head(), b"nope".to_vec()).await;
    assert!(refused.contains("InvalidRequestContentException"), "{refused}");
    let json_of = |size: usize| [&b"\""[..], &vec![b'x'; size - 2], b"\""].concat();
    let refused = sent(&queue, &head(), json_of(1_048_577)).await;
    let message = "1048577 byte payload is too large for the Event invocation type (limit 1048576";
    assert!(refused.starts_with("413\n") && refused.contains(message), "{refused}");
    let refused = sent(&queue, &head(), json_of(7_000_000)).await;
    let message = "7000000 byte payload is too large for the Event invocation type (limit 1048576";
    assert!(refused.starts_with("413\n") && refused.contains(message), "{refused}");
    assert!(queue.accepted.lock().unwrap().is_empty());
    assert!(sent(&queue, &head(), json_of(1_048_576)).await.starts_with("202\n"));
}

/// The older operation, in both spellings.
const INVOKE_ASYNC: [&str; 2] = [
    "POST /2014-11-13/functions/my-function:7/invoke-async",
    "POST /2014-11-13/functions/my-function:7/invoke-async/",
];

#[tokio::test]
async fn the_older_operation_takes_events_too_and_passes_no_trace_on() {
    for path in INVOKE_ASYNC {
        let queue = Queue::default();
        let head = format!(
            "{path}\nX-Amzn-RequestId: {ID}\nX-Amzn-Trace-Id: {TRACE}\nX-Amz-Invocation-Type: DryRun"
        );
        let answer = sent(&queue, &head, b"[1]".to_vec()).await;
        let trace = answer
            .strip_prefix(&format!("202\nx-amzn-requestid: {ID}\nx-amzn-trace-id: "))
            .and_then(|rest| rest.strip_suffix("\n\n"))
            .unwrap_or_else(|| panic!("{answer}"));
        let accepted = queue.accepted.lock().unwrap();
        let invoke = &accepted[0];
        assert_eq!((invoke.id.as_str(), &*invoke.payload), (ID, b"[1]".as_slice()));
        assert_eq!(invoke.trace_id, trace);
        assert_ne!(invoke.trace_id, TRACE);
        let arn = "arn:aws:lambda:eu-central-1:123456789012:function:my-function:7";
        assert_eq!(invoke.invoked_function_arn, arn);
    }
}

#[tokio::test]
async fn the_older_operation_has_the_older_limit_and_the_same_checks() {
    let queue = Queue::default();
    for path in INVOKE_ASYNC {
        let refused = sent(&queue, path, b"nope".to_vec()).await;
        assert!(refused.contains("InvalidRequestContentException"), "{refused}");
        let refused = sent(&queue, &path.replace(":7", ":8"), b"{}".to_vec()).await;
        assert!(refused.contains("ResourceNotFoundException"), "{refused}");
        let refused = sent(&queue, &path.replace("POST", "GET"), Vec::new()).await;
        assert!(refused.starts_with("405\n"), "{refused}");
        let mut event = vec![b' '; 256 * 1024];
        event[0] = b'1';
        assert!(sent(&queue, path, event.clone()).await.starts_with("202\n"));
        event.push(b' ');
        let refused = sent(&queue, path, event).await;
        let message =
            "262145 byte payload is too large for the Event invocation type (limit 262144";
        assert!(refused.starts_with("413\n") && refused.contains(message), "{refused}");
    }
    assert_eq!(queue.accepted.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn the_emulator_does_not_know_the_older_operation() {
    for path in INVOKE_ASYNC {
        let port = FakePort::default();
        let told = written(send(&port, Persona::Rie, path, "{}").await, true).await;
        assert!(told.starts_with("404\n") && told.ends_with("404 page not found\n"), "{told}");
        assert_eq!(port.invocations(), 0);
    }
}

#[tokio::test]
async fn an_event_that_cannot_be_taken_in_is_refused() {
    for (refusal, expected) in [
        (InvokeRefusal::TooManyRequests, "429\n"),
        (InvokeRefusal::ShuttingDown, "500\n"),
        (InvokeRefusal::NotStored, "500\n"),
    ] {
        let queue = Queue { refusal: Some(refusal), ..Queue::default() };
        assert!(sent(&queue, &head(), b"{}".to_vec()).await.starts_with(expected));
    }
}

#[tokio::test]
async fn without_anybody_to_keep_them_events_are_refused() {
    let port = FakePort::default();
    let told = outcome(&port, Persona::Aws, &head(), "{}").await;
    assert_eq!(told, "400 InvalidParameterValueException");
    assert_eq!(port.invocations(), 0);
}

#[tokio::test]
async fn health_tells_what_is_pending() {
    let told = sent(&Queue::default(), "GET /health", Vec::new()).await;
    assert!(
        told.ends_with(
            r#"{"state":"ready","events":{"queued":3,"retrying":2,"inFlight":1,"oldestAgeMs":1500}}"#
        ),
        "{told}"
    );
}
