//! The settings of a function's URL.

use std::str::FromStr;

use http::{HeaderName, HeaderValue, Method};
use rapid::UrlSettings;
use rapid::function_url::{Allow, Cors};
use rapid_interop::mode::{InvokeResponseMode, ResponseMode};

use super::{Values, Vars, is_origin};

/// What the others are about.
const URL: &str = "function-url";
/// What turns CORS on.
const ORIGINS: &str = "function-url-cors-origins";

impl<V: Vars> Values<'_, V> {
    /// Where and how the function is served as plain HTTP, if an address was given.
    pub(super) fn function_url(&mut self) -> Option<UrlSettings> {
        let address = self.address(URL, "0.0.0.0");
        let mode = self.read("function-url-mode", "buffered or streamed", mode);
        let cors = self.cors();
        self.needs("function-url-mode", URL);
        self.needs(ORIGINS, URL);
        Some(UrlSettings { address: address?, mode: mode.unwrap_or_default(), cors })
    }

    /// Which pages of other origins may use it, if any origin was given.
    fn cors(&mut self) -> Option<Cors> {
        let origins: Option<Allow<HeaderValue>> =
            self.list(ORIGINS, "* or origins like https://example.com", is_origin);
        let methods: Option<Allow<Method>> =
            self.list("function-url-cors-methods", "* or methods like GET,POST", |method| {
                method.bytes().all(|byte| byte.is_ascii_uppercase())
            });
        let names = "* or names of headers like content-type,x-custom";
        let headers: Option<Allow<HeaderName>> =
            self.list("function-url-cors-headers", names, |_| true);
        let expose: Option<Allow<HeaderName>> =
            self.list("function-url-cors-expose", names, |_| true);
        let max_age = self.seconds("function-url-cors-max-age", 0);
        let credentials =
            self.read("function-url-cors-credentials", "on or off", |text| match text {
                "on" | "true" => Some(true),
                "off" | "false" => Some(false),
                _ => None,
            });
        for key in [
            "function-url-cors-methods",
            "function-url-cors-headers",
            "function-url-cors-expose",
            "function-url-cors-max-age",
            "function-url-cors-credentials",
        ] {
            self.needs(key, ORIGINS);
        }
        Some(Cors {
            allow_origins: origins?,
            allow_methods: methods.unwrap_or_default(),
            allow_headers: headers.unwrap_or_default(),
            expose_headers: expose.unwrap_or_default(),
            max_age,
            allow_credentials: credentials.unwrap_or(false),
        })
    }

    /// The items between commas, none of them empty.
    fn list<T: FromStr>(
        &mut self,
        key: &str,
        allowed: &str,
        is_item: impl Fn(&str) -> bool,
    ) -> Option<Allow<T>> {
        self.read(key, allowed, |text| {
            let mut items = text.split(',').map(str::trim);
            let fit = items.all(|item| item == "*" || !item.is_empty() && is_item(item));
            text.parse().ok().filter(|_| fit)
        })
    }

    /// A setting that means nothing alone is a mistake.
    fn needs(&mut self, key: &str, other: &str) {
        if let Some(source) = self.source(key)
            && self.source(other).is_none()
        {
            self.problems.push(format!("{source}: means nothing without --{other}"));
        }
    }
}

