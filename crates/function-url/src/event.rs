//! The event of an HTTP request: payload format 2.0.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, Version, header};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use rapid_interop::EpochMillis;
use serde::Serialize;

use crate::headers;
use crate::wire;

const DEFAULT: &str = "$default";

/// What an event says beside the request itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings<'a> {
    /// The invocation.
    pub(crate) request_id: &'a str,
    /// The id of the URL, and its domain.
    pub(crate) url_id: &'a str,
    pub(crate) domain: &'a str,
    /// The tracing header as events have it.
    pub(crate) trace: &'a str,
    /// Who sent the request.
    pub(crate) client: IpAddr,
    /// When it came.
    pub(crate) time: EpochMillis,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    version: &'a str,
    route_key: &'a str,
    raw_path: &'a str,
    raw_query_string: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<Cow<'a, str>>,
    headers: BTreeMap<&'a str, Cow<'a, str>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_string_parameters: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    request_context: RequestContext<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    is_base64_encoded: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    account_id: &'a str,
    api_id: &'a str,
    domain_name: &'a str,
    domain_prefix: &'a str,
    http: Http<'a>,
    request_id: &'a str,
    route_key: &'a str,
    stage: &'a str,
    time: String,
    /// Milliseconds.
    time_epoch: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Http<'a> {
    method: &'a str,
    path: Cow<'a, str>,
    protocol: &'a str,
    source_ip: String,
    user_agent: Cow<'a, str>,
}

/// The event for a request and its whole body, as JSON.
///
/// # Source
/// Invoke API, "Function URL / HTTP API event". That a proxy's `X-Forwarded-Port` and
/// `X-Forwarded-Proto` are kept is ours.
pub(crate) fn event(mut parts: Parts, body: &[u8], around: Surroundings<'_>) -> Vec<u8> {
    headers::clean_request(&mut parts.headers);
    let path = parts.uri.path();
    let query = parts.uri.query().unwrap_or_default();
    let (text, is_base64_encoded) = text(body, &parts.headers);
    let event = Event {
        version: "2.0",
        route_key: DEFAULT,
        raw_path: path,
        raw_query_string: query,
        cookies: cookies(&parts.headers),
        headers: texts(&parts.headers, body.len(), around),
        query_string_parameters: parameters(query),
        request_context: RequestContext {
            account_id: "anonymous",
            api_id: around.url_id,
            domain_name: around.domain,
            domain_prefix: around.url_id,
            http: Http {
                method: parts.method.as_str(),
                path: percent_decode_str(path).decode_utf8_lossy(),
                protocol: protocol(parts.version),
                source_ip: around.client.to_string(),
                user_agent: first(&parts.headers, header::USER_AGENT).unwrap_or_default(),
            },
            request_id: around.request_id,
            route_key: DEFAULT,
            stage: DEFAULT,
            time: common_log_time(around.time),
            time_epoch: around.time.0,
        },
        body: text,
        is_base64_encoded,
    };
    // Texts always serialise; an empty event would still be an event.
    serde_json::to_vec(&event).unwrap_or_default()
}

/// A body as text: as it is, or in base64; `None` for an empty one.
fn text<'a>(body: &'a [u8], headers: &HeaderMap) -> (Option<Cow<'a, str>>, bool) {
    if body.is_empty() {
        return (None, false);
    }
    match std::str::from_utf8(body) {
        Ok(text) if is_text(headers) => (Some(text.into()), false),
        _ => (Some(STANDARD.encode(body).into()), true),
    }
}

/// Whether the media type is one of text; without any, the bytes decide.
fn is_text(headers: &HeaderMap) -> bool {
    let Some(content_type) = first(headers, header::CONTENT_TYPE) else { return true };
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let media_type = media_type.to_ascii_lowercase();
    media_type.is_empty()
        || media_type.starts_with("text/")
        || media_type.ends_with("+json")
        || media_type.ends_with("+xml")
        || matches!(
            media_type.as_str(),
            "application/json" | "application/javascript" | "application/xml"
        )
}

fn cookies(headers: &HeaderMap) -> Vec<Cow<'_, str>> {
    let lines = headers.get_all(header::COOKIE).into_iter();
    let cookies = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let cookies = cookies.map(<[u8]>::trim_ascii).filter(|cookie| !cookie.is_empty());
    cookies.map(String::from_utf8_lossy).collect()
}

