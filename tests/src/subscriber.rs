//! [`Subscriber`]: takes telemetry over HTTP, as a test wants it to.

use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// A batch, as it came.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The first line and the headers, with the empty line.
    pub head: String,
    /// The events.
    pub body: String,
}

/// Somebody who takes batches over HTTP, for as long as the test runs.
#[derive(Clone, Copy, Debug)]
pub struct Subscriber {
    port: u16,
}

impl Subscriber {
    /// Listens on a free port. `take` gets one batch after the other, each of which is
    /// answered with 200 when it returns.
    ///
    /// # Panics
    /// When there is no port.
    pub fn start(take: impl FnMut(&Batch) + Send + 'static) -> Self {
        let (listener, port) = bind(0);
        let take = Arc::new(Mutex::new(take));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let take = Arc::clone(&take);
                thread::spawn(move || {
                    let mut stream = BufReader::new(stream);
                    // A broken connection is followed by another one.
                    while let Ok(Some(batch)) = receive_batch(&mut stream) {
                        (take.lock().unwrap_or_else(PoisonError::into_inner))(&batch);
                        if answer(&mut stream).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { port }
    }

    /// Where it listens.
    #[must_use]
    pub const fn port(self) -> u16 {
        self.port
    }
}

/// Listens on a port of this machine, 0 for any, and says on which.
///
/// # Panics
/// When somebody else does.
#[must_use]
pub fn bind(port: u16) -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    let port = listener.local_addr().expect("it is bound").port();
    (listener, port)
}

/// Reads a batch; nothing when the connection has ended before one.
///
/// # Errors
/// When the connection breaks, or what comes is no batch.
pub fn receive_batch(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Batch>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Ok(None);
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
    stream.read_exact(&mut body)?;
    let body = String::from_utf8(body).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok(Some(Batch { head, body }))
}

/// Says that a batch has arrived.
///
/// # Errors
/// When the connection breaks.
pub fn answer(stream: &mut BufReader<TcpStream>) -> io::Result<()> {
    stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
}
