//! An extension that prints what it is told, with rapid's client.
//!
//! What it hears is a line `recorder: {…}`, printed before it asks for the next event. `FAILS_AT`
//! in its environment makes it fail: with the n-th invocation, counted from 1; 0 is after it has
//! registered, while it initialises.
//!
//! Started as `with-rapid-extension internal COMMAND…`, it is an internal extension, and starts the
//! function's runtime itself once it has registered.

use std::process::{Command, ExitCode};
use std::{env, iter};

use rapid_extension::{BoxError, Event, EventType, Handler, Register, run};
use serde_json::{Value, json};

#[derive(Default)]
struct Recorder {
    invocations: u64,
    /// What is started after registering.
    command: Vec<String>,
}

fn record(what: &Value) {
    println!("recorder: {what}");
}

fn fails_at(count: u64) -> Result<(), BoxError> {
    let wanted = env::var("FAILS_AT").ok().and_then(|count| count.parse().ok());
    if wanted == Some(count) { Err("out of paper".into()) } else { Ok(()) }
}

impl Handler for Recorder {
    type Error = BoxError;

    async fn init(&mut self, register: &Register) -> Result<(), BoxError> {
        record(&json!({
            "function": register.function_name,
            "version": register.function_version,
            "handler": register.handler,
            "account": register.account_id,
        }));
        fails_at(0)?;
        if let [program, arguments @ ..] = self.command.as_slice() {
            Command::new(program).args(arguments).spawn()?;
        }
        Ok(())
    }

    async fn invoke(&mut self, event: Event) -> Result<(), BoxError> {
        self.invocations += 1;
        record(&json!({
            "invoke": event.request_id,
            "arn": event.invoked_function_arn,
            "deadline": event.deadline_ms,
            "tracing": [event.tracing.kind, event.tracing.value],
        }));
        fails_at(self.invocations)
    }

    async fn shutdown(&mut self, event: Event) -> Result<(), BoxError> {
        let reason = event.shutdown_reason.as_ref().map(|reason| reason.as_str());
        record(&json!({ "shutdown": reason, "deadline": event.deadline_ms }));
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut words = env::args().skip(1);
    let internal = words.next().is_some_and(|word| word == "internal");
    let command = if internal { words.collect() } else { Vec::new() };
    let shutdown = iter::once(EventType::Shutdown).filter(|_| !internal);
    let events: Vec<EventType> = iter::once(EventType::Invoke).chain(shutdown).collect();
    match run(Recorder { command, ..Recorder::default() }, &events).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("recorder failed: {error}");
            ExitCode::FAILURE
        }
    }
}
