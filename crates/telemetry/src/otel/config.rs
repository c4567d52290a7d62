//! [`OtelConfig`]: what the variables of OpenTelemetry say.

use std::time::Duration;

use http::Uri;
use thiserror::Error;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const METRICS_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";

/// Where spans and metrics go, and when.
///
/// Headers (`OTEL_EXPORTER_OTLP_HEADERS` and its variants per signal) and resource attributes
/// (`OTEL_RESOURCE_ATTRIBUTES`) are read by OpenTelemetry's own crates from the process's
/// environment when the exporters are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtelConfig {
    /// The function, which every span and metric belongs to.
    pub function: OtelFunction,
    /// The name of the service; the function's if there is none.
    pub service_name: Option<String>,
    /// Where spans are posted to, `http` only; `None` sends none.
    pub traces: Option<Uri>,
    /// Where metrics are posted to, `http` only; `None` sends none.
    pub metrics: Option<Uri>,
    /// Whether an invocation begins a trace when it does not belong to a sampled one.
    pub new_traces: bool,
    /// How long a span waits at most for others to travel with.
    pub schedule_delay: Duration,
    /// How long a change of a metric waits at most.
    pub metric_interval: Duration,
    /// How long an export may take, with all its attempts.
    pub timeout: Duration,
}

/// The function that is observed. What nobody knows is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtelFunction {
    /// Its name, which spans of invocations have too.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its ARN, of which region and account are taken.
    pub arn: String,
    /// The execution environment, named like its log stream.
    pub instance: String,
    /// Its memory in bytes.
    pub memory: u64,
}

