//! An execution environment inside another program, with real processes and sockets.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rapid::{Builder, InvokeAnswer, RapidError};

/// A runtime that asks for events and never answers, under a name that can be found again.
fn builder(mark: &str) -> Builder {
    let api = "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next";
    let script = format!("curl -sS {api} # {mark}");
    Builder::new()
        .command(["/bin/sh", "-c", &script])
        .invoke_api_address(SocketAddr::from(([127, 0, 0, 1], 0)))
}

fn runs(mark: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).contains(mark)
    })
}

async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn dropped_it_ends_its_processes_and_closes_its_sockets() {
    let mark = "dropped-in-the-middle";
    let running = builder(mark).bind().await.unwrap().start().await;
    let doors = [running.runtime_api_address(), running.invoke_api_address().unwrap()];
    eventually("the runtime runs", || runs(mark)).await;
    drop(running);
    eventually("the runtime has gone", || !runs(mark)).await;
    for door in doors {
        eventually("the socket is closed", || TcpStream::connect(door).is_err()).await;
    }
}

#[tokio::test]
async fn a_shutdown_waits_for_everything_and_says_so() {
    let mark = "shut-down-in-order";
    let running = builder(mark).bind().await.unwrap().start().await;
    eventually("the runtime runs", || runs(mark)).await;
    let doors = [running.runtime_api_address(), running.invoke_api_address().unwrap()];
    assert!(running.shutdown(Duration::from_secs(2)).await.clean);
    assert!(!runs(mark));
    for door in doors {
        assert!(TcpStream::connect(door).is_err(), "{door} is still open");
    }
}

#[tokio::test]
async fn a_function_that_cannot_be_started_is_an_answer() {
    let running = Builder::new().command(["/nowhere/at/all"]).bind().await.unwrap().start().await;
    let InvokeAnswer::Failed(_, error) = running.invoke("{}").await.unwrap() else {
        panic!("it answered")
    };
    assert_eq!(error.function_error.error_type.as_str(), "Runtime.InvalidEntrypoint");
    assert!(running.shutdown(Duration::ZERO).await.clean);
}

#[tokio::test]
async fn what_cannot_be_part_of_an_arn_or_listen_for_others_is_refused() {
    for bad in ["", "a b", "a:b", &"x".repeat(65)] {
        let refused = Builder::new().function_name(bad).bind().await.unwrap_err();
        assert!(matches!(refused, RapidError::BadName { .. }), "{bad:?}: {refused}");
    }
    let everybody = SocketAddr::from(([0, 0, 0, 0], 0));
    let refused = Builder::new().runtime_api_address(everybody).bind().await.unwrap_err();
    assert!(matches!(refused, RapidError::NotLoopback { .. }), "{refused}");
}
