//! The queue of asynchronous invocations, as a program has it that embeds the environment.

use std::net::SocketAddr;
use std::time::Duration;

use rapid::async_invoke::Policy;
use rapid::{Builder, Persona};

fn builder() -> Builder {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    Builder::new().command(["/bin/sleep", "3600"]).invoke_api_address(any)
}

#[tokio::test]
async fn how_events_are_tried_can_be_changed_while_it_runs() {
    let running = builder().bind().await.unwrap().start().await;
    let queue = running.async_invokes().unwrap();
    queue.set_policy(Policy { zero_reserved_concurrency: true, ..Policy::default() }).unwrap();
    // Without reserved concurrency it fails at once; otherwise it would be tried again.
    queue.accept(running.invocation("{}")).await.unwrap();
    let ended = async {
        while queue.pending().total() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), ended).await.unwrap();
    running.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn the_emulator_has_no_queue() {
    let running = builder().persona(Persona::Rie).bind().await.unwrap().start().await;
    assert!(running.async_invokes().is_none());
}
