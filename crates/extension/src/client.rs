//! [`Client`]: the calls of the Extensions API.

mod connection;
mod exchange;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
#[cfg(feature = "telemetry")]
use http::StatusCode;
use http::{HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;

use self::connection::{Connection, Reply};
use self::exchange::exchange;
use crate::address::Address;
use crate::call::Call;
use crate::error::{Error, Refusal, Unreadable};
use crate::error_type;
use crate::event::Event;
use crate::events::Events;
use crate::name::Name;
use crate::register::{Register, StatusResponse};
use crate::wire::{self, EventReply, RegisterReply, StatusReply};

/// A client of the Extensions API: one extension, as the platform knows it.
///
/// [`run`](crate::run) makes the calls in the order that the API asks for; with a client of your
/// own you do so yourself: [`register`](Self::register) once, then
/// [`next_event`](Self::next_event) again and again until SHUTDOWN.
///
/// Consecutive calls share one connection. No call has a time limit of its own, since
/// [`next_event`](Self::next_event) may wait for hours; whoever wants one for the others puts
/// `tokio::time::timeout` around them. Answers of more than 1 MiB are not read. What cannot have
/// reached the API, because there was no connection, is tried again, up to five times within about
/// a second; what may have reached it never is.
///
/// # Panics
/// As everything of tokio, the calls panic outside a tokio runtime with I/O and time enabled.
///
/// # Source
/// Extensions API, "Routes" and "Extension-author client library".
pub struct Client {
    name: Name,
    address: Address,
    asks_for_account_id: bool,
    /// Given by the API at registration.
    identifier: Option<HeaderValue>,
    /// The connection of the last call, when it can be used again.
    idle: Option<Connection>,
    /// A request for an event whose answer has not come yet.
    parked: Option<Exchange>,
}

/// A call that is under way.
type Exchange =
    Pin<Box<dyn Future<Output = (Result<Reply, Error>, Option<Connection>)> + Send + 'static>>;

impl Client {
    /// A client for this program, as the platform started it.
    ///
    /// The name is the base name of what the program was started as, or of its file when that is
    /// missing or not UTF-8. The address comes from `AWS_LAMBDA_RUNTIME_API`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::NotConfigured`], [`Error::BadAddress`], [`Error::NoName`] or [`Error::BadName`].
    pub fn new() -> Result<Self, Error> {
        let address = Address::from_env()?;
        Ok(Self::of(Name::of_this_program()?, address))
    }

    /// A client with a given name, for the API at a given address, `host:port`. Nothing is sent
    /// yet.
    ///
    /// An external extension has to have the name of its file. Any other name makes an internal
    /// extension, which may not ask for SHUTDOWN.
    ///
    /// # Errors
    /// [`Error::BadName`] for a name that is empty or has control characters, and
    /// [`Error::BadAddress`], also when there is no port.
    pub fn with(name: &str, address: &str) -> Result<Self, Error> {
        Ok(Self::of(Name::parse(name)?, Address::parse(address)?))
    }

    const fn of(name: Name, address: Address) -> Self {
        Self {
            name,
            address,
            asks_for_account_id: false,
            identifier: None,
            idle: None,
            parked: None,
        }
    }

    /// The same client, which also asks for [`Register::account_id`] when it registers.
    #[must_use]
    pub fn ask_for_account_id(mut self) -> Self {
        self.asks_for_account_id = true;
        self
    }

    /// What the extension is called.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// The identifier that the platform gave; `None` before [`register`](Self::register).
    #[must_use]
    pub fn extension_id(&self) -> Option<&str> {
        // One that is no text is refused when it comes.
        self.identifier.as_ref().and_then(|identifier| identifier.to_str().ok())
    }

    /// Registers the extension, for the given events: `&[EventType::Invoke]`, `&[]` for INVOKE and
    /// SHUTDOWN, or [`Events::none`].
    ///
    /// An external extension has to do this first of all, since the platform starts the runtime
    /// only then.
    ///
    /// # Errors
    /// Any but [`Error::NotRegistered`]. The client is as it was then.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection. The platform may have registered the extension,
    /// and refuses a second registration then.
    ///
    /// # Source
    /// Extensions API, "Register".
    pub async fn register(&mut self, events: impl Into<Events> + Send) -> Result<Register, Error> {
        let call = Call::Register;
        let events = events.into();
        let body = wire::registration(events.as_slice().iter().map(|event| event.as_str()));
        let mut headers = vec![(wire::NAME, self.name.to_header())];
        if self.asks_for_account_id {
            headers.push((wire::ACCEPT_FEATURE, wire::ACCOUNT_ID));
        }
        headers.push((header::CONTENT_TYPE, wire::JSON));
        let reply = self.call(call, headers, Bytes::from(body)).await?;
        let identifier = reply.headers.get(wire::IDENTIFIER).filter(|id| !id.is_empty());
        let text = identifier.and_then(|identifier| identifier.to_str().ok());
        let (Some(identifier), Some(text)) = (identifier, text) else {
            return Err(Error::Unreadable { call, problem: Unreadable::NoIdentifier });
        };
        let register = Register::new(read::<RegisterReply>(call, &reply.body)?, text.to_owned());
        self.identifier = Some(identifier.clone());
        // What still waits for an event does so under the identifier from before.
        self.parked = None;
        tracing::debug!(extension.name = self.name(), extension.id = text, "registered");
        Ok(register)
    }

    /// Waits for the next event, for as long as it takes. To ask for one also says that the one
    /// before has been dealt with, or that the extension has initialised.
    ///
    /// The answer is read as JSON whatever its content type is: SHUTDOWN comes as plain text. An
    /// event of a type that this crate does not know is handed on like any other.
    ///
    /// # Errors
    /// [`Error::NotRegistered`], or any of the API's or the connection's. After [`Error::Lost`] or
    /// [`Error::Unreadable`] an event may be lost; the call is not repeated, because the platform
    /// would take that for the end of an event which nobody saw. End the extension then.
    ///
    /// # Cancel safety
    /// It is cancel safe: nothing is lost when the future is dropped. The request goes on waiting
    /// at the API, and the next call takes its answer. It may stand in a `select!` in a loop.
    ///
    /// # Source
    /// Extensions API, "Next".
    pub async fn next_event(&mut self) -> Result<Event, Error> {
        let call = Call::NextEvent;
        let parked = match &mut self.parked {
            Some(parked) => parked,
            None => {
                let headers = vec![(wire::IDENTIFIER, identifier(&self.identifier, call)?)];
                let request = request(call, &self.address, headers, Bytes::new());
                let exchange = exchange(call, request, self.address.clone(), self.idle.take());
                self.parked.insert(Box::pin(exchange))
            }
        };
        let (reply, connection) = parked.as_mut().await;
        self.parked = None;
        self.idle = connection;
        let event: Event = read::<EventReply<'_>>(call, &taken(call, reply?)?.body)?.into();
        tracing::debug!(event.type = %event.event_type, request.id = event.request_id, "an event");
        Ok(event)
    }

    /// Reports that the extension, which has registered, cannot initialise. End the process then.
    ///
    /// `error_type` may be any text; `Category.Reason`, as in `Extension.ConfigInvalid`, is usual.
    /// It is sent in a header: control characters become spaces, what is not ASCII becomes `?`,
    /// what is beyond 256 characters is cut, and nothing becomes `Extension.UnknownReason`.
    ///
    /// # Errors
    /// [`Error::NotRegistered`], or any of the API's or the connection's.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection; the report may have arrived, or not.
    ///
    /// # Source
    /// Extensions API, "Init error".
    pub async fn init_error(&mut self, error_type: &str) -> Result<StatusResponse, Error> {
        self.report(Call::InitError, error_type).await
    }

    /// Reports a failure after the initialisation. End the process then.
    ///
    /// It may be called while a request for an event still waits; `error_type` is sent as
    /// [`init_error`](Self::init_error) says.
    ///
    /// # Errors
    /// As [`init_error`](Self::init_error).
    ///
    /// # Cancel safety
    /// As [`init_error`](Self::init_error).
    ///
    /// # Source
    /// Extensions API, "Exit error".
    pub async fn exit_error(&mut self, error_type: &str) -> Result<StatusResponse, Error> {
        self.report(Call::ExitError, error_type).await
    }

    /// Sends JSON under the identifier; the status and the body of the answer.
    #[cfg(feature = "telemetry")]
    pub(crate) async fn put(
        &mut self,
        call: Call,
        body: String,
    ) -> Result<(StatusCode, Bytes), Error> {
        let headers = vec![
            (wire::IDENTIFIER, identifier(&self.identifier, call)?),
            (header::CONTENT_TYPE, wire::JSON),
        ];
        let reply = self.call(call, headers, Bytes::from(body)).await?;
        Ok((reply.status, reply.body))
    }

    async fn report(&mut self, call: Call, error_type: &str) -> Result<StatusResponse, Error> {
        let headers = vec![
            (wire::IDENTIFIER, identifier(&self.identifier, call)?),
            (wire::ERROR_TYPE, error_type::to_header(error_type)),
        ];
        let reply = self.call(call, headers, Bytes::new()).await?;
        if reply.body.trim_ascii().is_empty() {
            // It has been taken, which is what matters.
            return Ok(StatusResponse::default());
        }
        Ok(read::<StatusReply>(call, &reply.body)?.into())
    }

    async fn call(&mut self, call: Call, headers: Headers, body: Bytes) -> Result<Reply, Error> {
        let request = request(call, &self.address, headers, body);
        let exchange = exchange(call, request, self.address.clone(), self.idle.take());
        let (reply, connection) = exchange.await;
        self.idle = connection;
        taken(call, reply?)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("name", &self.name())
            .field("address", &self.address.as_str())
            .field("extension_id", &self.extension_id())
            .field("waits_for_an_event", &self.parked.is_some())
            .finish_non_exhaustive()
    }
}

type Headers = Vec<(HeaderName, HeaderValue)>;

fn identifier(identifier: &Option<HeaderValue>, call: Call) -> Result<HeaderValue, Error> {
    identifier.clone().ok_or(Error::NotRegistered { call })
}

fn request(call: Call, address: &Address, headers: Headers, body: Bytes) -> Request<Full<Bytes>> {
    // A report has no body, and says so: some servers insist on it.
    let length = (call.method() != Method::GET).then(|| HeaderValue::from(body.len()));
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = call.method();
    *request.uri_mut() = Uri::from_static(call.path());
    request.headers_mut().insert(header::HOST, address.to_header());
    request.headers_mut().extend(headers);
    request.headers_mut().extend(length.map(|length| (header::CONTENT_LENGTH, length)));
    request
}

/// The answer, if the API agreed to the call.
fn taken(call: Call, reply: Reply) -> Result<Reply, Error> {
    if call.is_taken(reply.status) {
        return Ok(reply);
    }
    Err(Error::Refused { call, status: reply.status, refusal: Refusal::read(&reply.body) })
}

fn read<'a, T: serde::Deserialize<'a>>(call: Call, body: &'a [u8]) -> Result<T, Error> {
    wire::read(body)
        .map_err(|error| Error::Unreadable { call, problem: Unreadable::NotJson(error) })
}
