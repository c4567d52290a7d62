//! Initialisation, restoration and extensions.

use std::time::Duration;

use rapid_fatal_error::ErrorType;
use rapid_interop::{EpochMillis, InitPhase, InitType};

use super::{TIME, check, telemetry, tracing};
use crate::{
    ExtensionInitData, InitReportData, InitReportMetrics, InitRuntimeDoneData, InitStartData,
    Level, RestoreReportData, RestoreReportMetrics, RestoreRuntimeDoneData, RestoreStartData,
    Schema, Span, SpanName, Status,
};

fn init_start() -> InitStartData {
    InitStartData {
        initialization_type: InitType::OnDemand,
        phase: InitPhase::Init,
        runtime_version: Some("python:3.12.mainlinev2.v34".into()),
        runtime_version_arn: Some("arn:aws:lambda:eu-west-1::runtime:0a".into()),
        function_name: Some("hello".into()),
        function_arn: Some("arn:aws:lambda:eu-west-1:123456789012:function:hello".into()),
        function_version: Some("$LATEST".into()),
        instance_id: Some("2026/09/15/[$LATEST]0a1b".into()),
        instance_max_memory: Some(536_870_912),
        tracing: None,
    }
}

fn init_report() -> InitReportData {
    InitReportData {
        initialization_type: InitType::OnDemand,
        phase: InitPhase::Init,
        status: Some(Status::Success),
        error_type: None,
        metrics: InitReportMetrics { duration: Duration::from_micros(576_959) },
        spans: Vec::new(),
        tracing: None,
    }
}

#[test]
fn init_start_names_the_function_since_2022_12_13() {
    let mut rows = telemetry(
        r#"{"initializationType":"on-demand","phase":"init","runtimeVersion":"python:3.12.mainlinev2.v34","runtimeVersionArn":"arn:aws:lambda:eu-west-1::runtime:0a","functionName":"hello","functionVersion":"$LATEST","instanceId":"2026/09/15/[$LATEST]0a1b","instanceMaxMemory":536870912}"#,
    );
    rows[2] = (
        Schema::Telemetry20220701,
        Some(
            r#"{"initializationType":"on-demand","phase":"init","runtimeVersion":"python:3.12.mainlinev2.v34","runtimeVersionArn":"arn:aws:lambda:eu-west-1::runtime:0a"}"#,
        ),
    );
    check(init_start(), "platform.initStart", Level::Info, rows);
}

#[test]
fn init_start_leaves_out_what_nobody_knows() {
    let data = InitStartData {
        initialization_type: InitType::SnapStart,
        phase: InitPhase::Invoke,
        runtime_version: None,
        runtime_version_arn: None,
        function_name: None,
        function_version: None,
        instance_id: None,
        instance_max_memory: None,
        tracing: tracing(),
        ..init_start()
    };
    let rows = telemetry(
        r#"{"initializationType":"snap-start","phase":"invoke","tracing":{"spanId":"24cd7d670fa455f0","type":"X-Amzn-Trace-Id","value":"Root=1-5f35ae12-0c0fec141ab77a00bc047aa2;Sampled=1"}}"#,
    );
    check(data, "platform.initStart", Level::Debug, rows);
}

