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

/// How long an attempt to send a batch may take.
///
/// # Source
/// Telemetry API, "Transport".
const ATTEMPT: Duration = Duration::from_secs(5);

/// Brings the subscriber at `destination` everything that gets into `mailbox`, for ever.
///
/// A batch that does not arrive is sent again until it does, or until the queue behind it runs
/// over; then it is dropped and counted. So a batch may arrive twice: nobody knows whether a
/// subscriber has read what it did not answer to.
pub(crate) async fn deliver(
    mailbox: Arc<Mailbox>,
    name: Box<str>,
    destination: Destination,
    schema: Schema,
) {
    match destination {
        Destination::Http { port, target, method } => {
            serve(&mailbox, &name, HttpSubscriber::new(port, target, method), schema).await;
        }
        Destination::Tcp { port } => {
            serve(&mailbox, &name, TcpSubscriber::new(port), schema).await;
        }
    }
}

/// How a subscriber is reached.
trait Subscriber {
    /// A batch as it is sent, however often that takes.
    type Parcel: Sync;

    /// Packs the events of a batch.
    fn pack(&self, events: &[Bytes]) -> Self::Parcel;

    /// Makes one attempt.
    fn send(&mut self, parcel: &Self::Parcel) -> impl Future<Output = io::Result<()>> + Send;
}

async fn serve(mailbox: &Mailbox, name: &str, mut subscriber: impl Subscriber, schema: Schema) {
    let mut backoff = Backoff::default();
    loop {
        let events = told(mailbox.next().await, schema);
        let parcel = subscriber.pack(&events);
        drop(events);
        loop {
            let attempt = mailbox.attempt();
            let sent = subscriber.send(&parcel).await;
            complain(mailbox, name);
            let Err(error) = sent else {
                mailbox.delivered();
                backoff = Backoff::default();
                break;
            };
            tracing::debug!(%error, "a batch of telemetry did not arrive");
            mailbox.failed(attempt);
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

/// Tells the operator that something was dropped. Here, where nobody waits for the subscriber.
fn complain(mailbox: &Mailbox, name: &str) {
    if let Some(dropped) = mailbox.complaint() {
        tracing::warn!(
            extension.name = name,
            dropped,
            "telemetry was dropped: the extension takes it too slowly, or has subscribed too late; \
             it may answer faster, subscribe earlier or to fewer types, or ask for larger batches"
        );
    }
}

/// The events of a batch, what was lost before it ahead of it.
fn told(batch: Batch, schema: Schema) -> Vec<Bytes> {
    let Batch { mut events, loss } = batch;
    if let Some(told) = loss.and_then(|loss| logs_dropped(&loss, schema)) {
        events.insert(0, told);
    }
    events
}

fn logs_dropped(loss: &Loss, schema: Schema) -> Option<Bytes> {
    let data = LogsDroppedData {
        reason: loss.reason(),
        dropped_records: loss.records,
        dropped_bytes: loss.bytes,
    };
    Event::platform(clock::now(), Platform::LogsDropped(data)).encode(schema)
}
