//! Greets whoever the event names: `{"name": "Ada"}` answers
//! `{"message": "Hello, Ada!"}`.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Request {
    #[serde(default = "everyone")]
    name: String,
}

fn everyone() -> String {
    "world".to_owned()
}

#[derive(Serialize)]
struct Response {
    message: String,
}

async fn hello(event: LambdaEvent<Request>) -> Result<Response, Error> {
    let Request { name } = event.payload;
    Ok(Response { message: format!("Hello, {name}!") })
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(service_fn(hello)).await
}
