//! [`XRayEvents`]: what X-Ray is told about sampled invocations.
//!
//! One segment document per invocation goes to the X-Ray daemon as one UDP datagram, when the
//! invocation is reported. Sending never waits: what the socket does not take at once is lost and
//! counted, as X-Ray's own libraries do it; the first loss is warned of.
//!
//! `document` knows what a segment document looks like, `recorder` makes one of an invocation's
//! events; neither has a socket or a clock.
//!
//! # Source
//! X-Ray developer guide, "Sending segment documents to X-Ray", "X-Ray segment documents".

mod document;
mod recorder;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use rapid_events::{
    EventsApi, InitReportData, InitStartData, InvokeRuntimeDoneData, InvokeStartData, ReportData,
    RestoreRuntimeDoneData,
};
use rapid_interop::{InvokeErrorTraceData, RequestId};

#[cfg(feature = "otel")]
pub(crate) use self::document::Cause;
use self::recorder::Recorder;

/// The variable that names the daemon's address.
pub const DAEMON_ADDRESS: &str = "AWS_XRAY_DAEMON_ADDRESS";

/// What precedes every document.
const HEADER: &[u8] = b"{\"format\": \"json\", \"version\": 1}\n";

/// The most that a datagram carries, in bytes.
const MAX_DATAGRAM: usize = 65_507;

/// Where the daemon listens for segments: `host:port`, or `udp:host:port` beside a `tcp:…` as
/// X-Ray's libraries take it; `None` if the text names no such place.
#[must_use]
pub fn daemon_address(text: &str) -> Option<&str> {
    let mut places = text.split_ascii_whitespace();
    let udp = places.clone().find_map(|place| place.strip_prefix("udp:"));
    let plain = || places.next().filter(|place| !place.starts_with("tcp:"));
    let address = udp.or_else(plain)?;
    let (host, port) = address.rsplit_once(':')?;
    let is_port = port.parse::<u16>().is_ok_and(|port| port != 0);
    (is_port && !host.is_empty()).then_some(address)
}

/// Sends a segment document for every sampled invocation.
#[derive(Debug)]
pub struct XRayEvents {
    daemon: SocketAddr,
    socket: UdpSocket,
    recorder: Mutex<Recorder>,
    sent: AtomicU64,
    lost: AtomicU64,
}

impl XRayEvents {
    /// Sends to the daemon at this address, which [`daemon_address`] tells once its name was looked
    /// up.
    ///
    /// # Errors
    /// When no socket can be had. That nobody listens there is no error.
    pub fn connect(daemon: SocketAddr) -> io::Result<Self> {
        let any: SocketAddr = match daemon {
            SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
            SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
        };
        let socket = UdpSocket::bind(any)?;
        socket.connect(daemon)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            daemon,
            socket,
            recorder: Mutex::default(),
            sent: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        })
    }

    /// How many documents the network has taken. Whether the daemon got them, nobody knows.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// How many documents were lost on the way out, as far as the network has said so.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Asks the network whether it has lost the last document meanwhile, which it tells only
    /// afterwards, and counts that. For the end: until then, sending asks.
    pub fn settle(&self) {
        // That nothing can be asked tells nothing.
        if let Ok(Some(error)) = self.socket.take_error() {
            self.lose(&error);
        }
    }

    /// Counts a document that was lost, and says so once.
    fn lose(&self, error: &io::Error) {
        if self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(
                "the X-Ray daemon at {} does not take what is sent: {error}; no invocation waits \
                 for it, and this is said only once",
                self.daemon
            );
        } else {
            tracing::debug!(%error, "a trace segment was lost");
        }
    }

    fn recorder(&self) -> MutexGuard<'_, Recorder> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, document: &[u8]) {
        let datagram = [HEADER, document].concat();
        match self.socket.send(&datagram) {
            Ok(_) => {
                self.sent.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => self.lose(&error),
        }
    }
}

impl EventsApi for XRayEvents {
    fn send_init_start(&self, data: &InitStartData) {
        self.recorder().init_start(data, SystemTime::now());
    }

    fn send_init_report(&self, _data: &InitReportData) {
        self.recorder().init_report(SystemTime::now());
    }

    fn send_restore_runtime_done(&self, _data: &RestoreRuntimeDoneData) {
        self.recorder().restore_runtime_done(SystemTime::now());
    }

    fn send_invoke_start(&self, data: &InvokeStartData) {
        self.recorder().invoke_start(data, SystemTime::now());
    }

    fn send_error_cause(&self, id: &RequestId, trace: &InvokeErrorTraceData) {
        if let Some(cause) = &trace.error_cause {
            self.recorder().error_cause(id, cause);
        }
    }

    fn send_invoke_runtime_done(&self, data: &InvokeRuntimeDoneData) {
        self.recorder().runtime_done(data, SystemTime::now());
    }

    fn send_report(&self, data: &ReportData) {
        let segment = self.recorder().report(data, SystemTime::now());
        let limit = MAX_DATAGRAM - HEADER.len();
        if let Some(document) = segment.and_then(|segment| segment.to_json(limit)) {
            self.send(&document);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemons_address_is_read_in_every_form_that_libraries_take() {
        let rows = [
            ("127.0.0.1:2000", Some("127.0.0.1:2000")),
            ("daemon:2000", Some("daemon:2000")),
            ("[::1]:2000", Some("[::1]:2000")),
            ("udp:127.0.0.1:2000", Some("127.0.0.1:2000")),
            ("tcp:127.0.0.1:2000 udp:127.0.0.2:2001", Some("127.0.0.2:2001")),
            ("udp:127.0.0.2:2001 tcp:127.0.0.1:2000", Some("127.0.0.2:2001")),
            ("tcp:127.0.0.1:2000", None),
            ("0.0.0.0:0", None),
            ("127.0.0.1", None),
            (":2000", None),
            ("host:port", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(daemon_address(text), expected, "{text}");
        }
    }

    #[test]
    fn a_daemon_that_nobody_hears_is_no_error() {
        assert!(XRayEvents::connect("127.0.0.1:9".parse().unwrap()).is_ok());
    }
}
