//! Listeners as extensions have them, which misbehave when they are told to.

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::world::within;

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// A socket that subscribers of a test listen on.
pub(crate) struct Receiver {
    listener: TcpListener,
    pub(crate) port: u16,
}

impl Receiver {
    pub(crate) async fn bind() -> Self {
        Self::bind_to(0).await
    }

    pub(crate) async fn bind_to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { listener, port }
    }

    pub(crate) async fn accept(&self) -> Peer {
        let (stream, _) = within(self.listener.accept()).await.unwrap();
        Peer { stream: BufReader::new(stream) }
    }

    /// Accepts a connection, answers one request well and closes the connection.
    pub(crate) async fn serve_one(&self) -> Post {
        let mut peer = self.accept().await;
        let post = peer.request().await;
        peer.write(OK).await;
        post
    }
}

/// A connection from rapid.
pub(crate) struct Peer {
    stream: BufReader<TcpStream>,
}

/// A request as it was written.
pub(crate) struct Post {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Post {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    pub(crate) fn events(&self) -> Vec<serde_json::Value> {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Peer {
    /// The next request, read as simple listeners do: by its Content-Length.
    pub(crate) async fn request(&mut self) -> Post {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = within(self.stream.read_line(&mut head)).await.unwrap();
            assert!(read > 0, "the connection ended after {head:?}");
        }
        let mut post = Post { head, body: Vec::new() };
        let length = post.header("content-length").unwrap().parse().unwrap();
        post.body.resize(length, 0);
        within(self.stream.read_exact(&mut post.body)).await.unwrap();
        post
    }

    /// The next request, answered well.
    pub(crate) async fn serve(&mut self) -> Post {
        let post = self.request().await;
        self.write(OK).await;
        post
    }

    pub(crate) async fn write(&mut self, text: &str) {
        within(self.stream.write_all(text.as_bytes())).await.unwrap();
    }

    /// Writes for as long as the other side reads.
    pub(crate) async fn write_for_ever(&mut self) {
        while self.stream.write_all(&[b'x'; 4096]).await.is_ok() {}
    }

    /// The next line, without its ending.
    pub(crate) async fn line(&mut self) -> String {
        self.maybe_line().await.expect("the connection has ended")
    }

    /// The next line, unless the connection ends.
    pub(crate) async fn maybe_line(&mut self) -> Option<String> {
        let mut line = String::new();
        if within(self.stream.read_line(&mut line)).await.unwrap() == 0 {
            return None;
        }
        assert_eq!(line.pop(), Some('\n'), "{line:?} is no line");
        Some(line)
    }

    pub(crate) async fn event(&mut self) -> serde_json::Value {
        serde_json::from_str(&self.line().await).unwrap()
    }

    /// Waits for the end of the connection; there must be nothing before it.
    pub(crate) async fn end(&mut self) {
        let mut rest = Vec::new();
        // A reset is an end as well.
        let _ = within(self.stream.read_to_end(&mut rest)).await;
        assert_eq!(rest, b"");
    }
}
