//! [`TcpSubscriber`]: writes batches to a connection.

use std::io;
use std::net::Ipv4Addr;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::ATTEMPT;

/// How much is read of what a subscriber sends, which nobody asked for, in bytes.
const MAX_CHATTER: usize = 4 * 1024;

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

    /// Writes a batch once. It counts as delivered when the kernel has taken all of it.
    ///
    /// # Errors
    /// It could not be written, or the subscriber took nothing of it for too long.
    ///
    /// # Source
    /// Telemetry API, "Transport".
    pub(super) async fn send(&mut self, body: &[u8]) -> io::Result<()> {
        // Gives the runtime a chance to notice that the other side has closed the connection: the
        // first write afterwards would succeed, and be lost.
        tokio::task::yield_now().await;
        let stream = match self.idle.take().filter(is_open) {
            Some(stream) => stream,
            None => self.connect().await?,
        };
        write_all(&stream, body).await?;
        self.idle = Some(stream);
        Ok(())
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let connecting = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        let stream = timeout(ATTEMPT, connecting).await??;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Whether the subscriber still listens, as far as anybody knows.
fn is_open(stream: &TcpStream) -> bool {
    match stream.try_read(&mut [0; MAX_CHATTER]) {
        Ok(read) => read > 0,
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}

/// Writes all of `bytes`. A slow reader is waited for as long as it goes on reading.
async fn write_all(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        timeout(ATTEMPT, stream.writable()).await??;
        match stream.try_write(bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
