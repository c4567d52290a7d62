//! What an OpenTelemetry collector receives.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod collector;
mod received;
mod settings;
mod unwilling;

use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use rapid_events::{
    EventsApi as _, ExtensionInitData, InitReportData, InitReportMetrics, InitRuntimeDoneData,
    InitStartData, InvokeResponseMetrics, InvokeRuntimeDoneData, InvokeStartData, ReportData,
    ReportMetrics, RestoreRuntimeDoneData, SpanName, Status, TracingCtx,
};
use rapid_fatal_error::ErrorType;
use rapid_interop::{EpochMillis, InitPhase, InitType, InvokeErrorTraceData, RequestId, TenantId};
use rapid_telemetry::otel::{OtelConfig, OtelEvents, OtelFunction};
use serde_json::value::RawValue;

use self::collector::{Collector, Mood};
use self::received::attribute;

const TRACE: [u8; 16] = [
    0x57, 0x59, 0xE9, 0x88, 0xBD, 0x86, 0x2E, 0x3F, 0xE1, 0xBE, 0x46, 0xA9, 0x94, 0x27, 0x27, 0x93,
];
const HEADER: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
const PARENT: [u8; 8] = [0x53, 0x99, 0x5C, 0x3F, 0x42, 0xCD, 0x8A, 0xD8];
const MS: fn(u64) -> Duration = Duration::from_millis;

/// A budget that is only used up when something hangs.
const LONG: Duration = Duration::from_secs(20);

fn config(collector: &Collector, more: &[(&str, &str)]) -> OtelConfig {
    let function = OtelFunction {
        name: "shop".into(),
        version: "$LATEST".into(),
        arn: "arn:aws:lambda:eu-west-1:123456789012:function:shop".into(),
        instance: "2026/09/15/[$LATEST]0a".into(),
        memory: 134_217_728,
    };
    let endpoint = format!("http://{}/", collector.address);
    let config = OtelConfig::from_variables(function, |name| {
        let set = more.iter().find(|(variable, _)| *variable == name);
        let set = set.map(|(_, value)| (*value).to_owned());
        set.or_else(|| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| endpoint.clone()))
    });
    config.unwrap().unwrap()
}

async fn observed(more: &[(&str, &str)]) -> (Collector, OtelEvents) {
    let collector = Collector::start(Mood::Fine).await;
    let events = OtelEvents::start(&config(&collector, more)).unwrap();
    (collector, events)
}

fn request(id: &str) -> RequestId {
    RequestId::parse(id).unwrap()
}

fn initialise(events: &OtelEvents, phase: InitPhase, error_type: Option<ErrorType>) {
    let initialization_type = InitType::OnDemand;
    let status = if error_type.is_some() { Status::Error } else { Status::Success };
    events.send_init_start(&InitStartData {
        initialization_type,
        phase,
        runtime_version: None,
        runtime_version_arn: None,
        function_name: None,
        function_arn: None,
        function_version: None,
        instance_id: None,
        instance_max_memory: None,
        tracing: None,
    });
    events.send_init_runtime_done(&InitRuntimeDoneData {
        initialization_type,
        phase,
        status,
        error_type: error_type.clone(),
        spans: Vec::new(),
        tracing: None,
    });
    events.send_extension_init(&ExtensionInitData {
        name: "probe".into(),
        state: "Ready".into(),
        events: vec!["INVOKE".into(), "SHUTDOWN".into()],
        error_type: None,
    });
    events.send_init_report(&InitReportData {
        initialization_type,
        phase,
        status: Some(status),
        error_type,
        metrics: InitReportMetrics { duration: MS(250) },
        spans: Vec::new(),
        tracing: None,
    });
}

fn start(events: &OtelEvents, id: &str, tracing: Option<TracingCtx>) {
    events.send_invoke_start(&InvokeStartData {
        request_id: request(id),
        version: None,
        function_arn: None,
        tenant_id: TenantId::parse("acme"),
        tracing,
    });
}

