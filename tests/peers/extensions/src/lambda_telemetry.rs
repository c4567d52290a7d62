//! An extension that writes down the records it is sent, with AWS's own client.
//!
//! `PROCESSOR` in its environment is `telemetry` or `logs`, the API that it subscribes to, `PORT`
//! the port that it listens on, and `RECORDS` the file, in which each record is a line. What the
//! client cannot read it refuses, and is not in there.

use std::env;
use std::fs::OpenOptions;
use std::io::Write as _;

use lambda_extension::{
    Error, Extension, LambdaLog, LambdaLogRecord, LambdaTelemetry, LogBuffering, SharedService,
    service_fn,
};
use serde_json::{Value, json};

const QUICK: LogBuffering = LogBuffering { timeout_ms: 25, max_bytes: 262_144, max_items: 1_000 };

/// Not to the output, which comes back as a record.
fn write_down(time: &str, mut event: Value) -> Result<(), Error> {
    event["time"] = time.into();
    let mut file = OpenOptions::new().create(true).append(true).open(env::var("RECORDS")?)?;
    Ok(file.write_all(format!("{event}\n").as_bytes())?)
}

async fn telemetry(batch: Vec<LambdaTelemetry>) -> Result<(), Error> {
    for event in batch {
        write_down(&event.time.to_rfc3339(), serde_json::to_value(&event.record)?)?;
    }
    Ok(())
}

async fn logs(batch: Vec<LambdaLog>) -> Result<(), Error> {
    for log in batch {
        write_down(&log.time.to_rfc3339(), log_value(log.record))?;
    }
    Ok(())
}

/// The client reads these records and does not write them.
fn log_value(record: LambdaLogRecord) -> Value {
    use LambdaLogRecord as Log;
    let (kind, record) = match record {
        Log::Function(text) => ("function", json!(text)),
        Log::Extension(text) => ("extension", json!(text)),
        Log::PlatformFault(text) => ("platform.fault", json!(text)),
        Log::PlatformStart { request_id } => ("platform.start", json!({ "requestId": request_id })),
        Log::PlatformEnd { request_id } => ("platform.end", json!({ "requestId": request_id })),
        Log::PlatformRuntimeDone { request_id, status } => {
            ("platform.runtimeDone", json!({ "requestId": request_id, "status": status }))
        }
        Log::PlatformReport { request_id, metrics } => (
            "platform.report",
            json!({
                "requestId": request_id,
                "billed": metrics.billed_duration_ms,
                "memory": metrics.memory_size_mb,
                "init": metrics.init_duration_ms,
            }),
        ),
        Log::PlatformExtension { name, state, events } => {
            ("platform.extension", json!({ "name": name, "state": state, "events": events }))
        }
        Log::PlatformLogsSubscription { name, state, types } => {
            ("platform.logsSubscription", json!({ "name": name, "state": state, "types": types }))
        }
        Log::PlatformLogsDropped { reason, .. } => ("platform.logsDropped", json!(reason)),
    };
    json!({ "type": kind, "record": record })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let port = env::var("PORT")?.parse()?;
    let types = &["platform", "function", "extension"];
    let extension = Extension::new();
    match env::var("PROCESSOR")?.as_str() {
        "logs" => {
            let extension = extension
                .with_log_types(types)
                .with_log_buffering(QUICK)
                .with_log_port_number(port)
                .with_logs_processor(SharedService::new(service_fn(logs)));
            extension.run().await
        }
        _ => {
            let extension = extension
                .with_telemetry_types(types)
                .with_telemetry_buffering(QUICK)
                .with_telemetry_port_number(port)
                .with_telemetry_processor(SharedService::new(service_fn(telemetry)));
            extension.run().await
        }
    }
}
