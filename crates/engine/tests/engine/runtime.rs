//! Invocations and the runtime's calls.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rapid_fatal_error::ErrorType;
use rapid_interop::ports::{
    Failure, Health, InvokeAnswer, InvokePort, InvokeRefusal, Receipt as _, RuntimePort,
    RuntimeRefusal, Upload as _, UploadOutcome,
};
use rapid_interop::process::{LaunchError, Termination};
use rapid_interop::{ErrorInvokeResponse, FunctionError, InvokeResponseHeaders, Shutdown};
use rapid_lifecycle::Policy;

use crate::world::*;

static ANSWER: &str = "answer";

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn the_runtime_gets_the_invokers_very_bytes_and_the_invoker_the_runtimes() {
    let world = World::new(Policy::default());
    let invoke = invocation("a");
    let sent = invoke.payload.as_ptr();
    let answered = world.invoke_as(invoke);
    let got = world.serve(ANSWER).await;
    assert_eq!(got.payload.as_ptr(), sent, "the payload was copied on its way to the runtime");
    let InvokeAnswer::Response(response) = answered.await.unwrap().unwrap() else {
        panic!("an error came")
    };
    assert_eq!(response.payload.as_ptr(), ANSWER.as_ptr(), "the response was copied");
    let launch = world.last_process().launch;
    assert_eq!((launch.name.as_str(), launch.env.len()), ("runtime-1", 1));
}

/// The bytes of an event that somebody else looks at too.
struct Watched(Arc<[u8]>);

