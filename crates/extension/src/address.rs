//! [`Address`]: where the API listens.

use std::env;

use http::HeaderValue;
use http::uri::Authority;

use crate::error::Error;
use crate::wire;

/// Where the API listens: host and port, checked once.
#[derive(Clone, Debug)]
pub(crate) struct Address(HeaderValue);

impl Address {
    /// The address that the platform gives to whatever it starts.
    ///
    /// # Errors
    /// [`Error::NotConfigured`] without the variable, or with an empty one; [`Error::BadAddress`].
    pub(crate) fn from_env() -> Result<Self, Error> {
        match env::var_os(wire::ADDRESS) {
            Some(value) if !value.is_empty() => Self::parse(&value.to_string_lossy()),
            Some(_) | None => Err(Error::NotConfigured),
        }
    }

    /// Reads `host:port`.
    ///
    /// # Errors
    /// [`Error::BadAddress`]. The port has to be there: nobody serves this API at port 80.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let bad = || Error::BadAddress { value: text.to_owned() };
        let authority: Authority = text.parse().map_err(|_| bad())?;
        let complete = authority.port_u16().is_some() && !authority.host().is_empty();
        if !complete || text.contains('@') {
            return Err(bad());
        }
        HeaderValue::from_str(text).map(Self).map_err(|_| bad())
    }

    /// As the `Host` header of a request has it.
    pub(crate) fn to_header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// As text, which is also what a socket can be connected to.
    pub(crate) fn as_str(&self) -> &str {
        // An authority has visible ASCII only.
        self.0.to_str().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for good in ["127.0.0.1:9001", "[::1]:9001", "localhost:80", "sandbox.local:65535"] {
            assert_eq!(Address::parse(good).unwrap().as_str(), good);
        }
        for bad in
            ["", "9001", "localhost", ":9001", "h:", "h:66000", "http://h:1", "h:1/x", "u@h:1"]
        {
            let error = Address::parse(bad).unwrap_err();
            assert!(matches!(error, Error::BadAddress { value } if value == bad), "{bad}");
        }
    }
}
