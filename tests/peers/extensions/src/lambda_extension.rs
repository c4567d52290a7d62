//! An extension that prints what it is told, with AWS's own client.
//!
//! What it hears is a line `recorder: {…}`, printed before it asks for the next event. `FAILS_AT`
//! in its environment makes it fail: with the n-th invocation, counted from 1; 0 is before it
//! registers.

use std::env;
use std::sync::atomic::{AtomicU64, Ordering};

use lambda_extension::{Error, Extension, LambdaEvent, NextEvent, service_fn};
use serde_json::{Value, json};

static INVOCATIONS: AtomicU64 = AtomicU64::new(0);

fn record(what: &Value) {
    println!("recorder: {what}");
}

fn fails_at(count: u64) -> Result<(), Error> {
    let wanted = env::var("FAILS_AT").ok().and_then(|count| count.parse().ok());
    if wanted == Some(count) { Err("out of paper".into()) } else { Ok(()) }
}

async fn handle(event: LambdaEvent) -> Result<(), Error> {
    match event.next {
        NextEvent::Invoke(event) => {
            record(&json!({
                "invoke": event.request_id,
                "arn": event.invoked_function_arn,
                "deadline": event.deadline_ms,
                "tracing": [event.tracing.r#type, event.tracing.value],
            }));
            fails_at(INVOCATIONS.fetch_add(1, Ordering::Relaxed) + 1)
        }
        NextEvent::Shutdown(event) => {
            record(&json!({ "shutdown": event.shutdown_reason, "deadline": event.deadline_ms }));
            Ok(())
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    fails_at(0)?;
    let registered = Extension::new().with_events_processor(service_fn(handle)).register().await?;
    record(&json!({
        "function": registered.function_name,
        "version": registered.function_version,
        "handler": registered.handler,
        "account": registered.account_id,
    }));
    registered.run().await
}
