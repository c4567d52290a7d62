//! [`FunctionUrl`]: what a function's URL is, and how it answers.

use http::HeaderValue;
use rapid_interop::InvokeResponseMode;

use crate::cors::Cors;

/// The URL of a function.
#[derive(Clone, Debug)]
pub struct FunctionUrl {
    /// The function's ARN, as the runtime is told it.
    pub function_arn: HeaderValue,
    /// The id in the URL's domain, which events carry as `apiId` and `domainPrefix`.
    pub id: String,
    /// The region in the URL's domain.
    pub region: String,
    /// Whether responses are sent whole (`BUFFERED`) or while they are produced
    /// (`RESPONSE_STREAM`).
    pub mode: InvokeResponseMode,
    /// Which pages of other origins may use it; `None` leaves that to the function.
    pub cors: Option<Cors>,
}

impl FunctionUrl {
    /// The domain that the service would give it: `<id>.lambda-url.<region>.on.aws`.
    #[must_use]
    pub fn domain_name(&self) -> String {
        format!("{}.lambda-url.{}.on.aws", self.id, self.region)
    }

    /// Whether a `Host` is that of another function's URL. Whatever does not look like a URL of
    /// the service, such as `localhost:8080`, means this one.
    pub(crate) fn is_not(&self, host: &str) -> bool {
        host.split_once('.').is_some_and(|(id, rest)| {
            rest.starts_with("lambda-url.") && !id.eq_ignore_ascii_case(&self.id)
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn url() -> FunctionUrl {
        FunctionUrl {
            function_arn: HeaderValue::from_static(
                "arn:aws:lambda:eu-central-1:123456789012:function:f",
            ),
            id: "abc123".into(),
            region: "eu-central-1".into(),
            mode: InvokeResponseMode::default(),
            cors: None,
        }
    }

    #[test]
    fn only_the_domain_of_another_url_is_somebody_elses() {
        assert_eq!(url().domain_name(), "abc123.lambda-url.eu-central-1.on.aws");
        for own in [
            "",
            "localhost",
            "localhost:8080",
            "127.0.0.1",
            "abc123.lambda-url.eu-central-1.on.aws",
            "ABC123.lambda-url.us-east-1.on.aws:8080",
            "other.example.org",
        ] {
            assert!(!url().is_not(own), "{own}");
        }
        assert!(url().is_not("abc124.lambda-url.eu-central-1.on.aws"));
        assert!(url().is_not("x.lambda-url.localhost:3000"));
    }
}
