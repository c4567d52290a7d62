//! The sink that prints: whole lines, in order, and never at the cost of whoever prints them.

use std::io;
use std::mem;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{FileStat, SFlag, fstat, makedev};
use rapid_interop::process::OutputSource;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::SupervisorError;
use crate::output::{OutputSink, Stream};

/// How much may wait to be written before the processes have to wait.
const FULL: usize = 1024 * 1024;

/// How much may wait before what comes from those who cannot wait is dropped.
const MOST: usize = 16 * 1024 * 1024;

/// What a pipe takes without blocking when it says that it can take something.
const PIPE_PIECE: usize = 4096;

/// What anything else takes at once when it says so, as good as always.
const CAREFUL_PIECE: usize = 64;

/// The major and minor number of `/dev/null`.
const NULL_DEVICE: (u64, u64) = (1, 3);

/// How often those who wait try again while the system refuses the thread that writes.
const RETRY: Duration = Duration::from_millis(10);

/// How much the writing thread writes before it tells how far it is.
const THREAD_PIECE: usize = 64 * 1024;

/// Writes lines to a file, a pipe or a terminal. Clones mean the same one.
///
/// A call never blocks for want of a reader: what cannot be written at once is queued, and a thread
/// that is started for the first such line writes it. Calls are written in order and in one piece
/// each. When there is no reader any more, the output is dropped without a word.
///
/// No more than 16 MiB are queued. From the call on that would exceed this, whole calls are dropped
/// until less than 1 MiB is left, and then a line says how much that was.
///
/// It never logs anything, so that a log can be printed through one.
#[derive(Clone, Debug)]
pub struct Console {
    handle: Arc<Handle>,
}

/// What the clones share. The last one lets the writing thread end.
#[derive(Debug)]
struct Handle {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    fd: OwnedFd,
    manner: Manner,
    state: Mutex<State>,
    /// There is something for the thread to do.
    work: Condvar,
    /// The queue has become shorter.
    progress: Notify,
}

/// How a line may be written by whoever brings it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// As a whole: a file takes everything, and so does `/dev/null`.
    Whole,
    /// In pieces, as long as the other end says that it takes more.
    Pieces,
    /// Not at all: readiness does not tell how much is taken without blocking.
    Never,
}

#[derive(Debug, Default)]
struct State {
    queue: Vec<u8>,
    /// What the thread has taken out of the queue and not written yet.
    in_flight: usize,
    thread: bool,
    /// Nobody reads any more, or the console was closed: nothing is accepted.
    closed: bool,
    /// The last handle is gone.
    abandoned: bool,
    /// How many bytes were not accepted since the queue became too long.
    dropped: u64,
}

impl State {
    const fn waiting(&self) -> usize {
        self.queue.len() + self.in_flight
    }

    /// Whether a call has to be dropped, which is counted then.
    ///
    /// Once one is, so are those behind it until [`State::settle`], so that there is one gap
    /// instead of many.
    fn refuses(&mut self, length: usize) -> bool {
        // A single call may be as long as it likes.
        let is_too_much = self.waiting() > 0 && self.waiting() + length > MOST;
        let refuses = is_too_much || self.dropped > 0;
        if refuses {
            self.dropped = self.dropped.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        }
        refuses
    }

    /// Ends a gap when there is room again. Comes after everything that shortens the queue.
    fn settle(&mut self) {
        if self.dropped > 0 && self.waiting() <= FULL {
            let dropped = mem::take(&mut self.dropped);
            let line = format!("{dropped} bytes of output were dropped: nobody read them\n");
            self.queue.extend_from_slice(line.as_bytes());
        }
    }
}

impl Console {
    /// Prints to standard output.
    ///
    /// # Errors
    /// [`SupervisorError::Console`] when it is closed, or there are no more descriptors.
    pub fn stdout() -> Result<Self, SupervisorError> {
        let fd = io::stdout().as_fd().try_clone_to_owned().map_err(SupervisorError::Console)?;
        Self::to(fd)
    }

    /// Prints to standard error.
    ///
    /// # Errors
    /// [`SupervisorError::Console`] when it is closed, or there are no more descriptors.
    pub fn stderr() -> Result<Self, SupervisorError> {
        let fd = io::stderr().as_fd().try_clone_to_owned().map_err(SupervisorError::Console)?;
        Self::to(fd)
    }

