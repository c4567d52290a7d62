//! `rapid invoke --endpoint`: calls a function that is served at an Invoke API.

mod error;
mod event_stream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rapid::Console;
use rapid_http::client::{AnswerBody, Client, ClientError, read_whole};
use serde::Deserialize;

pub(crate) use self::error::CallError;
use self::event_stream::{Decoder, Message};
use crate::args::{InvokeArgs, Target, Wanted};
use crate::config::Config;
use crate::event::Event;
use crate::exit::Exit;
use crate::printer::{Printer, Unprintable, cut_off};
use crate::say;
use crate::signals::Signals;

const INVOCATION_TYPE: HeaderName = HeaderName::from_static("x-amz-invocation-type");
const LOG_TYPE: HeaderName = HeaderName::from_static("x-amz-log-type");
const CLIENT_CONTEXT: HeaderName = HeaderName::from_static("x-amz-client-context");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");
const LOG_RESULT: HeaderName = HeaderName::from_static("x-amz-log-result");

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";
const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("rapid-invoke/", env!("CARGO_PKG_VERSION")));

/// How a function is called that has no name of its own: so the emulator has it.
const ANY_FUNCTION: &str = "function";

/// What names and qualifiers are written of, and needs no escape in a URI.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The largest head of a response, in bytes: the end of the log takes up to 6 KiB of it.
const MAX_HEAD: usize = 64 * 1024;

/// The largest response that is read as a whole, in bytes, and far more than the service sends so.
const MAX_RESPONSE: usize = 16 * 1024 * 1024;

pub(crate) async fn run(args: InvokeArgs, target: Target, config: Config, log: Console) -> Exit {
    let event = match Event::read(&args, config.persona) {
        Ok(event) => event,
        Err(problem) => return say(&format!("rapid: {problem}"), Exit::Usage),
    };
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            return say(&format!("rapid: signals cannot be watched: {error}"), Exit::Internal);
        }
    };
    let printer = match Printer::new(log) {
        Ok(printer) => printer,
        Err(exit) => return exit,
    };
    let function = config.function_name.as_deref().unwrap_or(ANY_FUNCTION);
    let request = match request(&args, &target, function, event) {
        Ok(request) => request,
        Err(error) => {
            let problem = format!("rapid: {function} cannot be called so: {error}");
            return say(&problem, Exit::Usage);
        }
    };
    tokio::select! {
        exit = call_all(&args, &target, &request, &printer) => exit,
        // What runs there goes on: the API has no way to end it.
        asked = signals.next() => Exit::of_signal(asked),
    }
}

async fn call_all(
    args: &InvokeArgs,
    target: &Target,
    request: &Request<Bytes>,
    printer: &Printer,
) -> Exit {
    let mut client = Client::new(target.endpoint.address.clone(), MAX_HEAD);
    for _ in 0..args.repeat {
        let exit = match call(&mut client, args, target.wanted, request.clone(), printer).await {
            Ok(exit) => exit,
            Err(Ended::Unprintable(unprintable)) => unprintable.say(),
            Err(Ended::Failed(error)) => {
                let (endpoint, advice) = (&target.endpoint, error.advice());
                say(&format!("rapid: {endpoint}: {error}\n{advice}"), error.exit())
            }
        };
        if exit != Exit::Ok {
            return exit;
        }
    }
    Exit::Ok
}

/// Why a call came to no end of its own.
enum Ended {
    Failed(CallError),
    Unprintable(Unprintable),
}

impl From<CallError> for Ended {
    fn from(error: CallError) -> Self {
        Self::Failed(error)
    }
}