/// The headers without cookies, and those that the service adds.
fn texts<'a>(
    headers: &'a HeaderMap,
    length: usize,
    around: Surroundings<'a>,
) -> BTreeMap<&'a str, Cow<'a, str>> {
    let mut texts = BTreeMap::new();
    for (name, value) in headers {
        if name != header::COOKIE {
            add(&mut texts, name.as_str(), String::from_utf8_lossy(value.as_bytes()), ",");
        }
    }
    texts.insert(wire::CONTENT_LENGTH, length.to_string().into());
    texts.insert(wire::TRACE_ID_NAME, around.trace.into());
    // Whoever comes through a proxy has come a longer way.
    add(&mut texts, wire::FORWARDED_FOR, around.client.to_string().into(), ", ");
    texts.entry(wire::FORWARDED_PORT).or_insert_with(|| port(headers).to_string().into());
    texts.entry(wire::FORWARDED_PROTO).or_insert("http".into());
    texts
}

/// The port that the client asked for.
fn port(headers: &HeaderMap) -> u16 {
    let host = headers.get(header::HOST);
    let host = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    host.and_then(|host| host.port_u16()).unwrap_or(80)
}

/// Decoded as forms are; values of one name are joined.
fn parameters(query: &str) -> BTreeMap<Cow<'_, str>, Cow<'_, str>> {
    let mut parameters = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        add(&mut parameters, name, value, ",");
    }
    parameters
}

fn add<'a, K: Ord>(
    map: &mut BTreeMap<K, Cow<'a, str>>,
    name: K,
    value: Cow<'a, str>,
    separator: &str,
) {
    match map.entry(name) {
        Entry::Vacant(place) => {
            place.insert(value);
        }
        Entry::Occupied(mut others) => {
            let others = others.get_mut().to_mut();
            others.push_str(separator);
            others.push_str(&value);
        }
    }
}

fn first(headers: &HeaderMap, name: HeaderName) -> Option<Cow<'_, str>> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()))
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

/// As in `15/Sep/2026:07:13:10 +0000`.
fn common_log_time(time: EpochMillis) -> String {
    let time = i64::try_from(time.0).ok().and_then(|time| Timestamp::from_millisecond(time).ok());
    time.unwrap_or_default().strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
}

