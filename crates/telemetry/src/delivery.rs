//! [`deliver`]: brings one subscriber its batches, one after the other.

mod backoff;
mod body;
mod over_http;
mod over_tcp;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rapid_events::{Event, LogsDroppedData, Platform, Schema};

use crate::clock;
use crate::mailbox::Mailbox;
use crate::queue::{Batch, Loss};
use crate::request::Destination;
use backoff::Backoff;
use over_http::HttpSubscriber;
use over_tcp::TcpSubscriber;

/// How long an HTTP exchange may take, and how long a TCP connection may take nothing.
///
/// # Source
/// Telemetry API, "Transport".
const ATTEMPT: Duration = Duration::from_secs(5);

/// Brings the subscriber at `destination` everything that gets into `mailbox`, for ever.
///
/// A batch that does not arrive is sent again until it does, or until the queue behind it runs
/// over; then it is dropped and counted. So a batch may arrive twice: nobody knows whether a
/// subscriber has read what it did not answer to.
pub(crate) async fn deliver(mailbox: Arc<Mailbox>, destination: Destination, schema: Schema) {
    let mut subscriber = Subscriber::new(destination);
    let mut backoff = Backoff::default();
    loop {
        let batch = mailbox.next().await;
        let body = subscriber.body(batch, schema);
        loop {
            let Err(error) = subscriber.send(&body).await else {
                mailbox.delivered();
                backoff = Backoff::default();
                break;
            };
            tracing::debug!(%error, "a batch of telemetry did not arrive");
            tokio::select! {
                () = tokio::time::sleep(backoff.wait()) => {}
                () = mailbox.hurried() => {}
            }
            if mailbox.give_up(&error.to_string()) {
                break;
            }
        }
    }
}

/// How a subscriber is reached.
enum Subscriber {
    Http(Box<HttpSubscriber>),
    Tcp(TcpSubscriber),
}

impl Subscriber {
    fn new(destination: Destination) -> Self {
        match destination {
            Destination::Http { port, target, method } => {
                Self::Http(Box::new(HttpSubscriber::new(port, target, method)))
            }
            Destination::Tcp { port } => Self::Tcp(TcpSubscriber::new(port)),
        }
    }

    /// A batch as it is sent, what was lost before it ahead of it.
    fn body(&self, batch: Batch, schema: Schema) -> Bytes {
        let Batch { mut events, loss } = batch;
        if let Some(told) = loss.and_then(|loss| logs_dropped(&loss, schema)) {
            events.insert(0, told);
        }
        match self {
            Self::Http(_) => body::array(&events),
            Self::Tcp(_) => body::lines(&events),
        }
    }

    /// Makes one attempt.
    async fn send(&mut self, body: &Bytes) -> io::Result<()> {
        match self {
            Self::Http(subscriber) => subscriber.send(body).await,
            Self::Tcp(subscriber) => subscriber.send(body).await,
        }
    }
}

fn logs_dropped(loss: &Loss, schema: Schema) -> Option<Bytes> {
    let data = LogsDroppedData {
        reason: loss.reason(),
        dropped_records: loss.records,
        dropped_bytes: loss.bytes,
    };
    Event::platform(clock::now(), Platform::LogsDropped(data)).encode(schema)
}
