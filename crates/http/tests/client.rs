//! The client, against servers that answer well, badly, or not at all.

#![forbid(unsafe_code)]
#![cfg(feature = "client")]
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use rapid_http::client::{AddressError, Client, ClientError, ClientLimits, read_whole, send};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Far more than anything here takes; only a defect gets there.
const LIMITS: ClientLimits =
    ClientLimits { total: Duration::from_secs(20), head: 8 * 1024, body: 5 };

/// Accepts one connection, reads a request for each answer, and returns what it has read, and the
/// connection.
async fn server(
    answers: &'static [&'static str],
) -> (SocketAddr, JoinHandle<(Vec<String>, TcpStream)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut seen = Vec::new();
        for answer in answers {
            seen.push(read_request(&mut stream).await);
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        (seen, stream)
    });
    (address, task)
}

/// A head, and the two bytes that every body here has.
async fn read_request(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n[]") {
        read.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(read).unwrap()
}

fn post(uri: String) -> Request<Bytes> {
    Request::post(uri).header("a", "b").body(Bytes::from_static(b"[]")).unwrap()
}

/// What `send` says to an answer.
async fn sent_to(answers: &'static [&'static str]) -> Result<http::Response<Bytes>, ClientError> {
    let (address, task) = server(answers).await;
    // Closes the connection after the last answer.
    tokio::spawn(async move { drop(task.await) });
    send(post(format!("http://{address}/")), LIMITS).await
}

#[tokio::test(flavor = "current_thread")]
async fn a_request_is_sent_once_and_the_whole_answer_read() {
    let (address, task) =
        server(&["HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"])
            .await;
    let answer = send(post(format!("http://{address}/p?q=r")), LIMITS).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.body()[..]), (202, &b"abcde"[..]));
    let expected =
        format!("POST /p?q=r HTTP/1.1\r\na: b\r\nhost: {address}\r\ncontent-length: 2\r\n\r\n[]");
    assert_eq!(task.await.unwrap().0, [expected]);
}

#[tokio::test(flavor = "current_thread")]
async fn an_answer_over_the_limit_keeps_its_start() {
    let error =
        sent_to(&["HTTP/1.1 404 Not Found\r\ncontent-length: 6\r\n\r\nabcdef"]).await.unwrap_err();
    let ClientError::TooLarge { limit: 5, start } = error else { panic!("{error:?}") };
    assert_eq!((start.status().as_u16(), &start.body()[..]), (404, &b"abcde"[..]));
}

