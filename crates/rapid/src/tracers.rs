//! [`Tracers`]: X-Ray and OpenTelemetry, where the function's variables name somebody to tell.

use std::ffi::{OsStr, OsString};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rapid_engine::FunctionInfo;
use rapid_events::EventsApi;
use rapid_telemetry::otel::{OtelConfig, OtelError, OtelEvents, OtelFunction};
use rapid_telemetry::xray::{self, XRayEvents};
use tokio::net::lookup_host;

use crate::error::RapidError;

/// How long the start waits for the X-Ray daemon's name to be looked up.
const LOOKUP: Duration = Duration::from_secs(1);

/// How long the end waits for OpenTelemetry's collector.
const LAST_EXPORT: Duration = Duration::from_secs(1);

/// Who is to be told. Nothing is opened yet.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// The X-Ray daemon's address.
    xray: Option<String>,
    otel: Option<OtelConfig>,
}

/// Who is told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tracers {
    xray: Option<Arc<XRayEvents>>,
    otel: Option<OtelEvents>,
    records_spans: bool,
}

impl Wanted {
    /// What the variables ask for. A value that is good for the function's own instrumentation and
    /// not for rapid is warned of: it keeps no function from running.
    ///
    /// # Errors
    /// [`RapidError::Tracing`] with the first value that is of no use to anybody.
    pub(crate) fn from_variables(variables: &[(OsString, OsString)]) -> Result<Self, RapidError> {
        let get = |name: &str| {
            let mut named = variables.iter().filter(|(found, _)| found == OsStr::new(name));
            named.next().map(|(_, value)| value.to_string_lossy().into_owned())
        };
        let xray = match get(xray::DAEMON_ADDRESS).filter(|value| !value.is_empty()) {
            Some(value) => daemon(value)?,
            None => None,
        };
        let otel = match OtelConfig::from_variables(OtelFunction::default(), get) {
            Ok(config) => config,
            Err(OtelError::Variable { variable, value, expected }) => {
                return Err(RapidError::Tracing { variable, value, expected });
            }
            Err(error) => {
                without_otel(&error);
                None
            }
        };
        Ok(Self { xray, otel })
    }

    /// Opens what is needed. Whoever cannot be told is warned of and left out.
    ///
    /// Must be called within a tokio runtime.
    pub(crate) async fn start(self, function: &FunctionInfo) -> Tracers {
        let xray = match self.xray {
            Some(address) => connect(&address).await.map(Arc::new),
            None => None,
        };
        let wants_spans = self.otel.as_ref().is_some_and(|config| config.traces.is_some());
        let otel = self.otel.and_then(|config| {
            OtelEvents::start(&OtelConfig { function: observed(function), ..config })
                .inspect_err(without_otel)
                .ok()
        });
        let records_spans = xray.is_some() || (otel.is_some() && wants_spans);
        Tracers { xray, otel, records_spans }
    }
}

impl Tracers {
    /// Who receives platform events; `None` if nobody does.
    pub(crate) fn events(&self) -> Option<Arc<dyn EventsApi>> {
        let is_told = self.xray.is_some() || self.otel.is_some();
        is_told.then(|| Arc::new((self.xray.clone(), self.otel.clone())) as Arc<dyn EventsApi>)
    }

    /// Whether every sampled invocation is recorded as a segment or a span of its own.
    pub(crate) const fn records_spans(&self) -> bool {
        self.records_spans
    }

    /// Sends what has been gathered so far, as far as there is time.
    pub(crate) async fn flush(&self) {
        if let Some(otel) = &self.otel {
            // What did not get through is counted, or arrives after all.
            let _ = otel.flush(LAST_EXPORT).await;
        }
    }

    /// Sends what is left, and says so if not everything has arrived.
    pub(crate) async fn close(&self) {
        if let Some(xray) = &self.xray {
            // Nothing is left: a segment is sent when it is there.
            xray.settle();
            let (sent, lost) = (xray.sent(), xray.lost());
            if lost > 0 {
                tracing::warn!(sent, lost, "not everything has reached the X-Ray daemon");
            }
        }
        if let Some(otel) = &self.otel {
            let in_time = otel.flush(LAST_EXPORT).await;
            let (failed_exports, dropped) = (otel.failed_exports(), otel.dropped());
            if !in_time || failed_exports > 0 || dropped > 0 {
                tracing::warn!(
                    failed_exports,
                    dropped,
                    in_time,
                    "not everything has reached the OpenTelemetry collector"
                );
            }
        }
    }
}