impl From<ClientError> for Ended {
    fn from(error: ClientError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Unprintable> for Ended {
    fn from(unprintable: Unprintable) -> Self {
        Self::Unprintable(unprintable)
    }
}

/// # Source
/// Invoke API, "Routes" and "Invoke request".
fn request(
    args: &InvokeArgs,
    target: &Target,
    function: &str,
    event: Event,
) -> Result<Request<Bytes>, http::Error> {
    let base = target.endpoint.base();
    let function = utf8_percent_encode(function, ESCAPED);
    let mut path = if args.stream {
        format!("{base}/2021-11-15/functions/{function}/response-streaming-invocations")
    } else {
        format!("{base}/2015-03-31/functions/{function}/invocations")
    };
    if let Some(qualifier) = &target.qualifier {
        path.push_str(&format!("?Qualifier={}", utf8_percent_encode(qualifier, ESCAPED)));
    }
    let invocation_type = match target.wanted {
        Wanted::Response => "RequestResponse",
        Wanted::Acceptance => "Event",
        Wanted::Check => "DryRun",
    };
    let mut request = Request::post(Uri::try_from(path)?)
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::CONTENT_TYPE, JSON)
        .header(INVOCATION_TYPE, invocation_type)
        .header(LOG_TYPE, if args.tail { "Tail" } else { "None" });
    if let Some(context) = event.client_context {
        request = request.header(CLIENT_CONTEXT, STANDARD.encode(context));
    }
    request.body(event.payload)
}

async fn call(
    client: &mut Client,
    args: &InvokeArgs,
    wanted: Wanted,
    request: Request<Bytes>,
    printer: &Printer,
) -> Result<Exit, Ended> {
    let response = client.ask(request).await?;
    let status = response.status();
    let has_failed = response.headers().contains_key(FUNCTION_ERROR);
    match (wanted, status) {
        // The emulator's manners give some function errors another status.
        (Wanted::Response, StatusCode::OK) if args.stream && !has_failed => {
            print_stream(response, args.tail, printer).await
        }
        (Wanted::Response, _) if status == StatusCode::OK || has_failed => {
            print_whole(response, args, printer).await
        }
        (Wanted::Acceptance, StatusCode::ACCEPTED) => {
            // Nothing is in it, but before it is read the connection cannot be used again.
            let response = read_whole(response, MAX_RESPONSE).await?;
            let id = response.headers().get(REQUEST_ID);
            printer.line(id.map_or(b"", HeaderValue::as_bytes)).await?;
            Ok(Exit::Ok)
        }
        (Wanted::Check, StatusCode::NO_CONTENT) => {
            read_whole(response, MAX_RESPONSE).await?;
            Ok(say("rapid: the invocation would be taken", Exit::Ok))
        }
        (Wanted::Acceptance | Wanted::Check, StatusCode::OK) => {
            Err(CallError::HasRun(status).into())
        }
        _ => Err(refusal(response).await?.into()),
    }
}

async fn refusal(response: Response<AnswerBody<'_>>) -> Result<CallError, CallError> {
    let (head, body) = read_whole(response, MAX_RESPONSE).await?.into_parts();
    Ok(CallError::of_answer(head.status, &head.headers, &body))
}

/// # Source
/// Invoke API, "Invoke response".
async fn print_whole(
    response: Response<AnswerBody<'_>>,
    args: &InvokeArgs,
    printer: &Printer,
) -> Result<Exit, Ended> {
    let (head, body) = read_whole(response, MAX_RESPONSE).await?.into_parts();
    let exit = if head.headers.contains_key(FUNCTION_ERROR) {
        Exit::of_error_body(&body)
    } else {
        Exit::Ok
    };
    if args.stream {
        printer.piece(&body).await?;
    } else {
        printer.line(&body).await?;
    }
    if args.tail {
        print_tail(head.headers.get(LOG_RESULT).map(HeaderValue::as_bytes), printer);
    }
    Ok(exit)
}

/// What the last message of a stream tells.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Complete {
    error_code: Option<String>,
    error_details: Option<String>,
    log_result: Option<String>,
}

/// Prints a response as it comes.
///
/// # Source
/// Invoke API, "Stream semantics".
async fn print_stream(
    response: Response<AnswerBody<'_>>,
    tail: bool,
    printer: &Printer,
) -> Result<Exit, Ended> {
    if !is_event_stream(response.headers()) {
        return Err(refusal(response).await?.into());
    }
    let mut body = response.into_body();
    let mut decoder = Decoder::default();
    let mut printed = Printed::Nothing;
    while let Some(bytes) = body.next_piece().await? {
        decoder.push(&bytes);
        while let Some(message) = decoder.next()? {
            match message {
                Message::Chunk(piece) => {
                    printer.piece(&piece).await?;
                    printed = printed.and(piece);
                }
                Message::Complete(told) => {
                    let complete = serde_json::from_slice(&told)
                        .map_err(|_| CallError::Damaged("the last message is not JSON"))?;
                    return Ok(end_stream(complete, printed, tail, printer).await?);
                }
                Message::Exception(code, told) => {
                    return Err(CallError::of_exception(code, &told).into());
                }
                Message::Unknown => {}
            }
        }
    }
    Err(CallError::Unfinished.into())
}

