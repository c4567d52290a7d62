//! [`Ending`]: how an event has ended, as destinations and dead-letter queues are told.

use rapid_events::Timestamp;
use rapid_interop::EpochMillis;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::event::Event;
use crate::json;
use crate::outcome::Response;
use crate::retry::{Condition, Verdict};

/// The longest `ErrorMessage` of a dead letter, in bytes.
const MAX_MESSAGE: usize = 1024;

/// The status of an event that could not be read back; the service knows none like it.
const UNREADABLE: u16 = 500;

/// How an event has ended.
#[derive(Debug)]
pub(crate) struct Ending<'a> {
    pub(crate) event: &'a Event,
    /// Whether the event could be read back. If not, it is only what is known of it.
    pub(crate) readable: bool,
    pub(crate) verdict: Verdict,
    /// The last answer of the function; `None` if it was only ever throttled.
    pub(crate) response: Option<&'a Response>,
    /// The version that ran.
    pub(crate) version: &'a str,
    pub(crate) now: EpochMillis,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    version: &'static str,
    timestamp: &'a str,
    request_context: RequestContext<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_payload: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_context: Option<ResponseContext<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_payload: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_error: Option<DeliveryError>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    request_id: &'a str,
    function_arn: String,
    condition: Condition,
    approximate_invoke_count: u8,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseContext<'a> {
    status_code: u16,
    executed_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_error: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeliveryError {
    status_code: u16,
    error_code: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeadLetter<'a> {
    body: &'a str,
    message_attributes: Attributes<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes<'a> {
    #[serde(rename = "RequestID")]
    request_id: Attribute<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<Attribute<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<Attribute<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attribute<'a> {
    string_value: &'a str,
    data_type: &'static str,
}

impl Ending<'_> {
    /// The record for a destination: JSON on one line, without its end.
    ///
    /// # Source
    /// Asynchronous invocation, "Destinations".
    pub(crate) fn record(&self) -> Vec<u8> {
        let payload = self.response.and_then(|response| response.payload.as_deref());
        let response_payload = payload.and_then(json::embed);
        let is_stream_of_something_else = response_payload.is_none()
            && self.response.is_some_and(|response| response.streamed)
            && payload.is_some_and(|payload| !payload.is_empty());
        let delivery_error = if !self.readable {
            Some(DeliveryError { status_code: UNREADABLE, error_code: "ServiceException" })
        } else if is_stream_of_something_else {
            let error_code = "InvalidRequestContentException";
            Some(DeliveryError { status_code: 400, error_code })
        } else {
            None
        };
        let timestamp = Timestamp::from(self.now);
        let record = Record {
            version: "1.0",
            timestamp: timestamp.as_str(),
            request_context: RequestContext {
                request_id: self.event.id().as_str(),
                function_arn: self.event.qualified_arn(),
                condition: self.verdict.condition,
                approximate_invoke_count: self.verdict.invocations,
            },
            request_payload: json::embed(self.event.payload()),
            response_context: self.status().filter(|_| self.readable).map(|status_code| {
                ResponseContext {
                    status_code,
                    executed_version: self.version,
                    function_error: self
                        .response
                        .is_some_and(|response| response.error)
                        .then_some("Unhandled"),
                }
            }),
            response_payload,
            delivery_error,
        };
        // Texts, numbers and JSON only: this cannot fail.
        serde_json::to_vec(&record).unwrap_or_default()
    }

    /// The message for a dead-letter queue: the event itself, and why it is there. JSON on one line
    /// in the form in which a queue's messages reach functions.
    ///
    /// # Source
    /// Asynchronous invocation, "Destinations"; that attributes stand beside the body is ours, as
    /// there is no queue that carries them.
    pub(crate) fn dead_letter(&self) -> Vec<u8> {
        let status = self.status().map(|status| status.to_string());
        let message = self.message();
        let letter = DeadLetter {
            body: &String::from_utf8_lossy(self.event.payload()),
            message_attributes: Attributes {
                request_id: Attribute {
                    string_value: self.event.id().as_str(),
                    data_type: "String",
                },
                error_code: status
                    .as_deref()
                    .map(|string_value| Attribute { string_value, data_type: "Number" }),
                error_message: message.as_deref().map(|message| Attribute {
                    string_value: &message[..message.floor_char_boundary(MAX_MESSAGE)],
                    data_type: "String",
                }),
            },
        };
        // Texts only: this cannot fail.
        serde_json::to_vec(&letter).unwrap_or_default()
    }

    /// The status of the last attempt.
    fn status(&self) -> Option<u16> {
        if !self.readable {
            return Some(UNREADABLE);
        }
        match (self.verdict.condition, self.response) {
            (Condition::ZeroReservedConcurrency, _) => None,
            (_, Some(_)) => Some(200),
            (_, None) => Some(429),
        }
    }

    /// What the last attempt said of its failure; queues do not take empty texts.
    fn message(&self) -> Option<String> {
        let text = match (self.status()?, self.response) {
            (_, Some(response)) => error_message(response.payload.as_deref()?)?,
            (UNREADABLE, None) => "The event could not be read back.".to_owned(),
            (_, None) => "Rate Exceeded.".to_owned(),
        };
        (!text.is_empty()).then_some(text)
    }
}

