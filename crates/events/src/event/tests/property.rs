//! What is encoded is decoded: everything that the schema carries, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use rapid_fatal_error::ErrorType;
use rapid_interop::{EpochMillis, InitPhase, InitType, RequestId, TenantId};

use crate::projection::project;
use crate::{
    Category, EndData, Event, ExtensionInitData, FaultData, InitReportData, InitReportMetrics,
    InitRuntimeDoneData, InitStartData, InvokeRuntimeDoneData, InvokeStartData, LogRecord,
    LogsDroppedData, Platform, Received, Record, ReportData, ReportMetrics, RestoreReportData,
    RestoreReportMetrics, RestoreRuntimeDoneData, RestoreStartData, RuntimeDoneInvokeMetrics,
    Schema, Span, SpanName, Status, SubscriptionData, SubscriptionState, TracingCtx, TracingType,
};

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(event in event(), schema in prop::sample::select(&Schema::ALL)) {
        let json = event.encode(schema);
        prop_assert_eq!(event.encoded_len(schema), json.as_ref().map(|json| json.len()));
        let Some(expected) = seen(&event, schema) else {
            prop_assert_eq!(json, None);
            return Ok(());
        };
        let json = json.unwrap();
        prop_assert!(!json.contains(&b'\n'), "it would be more than one line");
        match Received::decode(&json).unwrap() {
            Received::Known(found) => prop_assert_eq!(found, expected),
            Received::Other(other) => prop_assert!(false, "{:?} is not known", other),
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in vec(any::<u8>(), 0..100)) {
        let _ = Received::decode(&bytes);
    }
}

/// What a subscriber can know of the event.
fn seen(event: &Event, schema: Schema) -> Option<Event> {
    let record = match &event.record {
        Record::Platform(event) => Record::Platform(project(event, schema)?.into_owned()),
        Record::Function(record) => Record::Function(seen_record(record, schema)),
        Record::Extension(record) => Record::Extension(seen_record(record, schema)),
    };
    Some(Event { time: event.time, record })
}

fn seen_record(record: &LogRecord, schema: Schema) -> LogRecord {
    LogRecord { is_object: record.is_object_in(schema), ..record.clone() }
}

fn event() -> impl Strategy<Value = Event> {
    let record = prop_oneof![
        4 => platform().prop_map(Record::Platform),
        1 => log_record().prop_map(Record::Function),
        1 => log_record().prop_map(Record::Extension),
    ];
    (0..=253_402_300_799_999_u64, record)
        .prop_map(|(time, record)| Event { time: EpochMillis(time), record })
}

