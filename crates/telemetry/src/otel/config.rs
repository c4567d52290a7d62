//! [`OtelConfig`]: what the variables of OpenTelemetry say.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use thiserror::Error;

use super::pairs::pairs;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";

/// Where spans and metrics go, and when. The process's own environment has no say in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtelConfig {
    /// The function, which every span and metric belongs to.
    pub function: OtelFunction,
    /// The name of the service; the function's if there is none.
    pub service_name: Option<String>,
    /// What else spans and metrics belong to; it beats what is known of the function.
    pub attributes: Vec<(String, String)>,
    /// Where spans are posted to, `http` only; `None` sends none.
    pub traces: Option<Uri>,
    /// The headers that spans are posted with, beside those of OTLP.
    pub trace_headers: HeaderMap,
    /// Where metrics are posted to, `http` only; `None` sends none.
    pub metrics: Option<Uri>,
    /// The headers that metrics are posted with, beside those of OTLP.
    pub metric_headers: HeaderMap,
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
    /// A variable has a value that is of no use to anybody.
    #[error("{variable} is {value:?}: {expected}")]
    Variable {
        /// The variable.
        variable: String,
        /// Its value.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A variable has a value that is good for others, such as the function's own SDK, and not for
    /// this exporter.
    #[error("{variable} is {value:?}: {expected}")]
    Unsupported {
        /// The variable.
        variable: String,
        /// Its value.
        value: String,
        /// What this exporter needs.
        expected: &'static str,
    },
    /// A variable has no list of pairs where one is needed. The value stays untold: it may have a
    /// password in it.
    #[error("{variable} is no list like key1=value1,key2=value2")]
    NoList {
        /// The variable.
        variable: &'static str,
    },
    /// OpenTelemetry's own crates have refused to make an exporter.
    #[error("no OpenTelemetry exporter can be made")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
}

impl OtelConfig {
    /// What the variables ask for; `None` when they name no collector, or switch it off.
    ///
    /// # Errors
    /// [`OtelError::Variable`], [`OtelError::Unsupported`] or [`OtelError::NoList`], with the first
    /// variable whose value is of no use.
    pub fn from_variables(
        function: OtelFunction,
        get: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, OtelError> {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        if get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let (traces, metrics) = (signal(&get, &TRACES)?, signal(&get, &METRICS)?);
        let sampler = if traces.is_some() { sampler(&get)? } else { Sampler::Never };
        let traces = traces.filter(|_| sampler != Sampler::Never);
        if traces.is_none() && metrics.is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            function,
            service_name: get("OTEL_SERVICE_NAME"),
            attributes: attributes(&get)?,
            trace_headers: match traces {
                Some(_) => headers(&get, &TRACES)?,
                None => HeaderMap::new(),
            },
            metric_headers: match metrics {
                Some(_) => headers(&get, &METRICS)?,
                None => HeaderMap::new(),
            },
            traces,
            metrics,
            new_traces: sampler == Sampler::Always,
            schedule_delay: millis(&get, "OTEL_BSP_SCHEDULE_DELAY", 5_000)?,
            metric_interval: millis(&get, "OTEL_METRIC_EXPORT_INTERVAL", 60_000)?,
            timeout: millis(&get, "OTEL_EXPORTER_OTLP_TIMEOUT", 10_000)?,
        }))
    }
}

/// The variables of traces or of metrics, and the path below the common endpoint.
struct Signal {
    exporter: &'static str,
    endpoint: &'static str,
    protocol: &'static str,
    headers: &'static str,
    path: &'static str,
}

const TRACES: Signal = Signal {
    exporter: "OTEL_TRACES_EXPORTER",
    endpoint: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    protocol: "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    headers: "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    path: "/v1/traces",
};

const METRICS: Signal = Signal {
    exporter: "OTEL_METRICS_EXPORTER",
    endpoint: "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    protocol: "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
    headers: "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
    path: "/v1/metrics",
};

