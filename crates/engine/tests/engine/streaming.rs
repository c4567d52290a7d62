//! Responses that the invoker takes while they come.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use rapid_interop::ports::{
    Failure, InvokeAnswer, InvokePort as _, Invoked, Receipt as _, RuntimePort as _,
    StreamedResponse, Upload, UploadOutcome,
};
use rapid_interop::process::Termination;
use rapid_interop::{
    ErrorInvokeResponse, InvokeResponseHeaders, InvokeResponseMode, InvokeStream, ResponseMode,
};
use rapid_lifecycle::Policy;
use tokio::task::JoinHandle;

use crate::world::*;

/// Invokes, and gives the runtime its event.
async fn begun(world: &World, log_tail: bool) -> JoinHandle<Invoked> {
    let handle = world.handle.clone();
    let response_mode = InvokeResponseMode(ResponseMode::Streaming);
    let invoke = rapid_interop::Invoke { response_mode, log_tail, ..invocation("a") };
    let invoked = tokio::spawn(async move { handle.invoke(invoke).await.unwrap() });
    world.next().await.unwrap().receipt.settle();
    invoked
}

async fn upload(world: &World) -> impl Upload {
    world.handle.begin_response(world.handle.generation(), "a").await.unwrap()
}

/// The response, which has begun: no answer comes before the runtime's head, and none later.
async fn stream(invoked: JoinHandle<Invoked>) -> InvokeStream {
    match invoked.await.unwrap().answer {
        InvokeAnswer::Streamed(stream) => stream,
        other @ (InvokeAnswer::Response(_) | InvokeAnswer::Failed(..)) => {
            panic!("no stream came: {other:?}")
        }
    }
}

async fn piece(stream: &mut InvokeStream) -> Option<Bytes> {
    let frame = poll_fn(|context| stream.body.as_mut().poll_frame(context)).await?;
    Some(frame.unwrap().into_data().unwrap())
}

fn passed_on(produced_bytes: u64) -> UploadOutcome {
    UploadOutcome::Streamed(StreamedResponse { produced_bytes, ..StreamedResponse::default() })
}

