//! An observability extension in Node: Serverless's, which collects reports over the Logs API and
//! sends them on with OpenTelemetry.

use std::fs;

use rapid_e2e::{Extensions, Options, Rapid, eventually_some};
use serde_json::Value;

use crate::peers::installed;

/// Where it keeps the batches that it has not sent on. It cannot be told another place, nor other
/// ports than its own, so that there may be only one of it.
const KEPT: [&str; 2] = ["/tmp/sls-save-log.json", "/tmp/sent-requests.json"];

/// Its files, which are gone when the test is over.
struct Kept;

impl Kept {
    fn none() -> Self {
        let kept = Self;
        kept.remove();
        kept
    }

    fn remove(&self) {
        for file in KEPT {
            // It may not have got as far as that.
            let _ = fs::remove_file(file);
        }
    }

    /// The records of every batch.
    fn records(&self) -> Vec<Value> {
        let text = fs::read_to_string(KEPT[0]).unwrap_or_default();
        // It may be being written.
        let batches: Vec<Vec<Value>> = serde_json::from_str(&text).unwrap_or_default();
        batches.concat()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.remove();
    }
}

#[test]
fn an_observability_extension_in_node_collects_the_reports() {
    let kept = Kept::none();
    let program = installed("serverless/otel-extension/index.js");
    let script = format!("#!/bin/sh\nexec node {}\n", program.display());
    let extensions = Extensions::none().file("otel-extension", &script, 0o755);
    let node = std::env::var_os("PATH").unwrap_or_default();
    let options = Options::fixture()
        .extensions(&extensions)
        .env("PATH", node)
        // It listens everywhere then, and needs no name for that.
        .env("AWS_SAM_LOCAL", "true")
        // The function is none that it has instrumented, and tells it nothing by itself.
        .env("DO_NOT_WAIT", "1");
    let rapid = Rapid::serve(options);
    let ids = [(); 3].map(|()| rapid.expect_echo().request_id());
    let reports = eventually_some("all reports are kept", || {
        let records = kept.records();
        (records.len() >= ids.len()).then_some(records)
    });
    for (report, id) in reports.iter().zip(&ids) {
        assert_eq!(report["type"], "platform.report", "{reports:#?}");
        assert_eq!(report["record"]["requestId"], **id);
        assert!(report["record"]["metrics"]["billedDurationMs"].is_u64(), "{report}");
    }
    assert_eq!(reports.len(), ids.len(), "{reports:#?}");
}
