//! [`Head`]: status and headers as a function spells them in JSON.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::headers;
use crate::prelude::MAX_PRELUDE;

/// More headers are taken for a mistake.
const MAX_HEADERS: usize = 1024;
/// How much of a wrong value is shown.
const SHOWN: usize = 80;

/// Why a function's output is no HTTP response. The client is told no more than that; the words
/// are for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    /// The output, or the prelude, cannot be read.
    #[error("it is not the JSON that is asked for: {0}")]
    NotJson(String),
    /// Not an integer, or none that a last answer can have.
    #[error("statusCode is {0}, which is not a number from 200 to 599")]
    StatusCode(String),
    /// `headers` or `multiValueHeaders` has another form.
    #[error("{0} is not an object")]
    NotAnObject(&'static str),
    /// `cookies` has another form.
    #[error("cookies is not a list of texts")]
    Cookies,
    /// A name has characters that it may not have.
    #[error("'{0}' is no name of a header")]
    HeaderName(String),
    /// A value has control characters.
    #[error("the value of {0} does not fit into a header")]
    HeaderValue(HeaderName),
    /// Nobody means that.
    #[error("it has more than {MAX_HEADERS} headers")]
    TooManyHeaders,
    /// `isBase64Encoded` is not true to its word.
    #[error("the body is not base64: {0}")]
    Base64(base64::DecodeError),
    /// The delimiter of a prelude does not come.
    #[error("its prelude is longer than {MAX_PRELUDE} bytes")]
    PreludeTooLong,
    /// It ended before its head was complete.
    #[error("it broke off before its head was complete")]
    BrokenOff,
}

/// What an object says about an HTTP response, each member as its JSON text. `null` counts as not
/// there: some clients write every member. Of members of the same name the last one counts, as it
/// does wherever else JSON is read.
#[derive(Debug, Default)]
pub(crate) struct Members<'a> {
    pub(crate) status_code: Option<&'a RawValue>,
    headers: Option<&'a RawValue>,
    multi_value_headers: Option<&'a RawValue>,
    cookies: Option<&'a RawValue>,
    pub(crate) body: Option<&'a RawValue>,
    pub(crate) is_base64_encoded: Option<&'a RawValue>,
}

impl<'a> Members<'a> {
    /// Reads an object.
    ///
    /// # Errors
    /// [`Unusable::NotJson`] for anything else.
    pub(crate) fn of(json: &'a [u8]) -> Result<Self, Unusable> {
        serde_json::from_slice(json).map_err(|error| Unusable::NotJson(error.to_string()))
    }
}

/// By hand, because the derived one takes two members of the same name for an error.
impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Members<'de>, A::Error> {
        let mut members = Members::default();
        while let Some(name) = object.next_key()? {
            let member = match name {
                Name::StatusCode => &mut members.status_code,
                Name::Headers => &mut members.headers,
                Name::MultiValueHeaders => &mut members.multi_value_headers,
                Name::Cookies => &mut members.cookies,
                Name::Body => &mut members.body,
                Name::IsBase64Encoded => &mut members.is_base64_encoded,
                Name::Other => {
                    object.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *member = object.next_value()?;
        }
        Ok(members)
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Name {
    StatusCode,
    Headers,
    MultiValueHeaders,
    Cookies,
    Body,
    IsBase64Encoded,
    #[serde(other)]
    Other,
}

/// The head of an HTTP response, without what the function has no say in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
}

impl Head {
    /// 200 with a content type alone.
    pub(crate) fn ok(content_type: HeaderValue) -> Self {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, content_type)]);
        Self { status: StatusCode::OK, headers }
    }

    /// The response of this head and a body.
    pub(crate) fn with<B>(self, body: B) -> Response<B> {
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }

    /// The head that the members ask for, with a content type unless they give one.
    ///
    /// Names are the same in upper and lower case; of two spellings the last one counts. Values in
    /// `multiValueHeaders` replace those in `headers`; cookies are added to both.
    ///
    /// # Errors
    /// [`Unusable`] for the first member that is wrong.
    ///
    /// # Source
    /// Invoke API, "Function URL / HTTP API response mapping" and "HTTP integration response".
    pub(crate) fn of(members: &Members<'_>, content_type: HeaderValue) -> Result<Self, Unusable> {
        let status = members.status_code.map_or(Ok(StatusCode::OK), status)?;
        let mut headers = HeaderMap::new();
        for (name, value) in object(members.headers, "headers")? {
            put(&mut headers, &name, vec![text(value)])?;
        }
        for (name, value) in object(members.multi_value_headers, "multiValueHeaders")? {
            let values = if let Value::Array(values) = value { values } else { vec![value] };
            put(&mut headers, &name, values.into_iter().map(text).collect())?;
        }
        let cookies = members.cookies.map_or(Ok(Vec::new()), |cookies| {
            serde_json::from_str::<Vec<String>>(cookies.get()).map_err(|_| Unusable::Cookies)
        })?;
        for cookie in cookies {
            add(&mut headers, header::SET_COOKIE, cookie)?;
        }
        headers::clean_response(&mut headers);
        headers.entry(header::CONTENT_TYPE).or_insert(content_type);
        Ok(Self { status, headers })
    }
}

