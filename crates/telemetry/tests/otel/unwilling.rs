//! Collectors that refuse, hang or are not there, and events that come too fast.

use rapid_telemetry::otel::OtelEvents;

use crate::collector::{Collector, Mood};
use crate::{LONG, MS, config, invoke, observed};

#[tokio::test]
async fn a_collector_that_refuses_is_counted_and_never_asked_in_vain() {
    let collector = Collector::start(Mood::Refusing(400)).await;
    let events = OtelEvents::start(&config(&collector, &[])).unwrap();
    invoke(&events, "r-1");
    assert!(events.flush(LONG).await);
    assert_eq!(events.failed_exports(), 2);
    assert_eq!(collector.look(|got| got.requests), 2);
}

#[tokio::test]
async fn a_collector_that_is_busy_is_asked_again() {
    let collector = Collector::start(Mood::Refusing(503)).await;
    let settings = [("OTEL_METRICS_EXPORTER", "none"), ("OTEL_BSP_SCHEDULE_DELAY", "1")];
    let events = OtelEvents::start(&config(&collector, &settings)).unwrap();
    invoke(&events, "r-1");
    collector.until(|got| got.requests > 1).await;
}

#[tokio::test]
async fn a_flush_is_one_attempt() {
    let collector = Collector::start(Mood::Refusing(503)).await;
    let events =
        OtelEvents::start(&config(&collector, &[("OTEL_METRICS_EXPORTER", "none")])).unwrap();
    invoke(&events, "r-1");
    assert!(events.flush(LONG).await);
    assert_eq!((events.failed_exports(), collector.look(|got| got.requests)), (1, 1));
}

#[tokio::test]
async fn a_collector_that_says_too_much_is_not_listened_to() {
    let collector = Collector::start(Mood::Talkative).await;
    let timeout = [("OTEL_EXPORTER_OTLP_TIMEOUT", "1000"), ("OTEL_METRICS_EXPORTER", "none")];
    let events = OtelEvents::start(&config(&collector, &timeout)).unwrap();
    invoke(&events, "r-1");
    assert!(events.flush(LONG).await);
    assert_eq!(events.failed_exports(), 1);
}

#[tokio::test]
async fn a_collector_that_is_gone_loses_the_batch_and_nothing_else() {
    let collector = Collector::start(Mood::Fine).await;
    let mut config = config(&collector, &[("OTEL_EXPORTER_OTLP_TIMEOUT", "300")]);
    config.traces = Some("http://127.0.0.1:9/v1/traces".parse().unwrap());
    let events = OtelEvents::start(&config).unwrap();
    invoke(&events, "r-1");
    assert!(events.flush(LONG).await);
    assert_eq!(events.failed_exports(), 1);
    assert_eq!(collector.metric("faas.invocations").unwrap().0, 1.0);
}

#[tokio::test]
async fn a_silent_collector_holds_up_neither_events_nor_the_end() {
    let collector = Collector::start(Mood::Silent).await;
    let settings = [
        ("OTEL_BSP_SCHEDULE_DELAY", "1"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "3600000"),
        ("OTEL_METRICS_EXPORTER", "none"),
    ];
    let events = OtelEvents::start(&config(&collector, &settings)).unwrap();
    invoke(&events, "r-0");
    collector.until(|got| got.requests == 1).await;
    // The export hangs; what happens meanwhile is kept as far as there is room for it.
    for number in 0..1000 {
        invoke(&events, &format!("r-{number}"));
        tokio::task::yield_now().await;
    }
    assert!(!events.flush(MS(50)).await);
    assert_eq!(events.dropped(), 4 * 1000 - 2048);
}

#[tokio::test]
async fn events_that_nobody_takes_in_time_are_counted() {
    let (_collector, events) = observed(&[]).await;
    // Without an await the task has no turn: the queue runs full.
    for number in 0..2000 {
        invoke(&events, &format!("r-{number}"));
    }
    assert_eq!(events.dropped(), 3 * 2000 - 4096);
}
