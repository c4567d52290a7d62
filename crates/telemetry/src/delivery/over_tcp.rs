//! [`TcpSubscriber`]: writes batches to a connection.

use std::io;
use std::net::Ipv4Addr;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{ATTEMPT, Subscriber, body};

/// How much is read of what a subscriber sends, which nobody asked for, in bytes. More than a
/// connection usually holds.
const MAX_CHATTER: usize = 1024 * 1024;

/// How much of it is read at once.
const CHUNK: usize = 4 * 1024;

/// A subscriber that is sent one JSON object a line, on a connection that is opened when there is
/// something to say and then kept.
pub(super) struct TcpSubscriber {
    port: u16,
    idle: Option<TcpStream>,
}

impl TcpSubscriber {
    pub(super) const fn new(port: u16) -> Self {
        Self { port, idle: None }
    }

    async fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        // Gives the runtime a chance to notice that the other side has closed the connection: the
        // first write afterwards would succeed, and be lost.
        tokio::task::yield_now().await;
        let stream = match self.idle.take().filter(is_open) {
            Some(stream) => stream,
            None => self.connect().await?,
        };
        write_all(&stream, lines).await?;
        self.idle = Some(stream);
        Ok(())
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

impl Subscriber for TcpSubscriber {
    type Parcel = Bytes;

    fn pack(&self, events: &[Bytes]) -> Bytes {
        body::lines(events)
    }

    /// A batch counts as delivered when the kernel has taken all of it. Fails if that takes too
    /// long, even if the subscriber goes on reading; what it has read comes again then.
    ///
    /// # Source
    /// Telemetry API, "Transport".
    async fn send(&mut self, lines: &Bytes) -> io::Result<()> {
        timeout(ATTEMPT, self.write(lines)).await?
    }
}

/// Whether the subscriber still listens, as far as anybody knows: the end of a connection is behind
/// all that was sent before. Who sends without an end gets another connection.
fn is_open(stream: &TcpStream) -> bool {
    for _ in 0..MAX_CHATTER / CHUNK {
        match stream.try_read(&mut [0; CHUNK]) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
    }
    false
}

async fn write_all(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Reads steadily, but so little that a large batch takes minutes; by a clock that stands still
    /// while something is done.
    async fn trickle(listener: TcpListener) {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut piece = vec![0; 64 * 1024];
        while stream.read(&mut piece).await.is_ok_and(|length| length > 0) {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_too_slowly_cannot_hold_a_batch_for_ever() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(trickle(listener));
        let mut subscriber = TcpSubscriber::new(port);
        let batch = Bytes::from(vec![b'x'; 32 * 1024 * 1024]);
        let error = subscriber.send(&batch).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(subscriber.idle.is_none(), "the rest of a line must not be taken for a line");
    }

    #[tokio::test]
    async fn the_end_of_a_connection_is_found_behind_what_was_said_before() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut subscriber = TcpSubscriber::new(listener.local_addr().unwrap().port());
        subscriber.send(&Bytes::from_static(b"1\n")).await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut line = [0; 2];
        stream.read_exact(&mut line).await.unwrap();
        stream.write_all(&vec![b'x'; 10 * CHUNK]).await.unwrap();
        drop(stream);
        let idle = subscriber.idle.as_ref().unwrap();
        // All of it is here, and the end behind it.
        timeout(Duration::from_secs(20), async {
            let mut chatter = vec![0; 10 * CHUNK + 1];
            while idle.peek(&mut chatter).await.unwrap() < 10 * CHUNK {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .unwrap();
        subscriber.send(&Bytes::from_static(b"2\n")).await.unwrap();
        let accepting = timeout(Duration::from_secs(20), listener.accept());
        let (mut stream, _) = accepting.await.unwrap().unwrap();
        stream.read_exact(&mut line).await.unwrap();
        assert_eq!(line, *b"2\n");
    }
}