/// An error before the first byte is the response, as it is of one that comes whole; a later one is
/// said on standard error.
async fn end_stream(
    complete: Complete,
    printed: Printed,
    tail: bool,
    printer: &Printer,
) -> Result<Exit, Unprintable> {
    let error = complete.error_code.map(|code| complete.error_details.unwrap_or(code));
    if let (Some(error), Printed::Nothing) = (&error, &printed) {
        printer.piece(error.as_bytes()).await?;
    }
    if tail {
        print_tail(complete.log_result.as_deref().map(str::as_bytes), printer);
    }
    let Some(error) = error else { return Ok(Exit::Ok) };
    let exit = Exit::of_error_body(error.as_bytes());
    Ok(match printed {
        Printed::Nothing => exit,
        // The service sends the error as a piece, too.
        Printed::One(piece) if piece == error.as_bytes() => exit,
        Printed::One(_) | Printed::More => cut_off(error.as_bytes(), exit),
    })
}

/// What was printed of a stream.
enum Printed {
    Nothing,
    One(Bytes),
    More,
}

impl Printed {
    fn and(self, piece: Bytes) -> Self {
        match self {
            printed if piece.is_empty() => printed,
            Self::Nothing => Self::One(piece),
            Self::One(_) | Self::More => Self::More,
        }
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| value.as_bytes().starts_with(EVENT_STREAM.as_bytes()))
}

fn print_tail(encoded: Option<&[u8]>, printer: &Printer) {
    match encoded.map(|encoded| STANDARD.decode(encoded)) {
        Some(Ok(log)) => printer.tail(&log),
        Some(Err(_)) => printer.tail(b"rapid: the log that came with the response is not Base64"),
        None => printer.tail(b"rapid: no log came with the response: the endpoint keeps none"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Endpoint;

    fn of(args: &InvokeArgs, qualifier: Option<&str>, wanted: Wanted) -> Request<Bytes> {
        let target = Target {
            endpoint: Endpoint::parse("http://host:1/base").unwrap(),
            qualifier: qualifier.map(str::to_owned),
            wanted,
        };
        let client_context = Some(HeaderValue::from_static(r#"{"a":1}"#));
        let event = Event { payload: "{}".into(), client_context };
        request(args, &target, "arn:aws:f/é", event).unwrap()
    }

    fn args(stream: bool, tail: bool) -> InvokeArgs {
        InvokeArgs {
            payload: None,
            payload_file: None,
            client_context: None,
            repeat: 1,
            stream,
            tail,
        }
    }

    #[test]
    fn a_request_is_written_as_the_api_has_it() {
        let request = of(&args(false, false), Some("$LATEST"), Wanted::Acceptance);
        assert_eq!(
            request.uri(),
            "/base/2015-03-31/functions/arn%3Aaws%3Af%2F%C3%A9/invocations?Qualifier=%24LATEST"
        );
        let headers = request.headers();
        assert_eq!(headers["x-amz-invocation-type"], "Event");
        assert_eq!(headers["x-amz-log-type"], "None");
        // {"a":1}
        assert_eq!(headers["x-amz-client-context"], "eyJhIjoxfQ==");
        let request = of(&args(true, true), None, Wanted::Response);
        assert_eq!(
            request.uri(),
            "/base/2021-11-15/functions/arn%3Aaws%3Af%2F%C3%A9/response-streaming-invocations"
        );
        assert_eq!(request.headers()["x-amz-log-type"], "Tail");
        assert_eq!(request.headers()["x-amz-invocation-type"], "RequestResponse");
        let request = of(&args(false, false), None, Wanted::Check);
        assert_eq!(request.headers()["x-amz-invocation-type"], "DryRun");
    }
}