fn mode(text: &str) -> Option<InvokeResponseMode> {
    match text {
        "buffered" => Some(InvokeResponseMode(ResponseMode::Buffered)),
        "streamed" => Some(InvokeResponseMode(ResponseMode::Streaming)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::super::tests::resolve;
    use super::*;

    #[track_caller]
    fn url(flags: &str) -> Option<UrlSettings> {
        resolve(&format!("rapid {flags} x"), &[]).unwrap().function_url
    }

    #[track_caller]
    fn problems(flags: &str) -> String {
        resolve(&format!("rapid {flags} x"), &[]).unwrap_err().to_string()
    }

    #[test]
    fn there_is_none_unless_its_address_is_given() {
        assert!(url("").is_none());
        let url = url("--function-url :8081").unwrap();
        assert_eq!(url.address, SocketAddr::from(([0, 0, 0, 0], 8081)));
        assert_eq!(url.mode, InvokeResponseMode(ResponseMode::Buffered));
        assert_eq!(url.cors, None);
    }

    #[test]
    fn responses_are_whole_or_streamed() {
        for (text, mode) in
            [("buffered", ResponseMode::Buffered), ("streamed", ResponseMode::Streaming)]
        {
            let flags = format!("--function-url :0 --function-url-mode {text}");
            assert_eq!(url(&flags).unwrap().mode.0, mode);
        }
    }

    #[test]
    fn origins_turn_cors_on_and_the_rest_is_as_little_as_possible() {
        let cors = url("--function-url :0 --function-url-cors-origins *").unwrap().cors.unwrap();
        assert_eq!(cors, Cors { allow_origins: Allow::any(), ..Cors::default() });
    }

    #[test]
    fn every_part_of_cors_can_be_said() {
        let flags = "--function-url :0 \
            --function-url-cors-origins https://example.com,http://localhost:3000 \
            --function-url-cors-methods GET,PUT --function-url-cors-headers X-Custom,content-type \
            --function-url-cors-expose * --function-url-cors-max-age 60 \
            --function-url-cors-credentials on";
        let expected = Cors {
            allow_origins: "https://example.com, http://localhost:3000".parse().unwrap(),
            allow_methods: "GET, PUT".parse().unwrap(),
            allow_headers: "x-custom, content-type".parse().unwrap(),
            expose_headers: Allow::any(),
            max_age: Some(Duration::from_secs(60)),
            allow_credentials: true,
        };
        assert_eq!(url(flags).unwrap().cors, Some(expected));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_what_is_allowed() {
        let flags = "--function-url nowhere --function-url-mode both \
            --function-url-cors-origins https://example.com/path \
            --function-url-cors-methods get --function-url-cors-headers a,,b \
            --function-url-cors-expose é --function-url-cors-max-age soon \
            --function-url-cors-credentials maybe";
        let problems = problems(flags);
        let lines: Vec<&str> = problems.lines().collect();
        assert_eq!(
            lines,
            [
                "--function-url: 'nowhere' is not a valid network address: a host and a port, as \
                 in 127.0.0.1:8080",
                "--function-url-mode: 'both' is not buffered or streamed",
                "--function-url-cors-origins: 'https://example.com/path' is not * or origins like \
                 https://example.com",
                "--function-url-cors-methods: 'get' is not * or methods like GET,POST",
                "--function-url-cors-headers: 'a,,b' is not * or names of headers like \
                 content-type,x-custom",
                "--function-url-cors-expose: 'é' is not * or names of headers like \
                 content-type,x-custom",
                "--function-url-cors-max-age: 'soon' is not a whole number of seconds from 0",
                "--function-url-cors-credentials: 'maybe' is not on or off",
            ]
        );
    }

    #[test]
    fn what_means_nothing_alone_is_told() {
        for (flags, expected) in [
            (
                "--function-url-mode streamed",
                "--function-url-mode: means nothing without --function-url",
            ),
            (
                "--function-url-cors-origins *",
                "--function-url-cors-origins: means nothing without --function-url",
            ),
            (
                "--function-url :0 --function-url-cors-max-age 1",
                "--function-url-cors-max-age: means nothing without --function-url-cors-origins",
            ),
        ] {
            assert_eq!(problems(flags), expected);
        }
        let vars = [("RAPID_FUNCTION_URL_CORS_CREDENTIALS", "off"), ("RAPID_FUNCTION_URL", ":0")];
        assert_eq!(
            resolve("rapid x", &vars).unwrap_err().to_string(),
            "the environment variable RAPID_FUNCTION_URL_CORS_CREDENTIALS: means nothing without \
             --function-url-cors-origins"
        );
    }
}
