//! [`Cors`]: which pages of other origins may use a function's URL.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer, ExposeHeaders, MaxAge};

/// The CORS configuration of a function's URL, member by member as the service has it.
///
/// Preflight requests are answered without the function. What the function itself says about other
/// origins is left out of its responses: only the configuration counts. It says who may read, not
/// who may run: a request that browsers send without asking first invokes the function, whatever
/// its `Origin` is.
///
/// ```
/// use std::time::Duration;
/// use rapid_function_url::{Allow, Cors};
///
/// let cors = Cors {
///     allow_origins: "https://example.org, http://localhost:3000".parse()?,
///     allow_methods: "GET,POST".parse()?,
///     allow_headers: Allow::any(),
///     max_age: Some(Duration::from_secs(600)),
///     ..Cors::default()
/// };
/// # let _ = cors;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Source
/// Invoke API, "Function URL / HTTP API response mapping".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    /// From where pages may come.
    pub allow_origins: Allow<HeaderValue>,
    /// What they may ask with, beside what every page may.
    pub allow_methods: Allow<Method>,
    /// Which headers they may send, beside what every page may.
    pub allow_headers: Allow<HeaderName>,
    /// Which headers of responses they may read. With credentials, any means none: browsers
    /// want them named then.
    pub expose_headers: Allow<HeaderName>,
    /// For how long browsers may remember the answer to a preflight request; in whole seconds.
    pub max_age: Option<Duration>,
    /// Whether pages may send cookies. Origins, methods and headers that may be any are then
    /// allowed by name, as browsers want it.
    pub allow_credentials: bool,
}

/// Any value, or those of a list; of an empty list, none.
///
/// It is read from a list with commas, in which `*` stands for any.
#[derive(Clone, PartialEq, Eq)]
pub struct Allow<T>(Option<Vec<T>>);

impl<T> Allow<T> {
    /// Any value.
    #[must_use]
    pub const fn any() -> Self {
        Self(None)
    }

    /// No value.
    #[must_use]
    pub const fn none() -> Self {
        Self(Some(Vec::new()))
    }
}

impl<T> Default for Allow<T> {
    /// None.
    fn default() -> Self {
        Self::none()
    }
}

impl<T: FromStr> FromStr for Allow<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let items = || text.split(',').map(str::trim).filter(|item| !item.is_empty());
        if items().any(|item| item == "*") {
            return Ok(Self::any());
        }
        items().map(T::from_str).collect::<Result<_, _>>().map(Some).map(Self)
    }
}

impl<T: fmt::Debug> fmt::Debug for Allow<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("*"),
            Some(list) => list.fmt(f),
        }
    }
}

impl Cors {
    /// The layer that does it.
    pub(crate) fn layer(self) -> CorsLayer {
        let Self { allow_origins, allow_methods, allow_headers, .. } = self;
        // Browsers take no `*` for a request with credentials, and the layer would panic.
        let by_name = self.allow_credentials;
        let origins = match allow_origins.0 {
            None if by_name => AllowOrigin::mirror_request(),
            None => AllowOrigin::any(),
            Some(origins) => AllowOrigin::list(origins),
        };
        let methods = match allow_methods.0 {
            None if by_name => AllowMethods::mirror_request(),
            None => AllowMethods::any(),
            Some(methods) => AllowMethods::list(methods),
        };
        let headers = match allow_headers.0 {
            None if by_name => AllowHeaders::mirror_request(),
            None => AllowHeaders::any(),
            Some(headers) => AllowHeaders::list(headers),
        };
        let exposed = match self.expose_headers.0 {
            None if by_name => ExposeHeaders::default(),
            None => ExposeHeaders::any(),
            Some(headers) => ExposeHeaders::list(headers),
        };
        CorsLayer::new()
            .allow_origin(origins)
            .allow_methods(methods)
            .allow_headers(headers)
            .expose_headers(exposed)
            .max_age(self.max_age.map_or_else(MaxAge::default, MaxAge::exact))
            .allow_credentials(self.allow_credentials)
    }
}

/// Removes what a response says about other origins.
pub(crate) fn remove(headers: &mut HeaderMap) {
    for name in [
        header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        header::ACCESS_CONTROL_ALLOW_METHODS,
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        header::ACCESS_CONTROL_MAX_AGE,
    ] {
        headers.remove(name);
    }
}

/// Whether a request only asks what it may do. The layer takes every `OPTIONS` for that; others
/// are for the function.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}
