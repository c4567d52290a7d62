//! Subscribers of the Telemetry API, a good one and some that are not.

use std::io::{self, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::connection::Connection;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// How long the slow one takes for a batch.
const SLOW: Duration = Duration::from_secs(1);

/// What a subscriber does with the batches that it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It reads a batch and says so.
    Good,
    /// It says so a second later.
    Slow,
    /// It never says anything.
    Silent,
    /// What it says is no HTTP.
    Garbage,
    /// It says nothing but headers, for ever.
    Endless,
}

impl Manner {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Good, Self::Slow, Self::Silent, Self::Garbage, Self::Endless];

    /// Its name on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Slow => "slow",
            Self::Silent => "silent",
            Self::Garbage => "garbage",
            Self::Endless => "endless",
        }
    }
}

/// Serves one connection after the other, each in a thread.
pub fn serve(listener: &TcpListener, manner: Manner) {
    for stream in listener.incoming().flatten() {
        // A connection that breaks is followed by another one.
        thread::spawn(move || receive(stream, manner));
    }
}

fn receive(stream: TcpStream, manner: Manner) -> io::Result<()> {
    let mut connection = Connection::new(stream)?;
    while connection.receive()?.is_some() {
        match manner {
            Manner::Good => connection.send(OK, b"")?,
            Manner::Slow => {
                thread::sleep(SLOW);
                connection.send(OK, b"")?;
            }
            Manner::Silent => {}
            Manner::Garbage => connection.send(b"what?\r\n\r\n", b"")?,
            Manner::Endless => {
                let mut stream = connection.stream();
                stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
                loop {
                    stream.write_all(b"X-And: so on\r\n")?;
                }
            }
        }
    }
    Ok(())
}
