//! [`Output`]: what the function and its extensions write, printed and published.

use std::iter;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rapid_events::{Event, Level, LogRecord, Record};
use rapid_interop::EpochMillis;
use rapid_interop::process::OutputSource;
use rapid_supervisor::{Console, OutputSink, Stream};
use rapid_telemetry::Telemetry;
use rapid_telemetry::framing::{self, FrameDecoder};
use rapid_telemetry::log_format::{LogFilter, LogFormat};

use crate::clock;
use crate::log::Log;

/// Prints what the function and its extensions write, and tells subscribers of it, one record a
/// line or a frame.
///
/// # Source
/// Telemetry API, "Function and extension log records" and "Framed logging".
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) log: Log,
    /// What is printed; subscribers and the log tail get everything.
    pub(crate) filter: LogFilter,
    /// Whether the runtime may write framed records.
    pub(crate) takes_frames: bool,
    pub(crate) telemetry: Option<Telemetry>,
    pub(crate) begun: Mutex<Begun>,
}

/// What has begun and goes on with the next bytes.
#[derive(Debug, Default)]
pub(crate) struct Begun {
    /// Of the runtime: a generation's log has ended before the next one's begins.
    frames: FrameDecoder,
    /// In the JSON format, lines that are too long for one piece; at most one of each stream.
    lines: Vec<BegunLine>,
}

#[derive(Debug)]
struct BegunLine {
    source: OutputSource,
    stream: Stream,
    is_admitted: bool,
}

impl Begun {
    /// Whether the line of this stream that has begun is printed; it counts as over then.
    fn take_line(&mut self, source: &OutputSource, stream: Stream) -> Option<bool> {
        let is_it = |line: &BegunLine| line.stream == stream && line.source == *source;
        let index = self.lines.iter().position(is_it)?;
        Some(self.lines.swap_remove(index).is_admitted)
    }
}

impl Output {
    /// Prints a record unless it is filtered out, and says whether it was printed.
    fn print(&self, level: Option<Level>, record: &[u8]) -> bool {
        let is_admitted = self.filter.format == LogFormat::Text
            || self.filter.admits_line(level, &String::from_utf8_lossy(record));
        self.log.record(record, is_admitted);
        is_admitted
    }

    /// Prints lines of the JSON format. What goes on with a line that has begun fares as its
    /// beginning has; whether there is such is the answer.
    fn print_json(&self, source: &OutputSource, stream: Stream, bytes: &[u8]) -> bool {
        let mut begun = self.begun();
        let beginning = begun.take_line(source, stream);
        let mut fate = beginning;
        for line in bytes.split_inclusive(is_newline) {
            let is_admitted = match fate.take() {
                Some(is_admitted) => {
                    self.log.go_on(line, is_admitted);
                    is_admitted
                }
                None => self.print(None, line),
            };
            if !line.ends_with(b"\n") {
                begun.lines.push(BegunLine { source: source.clone(), stream, is_admitted });
            }
        }
        beginning.is_some()
    }

    /// The hub, while anybody wants to know.
    fn wanted(&self) -> Option<&Telemetry> {
        self.telemetry.as_ref().filter(|telemetry| telemetry.is_wanted())
    }

    fn record(&self, text: Bytes) -> LogRecord {
        match self.filter.format {
            LogFormat::Text => LogRecord::text(text),
            LogFormat::Json => LogRecord::json(text),
        }
    }

    fn framed(&self, record: framing::Record<'_>) {
        let level = record.frame.and_then(|frame| frame.level);
        self.print(level, record.message);
        if let Some(telemetry) = self.wanted() {
            let told = record.frame.map(|frame| EpochMillis(frame.time_micros / 1000));
            let mut log_record = self.record(Bytes::copy_from_slice(record.message));
            log_record.level = level;
            telemetry.publish(Event {
                time: told.unwrap_or_else(clock::now),
                record: Record::Function(log_record),
            });
        }
    }

    /// It is whole between any two calls, so a panic elsewhere has not harmed it.
    fn begun(&self) -> MutexGuard<'_, Begun> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OutputSink for Output {
    fn lines(&self, source: &OutputSource, stream: Stream, bytes: &[u8]) {
        let mut goes_on = match self.filter.format {
            LogFormat::Text => {
                self.log.lines(bytes);
                false
            }
            LogFormat::Json => self.print_json(source, stream, bytes),
        };
        let Some(telemetry) = self.wanted() else { return };
        let time = clock::now();
        // They share what was read, which nobody keeps much less of than all.
        telemetry.publish_all(lines(Bytes::copy_from_slice(bytes)).map(|line| {
            // The end of a line is no record, whatever it looks like.
            let record =
                if mem::take(&mut goes_on) { LogRecord::text(line) } else { self.record(line) };
            let record = match source {
                OutputSource::Runtime => Record::Function(record),
                OutputSource::Extension(_) => Record::Extension(record),
            };
            Event { time, record }
        }));
    }

    fn wants_log(&self) -> bool {
        self.takes_frames
    }

    fn log(&self, _source: &OutputSource, bytes: &[u8]) {
        self.begun().frames.feed(bytes, |record| self.framed(record));
    }

