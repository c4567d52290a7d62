//! [`Stream`]: what a process prints, as it comes.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// One output of a process, collected by a thread.
#[derive(Clone, Debug)]
pub struct Stream {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    name: &'static str,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    lines: Vec<String>,
    /// Where the line that is not complete yet begins.
    rest: usize,
    ended: bool,
    paused: bool,
}

impl Stream {
    /// Collects what `output` gives to its end, or nothing of it before [`Stream::resume`]; `name`
    /// is for messages.
    pub fn collect(name: &'static str, output: impl Read + Send + 'static, paused: bool) -> Self {
        let state = Mutex::new(State { paused, ..State::default() });
        let stream = Self { shared: Arc::new(Shared { name, state, changed: Condvar::new() }) };
        let reader = stream.clone();
        thread::spawn(move || reader.read_all(output));
        stream
    }

    fn read_all(&self, mut output: impl Read) {
        let mut chunk = vec![0; 64 * 1024];
        loop {
            drop(self.wait(Duration::MAX, |state| !state.paused));
            let read = output.read(&mut chunk).unwrap_or(0);
            let mut state = self.lock();
            state.take(chunk.get(..read).unwrap_or_default());
            state.ended = read == 0;
            self.shared.changed.notify_all();
            if state.ended {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `condition` holds or `limit` has passed.
    fn wait(&self, limit: Duration, condition: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let end = Instant::now().checked_add(limit);
        let mut state = self.lock();
        while !condition(&state) {
            let changed = &self.shared.changed;
            state = match end.map(|end| end.saturating_duration_since(Instant::now())) {
                Some(left) if left.is_zero() => return state,
                Some(left) => {
                    changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        state
    }

    /// The complete lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    /// Everything so far, as it came.
    pub fn bytes(&self) -> Vec<u8> {
        self.lock().bytes.clone()
    }

    /// Everything so far, as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.lock().bytes).into_owned()
    }

    /// The complete lines that contain `pattern`.
    pub fn matching(&self, pattern: &str) -> Vec<String> {
        let mut lines = self.lines();
        lines.retain(|line| line.contains(pattern));
        lines
    }

    /// Waits for the first line that contains `pattern`, and returns it; `None` when there is none
    /// within `limit` or before the end.
    pub fn find(&self, pattern: &str, limit: Duration) -> Option<String> {
        self.find_nth(pattern, 1, limit)
    }

    /// As [`Stream::find`], for the line that is the `nth` to contain `pattern`, from 1.
    pub fn find_nth(&self, pattern: &str, nth: usize, limit: Duration) -> Option<String> {
        let found = |state: &State| {
            let mut lines = state.lines.iter().filter(|line| line.contains(pattern));
            lines.nth(nth.saturating_sub(1)).cloned()
        };
        let state = self.wait(limit, |state| state.ended || found(state).is_some());
        found(&state)
    }

    /// Waits for the first line that contains `pattern`.
    ///
    /// # Panics
    /// When there is none within `limit` or before the end.
    #[track_caller]
    pub fn wait_for(&self, pattern: &str, limit: Duration) -> String {
        self.wait_for_nth(pattern, 1, limit)
    }

    /// Waits for the line that is the `nth` to contain `pattern`, from 1.
    ///
    /// # Panics
    /// When there is none within `limit` or before the end.
    #[track_caller]
    pub fn wait_for_nth(&self, pattern: &str, nth: usize, limit: Duration) -> String {
        self.find_nth(pattern, nth, limit).unwrap_or_else(|| {
            panic!("no {nth}. line with '{pattern}' on {}:\n{}", self.shared.name, self.text())
        })
    }

    /// Waits until the process and everybody it gave the output to have closed it.
    ///
    /// # Panics
    /// When that takes longer than `limit`.
    #[track_caller]
    pub fn wait_for_end(&self, limit: Duration) {
        let ended = self.wait(limit, |state| state.ended).ended;
        assert!(ended, "{} is still open after {limit:?}", self.shared.name);
    }

    /// Stops reading; what was read already or is just being read still counts.
    pub fn pause(&self) {
        self.lock().paused = true;
    }

    /// Reads on.
    pub fn resume(&self) {
        self.lock().paused = false;
        self.shared.changed.notify_all();
    }
}

impl State {
    fn take(&mut self, piece: &[u8]) {
        self.bytes.extend_from_slice(piece);
        while let Some(length) = self.bytes.iter().skip(self.rest).position(|byte| *byte == b'\n') {
            let line = self.bytes.get(self.rest..self.rest + length).unwrap_or_default();
            self.lines.push(String::from_utf8_lossy(line).into_owned());
            self.rest += length + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn lines_are_complete_and_the_rest_is_kept() {
        let stream = Stream::collect("a test", Cursor::new(b"one\ntwo\nthr".to_vec()), false);
        stream.wait_for_end(Duration::from_secs(5));
        assert_eq!(stream.lines(), ["one", "two"]);
        assert_eq!(stream.bytes(), b"one\ntwo\nthr");
        assert_eq!(stream.find("tw", Duration::ZERO).as_deref(), Some("two"));
        assert_eq!(stream.find("thr", Duration::from_secs(5)), None);
    }
}
