//! Whose variables count.

use std::env;
use std::process::Command;

use crate::received::attribute;
use crate::{LONG, invoke, observed};

#[tokio::test]
async fn headers_and_attributes_are_those_of_the_variables_given() {
    let variables = [
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b,content-type=text/plain"),
        ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "user-agent=me"),
        ("OTEL_RESOURCE_ATTRIBUTES", "team=a%2Cb,service.name=web,faas.version=7"),
    ];
    let (collector, events) = observed(&variables).await;
    invoke(&events, "r-1");
    assert!(events.flush(LONG).await);
    let mut heads = collector.look(|got| got.heads.clone());
    heads.sort_unstable();
    let (binary, rapid) = (
        "content-type: application/x-protobuf",
        format!("user-agent: rapid-OTLP-Exporter-Rust/{}", env!("CARGO_PKG_VERSION")),
    );
    let expected = [
        vec!["/v1/metrics", binary, "user-agent: me"],
        vec!["/v1/traces", "api-key: a b", binary, &rapid],
    ];
    assert_eq!(heads, expected);
    for resource in collector.resources() {
        let of = |key| attribute(&resource.attributes, key);
        for (key, expected) in [
            ("team", Some("a,b")),
            ("service.name", Some("web")),
            ("faas.version", Some("7")),
            ("faas.name", Some("shop")),
            ("stray", None),
        ] {
            assert_eq!(of(key).as_deref(), expected, "{key}");
        }
    }
}

#[test]
fn the_variables_of_the_process_are_not_read() {
    let mut again = Command::new(env::current_exe().unwrap());
    again.args(["--exact", "settings::headers_and_attributes_are_those_of_the_variables_given"]);
    for variable in [
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
        "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
        "OTEL_RESOURCE_ATTRIBUTES",
    ] {
        again.env(variable, "stray=1");
    }
    let output = again.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
