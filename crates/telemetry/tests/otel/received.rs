//! What a collector has received, read with OpenTelemetry's own messages.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

#[derive(Clone, Default)]
pub(crate) struct Received {
    pub(crate) traces: Vec<ExportTraceServiceRequest>,
    pub(crate) metrics: Vec<ExportMetricsServiceRequest>,
    /// Those that were not taken included.
    pub(crate) requests: usize,
    /// The headers of each, as `name: value`, sorted, after the path.
    pub(crate) heads: Vec<Vec<String>>,
}

impl Received {
    /// Takes in what was posted to a path.
    pub(crate) fn take(&mut self, path: &str, body: &[u8]) {
        match path {
            "/v1/traces" => self.traces.push(ExportTraceServiceRequest::decode(body).unwrap()),
            "/v1/metrics" => self.metrics.push(ExportMetricsServiceRequest::decode(body).unwrap()),
            other => panic!("{other}"),
        }
    }

    /// Every span that has come.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let resources = self.traces.iter().flat_map(|request| &request.resource_spans);
        let scopes = resources.flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    /// The metrics as they came last.
    pub(crate) fn last_metrics(&self) -> Vec<Metric> {
        let last = self.metrics.last().expect("metrics have come");
        let scopes = last.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
        scopes.flat_map(|scope| scope.metrics.clone()).collect()
    }

    /// What a metric adds up to (a histogram: how many and their sum), and its unit.
    pub(crate) fn metric(&self, name: &str) -> Option<(f64, f64, String)> {
        use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
        let metric = self.last_metrics().into_iter().find(|metric| metric.name == name)?;
        let data = metric.data?;
        let (count, sum) = if let metric::Data::Histogram(histogram) = &data {
            let points = &histogram.data_points;
            let count: u64 = points.iter().map(|point| point.count).sum();
            (count as f64, points.iter().filter_map(|point| point.sum).sum())
        } else if let metric::Data::Sum(sum) = &data {
            assert!(sum.is_monotonic);
            let values = sum.data_points.iter().map(|point| match point.value {
                Some(Value::AsInt(value)) => value as f64,
                Some(Value::AsDouble(value)) => value,
                None => panic!("no value"),
            });
            let total: f64 = values.sum();
            (total, total)
        } else {
            panic!("{data:?}");
        };
        Some((count, sum, metric.unit))
    }

    /// What spans and metrics belong to.
    pub(crate) fn resources(&self) -> Vec<Resource> {
        let traces = self.traces.iter().flat_map(|request| &request.resource_spans);
        let metrics = self.metrics.iter().flat_map(|request| &request.resource_metrics);
        let traces = traces.filter_map(|one| one.resource.clone());
        traces.chain(metrics.filter_map(|one| one.resource.clone())).collect()
    }
}

/// An attribute as text.
pub(crate) fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    let value = found.value.as_ref()?.value.as_ref()?;
    Some(if let any_value::Value::StringValue(text) = value {
        text.clone()
    } else if let any_value::Value::BoolValue(value) = value {
        value.to_string()
    } else if let any_value::Value::IntValue(value) = value {
        value.to_string()
    } else {
        format!("{value:?}")
    })
}