    /// Prints to an open file.
    ///
    /// # Errors
    /// [`SupervisorError::Console`] when the system cannot say what kind of file it is.
    pub fn to(fd: OwnedFd) -> Result<Self, SupervisorError> {
        let status = fstat(&fd).map_err(|errno| SupervisorError::Console(errno.into()))?;
        let kind = SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT;
        let takes_everything = kind == SFlag::S_IFREG || is_null(&status);
        let manner = if takes_everything {
            Manner::Whole
        } else if kind == SFlag::S_IFIFO {
            Manner::Pieces
        } else {
            Manner::Never
        };
        let inner = Inner {
            fd,
            manner,
            state: Mutex::default(),
            work: Condvar::new(),
            progress: Notify::new(),
        };
        Ok(Self { handle: Arc::new(Handle { inner: Arc::new(inner) }) })
    }

    /// Writes or queues `bytes`, which should be whole lines, or drops them if 16 MiB are queued.
    pub fn write(&self, bytes: &[u8]) {
        let inner = &self.handle.inner;
        let mut state = inner.state();
        if !state.thread {
            Inner::get_going(inner, &mut state);
        }
        if state.closed || bytes.is_empty() || state.refuses(bytes.len()) {
            return;
        }
        let mut rest = bytes;
        if state.waiting() == 0 {
            match inner.write_now(bytes) {
                Ok(written) => rest = bytes.get(written..).unwrap_or_default(),
                Err(_) => return inner.give_up(&mut state),
            }
        }
        if !rest.is_empty() {
            // The thread sleeps only while the queue is empty.
            let asleep = state.queue.is_empty();
            state.queue.extend_from_slice(rest);
            if asleep || !state.thread {
                Inner::get_going(inner, &mut state);
            }
        }
    }

    /// Whether less than 1 MiB is queued: for writers that would rather drop than queue more.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.handle.inner.state().waiting() <= FULL
    }

    /// Whether what is written still goes somewhere: nothing has failed, and it was not closed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.handle.inner.state().closed
    }

    /// Resolves when everything written so far, and meanwhile, has gone out or was dropped.
    ///
    /// # Panics
    /// Outside a tokio runtime with a timer, should the system refuse a thread.
    ///
    /// # Cancel safety
    /// Nothing is lost, the queue goes on being written.
    pub async fn flush(&self) {
        self.waiting_at_most(0).await;
    }

    /// Waits for the queue to be written, at most for `limit`, and accepts nothing afterwards.
    ///
    /// `true`: everything was written, or nobody reads it any more.
    ///
    /// # Cancel safety
    /// A dropped close has not closed anything.
    pub async fn close(&self, limit: Duration) -> bool {
        let flushed = timeout(limit, self.flush()).await.is_ok();
        self.handle.inner.state().closed = true;
        flushed
    }

    async fn waiting_at_most(&self, limit: usize) {
        let inner = &self.handle.inner;
        loop {
            let mut progress = pin!(inner.progress.notified());
            progress.as_mut().enable();
            let is_under_way = {
                let mut state = inner.state();
                if !state.thread {
                    Inner::get_going(inner, &mut state);
                }
                if state.waiting() <= limit {
                    return;
                }
                state.thread
            };
            if is_under_way {
                progress.await;
            } else {
                let _ = timeout(RETRY, progress).await;
            }
        }
    }
}

/// Whether it is `/dev/null`, where functions are often sent that nobody listens to.
fn is_null(status: &FileStat) -> bool {
    let kind = SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT;
    let (major, minor) = NULL_DEVICE;
    kind == SFlag::S_IFCHR && status.st_rdev == makedev(major, minor)
}

impl OutputSink for Console {
    fn lines(&self, _source: &OutputSource, _stream: Stream, bytes: &[u8]) {
        if bytes.ends_with(b"\n") {
            self.write(bytes);
        } else {
            // In one piece, so that nobody else's line gets in between.
            self.write(&[bytes, b"\n"].concat());
        }
    }

    /// Waits while more than 1 MiB is queued.
    async fn room(&self) {
        self.waiting_at_most(FULL).await;
    }

    fn has_room(&self) -> bool {
        Self::has_room(self)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.inner.state();
        state.abandoned = true;
        if !state.thread {
            Inner::get_going(&self.inner, &mut state);
        }
        drop(state);
        self.inner.work.notify_all();
    }
}