fn runtime_done(events: &OtelEvents, id: &str, status: Status, called_response: bool) {
    let span = rapid_events::Span {
        name: SpanName::ResponseLatency,
        start: EpochMillis(1_789_456_390_674),
        duration: MS(12),
    };
    events.send_invoke_runtime_done(&InvokeRuntimeDoneData {
        request_id: request(id),
        status,
        error_type: None,
        metrics: None,
        spans: vec![span],
        tenant_id: None,
        tracing: None,
        internal_metrics: Some(InvokeResponseMetrics {
            runtime_called_response: called_response,
            ..InvokeResponseMetrics::default()
        }),
    });
}

fn report(events: &OtelEvents, id: &str, status: Status, error_type: Option<ErrorType>) {
    events.send_report(&ReportData {
        request_id: request(id),
        status: Some(status),
        error_type,
        metrics: ReportMetrics {
            duration: MS(20),
            max_memory_used_mb: Some(37),
            restore_duration: Some(MS(5)),
            ..ReportMetrics::default()
        },
        spans: Vec::new(),
        tenant_id: None,
        tracing: None,
    });
}

fn invoke(events: &OtelEvents, id: &str) {
    start(events, id, None);
    runtime_done(events, id, Status::Success, true);
    report(events, id, Status::Success, None);
}

fn status(span: &Span) -> (StatusCode, String) {
    let status = span.status.clone().unwrap_or_default();
    (status.code(), status.message)
}

#[tokio::test]
async fn an_initialisation_is_a_trace_of_its_own_to_which_the_first_invocation_is_linked() {
    let (collector, events) = observed(&[]).await;
    initialise(&events, InitPhase::Init, None);
    invoke(&events, "r-1");
    invoke(&events, "r-2");
    assert!(events.flush(LONG).await);

    let init = collector.span("init");
    assert_eq!((init.kind(), init.parent_span_id.len()), (SpanKind::Internal, 0));
    assert_eq!(attribute(&init.attributes, "rapid.init.type").as_deref(), Some("on-demand"));
    assert_eq!(attribute(&init.attributes, "rapid.init.phase").as_deref(), Some("init"));
    assert_eq!(status(&init).0, StatusCode::Unset);
    for name in ["init runtime", "extension probe"] {
        let part = collector.span(name);
        assert_eq!(
            (&part.trace_id, &part.parent_span_id),
            (&init.trace_id, &init.span_id),
            "{name}"
        );
        assert!(part.start_time_unix_nano == init.start_time_unix_nano);
        assert!(part.end_time_unix_nano <= init.end_time_unix_nano);
    }
    let extension = collector.span("extension probe");
    let of_extension = |key| attribute(&extension.attributes, key);
    assert_eq!(of_extension("rapid.extension.name").as_deref(), Some("probe"));
    assert_eq!(of_extension("rapid.extension.state").as_deref(), Some("Ready"));
    assert_eq!(of_extension("rapid.extension.events").as_deref(), Some("INVOKE,SHUTDOWN"));

    let mut invocations: Vec<_> =
        collector.spans().into_iter().filter(|span| span.name == "shop").collect();
    invocations.sort_by_key(|span| span.start_time_unix_nano);
    let [first, second] = &invocations[..] else { panic!("{invocations:?}") };
    let [link] = &first.links[..] else { panic!("{:?}", first.links) };
    assert_eq!((&link.trace_id, &link.span_id), (&init.trace_id, &init.span_id));
    assert_eq!(attribute(&first.attributes, "faas.coldstart").as_deref(), Some("true"));
    assert!(second.links.is_empty() && second.trace_id != first.trace_id);
    assert_eq!(attribute(&second.attributes, "faas.coldstart").as_deref(), Some("false"));
}

