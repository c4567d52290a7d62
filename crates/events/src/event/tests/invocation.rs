//! Invocations and what they write.

use std::time::Duration;

use bytes::Bytes;
use rapid_fatal_error::ErrorType;
use rapid_interop::EpochMillis;

use super::{TIME, check, logs, request_id, telemetry, tenant_id, tracing};
use crate::{
    Category, EndData, Event, FaultData, InvokeResponseMetrics, InvokeRuntimeDoneData,
    InvokeStartData, Level, LogRecord, Record, ReportData, ReportMetrics, RuntimeDoneInvokeMetrics,
    Schema, Span, SpanName, Status,
};

fn span(name: SpanName, after: u64, duration: Duration) -> Span {
    Span { name, start: EpochMillis(TIME.0 + after), duration }
}

fn runtime_done() -> InvokeRuntimeDoneData {
    InvokeRuntimeDoneData {
        request_id: request_id(),
        status: Status::Success,
        error_type: None,
        metrics: Some(RuntimeDoneInvokeMetrics {
            duration: Duration::from_micros(3_500),
            produced_bytes: 42,
        }),
        spans: vec![
            span(SpanName::ResponseLatency, 0, Duration::from_micros(3_000)),
            span(SpanName::ResponseDuration, 3, Duration::from_micros(87)),
        ],
        tenant_id: tenant_id(),
        tracing: tracing(),
        internal_metrics: Some(InvokeResponseMetrics::default()),
    }
}

fn report() -> ReportData {
    ReportData {
        request_id: request_id(),
        status: Some(Status::Success),
        error_type: None,
        metrics: ReportMetrics {
            duration: Duration::from_micros(1_005_219),
            billed_duration_ms: Some(1583),
            memory_size_mb: Some(512),
            max_memory_used_mb: Some(37),
            init_duration: Some(Duration::from_micros(576_959)),
            ..ReportMetrics::default()
        },
        spans: vec![span(SpanName::ExtensionOverhead, 1005, Duration::from_micros(12_000))],
        tenant_id: tenant_id(),
        tracing: None,
    }
}

#[test]
fn start_tells_arn_and_tenant_since_2025_01_29() {
    let data = InvokeStartData {
        request_id: request_id(),
        version: Some("$LATEST".into()),
        function_arn: Some("arn:aws:lambda:eu-west-1:123456789012:function:hello".into()),
        tenant_id: tenant_id(),
        tracing: tracing(),
    };
    let in_logs = r#"{"requestId":"6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11","version":"$LATEST"}"#;
    let mut rows = telemetry(
        r#"{"requestId":"6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11","version":"$LATEST","tracing":{"spanId":"24cd7d670fa455f0","type":"X-Amzn-Trace-Id","value":"Root=1-5f35ae12-0c0fec141ab77a00bc047aa2;Sampled=1"}}"#,
    );
    (rows[0].1, rows[1].1) = (Some(in_logs), Some(in_logs));
    rows[4].1 = Some(
        r#"{"requestId":"6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11","version":"$LATEST","functionArn":"arn:aws:lambda:eu-west-1:123456789012:function:hello","tenantId":"acme","tracing":{"spanId":"24cd7d670fa455f0","type":"X-Amzn-Trace-Id","value":"Root=1-5f35ae12-0c0fec141ab77a00bc047aa2;Sampled=1"}}"#,
    );
    check(data, "platform.start", Level::Info, rows);
}