impl Inner {
    /// Writes what surely can be written without blocking.
    fn write_now(&self, bytes: &[u8]) -> Result<usize, Errno> {
        match self.manner {
            Manner::Whole => self.write_pieces(bytes, bytes.len()),
            Manner::Pieces => self.write_pieces(bytes, PIPE_PIECE),
            Manner::Never => Ok(0),
        }
    }

    /// Writes piece after piece, as long as the other end says that it takes more.
    fn write_pieces(&self, bytes: &[u8], piece: usize) -> Result<usize, Errno> {
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            if self.manner != Manner::Whole && !self.takes_more(PollTimeout::ZERO)? {
                break;
            }
            match nix::unistd::write(&self.fd, rest.get(..piece).unwrap_or(rest)) {
                Ok(length) => written += length,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => break,
                Err(errno) => return Err(errno),
            }
        }
        Ok(written)
    }

    /// Whether the other end takes something, or will never again.
    fn takes_more(&self, patience: PollTimeout) -> Result<bool, Errno> {
        let mut polled = [PollFd::new(self.fd.as_fd(), PollFlags::POLLOUT)];
        match poll(&mut polled, patience) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// Has the thread write what is queued; starts it, if that has not happened yet.
    ///
    /// The system may refuse another thread. Then whoever writes or waits does the work, as far as
    /// that can be done without blocking, and tries again to start it.
    fn get_going(inner: &Arc<Self>, state: &mut State) {
        if state.thread {
            inner.work.notify_one();
            return;
        }
        if state.queue.is_empty() {
            return;
        }
        let writer = Arc::clone(inner);
        let started = thread::Builder::new()
            .name("rapid-console".to_owned())
            .spawn(move || writer.write_queue());
        match started {
            Ok(_) => state.thread = true,
            Err(_) => inner.write_without_thread(state),
        }
    }

    /// Writes of the queue what can be written without blocking, or as good as.
    fn write_without_thread(&self, state: &mut State) {
        let piece = match self.manner {
            Manner::Whole | Manner::Pieces => PIPE_PIECE,
            Manner::Never => CAREFUL_PIECE,
        };
        loop {
            match self.write_pieces(&state.queue, piece) {
                Ok(0) => return,
                Ok(written) => state.queue.drain(..written),
                Err(_) => return self.give_up(state),
            };
            state.settle();
            self.progress.notify_waiters();
        }
    }

    /// The thread's work.
    fn write_queue(&self) {
        while let Some(taken) = self.next() {
            for piece in taken.chunks(THREAD_PIECE) {
                let result = self.write_fully(piece);
                let mut state = self.state();
                state.in_flight = state.in_flight.saturating_sub(piece.len());
                if result.is_err() {
                    self.give_up(&mut state);
                    break;
                }
                state.settle();
                drop(state);
                self.progress.notify_waiters();
            }
        }
    }

    /// Waits for something to write; `None`: there will never be anything.
    fn next(&self) -> Option<Vec<u8>> {
        let mut state = self.state();
        while state.queue.is_empty() {
            if state.abandoned {
                return None;
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.in_flight = state.queue.len();
        Some(mem::take(&mut state.queue))
    }

    fn write_fully(&self, mut bytes: &[u8]) -> Result<(), Errno> {
        while !bytes.is_empty() {
            match nix::unistd::write(&self.fd, bytes) {
                Ok(length) => bytes = bytes.get(length..).unwrap_or_default(),
                Err(Errno::EINTR) => {}
                // Whoever opened the file wants nobody to block on it.
                Err(Errno::EAGAIN) => {
                    self.takes_more(PollTimeout::NONE)?;
                }
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// Drops everything from now on. Nobody is told: a log may be printed here, too.
    fn give_up(&self, state: &mut State) {
        state.closed = true;
        state.queue = Vec::new();
        state.in_flight = 0;
        state.dropped = 0;
        self.progress.notify_waiters();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn what_goes_nowhere_needs_no_thread() {
        let console = Console::to(File::create("/dev/null").unwrap().into()).unwrap();
        console.write(b"nobody reads this\n");
        let state = console.handle.inner.state();
        assert!(!state.thread && state.queue.is_empty());
    }
}
