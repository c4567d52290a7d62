//! A client that shows what is on the wire.

use std::net::SocketAddr;

use rapid_runtime_api::serve;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::http_text::metadata;
use crate::port::{FakePort, PATIENCE};

/// A server on a port of its own; it stops when this is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) stop: CancellationToken,
    pub(crate) served: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn over(port: &FakePort) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let telemetry = port.telemetry();
        let serving = serve(listener, port.clone(), metadata(), telemetry, stop.clone(), async {
            tokio::time::sleep(PATIENCE).await;
        });
        Self { address, stop, served: tokio::spawn(serving) }
    }

    pub(crate) async fn connect(&self) -> Connection {
        let stream = TcpStream::connect(self.address).await.unwrap();
        // Small pieces are not to wait for each other.
        stream.set_nodelay(true).unwrap();
        Connection(BufReader::new(stream))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    pub(crate) async fn stops_writing(&mut self) {
        self.0.shutdown().await.unwrap();
    }

    /// The head of an answer, without its date, with `\n` for ends of lines.
    pub(crate) async fn head(&mut self) -> String {
        let mut head = String::new();
        loop {
            let mut line = String::new();
            let reading = tokio::time::timeout(PATIENCE, self.0.read_line(&mut line));
            assert_ne!(reading.await.unwrap().unwrap(), 0, "the connection ended after {head:?}");
            let line = line.strip_suffix("\r\n").unwrap();
            if line.is_empty() {
                return head;
            }
            if !line.starts_with("Date: ") {
                head = head + line + "\n";
            }
        }
    }

    /// A whole answer: its head, and the body of the length that the head gives.
    pub(crate) async fn answer(&mut self) -> (String, String) {
        let head = self.head().await;
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        let reading = tokio::time::timeout(PATIENCE, self.0.read_exact(&mut body));
        reading.await.unwrap().unwrap();
        (head, String::from_utf8(body).unwrap())
    }

    /// Reads an answer and compares its status line and its body.
    pub(crate) async fn answers(&mut self, status: &str, body: &str) {
        let (head, got) = self.answer().await;
        assert_eq!((head.lines().next().unwrap(), got.as_str()), (status, body));
    }

    /// Waits for the server to end the connection without another word.
    pub(crate) async fn ends(&mut self) {
        let mut rest = Vec::new();
        let reading = tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut rest));
        // One that is cut while bytes are unread is reset.
        let _ = reading.await.unwrap();
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }
}
