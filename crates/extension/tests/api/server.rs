//! An API that shows what is on the wire, and answers as it is told.

use std::time::Duration;

use rapid_extension::{Client, Events};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// How long anything may take before it counts as never.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const ID: &str = "0f5f3a5e-1b1c-4a52-8a86-9a51d4d1a7a1";

pub(crate) const REGISTERED: &str =
    r#"{"functionName":"hello","functionVersion":"$LATEST","handler":"app.handler"}"#;

pub(crate) const ACCEPTED: &str = "{\"status\":\"OK\"}\n";

pub(crate) const INVOKE: &str = r#"{"eventType":"INVOKE","deadlineMs":1700000000000,"requestId":"r-1","invokedFunctionArn":"arn:aws:lambda:us-east-1:012345678912:function:hello","tracing":{"type":"X-Amzn-Trace-Id","value":"Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700"}}"#;

pub(crate) const SHUTDOWN: &str =
    r#"{"eventType":"SHUTDOWN","deadlineMs":1700000002000,"shutdownReason":"spindown"}"#;

/// A port that belongs to this test, and refuses connections as long as it is no more.
pub(crate) struct Port {
    socket: TcpSocket,
    pub(crate) address: String,
}

impl Port {
    pub(crate) fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = socket.local_addr().unwrap().to_string();
        Self { socket, address }
    }
}

/// An API on a port of its own.
pub(crate) struct Api {
    listener: TcpListener,
    pub(crate) address: String,
}

impl Api {
    pub(crate) fn new() -> Self {
        Self::over(Port::new())
    }

    pub(crate) fn over(port: Port) -> Self {
        Self { listener: port.socket.listen(16).unwrap(), address: port.address }
    }

    pub(crate) fn client(&self) -> Client {
        Client::with("logger", &self.address).unwrap()
    }

    /// The next connection that a client opens.
    pub(crate) async fn accept(&self) -> Connection {
        let (stream, _) = within(self.listener.accept()).await.unwrap();
        Connection(BufReader::new(stream))
    }

    /// A client that has registered, and its connection.
    pub(crate) async fn registered(&self) -> (Client, Connection) {
        let mut client = self.client();
        let (registered, connection) = both(client.register(Events::all()), async {
            let mut connection = self.accept().await;
            connection.takes("POST /2020-01-01/extension/register").await;
            connection.registers().await;
            connection
        })
        .await;
        registered.unwrap();
        (client, connection)
    }

    /// Whether nobody has opened another connection.
    pub(crate) async fn has_nobody_waiting(&self) -> bool {
        // A connection of its own comes after all that there are.
        let own = TcpStream::connect(&self.address).await.unwrap();
        let (first, _) = within(self.listener.accept()).await.unwrap();
        first.peer_addr().unwrap() == own.local_addr().unwrap()
    }
}

/// One connection of a client.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    /// A whole request, with `\n` for ends of lines; the host, which has a random port, is left
    /// out.
    pub(crate) async fn request(&mut self) -> String {
        let mut text = String::new();
        let mut length = 0;
        loop {
            let mut line = String::new();
            let read = within(self.0.read_line(&mut line)).await.unwrap();
            assert_ne!(read, 0, "the connection ended after {text:?}");
            let line = line.strip_suffix("\r\n").unwrap();
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = value.parse().unwrap();
            }
            if line.starts_with("Host: 127.0.0.1:") {
                continue;
            }
            text = text + line + "\n";
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        within(self.0.read_exact(&mut body)).await.unwrap();
        text + std::str::from_utf8(&body).unwrap()
    }

    /// Reads a request, whose first line is that of a call.
    pub(crate) async fn takes(&mut self, call: &str) {
        let request = self.request().await;
        assert_eq!(request.lines().next(), Some(format!("{call} HTTP/1.1").as_str()));
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        within(self.0.write_all(bytes.as_ref())).await.unwrap();
    }

    /// Answers: status, further header lines, body.
    pub(crate) async fn answers(&mut self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n");
        self.write(head + body).await;
    }

    pub(crate) async fn registers(&mut self) {
        let headers = format!("Lambda-Extension-Identifier: {ID}\r\n");
        self.answers("200 OK", &headers, REGISTERED).await;
    }

    pub(crate) async fn gives(&mut self, event: &str) {
        self.takes(GET_NEXT).await;
        self.answers("200 OK", "Content-Type: application/json\r\n", event).await;
    }

    /// Chunks, again and again, until the client has hung up.
    pub(crate) async fn writes_until_nobody_reads(&mut self) {
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        within(async { while self.0.write_all(chunk.as_bytes()).await.is_ok() {} }).await;
    }

    /// Whether the client says nothing for a moment.
    pub(crate) async fn is_quiet(&mut self) -> bool {
        let moment = Duration::from_millis(20);
        tokio::time::timeout(moment, self.0.fill_buf()).await.is_err()
    }

    /// Waits for the client to end the connection without another word.
    pub(crate) async fn ends(&mut self) {
        let mut rest = Vec::new();
        within(self.0.read_to_end(&mut rest)).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }
}

pub(crate) const GET_NEXT: &str = "GET /2020-01-01/extension/event/next";

/// What a future comes to, which must not take for ever.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it took for ever")
}

/// Both sides at once.
pub(crate) async fn both<C: Future, S: Future>(client: C, server: S) -> (C::Output, S::Output) {
    within(async { tokio::join!(client, server) }).await
}
