//! The JSON of events: to the letter, and there and back.

mod initialisation;
mod invocation;
mod property;
mod subscriptions;

use rapid_interop::{EpochMillis, RequestId, TenantId};

use crate::{Event, Level, Platform, Received, Schema, TracingCtx};

/// 2026-09-15T07:13:10.674Z.
const TIME: EpochMillis = EpochMillis(1_789_456_390_674);

/// Every schema with the record that it carries, if it carries one.
type Rows = [(Schema, Option<&'static str>); 5];

/// The same record in every schema of the Telemetry API, none in those of the Logs API.
const fn telemetry(record: &'static str) -> Rows {
    [
        (Schema::Logs20200815, None),
        (Schema::Logs20210318, None),
        (Schema::Telemetry20220701, Some(record)),
        (Schema::Telemetry20221213, Some(record)),
        (Schema::Telemetry20250129, Some(record)),
    ]
}

/// The same record in every schema of the Logs API, none in those of the Telemetry API.
const fn logs(record: &'static str) -> Rows {
    [
        (Schema::Logs20200815, Some(record)),
        (Schema::Logs20210318, Some(record)),
        (Schema::Telemetry20220701, None),
        (Schema::Telemetry20221213, None),
        (Schema::Telemetry20250129, None),
    ]
}

/// The event has this level, and these bytes in each schema.
#[track_caller]
fn check(event: impl Into<Platform>, name: &str, level: Level, rows: Rows) {
    let event = Event::platform(TIME, event);
    assert_eq!(event.level(), level);
    for (schema, record) in rows {
        let expected = record.map(|record| {
            format!(r#"{{"time":"2026-09-15T07:13:10.674Z","type":"{name}","record":{record}}}"#)
        });
        let found = event.encode(schema).map(|json| String::from_utf8(json.to_vec()).unwrap());
        assert_eq!(found, expected, "in {schema:?}");
        if let Some(json) = found {
            let read = Received::decode(json.as_bytes()).unwrap();
            assert!(matches!(read, Received::Known(_)), "{read:?}");
        }
    }
}

fn request_id() -> RequestId {
    RequestId::parse("6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11").unwrap()
}

fn tenant_id() -> Option<TenantId> {
    TenantId::parse("acme")
}

fn tracing() -> Option<TracingCtx> {
    let context = TracingCtx::sampled("Root=1-5f35ae12-0c0fec141ab77a00bc047aa2;Sampled=1");
    context.map(|context| context.with_span_id("24cd7d670fa455f0".into()))
}
