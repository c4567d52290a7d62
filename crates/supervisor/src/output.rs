//! What the processes write, passed on: lines whole, log records as they come.

use std::fmt;
use std::io;
use std::mem;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rapid_interop::process::OutputSource;
use tokio::net::unix::pipe::Receiver;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{AbortHandle, yield_now};

/// The longest line that is passed on in one piece, without its newline.
///
/// # Source
/// Telemetry API, "Function and extension log records".
const MAX_LINE: usize = 256 * 1024;

/// How much is read at once.
const CHUNK: usize = 32 * 1024;

/// How much is read from one stream while somebody waits for it to be empty. A pipe holds 64 KiB,
/// at most 1 MiB.
const MAX_DRAINED: usize = 1024 * 1024;

/// One of the streams of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The descriptor to which a runtime writes framed log records.
    Log,
}

/// Takes what the processes write.
///
/// [`Console`](crate::Console) is the one that prints.
pub trait OutputSink: Send + Sync + 'static {
    /// Takes one or more whole lines, each with the newline at its end; or one without, exactly as
    /// it was written.
    ///
    /// The lines of one stream come in order, one call at a time. A line longer than 256 KiB comes
    /// in pieces, a call each, of which only the last has a newline. A last line that the process
    /// did not finish has none either. Whoever prints adds one, so that nobody else's line is glued
    /// to it.
    ///
    /// It is called in the middle of other work and must return soon: what is slow belongs into a
    /// queue, and [`OutputSink::room`] says when that is full.
    fn lines(&self, source: &OutputSource, stream: Stream, bytes: &[u8]);

    /// Whether a runtime is given a descriptor for framed log records, [`OutputSink::log`]. Never by
    /// default: what is written there is not for people.
    ///
    /// The descriptor is number 3, `_LAMBDA_TELEMETRY_LOG_FD` says so, and children of the runtime
    /// inherit both.
    ///
    /// # Source
    /// Telemetry API, "Framed logging: `_LAMBDA_TELEMETRY_LOG_FD`".
    fn wants_log(&self) -> bool {
        false
    }

    /// Takes what a runtime has written to [`Stream::Log`]: the next bytes, cut anywhere. Must
    /// return as soon as [`OutputSink::lines`].
    fn log(&self, _source: &OutputSource, _bytes: &[u8]) {}

    /// Nothing more comes from this stream of a process: whoever had it has closed it, or is gone.
    fn ended(&self, _source: &OutputSource, _stream: Stream) {}

    /// Resolves when there is room for more; until then nothing is read, so that the process is
    /// blocked once its pipe is full.
    ///
    /// What is left when a process is stopped comes all the same, up to 1 MiB of either stream.
    ///
    /// # Cancel safety
    /// It is dropped unfinished when a process is stopped.
    fn room(&self) -> impl Future<Output = ()> + Send;

    /// Whether [`OutputSink::room`] would resolve at once.
    ///
    /// It is asked before the end of an invocation is reported, when nobody can wait: without room
    /// what is there stays in the pipe, behind which the process has to wait. Always by default.
    fn has_room(&self) -> bool {
        true
    }
}

impl<S: OutputSink> OutputSink for Arc<S> {
    fn lines(&self, source: &OutputSource, stream: Stream, bytes: &[u8]) {
        S::lines(self, source, stream, bytes);
    }

    fn wants_log(&self) -> bool {
        S::wants_log(self)
    }

    fn log(&self, source: &OutputSource, bytes: &[u8]) {
        S::log(self, source, bytes);
    }

    fn ended(&self, source: &OutputSource, stream: Stream) {
        S::ended(self, source, stream);
    }

    fn room(&self) -> impl Future<Output = ()> + Send {
        S::room(self)
    }

    fn has_room(&self) -> bool {
        S::has_room(self)
    }
}

/// A sink of any type. The box is made once per read from a pipe, which costs far more.
pub(crate) trait AnySink: Send + Sync + 'static {
    /// Lines, or bytes of the log.
    fn take(&self, source: &OutputSource, stream: Stream, bytes: &[u8]);
    fn end(&self, source: &OutputSource, stream: Stream);
    fn wants_log(&self) -> bool;
    fn wait<'a>(&'a self) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
    fn takes_more(&self) -> bool;
}