#[test]
fn runtime_done_reaches_the_logs_api_since_2021_03_18() {
    let without_tenant = r#"{"requestId":"6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11","status":"success","metrics":{"durationMs":3.5,"producedBytes":42},"spans":[{"name":"responseLatency","start":"2026-09-15T07:13:10.674Z","durationMs":3.0},{"name":"responseDuration","start":"2026-09-15T07:13:10.677Z","durationMs":0.087}],"tracing":{"spanId":"24cd7d670fa455f0","type":"X-Amzn-Trace-Id","value":"Root=1-5f35ae12-0c0fec141ab77a00bc047aa2;Sampled=1"}}"#;
    let mut rows = telemetry(without_tenant);
    rows[1].1 = Some(r#"{"requestId":"6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11","status":"success"}"#);
    rows[4].1 = Some(
        r#"{"requestId":"6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11","status":"success","metrics":{"durationMs":3.5,"producedBytes":42},"spans":[{"name":"responseLatency","start":"2026-09-15T07:13:10.674Z","durationMs":3.0},{"name":"responseDuration","start":"2026-09-15T07:13:10.677Z","durationMs":0.087}],"tenantId":"acme","tracing":{"spanId":"24cd7d670fa455f0","type":"X-Amzn-Trace-Id","value":"Root=1-5f35ae12-0c0fec141ab77a00bc047aa2;Sampled=1"}}"#,
    );
    check(runtime_done(), "platform.runtimeDone", Level::Debug, rows);
}

#[test]
fn the_logs_api_knows_no_error_of_the_runtime_only_a_failure() {
    let data = InvokeRuntimeDoneData {
        status: Status::Error,
        error_type: Some(ErrorType::RuntimeExitError),
        metrics: Some(RuntimeDoneInvokeMetrics::default()),
        spans: Vec::new(),
        tenant_id: None,
        tracing: None,
        ..runtime_done()
    };
    let mut rows = telemetry(
        r#"{"requestId":"6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11","status":"error","errorType":"Runtime.ExitError","metrics":{"durationMs":0.0,"producedBytes":0}}"#,
    );
    rows[1].1 = Some(r#"{"requestId":"6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11","status":"failure"}"#);
    check(data, "platform.runtimeDone", Level::Warn, rows);
}

#[test]
fn a_report_has_the_recorded_numbers() {
    let without_tenant = r#"{"requestId":"6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11","status":"success","metrics":{"durationMs":1005.219,"billedDurationMs":1583,"memorySizeMB":512,"maxMemoryUsedMB":37,"initDurationMs":576.96},"spans":[{"name":"extensionOverhead","start":"2026-09-15T07:13:11.679Z","durationMs":12.0}]}"#;
    let in_logs = r#"{"requestId":"6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11","metrics":{"durationMs":1005.219,"billedDurationMs":1583,"memorySizeMB":512,"maxMemoryUsedMB":37,"initDurationMs":576.96}}"#;
    let mut rows = telemetry(without_tenant);
    (rows[0].1, rows[1].1) = (Some(in_logs), Some(in_logs));
    rows[4].1 = Some(
        r#"{"requestId":"6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11","status":"success","metrics":{"durationMs":1005.219,"billedDurationMs":1583,"memorySizeMB":512,"maxMemoryUsedMB":37,"initDurationMs":576.96},"spans":[{"name":"extensionOverhead","start":"2026-09-15T07:13:11.679Z","durationMs":12.0}],"tenantId":"acme"}"#,
    );
    check(report(), "platform.report", Level::Info, rows);
}

#[test]
fn a_restoration_is_reported_in_full_since_2025_01_29() {
    let data = ReportData {
        status: Some(Status::Timeout),
        metrics: ReportMetrics {
            duration: Duration::from_secs(3),
            billed_duration_ms: Some(3000),
            init_duration: None,
            restore_duration: Some(Duration::from_micros(300_170)),
            billed_restore_duration_ms: Some(158),
            ..report().metrics
        },
        spans: Vec::new(),
        tenant_id: None,
        ..report()
    };
    let in_logs = r#"{"requestId":"6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11","metrics":{"durationMs":3000.0,"billedDurationMs":3000,"memorySizeMB":512,"maxMemoryUsedMB":37}}"#;
    let mut rows = telemetry(
        r#"{"requestId":"6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11","status":"timeout","metrics":{"durationMs":3000.0,"billedDurationMs":3000,"memorySizeMB":512,"maxMemoryUsedMB":37,"restoreDurationMs":300.17}}"#,
    );
    (rows[0].1, rows[1].1) = (Some(in_logs), Some(in_logs));
    rows[4].1 = Some(
        r#"{"requestId":"6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11","status":"timeout","metrics":{"durationMs":3000.0,"billedDurationMs":3000,"memorySizeMB":512,"maxMemoryUsedMB":37,"restoreDurationMs":300.17,"billedRestoreDurationMs":158}}"#,
    );
    check(data, "platform.report", Level::Warn, rows);
}

#[test]
fn a_managed_instance_reports_the_duration_only() {
    let metrics =
        ReportMetrics { duration: Duration::from_micros(12_340), ..ReportMetrics::default() };
    let data = ReportData { metrics, spans: Vec::new(), tenant_id: None, ..report() };
    let in_logs =
        r#"{"requestId":"6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11","metrics":{"durationMs":12.34}}"#;
    let mut rows = telemetry(
        r#"{"requestId":"6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11","status":"success","metrics":{"durationMs":12.34}}"#,
    );
    (rows[0].1, rows[1].1) = (Some(in_logs), Some(in_logs));
    check(data, "platform.report", Level::Info, rows);
}

#[test]
fn faults_and_ends_reach_the_logs_api_only() {
    let end = EndData { request_id: request_id() };
    let rows = logs(r#"{"requestId":"6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11"}"#);
    check(end, "platform.end", Level::Info, rows);
    let fault = FaultData {
        request_id: request_id(),
        status: Some(Status::Timeout),
        error_type: None,
        error_message: "the function timed out".into(),
    };
    let rows = logs(r#""RequestId: 6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11\tStatus: timeout\n""#);
    check(fault, "platform.fault", Level::Warn, rows);
}

#[test]
fn what_is_written_reaches_every_schema_under_its_category() {
    let line = LogRecord::text(Bytes::from_static(b"FUNCTION_MARKER NORMAL\n"));
    let warning = LogRecord { level: Some(Level::Warn), ..line.clone() };
    let function = Event { time: TIME, record: Record::Function(line) };
    let extension = Event { time: TIME, record: Record::Extension(warning) };
    assert_eq!((function.category(), function.level()), (Category::Function, Level::Info));
    assert_eq!((extension.category(), extension.level()), (Category::Extension, Level::Warn));
    for schema in Schema::ALL {
        assert_eq!(
            function.encode(schema).unwrap(),
            r#"{"time":"2026-09-15T07:13:10.674Z","type":"function","record":"FUNCTION_MARKER NORMAL\n"}"#
        );
        assert_eq!(
            extension.encode(schema).unwrap(),
            r#"{"time":"2026-09-15T07:13:10.674Z","type":"extension","record":"FUNCTION_MARKER NORMAL\n"}"#
        );
    }
}

#[test]
fn encoding_appends_and_leaves_nothing_behind_when_there_is_nothing() {
    let end = Event::platform(TIME, EndData { request_id: request_id() });
    let mut out = b"before ".to_vec();
    assert!(!end.encode_into(Schema::LATEST, &mut out));
    assert_eq!(out, b"before ");
    assert!(end.encode_into(Schema::Logs20200815, &mut out));
    assert!(out.starts_with(b"before {\"time\":"));
}