/// Why OpenTelemetry cannot be switched on as asked for.
#[derive(Debug, Error)]
pub enum OtelError {
    /// A variable has a value that is of no use.
    #[error("{variable} is {value:?}: {expected}")]
    Variable {
        /// The variable.
        variable: String,
        /// Its value.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// OpenTelemetry's own crates have refused to make an exporter.
    #[error("no OpenTelemetry exporter can be made")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
}

impl OtelConfig {
    /// What the variables ask for; `None` when they name no collector, or switch it off.
    ///
    /// # Errors
    /// [`OtelError::Variable`] with the first variable whose value is of no use.
    pub fn from_variables(
        function: OtelFunction,
        get: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, OtelError> {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        if get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let traces = endpoint(&get, TRACES_ENDPOINT, "/v1/traces", "OTEL_TRACES_EXPORTER")?;
        let metrics = endpoint(&get, METRICS_ENDPOINT, "/v1/metrics", "OTEL_METRICS_EXPORTER")?;
        if traces.is_none() && metrics.is_none() {
            return Ok(None);
        }
        for variable in [
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
        ] {
            if let Some(value) = get(variable).filter(|value| value != "http/protobuf") {
                return Err(unusable(variable, value, "only http/protobuf is spoken"));
            }
        }
        Ok(Some(Self {
            function,
            service_name: get("OTEL_SERVICE_NAME"),
            traces,
            metrics,
            new_traces: sampler(&get)?,
            schedule_delay: millis(&get, "OTEL_BSP_SCHEDULE_DELAY", 5_000)?,
            metric_interval: millis(&get, "OTEL_METRIC_EXPORT_INTERVAL", 60_000)?,
            timeout: millis(&get, "OTEL_EXPORTER_OTLP_TIMEOUT", 10_000)?,
        }))
    }
}

/// Where a signal goes: to its own endpoint as it is, else below the common one.
fn endpoint(
    get: &impl Fn(&str) -> Option<String>,
    own: &str,
    path: &str,
    exporter: &str,
) -> Result<Option<Uri>, OtelError> {
    match get(exporter).as_deref() {
        None | Some("otlp") => {}
        Some("none") => return Ok(None),
        Some(other) => return Err(unusable(exporter, other.into(), "otlp or none")),
    }
    let (variable, value, whole) = if let Some(value) = get(own) {
        (own, value.clone(), value)
    } else if let Some(value) = get(ENDPOINT) {
        let whole = format!("{}{path}", value.trim_end_matches('/'));
        (ENDPOINT, value, whole)
    } else {
        return Ok(None);
    };
    let expected = "it has to be http://host:port; for https, run a collector beside rapid";
    let uri = whole.parse().ok().filter(|uri: &Uri| {
        uri.scheme_str() == Some("http") && uri.host().is_some_and(|host| !host.is_empty())
    });
    uri.map(Some).ok_or_else(|| unusable(variable, value, expected))
}

/// Whether the sampler begins new traces. Those of others are always followed, as their own flag
/// says, unless the sampler is one that never samples.
fn sampler(get: &impl Fn(&str) -> Option<String>) -> Result<bool, OtelError> {
    const VARIABLE: &str = "OTEL_TRACES_SAMPLER";
    match get(VARIABLE).as_deref() {
        None | Some("parentbased_always_on") => Ok(true),
        Some("parentbased_always_off") => Ok(false),
        Some(other) => {
            let expected = "parentbased_always_on or parentbased_always_off";
            Err(unusable(VARIABLE, other.into(), expected))
        }
    }
}

fn millis(
    get: &impl Fn(&str) -> Option<String>,
    variable: &str,
    default: u64,
) -> Result<Duration, OtelError> {
    let Some(value) = get(variable) else { return Ok(Duration::from_millis(default)) };
    // An hour is more than enough, and no time of day overflows with it.
    match value.parse() {
        Ok(millis @ 1..=3_600_000) => Ok(Duration::from_millis(millis)),
        _ => Err(unusable(variable, value, "milliseconds from 1 to 3600000")),
    }
}

fn unusable(variable: &str, value: String, expected: &'static str) -> OtelError {
    OtelError::Variable { variable: variable.into(), value, expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(variables: &[(&str, &str)]) -> Result<Option<OtelConfig>, OtelError> {
        OtelConfig::from_variables(OtelFunction::default(), |name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn without_a_collector_there_is_nothing() {
        for variables in [
            &[][..],
            &[(ENDPOINT, "")],
            &[("OTEL_SERVICE_NAME", "s"), ("OTEL_TRACES_EXPORTER", "otlp")],
            &[(ENDPOINT, "http://c:4318"), ("OTEL_SDK_DISABLED", "true")],
            &[
                (ENDPOINT, "http://c:4318"),
                ("OTEL_TRACES_EXPORTER", "none"),
                ("OTEL_METRICS_EXPORTER", "none"),
            ],
        ] {
            assert_eq!(config(variables).unwrap(), None, "{variables:?}");
        }
    }

    #[test]
    fn signals_go_to_their_own_endpoint_or_below_the_common_one() {
        let uris = |variables: &[(&str, &str)]| {
            let config = config(variables).unwrap().unwrap();
            let text = |uri: Option<Uri>| uri.map(|uri| uri.to_string());
            (text(config.traces), text(config.metrics))
        };
        let both = (
            Some("http://c:4318/v1/traces".to_owned()),
            Some("http://c:4318/v1/metrics".to_owned()),
        );
        assert_eq!(uris(&[(ENDPOINT, "http://c:4318")]), both);
        assert_eq!(uris(&[(ENDPOINT, "http://c:4318/")]), both);
        let below = uris(&[(ENDPOINT, "http://[::1]:4318/base")]);
        assert_eq!(below.0.as_deref(), Some("http://[::1]:4318/base/v1/traces"));
        let own = uris(&[(TRACES_ENDPOINT, "http://t/as/it/is")]);
        assert_eq!(own, (Some("http://t/as/it/is".to_owned()), None));
        let one = uris(&[(ENDPOINT, "http://c:4318"), ("OTEL_TRACES_EXPORTER", "none")]);
        assert_eq!((one.0, one.1), (None, both.1));
    }

    #[test]
    fn the_defaults_are_those_of_the_specification() {
        let config = config(&[(ENDPOINT, "http://c:4318")]).unwrap().unwrap();
        assert!(config.new_traces && config.service_name.is_none());
        assert_eq!(config.schedule_delay, Duration::from_secs(5));
        assert_eq!(config.metric_interval, Duration::from_secs(60));
        assert_eq!(config.timeout, Duration::from_secs(10));
    }

    #[test]
    fn every_setting_is_read() {
        let config = config(&[
            (ENDPOINT, "http://c:4318"),
            ("OTEL_SERVICE_NAME", "shop"),
            ("OTEL_TRACES_SAMPLER", "parentbased_always_off"),
            ("OTEL_BSP_SCHEDULE_DELAY", "1"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "2"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "3"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ]);
        let config = config.unwrap().unwrap();
        assert_eq!(config.service_name.as_deref(), Some("shop"));
        assert!(!config.new_traces);
        let times = [config.schedule_delay, config.metric_interval, config.timeout];
        assert_eq!(times, [1, 2, 3].map(Duration::from_millis));
    }

    #[test]
    fn a_value_that_is_of_no_use_is_named_with_its_variable() {
        for (variable, value) in [
            (ENDPOINT, "https://c:4318"),
            (ENDPOINT, "c:4318"),
            (ENDPOINT, "http://"),
            (METRICS_ENDPOINT, "not a uri"),
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/json"),
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_BSP_SCHEDULE_DELAY", "0"),
            ("OTEL_BSP_SCHEDULE_DELAY", "soon"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "3600001"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1"),
        ] {
            let error = config(&[(variable, value), (ENDPOINT, "http://c:4318")]).unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with(&format!("{variable} is {value:?}: ")), "{text}");
        }
    }
}
