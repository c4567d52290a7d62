//! [`LogTail`]: the last that an invocation has logged, for invokers that ask for it.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rapid_events::{EventsApi, ReportData};
use rapid_interop::RequestId;

use crate::log_format::LogFormat;

/// How many bytes of its log an invoker gets at most, before they are made valid UTF-8.
///
/// # Source
/// Invoke API, "Log tail".
pub const MAX_TAIL: usize = 4096;

/// Keeps the last that was logged, from one invocation's report to the next one's.
///
/// It is fed with what is printed, before anything is filtered out of it: so it has the platform's
/// lines, the function's and the extensions'. It is told of reports as an [`EventsApi`], *after*
/// whoever prints them, and keeps the last one's tail apart: what is logged later does not get in.
///
/// ```
/// use rapid_events::{EventsApi as _, ReportData};
/// use rapid_telemetry::LogTail;
/// use rapid_telemetry::log_format::LogFormat;
///
/// let report: ReportData = serde_json::from_str(
///     r#"{"requestId":"a","status":"success","metrics":{"durationMs":1.0}}"#,
/// )?;
/// let tail = LogTail::new(LogFormat::Text);
/// tail.lines(b"START RequestId: a Version: $LATEST\nhello\n");
/// tail.lines(b"END RequestId: a\nREPORT RequestId: a\n");
/// tail.send_report(&report);
/// tail.lines(b"late\n");
/// assert_eq!(
///     tail.fetch_tail_logs(&report.request_id).as_deref(),
///     Some(
///         b"START RequestId: a Version: $LATEST\nhello\nEND RequestId: a\nREPORT RequestId: a\n"
///             .as_slice()
///     )
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # Source
/// Invoke API, "Log tail".
#[derive(Debug)]
pub struct LogTail {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    current: Tail,
    /// Up to the report of `reported`.
    last: Tail,
    reported: Option<RequestId>,
}

impl LogTail {
    /// Nothing is logged yet.
    #[must_use]
    pub const fn new(format: LogFormat) -> Self {
        let state = State { current: Tail::new(format), last: Tail::new(format), reported: None };
        Self { state: Mutex::new(state) }
    }

    /// Takes lines, each a record of its own, with the newline at its end.
    pub fn lines(&self, lines: &[u8]) {
        self.lock().current.add_lines(lines);
    }

    /// Takes one record, of however many lines; with the newline at its end.
    pub fn record(&self, record: &[u8]) {
        self.lock().current.add_record(record);
    }

    /// The state is whole between any two calls, so a panic elsewhere has not harmed it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers for the invocation that was reported last.
impl EventsApi for LogTail {
    fn send_report(&self, data: &ReportData) {
        let State { current, last, reported } = &mut *self.lock();
        mem::swap(current, last);
        current.clear();
        *reported = Some(data.request_id.clone());
    }

    fn fetch_tail_logs(&self, id: &RequestId) -> Option<Bytes> {
        let State { last, reported, .. } = &*self.lock();
        (reported.as_ref() == Some(id)).then(|| text(last.bytes()))
    }
}

/// What is kept of a log.
#[derive(Debug)]
enum Tail {
    /// At least the last [`MAX_TAIL`] bytes, and less than twice as many, so that they are seldom
    /// moved.
    Text(Vec<u8>),
    Json(Records),
}

/// Whole records, [`MAX_TAIL`] bytes at most.
#[derive(Debug)]
struct Records {
    bytes: Vec<u8>,
    /// Where the first of them begins. What is ahead of it is seldom moved out.
    start: usize,
    lengths: VecDeque<usize>,
}

impl Tail {
    const fn new(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Text(Vec::new()),
            LogFormat::Json => {
                Self::Json(Records { bytes: Vec::new(), start: 0, lengths: VecDeque::new() })
            }
        }
    }

    fn add_lines(&mut self, lines: &[u8]) {
        match self {
            Self::Text(bytes) => add(bytes, lines),
            Self::Json(records) => {
                lines.split_inclusive(|byte| *byte == b'\n').for_each(|line| records.add(line));
            }
        }
    }