fn headers() -> InvokeResponseHeaders {
    InvokeResponseHeaders::default()
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn pieces_reach_the_invoker_while_the_function_runs() {
    let world = World::new(Policy::default());
    let invoked = begun(&world, false).await;
    let mut upload = upload(&world).await;
    assert!(upload.stream(&headers()).await);
    let mut stream = stream(invoked).await;
    for sent in ["one", "two"] {
        upload.pass_on(Bytes::from_static(sent.as_bytes())).await;
        assert_eq!(piece(&mut stream).await.unwrap(), sent);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    upload.finish(passed_on(6)).await.unwrap();
    assert_eq!(piece(&mut stream).await, None);
    let end = stream.end.await;
    assert!(end.failure.is_none() && end.log_tail.is_none());
    let handle = world.handle.clone();
    let _back = tokio::spawn(async move { handle.next(caller(handle.generation())).await.is_ok() });
    world.until(|world| world.heard.is_over("a")).await;
    let metrics = world.heard.runtime_done()[0].internal_metrics.unwrap();
    assert!(rapid_events::is_response_streaming_metrics(Some(&metrics)));
    assert_eq!((metrics.produced_bytes, metrics.outbound_throughput), (6, Some(0)));
    assert!(metrics.runtime_called_response && metrics.time_shaped == Some(Duration::ZERO));
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_invoker_that_reads_slowly_holds_the_runtime_back() {
    let world = World::new(Policy::default());
    let invoked = begun(&world, false).await;
    let mut upload = upload(&world).await;
    assert!(upload.stream(&headers()).await);
    let mut stream = stream(invoked).await;
    let mut sending = tokio::spawn(async move {
        for _ in 0..100 {
            upload.pass_on(Bytes::from_static(b"x")).await;
        }
        upload.finish(passed_on(100)).await.unwrap();
    });
    let late = tokio::time::timeout(Duration::from_secs(60), &mut sending).await;
    assert!(late.is_err(), "nothing held the runtime back");
    let mut got = 0;
    while let Some(piece) = piece(&mut stream).await {
        got += piece.len();
    }
    assert_eq!(got, 100);
    sending.await.unwrap();
    assert!(stream.end.await.failure.is_none());
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_invoker_that_leaves_holds_nothing_back() {
    let world = World::new(Policy::default());
    let invoked = begun(&world, false).await;
    let mut upload = upload(&world).await;
    assert!(upload.stream(&headers()).await);
    drop(stream(invoked).await);
    for _ in 0..100 {
        upload.pass_on(Bytes::from_static(b"x")).await;
    }
    upload.finish(passed_on(100)).await.unwrap();
    let next = world.invoke("b");
    assert_eq!(world.serve("ok").await.id.as_str(), "b");
    assert_eq!(body(next.await.unwrap()), "ok");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn what_goes_wrong_after_the_first_piece_ends_the_stream_and_is_told() {
    enum Wrong {
        Trailers,
        Exit,
        Timeout,
    }
    for wrong in [Wrong::Trailers, Wrong::Exit, Wrong::Timeout] {
        let world = World::new(Policy::default());
        let invoked = begun(&world, false).await;
        let mut upload = upload(&world).await;
        assert!(upload.stream(&headers()).await);
        let mut stream = stream(invoked).await;
        upload.pass_on(Bytes::from_static(b"part")).await;
        let (end, expected) = match wrong {
            Wrong::Trailers => {
                let error = ErrorInvokeResponse::formatted(
                    rapid_fatal_error::ErrorType::RuntimeUnknown,
                    &"oops",
                    None,
                );
                let streamed = StreamedResponse { produced_bytes: 4, ..Default::default() };
                let outcome = UploadOutcome::StreamFailed(streamed, error);
                upload.finish(outcome).await.unwrap();
                (stream.end.as_mut().await, Failure::Reported)
            }
            Wrong::Exit => {
                world.last_process().exit(Termination::Exited(1));
                let end = stream.end.as_mut().await;
                drop(upload);
                (end, Failure::Exit(Termination::Exited(1)))
            }
            Wrong::Timeout => {
                let limit = Policy::default().function_timeout;
                let end = stream.end.as_mut().await;
                drop(upload);
                (end, Failure::Timeout { limit })
            }
        };
        let failed_by_itself = expected == Failure::Reported;
        assert_eq!(end.failure.unwrap().0, expected);
        if failed_by_itself {
            let handle = world.handle.clone();
            let back = async move { handle.next(caller(handle.generation())).await.is_ok() };
            let _back = tokio::spawn(back);
            world.until(|world| world.heard.is_over("a")).await;
            let metrics = world.heard.runtime_done()[0].internal_metrics.unwrap();
            assert_eq!((metrics.produced_bytes, metrics.runtime_called_response), (4, true));
        }
        assert_eq!(piece(&mut stream).await.unwrap(), "part");
        assert_eq!(piece(&mut stream).await, None);
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_error_before_the_first_piece_is_an_ordinary_answer() {
    let world = World::new(Policy::default());
    let invoked = begun(&world, false).await;
    world.last_process().exit(Termination::Exited(1));
    let answer = invoked.await.unwrap().answer;
    assert_eq!(failure(Ok(answer)), Failure::Exit(Termination::Exited(1)));
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn the_end_of_a_stream_waits_for_the_log_if_that_is_wanted() {
    let world = World::new(Policy::default());
    let invoked = begun(&world, true).await;
    let mut upload = upload(&world).await;
    assert!(upload.stream(&headers()).await);
    let mut stream = stream(invoked).await;
    upload.finish(passed_on(0)).await.unwrap();
    assert_eq!(piece(&mut stream).await, None);
    let early = tokio::time::timeout(Duration::from_secs(1), stream.end.as_mut()).await;
    assert!(early.is_err(), "the invocation is not over yet");
    let handle = world.handle.clone();
    let _back = tokio::spawn(async move { handle.next(caller(handle.generation())).await.is_ok() });
    assert_eq!(stream.end.await.log_tail.unwrap(), "log of a");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_invoker_that_wants_the_response_whole_gets_no_pieces() {
    let world = World::new(Policy::default());
    let _answered = world.invoke("a");
    world.next().await.unwrap().receipt.settle();
    assert!(!upload(&world).await.stream(&headers()).await);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_engine_that_goes_leaves_no_stream_without_an_end() {
    let world = World::new(Policy::default());
    let invoked = begun(&world, false).await;
    let mut upload = upload(&world).await;
    assert!(upload.stream(&headers()).await);
    let stream = stream(invoked).await;
    world.engine.abort();
    assert_eq!(stream.end.await.failure.unwrap().0, Failure::Shutdown);
}