fn error_message(payload: &[u8]) -> Option<String> {
    let error: Value = serde_json::from_slice(payload).ok()?;
    error.get("errorMessage")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::event::tests::unqualified;

    const ERROR: &str = r#"{"errorType": "E", "errorMessage": "no"}"#;

    fn response(error: bool, payload: &'static str) -> Response {
        let payload = Some(Bytes::from_static(payload.as_bytes()));
        Response { error, streamed: false, payload }
    }

    fn ended(condition: Condition, invocations: u8, response: Option<Response>) -> [String; 2] {
        let event = unqualified("{\n \"a\": 1.0 }");
        let ending = Ending {
            event: &event,
            readable: true,
            verdict: Verdict { condition, invocations },
            response: response.as_ref(),
            version: "$LATEST",
            now: EpochMillis(1_789_456_390_674),
        };
        [ending.record(), ending.dead_letter()].map(|json| String::from_utf8(json).unwrap())
    }

    /// A record but for what stands between its request's condition and its end.
    fn record(rest: &str) -> String {
        format!(
            "{}{rest}}}",
            r#"{"version":"1.0","timestamp":"2026-09-15T07:13:10.674Z","requestContext":{"requestId":"6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11","functionArn":"arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST","condition":"#
        )
    }

    fn letter(rest: &str) -> String {
        format!(
            "{}{rest}}}}}",
            r#"{"body":"{\n \"a\": 1.0 }","messageAttributes":{"RequestID":{"stringValue":"6f1c8e2a-0b7d-4f4e-9a51-2f8f0c2d1a11","dataType":"String"}"#
        )
    }

    #[test]
    fn a_success_is_told_with_its_response() {
        let [told, _] = ended(Condition::Success, 1, Some(response(false, "{ }\n")));
        assert_eq!(
            told,
            record(
                r#""Success","approximateInvokeCount":1},"requestPayload":{"a":1.0},"responseContext":{"statusCode":200,"executedVersion":"$LATEST"},"responsePayload":{}"#
            )
        );
    }

    #[test]
    fn a_failure_is_told_with_the_functions_error() {
        let failed = [(Condition::RetriesExhausted, 3), (Condition::EventAgeExceeded, 2)];
        for (condition, invocations) in failed {
            let [told, dead] = ended(condition, invocations, Some(response(true, ERROR)));
            assert_eq!(
                told,
                record(&format!(
                    r#""{condition:?}","approximateInvokeCount":{invocations}}},"requestPayload":{{"a":1.0}},"responseContext":{{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"}},"responsePayload":{{"errorType":"E","errorMessage":"no"}}"#
                ))
            );
            assert_eq!(
                dead,
                letter(
                    r#","ErrorCode":{"stringValue":"200","dataType":"Number"},"ErrorMessage":{"stringValue":"no","dataType":"String"}"#
                )
            );
        }
    }

    #[test]
    fn an_event_that_was_only_throttled_has_no_response() {
        let [told, dead] = ended(Condition::EventAgeExceeded, 0, None);
        assert_eq!(
            told,
            record(
                r#""EventAgeExceeded","approximateInvokeCount":0},"requestPayload":{"a":1.0},"responseContext":{"statusCode":429,"executedVersion":"$LATEST"}"#
            )
        );
        assert_eq!(
            dead,
            letter(
                r#","ErrorCode":{"stringValue":"429","dataType":"Number"},"ErrorMessage":{"stringValue":"Rate Exceeded.","dataType":"String"}"#
            )
        );
    }

    #[test]
    fn an_event_that_may_not_run_has_no_status() {
        let [told, dead] = ended(Condition::ZeroReservedConcurrency, 0, None);
        assert_eq!(
            told,
            record(
                r#""ZeroReservedConcurrency","approximateInvokeCount":0},"requestPayload":{"a":1.0}"#
            )
        );
        assert_eq!(dead, letter(""));
    }

    #[test]
    fn of_an_event_that_cannot_be_read_back_the_rest_is_told() {
        let whole = unqualified("[1]");
        let arn =
            http::HeaderValue::from_static("arn:aws:lambda:us-east-1:123456789012:function:f");
        let event = Event::remains(whole.id().clone(), whole.accepted, Some(arn));
        let verdict = Verdict { condition: Condition::RetriesExhausted, invocations: 1 };
        let now = EpochMillis(1_789_456_390_674);
        let ending = Ending {
            event: &event,
            readable: false,
            verdict,
            response: None,
            version: "$LATEST",
            now,
        };
        assert_eq!(
            String::from_utf8(ending.record()).unwrap(),
            record(
                r#""RetriesExhausted","approximateInvokeCount":1},"deliveryError":{"statusCode":500,"errorCode":"ServiceException"}"#
            )
        );
        let dead = String::from_utf8(ending.dead_letter()).unwrap();
        assert!(dead.starts_with(r#"{"body":"","messageAttributes":{"RequestID""#), "{dead}");
        assert!(
            dead.ends_with(
                r#""ErrorCode":{"stringValue":"500","dataType":"Number"},"ErrorMessage":{"stringValue":"The event could not be read back.","dataType":"String"}}}"#
            ),
            "{dead}"
        );
        let unknown = Event::remains(whole.id().clone(), whole.accepted, None);
        assert_eq!(unknown.qualified_arn(), "");
    }

    #[test]
    fn a_response_that_is_nothing_or_no_json_is_left_out() {
        for payload in ["", "not json"] {
            let [told, _] = ended(Condition::Success, 1, Some(response(false, payload)));
            assert!(told.ends_with(r#","executedVersion":"$LATEST"}}"#), "{told}");
        }
        let streamed = Response { streamed: true, ..response(false, "not json") };
        let [told, _] = ended(Condition::Success, 1, Some(streamed));
        assert!(
            told.ends_with(
                r#""executedVersion":"$LATEST"},"deliveryError":{"statusCode":400,"errorCode":"InvalidRequestContentException"}}"#
            ),
            "{told}"
        );
    }

    #[test]
    fn a_dead_letter_has_the_start_of_the_message_if_there_is_one() {
        let long = format!(r#"{{"errorMessage":"{}ä"}}"#, "x".repeat(MAX_MESSAGE - 1));
        let response = |payload: &str| {
            let payload = Some(Bytes::copy_from_slice(payload.as_bytes()));
            Some(Response { error: true, streamed: false, payload })
        };
        let [_, dead] = ended(Condition::RetriesExhausted, 3, response(&long));
        assert!(dead.contains(&format!(r#""{}""#, "x".repeat(MAX_MESSAGE - 1))), "{dead}");
        for without in [r#"{"errorMessage":""}"#, r#"{"errorMessage":1}"#, "[]", "text", ""] {
            let [_, dead] = ended(Condition::RetriesExhausted, 3, response(without));
            let code = r#","ErrorCode":{"stringValue":"200","dataType":"Number"}"#;
            assert_eq!(dead, letter(code), "{without}");
        }
    }
}
