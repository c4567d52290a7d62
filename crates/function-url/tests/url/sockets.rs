//! What only shows on real connections.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use rapid_function_url::{FunctionUrl, serve};
use rapid_interop::ports::Failure;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::port::{FakePort, INTEGRATION, Play};
use crate::world::{TRACE, streaming, url};

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server on a port of its own; it stops when this is dropped.
struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<()>,
}

impl Server {
    async fn over(port: &FakePort, url: FunctionUrl) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let serving = serve(listener, port.clone(), url, stop.clone(), async {
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

    /// Sends the head of a request, given without `HTTP/1.1` and `Host`; `\n` ends a line.
    async fn ask(&mut self, head: &str) {
        let (line, headers) = head.split_once('\n').unwrap_or((head, ""));
        let headers: String = headers.lines().map(|line| format!("{line}\r\n")).collect();
        self.write(format!("{line} HTTP/1.1\r\nHost: localhost:8080\r\n{headers}\r\n")).await;
    }

    /// The head of an answer, without what is new each time, with `\n` for ends of lines.
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
            if !line.starts_with("Date: ") && !line.starts_with("X-Amzn-Requestid: ") {
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
        let line = head.lines().next().unwrap();
        assert_eq!((line, got.as_str()), (format!("HTTP/1.1 {status}").as_str(), body));
    }

    /// Reads the next chunk; the last one is empty.
    async fn chunk(&mut self) -> String {
        let mut line = String::new();
        let reading = tokio::time::timeout(PATIENCE, self.0.read_line(&mut line));
        assert_ne!(reading.await.unwrap().unwrap(), 0, "the connection ended");
        let length = usize::from_str_radix(line.trim_end(), 16).unwrap();
        let mut chunk = vec![0; length + 2];
        let reading = tokio::time::timeout(PATIENCE, self.0.read_exact(&mut chunk));
        reading.await.unwrap().unwrap();
        String::from_utf8(chunk).unwrap().strip_suffix("\r\n").unwrap().to_owned()
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
async fn a_request_from_a_client_is_an_event_and_an_answer() {
    let output = r#"{"statusCode":201,"headers":{"content-type":"text/plain"},"cookies":["b=1","a=2"],"body":"hi"}"#;
    let port = FakePort::new(Play::json(output));
    let server = Server::over(&port, url()).await;
    let mut connection = server.connect().await;
    connection
        .ask(&format!(
            "POST /a%20b?c=d\nContent-Length: 3\nX-AMZN-TRACE-ID: {TRACE}\nX-Ray: \u{e9}"
        ))
        .await;
    connection.write("xyz").await;
    let head = format!(
        "HTTP/1.1 201 Created
Content-Type: text/plain
Set-Cookie: b=1
Set-Cookie: a=2
X-Amzn-Trace-Id: {TRACE}
Content-Length: 2
"
    );
    assert_eq!(connection.answer().await, (head, "hi".to_owned()));
    let event = port.event();
    assert_eq!(event["rawPath"], "/a%20b");
    assert_eq!(event["requestContext"]["http"]["path"], "/a b");
    assert_eq!(event["requestContext"]["http"]["protocol"], "HTTP/1.1");
    assert_eq!(event["requestContext"]["http"]["sourceIp"], "127.0.0.1");
    assert_eq!(event["headers"]["host"], "localhost:8080");
    assert_eq!(event["headers"]["x-ray"], "\u{e9}");
    assert_eq!(event["body"], "xyz");
}

#[tokio::test]
async fn the_function_learns_from_where_the_client_comes() {
    let port = FakePort::default();
    let server = Server::over(&port, url()).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let stream = socket.connect(server.address).await.unwrap();
    let mut connection = Connection(BufReader::new(stream));
    connection.ask("GET /").await;
    connection.answers("200 OK", "done").await;
    assert_eq!(port.event()["requestContext"]["http"]["sourceIp"], "127.0.0.2");
    assert_eq!(port.event()["headers"]["x-forwarded-for"], "127.0.0.2");
}

#[tokio::test]
async fn one_connection_serves_many_requests_of_every_kind() {
    let port = FakePort::new(Play::json(r#"{"statusCode":200,"body":"done"}"#));
    let server = Server::over(&port, url()).await;
    let mut connection = server.connect().await;
    for _ in 0..50 {
        connection.ask("POST /\nTransfer-Encoding: chunked").await;
        connection.write("1\r\n{\r\n1\r\n}\r\n0\r\n\r\n").await;
        connection.answers("200 OK", "done").await;
        connection.ask("GET /health").await;
        connection.answers("200 OK", "done").await;
        connection.ask("HEAD /").await;
        let head = connection.head().await;
        assert!(head.ends_with("Content-Length: 4\n"), "{head}");
        connection.ask("POST /\nContent-Length: 6291457").await;
        connection.write(vec![b'1'; 6_291_457]).await;
        let (head, _) = connection.answer().await;
        assert!(head.starts_with("HTTP/1.1 413 Payload Too Large\n"), "{head}");
    }
    assert_eq!(port.invocations(), 150);
}

#[tokio::test]
async fn answers_without_a_body_leave_the_connection_in_order() {
    let port = FakePort::default();
    for url in [url(), streaming()] {
        let server = Server::over(&port, url).await;
        let mut connection = server.connect().await;
        for (status, line) in [(204, "204 No Content"), (304, "304 Not Modified")] {
            let prelude = format!("{{\"statusCode\":{status}}}\0\0\0\0\0\0\0\0no");
            for method in ["GET", "HEAD"] {
                port.plays(Play::typed(INTEGRATION, &prelude));
                connection.ask(&format!("{method} /")).await;
                let head = connection.head().await;
                assert!(head.starts_with(&format!("HTTP/1.1 {line}\n")), "{head}");
                assert!(!head.contains("Length") && !head.contains("Transfer"), "{head}");
                port.plays(Play::typed(INTEGRATION, "{}\0\0\0\0\0\0\0\0yes"));
                connection.ask("GET /").await;
                connection.answers("200 OK", "yes").await;
            }
        }
    }
}

#[tokio::test]
async fn an_empty_answer_has_an_end() {
    let port = FakePort::new(Play::streamed("application/octet-stream", ""));
    let server = Server::over(&port, streaming()).await;
    let mut connection = server.connect().await;
    for _ in 0..2 {
        connection.ask("GET /").await;
        connection.answers("200 OK", "").await;
    }
}

#[tokio::test]
async fn headers_of_a_connection_are_the_servers_own() {
    let output = r#"{"statusCode":200,"headers":{"Connection":"close","Transfer-Encoding":"chunked","Content-Length":"1","Upgrade":"h2c","Date":"never","Server":"me"},"body":"two"}"#;
    let port = FakePort::new(Play::json(output));
    let server = Server::over(&port, url()).await;
    let mut connection = server.connect().await;
    for _ in 0..2 {
        connection.ask(&format!("GET /\nUpgrade: h2c\nX-Amzn-Trace-Id: {TRACE}")).await;
        let head = format!(
            "HTTP/1.1 200 OK\nContent-Type: application/json\nX-Amzn-Trace-Id: {TRACE}\nContent-Length: 3\n"
        );
        assert_eq!(connection.answer().await, (head, "two".to_owned()));
    }
}

#[tokio::test]
async fn a_client_that_waits_for_leave_to_send_its_body_gets_it() {
    let port = FakePort::default();
    let server = Server::over(&port, url()).await;
    let mut connection = server.connect().await;
    connection.ask("POST /\nContent-Length: 4\nExpect: 100-continue").await;
    assert_eq!(connection.head().await, "HTTP/1.1 100 Continue\n");
    connection.write("body").await;
    connection.answers("200 OK", "done").await;
    assert_eq!(
        (&port.event()["body"], port.event()["headers"].get("expect")),
        (&"body".into(), None)
    );
}

#[tokio::test]
async fn a_client_that_disconnects_gives_its_invocation_up() {
    let port = FakePort::new(Play::Hang);
    let server = Server::over(&port, url()).await;
    let mut connection = server.connect().await;
    connection.ask("GET /").await;
    tokio::time::timeout(PATIENCE, port.is_invoked()).await.unwrap();
    drop(connection);
    tokio::time::timeout(PATIENCE, port.is_given_up()).await.unwrap();
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let server = Server::over(&FakePort::default(), url()).await;
    for bad in ["nonsense\r\n\r\n", "GET /a b HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\na b: c\r\n\r\n"]
    {
        let mut connection = server.connect().await;
        connection.write(bad).await;
        let head = connection.head().await;
        assert!(head.starts_with("HTTP/1.1 400 "), "{bad:?}: {head}");
    }
}

#[tokio::test]
async fn a_stream_reaches_the_client_piece_by_piece() {
    let port = FakePort::default();
    let server = Server::over(&port, streaming()).await;
    let mut connection = server.connect().await;
    for _ in 0..2 {
        let (play, feed) = Play::fed(INTEGRATION);
        port.plays(play);
        connection.ask("GET /").await;
        feed.piece("{\"statusCode\":418,\"cookies\":[\"a=1\"]").await;
        feed.piece("}\0\0\0\0\0").await;
        feed.piece("\0\0\0first").await;
        let head = connection.head().await;
        assert!(head.starts_with("HTTP/1.1 418 I'm a teapot\nSet-Cookie: a=1\n"), "{head}");
        assert!(head.ends_with("Transfer-Encoding: chunked\n"), "{head}");
        assert_eq!(connection.chunk().await, "first");
        feed.piece("second").await;
        assert_eq!(connection.chunk().await, "second");
        feed.end(None);
        assert_eq!(connection.chunk().await, "");
    }
}

#[tokio::test]
async fn a_stream_whose_invocation_fails_is_cut_off() {
    let (play, feed) = Play::fed("text/plain");
    let server = Server::over(&FakePort::new(play), streaming()).await;
    let mut connection = server.connect().await;
    connection.ask("GET /").await;
    feed.piece("partial").await;
    assert!(connection.head().await.starts_with("HTTP/1.1 200 OK\n"));
    assert_eq!(connection.chunk().await, "partial");
    feed.end(Some(Failure::Truncated));
    connection.ends().await;
}

#[tokio::test]
async fn what_came_just_before_a_failure_reaches_the_client() {
    let (play, feed) = Play::fed("text/plain");
    let server = Server::over(&FakePort::new(play), streaming()).await;
    let mut connection = server.connect().await;
    feed.piece("partial").await;
    feed.end(Some(Failure::Truncated));
    connection.ask("GET /").await;
    assert!(connection.head().await.starts_with("HTTP/1.1 200 OK\n"));
    assert_eq!(connection.chunk().await, "partial");
    connection.ends().await;
}

#[tokio::test]
async fn a_stream_that_fails_before_its_head_is_a_bad_gateway() {
    for (content_type, piece) in [(INTEGRATION, "{\"statusCode\""), ("text/plain", "")] {
        let (play, feed) = Play::fed(content_type);
        let server = Server::over(&FakePort::new(play), streaming()).await;
        let mut connection = server.connect().await;
        connection.ask("GET /").await;
        feed.piece(piece).await;
        feed.end(Some(Failure::Timeout { limit: Duration::from_secs(3) }));
        connection.answers("502 Bad Gateway", "Internal Server Error").await;
    }
}

#[tokio::test]
async fn a_client_that_goes_lets_go_of_its_stream() {
    let (play, feed) = Play::fed("text/plain");
    let server = Server::over(&FakePort::new(play), streaming()).await;
    let mut connection = server.connect().await;
    connection.ask("GET /").await;
    feed.piece("first").await;
    connection.head().await;
    drop(connection);
    tokio::time::timeout(PATIENCE, feed.is_dropped()).await.unwrap();
}

#[tokio::test]
async fn a_question_for_the_head_lets_go_of_the_body() {
    let (play, feed) = Play::fed("text/plain");
    let server = Server::over(&FakePort::new(play), streaming()).await;
    let mut connection = server.connect().await;
    connection.ask("HEAD /").await;
    feed.piece("first").await;
    assert!(connection.head().await.starts_with("HTTP/1.1 200 OK\n"));
    tokio::time::timeout(PATIENCE, feed.is_dropped()).await.unwrap();
}

#[tokio::test]
async fn a_server_that_stops_lets_requests_finish() {
    let port = FakePort::new(Play::Respond(Default::default(), Bytes::from_static(b"1")));
    let mut server = Server::over(&port, url()).await;
    let mut busy = server.connect().await;
    busy.ask("POST /\nContent-Length: 2\nExpect: 100-continue").await;
    // It is being handled now.
    assert_eq!(busy.head().await, "HTTP/1.1 100 Continue\n");
    server.stop.cancel();
    busy.write("{}").await;
    busy.answers("200 OK", "1").await;
    busy.ends().await;
    (&mut server.served).await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err(), "the listener is still there");
}