/// A number, or a text that is one. Informational statuses are no last answer.
fn status(raw: &RawValue) -> Result<StatusCode, Unusable> {
    let text = serde_json::from_str::<String>(raw.get());
    let digits = text.as_deref().unwrap_or(raw.get());
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok());
    let status = number.flatten().filter(|number| (200..600).contains(number));
    status
        .and_then(|number| StatusCode::from_u16(number).ok())
        .ok_or_else(|| Unusable::StatusCode(raw.get().chars().take(SHOWN).collect()))
}

fn object(raw: Option<&RawValue>, name: &'static str) -> Result<Map<String, Value>, Unusable> {
    raw.map_or(Ok(Map::new()), |raw| {
        serde_json::from_str(raw.get()).map_err(|_| Unusable::NotAnObject(name))
    })
}

/// A value as a header has it; `None` for `null`. What is no text is spelled as JSON, and the items
/// of a list are joined by commas.
fn text(value: Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        Value::Array(items) => {
            Some(items.into_iter().filter_map(text).collect::<Vec<_>>().join(","))
        }
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => Some(value.to_string()),
    }
}

/// Replaces whatever the header had.
fn put(headers: &mut HeaderMap, name: &str, values: Vec<Option<String>>) -> Result<(), Unusable> {
    let name = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| Unusable::HeaderName(name.chars().take(SHOWN).collect()))?;
    headers.remove(&name);
    values.into_iter().flatten().try_for_each(|value| add(headers, name.clone(), value))
}