impl<S: OutputSink> AnySink for S {
    fn take(&self, source: &OutputSource, stream: Stream, bytes: &[u8]) {
        match stream {
            Stream::Stdout | Stream::Stderr => self.lines(source, stream, bytes),
            Stream::Log => self.log(source, bytes),
        }
    }

    fn end(&self, source: &OutputSource, stream: Stream) {
        self.ended(source, stream);
    }

    fn wants_log(&self) -> bool {
        OutputSink::wants_log(self)
    }

    fn wait<'a>(&'a self) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(self.room())
    }

    fn takes_more(&self) -> bool {
        self.has_room()
    }
}

/// The reading end of a process's stream.
///
/// A task reads from it whenever there is something; whoever cannot wait for that reads as well.
pub(crate) struct Pipe {
    sink: Arc<dyn AnySink>,
    source: OutputSource,
    stream: Stream,
    /// Whether the runtime knows of everything that was written before the event that it works on:
    /// a single thread learns of all that is ready before it does anything about it.
    all_is_noticed: bool,
    state: Mutex<State>,
}

struct State {
    lines: Lines,
    /// `None` after the end.
    fd: Option<Arc<Receiver>>,
    pump: Option<AbortHandle>,
    /// What is read into, every time.
    chunk: Box<[u8]>,
    /// Whether somebody has looked into the pipe on purpose.
    was_drained: bool,
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
        let state = State {
            lines: Lines::default(),
            fd: Some(Arc::clone(&fd)),
            pump: None,
            chunk: vec![0; CHUNK].into_boxed_slice(),
            was_drained: false,
        };
        let all_is_noticed = runtime.runtime_flavor() == RuntimeFlavor::CurrentThread;
        let state = Mutex::new(state);
        let pipe = Arc::new(Self { sink, source, stream, all_is_noticed, state });
        let pump = runtime.spawn(pump(Arc::clone(&pipe), fd));
        pipe.state().pump = Some(pump.abort_handle());
        Ok(pipe)
    }

    /// Passes on what is there now and has room, without waiting, and not for ever if more and more
    /// comes.
    ///
    /// On a runtime with one thread, what is there is what was written before the event that the
    /// runtime works on; so an invocation without output costs no look into the pipe. The first time
    /// it does: a quick process has written before its pipe was watched.
    pub(crate) fn drain(&self) {
        let mut state = self.state();
        let was_drained = mem::replace(&mut state.was_drained, true);
        let read = if self.all_is_noticed && was_drained { Receiver::try_read } else { read_now };
        // What has no room is best left in the pipe, or the sink would get all that the process
        // can write between two of these calls, however long nobody takes anything from it.
        self.drain_locked(&mut state, read, || self.sink.takes_more());
    }

    /// Passes on what is there now, an unfinished line included, and reads no more.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        // There is no later occasion, so that the sink has to take it, or to drop it.
        self.drain_locked(&mut state, read_now, || true);
        self.finish(&mut state);
        if let Some(pump) = state.pump.take() {
            pump.abort();
        }
    }

    fn drain_locked(
        &self,
        state: &mut State,
        read: fn(&Receiver, &mut [u8]) -> io::Result<usize>,
        go_on: impl Fn() -> bool,
    ) {
        let mut left = MAX_DRAINED;
        while left > 0 && go_on() {
            match self.read(state, read) {
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
        loop {
            match how(fd, &mut state.chunk) {
                Ok(0) => break,
                Ok(length) => {
                    let bytes = state.chunk.get(..length).unwrap_or_default();
                    match self.stream {
                        Stream::Stdout | Stream::Stderr => {
                            state.lines.feed(bytes, |lines| self.pass(lines));
                        }
                        Stream::Log => self.pass(bytes),
                    }
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
        if state.fd.take().is_none() {
            return;
        }
        state.lines.finish(|lines| self.pass(lines));
        state.chunk = Box::default();
        self.sink.end(&self.source, self.stream);
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
    /// The beginning of a line, without a newline and of [`MAX_LINE`] bytes at most.
    held: Vec<u8>,
}

impl Lines {
    /// Takes in bytes, and passes on what is complete.
    fn feed(&mut self, mut bytes: &[u8], mut pass: impl FnMut(&[u8])) {
        while !self.held.is_empty() {
            let line = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
            let room = MAX_LINE.saturating_sub(self.held.len());
            if line <= room {
                break;
            }
            // At least one byte is left for another piece, so that none is a newline alone.
            let (piece, rest) = bytes.split_at(room);
            self.held.extend_from_slice(piece);
            let rest_of_character = self.held.split_off(whole_characters(&self.held));
            pass(&mem::replace(&mut self.held, rest_of_character));
            bytes = rest;
        }
        // A line that began in `bytes` is shorter than a piece, as every read is.
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        let (whole, rest) = bytes.split_at(whole);
        if !whole.is_empty() {
            if self.held.is_empty() {
                pass(whole);
            } else {
                self.held.extend_from_slice(whole);
                pass(&mem::take(&mut self.held));
            }
        }
        self.held.extend_from_slice(rest);
    }

    /// Passes on an unfinished line.
    fn finish(&mut self, mut pass: impl FnMut(&[u8])) {
        if !self.held.is_empty() {
            pass(&mem::take(&mut self.held));
        }
    }
}

const _: () = assert!(CHUNK < MAX_LINE);

/// How much of `bytes` is left without a last character of UTF-8 that is not complete.
fn whole_characters(bytes: &[u8]) -> usize {
    let is_first = |byte: &u8| byte & 0b1100_0000 != 0b1000_0000;
    let behind = bytes.iter().rev().take(4).position(is_first).map_or(0, |at| at + 1);
    let begin = bytes.len() - behind;
    let length = match bytes.get(begin) {
        Some(0xc2..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf4) => 4,
        _ => 1,
    };
    if length > behind { begin } else { bytes.len() }
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
    fn an_unfinished_last_line_stays_unfinished() {
        assert_eq!(passed(&[b"a\nb"]), [b"a\n", b"b".as_slice()]);
    }

    /// What is passed on of a stream that is read like this.
    fn read(stream: &[u8]) -> Vec<Vec<u8>> {
        passed(&stream.chunks(CHUNK).collect::<Vec<_>>())
    }

    #[test]
    fn a_line_too_long_comes_in_pieces_as_it_was_written() {
        let long = vec![b'x'; MAX_LINE];
        let then = |rest: &[u8]| read(&[&long, rest].concat());
        assert_eq!(then(b""), [&*long]);
        assert_eq!(then(b"y\nz\n"), [&*long, b"y\nz\n"]);
        assert_eq!(then(b"y"), [&*long, b"y"]);
        assert_eq!(then(&long), [&*long, &*long]);
        assert_eq!(then(&[&*long, b"y\n"].concat()), [&*long, &*long, b"y\n"]);
    }

    #[test]
    fn no_piece_is_a_newline_alone() {
        let long = vec![b'x'; MAX_LINE];
        let then = |rest: &[u8]| read(&[&long, rest].concat());
        let whole = [&*long, b"\n"].concat();
        assert_eq!(then(b"\n"), [&*whole]);
        assert_eq!(then(b"\n\ny\n").concat(), [&*whole, b"\ny\n"].concat());
        assert_eq!(then(&[&*long, b"\n"].concat()), [&*long, &*whole]);
    }

    #[test]
    fn pieces_do_not_depend_on_how_a_line_is_read() {
        let line = [vec![b'x'; 2 * MAX_LINE + 5], b"\n".to_vec()].concat();
        let lengths = |stream: &[u8], chunk: usize| -> Vec<usize> {
            let chunks: Vec<_> = stream.chunks(chunk).collect();
            passed(&chunks).iter().map(Vec::len).collect()
        };
        for chunk in [CHUNK, CHUNK - 1, 4096, 1000] {
            assert_eq!(lengths(&line, chunk), [MAX_LINE, MAX_LINE, 6], "{chunk}");
            let second = [b"a\n", &*line].concat();
            assert_eq!(lengths(&second, chunk)[..], [2, MAX_LINE, MAX_LINE, 6], "{chunk}");
        }
    }

    #[test]
    fn no_character_is_cut_in_two() {
        for character in ["\u{e9}", "\u{20ac}", "\u{1f980}"] {
            for shift in 1..character.len() {
                let long = vec![b'x'; MAX_LINE - shift];
                let rest = [character.as_bytes(), b"yz\n"].concat();
                assert_eq!(read(&[&*long, &*rest].concat()), [&*long, &*rest]);
            }
        }
        // What is no text is cut anywhere.
        assert_eq!(whole_characters(&[0x80; 9]), 9);
        assert_eq!(whole_characters(&[b'x', 0xff]), 2);
        assert_eq!(whole_characters("x\u{20ac}".as_bytes()), 4);
    }
}