    fn ended(&self, source: &OutputSource, stream: Stream) {
        if stream == Stream::Log {
            self.begun().frames.finish(|record| self.framed(record));
        } else {
            self.begun().take_line(source, stream);
        }
        if let Some(telemetry) = &self.telemetry {
            telemetry.stream_closed();
        }
    }

    async fn room(&self) {
        if let Some(console) = &self.log.console {
            OutputSink::room(console).await;
        }
    }

    fn has_room(&self) -> bool {
        self.log.console.as_ref().is_none_or(Console::has_room)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as splitting a slice wants it")]
const fn is_newline(byte: &u8) -> bool {
    *byte == b'\n'
}

/// The lines of `bytes`, with their newlines.
fn lines(mut bytes: Bytes) -> impl Iterator<Item = Bytes> {
    iter::from_fn(move || {
        let end = bytes.iter().position(is_newline).map_or(bytes.len(), |newline| newline + 1);
        (end > 0).then(|| bytes.split_to(end))
    })
}

#[cfg(test)]
mod tests {
    use std::io::{self, BufRead as _, BufReader, PipeReader, Read as _};
    use std::net::TcpListener;
    use std::thread;

    use rapid_events::{Api, EventsApi as _, ReportData};
    use rapid_invoke_api::Persona;
    use rapid_telemetry::Rules;
    use tokio::runtime::Handle;

    use super::*;

    const ERROR: &[u8] = b"\xA5\x5A\x00\x17";
    const DEBUG: &[u8] = b"\xA5\x5A\x00\x0B";

    fn frame(magic: &[u8], message: &str) -> Vec<u8> {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        [magic, &length, &[0; 8], message.as_bytes()].concat()
    }

    fn printing(filter: LogFilter) -> (Output, PipeReader) {
        let (reader, writer) = io::pipe().unwrap();
        let output = Output {
            log: Log::new(Persona::Aws, Console::to(writer.into()).unwrap(), filter),
            filter,
            takes_frames: true,
            telemetry: None,
            begun: Mutex::default(),
        };
        (output, reader)
    }

    /// What `work` has printed.
    fn printed(filter: LogFilter, work: impl FnOnce(&Output)) -> String {
        let (output, mut reader) = printing(filter);
        work(&output);
        drop(output);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    }

    fn json(application: Level) -> LogFilter {
        LogFilter { format: LogFormat::Json, application, ..LogFilter::default() }
    }

    const RUNTIME: &OutputSource = &OutputSource::Runtime;

    #[test]
    fn a_record_is_printed_whole_and_ends_its_line() {
        let text = printed(LogFilter::default(), |output| {
            let frames = [frame(ERROR, "one\ntwo\n"), frame(DEBUG, "three\nfour")].concat();
            for piece in frames.chunks(7) {
                output.log(RUNTIME, piece);
            }
            output.lines(RUNTIME, Stream::Stdout, b"five\n");
        });
        assert_eq!(text, "one\ntwo\nthree\nfour\nfive\n");
    }

    #[test]
    fn what_was_cut_off_is_printed_when_the_log_ends_and_the_next_one_begins_anew() {
        let text = printed(LogFilter::default(), |output| {
            let cut = frame(ERROR, "cut off");
            output.log(RUNTIME, &cut[..cut.len() - 4]);
            output.ended(RUNTIME, Stream::Stdout);
            output.ended(RUNTIME, Stream::Log);
            output.log(RUNTIME, &frame(ERROR, "whole"));
        });
        assert_eq!(text, "cut\nwhole\n");
    }

    #[test]
    fn in_json_what_is_below_the_level_is_not_printed() {
        let text = printed(json(Level::Warn), |output| {
            let lines = b"plain\n{\"level\":\"ERROR\"}\n{\"level\":\"DEBUG\"}\n";
            output.lines(RUNTIME, Stream::Stdout, lines);
            output.log(RUNTIME, &frame(DEBUG, "{\"level\":\"ERROR\"}"));
            output.log(RUNTIME, &frame(ERROR, "framed"));
        });
        assert_eq!(text, "{\"level\":\"ERROR\"}\nframed\n");
    }

    #[test]
    fn in_text_everything_is_printed() {
        let filter = LogFilter { application: Level::Fatal, ..LogFilter::default() };
        let text = printed(filter, |output| {
            output.lines(RUNTIME, Stream::Stderr, b"{\"level\":\"DEBUG\"}\n");
            output.log(RUNTIME, &frame(DEBUG, "framed"));
        });
        assert_eq!(text, "{\"level\":\"DEBUG\"}\nframed\n");
    }

    /// What `work` leaves for an invoker that asks for the log.
    fn tail(filter: LogFilter, work: impl FnOnce(&Output)) -> String {
        let (output, reader) = printing(filter);
        work(&output);
        drop(reader);
        let report: ReportData =
            serde_json::from_str(r#"{"requestId":"a","metrics":{"durationMs":1.0}}"#).unwrap();
        let tail = output.log.tail.unwrap();
        tail.send_report(&report);
        let bytes = tail.fetch_tail_logs(&report.request_id).unwrap();
        String::from_utf8(bytes.into()).unwrap()
    }

    #[test]
    fn the_tail_is_what_is_printed_but_for_the_filter() {
        let write = |output: &Output| {
            output.lines(RUNTIME, Stream::Stdout, b"one\n{\"level\":\"DEBUG\"}\n");
            output.log(RUNTIME, &frame(DEBUG, "two\nthree"));
            output.lines(&OutputSource::Extension("e".into()), Stream::Stderr, b"unfinished");
        };
        let whole = "one\n{\"level\":\"DEBUG\"}\ntwo\nthree\nunfinished\n";
        for filter in [LogFilter::default(), json(Level::Trace), json(Level::Fatal)] {
            assert_eq!(tail(filter, write), whole);
        }
        assert_eq!(printed(json(Level::Fatal), write), "");
        assert_eq!(printed(LogFilter::default(), write), whole);
    }

    /// A line that comes in three pieces and is followed by another one.
    fn long_line(output: &Output, begin: &str) {
        let extension = &OutputSource::Extension("e".into());
        output.lines(RUNTIME, Stream::Stdout, begin.as_bytes());
        // Neither another stream nor another process has to do with it.
        output.lines(RUNTIME, Stream::Stderr, b"{\"level\":\"ERROR\",\"n\":1}\n");
        output.lines(extension, Stream::Stdout, b"{\"level\":\"ERROR\",\"n\":2}\n");
        output.lines(RUNTIME, Stream::Stdout, b"{\"level\":\"ERROR\",\"n\":3}");
        output.lines(RUNTIME, Stream::Stdout, b"end\"}\n{\"level\":\"ERROR\",\"n\":4}\n");
    }

    #[test]
    fn the_pieces_of_a_long_json_line_share_its_fate() {
        let others = |middle: &str, end: &str| {
            format!(
                "{{\"level\":\"ERROR\",\"n\":1}}\n{{\"level\":\"ERROR\",\"n\":2}}\n{middle}\
                 {end}{{\"level\":\"ERROR\",\"n\":4}}\n"
            )
        };
        let begin = format!("{{\"text\":\"{}", "x".repeat(5000));
        // What cannot be read counts as INFO.
        let dropped = printed(json(Level::Warn), |output| long_line(output, &begin));
        assert_eq!(dropped, others("", ""));
        let kept = printed(json(Level::Info), |output| long_line(output, &begin));
        let pieces = others("{\"level\":\"ERROR\",\"n\":3}\n", "end\"}\n");
        assert_eq!(kept, format!("{begin}\n{pieces}"));
        // Too long for the tail as a whole, which gets no fragment of it.
        for level in [Level::Warn, Level::Info] {
            let found = tail(json(level), |output| {
                output.lines(RUNTIME, Stream::Stdout, b"before\n");
                long_line(output, &begin);
            });
            assert_eq!(found, others("", ""));
        }
    }

    #[test]
    fn a_line_that_a_process_has_not_finished_is_over_with_it() {
        let text = printed(json(Level::Warn), |output| {
            output.lines(RUNTIME, Stream::Stdout, b"unfinished");
            output.ended(RUNTIME, Stream::Stdout);
            output.lines(RUNTIME, Stream::Stdout, b"{\"level\":\"ERROR\"}\n");
            assert!(output.begun().lines.is_empty());
        });
        assert_eq!(text, "{\"level\":\"ERROR\"}\n");
    }

    #[tokio::test]
    async fn subscribers_get_exactly_what_was_written() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let telemetry = Telemetry::new(Rules::default(), Handle::current());
        telemetry.open();
        let body = format!(
            r#"{{"schemaVersion":"2022-12-13","types":["function","extension"],
                 "destination":{{"protocol":"TCP","port":{port}}}}}"#
        );
        telemetry.subscribe(Api::Telemetry, "probe.sh", body.as_bytes()).unwrap();
        let (mut output, _reader) = printing(LogFilter::default());
        output.telemetry = Some(telemetry);
        output.lines(RUNTIME, Stream::Stdout, b"one\n\ntwo\n");
        output.lines(&OutputSource::Extension("e".into()), Stream::Stdout, b"a part");
        output.lines(RUNTIME, Stream::Stdout, b"unfinished");
        output.log(RUNTIME, &frame(DEBUG, "framed\nrecord"));
        output.ended(RUNTIME, Stream::Stdout);
        let reading = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream).lines().take(6);
            lines
                .map(|line| {
                    let event: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
                    format!("{} {}", event["type"], event["record"])
                })
                .collect::<Vec<_>>()
        });
        let read = tokio::task::spawn_blocking(move || reading.join().unwrap());
        let found = tokio::time::timeout(std::time::Duration::from_secs(20), read).await;
        assert_eq!(
            found.unwrap().unwrap(),
            [
                r#""function" "one\n""#,
                r#""function" "\n""#,
                r#""function" "two\n""#,
                r#""extension" "a part""#,
                r#""function" "unfinished""#,
                r#""function" "framed\nrecord""#,
            ]
        );
    }
}
