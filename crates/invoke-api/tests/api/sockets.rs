//! What only shows on real connections.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use rapid_invoke_api::{Persona, Settings, serve};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::port::{FakePort, Play};
use crate::world::{ID, TRACE, function};

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
const GET_HEALTH: &str = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK";
const READY: &str = "{\"state\":\"ready\"}";

/// A server on a port of its own; it stops when this is dropped.
struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<()>,
}

impl Server {
    async fn over(port: &FakePort) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let (port, persona, stopped) = (port.clone(), Persona::Aws, stop.clone());
        let serving = serve(listener, port, Settings::new(persona, function()), stopped, async {
            tokio::time::sleep(PATIENCE).await;
        });
        Self { address, stop, served: tokio::spawn(serving) }
    }

    async fn connect(&self) -> Connection {
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

struct Connection(BufReader<TcpStream>);

impl Connection {
    async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Begins an invocation; `headers` each end with `\r\n`.
    async fn post(&mut self, headers: &str) {
        let line = "POST /2015-03-31/functions/function/invocations HTTP/1.1\r\nHost: x\r\n";
        self.write(format!("{line}{headers}\r\n")).await;
    }

    /// The head of an answer, without its date, with `\n` for ends of lines.
    async fn head(&mut self) -> String {
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
    async fn answer(&mut self) -> (String, String) {
        let head = self.head().await;
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let mut body = vec![0; length.unwrap().parse().unwrap()];
        let reading = tokio::time::timeout(PATIENCE, self.0.read_exact(&mut body));
        reading.await.unwrap().unwrap();
        (head, String::from_utf8(body).unwrap())
    }

    /// Reads an answer and compares its status line and its body.
    async fn answers(&mut self, status: &str, body: &str) {
        let (head, got) = self.answer().await;
        assert_eq!((head.lines().next().unwrap(), got.as_str()), (status, body));
    }

    /// Waits for the server to end the connection without another word.
    async fn ends(&mut self) {
        let mut rest = Vec::new();
        let reading = tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut rest));
        // One that is cut while bytes are unread is reset.
        let _ = reading.await.unwrap();
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }
}

#[tokio::test]
async fn an_answer_has_a_length_and_the_headers_of_the_service() {
    let server = Server::over(&FakePort::default()).await;
    let mut connection = server.connect().await;
    connection
        .post(&format!(
            "Content-Length: 2\r\nx-amzn-requestid: {ID}\r\nX-AMZN-TRACE-ID: {TRACE}\r\n"
        ))
        .await;
    connection.write("{}").await;
    let head = "HTTP/1.1 200 OK
Content-Type: application/json
X-Amzn-Requestid: 11111111-2222-4333-8444-555555555555
X-Amz-Executed-Version: 7
X-Amzn-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1
Content-Length: 6
";
    assert_eq!(connection.answer().await, (head.to_owned(), "\"done\"".to_owned()));
}

#[tokio::test]
async fn one_connection_serves_many_invocations() {
    let port = FakePort::default();
    let server = Server::over(&port).await;
    let mut connection = server.connect().await;
    for _ in 0..50 {
        connection.post("Transfer-Encoding: chunked\r\n").await;
        connection.write("1\r\n{\r\n1\r\n}\r\n0\r\n\r\n").await;
        connection.answers(OK, "\"done\"").await;
        connection.post("Content-Length: 1\r\n").await;
        connection.write("{").await;
        let (head, _) = connection.answer().await;
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\n"), "{head}");
        connection.post("Content-Length: 0\r\nX-Amz-Invocation-Type: DryRun\r\n").await;
        assert!(connection.head().await.starts_with("HTTP/1.1 204 No Content\n"));
        connection.write(GET_HEALTH).await;
        connection.answers(OK, READY).await;
    }
    assert_eq!(port.invocations(), 50);
}

