//! What the platform tells of on each path of the lifecycle, in which order, and which parts an
//! invocation's time has.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use rapid_events::TracingCtx;
use rapid_fatal_error::ErrorType;
use rapid_interop::extension::{ExtensionEvent, ExtensionPort as _, Registration};
use rapid_interop::ports::{
    Failure, InvokeAnswer, InvokeRefusal, Receipt as _, RuntimePort as _, Upload as _,
    UploadOutcome,
};
use rapid_interop::process::{LaunchError, Termination};
use rapid_interop::{
    ErrorInvokeResponse, FunctionError, Invoke, InvokeErrorTraceData, InvokeResponseHeaders,
};
use rapid_lifecycle::Policy;
use tokio::task::JoinHandle;

use crate::world::*;

type Answered = JoinHandle<Result<InvokeAnswer, InvokeRefusal>>;

async fn pass(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// Begins to answer 2 ms after the event came, and needs 3 ms for that.
async fn answer(world: &World, id: &str, outcome: UploadOutcome) {
    world.next().await.unwrap().receipt.settle();
    let (handle, generation) = (&world.handle, world.handle.generation());
    pass(2).await;
    let upload = match &outcome {
        UploadOutcome::Error(..) => handle.begin_error(generation, id).await.unwrap(),
        UploadOutcome::Response(_)
        | UploadOutcome::Streamed(_)
        | UploadOutcome::StreamFailed(..)
        | UploadOutcome::TooLarge
        | UploadOutcome::Truncated
        | UploadOutcome::InvalidMode => handle.begin_response(generation, id).await.unwrap(),
    };
    pass(3).await;
    upload.finish(outcome).await.unwrap();
}

/// Asks for the next event 4 ms later, and waits for it.
async fn come_back(world: &World) -> JoinHandle<()> {
    pass(4).await;
    let handle = world.handle.clone();
    tokio::spawn(async move {
        // It is dropped unsettled, so it goes to the next caller.
        drop(handle.next(caller(handle.generation())).await);
    })
}

fn responds() -> UploadOutcome {
    UploadOutcome::Response(response("four"))
}

fn posts_an_error() -> UploadOutcome {
    let error = ErrorInvokeResponse {
        headers: InvokeResponseHeaders::default(),
        payload: Bytes::from_static(b"{}"),
        function_error: FunctionError {
            error_type: ErrorType::from_runtime("Function.Oops"),
            message: String::new(),
        },
    };
    UploadOutcome::Error(error, InvokeErrorTraceData::default())
}

/// A world whose initialisation is over; what was told of it is forgotten.
async fn warm(policy: Policy) -> (World, JoinHandle<()>) {
    let world = World::new(policy);
    world.handle.start().await;
    pass(0).await;
    let parked = come_back(&world).await;
    world.handle.initialized().await.unwrap().unwrap();
    world.heard.take();
    parked.abort();
    pass(0).await;
    (world, parked)
}

/// What was told once the invocation was reported.
async fn told_of(world: &World, id: &str) -> Vec<String> {
    world.until(|world| world.heard.is_over(id)).await;
    world.heard.take()
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_cold_start_is_told_before_the_invocation_that_caused_it() {
    let world = World::new(Policy::default());
    let answered = world.invoke("a");
    answer(&world, "a", responds()).await;
    assert_eq!(body(answered.await.unwrap()), "four");
    let _parked = come_back(&world).await;
    assert_eq!(
        told_of(&world, "a").await,
        [
            "initStart init",
            "initRuntimeDone init success",
            "initReport init success 0 ms",
            "now a",
            "start a",
            "runtimeDone a success 9 ms, 4 bytes responseLatency 0+2 responseDuration 2+3 \
             runtimeOverhead 5+4",
            "end a",
            "report a success 9 ms",
        ]
    );
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_warm_invocation_is_told_with_its_response() {
    let (world, _) = warm(Policy::default()).await;
    let answered = world.invoke("a");
    answer(&world, "a", responds()).await;
    let _parked = come_back(&world).await;
    assert_eq!(
        told_of(&world, "a").await,
        [
            "now a",
            "start a",
            "runtimeDone a success 9 ms, 4 bytes responseLatency 0+2 responseDuration 2+3 \
             runtimeOverhead 5+4",
            "end a",
            "report a success 9 ms",
        ]
    );
    let done = world.heard.runtime_done();
    let metrics = done[0].internal_metrics.unwrap();
    assert!(metrics.runtime_called_response && metrics.produced_bytes == 4, "{metrics:?}");
    let took = metrics.finish_reading_response.since(metrics.start_reading_response);
    assert_eq!(took, Duration::from_millis(3));
    assert!(answered.await.unwrap().is_ok());
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_error_that_the_runtime_posts_is_a_success_without_parts() {
    let (world, _) = warm(Policy::default()).await;
    let answered = world.invoke("a");
    answer(&world, "a", posts_an_error()).await;
    assert_eq!(failure(answered.await.unwrap()), Failure::Reported);
    let _parked = come_back(&world).await;
    assert_eq!(
        told_of(&world, "a").await,
        [
            "now a",
            "start a",
            "runtimeDone a success 9 ms, 0 bytes",
            "end a",
            "report a success 9 ms"
        ]
    );
    let done = world.heard.runtime_done();
    assert!(!done[0].internal_metrics.unwrap().runtime_called_response);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_response_that_is_too_large_is_an_error_but_no_fault() {
    let (world, _) = warm(Policy::default()).await;
    let answered = world.invoke("a");
    answer(&world, "a", UploadOutcome::TooLarge).await;
    assert_eq!(failure(answered.await.unwrap()), Failure::ResponseTooLarge);
    let _parked = come_back(&world).await;
    assert_eq!(
        told_of(&world, "a").await,
        [
            "now a",
            "start a",
            "runtimeDone a error Function.ResponseSizeTooLarge 9 ms, 0 bytes",
            "end a",
            "report a error Function.ResponseSizeTooLarge 9 ms",
        ]
    );
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_crash_is_a_fault() {
    let (world, _) = warm(Policy::default()).await;
    let answered = world.invoke("a");
    world.next().await.unwrap().receipt.settle();
    pass(2).await;
    world.last_process().exit(Termination::Exited(3));
    assert_eq!(failure(answered.await.unwrap()), Failure::Exit(Termination::Exited(3)));
    assert_eq!(
        told_of(&world, "a").await,
        [
            "now a",
            "start a",
            "runtimeDone a error Runtime.ExitError 2 ms, 0 bytes",
            r#"fault "RequestId: a\tStatus: error\tError Type: Runtime.ExitError\n""#,
            "end a",
            "report a error Runtime.ExitError 2 ms",
        ]
    );
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_crash_after_the_response_leaves_the_parts_that_there_were() {
    let (world, _) = warm(Policy::default()).await;
    let answered = world.invoke("a");
    answer(&world, "a", responds()).await;
    assert_eq!(body(answered.await.unwrap()), "four");
    pass(1).await;
    world.last_process().exit(Termination::Signaled(9));
    assert_eq!(
        told_of(&world, "a").await,
        [
            "now a",
            "start a",
            "runtimeDone a error Runtime.ExitError 6 ms, 4 bytes responseLatency 0+2 \
             responseDuration 2+3",
            r#"fault "RequestId: a\tStatus: error\tError Type: Runtime.ExitError\n""#,
            "end a",
            "report a error Runtime.ExitError 6 ms",
        ]
    );
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_timeout_is_a_fault_without_a_type() {
    let limit = Duration::from_secs(3);
    let (world, _) = warm(Policy { function_timeout: limit, ..Policy::default() }).await;
    let answered = world.invoke("a");
    world.next().await.unwrap().receipt.settle();
    assert_eq!(failure(answered.await.unwrap()), Failure::Timeout { limit });
    assert_eq!(
        told_of(&world, "a").await,
        [
            "now a",
            "start a",
            "runtimeDone a timeout 3000 ms, 0 bytes",
            r#"fault "RequestId: a\tStatus: timeout\n""#,
            "end a",
            "report a timeout 3000 ms",
        ]
    );
    // The environment is made anew on the next invocation's time.
    let answered = world.invoke("b");
    answer(&world, "b", responds()).await;
    assert_eq!(body(answered.await.unwrap()), "four");
    let _parked = come_back(&world).await;
    let told = told_of(&world, "b").await;
    assert_eq!(
        told[..6],
        [
            "now b",
            "initStart invoke",
            "initRuntimeDone invoke success",
            "initReport invoke success 0 ms",
            "now b",
            "start b"
        ]
    );
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_suppressed_initialisation_belongs_to_its_invocation() {
    let world = World::new(Policy::default());
    let error = LaunchError::NotFound { path: "./bootstrap".into() };
    *world.processes.fail_with.lock().unwrap() = Some(error);
    let answered = world.invoke("a");
    assert_eq!(
        told_of(&world, "a").await,
        [
            "initStart init",
            "initRuntimeDone init error Runtime.InvalidEntrypoint",
            "initReport init error Runtime.InvalidEntrypoint 0 ms",
            "now a",
            "initStart invoke",
            "initRuntimeDone invoke error Runtime.InvalidEntrypoint",
            "initReport invoke error Runtime.InvalidEntrypoint 0 ms",
            "now a",
            "start a",
            r#"fault "RequestId: a\tStatus: error\tError Type: Runtime.InvalidEntrypoint\n""#,
            "end a",
            "report a error Runtime.InvalidEntrypoint 0 ms",
        ]
    );
    assert!(answered.await.unwrap().is_ok());

    *world.processes.fail_with.lock().unwrap() = None;
    let answered = world.invoke("b");
    answer(&world, "b", responds()).await;
    assert_eq!(body(answered.await.unwrap()), "four");
    let _parked = come_back(&world).await;
    assert_eq!(
        told_of(&world, "b").await,
        [
            "now b",
            "initStart invoke",
            "initRuntimeDone invoke success",
            "initReport invoke success 0 ms",
            "now b",
            "start b",
            "runtimeDone b success 9 ms, 4 bytes responseLatency 0+2 responseDuration 2+3 \
             runtimeOverhead 5+4",
            "end b",
            "report b success 9 ms",
        ]
    );
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn what_extensions_take_is_told_with_the_report() {
    let world = World::new(Policy::default());
    *world.processes.files.lock().unwrap() = vec!["agent"];
    let answered = world.invoke("a");
    world.until(|world| !world.processes.launched.lock().unwrap().is_empty()).await;
    let generation = world.handle.generation();
    let registration = Registration { name: "agent".into(), events: vec!["INVOKE".into()] };
    let id = world.handle.register(generation, registration).await.unwrap().id;
    let handle = world.handle.clone();
    tokio::spawn(async move {
        handle.next_event(generation, id).await.unwrap().receipt.settle();
        pass(9 + 5).await;
        handle.next_event(generation, id).await
    });
    world.until(|world| world.last_process().launch.name == "runtime-1").await;
    answer(&world, "a", responds()).await;
    assert_eq!(body(answered.await.unwrap()), "four");
    let _parked = come_back(&world).await;
    pass(1).await;
    let processes = world.processes.launched.lock().unwrap().clone();
    processes.iter().for_each(|process| process.write("late"));
    pass(4).await;
    assert_eq!(
        told_of(&world, "a").await,
        [
            "initStart init",
            "initRuntimeDone init success",
            "extension agent Ready",
            "initReport init success 0 ms",
            "now a",
            "start a",
            "runtimeDone a success 9 ms, 4 bytes responseLatency 0+2 responseDuration 2+3 \
             runtimeOverhead 5+4",
            "runtime-1: late",
            "extension-agent-1: late",
            "span extensionOverhead 9+5",
            "end a",
            "report a success 14 ms extensionOverhead 9+5",
        ]
    );
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn what_the_function_has_written_comes_before_the_news_that_it_is_done() {
    let (world, _) = warm(Policy::default()).await;
    let answered = world.invoke("a");
    world.last_process().write("an answer");
    answer(&world, "a", responds()).await;
    let _parked = come_back(&world).await;
    let told = told_of(&world, "a").await;
    assert_eq!(told[2], "runtime-1: an answer");
    assert!(told[3].starts_with("runtimeDone a success"), "{told:?}");
    assert!(answered.await.unwrap().is_ok());

    let answered = world.invoke("b");
    world.next().await.unwrap().receipt.settle();
    world.last_process().write("a traceback");
    world.last_process().exit(Termination::Exited(1));
    assert!(answered.await.unwrap().is_ok());
    let told = told_of(&world, "b").await;
    assert_eq!(told[2], "runtime-1: a traceback");
    assert!(told[3].starts_with("runtimeDone b error"), "{told:?}");
}

// --- Traces --------------------------------------------------------------------------------------

const SAMPLED: &str =
    "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=1:0a:0";

fn invoke_with(world: &World, header: &'static str) -> Answered {
    let trace_id = HeaderValue::from_static(header);
    world.invoke_as(Invoke { trace_id, ..invocation("a") })
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn every_event_of_an_invocation_tells_a_trace_that_is_sampled() {
    let unsampled = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0";
    for header in [SAMPLED, unsampled] {
        let (world, _) = warm(Policy::default()).await;
        let answered = invoke_with(&world, header);
        let event = world.next().await.unwrap();
        assert_eq!(event.invoke.trace_id, header);
        drop(event);
        answer(&world, "a", responds()).await;
        let _parked = come_back(&world).await;
        told_of(&world, "a").await;
        let tracing = TracingCtx::sampled(header);
        assert_eq!(tracing.is_some(), header == SAMPLED);
        assert_eq!(world.heard.tracing(), [tracing.clone(), tracing.clone(), tracing]);
        assert!(answered.await.unwrap().is_ok());
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_invocation_that_is_a_segment_is_the_parent_of_what_its_runtime_does() {
    let world = World::with(Policy::default(), WorldEngine::with_segments);
    *world.processes.files.lock().unwrap() = vec!["agent"];
    let answered = invoke_with(&world, SAMPLED);
    world.until(|world| !world.processes.launched.lock().unwrap().is_empty()).await;
    let generation = world.handle.generation();
    let registration = Registration { name: "agent".into(), events: vec!["INVOKE".into()] };
    let id = world.handle.register(generation, registration).await.unwrap().id;
    let handle = world.handle.clone();
    let extension = tokio::spawn(async move { handle.next_event(generation, id).await.unwrap() });

    let event = world.next().await.unwrap();
    let header = event.invoke.trace_id.to_str().unwrap().to_owned();
    let segment = header
        .strip_prefix("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=")
        .and_then(|rest| rest.strip_suffix(";Sampled=1;Lineage=1:0a:0"))
        .unwrap();
    assert!(segment.len() == 16 && segment != "53995c3f42cd8ad8", "{header}");
    assert_eq!(event.invoke.payload, "payload of a");
    // A runtime that asks again is given the same.
    let again = world.next().await.unwrap();
    assert_eq!(again.invoke.trace_id, header);
    again.receipt.settle();
    event.receipt.settle();
    // An extension is told what the invoker has said.
    let told = extension.await.unwrap();
    told.receipt.settle();
    let ExtensionEvent::Invoke { invoke, .. } = told.event else { panic!("no invocation") };
    assert_eq!(invoke.trace_id, SAMPLED);

    let upload = world.handle.begin_response(generation, "a").await.unwrap();
    upload.finish(responds()).await.unwrap();
    assert!(answered.await.unwrap().is_ok());
    world.heard.take();
    let handle = world.handle.clone();
    let _parked = tokio::spawn(async move { handle.next_event(generation, id).await.is_ok() });
    let _back = come_back(&world).await;
    let told = told_of(&world, "a").await;
    assert_eq!(told[0], "extension agent done with a");
    let tracing = world.heard.tracing();
    let told = tracing[0].as_ref().unwrap();
    assert_eq!(told.span_id.as_deref(), Some("53995c3f42cd8ad8"));
    assert_eq!(*told.value, header);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_invocation_that_is_not_sampled_is_no_segment() {
    let world = World::with(Policy::default(), WorldEngine::with_segments);
    let answered = invoke_with(&world, "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0");
    let event = world.serve("ok").await;
    assert_eq!(event.trace_id, "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0");
    assert!(answered.await.unwrap().is_ok());
    assert_eq!(world.heard.tracing(), [None]);
}
