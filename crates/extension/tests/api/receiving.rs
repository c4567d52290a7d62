//! The receiver, against a platform that is a socket.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use rapid_extension::telemetry::{Received, Receiver};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::server::{both, within};

const OK: &str = "HTTP/1.1 200 OK\r\n";

/// A receiver on a port of its own.
async fn receiver() -> Receiver {
    Receiver::over(TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap()
}

/// One connection of the platform's.
pub(crate) struct Platform(TcpStream);

impl Platform {
    pub(crate) async fn connect(port: u16) -> Self {
        Self(within(TcpStream::connect(("127.0.0.1", port))).await.unwrap())
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        within(self.0.write_all(bytes.as_ref())).await.unwrap();
    }

    /// A delivery as the service makes it, byte by byte.
    pub(crate) async fn delivers(&mut self, body: &str) {
        let length = body.len();
        self.write(format!(
            "POST / HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
             host: 169.254.100.6:4243\r\nconnection: keep-alive\r\n\
             user-agent: awslambda-worker/1.0\r\n\
             sequence-id: 47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU\r\n\r\n{body}"
        ))
        .await;
    }

    /// The answer up to its empty line.
    pub(crate) async fn answer(&mut self) -> String {
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(within(self.0.read_u8()).await.unwrap());
        }
        String::from_utf8(answer).unwrap()
    }

    /// Says that nothing more will come, and sees the connection closed.
    async fn hangs_up(&mut self) {
        within(self.0.shutdown()).await.unwrap();
        let mut rest = Vec::new();
        within(self.0.read_to_end(&mut rest)).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }

    async fn hears_nothing(&mut self) {
        let mut reading = pin!(self.0.read_u8());
        for _ in 0..50 {
            tokio::task::yield_now().await;
            let pending =
                poll_fn(|context| Poll::Ready(reading.as_mut().poll(context).is_pending()));
            assert!(pending.await, "it was answered");
        }
    }
}

