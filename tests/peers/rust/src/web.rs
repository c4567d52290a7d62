//! A function that is a web site, with `lambda_http`: it tells what it was
//! asked, in JSON, with two cookies. `/bytes` has an octet that no text has.
//!
//! Started as `web stream`, it streams: `/gated` sends a piece, waits until the
//! file that the parameter `gate` names is there, and sends another.

use std::env;
use std::path::Path;
use std::time::Duration;

use lambda_http::{Error, Request, RequestExt, Response, service_fn};
use lambda_runtime::streaming::{Body, channel};
use serde_json::json;

/// What was asked, as this client understands it.
fn asked(request: &Request) -> String {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let query = request.query_string_parameters();
    json!({
        "method": request.method().as_str(),
        "path": request.raw_http_path(),
        "who": query.all("who"),
        "cookie": header("cookie"),
        "content_type": header("content-type"),
        "body": request.body().to_vec(),
    })
    .to_string()
}

async fn whole(request: Request) -> Result<Response<lambda_http::Body>, Error> {
    let response = Response::builder();
    Ok(match request.raw_http_path() {
        "/bytes" => response.header("content-type", "image/png").body(vec![0x89, 0xff, 0].into())?,
        "/fail" => return Err("boom".into()),
        _ => response
            .status(201)
            .header("content-type", "application/json")
            .header("set-cookie", "a=1; Path=/")
            .header("set-cookie", "b=2")
            .body(asked(&request).into())?,
    })
}

async fn streamed(request: Request) -> Result<Response<Body>, Error> {
    let response = Response::builder()
        .status(202)
        .header("content-type", "text/plain")
        .header("set-cookie", "a=1; Path=/")
        .header("set-cookie", "b=2");
    if request.raw_http_path() != "/gated" {
        return Ok(response.body(Body::from(asked(&request)))?);
    }
    let query = request.query_string_parameters();
    let gate = query.first("gate").unwrap_or_default().to_owned();
    let (mut sender, body) = channel();
    tokio::spawn(async move {
        let _ = sender.send_data("before ".into()).await;
        while !Path::new(&gate).exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let _ = sender.send_data("after".into()).await;
    });
    Ok(response.body(body)?)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    match env::args().nth(1).as_deref() {
        Some("stream") => lambda_http::run_with_streaming_response(service_fn(streamed)).await,
        _ => lambda_http::run(service_fn(whole)).await,
    }
}