fn log_record() -> impl Strategy<Value = LogRecord> {
    let text = prop_oneof![
        "([^{\\s].*)?\n?",
        prop::sample::select(vec!["{}", r#"{"a":[1,{"b":"\n"}],"level":"INFO"}"#])
            .prop_map(str::to_owned),
    ];
    (text, any::<bool>()).prop_map(|(text, is_json_format)| {
        let make = if is_json_format { LogRecord::json } else { LogRecord::text };
        make(text.into())
    })
}

fn platform() -> impl Strategy<Value = Platform> {
    prop_oneof![
        init_start().prop_map(Platform::from),
        init_runtime_done().prop_map(Platform::from),
        init_report().prop_map(Platform::from),
        extension().prop_map(Platform::from),
        restore_start().prop_map(Platform::from),
        restore_runtime_done().prop_map(Platform::from),
        restore_report().prop_map(Platform::from),
        start().prop_map(Platform::from),
        runtime_done().prop_map(Platform::from),
        fault().prop_map(Platform::from),
        request_id().prop_map(|request_id| EndData { request_id }.into()),
        report().prop_map(Platform::from),
        subscription().prop_map(Platform::TelemetrySubscription),
        subscription().prop_map(Platform::LogsSubscription),
        (any::<String>(), any::<u64>(), any::<u64>()).prop_map(
            |(reason, dropped_records, dropped_bytes)| {
                LogsDroppedData { reason: reason.into(), dropped_records, dropped_bytes }.into()
            }
        ),
    ]
}

fn init_start() -> impl Strategy<Value = InitStartData> {
    let names = (of(text()), of(text()), of(text()), of(text()), of(text()));
    (init_type(), phase(), names, of(any::<u64>()), of(trace())).prop_map(
        |(initialization_type, phase, names, instance_max_memory, tracing)| InitStartData {
            initialization_type,
            phase,
            runtime_version: names.0,
            runtime_version_arn: names.1,
            function_name: names.2,
            function_arn: None,
            function_version: names.3,
            instance_id: names.4,
            instance_max_memory,
            tracing,
        },
    )
}

fn init_runtime_done() -> impl Strategy<Value = InitRuntimeDoneData> {
    (init_type(), phase(), restore_runtime_done()).prop_map(|(initialization_type, phase, done)| {
        InitRuntimeDoneData {
            initialization_type,
            phase,
            status: done.status,
            error_type: done.error_type,
            spans: done.spans,
            tracing: done.tracing,
        }
    })
}

fn init_report() -> impl Strategy<Value = InitReportData> {
    (init_runtime_done(), duration()).prop_map(|(done, duration)| InitReportData {
        initialization_type: done.initialization_type,
        phase: done.phase,
        status: Some(done.status),
        error_type: done.error_type,
        metrics: InitReportMetrics { duration },
        spans: done.spans,
        tracing: done.tracing,
    })
}

fn restore_start() -> impl Strategy<Value = RestoreStartData> {
    init_start().prop_map(|start| RestoreStartData {
        runtime_version: start.runtime_version,
        runtime_version_arn: start.runtime_version_arn,
        function_name: start.function_name,
        function_version: start.function_version,
        instance_id: start.instance_id,
        instance_max_memory: start.instance_max_memory,
        tracing: start.tracing,
    })
}

fn restore_runtime_done() -> impl Strategy<Value = RestoreRuntimeDoneData> {
    (status(), of(error_type()), vec(span(), 0..4), of(trace())).prop_map(
        |(status, error_type, spans, tracing)| RestoreRuntimeDoneData {
            status,
            error_type,
            spans,
            tracing,
        },
    )
}

fn restore_report() -> impl Strategy<Value = RestoreReportData> {
    (restore_runtime_done(), duration()).prop_map(|(done, duration)| RestoreReportData {
        status: done.status,
        error_type: done.error_type,
        metrics: RestoreReportMetrics { duration },
        spans: done.spans,
        tracing: done.tracing,
    })
}

fn extension() -> impl Strategy<Value = ExtensionInitData> {
    (any::<String>(), any::<String>(), vec("[A-Z]{0,8}", 0..3), of(any::<String>())).prop_map(
        |(name, state, events, error_type)| ExtensionInitData {
            name: name.into(),
            state: state.into(),
            events: events.into_iter().map(Into::into).collect(),
            error_type: error_type.map(Into::into),
        },
    )
}

fn start() -> impl Strategy<Value = InvokeStartData> {
    (request_id(), of(text()), of(text()), of(tenant_id()), of(trace())).prop_map(
        |(request_id, version, function_arn, tenant_id, tracing)| InvokeStartData {
            request_id,
            version,
            function_arn,
            tenant_id,
            tracing,
        },
    )
}

fn runtime_done() -> impl Strategy<Value = InvokeRuntimeDoneData> {
    let metrics = (duration(), any::<u64>()).prop_map(|(duration, produced_bytes)| {
        RuntimeDoneInvokeMetrics { duration, produced_bytes }
    });
    (start(), restore_runtime_done(), of(metrics)).prop_map(|(start, done, metrics)| {
        InvokeRuntimeDoneData {
            request_id: start.request_id,
            status: done.status,
            error_type: done.error_type,
            metrics,
            spans: done.spans,
            tenant_id: start.tenant_id,
            tracing: done.tracing,
            internal_metrics: None,
        }
    })
}

fn report() -> impl Strategy<Value = ReportData> {
    let counts = (of(any::<u64>()), of(any::<u64>()), of(any::<u64>()), of(any::<u64>()));
    // The report tells hundredths of a millisecond.
    let init = (0..1_000_000_000_u64).prop_map(|tens| Duration::from_micros(tens * 10));
    (runtime_done(), duration(), counts, of(init), of(duration())).prop_map(
        |(done, duration, counts, init_duration, restore_duration)| ReportData {
            request_id: done.request_id,
            status: Some(done.status),
            error_type: done.error_type,
            metrics: ReportMetrics {
                duration,
                billed_duration_ms: counts.0,
                memory_size_mb: counts.1,
                max_memory_used_mb: counts.2,
                init_duration,
                restore_duration,
                billed_restore_duration_ms: counts.3,
                ..ReportMetrics::default()
            },
            spans: done.spans,
            tenant_id: done.tenant_id,
            tracing: done.tracing,
        },
    )
}

/// A fault with a status tells no message, one without tells no type.
fn fault() -> impl Strategy<Value = FaultData> {
    let told = prop_oneof![
        (status(), of(error_type())).prop_map(|(status, error)| (Some(status), error, "".into())),
        any::<String>().prop_map(|message| (None, None, message.into())),
    ];
    (request_id(), told).prop_map(|(request_id, (status, error_type, error_message))| FaultData {
        request_id,
        status,
        error_type,
        error_message,
    })
}

fn subscription() -> impl Strategy<Value = SubscriptionData> {
    let states = [SubscriptionState::Subscribed, SubscriptionState::AlreadySubscribed];
    let types = prop::sample::subsequence(Category::ALL.to_vec(), 0..=3);
    (any::<String>(), prop::sample::select(states.to_vec()), types)
        .prop_map(|(name, state, types)| SubscriptionData { name: name.into(), state, types })
}

fn span() -> impl Strategy<Value = Span> {
    let names = [
        SpanName::ResponseLatency,
        SpanName::ResponseDuration,
        SpanName::RuntimeOverhead,
        SpanName::ExtensionOverhead,
    ];
    (prop::sample::select(names.to_vec()), 0..=253_402_300_799_999_u64, duration())
        .prop_map(|(name, start, duration)| Span { name, start: EpochMillis(start), duration })
}

fn trace() -> impl Strategy<Value = TracingCtx> {
    (of(text()), text()).prop_map(|(span_id, value)| TracingCtx {
        span_id,
        kind: TracingType::AmznTraceId,
        value,
    })
}

fn duration() -> impl Strategy<Value = Duration> {
    (0..1_000_000_000_000_u64).prop_map(Duration::from_micros)
}

fn text() -> impl Strategy<Value = Arc<str>> {
    any::<String>().prop_map(Into::into)
}

fn error_type() -> impl Strategy<Value = ErrorType> {
    "[ -~]{1,30}".prop_map(|name| ErrorType::from(name.as_str()))
}

fn request_id() -> impl Strategy<Value = RequestId> {
    "[a-zA-Z0-9._-]{1,128}".prop_map(|id| RequestId::parse(&id).unwrap())
}

fn tenant_id() -> impl Strategy<Value = TenantId> {
    "[a-zA-Z0-9._:/=+@ -]{1,256}".prop_map(|id| TenantId::parse(&id).unwrap())
}

fn init_type() -> impl Strategy<Value = InitType> {
    let types = [InitType::OnDemand, InitType::ProvisionedConcurrency, InitType::SnapStart];
    prop::sample::select(types.to_vec())
}

fn phase() -> impl Strategy<Value = InitPhase> {
    prop::sample::select(vec![InitPhase::Init, InitPhase::Invoke])
}

fn status() -> impl Strategy<Value = Status> {
    let all = [Status::Success, Status::Error, Status::Failure, Status::Timeout];
    prop::sample::select(all.to_vec())
}
