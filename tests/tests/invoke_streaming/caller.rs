//! [`Caller`]: takes a stream message by message, and no sooner than the test wants it.

use std::io;

use rapid_e2e::{Connection, Rapid, Reply, Request};
use serde_json::Value;

/// The path that streams the function's response.
const PATH: &str = "/2021-11-15/functions/function/response-streaming-invocations";

/// A caller over a raw connection, and what it has read ahead.
pub(crate) struct Caller {
    connection: Connection,
    /// What begins a message that is not complete yet.
    rest: Vec<u8>,
    /// How many bytes of the function it has taken.
    taken: usize,
}

/// A message of an event stream.
#[derive(Debug, PartialEq)]
pub(crate) enum Message {
    Chunk(Vec<u8>),
    Complete(Value),
}

impl Caller {
    /// Asks for a stream; reads nothing of it.
    pub(crate) fn call(rapid: &Rapid, payload: &str) -> Self {
        Self::call_with(rapid, &[], payload)
    }

    pub(crate) fn call_with(rapid: &Rapid, headers: &[(&str, &str)], payload: &str) -> Self {
        let mut request = Request::post(PATH, payload);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut connection = rapid.to_invoke();
        connection.send(&request).expect("rapid reads");
        Self { connection, rest: Vec::new(), taken: 0 }
    }

    /// The head of the reply.
    #[track_caller]
    pub(crate) fn head(&mut self) -> Reply {
        self.connection.receive_head().expect("rapid answers")
    }

    /// The head and the body, of a reply without chunks.
    #[track_caller]
    pub(crate) fn reply(&mut self) -> Reply {
        self.connection.receive().expect("rapid answers")
    }

    /// Everything that is left of the body, as it is on the wire but for the chunks of HTTP.
    #[track_caller]
    pub(crate) fn bytes(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.rest);
        while let Some(chunk) = self.connection.receive_chunk().expect("rapid goes on") {
            bytes.extend(chunk);
        }
        bytes
    }

    /// The next message, `None` at the end.
    #[track_caller]
    pub(crate) fn message(&mut self) -> Option<Message> {
        self.try_message().expect("rapid goes on")
    }

    pub(crate) fn try_message(&mut self) -> io::Result<Option<Message>> {
        loop {
            if let Some(message) = self.parse() {
                if let Message::Chunk(bytes) = &message {
                    self.taken += bytes.len();
                }
                return Ok(Some(message));
            }
            match self.connection.receive_chunk()? {
                Some(chunk) => self.rest.extend(chunk),
                None => {
                    assert!(self.rest.is_empty(), "half a message: {:?}", self.rest);
                    return Ok(None);
                }
            }
        }
    }

    /// Takes messages until as many bytes of the function have come.
    #[track_caller]
    pub(crate) fn take(&mut self, bytes: usize) {
        while self.taken < bytes {
            assert!(matches!(self.message(), Some(Message::Chunk(_))), "only {}", self.taken);
        }
    }

    /// Takes all that is left: how many bytes of the function have come in all, and how the stream
    /// was completed.
    #[track_caller]
    pub(crate) fn finish(&mut self) -> (usize, Value) {
        loop {
            match self.message() {
                Some(Message::Chunk(_)) => {}
                Some(Message::Complete(complete)) => {
                    assert_eq!(self.message(), None, "nothing comes after the end");
                    return (self.taken, complete);
                }
                None => panic!("the stream has no end after {} bytes", self.taken),
            }
        }
    }

    /// A message from the front of what was read, if it is whole.
    fn parse(&mut self) -> Option<Message> {
        let number = |at: usize| {
            let bytes = self.rest.get(at..at + 4)?;
            usize::try_from(u32::from_be_bytes(bytes.try_into().ok()?)).ok()
        };
        let (total, headers) = (number(0)?, number(4)?);
        if self.rest.len() < total {
            return None;
        }
        let message: Vec<u8> = self.rest.drain(..total).collect();
        let (head, payload) = message[12..total - 4].split_at(headers);
        let head = String::from_utf8_lossy(head);
        Some(if head.contains("PayloadChunk") {
            Message::Chunk(payload.to_vec())
        } else {
            assert!(head.contains("InvokeComplete"), "an unknown message: {head}");
            Message::Complete(serde_json::from_slice(payload).expect("it ends with JSON"))
        })
    }
}
