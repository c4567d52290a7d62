//! [`SubscribeRequest`]: what a subscriber asks for, read and checked.

mod destination;
mod wire;

use std::ops::RangeInclusive;
use std::time::Duration;

use rapid_events::{Api, Category, Schema};

use crate::error::SubscribeError;
use destination::Uri;
pub use destination::{Destination, Strictness};

/// The longest body of a subscribe request, in bytes.
///
/// # Source
/// Telemetry API, "Endpoints".
pub const MAX_REQUEST_SIZE: usize = 1024 * 1024;

const MAX_ITEMS: RangeInclusive<u32> = 1000..=10_000;
const MAX_BYTES: RangeInclusive<u32> = 262_144..=1_048_576;
const TIMEOUT_MS: RangeInclusive<u32> = 25..=30_000;

/// A subscription that makes sense.
///
/// Two requests are equal if they ask for the same, however they are spelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeRequest {
    /// The version of the records; it also tells the API.
    pub schema: Schema,
    /// Whose records are wanted.
    pub categories: Categories,
    /// How records are put together.
    pub buffering: Buffering,
    /// Where they are sent.
    pub destination: Destination,
}

/// A set of categories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Categories {
    platform: bool,
    function: bool,
    extension: bool,
}

impl Categories {
    /// Whether it has this one.
    #[must_use]
    pub const fn has(self, category: Category) -> bool {
        match category {
            Category::Platform => self.platform,
            Category::Function => self.function,
            Category::Extension => self.extension,
        }
    }

    /// Those that it has, in the order in which the service lists them.
    pub fn iter(self) -> impl Iterator<Item = Category> {
        Category::ALL.into_iter().filter(move |category| self.has(*category))
    }

    /// Adds one; `false` if it has been there.
    const fn add(&mut self, category: Category) -> bool {
        let has = match category {
            Category::Platform => &mut self.platform,
            Category::Function => &mut self.function,
            Category::Extension => &mut self.extension,
        };
        let is_new = !*has;
        *has = true;
        is_new
    }
}

/// How many records are put together before they are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffering {
    /// This many are enough, 1000 to 10000.
    pub max_items: usize,
    /// This many bytes of records are enough, 262144 to 1048576.
    pub max_bytes: usize,
    /// The longest that the first of them waits, 25 ms to 30 s.
    pub timeout: Duration,
}

impl Default for Buffering {
    /// What the service does when a subscriber does not say.
    fn default() -> Self {
        Self { max_items: 10_000, max_bytes: 262_144, timeout: Duration::from_secs(1) }
    }
}

/// What a request is judged by beside itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Whose names for the sandbox are understood.
    pub strictness: Strictness,
    /// The port of the Runtime API, which is no destination.
    pub runtime_api_port: Option<u16>,
}

impl SubscribeRequest {
    /// Reads the body of a request to `api` and checks it.
    ///
    /// # Errors
    /// [`SubscribeError`], in the service's words where they are known.
    ///
    /// # Source
    /// Telemetry API, "Subscribe request" and "Subscribe responses". The words about repeated
    /// types, a port or a path that is none, and the Runtime API's port are ours.
    pub fn parse(api: Api, body: &[u8], rules: &Rules) -> Result<Self, SubscribeError> {
        if body.len() > MAX_REQUEST_SIZE {
            return Err(SubscribeError::TooLarge(api));
        }
        let body: wire::Body = serde_json::from_slice(body)
            .map_err(|error| SubscribeError::Malformed(api, error.to_string().into()))?;
        let schema = schema(api, body.schema_version);
        let categories = categories(&body.types);
        let buffering = buffering(&body.buffering.unwrap_or_default());
        let (place, access) = match body.destination {
            wire::Destination::Http { uri, method } => {
                let uri = Uri::split(&uri);
                (http_place(&uri, method), access(api, &uri, rules.strictness))
            }
            wire::Destination::Tcp { port } => (Ok(Destination::Tcp { port: port.get() }), Ok(())),
        };
        let place = place.and_then(|place| not_the_runtime_api(place, rules));
        // Where a subscriber may not listen is looked at before the port, but after everything else.
        if schema.is_ok() && categories.is_ok() && buffering.is_ok() {
            access?;
        }
        match (schema, place, categories, buffering) {
            (Ok(schema), Ok(destination), Ok(categories), Ok(buffering)) => {
                Ok(Self { schema, categories, buffering, destination })
            }
            (schema, place, categories, buffering) => {
                let single = [schema.err(), place.err(), categories.err()];
                let faults: Vec<String> = single
                    .into_iter()
                    .flatten()
                    .chain(buffering.err().unwrap_or_default())
                    .collect();
                Err(SubscribeError::Invalid(api, faults.join("; ").into()))
            }
        }
    }