#[tokio::test]
async fn an_invocation_and_its_parts_stand_in_the_invokers_trace() {
    let (collector, events) = observed(&[]).await;
    let tracing = TracingCtx::sampled(HEADER).unwrap();
    start(&events, "r-1", Some(tracing));
    runtime_done(&events, "r-1", Status::Success, true);
    events.send_extension_done(&request("r-1"), "agent");
    report(&events, "r-1", Status::Success, None);
    assert!(events.flush(LONG).await);

    let invocation = collector.span("shop");
    assert_eq!(invocation.kind(), SpanKind::Server);
    assert_eq!(invocation.trace_id, TRACE);
    assert_eq!(invocation.parent_span_id, PARENT);
    assert_eq!(status(&invocation), (StatusCode::Unset, String::new()));
    let of_invocation = |key| attribute(&invocation.attributes, key);
    assert_eq!(of_invocation("faas.invocation_id").as_deref(), Some("r-1"));
    assert_eq!(of_invocation("rapid.tenant_id").as_deref(), Some("acme"));
    assert_eq!(of_invocation("error.type"), None);

    let runtime = collector.span("runtime");
    let overhead = collector.span("overhead");
    let extension = collector.span("extension agent");
    let named = attribute(&extension.attributes, "rapid.extension.name");
    assert_eq!(named.as_deref(), Some("agent"));
    assert_eq!(extension.start_time_unix_nano, invocation.start_time_unix_nano);
    assert!(extension.end_time_unix_nano >= runtime.end_time_unix_nano);
    for part in [&runtime, &overhead, &extension] {
        assert_eq!(part.trace_id, TRACE);
        assert_eq!(part.parent_span_id, invocation.span_id);
        assert_eq!(part.kind(), SpanKind::Internal);
    }
    assert_eq!(runtime.start_time_unix_nano, invocation.start_time_unix_nano);
    assert_eq!(runtime.end_time_unix_nano, overhead.start_time_unix_nano);
    assert_eq!(overhead.end_time_unix_nano, invocation.end_time_unix_nano);
    let latency = collector.span("responseLatency");
    assert_eq!(latency.parent_span_id, runtime.span_id);
    assert_eq!(latency.start_time_unix_nano, 1_789_456_390_674_000_000);
    assert_eq!(latency.end_time_unix_nano, 1_789_456_390_686_000_000);
    assert_eq!(collector.spans().len(), 5);
}

#[tokio::test]
async fn the_segment_that_the_runtime_was_given_is_the_invocations_span() {
    let (collector, events) = observed(&[]).await;
    let tracing = TracingCtx::sampled(HEADER).unwrap().with_span_id("00000000000000aa".into());
    start(&events, "r-1", Some(tracing));
    report(&events, "r-1", Status::Success, None);
    assert!(events.flush(LONG).await);
    let invocation = collector.span("shop");
    assert_eq!(invocation.span_id, PARENT);
    assert_eq!(invocation.parent_span_id, [0, 0, 0, 0, 0, 0, 0, 0xAA]);
}

#[tokio::test]
async fn every_way_to_end_has_its_status_and_its_metric() {
    let (collector, events) = observed(&[]).await;
    initialise(&events, InitPhase::Invoke, Some(ErrorType::RuntimeExitError));
    initialise(&events, InitPhase::Init, None);
    invoke(&events, "fine");
    let ends = [
        ("reported", Status::Success, false, None, "_OTHER"),
        ("crashed", Status::Error, true, Some(ErrorType::RuntimeExitError), "Runtime.ExitError"),
        ("broken", Status::Failure, true, None, "_OTHER"),
        ("late", Status::Timeout, true, None, "timeout"),
    ];
    for (id, status, called_response, error_type, _) in &ends {
        start(&events, id, None);
        runtime_done(&events, id, *status, *called_response);
        report(&events, id, *status, error_type.clone());
    }
    // What nobody has seen begin is measured all the same.
    report(&events, "unknown", Status::Success, None);
    events.send_throttle(&request("refused"));
    assert!(events.flush(LONG).await);

    let spans = collector.spans();
    for (id, .., expected) in &ends {
        let of =
            |span: &&Span| attribute(&span.attributes, "faas.invocation_id").as_deref() == Some(id);
        let span = spans.iter().find(of).unwrap();
        assert_eq!(status(span), (StatusCode::Error, (*expected).to_owned()), "{id}");
        assert_eq!(attribute(&span.attributes, "error.type").as_deref(), Some(*expected), "{id}");
    }
    let failed = spans
        .iter()
        .find(|span| attribute(&span.attributes, "rapid.init.phase").as_deref() == Some("invoke"));
    assert_eq!(status(failed.unwrap()), (StatusCode::Error, "Runtime.ExitError".into()));

    let metric = |name| collector.metric(name).unwrap_or_else(|| panic!("{name}"));
    assert_eq!(metric("faas.invocations"), (2.0, 2.0, "{invocation}".into()));
    assert_eq!(metric("faas.errors"), (3.0, 3.0, "{error}".into()));
    assert_eq!(metric("faas.timeouts"), (1.0, 1.0, "{timeout}".into()));
    assert_eq!(metric("faas.coldstarts"), (1.0, 1.0, "{coldstart}".into()));
    assert_eq!(metric("rapid.throttles"), (1.0, 1.0, "{throttle}".into()));
    let close = |found: (f64, f64, String), count: f64, sum: f64, unit: &str| {
        assert!((found.1 - sum).abs() < 1e-9, "{found:?}");
        assert_eq!((found.0, found.2.as_str()), (count, unit));
    };
    close(metric("faas.invoke_duration"), 6.0, 0.120, "s");
    close(metric("faas.init_duration"), 2.0, 0.5, "s");
    close(metric("faas.mem_usage"), 6.0, 6.0 * 37.0 * 1024.0 * 1024.0, "By");
}

