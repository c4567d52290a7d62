//! [`Endpoint`]: where an Invoke API is.

use std::fmt;

use rapid_http::client::{Address, AddressError};

/// The address of an Invoke API: `http://host[:port][/base]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Where to connect to, and what follows.
    pub(crate) address: Address,
}

impl Endpoint {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let address: Address = text.parse().map_err(|error| {
            if error == AddressError::Https {
                format!("{error}. For the service itself there are the AWS CLI and the SDKs")
            } else {
                format!("{error}; give it as in http://localhost:8080")
            }
        })?;
        let endpoint = Self { address };
        let uri = endpoint.address.uri();
        if uri.path().contains("/functions/") || uri.query().is_some() {
            let authority = endpoint.authority();
            return Err(format!(
                "the address alone is wanted, http://{authority}; --function-name and --qualifier \
                 name the function"
            ));
        }
        Ok(endpoint)
    }

    /// What stands before the API's own paths, without a slash at the end.
    pub(crate) fn base(&self) -> &str {
        self.address.uri().path().trim_end_matches('/')
    }

    /// Host and port as they were written.
    fn authority(&self) -> &str {
        self.address.uri().authority().map_or("", |authority| authority.as_str())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.base())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_http_address() {
        for (text, base, shown) in [
            ("http://localhost:8080", "", "http://localhost:8080"),
            ("http://127.0.0.1:8080/", "", "http://127.0.0.1:8080"),
            ("http://[::1]:9000", "", "http://[::1]:9000"),
            ("http://gateway/lambda/", "/lambda", "http://gateway/lambda"),
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!((endpoint.base(), endpoint.to_string().as_str()), (base, shown));
        }
    }

    #[test]
    fn what_is_none_is_told_what_to_write() {
        for (text, told) in [
            ("https://lambda.us-east-1.amazonaws.com", "the AWS CLI and the SDKs"),
            ("localhost:8080", "http://localhost:8080"),
            ("localhost", "http://localhost:8080"),
            ("", "http://localhost:8080"),
            ("http://", "http://localhost:8080"),
            ("http://:8080", "http://localhost:8080"),
            ("http://a:0", "from 1 to 65535"),
            ("http://a:99999", "http://localhost:8080"),
            ("http://me:secret@a", "no user and no password; give it as"),
            ("ftp://a", "http://HOST"),
            (
                "http://a:1/2015-03-31/functions/function/invocations",
                "alone is wanted, http://a:1;",
            ),
            ("http://a?Qualifier=1", "--qualifier"),
        ] {
            let error = Endpoint::parse(text).unwrap_err();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