    /// The API that it was sent to.
    #[must_use]
    pub const fn api(&self) -> Api {
        self.schema.api()
    }
}

fn schema(api: Api, version: Option<Schema>) -> Result<Schema, String> {
    match (api, version) {
        (Api::Logs, None) => Ok(Schema::Logs20200815),
        (_, Some(schema)) if schema.api() == api => Ok(schema),
        (Api::Logs, Some(_)) => {
            Err("LogsAPI only supports the following SchemaVersion: 2020-08-15, 2021-03-18".into())
        }
        (Api::Telemetry, _) => {
            Err("TelemetryAPI only supports the SchemaVersion released after 2021-03-18".into())
        }
    }
}

fn categories(types: &[wire::Type]) -> Result<Categories, String> {
    if types.is_empty() {
        return Err("types should not be empty".into());
    }
    let mut categories = Categories::default();
    for wanted in types {
        let Some(category) = wanted.category() else {
            return Err("Unrecognized enum variant".into());
        };
        if !categories.add(category) {
            return Err("types should not have duplicates".into());
        }
    }
    Ok(categories)
}

fn buffering(wanted: &wire::Buffering) -> Result<Buffering, Vec<String>> {
    let mut buffering = Buffering::default();
    let mut faults = Vec::new();
    let mut within = |name: &str, value: Option<u32>, range: RangeInclusive<u32>| {
        let value = value?;
        if range.contains(&value) {
            return Some(value);
        }
        faults.push(format!("{name} should be between {} and {}", range.start(), range.end()));
        None
    };
    if let Some(items) = within("maxItems", wanted.max_items, MAX_ITEMS) {
        buffering.max_items = items as usize;
    }
    if let Some(bytes) = within("maxBytes", wanted.max_bytes, MAX_BYTES) {
        buffering.max_bytes = bytes as usize;
    }
    if let Some(millis) = within("timeoutMs", wanted.timeout_ms, TIMEOUT_MS) {
        buffering.timeout = Duration::from_millis(millis.into());
    }
    if faults.is_empty() { Ok(buffering) } else { Err(faults) }
}

/// Whether a subscriber may listen there at all.
fn access(api: Api, uri: &Uri<'_>, strictness: Strictness) -> Result<(), SubscribeError> {
    if !uri.scheme.eq_ignore_ascii_case("http") {
        return Err(SubscribeError::Scheme(api));
    }
    if !strictness.allows(uri.host) {
        return Err(SubscribeError::Host(api));
    }
    Ok(())
}

fn http_place(uri: &Uri<'_>, method: http::Method) -> Result<Destination, String> {
    if uri.port.is_empty() {
        return Err("URI port is not provided".into());
    }
    // A sign would be read as a part of the number.
    let digits = uri.port.bytes().all(|byte| byte.is_ascii_digit());
    let port = uri.port.parse().ok().filter(|port| digits && *port > 0);
    let Some(port) = port else { return Err("URI port is not valid".into()) };
    let Some(target) = uri.path_and_query() else { return Err("URI path is not valid".into()) };
    Ok(Destination::Http { port, target, method })
}