#[tokio::test]
async fn what_the_function_has_thrown_is_the_error_and_an_event() {
    let (collector, events) = observed(&[]).await;
    for (id, cause) in [
        ("told", r#"{"exceptions":[{"type":"ValueError","message":"boom"},{"type":"Other"}]}"#),
        ("brief", r#"{"exceptions":null,"message":"cut"}"#),
        ("odd", r#"{"exceptions":3}"#),
    ] {
        start(&events, id, None);
        let error_cause = Some(RawValue::from_string(cause.into()).unwrap());
        events.send_error_cause(&request(id), &InvokeErrorTraceData { error_cause });
        runtime_done(&events, id, Status::Success, false);
        report(&events, id, Status::Success, None);
    }
    assert!(events.flush(LONG).await);
    let spans = collector.spans();
    for (id, error_type, thrown) in [
        ("told", "ValueError", Some(("ValueError", "boom"))),
        ("brief", "_OTHER", Some(("", "cut"))),
        ("odd", "_OTHER", None),
    ] {
        let of =
            |span: &&Span| attribute(&span.attributes, "faas.invocation_id").as_deref() == Some(id);
        let span = spans.iter().find(of).unwrap();
        assert_eq!(attribute(&span.attributes, "error.type").as_deref(), Some(error_type), "{id}");
        let told = span.events.iter().map(|event| {
            assert_eq!(event.name, "exception");
            let text = |key| attribute(&event.attributes, key).unwrap();
            (text("exception.type"), text("exception.message"))
        });
        let expected = thrown.map(|(kind, message)| (kind.to_owned(), message.to_owned()));
        assert_eq!(told.collect::<Vec<_>>(), Vec::from_iter(expected), "{id}");
    }
    assert_eq!(collector.metric("faas.errors").unwrap().0, 3.0);
}

#[tokio::test]
async fn a_restoration_is_part_of_the_invocation_after_it() {
    let (collector, events) = observed(&[]).await;
    events.send_restore_runtime_done(&RestoreRuntimeDoneData {
        status: Status::Error,
        error_type: Some(ErrorType::RuntimeRestoreHookUserTimeout),
        spans: Vec::new(),
        tracing: None,
    });
    invoke(&events, "r-1");
    invoke(&events, "r-2");
    assert!(events.flush(LONG).await);
    let restore = collector.span("restore");
    assert_eq!(restore.end_time_unix_nano - restore.start_time_unix_nano, 5_000_000);
    assert_eq!(status(&restore).1, "Runtime.RestoreHookUserTimeout");
}

#[tokio::test]
async fn spans_and_metrics_say_what_they_belong_to() {
    let (collector, events) = observed(&[]).await;
    invoke(&events, "r-1");
    assert!(events.flush(LONG).await);
    let resources = collector.resources();
    assert_eq!(resources.len(), 2);
    for resource in resources {
        let of = |key| attribute(&resource.attributes, key);
        for (key, expected) in [
            ("service.name", "shop"),
            ("faas.name", "shop"),
            ("faas.version", "$LATEST"),
            ("faas.instance", "2026/09/15/[$LATEST]0a"),
            ("faas.max_memory", "134217728"),
            ("cloud.provider", "aws"),
            ("cloud.platform", "aws_lambda"),
            ("cloud.region", "eu-west-1"),
            ("cloud.account.id", "123456789012"),
            ("cloud.resource_id", "arn:aws:lambda:eu-west-1:123456789012:function:shop"),
            ("telemetry.sdk.language", "rust"),
        ] {
            assert_eq!(of(key).as_deref(), Some(expected), "{key}");
        }
    }

    let (collector, events) = observed(&[("OTEL_SERVICE_NAME", "web")]).await;
    invoke(&events, "r-1");
    assert!(events.flush(LONG).await);
    let named = &collector.resources()[0].attributes;
    assert_eq!(attribute(named, "service.name").as_deref(), Some("web"));
}

#[tokio::test]
async fn without_new_traces_only_sampled_invocations_have_spans_and_all_are_measured() {
    let (collector, events) = observed(&[("OTEL_TRACES_SAMPLER", "parentbased_always_off")]).await;
    initialise(&events, InitPhase::Init, None);
    invoke(&events, "r-1");
    start(&events, "r-2", TracingCtx::sampled(HEADER));
    report(&events, "r-2", Status::Success, None);
    assert!(events.flush(LONG).await);
    let invocation = collector.span("shop");
    assert_eq!(attribute(&invocation.attributes, "faas.invocation_id").as_deref(), Some("r-2"));
    assert_eq!(collector.spans().len(), 1);
    assert_eq!(collector.metric("faas.invocations").unwrap().0, 2.0);
}

#[tokio::test]
async fn a_signal_that_is_switched_off_is_not_sent() {
    let (collector, events) = observed(&[("OTEL_TRACES_EXPORTER", "none")]).await;
    invoke(&events, "r-1");
    assert!(events.flush(LONG).await);
    assert_eq!(collector.look(|got| (got.traces.len(), got.metrics.len())), (0, 1));
    assert_eq!((events.dropped(), events.failed_exports()), (0, 0));

    let (collector, events) = observed(&[("OTEL_METRICS_EXPORTER", "none")]).await;
    invoke(&events, "r-1");
    assert!(events.flush(LONG).await);
    assert_eq!(collector.look(|got| (got.traces.len(), got.metrics.len())), (1, 0));
}

#[tokio::test]
async fn batches_go_out_by_themselves() {
    let delays = [("OTEL_BSP_SCHEDULE_DELAY", "10"), ("OTEL_METRIC_EXPORT_INTERVAL", "20")];
    let (collector, events) = observed(&delays).await;
    invoke(&events, "r-1");
    collector.until(|got| !got.traces.is_empty() && !got.metrics.is_empty()).await;
    invoke(&events, "r-2");
    collector.until(|got| got.traces.len() == 2 && got.metrics.len() == 2).await;
    // Metrics go on counting; spans are told once.
    assert_eq!(collector.metric("faas.invocations").unwrap().0, 2.0);
    assert_eq!(collector.spans().len(), 8);
    assert_eq!(collector.look(|got| got.requests), 4);
}

#[tokio::test]
async fn a_full_batch_does_not_wait() {
    let (collector, events) = observed(&[("OTEL_BSP_SCHEDULE_DELAY", "3600000")]).await;
    for number in 0..128 {
        invoke(&events, &format!("r-{number}"));
    }
    collector.until(|got| !got.traces.is_empty()).await;
    assert_eq!(collector.spans().len(), 512);
}

#[tokio::test]
async fn the_last_handle_exports_what_is_left() {
    let (collector, events) = observed(&[]).await;
    invoke(&events, "r-1");
    drop(events);
    collector.until(|got| got.traces.len() == 1 && got.metrics.len() == 1).await;
    assert_eq!(collector.spans().len(), 4);
}

#[tokio::test]
async fn a_flush_with_nothing_to_say_says_nothing() {
    let (collector, events) = observed(&[]).await;
    assert!(events.flush(LONG).await && events.flush(LONG).await);
    assert_eq!(collector.look(|got| got.requests), 0);
}
