//! [`Origins`]: which web pages may invoke.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};

use crate::wire;

/// How long a browser may remember what it was allowed.
const MAX_AGE: Duration = Duration::from_secs(600);

/// Whose web pages may invoke and read the answers; everybody else's are refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origins {
    /// Nobody's.
    Nobody,
    /// Those that this machine serves itself: `localhost` and names below it, and loopback
    /// addresses.
    #[default]
    Loopback,
    /// Everybody's.
    Anybody,
    /// Those of these origins, as browsers spell them: `https://example.com`.
    These(Vec<HeaderValue>),
}

impl Origins {
    pub(crate) fn allow(&self, origin: &HeaderValue) -> bool {
        match self {
            Self::Nobody => false,
            Self::Loopback => is_loopback(origin),
            Self::Anybody => true,
            Self::These(origins) => origins.contains(origin),
        }
    }
}

/// Answers preflights, and lets pages read what the API says beside the response.
pub(crate) fn layer(origins: Arc<Origins>) -> CorsLayer {
    let told: [HeaderName; 7] = [
        wire::REQUEST_ID,
        wire::TRACE_ID,
        wire::EXECUTED_VERSION,
        wire::FUNCTION_ERROR,
        wire::LOG_RESULT,
        wire::REMAPPED_CONTENT_TYPE,
        wire::ERROR_TYPE,
    ];
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(move |origin, _| origins.allow(origin)))
        .allow_methods(AllowMethods::mirror_request())
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(told)
        .max_age(MAX_AGE)
}

fn is_loopback(origin: &HeaderValue) -> bool {
    let uri: Option<Uri> = origin.to_str().ok().and_then(|origin| origin.parse().ok());
    let uri = uri.as_ref().filter(|uri| uri.scheme().is_some());
    let Some(host) = uri.and_then(Uri::host) else { return false };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    match address {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machines_pages_are_told_from_all_others() {
        let is = |origin| Origins::Loopback.allow(&HeaderValue::from_static(origin));
        for own in [
            "http://localhost",
            "http://localhost:3000",
            "https://app.localhost:8443",
            "http://127.0.0.1:8080",
            "http://127.1.2.3",
            "http://[::1]:5173",
        ] {
            assert!(is(own), "{own}");
        }
        for other in [
            "null",
            "",
            "http://example.com",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://10.0.0.1",
            "http://notlocalhost",
            "file://",
            "localhost",
        ] {
            assert!(!is(other), "{other}");
        }
    }

    #[test]
    fn named_origins_are_taken_as_they_are_spelled() {
        let these = Origins::These(vec![HeaderValue::from_static("https://example.com")]);
        assert!(these.allow(&HeaderValue::from_static("https://example.com")));
        assert!(!these.allow(&HeaderValue::from_static("https://example.com:8443")));
        assert!(Origins::Anybody.allow(&HeaderValue::from_static("null")));
        assert!(!Origins::Nobody.allow(&HeaderValue::from_static("http://localhost")));
    }
}