    fn add_record(&mut self, record: &[u8]) {
        match self {
            Self::Text(bytes) => add(bytes, record),
            Self::Json(records) => records.add(record),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(bytes) => last(bytes),
            Self::Json(records) => records.bytes.get(records.start..).unwrap_or_default(),
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Text(bytes) => bytes.clear(),
            Self::Json(records) => records.clear(),
        }
    }
}

impl Records {
    /// A record that is too long takes the place of all that came before, and is left out itself.
    fn add(&mut self, record: &[u8]) {
        if record.len() > MAX_TAIL {
            return self.clear();
        }
        while self.bytes.len() - self.start + record.len() > MAX_TAIL
            && let Some(length) = self.lengths.pop_front()
        {
            self.start += length;
        }
        if self.start >= MAX_TAIL {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(record);
        self.lengths.push_back(record.len());
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.start = 0;
        self.lengths.clear();
    }
}

fn add(bytes: &mut Vec<u8>, more: &[u8]) {
    let more = last(more);
    if bytes.len() + more.len() >= 2 * MAX_TAIL {
        bytes.drain(..bytes.len() + more.len() - MAX_TAIL);
    }
    bytes.extend_from_slice(more);
}

/// The last [`MAX_TAIL`] bytes.
fn last(bytes: &[u8]) -> &[u8] {
    bytes.get(bytes.len().saturating_sub(MAX_TAIL)..).unwrap_or_default()
}

/// Every single byte that is not part of a character becomes U+FFFD.
fn text(bytes: &[u8]) -> Bytes {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn report(tail: &LogTail, id: &str) -> RequestId {
        let json = format!(r#"{{"requestId":"{id}","metrics":{{"durationMs":1.0}}}}"#);
        let data: ReportData = serde_json::from_str(&json).unwrap();
        tail.send_report(&data);
        data.request_id
    }

    /// The tail of an invocation that has logged this.
    fn tail_of(format: LogFormat, records: &[&[u8]]) -> String {
        let tail = LogTail::new(format);
        records.iter().for_each(|record| tail.record(record));
        let id = report(&tail, "a");
        String::from_utf8(tail.fetch_tail_logs(&id).unwrap().into()).unwrap()
    }

    #[test]
    fn an_invocation_gets_what_was_logged_since_the_report_before_its_own() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let tail = LogTail::new(format);
            tail.lines(b"INIT_START\nSTART a\n");
            tail.record(b"hello\n  world\n");
            tail.lines(b"END a\nREPORT a\n");
            let a = report(&tail, "a");
            tail.lines(b"after the report\n");
            let whole = "INIT_START\nSTART a\nhello\n  world\nEND a\nREPORT a\n";
            assert_eq!(tail.fetch_tail_logs(&a).unwrap(), whole);
            assert_eq!(tail.fetch_tail_logs(&a).unwrap(), whole);
            tail.lines(b"START b\n");
            assert_eq!(tail.fetch_tail_logs(&RequestId::nil()), None);
            let b = report(&tail, "b");
            assert_eq!(tail.fetch_tail_logs(&b).unwrap(), "after the report\nSTART b\n");
            assert_eq!(tail.fetch_tail_logs(&a), None);
            let c = report(&tail, "c");
            assert_eq!(tail.fetch_tail_logs(&c).unwrap(), "");
        }
    }

    #[test]
    fn nobody_has_a_tail_before_the_first_report() {
        let tail = LogTail::new(LogFormat::Text);
        tail.lines(b"START\n");
        assert_eq!(tail.fetch_tail_logs(&RequestId::nil()), None);
    }

    #[test]
    fn of_a_text_the_last_4096_bytes_are_left() {
        let line = [b'x'; 99];
        for length in [4095, 4096, 4097, 100_000] {
            let long = vec![b'y'; length];
            let found = tail_of(LogFormat::Text, &[&line, &long, b"\n"]);
            assert_eq!(found.len(), 4096);
            assert!(found.ends_with("y\n"));
            assert!(!found.contains('x'), "{length}");
        }
        assert_eq!(tail_of(LogFormat::Text, &[&line, &vec![b'y'; 3997]]).len(), 4096);
    }