/// A batch of one line that the function has written.
pub(crate) fn line(text: &str) -> String {
    format!(r#"[{{"time":"2026-09-15T07:13:10.674Z","type":"function","record":"{text}"}}]"#)
}

fn texts(events: &[Received]) -> Vec<String> {
    events
        .iter()
        .map(|event| match event {
            Received::Known(event) => {
                let json = event.encode(rapid_extension::telemetry::Schema::LATEST).unwrap();
                String::from_utf8(json.to_vec()).unwrap()
            }
            Received::Other(event) => event.kind.to_string(),
        })
        .collect()
}

#[tokio::test]
async fn a_batch_is_answered_when_it_is_taken_and_not_before() {
    let mut receiver = receiver().await;
    let mut platform = Platform::connect(receiver.port()).await;
    for n in 0..10 {
        let batch = line(&n.to_string());
        platform.delivers(&batch).await;
        platform.hears_nothing().await;
        let events = within(receiver.next()).await;
        assert_eq!(format!("[{}]", texts(&events).join(",")), batch);
        let answer = platform.answer().await;
        assert!(answer.starts_with(OK) && answer.contains("Content-Length: 0\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn a_future_that_is_dropped_loses_nothing() {
    let mut receiver = receiver().await;
    let mut platform = Platform::connect(receiver.port()).await;
    platform.delivers(&line("kept")).await;
    for _ in 0..50 {
        let mut next = pin!(receiver.next());
        // What has come meanwhile counts as well.
        if let Poll::Ready(events) = poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await {
            assert_eq!(events.len(), 1);
            return;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(within(receiver.next()).await.len(), 1);
}

#[tokio::test]
async fn what_the_platform_has_given_up_is_not_taken_and_comes_once_only() {
    let mut receiver = receiver().await;
    let port = receiver.port();
    let mut impatient = Platform::connect(port).await;
    impatient.delivers(&line("again")).await;
    impatient.hears_nothing().await;
    impatient.hangs_up().await;
    let mut platform = Platform::connect(port).await;
    let (events, answer) = both(receiver.next(), async {
        platform.delivers(&line("again")).await;
        platform.answer().await
    })
    .await;
    assert_eq!((events.len(), answer.starts_with(OK)), (1, true));
    // And nothing else is there.
    let (events, answer) = both(receiver.next(), async {
        platform.delivers(&line("new")).await;
        platform.answer().await
    })
    .await;
    assert!(texts(&events)[0].contains("\"new\"") && answer.starts_with(OK), "{answer}");
}

#[tokio::test]
async fn any_path_and_either_method_is_taken() {
    let mut receiver = receiver().await;
    let mut platform = Platform::connect(receiver.port()).await;
    let chunked = "Transfer-Encoding: chunked\r\n\r\n2\r\n[{\r\n";
    let rest = &line("x")[2..];
    let rest = format!("{:x}\r\n{rest}\r\n0\r\n\r\n", rest.len());
    for (method, path) in [("POST", "/"), ("PUT", "/path?a=b"), ("POST", "*")] {
        let (events, answer) = both(receiver.next(), async {
            platform.write(format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{chunked}")).await;
            tokio::task::yield_now().await;
            platform.write(&rest).await;
            platform.answer().await
        })
        .await;
        assert_eq!((events.len(), answer.starts_with(OK)), (1, true), "{method} {path} {answer}");
    }
}

#[tokio::test]
async fn what_nobody_can_read_is_refused_and_the_next_batch_is_taken() {
    let mut receiver = receiver().await;
    let get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    let post = |body: &str| {
        format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let large = post(&format!("[\"{}\"]", "x".repeat(8 * 1024 * 1024)));
    for (request, status) in [
        (get.to_owned(), "405"),
        (post(""), "400"),
        (post("{}"), "400"),
        (post("[{]"), "400"),
        (large, "413"),
        // Nothing to take, and nothing wrong with it.
        (post("[]"), "200"),
        (post("[{\"type\":\"function\"},1]"), "200"),
    ] {
        let mut platform = Platform::connect(receiver.port()).await;
        platform.write(&request).await;
        let answer = platform.answer().await;
        let start = request.get(..60.min(request.len())).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{start}: {answer}");
        let mut platform = Platform::connect(receiver.port()).await;
        platform.delivers(&line("good")).await;
        assert_eq!(within(receiver.next()).await.len(), 1);
        assert!(platform.answer().await.starts_with(OK));
    }
}

#[tokio::test]
async fn a_connection_that_breaks_off_holds_nobody_up() {
    let mut receiver = receiver().await;
    let mut broken = Platform::connect(receiver.port()).await;
    broken.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n[{").await;
    broken.hears_nothing().await;
    drop(broken);
    let _idle = Platform::connect(receiver.port()).await;
    let mut platform = Platform::connect(receiver.port()).await;
    platform.delivers(&line("good")).await;
    assert_eq!(within(receiver.next()).await.len(), 1);
}

#[tokio::test]
async fn closing_lets_the_last_answer_out_and_refuses_what_was_not_taken() {
    let mut receiver = receiver().await;
    let port = receiver.port();
    let (mut first, mut second) = (Platform::connect(port).await, Platform::connect(port).await);
    first.delivers(&line("taken")).await;
    assert_eq!(within(receiver.next()).await.len(), 1);
    second.delivers(&line("late")).await;
    second.hears_nothing().await;
    within(receiver.close()).await;
    assert!(first.answer().await.starts_with(OK));
    assert!(second.answer().await.starts_with("HTTP/1.1 503 "));
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
}

#[tokio::test]
async fn a_receiver_that_is_dropped_stops_listening() {
    let receiver = receiver().await;
    let port = receiver.port();
    drop(receiver);
    within(async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn it_listens_on_the_port_that_it_is_given_and_says_when_that_is_taken() {
    let receiver = Receiver::bind(0).await.unwrap();
    assert_ne!(receiver.port(), 0);
    assert_eq!(receiver.address().port(), receiver.port());
    let error = Receiver::bind(receiver.port()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}