/// Where a signal goes: to its own endpoint as it is, else below the common one.
fn signal(
    get: &impl Fn(&str) -> Option<String>,
    signal: &Signal,
) -> Result<Option<Uri>, OtelError> {
    let named = |variable| get(variable).map(|value| (variable, value));
    let Some((variable, value)) = named(signal.endpoint).or_else(|| named(ENDPOINT)) else {
        return Ok(None);
    };
    match get(signal.exporter).as_deref() {
        None | Some("otlp") => {}
        Some("none") => return Ok(None),
        // Nobody can list the exporters that SDKs know.
        Some(other) => return Err(unsupported(signal.exporter, other, "otlp or none is needed")),
    }
    if let Some((variable, value)) = named(signal.protocol).or_else(|| named(PROTOCOL)) {
        let expected = "http/protobuf is needed, and its endpoint";
        match value.as_str() {
            "http/protobuf" => {}
            "grpc" | "http/json" => return Err(unsupported(variable, &value, expected)),
            _ => return Err(wrong(variable, &value, "http/protobuf, grpc or http/json")),
        }
    }
    let whole = if variable == ENDPOINT {
        format!("{}{}", value.trim_end_matches('/'), signal.path)
    } else {
        value.clone()
    };
    let uri = whole.parse().ok();
    let uri = uri.filter(|uri: &Uri| uri.host().is_some_and(|host| !host.is_empty()));
    match uri.as_ref().and_then(Uri::scheme_str) {
        Some("http") => Ok(uri),
        Some("https") => Err(unsupported(variable, &value, "TLS takes a collector beside rapid")),
        _ => Err(wrong(variable, &value, "a URL is needed, like http://localhost:4318")),
    }
}

/// The headers of a signal: its own, else the common ones.
fn headers(get: &impl Fn(&str) -> Option<String>, signal: &Signal) -> Result<HeaderMap, OtelError> {
    let named = |variable| get(variable).map(|value| (variable, value));
    let Some((variable, value)) = named(signal.headers).or_else(|| named(HEADERS)) else {
        return Ok(HeaderMap::new());
    };
    let header = |(name, value): (String, String)| {
        let mut value = HeaderValue::try_from(value).ok()?;
        // Nobody is to read it in a log.
        value.set_sensitive(true);
        Some((HeaderName::try_from(name).ok()?, value))
    };
    let headers = pairs(&value).and_then(|pairs| pairs.into_iter().map(header).collect());
    headers.ok_or(OtelError::NoList { variable })
}

fn attributes(get: &impl Fn(&str) -> Option<String>) -> Result<Vec<(String, String)>, OtelError> {
    let list = get(ATTRIBUTES).unwrap_or_default();
    pairs(&list).ok_or(OtelError::NoList { variable: ATTRIBUTES })
}

/// Which invocations have spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sampler {
    /// All: those of sampled traces there, the others in traces of their own.
    Always,
    /// Those of sampled traces.
    Parents,
    Never,
}

