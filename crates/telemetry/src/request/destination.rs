//! [`Destination`]: where a subscriber listens.

use http::Method;
use http::uri::PathAndQuery;

/// Where a subscriber listens: always on this machine's loopback, whatever the name it gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Batches are sent as HTTP requests.
    Http {
        /// The port.
        port: u16,
        /// The path and the query, as the subscriber gave them; at least `/`.
        target: PathAndQuery,
        /// `POST` or `PUT`.
        method: Method,
    },
    /// Events are written to a connection, one a line.
    Tcp {
        /// The port.
        port: u16,
    },
}

impl Destination {
    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        match self {
            Self::Http { port, .. } | Self::Tcp { port } => *port,
        }
    }
}

/// Whose names for the sandbox are understood in a destination.
///
/// # Source
/// Telemetry API, "Subscribe request".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// Only `sandbox.localdomain` and `sandbox`, as the service.
    Aws,
    /// Also what samples use when they know that they run locally: an empty name, `localhost`,
    /// `0.0.0.0`, `127.0.0.1` and `[::1]`.
    #[default]
    Local,
}

impl Strictness {
    /// Whether `host` is this sandbox.
    pub(super) fn allows(self, host: &str) -> bool {
        let is_one_of = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(host));
        is_one_of(&["sandbox.localdomain", "sandbox"])
            || (self == Self::Local
                && is_one_of(&["", "localhost", "0.0.0.0", "127.0.0.1", "[::1]"]))
    }
}

/// The longest path and query, in bytes: a URI with more could be subscribed but never asked for.
const MAX_TARGET: usize = 8 * 1024;

/// The parts of a URI that a subscription is judged by. It is taken apart here because hosts may be
/// empty, which is no URI to most readers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Uri<'a> {
    pub(super) scheme: &'a str,
    pub(super) host: &'a str,
    /// Empty when there is none.
    pub(super) port: &'a str,
    /// Path and query, without a fragment; it may be empty.
    pub(super) target: &'a str,
}

impl<'a> Uri<'a> {
    pub(super) fn split(text: &'a str) -> Self {
        // Without a scheme, all of it is what stands where the scheme should be.
        let (scheme, rest) = text.split_once("://").unwrap_or((text, ""));
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let (authority, target) = rest
            .split_at_checked(rest.find(['/', '?']).unwrap_or(rest.len()))
            .unwrap_or((rest, ""));
        // Colons inside brackets belong to an IPv6 address.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            Some(_) | None => (authority, ""),
        };
        Self { scheme, host, port, target }
    }

    /// What a request asks for; `None` if it cannot be asked for.
    pub(super) fn path_and_query(&self) -> Option<PathAndQuery> {
        if self.target.len() > MAX_TARGET {
            return None;
        }
        // http would take the target apart just like this, but not add the slash.
        let rooted = if self.target.starts_with('/') { "" } else { "/" };
        PathAndQuery::try_from(format!("{rooted}{}", self.target)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_cannot_be_asked_for() {
        let target = |length: usize| format!("http://sandbox:1/{}", "a".repeat(length));
        assert!(Uri::split(&target(MAX_TARGET - 1)).path_and_query().is_some());
        assert!(Uri::split(&target(MAX_TARGET)).path_and_query().is_none());
    }

    #[test]
    fn a_uri_is_taken_apart() {
        let rows = [
            (
                "http://sandbox.localdomain:8080/path",
                ("http", "sandbox.localdomain", "8080", "/path"),
            ),
            ("http://sandbox:8080", ("http", "sandbox", "8080", "")),
            ("http://sandbox:8080?a=b:c", ("http", "sandbox", "8080", "?a=b:c")),
            ("http://sandbox:8080/a?b=c#d", ("http", "sandbox", "8080", "/a?b=c")),
            ("http://:4243/", ("http", "", "4243", "/")),
            ("http://[::1]:4243", ("http", "[::1]", "4243", "")),
            ("http://[::1]", ("http", "[::1]", "", "")),
            ("http://sandbox", ("http", "sandbox", "", "")),
            ("http://sandbox:", ("http", "sandbox", "", "")),
            ("http://user@sandbox:1", ("http", "user@sandbox", "1", "")),
            ("http://", ("http", "", "", "")),
            ("sandbox:8080", ("sandbox:8080", "", "", "")),
            ("", ("", "", "", "")),
        ];
        for (text, (scheme, host, port, target)) in rows {
            assert_eq!(Uri::split(text), Uri { scheme, host, port, target }, "{text}");
        }
    }

    #[test]
    fn a_target_is_kept_and_begins_with_a_slash() {
        let target = |text| Uri::split(text).path_and_query().map(|target| target.to_string());
        assert_eq!(target("http://sandbox:1/a/%20b?c=d&e").as_deref(), Some("/a/%20b?c=d&e"));
        assert_eq!(target("http://sandbox:1?c=d").as_deref(), Some("/?c=d"));
        assert_eq!(target("http://sandbox:1").as_deref(), Some("/"));
        assert_eq!(target("http://sandbox:1/a b"), None);
        assert_eq!(target("http://sandbox:1/a\r\nx: y"), None);
    }

    #[test]
    fn hosts_beside_the_sandboxs_names_are_known_locally_only() {
        for host in ["sandbox.localdomain", "sandbox", "SANDBOX.localdomain"] {
            assert!(Strictness::Aws.allows(host) && Strictness::Local.allows(host), "{host}");
        }
        for host in ["", "localhost", "0.0.0.0", "127.0.0.1", "[::1]", "Localhost"] {
            assert!(!Strictness::Aws.allows(host) && Strictness::Local.allows(host), "{host}");
        }
        for host in ["example.com", "sandbox.localdomain.example.com", "user@sandbox", "127.0.0.2"]
        {
            assert!(!Strictness::Aws.allows(host) && !Strictness::Local.allows(host), "{host}");
        }
    }
}
