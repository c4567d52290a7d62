//! An extension that writes down the records it is sent, with rapid's client.
//!
//! `PORT` in its environment is the port that it listens on, `SCHEMA` the schema that it asks for,
//! and `RECORDS` the file, in which each record is a line. What the client does not know is of the
//! type `unknown`. The answer to the subscription, INVOKE and SHUTDOWN are lines as well, so that
//! their place among the records can be seen. It is back from an invocation when
//! `platform.runtimeDone` has come.

use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::ExitCode;

use rapid_extension::telemetry::{
    Category, Destination, Received, Schema, Subscribed, Subscription,
};
use rapid_extension::{BoxError, Event, Handler, run};
use serde_json::{Value, json};

struct Subscriber {
    port: u16,
    schema: Schema,
}

/// Not to the output, which comes back as a record.
fn write_down(line: &Value) -> Result<(), BoxError> {
    let mut file = OpenOptions::new().create(true).append(true).open(env::var("RECORDS")?)?;
    Ok(file.write_all(format!("{line}\n").as_bytes())?)
}

impl Handler for Subscriber {
    type Error = BoxError;

    fn subscription(&self) -> Option<Subscription> {
        let subscription = Subscription::new(&Category::ALL, Destination::http(self.port));
        Some(subscription.schema(self.schema).wait_for_runtime_done())
    }

    fn subscribed(&mut self, answer: Subscribed) {
        let line = json!({ "type": "subscribed", "record": format!("{answer:?}") });
        if let Err(error) = write_down(&line) {
            println!("subscriber failed: {error}");
        }
    }

    async fn telemetry(&mut self, events: Vec<Received>) -> Result<(), BoxError> {
        for event in events {
            let line = match event {
                Received::Known(event) => {
                    let json = event.encode(self.schema).ok_or("not of the schema")?;
                    serde_json::from_slice(&json)?
                }
                Received::Other(event) => json!({ "type": "unknown", "record": event.kind }),
            };
            write_down(&line)?;
        }
        Ok(())
    }

    async fn invoke(&mut self, event: Event) -> Result<(), BoxError> {
        write_down(&json!({ "type": "invoke", "record": event.request_id }))
    }

    async fn shutdown(&mut self, event: Event) -> Result<(), BoxError> {
        let reason = event.shutdown_reason.as_ref().map(|reason| reason.as_str());
        write_down(&json!({ "type": "shutdown", "record": reason }))
    }
}

fn subscriber() -> Result<Subscriber, BoxError> {
    let wanted = env::var("SCHEMA").unwrap_or_default();
    let mut schemas = Schema::ALL.into_iter();
    let schema = schemas.find(|schema| schema.as_str() == wanted).unwrap_or(Schema::LATEST);
    Ok(Subscriber { port: env::var("PORT")?.parse()?, schema })
}

async fn live() -> Result<(), BoxError> {
    Ok(run(subscriber()?, &[]).await?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match live().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("subscriber failed: {error}");
            ExitCode::FAILURE
        }
    }
}
