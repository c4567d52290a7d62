//! [`Address`]: an `http` address that can be asked.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use http::uri::Scheme;
use http::{HeaderValue, Uri};

/// The port of an address that names none.
const DEFAULT_PORT: u16 = 80;

/// `http://HOST[:PORT][/PATH][?QUERY]`.
///
/// ```
/// use rapid_http::client::{Address, AddressError};
///
/// let address: Address = "http://[::1]:8080/hook".parse()?;
/// assert_eq!((address.host(), address.port()), ("::1", 8080));
/// assert_eq!("https://example.com".parse::<Address>(), Err(AddressError::Https));
/// # Ok::<(), AddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    uri: Uri,
    host: String,
    port: u16,
    name: HeaderValue,
}

/// Why something is no [`Address`]. What was written is not repeated: it may have a password in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It begins with `https:`.
    #[error("https is not supported, only http on a network that you trust")]
    Https,
    /// It is no absolute URI, or one of another scheme.
    #[error("it is not of the form http://HOST[:PORT][/PATH]")]
    Form,
    /// Something stands before an `@`.
    #[error("it names a user, and requests carry no user and no password")]
    User,
    /// Nothing stands where the host should.
    #[error("it names no host")]
    Host,
    /// What stands after the host is no port.
    #[error("its port is not a number from 1 to 65535")]
    Port,
}

impl Address {
    /// A name or an IP address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, 80 unless another one is named.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// All of it, with path and query.
    #[must_use]
    pub const fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Host and port as they were written: the value of `Host`.
    pub(super) const fn name(&self) -> &HeaderValue {
        &self.name
    }
}

impl TryFrom<Uri> for Address {
    type Error = AddressError;

    fn try_from(uri: Uri) -> Result<Self, AddressError> {
        let authority = match (uri.scheme(), uri.authority()) {
            (Some(scheme), _) if *scheme == Scheme::HTTPS => return Err(AddressError::Https),
            (Some(scheme), Some(authority)) if *scheme == Scheme::HTTP => authority,
            _ => return Err(AddressError::Form),
        };
        let written = authority.as_str();
        if written.contains('@') {
            return Err(AddressError::User);
        }
        let host = without_brackets(authority.host())?;
        if host.is_empty() {
            return Err(AddressError::Host);
        }
        // The parser of URIs lets anything follow the host, and takes a port that is none for none.
        let port = match written.strip_prefix(authority.host()).unwrap_or_default() {
            "" => DEFAULT_PORT,
            rest => port(rest.strip_prefix(':').ok_or(AddressError::Form)?)?,
        };
        let host = host.to_owned();
        let name = HeaderValue::from_str(written).map_err(|_| AddressError::Form)?;
        Ok(Self { uri, host, port, name })
    }
}

/// An IPv6 address stands in brackets in a URI, and without them elsewhere.
fn without_brackets(host: &str) -> Result<&str, AddressError> {
    let Some(inside) = host.strip_prefix('[') else { return Ok(host) };
    let inside = inside.strip_suffix(']').ok_or(AddressError::Form)?;
    inside.parse::<Ipv6Addr>().map(|_| inside).map_err(|_| AddressError::Form)
}

fn port(digits: &str) -> Result<u16, AddressError> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let port = is_number.then(|| digits.parse().ok()).flatten();
    port.filter(|port| *port > 0).ok_or(AddressError::Port)
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        text.parse::<Uri>().map_err(|_| AddressError::Form)?.try_into()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_where_to_connect_to_and_what_to_ask() {
        for (text, host, port, name, uri) in [
            ("http://localhost:9000/x?y", "localhost", 9000, "localhost:9000", "/x?y"),
            ("http://example", "example", 80, "example", "/"),
            ("HTTP://Example:080/", "Example", 80, "Example:080", "/"),
            ("http://127.0.0.1:65535", "127.0.0.1", 65535, "127.0.0.1:65535", "/"),
            ("http://[::1]:8080/", "::1", 8080, "[::1]:8080", "/"),
            ("http://[fe80::1]", "fe80::1", 80, "[fe80::1]", "/"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.host(), address.port()), (host, port), "{text}");
            assert_eq!(
                (address.name(), address.uri().path_and_query().unwrap().as_str()),
                (&HeaderValue::from_static(name), uri)
            );
            assert_eq!(address.to_string().parse(), Ok(address));
        }
    }

    #[test]
    fn what_is_none_is_refused_for_its_reason() {
        use AddressError::{Form, Host, Https, Port, User};

        for (text, error) in [
            ("https://example/", Https),
            ("HTTPS://me:secret@example/", Https),
            ("ftp://example/", Form),
            ("example", Form),
            ("example:80", Form),
            ("/path", Form),
            ("", Form),
            ("*", Form),
            ("http:", Form),
            ("http://", Form),
            ("http:///path", Form),
            ("http://a b/", Form),
            ("http://[::1", Form),
            ("http://[::1]x:80/", Form),
            ("http://[example]:80/", Form),
            ("http://[]:80/", Form),
            ("http://me@example/", User),
            ("http://me:secret@example:1/", User),
            ("http://@example/", User),
            ("http://:80/", Host),
            ("http://a:/", Port),
            ("http://a:0/", Port),
            ("http://a:b/", Port),
            ("http://a:+1/", Port),
            ("http://a:65536/", Port),
        ] {
            assert_eq!(text.parse::<Address>(), Err(error), "{text}");
        }
    }
}
