//! A function that does what its event's `do` field says.
//!
//! The words that the Python and Node functions beside it know mean the same
//! here; `panic` is Rust's own. An event without a known word is answered with
//! the event itself.
//!
//! Started as `echo broken`, it fails before it asks for an event, as a
//! function does whose start-up code fails.

use std::collections::BTreeMap;
use std::env;
use std::process::{self, Command};
use std::thread;
use std::time::{Duration, SystemTime};

use lambda_runtime::{Context, Error, LambdaEvent, run, service_fn};
use serde::Serialize;
use serde_json::{Value, json};

/// What of the invocation's context a test can compare with what it sent.
#[derive(Serialize)]
struct Seen<'a> {
    aws_request_id: &'a str,
    remaining_time_in_millis: u128,
    invoked_function_arn: &'a str,
    function_name: &'a str,
    function_version: &'a str,
    memory_limit_in_mb: i32,
    log_group_name: &'a str,
    log_stream_name: &'a str,
    client_context_custom: Option<Value>,
    tenant_id: Option<&'a str>,
    trace_id: Option<&'a str>,
}

impl<'a> Seen<'a> {
    fn new(context: &'a Context) -> Result<Self, Error> {
        let custom = context.client_context.as_ref().map(|sent| &sent.custom);
        let remaining = context.deadline().duration_since(SystemTime::now());
        Ok(Self {
            aws_request_id: &context.request_id,
            remaining_time_in_millis: remaining.unwrap_or_default().as_millis(),
            invoked_function_arn: &context.invoked_function_arn,
            function_name: &context.env_config.function_name,
            function_version: &context.env_config.version,
            memory_limit_in_mb: context.env_config.memory,
            log_group_name: &context.env_config.log_group,
            log_stream_name: &context.env_config.log_stream,
            client_context_custom: custom.map(serde_json::to_value).transpose()?,
            tenant_id: context.tenant_id.as_deref(),
            trace_id: context.xray_trace_id.as_deref(),
        })
    }
}

async fn act(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let LambdaEvent { payload, context } = event;
    // Indexing what is not an object, or has no such field, yields null.
    match payload["do"].as_str() {
        Some("echo") => Ok(payload["value"].clone()),
        Some("error") => Err("boom".into()),
        Some("panic") => panic!("boom"),
        Some("exit") => {
            let code = payload["code"].as_i64().unwrap_or(1);
            process::exit(i32::try_from(code)?)
        }
        Some("signal") => {
            let [n, pid] = [payload["n"].to_string(), process::id().to_string()];
            Command::new("kill").args(["-s", &n, &pid]).status()?;
            // An ignored signal, or one that is delivered late, must not answer.
            thread::sleep(Duration::from_secs(60));
            Ok(Value::Null)
        }
        Some("sleep") => {
            let seconds = payload["seconds"].as_f64().unwrap_or(1.0);
            thread::sleep(Duration::from_secs_f64(seconds));
            Ok(json!({ "slept": payload["seconds"] }))
        }
        Some("big") => {
            let n = payload["n"].as_u64().unwrap_or(0);
            Ok("x".repeat(usize::try_from(n)?).into())
        }
        Some("print") => {
            println!("{}", payload["text"].as_str().unwrap_or_default());
            Ok(Value::Null)
        }
        Some("context") => Ok(serde_json::to_value(Seen::new(&context)?)?),
        Some("env") => Ok(serde_json::to_value(env::vars().collect::<BTreeMap<_, _>>())?),
        _ => Ok(payload),
    }
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    if env::args().nth(1).as_deref() == Some("broken") {
        return Err("there is nothing to run".into());
    }
    run(service_fn(act)).await
}
