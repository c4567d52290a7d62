//! A server that answers as a test wants it to, whatever is asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

/// Answers one request after the other with these bytes, on as many connections as it takes; a
/// connection is closed after bytes that say so, and after the last.
pub(crate) struct Server {
    pub(crate) url: String,
    thread: JoinHandle<Vec<Asked>>,
}

/// A request.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The first line and the headers, in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Server {
    pub(crate) fn answers(answers: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let answers: Vec<_> = answers.into_iter().collect();
        let thread = thread::spawn(move || serve(&listener, answers));
        Self { url, thread }
    }

    /// What it was asked.
    pub(crate) fn asked(self) -> Vec<Asked> {
        self.thread.join().expect("it was asked everything")
    }
}

fn serve(listener: &TcpListener, answers: Vec<Vec<u8>>) -> Vec<Asked> {
    let mut asked = Vec::new();
    let mut connection: Option<BufReader<TcpStream>> = None;
    for answer in answers {
        let mut stream = connection
            .take()
            .unwrap_or_else(|| BufReader::new(listener.accept().expect("somebody connects").0));
        asked.push(receive(&mut stream));
        stream.get_mut().write_all(&answer).expect("somebody reads");
        if !String::from_utf8_lossy(&answer).contains("connection: close") {
            connection = Some(stream);
        }
    }
    asked
}

fn receive(stream: &mut BufReader<TcpStream>) -> Asked {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(stream.read_line(&mut head).expect("there is a request"), 0, "{head}");
    }
    let head = head.to_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("there is a body");
    Asked { head, body: String::from_utf8(body).expect("it is text") }
}

/// An answer with these headers, each on a line, and this body.
pub(crate) fn answer(status: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
    for header in headers {
        bytes.push_str(header);
        bytes.push_str("\r\n");
    }
    bytes.push_str("\r\n");
    [bytes.as_bytes(), body].concat()
}