impl AsRef<[u8]> for Watched {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn the_events_bytes_are_let_go_of_once_the_runtime_answers_and_not_before() {
    let world = World::new(Policy::default());
    let bytes: Arc<[u8]> = Arc::from(b"{}".as_slice());
    let mut invoke = invocation("a");
    invoke.payload = Bytes::from_owner(Watched(Arc::clone(&bytes)));
    let answered = world.invoke_as(invoke);
    let event = world.next().await.unwrap();
    event.receipt.settle();
    drop(event.invoke);
    assert_eq!(Arc::strong_count(&bytes), 2, "another caller may have to be given the event");
    let generation = world.handle.generation();
    let upload = world.handle.begin_response(generation, "a").await.unwrap();
    assert_eq!(Arc::strong_count(&bytes), 1, "they are held beside the response");
    upload.finish(UploadOutcome::Response(response(ANSWER))).await.unwrap();
    assert_eq!(body(answered.await.unwrap()), ANSWER);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn invocations_run_one_after_the_other_in_order_of_arrival() {
    let world = World::new(Policy::default());
    let answers: Vec<_> = ["a", "b", "c"].map(|id| world.invoke(id)).into_iter().collect();
    for expected in ["a", "b", "c"] {
        let event = world.serve("ok").await;
        assert_eq!(event.id.as_str(), expected);
    }
    for answer in answers {
        assert_eq!(body(answer.await.unwrap()), "ok");
    }
    // The last one ends when the runtime asks again.
    let generation = world.handle.generation();
    let handle = world.handle.clone();
    let parked = tokio::spawn(async move { handle.next(caller(generation)).await.is_ok() });
    world.until(|world| world.told().len() == 7).await;
    assert_eq!(
        world.told(),
        [
            "init success",
            "start a",
            "report a success",
            "start b",
            "report b success",
            "start c",
            "report c success"
        ]
    );
    parked.abort();
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_invoker_that_leaves_the_queue_is_withdrawn_and_never_runs() {
    let world = World::new(Policy { queue_limit: 1, ..Policy::default() });
    let first = world.invoke("a");
    let event = world.next().await.unwrap();
    event.receipt.settle();
    let leaver = world.invoke("leaver");
    tokio::task::yield_now().await;
    assert_eq!(
        world.handle.invoke(invocation("refused")).await.unwrap_err(),
        InvokeRefusal::TooManyRequests
    );
    leaver.abort();
    assert!(leaver.await.is_err());
    let last = world.invoke("b");
    tokio::task::yield_now().await;
    let upload = world.handle.begin_response(world.handle.generation(), "a").await.unwrap();
    upload.finish(UploadOutcome::Response(response("first"))).await.unwrap();
    assert_eq!(body(first.await.unwrap()), "first");
    assert_eq!(world.serve("second").await.id.as_str(), "b");
    assert_eq!(body(last.await.unwrap()), "second");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_invoker_that_leaves_while_the_runtime_is_being_started_is_never_heard() {
    let world = World::new(Policy::default());
    *world.processes.delay.lock().unwrap() = Duration::from_secs(1);
    let first = world.invoke("a");
    world.until(|world| world.handle.health() == Health::Initializing).await;
    let leaver = world.invoke("leaver");
    tokio::task::yield_now().await;
    leaver.abort();
    assert!(leaver.await.is_err());
    let last = world.invoke("b");
    assert_eq!(world.serve("first").await.id.as_str(), "a");
    assert_eq!(world.serve("second").await.id.as_str(), "b");
    assert_eq!(body(first.await.unwrap()), "first");
    assert_eq!(body(last.await.unwrap()), "second");
    assert!(!world.told().iter().any(|line| line.contains("leaver")), "{:?}", world.told());
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_event_that_is_too_large_is_refused_and_not_cut() {
    let world = World::new(Policy::default());
    let mut invoke = invocation("a");
    invoke.payload = Bytes::from(vec![b'1'; rapid_interop::MAX_PAYLOAD_SIZE + 1]);
    assert_eq!(world.handle.invoke(invoke).await.unwrap_err(), InvokeRefusal::TooLarge);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_runtime_that_is_killed_in_mid_upload_is_reported_as_killed() {
    let world = World::new(Policy::default());
    let answer = world.invoke("a");
    world.next().await.unwrap().receipt.settle();
    let upload = world.handle.begin_response(world.handle.generation(), "a").await.unwrap();
    drop(upload);
    tokio::task::yield_now().await;
    world.last_process().exit(Termination::OutOfMemory);
    let failure = failure(answer.await.unwrap());
    assert_eq!(failure, Failure::Exit(Termination::OutOfMemory));
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_event_whose_caller_vanished_goes_to_the_next_caller() {
    let world = World::new(Policy::default());
    world.handle.start().await;
    let generation = world.handle.generation();
    let park = || {
        let handle = world.handle.clone();
        tokio::spawn(async move { handle.next(caller(generation)).await.unwrap() })
    };
    let first = park();
    world.until(|world| world.handle.health() == Health::Ready).await;
    let second = park();
    tokio::task::yield_now().await;
    let answer = world.invoke("a");
    // The first caller is given the event, and vanishes before it reads it.
    drop(first.await.unwrap());
    let event = second.await.unwrap();
    event.receipt.settle();
    let upload = world.handle.begin_response(generation, event.invoke.id.as_str()).await.unwrap();
    upload.finish(UploadOutcome::Response(response("kept"))).await.unwrap();
    assert_eq!(body(answer.await.unwrap()), "kept");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_parked_caller_that_hung_up_is_passed_over() {
    let world = World::new(Policy::default());
    world.handle.start().await;
    let generation = world.handle.generation();
    let handle = world.handle.clone();
    let leaver = tokio::spawn(async move { handle.next(caller(generation)).await });
    world.until(|world| world.handle.health() == Health::Ready).await;
    leaver.abort();
    assert!(leaver.await.is_err());
    let answer = world.invoke("a");
    assert_eq!(world.serve("ok").await.id.as_str(), "a");
    assert_eq!(body(answer.await.unwrap()), "ok");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_abandoned_upload_counts_as_truncated() {
    let world = World::new(Policy::default());
    let answer = world.invoke("a");
    world.next().await.unwrap().receipt.settle();
    let upload = world.handle.begin_response(world.handle.generation(), "a").await.unwrap();
    drop(upload);
    assert_eq!(failure(answer.await.unwrap()), Failure::Truncated);
    let second = world.invoke("b");
    world.serve("fine").await;
    assert_eq!(body(second.await.unwrap()), "fine");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_timeout_answers_the_invoker_and_the_next_invocation_gets_a_new_runtime() {
    let limit = Duration::from_secs(3);
    let world = World::new(Policy { function_timeout: limit, ..Policy::default() });
    let answer = world.invoke("a");
    let event = world.next().await.unwrap();
    event.receipt.settle();
    let generation = world.handle.generation();
    let before = tokio::time::Instant::now();
    assert_eq!(failure(answer.await.unwrap()), Failure::Timeout { limit });
    assert_eq!(before.elapsed().as_secs(), 3);
    world.until(|world| world.handle.generation() > generation).await;
    // The old generation's upload is refused, and so are its calls for events.
    assert_eq!(
        world.handle.begin_response(generation, "a").await.unwrap_err(),
        RuntimeRefusal::InvalidRequestId
    );
    assert!(world.handle.next(caller(generation)).await.is_err());
    let second = world.invoke("b");
    world.serve("recovered").await;
    assert_eq!(body(second.await.unwrap()), "recovered");
    assert_eq!(world.last_process().launch.name, "runtime-2");
    assert!(world.told().contains(&"report a timeout".to_owned()), "{:?}", world.told());
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_exit_is_answered_in_the_words_of_the_service_and_only_once() {
    let world = World::new(Policy::default());
    let answer = world.invoke("a");
    world.next().await.unwrap().receipt.settle();
    world.last_process().exit(Termination::Exited(3));
    let text = body(answer.await.unwrap());
    assert_eq!(
        text,
        r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: a Error: Runtime exited with error: exit status 3"}"#
    );
    world.until(|world| world.told().contains(&"report a error".to_owned())).await;
    assert_eq!(world.last_process().stops.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_failed_first_initialisation_is_tried_once_more_inside_the_invocation() {
    let world = World::new(Policy::default());
    let error = LaunchError::NotFound { path: "./bootstrap".into() };
    *world.processes.fail_with.lock().unwrap() = Some(error.clone());
    assert_eq!(failure(world.invoke("a").await.unwrap()), Failure::Launch(error));
    world.until(|world| world.told().contains(&"report a error".to_owned())).await;
    let told = world.told();
    assert_eq!(told, ["init error", "init error", "start a", "report a error"]);
    *world.processes.fail_with.lock().unwrap() = None;
    let second = world.invoke("b");
    world.serve("there it is").await;
    assert_eq!(body(second.await.unwrap()), "there it is");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn what_the_runtime_reports_of_its_initialisation_is_what_the_invoker_gets() {
    let world = World::new(Policy::default());
    let answer = world.invoke("a");
    for attempt in 0..2 {
        world.until(|w| w.processes.launched.lock().unwrap().len() == attempt + 1).await;
        let report = ErrorInvokeResponse {
            headers: InvokeResponseHeaders::default(),
            payload: Bytes::from_static(b"{\"why\":1}"),
            function_error: FunctionError {
                error_type: ErrorType::from_runtime("Runtime.Broken"),
                message: String::new(),
            },
        };
        let generation = world.handle.generation();
        world.handle.init_error(generation, report.clone()).await.unwrap();
        assert!(world.handle.init_error(generation, report).await.is_err());
        world.last_process().exit(Termination::Exited(1));
        world.until(|w| w.handle.generation() > generation).await;
    }
    let told = error(answer.await.unwrap());
    assert_eq!(told, (Failure::InitReported, "{\"why\":1}".to_owned()));
    assert!(world.handle.initialized().await.unwrap().is_err());
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_shutdown_lets_the_running_invocation_finish_and_releases_every_parked_caller() {
    let world = World::new(Policy::default());
    let answer = world.invoke("a");
    world.next().await.unwrap().receipt.settle();
    let waiting = world.invoke("b");
    tokio::task::yield_now().await;
    let handle = world.handle.clone();
    let budget = Duration::from_secs(2);
    let shutdown = tokio::spawn(async move { handle.shutdown(Shutdown { budget }).await });
    assert_eq!(waiting.await.unwrap().unwrap_err(), InvokeRefusal::ShuttingDown);
    let generation = world.handle.generation();
    let upload = world.handle.begin_response(generation, "a").await.unwrap();
    upload.finish(UploadOutcome::Response(response("in time"))).await.unwrap();
    assert_eq!(body(answer.await.unwrap()), "in time");
    let parked = world.handle.next(caller(generation)).await;
    assert!(matches!(parked, Err(RuntimeRefusal::InvalidStateTransition { .. })), "{parked:?}");
    assert!(shutdown.await.unwrap().clean);
    assert!(world.engine.await.unwrap().clean);
    world.handle.ended(generation).await;
    assert_eq!(
        world.handle.invoke(invocation("late")).await.unwrap_err(),
        InvokeRefusal::ShuttingDown
    );
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_shutdown_answers_an_invocation_that_does_not_finish_in_time() {
    let world = World::new(Policy::default());
    let answer = world.invoke("a");
    world.next().await.unwrap().receipt.settle();
    let handle = world.handle.clone();
    let budget = Duration::from_secs(2);
    let shutdown = tokio::spawn(async move { handle.shutdown(Shutdown { budget }).await });
    let before = tokio::time::Instant::now();
    assert_eq!(failure(answer.await.unwrap()), Failure::Shutdown);
    assert_eq!(before.elapsed().as_secs(), 2);
    assert!(shutdown.await.unwrap().clean);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_engine_without_handles_ends_its_processes_and_itself() {
    let world = World::new(Policy::default());
    world.handle.start().await;
    world.until(|world| !world.processes.launched.lock().unwrap().is_empty()).await;
    let World { handle, processes, engine, .. } = world;
    drop(handle);
    assert!(engine.await.unwrap().clean);
    let launched = processes.launched.lock().unwrap();
    assert_eq!(launched[0].stops.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn the_release_is_taken_from_the_runtimes_own_words() {
    let world = World::new(Policy::default());
    let answer = world.invoke("a");
    world.serve("ok").await;
    assert_eq!(body(answer.await.unwrap()), "ok");
    let success = world.handle.initialized().await.unwrap().unwrap();
    assert_eq!(success.runtime_release, "fake/1.0");
}
