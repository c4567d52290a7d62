//! A function that streams what its event says: the texts of `chunks`, one
//! after the other. Before each but the first it waits until the file `gate`
//! is there, if the event names one.
//!
//! With `then`, it fails after that: by `error`, which the client can only
//! tell within the body, or `exit`.

use std::path::Path;
use std::process;
use std::time::Duration;

use lambda_runtime::streaming::{Body, Response, Sender, channel};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde::Deserialize;

#[derive(Deserialize)]
struct Event {
    chunks: Vec<String>,
    gate: Option<String>,
    then: Option<String>,
}

async fn stream(event: LambdaEvent<Event>) -> Result<Response<Body>, Error> {
    let (sender, body) = channel();
    tokio::spawn(produce(event.payload, sender));
    let mut response = Response::from(body);
    response.metadata_prelude.headers.insert("x-peer", "rust".parse()?);
    Ok(response)
}

async fn produce(event: Event, mut sender: Sender) {
    for (n, chunk) in event.chunks.into_iter().enumerate() {
        if let Some(gate) = event.gate.as_deref().filter(|_| n > 0) {
            while !Path::new(gate).exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        if sender.send_data(chunk.into()).await.is_err() {
            return;
        }
    }
    match event.then.as_deref() {
        Some("error") => sender.abort(),
        Some("exit") => process::exit(1),
        _ => {}
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(service_fn(stream)).await
}
