//! What the processes write, passed on in whole lines.

use std::fmt;
use std::io;
use std::mem;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rapid_interop::process::OutputSource;
use tokio::net::unix::pipe::Receiver;
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, yield_now};

/// The longest line that is passed on in one piece, without its end.
const MAX_HELD: usize = 256 * 1024;

/// How much is read at once.
const CHUNK: usize = 32 * 1024;

/// How much is read from one stream while somebody waits for it to be empty. A pipe holds 64 KiB,
/// at most 1 MiB.
const MAX_DRAINED: usize = 1024 * 1024;

/// Which of a process's streams a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Takes what the processes write.
///
/// [`Console`](crate::Console) is the one that prints.
pub trait OutputSink: Send + Sync + 'static {
    /// Takes one or more whole lines, each with the newline at its end.
    ///
    /// The lines of one stream come in order, one call at a time. A line longer than 256 KiB comes
    /// in pieces, of which only the last ends with a newline. A last line that the process did not
    /// finish gets a newline.
    ///
    /// It is called in the middle of other work and must return soon: what is slow belongs into a
    /// queue, and [`OutputSink::room`] says when that is full.
    fn lines(&self, source: &OutputSource, stream: Stream, bytes: &[u8]);

    /// Resolves when there is room for more; until then nothing is read, so that the process is
    /// blocked once its pipe is full.
    ///
    /// What has to be passed on at once comes all the same: before the end of an invocation is
    /// reported, and when a process is stopped; up to 1 MiB of either stream each time.
    ///
    /// # Cancel safety
    /// It is dropped unfinished when a process is stopped.
    fn room(&self) -> impl Future<Output = ()> + Send;
}

impl<S: OutputSink> OutputSink for Arc<S> {
    fn lines(&self, source: &OutputSource, stream: Stream, bytes: &[u8]) {
        S::lines(self, source, stream, bytes);
    }

    fn room(&self) -> impl Future<Output = ()> + Send {
        S::room(self)
    }
}

/// A sink of any type. The box is made once per read from a pipe, which costs far more.
pub(crate) trait AnySink: Send + Sync + 'static {
    fn take(&self, source: &OutputSource, stream: Stream, bytes: &[u8]);
    fn wait<'a>(&'a self) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
}

impl<S: OutputSink> AnySink for S {
    fn take(&self, source: &OutputSource, stream: Stream, bytes: &[u8]) {
        self.lines(source, stream, bytes);
    }

    fn wait<'a>(&'a self) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(self.room())
    }
}

/// The reading end of a process's stream.
///
/// A task reads from it whenever there is something; whoever cannot wait for that reads as well.
pub(crate) struct Pipe {
    sink: Arc<dyn AnySink>,
    source: OutputSource,
    stream: Stream,
    state: Mutex<State>,
}

struct State {
    lines: Lines,
    /// `None` after the end.
    fd: Option<Arc<Receiver>>,
    pump: Option<AbortHandle>,
}

/// What came of one read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Read {
    /// So many bytes, and there may be more.
    Some(usize),
    /// Nothing for now.
    Nothing,
    /// Nothing any more.
    End,
}

impl Pipe {
    /// Begins to pass on what comes out of `fd`.
    ///
    /// # Errors
    /// When the descriptor cannot be watched.
    pub(crate) fn open(
        runtime: &Handle,
        fd: OwnedFd,
        sink: Arc<dyn AnySink>,
        source: OutputSource,
        stream: Stream,
    ) -> io::Result<Arc<Self>> {
        let _entered = runtime.enter();
        let fd = Arc::new(Receiver::from_owned_fd(fd)?);
        let state = State { lines: Lines::default(), fd: Some(Arc::clone(&fd)), pump: None };
        let pipe = Arc::new(Self { sink, source, stream, state: Mutex::new(state) });
        let pump = runtime.spawn(pump(Arc::clone(&pipe), fd));
        pipe.state().pump = Some(pump.abort_handle());
        Ok(pipe)
    }

    /// Passes on what is there now, without waiting, and not for ever if more and more comes.
    pub(crate) fn drain(&self) {
        self.drain_locked(&mut self.state());
    }