fn not_the_runtime_api(destination: Destination, rules: &Rules) -> Result<Destination, String> {
    let port = destination.port();
    if rules.runtime_api_port == Some(port) {
        return Err(format!("port {port} is used by the Runtime API"));
    }
    Ok(destination)
}

#[cfg(test)]
mod tests {
    use http::Method;
    use http::uri::PathAndQuery;
    use proptest::prelude::*;

    use super::*;

    const RULES: Rules = Rules { strictness: Strictness::Aws, runtime_api_port: Some(9001) };

    fn parse(api: Api, body: &str) -> Result<SubscribeRequest, SubscribeError> {
        SubscribeRequest::parse(api, body.as_bytes(), &RULES)
    }

    /// The answer's status and body.
    fn refusal(api: Api, body: &str) -> (u16, String) {
        let error = parse(api, body).expect_err(body);
        (error.status().as_u16(), error.body())
    }

    /// A good request to the Telemetry API with one piece of it exchanged.
    fn with(piece: &str, other: &str) -> String {
        let good = r#"{"schemaVersion":"2025-01-29","types":["platform"],"buffering":{"maxItems":1000,"maxBytes":262144,"timeoutMs":100},"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:8080/path"}}"#;
        assert!(good.contains(piece), "{piece}");
        good.replace(piece, other)
    }

