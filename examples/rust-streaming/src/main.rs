//! Greets word by word, for a browser or whoever else takes a response in pieces.

use std::time::Duration;

use lambda_runtime::streaming::{Body, Response, Sender, channel};
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;

async fn greet(event: LambdaEvent<Value>) -> Result<Response<Body>, Error> {
    // The event is a request: /?name=Ada
    let name = event.payload["queryStringParameters"]["name"].as_str().unwrap_or("world");
    let greeting = format!("Hello, {name}! This came word by word.\n");
    let (sender, body) = channel();
    tokio::spawn(write(greeting, sender));
    let mut response = Response::from(body);
    let headers = &mut response.metadata_prelude.headers;
    headers.insert("content-type", "text/plain; charset=utf-8".parse()?);
    Ok(response)
}

async fn write(greeting: String, mut sender: Sender) {
    for word in greeting.split_inclusive(' ') {
        // Whoever has asked may have gone.
        if sender.send_data(word.to_owned().into()).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(service_fn(greet)).await
}