#[test]
fn init_runtime_done_is_the_same_in_every_schema() {
    let data = InitRuntimeDoneData {
        initialization_type: InitType::OnDemand,
        phase: InitPhase::Init,
        status: Status::Success,
        error_type: None,
        spans: Vec::new(),
        tracing: None,
    };
    let failed = InitRuntimeDoneData {
        status: Status::Error,
        error_type: Some(ErrorType::RuntimeExitError),
        ..data.clone()
    };
    let rows = telemetry(r#"{"initializationType":"on-demand","phase":"init","status":"success"}"#);
    check(data, "platform.initRuntimeDone", Level::Debug, rows);
    let rows = telemetry(
        r#"{"initializationType":"on-demand","phase":"init","status":"error","errorType":"Runtime.ExitError"}"#,
    );
    check(failed, "platform.initRuntimeDone", Level::Warn, rows);
}

#[test]
fn init_report_tells_the_status_since_2022_12_13() {
    let mut rows = telemetry(
        r#"{"initializationType":"on-demand","phase":"init","status":"success","metrics":{"durationMs":576.959}}"#,
    );
    let without =
        r#"{"initializationType":"on-demand","phase":"init","metrics":{"durationMs":576.959}}"#;
    rows[2] = (Schema::Telemetry20220701, Some(without));
    check(init_report(), "platform.initReport", Level::Debug, rows);
}

#[test]
fn a_failed_init_report_tells_no_error_type_where_it_tells_no_status() {
    let data = InitReportData {
        status: Some(Status::Error),
        error_type: Some(ErrorType::ExtensionCrash),
        metrics: InitReportMetrics { duration: Duration::from_secs(5) },
        ..init_report()
    };
    let mut rows = telemetry(
        r#"{"initializationType":"on-demand","phase":"init","status":"error","errorType":"Extension.Crash","metrics":{"durationMs":5000.0}}"#,
    );
    let without =
        r#"{"initializationType":"on-demand","phase":"init","metrics":{"durationMs":5000.0}}"#;
    rows[2] = (Schema::Telemetry20220701, Some(without));
    check(data, "platform.initReport", Level::Warn, rows);
}

#[test]
fn an_init_report_that_no_report_repeats_has_a_level_of_its_own() {
    let data =
        InitReportData { initialization_type: InitType::ProvisionedConcurrency, ..init_report() };
    let mut rows = telemetry(
        r#"{"initializationType":"provisioned-concurrency","phase":"init","status":"success","metrics":{"durationMs":576.959}}"#,
    );
    let without = r#"{"initializationType":"provisioned-concurrency","phase":"init","metrics":{"durationMs":576.959}}"#;
    rows[2] = (Schema::Telemetry20220701, Some(without));
    check(data, "platform.initReport", Level::Info, rows);
}

#[test]
fn restore_start_names_the_function_since_2022_12_13() {
    let data = RestoreStartData {
        runtime_version: Some("java:17.v9".into()),
        runtime_version_arn: Some("arn:aws:lambda:eu-west-1::runtime:0b".into()),
        function_name: Some("hello".into()),
        function_version: Some("7".into()),
        instance_id: Some("2026/09/15/[7]0a1b".into()),
        instance_max_memory: Some(134_217_728),
        tracing: None,
    };
    let mut rows = telemetry(
        r#"{"runtimeVersion":"java:17.v9","runtimeVersionArn":"arn:aws:lambda:eu-west-1::runtime:0b","functionName":"hello","functionVersion":"7","instanceId":"2026/09/15/[7]0a1b","instanceMaxMemory":134217728}"#,
    );
    let without = r#"{"runtimeVersion":"java:17.v9","runtimeVersionArn":"arn:aws:lambda:eu-west-1::runtime:0b"}"#;
    rows[2] = (Schema::Telemetry20220701, Some(without));
    check(data, "platform.restoreStart", Level::Info, rows);
    check(RestoreStartData::default(), "platform.restoreStart", Level::Debug, telemetry("{}"));
}

#[test]
fn a_restoration_ends_twice() {
    let done = RestoreRuntimeDoneData {
        status: Status::Error,
        error_type: Some(ErrorType::RuntimeRestoreHookUserTimeout),
        spans: Vec::new(),
        tracing: None,
    };
    let rows = telemetry(r#"{"status":"error","errorType":"Runtime.RestoreHookUserTimeout"}"#);
    check(done.clone(), "platform.restoreRuntimeDone", Level::Warn, rows);
    let done = RestoreRuntimeDoneData { status: Status::Success, error_type: None, ..done };
    let rows = telemetry(r#"{"status":"success"}"#);
    check(done, "platform.restoreRuntimeDone", Level::Debug, rows);

    let name = SpanName::RuntimeOverhead;
    let span = Span { name, start: EpochMillis(TIME.0 + 1), duration: Duration::from_micros(7) };
    let mut report = RestoreReportData {
        status: Status::Success,
        error_type: None,
        metrics: RestoreReportMetrics { duration: Duration::from_micros(70_870) },
        spans: vec![span],
        tracing: None,
    };
    let rows = telemetry(
        r#"{"status":"success","metrics":{"durationMs":70.87},"spans":[{"name":"runtimeOverhead","start":"2026-09-15T07:13:10.675Z","durationMs":0.007}]}"#,
    );
    check(report.clone(), "platform.restoreReport", Level::Info, rows);
    (report.status, report.spans) = (Status::Timeout, Vec::new());
    let rows = telemetry(r#"{"status":"timeout","metrics":{"durationMs":70.87}}"#);
    check(report, "platform.restoreReport", Level::Warn, rows);
}

#[test]
fn an_extension_tells_its_error_type_since_2025_01_29() {
    let mut data = ExtensionInitData {
        name: "probe.sh".into(),
        state: "Ready".into(),
        events: vec!["INVOKE".into(), "SHUTDOWN".into()],
        error_type: None,
    };
    let ready = r#"{"name":"probe.sh","state":"Ready","events":["INVOKE","SHUTDOWN"]}"#;
    let mut rows = telemetry(ready);
    (rows[0].1, rows[1].1) = (Some(ready), Some(ready));
    check(data.clone(), "platform.extension", Level::Info, rows);

    (data.state, data.events) = ("LaunchError".into(), Vec::new());
    data.error_type = Some("PermissionDenied".into());
    let failed = r#"{"name":"probe.sh","state":"LaunchError","events":[]}"#;
    let mut rows = telemetry(failed);
    (rows[0].1, rows[1].1) = (Some(failed), Some(failed));
    rows[4].1 = Some(
        r#"{"name":"probe.sh","state":"LaunchError","events":[],"errorType":"PermissionDenied"}"#,
    );
    check(data, "platform.extension", Level::Warn, rows);
}