/// The X-Ray daemon's address in the variable's value; `None` for the port 0, by which the emulator
/// says that there is no daemon.
fn daemon(value: String) -> Result<Option<String>, RapidError> {
    if let Some(address) = xray::daemon_address(&value) {
        return Ok(Some(address.to_owned()));
    }
    if value.ends_with(":0") {
        return Ok(None);
    }
    Err(RapidError::Tracing {
        variable: xray::DAEMON_ADDRESS.to_owned(),
        value,
        expected: "the X-Ray daemon's host and port are needed, as in 127.0.0.1:2000",
    })
}

async fn connect(address: &str) -> Option<XRayEvents> {
    let connected = async {
        let mut found = tokio::time::timeout(LOOKUP, lookup_host(address)).await??;
        XRayEvents::connect(found.next().ok_or(io::ErrorKind::NotFound)?)
    };
    let warn = |error: &io::Error| {
        tracing::warn!(
            "X-Ray gets no segments: the daemon at {address} cannot be reached: {error}"
        );
    };
    connected.await.inspect_err(warn).ok()
}

/// What spans and metrics belong to.
fn observed(function: &FunctionInfo) -> OtelFunction {
    let metadata = &function.metadata;
    OtelFunction {
        name: metadata.function_name.clone(),
        version: metadata.function_version.clone(),
        arn: function.arn.clone(),
        instance: function.log_stream.clone(),
        memory: u64::from(metadata.memory_mb) * 1024 * 1024,
    }
}

fn without_otel(error: &OtelError) {
    tracing::warn!(
        "rapid itself sends nothing to an OpenTelemetry collector: {error}; the function has its \
         variables all the same"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(variables: &[(&str, &str)]) -> Result<Wanted, RapidError> {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        Wanted::from_variables(&variables.collect::<Vec<_>>())
    }

    #[test]
    fn nobody_is_told_unless_a_variable_names_him() {
        for variables in [
            &[][..],
            &[("AWS_XRAY_DAEMON_ADDRESS", ""), ("OTEL_SERVICE_NAME", "shop")],
            &[("AWS_XRAY_DAEMON_ADDRESS", "0.0.0.0:0")],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"), ("OTEL_SDK_DISABLED", "true")],
        ] {
            let wanted = wanted(variables).unwrap();
            assert!(wanted.xray.is_none() && wanted.otel.is_none(), "{variables:?}");
        }
        let both = wanted(&[
            ("AWS_XRAY_DAEMON_ADDRESS", "tcp:daemon:1 udp:daemon:2"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),
        ]);
        let both = both.unwrap();
        assert_eq!(both.xray.as_deref(), Some("daemon:2"));
        assert!(both.otel.is_some());
    }

    #[test]
    fn what_is_good_for_others_is_left_out_and_what_is_wrong_is_named() {
        const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318");
        for fine in [
            [ENDPOINT, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
            [ENDPOINT, ("OTEL_TRACES_SAMPLER", "xray")],
            [ENDPOINT, ("OTEL_EXPORTER_OTLP_HEADERS", "no list")],
            [("OTEL_EXPORTER_OTLP_ENDPOINT", "https://api.example"), ("OTEL_SERVICE_NAME", "s")],
        ] {
            assert!(wanted(&fine).unwrap().otel.is_none(), "{fine:?}");
        }
        for (wrong, text) in [
            (
                ("AWS_XRAY_DAEMON_ADDRESS", "daemon"),
                "AWS_XRAY_DAEMON_ADDRESS is \"daemon\": the X-Ray daemon's host and port are \
                 needed, as in 127.0.0.1:2000",
            ),
            (
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
                "OTEL_EXPORTER_OTLP_TIMEOUT is \"soon\": milliseconds from 1 to 3600000",
            ),
        ] {
            assert_eq!(wanted(&[ENDPOINT, wrong]).unwrap_err().to_string(), text);
        }
    }
}
