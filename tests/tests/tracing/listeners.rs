//! An X-Ray daemon and an OpenTelemetry collector, for the tests of tracing.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

use rapid_e2e::{DEADLINE, Options};
use serde_json::Value;

use crate::received::Received;

/// The variable that names the collector.
pub(crate) const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// An OpenTelemetry collector; it takes everything, or never says a word.
pub(crate) struct Collector {
    port: u16,
    received: Arc<Mutex<Received>>,
}

impl Collector {
    pub(crate) fn start() -> Self {
        Self::that(true)
    }

    pub(crate) fn silent() -> Self {
        Self::that(false)
    }

    fn that(answers: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let received: Arc<Mutex<Received>> = Arc::default();
        let shared = Arc::clone(&received);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let received = Arc::clone(&shared);
                thread::spawn(move || take(&stream.unwrap(), answers, &received));
            }
        });
        Self { port, received }
    }

    pub(crate) fn observes(&self, options: Options) -> Options {
        options.env(ENDPOINT, format!("http://127.0.0.1:{}", self.port))
    }

    pub(crate) fn received(&self) -> Received {
        self.received.lock().unwrap().clone()
    }
}

/// Takes one request in.
fn take(mut stream: &TcpStream, answers: bool, received: &Mutex<Received>) {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    while head.last().is_none_or(|line: &String| line != "\r\n") {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        head.push(line);
    }
    let length = |line: &String| line.strip_prefix("content-length: ")?.trim().parse().ok();
    let mut body = vec![0; head.iter().find_map(length).unwrap()];
    reader.read_exact(&mut body).unwrap();
    let path = head[0].split(' ').nth(1).unwrap();
    {
        let mut received = received.lock().unwrap();
        received.requests += 1;
        received.take(path, &body);
    }
    if answers {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
    } else {
        // Until rapid gives up.
        let _ = reader.read(&mut [0]);
    }
}

/// An X-Ray daemon.
pub(crate) struct Daemon(UdpSocket);

impl Daemon {
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        Self(socket)
    }

    pub(crate) fn observes(&self, options: Options) -> Options {
        options.env("AWS_XRAY_DAEMON_ADDRESS", self.0.local_addr().unwrap().to_string())
    }

    /// The next segment document.
    #[track_caller]
    pub(crate) fn segment(&self) -> Value {
        let mut datagram = vec![0; 65_536];
        let length = self.0.recv(&mut datagram).expect("a segment comes");
        let text = std::str::from_utf8(&datagram[..length]).unwrap();
        let (header, document) = text.split_once('\n').unwrap();
        assert_eq!(header, r#"{"format": "json", "version": 1}"#);
        serde_json::from_str(document).unwrap()
    }

    /// Whether no segment has come that nobody has looked at.
    pub(crate) fn has_nothing(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        self.0.recv(&mut [0]).is_err()
    }
}