#[tokio::test]
async fn a_client_that_waits_for_leave_to_send_its_event_gets_it() {
    let port = FakePort::default();
    let server = Server::over(&port).await;
    let mut connection = server.connect().await;
    connection.post("Content-Length: 7\r\nExpect: 100-continue\r\n").await;
    assert_eq!(connection.head().await, "HTTP/1.1 100 Continue\n");
    connection.write("\"event\"").await;
    connection.answers(OK, "\"done\"").await;
    assert_eq!(port.invocation().payload, "\"event\"");
}

#[tokio::test]
async fn an_event_that_is_too_large_is_read_on_so_that_the_connection_can_be_used_again() {
    let server = Server::over(&FakePort::default()).await;
    let mut connection = server.connect().await;
    connection.post("Content-Length: 6291457\r\n").await;
    connection.write(vec![b'1'; 6_291_457]).await;
    let (head, _) = connection.answer().await;
    assert!(head.starts_with("HTTP/1.1 413 Payload Too Large\n"), "{head}");
    connection.write(GET_HEALTH).await;
    connection.answers(OK, READY).await;
}

#[tokio::test]
async fn an_event_that_never_ends_is_answered_and_cut_off() {
    let server = Server::over(&FakePort::default()).await;
    let connection = server.connect().await;
    let (reading, mut writing) = connection.0.into_inner().into_split();
    let sending = tokio::spawn(async move {
        let head = "POST /2015-03-31/functions/f/invocations HTTP/1.1\r\nHost: x\r\n\
                    Transfer-Encoding: chunked\r\n\r\n";
        writing.write_all(head.as_bytes()).await.unwrap();
        let chunk = format!("100000\r\n{}\r\n", "1".repeat(0x10_0000));
        let mut sent = 0;
        while writing.write_all(chunk.as_bytes()).await.is_ok() {
            sent += 1;
        }
        sent
    });
    let mut line = String::new();
    let mut reading = BufReader::new(reading);
    tokio::time::timeout(PATIENCE, reading.read_line(&mut line)).await.unwrap().unwrap();
    assert_eq!(line, "HTTP/1.1 413 Payload Too Large\r\n");
    let sent = tokio::time::timeout(PATIENCE, sending).await.unwrap().unwrap();
    assert!((22..40).contains(&sent), "{sent} MiB were taken");
}

#[tokio::test]
async fn an_invoker_that_disconnects_gives_its_invocation_up() {
    let port = FakePort::new(Play::Hang);
    let server = Server::over(&port).await;
    let mut connection = server.connect().await;
    connection.post("Content-Length: 2\r\n").await;
    connection.write("{}").await;
    tokio::time::timeout(PATIENCE, port.is_invoked()).await.unwrap();
    drop(connection);
    tokio::time::timeout(PATIENCE, port.is_given_up()).await.unwrap();
}

#[tokio::test]
async fn heads_may_be_nearly_a_megabyte_and_no_larger() {
    let server = Server::over(&FakePort::default()).await;
    let mut connection = server.connect().await;
    connection.post(&format!("Content-Length: 0\r\nX-Other: {}\r\n", "x".repeat(1_000_000))).await;
    connection.answers(OK, "\"done\"").await;
    let mut connection = server.connect().await;
    let head = format!("GET /health HTTP/1.1\r\nX-Other: {}", "x".repeat(1_100_000));
    // The server may stop reading before all of it was written.
    let _ = connection.0.write_all(head.as_bytes()).await;
    let status = connection.head().await;
    assert!(status.starts_with("HTTP/1.1 431 "), "{status}");
}

#[tokio::test]
async fn a_server_that_stops_lets_invocations_finish() {
    let port = FakePort::new(Play::Respond(Bytes::from_static(b"1")));
    let mut server = Server::over(&port).await;
    let mut idle = server.connect().await;
    idle.write(GET_HEALTH).await;
    idle.answers(OK, READY).await;
    let mut busy = server.connect().await;
    busy.post("Content-Length: 2\r\nExpect: 100-continue\r\n").await;
    // It is being handled now.
    assert_eq!(busy.head().await, "HTTP/1.1 100 Continue\n");
    server.stop.cancel();
    idle.ends().await;
    busy.write("{}").await;
    busy.answers(OK, "1").await;
    busy.ends().await;
    (&mut server.served).await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err(), "the listener is still there");
}