    #[test]
    fn a_whole_request_is_read() {
        let body = r#"{"schemaVersion":"2025-01-29",
 "types":["platform","function","extension"],
 "buffering":{"maxItems":1000,"maxBytes":262144,"timeoutMs":100},
 "destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:8080/path?a=b","method":"PUT","encoding":"JSON"}}"#;
        let request = parse(Api::Telemetry, body).unwrap();
        let categories = Categories { platform: true, function: true, extension: true };
        assert_eq!(
            request,
            SubscribeRequest {
                schema: Schema::Telemetry20250129,
                categories,
                buffering: Buffering {
                    max_items: 1000,
                    max_bytes: 262_144,
                    timeout: Duration::from_millis(100),
                },
                destination: Destination::Http {
                    port: 8080,
                    target: "/path?a=b".parse().unwrap(),
                    method: Method::PUT,
                },
            }
        );
        assert_eq!(request.api(), Api::Telemetry);
        assert_eq!(request.categories.iter().collect::<Vec<_>>(), Category::ALL);
    }

    #[test]
    fn what_is_not_said_has_the_services_defaults() {
        let body = r#"{"types":["function"],"destination":{"protocol":"TCP","port":9002}}"#;
        let request = parse(Api::Logs, body).unwrap();
        assert_eq!(
            request,
            SubscribeRequest {
                schema: Schema::Logs20200815,
                categories: Categories { function: true, ..Categories::default() },
                buffering: Buffering {
                    max_items: 10_000,
                    max_bytes: 262_144,
                    timeout: Duration::from_millis(1000),
                },
                destination: Destination::Tcp { port: 9002 },
            }
        );
        let null = r#"{"types":["function"],"buffering":{"maxItems":null},"destination":{"protocol":"TCP","port":9002,"URI":null},"unknown":{"a":[1]}}"#;
        assert_eq!(parse(Api::Logs, null).as_ref(), Ok(&request));
        let http = r#"{"schemaVersion":"2021-03-18","types":["function"],"destination":{"protocol":"HTTP","URI":"http://sandbox:9002"}}"#;
        assert_eq!(
            parse(Api::Logs, http).unwrap().destination,
            Destination::Http {
                port: 9002,
                target: PathAndQuery::from_static("/"),
                method: Method::POST
            }
        );
    }

    #[test]
    fn the_order_of_types_and_the_name_of_the_sandbox_make_no_other_request() {
        let a = with(r#"["platform"]"#, r#"["function","platform"]"#);
        let b = with(r#"["platform"]"#, r#"["platform","function"]"#);
        let b = b.replace("sandbox.localdomain", "sandbox");
        assert_eq!(parse(Api::Telemetry, &a), parse(Api::Telemetry, &b));
    }

    #[test]
    fn every_recorded_refusal_has_its_very_bytes() {
        let cases = [
            (
                r#"{"types": ["bogus"]}"#.to_owned(),
                400,
                r#"{"errorType":"Telemetry.DeserializationError","errorMessage":"unknown variant `bogus`, expected one of `platform.start`, `platform.end`, `platform.report`, `platform.fault`, `platform.extension`, `platform.logsDropped`, `platform.logsSubscription`, `platform.telemetrySubscription`, `platform.runtimeDone`, `platform.initStart`, `platform.initRuntimeDone`, `platform.initReport`, `platform.restoreStart`, `platform.restoreRuntimeDone`, `platform.restoreReport`, `platform`, `function`, `extension` at line 1 column 18"}"#,
            ),
            (
                r#"{"types": ["platform", "function"], "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:123"}, "schemaVersion": "2099-01-01"}"#.to_owned(),
                400,
                r#"{"errorType":"Telemetry.DeserializationError","errorMessage":"unknown variant `2099-01-01`, expected one of `2020-08-15`, `2021-03-18`, `2022-07-01`, `2022-12-13`, `2025-01-29` at line 1 column 143"}"#,
            ),
            (
                r#"{"types": ["platform", "function"], "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:8080", "method": "GET"}}"#.to_owned(),
                400,
                r#"{"errorType":"Telemetry.DeserializationError","errorMessage":"unknown variant `GET`, expected `POST` or `PUT` at line 1 column 129"}"#,
            ),
            (
                r#"{"types":["platform"]}"#.to_owned(),
                400,
                r#"{"errorType":"Telemetry.DeserializationError","errorMessage":"missing field `destination` at line 1 column 22"}"#,
            ),
            (
                with(r#"["platform"]"#, r#"["platform","platform.start"]"#),
                400,
                r#"{"errorType":"Telemetry.ValidationError","errorMessage":"Unrecognized enum variant"}"#,
            ),
            (
                with("2025-01-29", "2021-03-18"),
                400,
                r#"{"errorType":"Telemetry.ValidationError","errorMessage":"TelemetryAPI only supports the SchemaVersion released after 2021-03-18"}"#,
            ),
            (
                with(r#""schemaVersion":"2025-01-29","#, ""),
                400,
                r#"{"errorType":"Telemetry.ValidationError","errorMessage":"TelemetryAPI only supports the SchemaVersion released after 2021-03-18"}"#,
            ),
            (
                with(r#"["platform"]"#, "[]"),
                400,
                r#"{"errorType":"Telemetry.ValidationError","errorMessage":"types should not be empty"}"#,
            ),
            (
                with(":1000,", ":999,"),
                400,
                r#"{"errorType":"Telemetry.ValidationError","errorMessage":"maxItems should be between 1000 and 10000"}"#,
            ),
            (
                with("262144", "1048577"),
                400,
                r#"{"errorType":"Telemetry.ValidationError","errorMessage":"maxBytes should be between 262144 and 1048576"}"#,
            ),
            (
                with(":100}", ":24}"),
                400,
                r#"{"errorType":"Telemetry.ValidationError","errorMessage":"timeoutMs should be between 25 and 30000"}"#,
            ),
            (
                with(":8080", ""),
                400,
                r#"{"errorType":"Telemetry.ValidationError","errorMessage":"URI port is not provided"}"#,
            ),
            (
                with(":8080", "").replace(r#"["platform"]"#, "[]"),
                400,
                r#"{"errorType":"Telemetry.ValidationError","errorMessage":"URI port is not provided; types should not be empty"}"#,
            ),
            (
                with("http://", "https://"),
                403,
                r#"{"errorType":"Telemetry.AccessDenied","errorMessage":"Only 'http' scheme is supported."}"#,
            ),
            (
                with("sandbox.localdomain", "example.com"),
                403,
                r#"{"errorType":"Telemetry.AccessDenied","errorMessage":"Only 'sandbox.localdomain' hostname is supported."}"#,
            ),
        ];
        for (body, status, answer) in cases {
            assert_eq!(refusal(Api::Telemetry, &body), (status, answer.to_owned()), "{body}");
        }
    }

    #[test]
    fn the_logs_api_refuses_in_its_own_name() {
        assert_eq!(
            refusal(Api::Logs, &with("", "")),
            (
                400,
                r#"{"errorType":"Logs.ValidationError","errorMessage":"LogsAPI only supports the following SchemaVersion: 2020-08-15, 2021-03-18"}"#
                    .to_owned()
            )
        );
        assert_eq!(
            refusal(Api::Logs, "{"),
            (
                400,
                r#"{"errorType":"Logs.DeserializationError","errorMessage":"EOF while parsing an object at line 1 column 1"}"#
                    .to_owned()
            )
        );
    }

    #[test]
    fn a_body_of_another_shape_is_refused_in_the_json_librarys_words() {
        let rows = [
            ("", "EOF while parsing a value at line 1 column 0"),
            (r#"{"destination":{}}"#, "missing field `protocol` at line 1 column 17"),
            (
                r#"{"types":[],"destination":{"protocol":"HTTP"}}"#,
                "missing field `URI` at line 1 column 46",
            ),
            (
                r#"{"types":[],"destination":{"protocol":"TCP"}}"#,
                "missing field `port` at line 1 column 45",
            ),
            (
                r#"{"types":[],"destination":{"protocol":"UDP"}}"#,
                "unknown variant `UDP`, expected `HTTP` or `TCP` at line 1 column 43",
            ),
            (
                r#"{"types":[],"destination":{"protocol":"TCP","port":0}}"#,
                "invalid value: integer `0`, expected a nonzero u16 at line 1 column 52",
            ),
            (
                r#"{"types":[],"destination":{"protocol":"TCP","port":65536}}"#,
                "invalid value: integer `65536`, expected a nonzero u16 at line 1 column 56",
            ),
            (
                r#"{"types":[],"destination":{"encoding":"XML"}}"#,
                "unknown variant `XML`, expected `JSON` at line 1 column 43",
            ),
            (
                "{\"types\":[],\n \"buffering\":{\"maxItems\":-1}}",
                "invalid value: integer `-1`, expected u32 at line 2 column 27",
            ),
        ];
        for (body, message) in rows {
            let expected = SubscribeError::Malformed(Api::Telemetry, message.into());
            assert_eq!(parse(Api::Telemetry, body), Err(expected), "{body}");
        }
        assert!(matches!(
            SubscribeRequest::parse(Api::Logs, b"{\"types\":[\"\xff\"]}", &RULES),
            Err(SubscribeError::Malformed(..))
        ));
    }

    #[test]
    fn all_values_that_make_no_sense_are_told_at_once() {
        let body = r#"{"types":[],"buffering":{"maxItems":1,"maxBytes":2,"timeoutMs":3},"destination":{"protocol":"HTTP","URI":"https://example.com"}}"#;
        let expected = "TelemetryAPI only supports the SchemaVersion released after 2021-03-18; \
                        URI port is not provided; types should not be empty; \
                        maxItems should be between 1000 and 10000; \
                        maxBytes should be between 262144 and 1048576; \
                        timeoutMs should be between 25 and 30000";
        assert_eq!(
            parse(Api::Telemetry, body),
            Err(SubscribeError::Invalid(Api::Telemetry, expected.into()))
        );
    }

    #[test]
    fn the_destinations_place_is_judged_before_its_port() {
        let body = with("http://sandbox.localdomain:8080/path", "https://example.com");
        assert_eq!(parse(Api::Telemetry, &body), Err(SubscribeError::Scheme(Api::Telemetry)));
        let body = with("http://sandbox.localdomain:8080/path", "http://example.com");
        assert_eq!(parse(Api::Telemetry, &body), Err(SubscribeError::Host(Api::Telemetry)));
    }

    #[test]
    fn what_the_contract_has_no_words_for_is_refused_in_ours() {
        let rows = [
            (with(":8080", ":0"), "URI port is not valid"),
            (with(":8080", ":65536"), "URI port is not valid"),
            (with(":8080", ":+80"), "URI port is not valid"),
            (with(":8080", ":x"), "URI port is not valid"),
            (with("/path", "/a b"), "URI path is not valid"),
            (with(":8080", ":9001"), "port 9001 is used by the Runtime API"),
            (
                with(r#"["platform"]"#, r#"["platform","platform"]"#),
                "types should not have duplicates",
            ),
        ];
        for (body, message) in rows {
            let expected = SubscribeError::Invalid(Api::Telemetry, message.into());
            assert_eq!(parse(Api::Telemetry, &body), Err(expected), "{body}");
        }
        let tcp = r#"{"types":["function"],"destination":{"protocol":"TCP","port":9001}}"#;
        let message = "port 9001 is used by the Runtime API";
        assert_eq!(parse(Api::Logs, tcp), Err(SubscribeError::Invalid(Api::Logs, message.into())));
    }

    #[test]
    fn the_limits_themselves_are_within() {
        for (piece, others) in [
            (":1000,", [":1000,", ":10000,"]),
            ("262144", ["262144", "1048576"]),
            (":100}", [":25}", ":30000}"]),
        ] {
            for other in others {
                assert!(parse(Api::Telemetry, &with(piece, other)).is_ok(), "{other}");
            }
        }
    }

    #[test]
    fn local_names_of_the_sandbox_are_understood_unless_told_otherwise() {
        let local = Rules::default();
        for host in ["", "0.0.0.0", "localhost", "127.0.0.1", "[::1]"] {
            let body = with("sandbox.localdomain", host);
            assert!(SubscribeRequest::parse(Api::Telemetry, body.as_bytes(), &local).is_ok());
            assert_eq!(parse(Api::Telemetry, &body), Err(SubscribeError::Host(Api::Telemetry)));
        }
    }

    #[test]
    fn a_long_body_is_refused_unread() {
        let body = " ".repeat(MAX_REQUEST_SIZE);
        assert!(matches!(parse(Api::Logs, &body), Err(SubscribeError::Malformed(..))));
        let body = " ".repeat(MAX_REQUEST_SIZE + 1);
        assert_eq!(parse(Api::Logs, &body), Err(SubscribeError::TooLarge(Api::Logs)));
    }

    proptest! {
        #[test]
        fn no_body_makes_the_reader_panic(
            body: Vec<u8>,
            uri: String,
            number: i64,
            local: bool,
        ) {
            let strictness = if local { Strictness::Local } else { Strictness::Aws };
            let rules = Rules { strictness, ..RULES };
            let shaped = serde_json::json!({
                "schemaVersion": "2025-01-29",
                "types": ["platform"],
                "buffering": {"maxItems": number, "maxBytes": number, "timeoutMs": number},
                "destination": {"protocol": "HTTP", "URI": uri, "port": number},
            });
            for body in [body, shaped.to_string().into_bytes()] {
                for api in [Api::Telemetry, Api::Logs] {
                    if let Err(error) = SubscribeRequest::parse(api, &body, &rules) {
                        let answer: serde_json::Value = serde_json::from_str(&error.body()).unwrap();
                        prop_assert!(answer["errorType"].is_string());
                    }
                }
            }
        }
    }
}