    #[test]
    fn a_character_that_was_cut_leaves_one_replacement_for_each_of_its_bytes() {
        // The end of a character of two, three and four bytes.
        for (character, length) in [("\u{e9}", 4098), ("\u{20ac}", 4100), ("\u{1f980}", 4102)] {
            let rest = character.len() - 1;
            let log = format!("{character}{}", "x".repeat(4096 - rest));
            let found = tail_of(LogFormat::Text, &[log.as_bytes()]);
            assert_eq!(found.len(), length);
            let expected = format!("{}{}", "\u{FFFD}".repeat(rest), "x".repeat(4096 - rest));
            assert_eq!(found, expected);
        }
        assert_eq!(
            tail_of(LogFormat::Text, &[b"a\xE2\x82b\xFF\n"]),
            "a\u{FFFD}\u{FFFD}b\u{FFFD}\n"
        );
    }

    #[test]
    fn json_records_are_left_whole() {
        let record =
            |letter: u8, length: usize| [&vec![letter; length - 1], b"\n".as_slice()].concat();
        let (a, b, c) = (record(b'a', 2000), record(b'b', 2000), record(b'c', 96));
        let joined = |records: &[&[u8]]| String::from_utf8(records.concat()).unwrap();
        assert_eq!(tail_of(LogFormat::Json, &[&a, &b, &c]), joined(&[&a, &b, &c]));
        assert_eq!(tail_of(LogFormat::Json, &[&a, &b, &c, b"\n"]), joined(&[&b, &c, b"\n"]));
        let most = record(b'd', 4096);
        assert_eq!(tail_of(LogFormat::Json, &[&a, &b, &most]), joined(&[&most]));
    }

    #[test]
    fn a_json_record_that_is_too_long_evicts_what_came_before_and_is_left_out() {
        let long = [b'x'; 4097];
        assert_eq!(tail_of(LogFormat::Json, &[b"before\n", &long, b"after\n"]), "after\n");
        assert_eq!(tail_of(LogFormat::Json, &[b"before\n", &long]), "");
    }

    proptest! {
        /// Against the same rules, said without a bound on memory.
        #[test]
        fn what_is_kept_is_the_end_of_what_was_logged(
            lengths in prop::collection::vec(prop_oneof![0..50_usize, 0..3000_usize, 4000..5000_usize], 0..60),
            calls in 1..4_usize,
        ) {
            let records: Vec<Vec<u8>> = lengths
                .iter()
                .zip((b'a'..=b'z').cycle())
                .map(|(length, letter)| [vec![letter; *length], b"\n".to_vec()].concat())
                .collect();
            for format in [LogFormat::Text, LogFormat::Json] {
                let tail = LogTail::new(format);
                for call in records.chunks(calls) {
                    tail.lines(&call.concat());
                }
                let id = report(&tail, "a");
                let found = tail.fetch_tail_logs(&id).unwrap();
                let expected = match format {
                    LogFormat::Text => {
                        let all = records.concat();
                        all[all.len().saturating_sub(4096)..].to_vec()
                    }
                    LogFormat::Json => {
                        let mut room = 4096_usize;
                        let fitting = records.iter().rev().take_while(|record| {
                            let fits = room.checked_sub(record.len());
                            room = fits.unwrap_or(0);
                            fits.is_some()
                        });
                        let mut fitting: Vec<_> = fitting.cloned().collect();
                        fitting.reverse();
                        fitting.concat()
                    }
                };
                prop_assert_eq!(&found[..], &expected[..]);
                let memory = match &tail.lock().last {
                    Tail::Text(bytes) => bytes.len(),
                    Tail::Json(records) => records.bytes.len(),
                };
                prop_assert!(memory < 3 * MAX_TAIL);
            }
        }
    }
}