    /// Passes on what is there now, an unfinished line included, and reads no more.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        self.drain_locked(&mut state);
        self.finish(&mut state);
        if let Some(pump) = state.pump.take() {
            pump.abort();
        }
    }

    fn drain_locked(&self, state: &mut State) {
        let mut left = MAX_DRAINED;
        while left > 0 {
            match self.read(state, read_now) {
                Read::Some(length) => left = left.saturating_sub(length),
                Read::Nothing | Read::End => return,
            }
        }
    }

    /// Reads once, by `how`.
    fn read(
        &self,
        state: &mut State,
        how: impl Fn(&Receiver, &mut [u8]) -> io::Result<usize>,
    ) -> Read {
        let Some(fd) = &state.fd else {
            return Read::End;
        };
        let mut chunk = [0; CHUNK];
        loop {
            match how(fd, &mut chunk) {
                Ok(0) => break,
                Ok(length) => {
                    let bytes = chunk.get(..length).unwrap_or_default();
                    state.lines.feed(bytes, |lines| self.pass(lines));
                    return Read::Some(length);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Read::Nothing,
                Err(error) => {
                    tracing::warn!(%error, "the output of a process cannot be read");
                    break;
                }
            }
        }
        self.finish(state);
        Read::End
    }

    fn finish(&self, state: &mut State) {
        state.lines.finish(|lines| self.pass(lines));
        state.fd = None;
    }

    fn pass(&self, lines: &[u8]) {
        self.sink.take(&self.source, self.stream, lines);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe")
            .field("source", &self.source)
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

/// Reads until the end. It may be aborted at every await: what was read is in the pipe's state.
async fn pump(pipe: Arc<Pipe>, fd: Arc<Receiver>) {
    while let Ok(()) = fd.readable().await {
        pipe.sink.wait().await;
        let read = pipe.read(&mut pipe.state(), Receiver::try_read);
        match read {
            // There is more at once, but others have work to do, too.
            Read::Some(CHUNK) => yield_now().await,
            Read::Some(_) | Read::Nothing => {}
            Read::End => return,
        }
    }
}

/// Asks the pipe itself, which may hold more than the runtime has noticed.
fn read_now(fd: &Receiver, chunk: &mut [u8]) -> io::Result<usize> {
    Ok(nix::unistd::read(fd, chunk)?)
}

/// Cuts a stream into whole lines.
#[derive(Debug, Default)]
struct Lines {
    /// The beginning of a line.
    held: Vec<u8>,
    /// Whether an earlier part of that line was passed on already.
    cut: bool,
}

impl Lines {
    /// Takes in bytes, and passes on what is complete.
    fn feed(&mut self, bytes: &[u8], mut pass: impl FnMut(&[u8])) {
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        let (whole, rest) = bytes.split_at(whole);
        if !whole.is_empty() {
            if self.held.is_empty() {
                pass(whole);
            } else {
                self.held.extend_from_slice(whole);
                pass(&mem::take(&mut self.held));
            }
            self.cut = false;
        }
        self.held.extend_from_slice(rest);
        if self.held.len() >= MAX_HELD {
            pass(&mem::take(&mut self.held));
            self.cut = true;
        }
    }

    /// Passes on an unfinished line, finished.
    fn finish(&mut self, mut pass: impl FnMut(&[u8])) {
        if !self.held.is_empty() || mem::take(&mut self.cut) {
            self.held.push(b'\n');
            pass(&mem::take(&mut self.held));
        }
        self.cut = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut lines = Lines::default();
        let mut passed = Vec::new();
        for piece in pieces {
            lines.feed(piece, |bytes| passed.push(bytes.to_vec()));
        }
        lines.finish(|bytes| passed.push(bytes.to_vec()));
        passed
    }

    #[test]
    fn lines_are_held_back_until_they_are_whole() {
        assert_eq!(passed(&[b"a", b"b\nc", b"\n"]), [b"ab\n", b"c\n".as_slice()]);
        assert_eq!(passed(&[b"a\nb\n", b"\n"]), [b"a\nb\n".as_slice(), b"\n"]);
        assert_eq!(passed(&[]), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn an_unfinished_last_line_is_finished() {
        assert_eq!(passed(&[b"a\nb"]), [b"a\n", b"b\n".as_slice()]);
    }

    #[test]
    fn a_line_too_long_comes_in_pieces_and_still_ends() {
        let long = vec![b'x'; MAX_HELD];
        assert_eq!(passed(&[&long]), [long.clone(), b"\n".to_vec()]);
        assert_eq!(passed(&[&long, b"y\nz\n"]), [long.clone(), b"y\nz\n".to_vec()]);
        assert_eq!(passed(&[&long, b"y"]), [long, b"y\n".to_vec()]);
    }
}