fn sampler(get: &impl Fn(&str) -> Option<String>) -> Result<Sampler, OtelError> {
    const VARIABLE: &str = "OTEL_TRACES_SAMPLER";
    match get(VARIABLE).as_deref() {
        None | Some("parentbased_always_on" | "always_on") => Ok(Sampler::Always),
        Some("parentbased_always_off") => Ok(Sampler::Parents),
        Some("always_off") => Ok(Sampler::Never),
        Some(other) => {
            let expected = "parentbased_always_on, parentbased_always_off or always_off is needed";
            Err(unsupported(VARIABLE, other, expected))
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
        _ => Err(wrong(variable, &value, "milliseconds from 1 to 3600000")),
    }
}

fn wrong(variable: &str, value: &str, expected: &'static str) -> OtelError {
    OtelError::Variable { variable: variable.into(), value: value.into(), expected }
}

fn unsupported(variable: &str, value: &str, expected: &'static str) -> OtelError {
    OtelError::Unsupported { variable: variable.into(), value: value.into(), expected }
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
        let own = uris(&[(TRACES.endpoint, "http://t/as/it/is")]);
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
    fn a_sampler_may_leave_spans_out_and_metrics_go_on() {
        let never = config(&[(ENDPOINT, "http://c:4318"), ("OTEL_TRACES_SAMPLER", "always_off")]);
        let never = never.unwrap().unwrap();
        assert!(never.traces.is_none() && never.metrics.is_some());
        let always = config(&[(ENDPOINT, "http://c:4318"), ("OTEL_TRACES_SAMPLER", "always_on")]);
        assert!(always.unwrap().unwrap().new_traces);
    }

    #[test]
    fn a_value_that_is_of_no_use_is_named_with_its_variable() {
        for (variable, value) in [
            (ENDPOINT, "c:4318"),
            (ENDPOINT, "http://"),
            (METRICS.endpoint, "not a uri"),
            (PROTOCOL, "carrier pigeon"),
            ("OTEL_BSP_SCHEDULE_DELAY", "0"),
            ("OTEL_BSP_SCHEDULE_DELAY", "soon"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "3600001"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1"),
        ] {
            let error = config(&[(variable, value), (ENDPOINT, "http://c:4318")]).unwrap_err();
            assert!(matches!(error, OtelError::Variable { .. }), "{error:?}");
            let text = error.to_string();
            assert!(text.starts_with(&format!("{variable} is {value:?}: ")), "{text}");
        }
    }

    #[test]
    fn what_others_can_do_is_told_from_what_is_wrong() {
        for (variable, value) in [
            (ENDPOINT, "https://c:4318"),
            (METRICS.endpoint, "https://c"),
            (TRACES.exporter, "zipkin"),
            (METRICS.exporter, "prometheus"),
            (PROTOCOL, "grpc"),
            (METRICS.protocol, "http/json"),
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ] {
            let error = config(&[(variable, value), (ENDPOINT, "http://c:4318")]).unwrap_err();
            assert!(matches!(error, OtelError::Unsupported { .. }), "{error:?}");
            assert!(error.to_string().starts_with(&format!("{variable} is {value:?}: ")));
            // It says nothing as long as there is no collector.
            if ![ENDPOINT, METRICS.endpoint].contains(&variable) {
                assert_eq!(config(&[(variable, value)]).unwrap(), None);
            }
        }
    }

    #[test]
    fn headers_are_those_of_the_signal_or_else_the_common_ones() {
        let config = config(&[
            (ENDPOINT, "http://c:4318"),
            (HEADERS, "api-key=a%20b, tenant = shop"),
            (METRICS.headers, "api-key=c"),
        ]);
        let config = config.unwrap().unwrap();
        let headers = |headers: &HeaderMap| {
            let texts =
                headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
            let mut texts: Vec<_> = texts.collect();
            texts.sort_unstable();
            texts
        };
        assert_eq!(headers(&config.trace_headers), ["api-key: a b", "tenant: shop"]);
        assert_eq!(headers(&config.metric_headers), ["api-key: c"]);
        let debug = format!("{config:?}");
        assert!(!debug.contains("a b") && debug.contains("api-key"), "{debug}");
    }

    #[test]
    fn attributes_are_read_in_order() {
        let config = config(&[(ENDPOINT, "http://c:4318"), (ATTRIBUTES, "a=1,b=x%2Cy")]);
        let expected = [("a", "1"), ("b", "x,y")].map(|(key, value)| (key.into(), value.into()));
        assert_eq!(config.unwrap().unwrap().attributes, expected);
    }

    #[test]
    fn a_list_that_is_none_is_named_and_not_repeated() {
        for (variable, value) in [
            (HEADERS, "s3cret"),
            (TRACES.headers, "two words=s3cret"),
            (METRICS.headers, "key=s3cret%0A"),
            (ATTRIBUTES, "a=1,s3cret"),
        ] {
            let error = config(&[(variable, value), (ENDPOINT, "http://c:4318")]).unwrap_err();
            let told = format!("{variable} is no list like key1=value1,key2=value2");
            assert_eq!(error.to_string(), told);
            // It says nothing as long as there is no collector.
            assert_eq!(config(&[(variable, value)]).unwrap(), None);
        }
        let unused = [(METRICS.headers, "none"), (TRACES.endpoint, "http://c:4318/v1/traces")];
        assert!(config(&unused).unwrap().is_some());
    }
}