#[cfg(test)]
mod tests {
    use http::Request;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const AROUND: Surroundings<'_> = Surroundings {
        request_id: "6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11",
        url_id: "abc123",
        domain: "abc123.lambda-url.eu-central-1.on.aws",
        trace: "Self=1-a-b;Root=1-c-d",
        client: IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7)),
        time: EpochMillis(1_789_456_390_123),
    };

    /// The event for a request line and headers, one a line.
    fn written(head: &str, body: impl AsRef<[u8]>) -> String {
        let mut lines = head.lines().map(str::trim);
        let (method, uri) = lines.next().unwrap().split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in lines.map(|line| line.split_once(':').unwrap()) {
            request = request.header(name, value.trim());
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        String::from_utf8(event(parts, body.as_ref(), AROUND)).unwrap()
    }

    fn read(head: &str, body: impl AsRef<[u8]>) -> Value {
        serde_json::from_str(&written(head, body)).unwrap()
    }

    #[test]
    fn a_bare_request_has_no_more_than_it_must() {
        let event = concat!(
            r#"{"version":"2.0","routeKey":"$default","rawPath":"/","rawQueryString":"","#,
            r#""headers":{"content-length":"0","host":"localhost:8080","#,
            r#""x-amzn-trace-id":"Self=1-a-b;Root=1-c-d","x-forwarded-for":"203.0.113.7","#,
            r#""x-forwarded-port":"8080","x-forwarded-proto":"http"},"#,
            r#""requestContext":{"accountId":"anonymous","apiId":"abc123","#,
            r#""domainName":"abc123.lambda-url.eu-central-1.on.aws","domainPrefix":"abc123","#,
            r#""http":{"method":"GET","path":"/","protocol":"HTTP/1.1","#,
            r#""sourceIp":"203.0.113.7","userAgent":""},"#,
            r#""requestId":"6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11","routeKey":"$default","#,
            r#""stage":"$default","time":"15/Sep/2026:07:13:10 +0000","#,
            r#""timeEpoch":1789456390123},"isBase64Encoded":false}"#,
        );
        assert_eq!(written("GET /\nhost: localhost:8080", ""), event);
    }

    #[test]
    fn a_full_request_has_everything_in_order() {
        let head = "POST /pa2%Fth/%C3%A4?a=1&b=x%20y&a=2
            Host: example.org
            User-Agent: curl/8
            Content-Type: application/json
            Cookie: a=1; b=2
            X-Twice: one
            X-Twice: two
            X-Amzn-Trace-Id: Root=1-c-d";
        let event = concat!(
            r#"{"version":"2.0","routeKey":"$default","rawPath":"/pa2%Fth/%C3%A4","#,
            r#""rawQueryString":"a=1&b=x%20y&a=2","cookies":["a=1","b=2"],"#,
            r#""headers":{"content-length":"7","content-type":"application/json","#,
            r#""host":"example.org","user-agent":"curl/8","#,
            r#""x-amzn-trace-id":"Self=1-a-b;Root=1-c-d","x-forwarded-for":"203.0.113.7","#,
            r#""x-forwarded-port":"80","x-forwarded-proto":"http","x-twice":"one,two"},"#,
            r#""queryStringParameters":{"a":"1,2","b":"x y"},"#,
            r#""requestContext":{"accountId":"anonymous","apiId":"abc123","#,
            r#""domainName":"abc123.lambda-url.eu-central-1.on.aws","domainPrefix":"abc123","#,
            r#""http":{"method":"POST","path":"/pa2%Fth/ä","protocol":"HTTP/1.1","#,
            r#""sourceIp":"203.0.113.7","userAgent":"curl/8"},"#,
            r#""requestId":"6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11","routeKey":"$default","#,
            r#""stage":"$default","time":"15/Sep/2026:07:13:10 +0000","#,
            r#""timeEpoch":1789456390123},"body":"{\"a\":1}","isBase64Encoded":false}"#,
        );
        assert_eq!(written(head, r#"{"a":1}"#), event);
    }

    #[test]
    fn paths_come_as_they_are_and_decoded() {
        for (uri, raw, decoded) in [
            ("/", "/", "/"),
            ("/a//b/../c", "/a//b/../c", "/a//b/../c"),
            ("/a%2Fb%20c+d", "/a%2Fb%20c+d", "/a/b c+d"),
            ("/%FF%zz%", "/%FF%zz%", "/\u{FFFD}%zz%"),
            ("http://example.org/x?y", "/x", "/x"),
            ("http://example.org", "/", "/"),
            ("*", "*", "*"),
        ] {
            let event = read(&format!("GET {uri}"), "");
            assert_eq!(event["rawPath"], raw, "{uri}");
            assert_eq!(event["requestContext"]["http"]["path"], decoded, "{uri}");
        }
    }

    #[test]
    fn queries_come_as_they_are_and_decoded() {
        for (query, decoded) in [
            ("a=1", json!({"a": "1"})),
            ("b=1&a=2&b=3", json!({"a": "2", "b": "1,3"})),
            ("a=&b&=c", json!({"a": "", "b": "", "": "c"})),
            ("a=x+y%2Bz", json!({"a": "x y+z"})),
            ("a%5B%5D=1&a[]=2", json!({"a[]": "1,2"})),
            ("a=1=2", json!({"a": "1=2"})),
            ("a=&a=", json!({"a": ","})),
            ("a=%FF", json!({"a": "\u{FFFD}"})),
        ] {
            let event = read(&format!("GET /?{query}"), "");
            assert_eq!(event["rawQueryString"], query);
            assert_eq!(event["queryStringParameters"], decoded, "{query}");
        }
        for uri in ["/", "/?", "/?&"] {
            assert_eq!(read(&format!("GET {uri}"), "").get("queryStringParameters"), None, "{uri}");
        }
    }

    #[test]
    fn cookies_are_a_list_and_no_header() {
        for (head, cookies) in [
            ("Cookie: a=1", json!(["a=1"])),
            ("Cookie: a=1; b=\"x, y\"; c", json!(["a=1", "b=\"x, y\"", "c"])),
            ("Cookie: a=1;b=2; ; c=3;", json!(["a=1", "b=2", "c=3"])),
            ("Cookie: a=1\nCookie: b=2; a=3", json!(["a=1", "b=2", "a=3"])),
        ] {
            let event = read(&format!("GET /\n{head}"), "");
            assert_eq!(event["cookies"], cookies, "{head}");
            assert_eq!(event["headers"].get("cookie"), None, "{head}");
        }
        for head in ["Cookie:", "Cookie: ;", "X-Cookie: a=1"] {
            assert_eq!(read(&format!("GET /\n{head}"), "").get("cookies"), None, "{head}");
        }
    }

    #[test]
    fn a_way_through_proxies_is_added_to() {
        let head = "GET /
            X-Forwarded-For: 198.51.100.1
            X-Forwarded-Port: 443
            X-Forwarded-Proto: https";
        let headers = &read(head, "")["headers"];
        assert_eq!(headers["x-forwarded-for"], "198.51.100.1, 203.0.113.7");
        assert_eq!(headers["x-forwarded-port"], "443");
        assert_eq!(headers["x-forwarded-proto"], "https");
    }

    #[test]
    fn headers_of_the_connection_stay_behind() {
        let head = "POST /
            Connection: keep-alive, x-mine
            Keep-Alive: 5
            Transfer-Encoding: chunked
            Expect: 100-continue
            TE: trailers
            X-Mine: 1
            X-Empty:
            X-Empty:
            Content-Length: 9";
        let event = read(head, "text");
        let names: Vec<_> = event["headers"].as_object().unwrap().keys().collect();
        let expected = [
            "content-length",
            "x-amzn-trace-id",
            "x-empty",
            "x-forwarded-for",
            "x-forwarded-port",
            "x-forwarded-proto",
        ];
        assert_eq!(names, expected);
        assert_eq!(event["headers"]["content-length"], "4");
        assert_eq!(event["headers"]["x-empty"], ",");
    }

    #[test]
    fn the_port_is_the_one_that_the_client_asked_for() {
        for (host, port) in [
            ("localhost", "80"),
            ("localhost:9000", "9000"),
            ("[::1]:3000", "3000"),
            ("", "80"),
            ("a b:1", "80"),
            ("localhost:99999", "80"),
        ] {
            let event = read(&format!("GET /\nHost: {host}"), "");
            assert_eq!(event["headers"]["x-forwarded-port"], port, "{host}");
        }
    }

    #[test]
    fn bodies_are_text_when_they_say_so_and_are() {
        let encoded = |content_type: &str, body: &[u8]| {
            let head = match content_type {
                "" => "POST /".to_owned(),
                given => format!("POST /\nContent-Type: {given}"),
            };
            let event = read(&head, body);
            let encoded = event["isBase64Encoded"].as_bool().unwrap();
            let expected = if encoded { json!(STANDARD.encode(body)) } else { json!("h\u{e9}") };
            assert_eq!(event["body"], expected, "{content_type}");
            encoded
        };
        for text in [
            "",
            " ",
            "text/plain",
            "text/csv;header=present",
            "TEXT/HTML; charset=utf-8",
            "application/json",
            "Application/JSON ; charset=utf-8",
            "application/javascript",
            "application/xml",
            "application/problem+json",
            "image/svg+xml",
        ] {
            assert!(!encoded(text, "h\u{e9}".as_bytes()), "{text}");
            // What is no UTF-8 is no text.
            assert!(encoded(text, b"h\xE9"), "{text}");
        }
        for binary in [
            "application/octet-stream",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "image/png",
            "application/jsonp",
            "application/json-seq",
            "json",
            "x-text/plain",
        ] {
            assert!(encoded(binary, "h\u{e9}".as_bytes()), "{binary}");
        }
    }

    #[test]
    fn an_empty_body_is_none_whatever_it_is_said_to_be() {
        for content_type in ["text/plain", "image/png"] {
            let event = read(&format!("POST /\nContent-Type: {content_type}"), "");
            assert_eq!((event.get("body"), &event["isBase64Encoded"]), (None, &json!(false)));
        }
    }

    #[test]
    fn times_are_as_in_access_logs() {
        for (millis, expected) in [
            (0, "01/Jan/1970:00:00:00 +0000"),
            (1_789_456_390_999, "15/Sep/2026:07:13:10 +0000"),
            (951_782_400_000, "29/Feb/2000:00:00:00 +0000"),
            (u64::MAX, "01/Jan/1970:00:00:00 +0000"),
        ] {
            assert_eq!(common_log_time(EpochMillis(millis)), expected);
        }
    }

    #[test]
    fn older_clients_and_older_addresses_are_named_as_they_are() {
        let request = Request::builder().version(Version::HTTP_10).body(()).unwrap();
        let client = "2001:db8::1".parse().unwrap();
        let event = event(request.into_parts().0, b"", Surroundings { client, ..AROUND });
        let event: Value = serde_json::from_slice(&event).unwrap();
        assert_eq!(event["requestContext"]["http"]["protocol"], "HTTP/1.0");
        assert_eq!(event["requestContext"]["http"]["sourceIp"], "2001:db8::1");
    }

    proptest! {
        #[test]
        fn every_request_is_an_event(
            query in "[ -~]{0,30}",
            value in proptest::collection::vec(32u8..=255, 0..20),
            body in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let value = http::HeaderValue::from_bytes(&value);
            let uri = http::Uri::try_from(format!("/?{query}"));
            if let (Ok(value), Ok(uri)) = (value, uri) {
                let request = Request::builder().uri(uri).header("x-any", value);
                let (parts, ()) = request.body(()).unwrap().into_parts();
                let event: Value = serde_json::from_slice(&event(parts, &body, AROUND)).unwrap();
                let sent = event["body"].as_str().unwrap_or_default();
                let got = match event["isBase64Encoded"].as_bool().unwrap() {
                    true => STANDARD.decode(sent).unwrap(),
                    false => sent.as_bytes().to_vec(),
                };
                prop_assert_eq!(got, body);
            }
        }
    }
}