#[tokio::test(flavor = "current_thread")]
async fn what_breaks_is_told_apart() {
    let lost = sent_to(&[""]).await;
    assert!(matches!(lost, Err(ClientError::Lost(_))), "{lost:?}");
    let off = sent_to(&["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab"]).await;
    assert!(matches!(off, Err(ClientError::BrokenOff(_))), "{off:?}");
    let other = sent_to(&["SSH-2.0-OpenSSH\r\n\r\n"]).await;
    assert!(matches!(other, Err(ClientError::NotHttp(_))), "{other:?}");
    let nobody = {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        send(post(format!("http://{gone}/")), LIMITS).await
    };
    assert!(matches!(nobody, Err(ClientError::Connect(_))), "{nobody:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_server_that_stays_silent_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = ClientLimits { total: Duration::from_millis(20), ..LIMITS };
    let silent = send(post(format!("http://{address}/")), limits).await;
    assert!(matches!(silent, Err(ClientError::TimedOut(_))), "{silent:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_no_address_is_not_asked() {
    for (uri, expected) in [
        ("https://127.0.0.1:9/", AddressError::Https),
        ("http://me:secret@127.0.0.1:9/", AddressError::User),
        ("/", AddressError::Form),
    ] {
        let error = send(post(uri.to_owned()), LIMITS).await.unwrap_err();
        assert!(matches!(error, ClientError::Address(found) if found == expected), "{error:?}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

fn client(address: SocketAddr) -> Client {
    Client::new(format!("http://{address}").parse().unwrap(), LIMITS.head)
}

async fn ask(client: &mut Client) -> Result<http::Response<Bytes>, ClientError> {
    read_whole(client.ask(post("/".to_owned())).await?, LIMITS.body).await
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na";

#[tokio::test(flavor = "current_thread")]
async fn a_connection_carries_one_request_after_the_other() {
    let (address, task) = server(&[
        OK,
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        OK,
    ])
    .await;
    let mut client = client(address);
    for status in [200, 204, 200, 200] {
        assert_eq!(ask(&mut client).await.unwrap().status(), status);
    }
    assert_eq!(task.await.unwrap().0.len(), 4);
}

#[tokio::test(flavor = "current_thread")]
async fn a_connection_that_has_ended_since_is_replaced_and_nothing_sent_twice() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = client(listener.local_addr().unwrap());
    for answer in [
        OK,
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 1\r\n\r\na",
        "HTTP/1.0 200 OK\r\n\r\na",
        OK,
    ] {
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let seen = read_request(&mut stream).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
            seen
        };
        let (seen, answered) = tokio::join!(serving, ask(&mut client));
        assert!(seen.starts_with("POST / HTTP/1.1\r\n"), "{seen}");
        assert_eq!(&answered.unwrap().body()[..], b"a");
        // The end of the connection is on its way.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_kept_connection_that_loses_a_request_is_no_reason_to_send_it_again() {
    let (address, task) = server(&[OK, ""]).await;
    tokio::spawn(async move { drop(task.await) });
    let mut client = client(address);
    ask(&mut client).await.unwrap();
    // On a new connection it would wait for ever.
    let lost = ask(&mut client).await;
    assert!(matches!(lost, Err(ClientError::Lost(_))), "{lost:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn an_answer_is_read_while_it_comes() {
    let (address, task) = server(&["HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\na"]).await;
    let mut client = client(address);
    let answer = client.ask(post("/".to_owned())).await.unwrap();
    let mut body = answer.into_body();
    assert_eq!(body.next_piece().await.unwrap().unwrap(), "a");
    // The server has sent no more than that.
    let (_, mut stream) = task.await.unwrap();
    stream.write_all(b"bc").await.unwrap();
    assert_eq!(body.next_piece().await.unwrap().unwrap(), "bc");
    assert_eq!(body.next_piece().await.unwrap(), None);
    assert_eq!(body.next_piece().await.unwrap(), None);
}

#[tokio::test(flavor = "current_thread")]
async fn an_answer_that_breaks_off_is_told_piece_by_piece_too() {
    let (address, task) = server(&["HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\na"]).await;
    let mut client = client(address);
    let mut body = client.ask(post("/".to_owned())).await.unwrap().into_body();
    assert_eq!(body.next_piece().await.unwrap().unwrap(), "a");
    drop(task.await.unwrap());
    let off = body.next_piece().await;
    assert!(matches!(off, Err(ClientError::BrokenOff(_))), "{off:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn an_answer_that_nobody_wants_closes_its_connection() {
    let (address, task) = server(&["HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\na"]).await;
    let mut client = client(address);
    drop(client.ask(post("/".to_owned())).await.unwrap());
    let (_, mut stream) = task.await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
}

#[tokio::test(flavor = "current_thread")]
async fn a_reader_that_pauses_holds_the_server_back() {
    const ENDLESS: &str = "HTTP/1.1 200 OK\r\n\r\n";
    let (address, task) = server(&[ENDLESS]).await;
    let mut client = client(address);
    let mut body = client.ask(post("/".to_owned())).await.unwrap().into_body();
    let (_, mut stream) = task.await.unwrap();
    // Nobody reads: sooner or later the sockets are full.
    let chunk = vec![b'x'; 1024 * 1024];
    let mut written = 0;
    while let Ok(sent) =
        tokio::time::timeout(Duration::from_millis(200), stream.write(&chunk)).await
    {
        written += sent.unwrap();
        assert!(written < 256 * 1024 * 1024);
    }
    assert!(!body.next_piece().await.unwrap().unwrap().is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn a_head_without_an_end_is_given_up() {
    let (address, task) = server(&["HTTP/1.1 200 OK\r\n"]).await;
    let mut client = client(address);
    let flood = async {
        let (_, mut stream) = task.await.unwrap();
        while stream.write_all(&[b'a'; 1024]).await.is_ok() {}
    };
    let asked = async {
        let refused = ask(&mut client).await;
        assert!(matches!(refused, Err(ClientError::NotHttp(_))), "{refused:?}");
    };
    tokio::join!(flood, asked);
}