fn add(headers: &mut HeaderMap, name: HeaderName, value: String) -> Result<(), Unusable> {
    if headers.len() >= MAX_HEADERS {
        return Err(Unusable::TooManyHeaders);
    }
    let value = HeaderValue::try_from(value).map_err(|_| Unusable::HeaderValue(name.clone()))?;
    headers.append(name, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: HeaderValue = HeaderValue::from_static("default");

    fn head(json: &str) -> Result<Head, Unusable> {
        Head::of(&Members::of(json.as_bytes())?, DEFAULT)
    }

    /// The headers in the order of their names, without the default content type.
    #[track_caller]
    fn check(json: &str, expected: &str) {
        let mut head = head(json).unwrap_or_else(|error| panic!("{json}: {error}"));
        if head.headers.get(header::CONTENT_TYPE) == Some(&DEFAULT) {
            head.headers.remove(header::CONTENT_TYPE);
        }
        let headers = head.headers.iter();
        let mut lines: Vec<_> = headers
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
            .collect();
        // Stable: several values of one name keep their order.
        lines.sort_by(|one, other| one.split(':').next().cmp(&other.split(':').next()));
        assert_eq!(lines.join("\n"), expected, "{json}");
    }

    #[track_caller]
    fn refused(json: &str, expected: &str) {
        assert_eq!(head(json).unwrap_err().to_string(), expected, "{json}");
    }

    #[test]
    fn a_status_is_a_number_or_a_text_that_is_one() {
        let of = |json: &str| head(json).map(|head| head.status.as_u16());
        for (json, status) in [
            ("{}", 200),
            (r#"{"statusCode":null}"#, 200),
            (r#"{"statusCode":200}"#, 200),
            (r#"{"statusCode":"404"}"#, 404),
            (r#" { "status\u0043ode" : 599 } "#, 599),
        ] {
            assert_eq!(of(json), Ok(status), "{json}");
        }
        for bad in [
            "0",
            "99",
            "100",
            "103",
            "199",
            "600",
            "65736",
            "-200",
            "2e2",
            "200.0",
            "200.5",
            r#""""#,
            r#"" 200""#,
            r#""+200""#,
            r#""OK""#,
            "true",
            "[200]",
            "{}",
            "99999999999999999999999999",
        ] {
            let json = format!(r#"{{"statusCode":{bad}}}"#);
            let expected = format!("statusCode is {bad}, which is not a number from 200 to 599");
            refused(&json, &expected);
        }
        let long = format!(r#"{{"statusCode":"{}"}}"#, "x".repeat(1000));
        assert!(head(&long).unwrap_err().to_string().len() < 200);
    }

    #[test]
    fn of_members_of_the_same_name_the_last_one_counts() {
        let json = r#"{"statusCode":500,"headers":{"a":"1"},"multiValueHeaders":[],"cookies":1,
            "other":1,"other":2,"statusCode":201,"headers":{"b":"1","b":"2"},"multiValueHeaders":null,
            "cookies":["c"],"status\u0043ode":202}"#;
        assert_eq!(head(json).unwrap().status, 202);
        check(json, "b: 2\nset-cookie: c");
        let members =
            Members::of(br#"{"body":1,"body":null,"isBase64Encoded":0,"isBase64Encoded":1}"#);
        let Members { body, is_base64_encoded, .. } = members.unwrap();
        assert!(body.is_none());
        assert_eq!(is_base64_encoded.unwrap().get(), "1");
    }

    #[test]
    fn values_are_spelled_as_texts() {
        check(
            r#"{"headers":{"A":"text","B":1,"C":1.5,"D":true,"E":null,"F":["x",2,null,"y"],"G":{"k":"v"},"H":"","I":"ä"}}"#,
            "a: text\nb: 1\nc: 1.5\nd: true\nf: x,2,y\ng: {\"k\":\"v\"}\nh: \ni: ä",
        );
    }

    #[test]
    fn names_are_the_same_in_upper_and_lower_case() {
        check(r#"{"headers":{"X-One":"1","x-one":"2"}}"#, "x-one: 2");
        check(r#"{"headers":{"CONTENT-TYPE":"text/html"}}"#, "content-type: text/html");
        assert_eq!(head("{}").unwrap(), Head::ok(DEFAULT));
    }

    #[test]
    fn headers_of_several_values_replace_those_of_one() {
        check(
            r#"{"headers":{"x-one":"0","x-two":"2"},"multiValueHeaders":{"X-One":["a","b"],"x-three":"c","x-four":[]}}"#,
            "x-one: a\nx-one: b\nx-three: c\nx-two: 2",
        );
    }

    #[test]
    fn each_cookie_is_a_header_of_its_own_and_in_order() {
        check(
            r#"{"headers":{"set-cookie":"z=0"},"cookies":["b=1; Path=/","a=2","c=3, d"]}"#,
            "set-cookie: z=0\nset-cookie: b=1; Path=/\nset-cookie: a=2\nset-cookie: c=3, d",
        );
        check(r#"{"headers":null,"multiValueHeaders":null,"cookies":null}"#, "");
    }

    #[test]
    fn what_the_function_has_no_say_in_is_dropped() {
        check(
            r#"{"headers":{"Content-Length":"5","Connection":"x-gone","X-Gone":"1","Transfer-Encoding":"chunked",
               "Date":"today","Server":"me","Host":"here","Upgrade":"h2c","Keep-Alive":"1","X-Kept":"1"}}"#,
            "x-kept: 1",
        );
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (json, expected) in [
            (
                "[200]",
                "it is not the JSON that is asked for: invalid type: sequence, expected an object \
                 at line 1 column 0",
            ),
            (
                "",
                "it is not the JSON that is asked for: EOF while parsing a value at line 1 column 0",
            ),
            (
                r#"{"statusCode":}"#,
                "it is not the JSON that is asked for: expected value at line 1 column 15",
            ),
            (
                r#"{} {}"#,
                "it is not the JSON that is asked for: trailing characters at line 1 column 4",
            ),
            (r#"{"headers":[]}"#, "headers is not an object"),
            (r#"{"headers":"a: b"}"#, "headers is not an object"),
            (r#"{"multiValueHeaders":1}"#, "multiValueHeaders is not an object"),
            (r#"{"cookies":"a=b"}"#, "cookies is not a list of texts"),
            (r#"{"cookies":[1]}"#, "cookies is not a list of texts"),
            (r#"{"cookies":["a\nb"]}"#, "the value of set-cookie does not fit into a header"),
            (r#"{"headers":{"":"x"}}"#, "'' is no name of a header"),
            (r#"{"headers":{"a b":"x"}}"#, "'a b' is no name of a header"),
            (r#"{"headers":{"a":"x\r\ny: z"}}"#, "the value of a does not fit into a header"),
            (r#"{"headers":{"a":"\u0000"}}"#, "the value of a does not fit into a header"),
        ] {
            refused(json, expected);
        }
    }

    #[test]
    fn there_is_an_end_to_headers() {
        let headers = |count: usize| {
            let one = |number| format!(r#""x-{number}":"""#);
            format!(r#"{{"headers":{{{}}}}}"#, (0..count).map(one).collect::<Vec<_>>().join(","))
        };
        assert!(head(&headers(MAX_HEADERS)).is_ok());
        refused(&headers(MAX_HEADERS + 1), "it has more than 1024 headers");
        refused(&headers(100_000), "it has more than 1024 headers");
        let cookies = format!(r#"{{"cookies":[{}"a"]}}"#, r#""a","#.repeat(MAX_HEADERS));
        refused(&cookies, "it has more than 1024 headers");
    }
}
