//! Extensions: their launches, calls and events.

use std::time::Duration;

use rapid_engine::ExtensionReceipt;
use rapid_interop::extension::{
    ExtensionErrorKind, ExtensionErrorReport, ExtensionEvent, ExtensionPort, ExtensionRefusal,
    NextExtensionEvent, Registered, Registration,
};
use rapid_interop::ports::{
    ExtensionFault, Failure, Health, InvokePort as _, Invoked, Receipt as _,
};
use rapid_interop::ports::{RuntimePort as _, Upload as _, UploadOutcome};
use rapid_interop::process::{Grace, LaunchError, Termination};
use rapid_interop::{ExtensionId, Invoke, ResetReason, Shutdown};
use rapid_lifecycle::Policy;

use crate::world::*;

/// A world in which these extensions lie there to be started.
fn world_with(files: &[&'static str]) -> World {
    let world = World::new(Policy::default());
    files.clone_into(&mut world.processes.files.lock().unwrap());
    world
}

async fn register(
    world: &World,
    name: &str,
    events: &[&str],
) -> Result<Registered, ExtensionRefusal> {
    let events = events.iter().map(|event| Box::from(*event)).collect();
    let registration = Registration { name: name.into(), events };
    world.handle.register(world.handle.generation(), registration).await
}

async fn next_event(
    world: &World,
    id: ExtensionId,
) -> Result<NextExtensionEvent<ExtensionReceipt>, ExtensionRefusal> {
    world.handle.next_event(world.handle.generation(), id).await
}

/// Parks a call for an event in a task of its own.
fn park(
    world: &World,
    id: ExtensionId,
) -> tokio::task::JoinHandle<Result<NextExtensionEvent<ExtensionReceipt>, ExtensionRefusal>> {
    let (handle, generation) = (world.handle.clone(), world.handle.generation());
    tokio::spawn(async move { handle.next_event(generation, id).await })
}

const BOTH: &[&str] = &["INVOKE", "SHUTDOWN"];

/// Starts `a`, the runtime and lets both get ready; `a` is parked in the task that is returned.
async fn warm(
    world: &World,
) -> (
    ExtensionId,
    tokio::task::JoinHandle<Result<NextExtensionEvent<ExtensionReceipt>, ExtensionRefusal>>,
) {
    world.handle.start().await;
    let id = register(world, "a", BOTH).await.unwrap().id;
    let parked = park(world, id);
    let handle = world.handle.clone();
    let generation = handle.generation();
    world.until(|world| world.processes.launched.lock().unwrap().len() == 2).await;
    // A runtime that asks and leaves is ready all the same.
    let asked = tokio::spawn(async move { handle.next(caller(generation)).await.map(drop) });
    world.until(|world| world.handle.health() == Health::Ready).await;
    asked.abort();
    (id, parked)
}

fn invoke_id(event: &NextExtensionEvent<ExtensionReceipt>) -> String {
    match &event.event {
        ExtensionEvent::Invoke { invoke, .. } => invoke.id.as_str().to_owned(),
        ExtensionEvent::Shutdown { reason, .. } => format!("shutdown {}", reason.as_str()),
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn extensions_are_launched_with_their_own_name_path_and_environment_before_the_runtime() {
    let world = world_with(&["a", "b"]);
    world.handle.start().await;
    let registered = register(&world, "a", BOTH).await.unwrap();
    assert_eq!(registered.function.function_name, "f");
    assert_eq!(registered.function.handler, "h");
    register(&world, "b", &[]).await.unwrap();
    world.until(|world| world.processes.launched.lock().unwrap().len() == 3).await;
    let launched = world.processes.launched.lock().unwrap();
    let names: Vec<&str> = launched.iter().map(|process| process.launch.name.as_str()).collect();
    assert_eq!(names, ["extension-a-1", "extension-b-1", "runtime-1"]);
    assert_eq!(launched[0].launch.argv, ["/ext/a"]);
    assert_eq!(launched[0].launch.env, [("C".into(), "d".into())]);
    assert_eq!(launched[2].launch.env, [("A".into(), "b".into())]);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_invocation_is_told_to_subscribers_and_ends_when_they_are_back() {
    let world = world_with(&["a"]);
    let (id, parked) = warm(&world).await;
    let first = world.invoke("one");
    let told = parked.await.unwrap().unwrap();
    assert_eq!(invoke_id(&told), "one");
    told.receipt.settle();
    world.serve("done").await;
    assert_eq!(body(first.await.unwrap()), "done");

    // The runtime is back, the extension is not: the next one waits.
    let second = world.invoke("two");
    let handle = world.handle.clone();
    let back = tokio::spawn(async move { handle.next(caller(handle.generation())).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!world.told().contains(&"start two".to_owned()));
    let parked = park(&world, id);
    let event = back.await.unwrap().unwrap();
    event.receipt.settle();
    assert_eq!(event.invoke.id.as_str(), "two");
    assert_eq!(invoke_id(&parked.await.unwrap().unwrap()), "two");
    let upload = world.handle.begin_response(world.handle.generation(), "two").await.unwrap();
    upload.finish(UploadOutcome::Response(response("again"))).await.unwrap();
    assert_eq!(body(second.await.unwrap()), "again");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_event_that_never_reached_its_extension_waits_for_the_next_call() {
    let world = world_with(&["a"]);
    let (id, parked) = warm(&world).await;
    parked.abort();
    world.until(|_| parked.is_finished()).await;
    let answer = world.invoke("one");
    // Nobody was there; whoever comes gets it. This one hangs up before it has read it.
    let lost = next_event(&world, id).await.unwrap();
    assert_eq!(invoke_id(&lost), "one");
    drop(lost);
    let told = next_event(&world, id).await.unwrap();
    assert_eq!(invoke_id(&told), "one");
    told.receipt.settle();
    world.serve("done").await;
    assert_eq!(body(answer.await.unwrap()), "done");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_extension_that_crashes_answers_the_invocation_and_ends_the_generation() {
    let world = world_with(&["a"]);
    let (_, parked) = warm(&world).await;
    let answer = world.invoke("one");
    parked.await.unwrap().unwrap().receipt.settle();
    let extension = world.processes.launched.lock().unwrap()[0].clone();
    extension.exit(Termination::Exited(3));
    let (failure, told) = error(answer.await.unwrap());
    let expected =
        r#"{"errorType":"Extension.Crash","errorMessage":"RequestId: one Error: exit status 3"}"#;
    assert_eq!(told, expected);
    assert_eq!(failure, Failure::Extension(ExtensionFault::Exit(Termination::Exited(3))));
    world.until(|world| world.told().contains(&"report one error".to_owned())).await;
    // Both processes were ended, the runtime first and with notice.
    let grace = |nth: usize| {
        let process = world.processes.launched.lock().unwrap()[nth].clone();
        process.stops.lock().unwrap()[0].grace
    };
    assert_eq!(grace(1), Grace::Terminate(Duration::from_millis(600)));
    assert!(matches!(grace(0), Grace::Await(_)));

    // The next invocation brings them all back.
    let answer = world.invoke("two");
    world.until(|world| world.last_process().launch.name == "extension-a-2").await;
    let id = register(&world, "a", BOTH).await.unwrap().id;
    let parked = park(&world, id);
    world.serve("fresh").await;
    assert_eq!(invoke_id(&parked.await.unwrap().unwrap()), "two");
    assert_eq!(body(answer.await.unwrap()), "fresh");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_extension_that_cannot_be_started_fails_the_invocation_by_its_own_error() {
    let world = world_with(&["a"]);
    let path = "/ext/a".to_owned();
    *world.processes.fail_with.lock().unwrap() = Some(LaunchError::NotExecutable { path });
    let answer = world.invoke("one").await.unwrap();
    assert_eq!(
        body(answer),
        r#"{"errorType":"Extension.LaunchError","errorMessage":"RequestId: one Error: fork/exec /ext/a: permission denied"}"#
    );
    world.until(|world| world.told().contains(&"report one error".to_owned())).await;
    // Once on its own, once inside the invocation.
    let failures = world.told().iter().filter(|told| *told == "extension a LaunchError").count();
    assert_eq!(failures, 2);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_extension_that_reports_an_error_and_lingers_is_not_waited_for() {
    let world = world_with(&["a"]);
    let (id, parked) = warm(&world).await;
    let answer = world.invoke("one");
    parked.await.unwrap().unwrap().receipt.settle();
    let kind = ExtensionErrorKind::Exit;
    let report = ExtensionErrorReport { kind, error_type: "Disk.Full".into() };
    world.handle.extension_error(world.handle.generation(), id, report).await.unwrap();
    assert_eq!(
        body(answer.await.unwrap()),
        r#"{"errorType":"Extension.ExitError","errorMessage":"RequestId: one Error: the extension reported an error and did not exit"}"#
    );
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_shutdown_tells_the_extensions_once_the_runtime_has_ended() {
    let world = world_with(&["a"]);
    let (_, parked) = warm(&world).await;
    let handle = world.handle.clone();
    let budget = Duration::from_secs(2);
    let shutdown = tokio::spawn(async move { handle.shutdown(Shutdown { budget }).await });
    let told = parked.await.unwrap().unwrap();
    assert_eq!(world.processes.launched.lock().unwrap()[1].stops.lock().unwrap().len(), 1);
    let ExtensionEvent::Shutdown { reason, .. } = told.event else { panic!("{told:?}") };
    assert_eq!(reason, ResetReason::Spindown);
    told.receipt.settle();
    assert!(shutdown.await.unwrap().clean);
    assert!(world.engine.await.unwrap().clean);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn what_was_told_is_passed_on_before_the_extensions_are_ended() {
    let world = world_with(&["a"]);
    let (_, parked) = warm(&world).await;
    world.heard.pass_on();
    world.heard.take();
    world.last_process().write("last words");
    let handle = world.handle.clone();
    let budget = Duration::from_secs(2);
    let shutdown = tokio::spawn(async move { handle.shutdown(Shutdown { budget }).await });
    let told = parked.await.unwrap().unwrap();
    assert!(matches!(told.event, ExtensionEvent::Shutdown { .. }), "{told:?}");
    assert_eq!(world.heard.take(), ["runtime-1: last words", "flush", "flushed after 1000 ms"]);
    told.receipt.settle();
    assert!(shutdown.await.unwrap().clean);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn what_was_told_is_passed_on_also_when_the_runtime_was_never_there() {
    let world = world_with(&["a"]);
    world.heard.pass_on();
    world.handle.start().await;
    world.until(|world| !world.processes.launched.lock().unwrap().is_empty()).await;
    let path = "/bootstrap".to_owned();
    *world.processes.fail_with.lock().unwrap() = Some(LaunchError::NotFound { path });
    let id = register(&world, "a", BOTH).await.unwrap().id;
    let told = park(&world, id).await.unwrap().unwrap();
    assert!(matches!(told.event, ExtensionEvent::Shutdown { .. }), "{told:?}");
    let heard = world.heard.take();
    assert_eq!(heard[heard.len() - 2..], ["flush", "flushed after 1000 ms"]);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn who_wants_the_log_is_answered_when_the_extensions_are_done() {
    let world = world_with(&["a"]);
    let (id, parked) = warm(&world).await;
    let handle = world.handle.clone();
    let invoke = Invoke { log_tail: true, ..invocation("one") };
    let invoked = tokio::spawn(async move { handle.invoke(invoke).await.unwrap() });
    parked.await.unwrap().unwrap().receipt.settle();
    world.serve("done").await;
    let handle = world.handle.clone();
    let _back = tokio::spawn(async move { handle.next(caller(handle.generation())).await.is_ok() });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!invoked.is_finished());
    let _parked = park(&world, id);
    let Invoked { answer, log_tail } = invoked.await.unwrap();
    assert_eq!(body(Ok(answer)), "done");
    assert_eq!(log_tail.unwrap(), "log of one");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn who_wants_the_log_gets_it_with_a_failure_too_and_who_does_not_does_not() {
    let world = world_with(&[]);
    for (log_tail, expected) in [(true, Some("log of one".into())), (false, None)] {
        let handle = world.handle.clone();
        let invoke = Invoke { log_tail, ..invocation("one") };
        let invoked = tokio::spawn(async move { handle.invoke(invoke).await.unwrap() });
        world.next().await.unwrap().receipt.settle();
        world.last_process().exit(Termination::Exited(3));
        let invoked = invoked.await.unwrap();
        assert_eq!(invoked.log_tail, expected);
        assert_eq!(failure(Ok(invoked.answer)), Failure::Exit(Termination::Exited(3)));
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn an_end_at_once_kills_without_a_word() {
    let world = world_with(&["a"]);
    let (_, parked) = warm(&world).await;
    world.handle.end();
    world.handle.closed().await;
    assert!(matches!(parked.await.unwrap(), Err(ExtensionRefusal::InvalidState { .. })));
    for process in world.processes.launched.lock().unwrap().iter() {
        assert_eq!(process.stops.lock().unwrap()[0].grace, Grace::None);
    }
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn extensions_that_are_turned_off_stay_off() {
    let world = world_with(&["a"]);
    *world.processes.disabled.lock().unwrap() = true;
    assert!(world.handle.extensions_enabled());
    world.handle.start().await;
    let asked = {
        let handle = world.handle.clone();
        tokio::spawn(async move { handle.next(caller(handle.generation())).await.map(drop) })
    };
    world.until(|world| world.handle.health() == Health::Ready).await;
    assert!(!world.handle.extensions_enabled());
    assert_eq!(world.last_process().launch.name, "runtime-1");
    *world.processes.disabled.lock().unwrap() = false;
    world.last_process().exit(Termination::Exited(1));
    world.until(|world| world.handle.health() == Health::Idle).await;
    let answer = world.invoke("one");
    asked.abort();
    world.serve("done").await;
    assert_eq!(body(answer.await.unwrap()), "done");
    assert_eq!(world.last_process().launch.name, "runtime-2");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn ids_of_an_earlier_generation_are_unknown() {
    let world = world_with(&["a"]);
    let (id, _parked) = warm(&world).await;
    let old = world.handle.generation();
    world.last_process().exit(Termination::Exited(1));
    world.handle.ended(old).await;
    let refusal = ExtensionRefusal::Unknown { id };
    assert_eq!(world.handle.next_event(old, id).await.unwrap_err(), refusal);
    assert_eq!(next_event(&world, id).await.unwrap_err(), refusal);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn the_name_of_an_extension_is_told_to_its_own_generation_alone() {
    let world = world_with(&["a"]);
    let name = |generation, id| world.handle.extension_name(generation, id);
    let (id, _parked) = warm(&world).await;
    let old = world.handle.generation();
    assert_eq!(name(old, id).await.as_deref(), Ok("a"));
    let stranger = ExtensionId::from_u128(1);
    assert_eq!(name(old, stranger).await, Err(ExtensionRefusal::Unknown { id: stranger }));
    world.last_process().exit(Termination::Exited(1));
    world.handle.ended(old).await;
    let _answer = world.invoke("one");
    world.until(|world| world.processes.launched.lock().unwrap().len() == 3).await;
    let fresh = register(&world, "a", BOTH).await.unwrap().id;
    let new = world.handle.generation();
    assert_eq!(name(new, fresh).await.as_deref(), Ok("a"));
    assert_eq!(name(new, id).await, Err(ExtensionRefusal::Unknown { id }));
    assert_eq!(name(old, fresh).await, Err(ExtensionRefusal::Unknown { id: fresh }));
    world.handle.end();
    world.handle.closed().await;
    assert_eq!(name(new, fresh).await, Err(ExtensionRefusal::Internal));
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_client_that_comes_again_before_its_loss_is_known_is_let_in() {
    let world = world_with(&["a"]);
    let (id, parked) = warm(&world).await;
    let again = park(&world, id);
    // The second call is heard while the first still waits; only then does that hang up.
    tokio::task::yield_now().await;
    parked.abort();
    let answer = world.invoke("one");
    let told = again.await.unwrap().unwrap();
    assert_eq!(invoke_id(&told), "one");
    told.receipt.settle();
    world.serve("done").await;
    assert_eq!(body(answer.await.unwrap()), "done");
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn two_calls_of_an_extension_at_once_are_one_too_many() {
    let world = world_with(&["a"]);
    let (id, _parked) = warm(&world).await;
    let refusal = next_event(&world, id).await.unwrap_err();
    assert!(matches!(refusal, ExtensionRefusal::InvalidState { from: "Ready", to: "Ready", .. }));
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn how_an_extension_ended_is_known_before_it_counts_as_gone() {
    let world = world_with(&["a"]);
    let (_, parked) = warm(&world).await;
    let lines = Lines::new();
    let handle = world.handle.clone();
    let budget = Duration::ZERO;
    let _guard = tracing::subscriber::set_default(lines.clone());
    let shutdown = tokio::spawn(async move { handle.shutdown(Shutdown { budget }).await });
    parked.await.unwrap().unwrap().receipt.settle();
    // The played process ends by SIGKILL in its stop, not by itself.
    assert!(shutdown.await.unwrap().clean);
    assert_eq!(lines.all(), ["extensions exited with an error at SHUTDOWN: a"]);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn processes_that_were_ended_are_not_complained_about_afterwards() {
    let world = world_with(&[]);
    let lines = Lines::new();
    let _guard = tracing::subscriber::set_default(lines.clone());
    world.handle.start().await;
    world.until(|world| !world.processes.launched.lock().unwrap().is_empty()).await;
    let asked = {
        let handle = world.handle.clone();
        tokio::spawn(async move { handle.next(caller(handle.generation())).await.map(drop) })
    };
    world.until(|world| world.handle.health() == Health::Ready).await;
    asked.abort();
    // The timeout stops the process, which ends by that; the next initialisation runs already.
    let first = world.invoke("one");
    let second = world.invoke("two");
    assert!(matches!(failure(first.await.unwrap()), Failure::Timeout { .. }));
    world.until(|world| world.last_process().launch.name == "runtime-2").await;
    world.serve("done").await;
    assert_eq!(body(second.await.unwrap()), "done");
    assert_eq!(lines.all(), [""; 0]);
}
