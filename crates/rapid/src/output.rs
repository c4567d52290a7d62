//! [`Output`]: what the function and its extensions write, printed and published.

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

/// Prints what the function and its extensions write, and tells subscribers of it, one record a
/// line or a frame.
///
/// # Source
/// Telemetry API, "Function and extension log records" and "Framed logging".
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) console: Console,
    /// What is printed; subscribers get everything.
    pub(crate) filter: LogFilter,
    /// Whether the runtime may write framed records.
    pub(crate) takes_frames: bool,
    pub(crate) telemetry: Option<Telemetry>,
    /// Of the runtime: a generation's log has ended before the next one's begins.
    pub(crate) frames: Mutex<FrameDecoder>,
}

impl Output {
    fn print_line(&self, level: Option<Level>, text: &[u8]) {
        if !self.admits(level, text) {
            return;
        }
        if text.ends_with(b"\n") {
            self.console.write(text);
        } else {
            // In one piece, so that nobody else's line gets in between.
            self.console.write(&[text, b"\n"].concat());
        }
    }

    fn admits(&self, level: Option<Level>, text: &[u8]) -> bool {
        self.filter.format == LogFormat::Text
            || self.filter.admits_line(level, &String::from_utf8_lossy(text))
    }

    /// The hub, while anybody wants to know.
    fn wanted(&self) -> Option<&Telemetry> {
        self.telemetry.as_ref().filter(|telemetry| telemetry.is_wanted())
    }

    /// A record of its own bytes: those that it was read into are as many as a read brings.
    fn record(&self, level: Option<Level>, text: &[u8]) -> LogRecord {
        let is_json_format = self.filter.format == LogFormat::Json;
        let text = Bytes::copy_from_slice(text);
        LogRecord { level, is_json_format, ..LogRecord::text(text) }
    }

    fn framed(&self, record: framing::Record<'_>) {
        let level = record.frame.and_then(|frame| frame.level);
        self.print_line(level, record.message);
        if let Some(telemetry) = self.wanted() {
            let told = record.frame.map(|frame| EpochMillis(frame.time_micros / 1000));
            let log_record = self.record(level, record.message);
            telemetry.publish(Event {
                time: told.unwrap_or_else(clock::now),
                record: Record::Function(log_record),
            });
        }
    }

    /// The decoder is whole between any two calls, so a panic elsewhere has not harmed it.
    fn frames(&self) -> MutexGuard<'_, FrameDecoder> {
        self.frames.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OutputSink for Output {
    fn lines(&self, source: &OutputSource, _stream: Stream, bytes: &[u8]) {
        let lines = || bytes.split_inclusive(|byte| *byte == b'\n');
        match self.filter.format {
            LogFormat::Text => self.console.write(bytes),
            LogFormat::Json => lines().for_each(|line| self.print_line(None, line)),
        }
        let Some(telemetry) = self.wanted() else { return };
        let time = clock::now();
        for line in lines() {
            let record = self.record(None, line);
            let record = match source {
                OutputSource::Runtime => Record::Function(record),
                OutputSource::Extension(_) => Record::Extension(record),
            };
            telemetry.publish(Event { time, record });
        }
    }

    fn wants_log(&self) -> bool {
        self.takes_frames
    }

    fn log(&self, _source: &OutputSource, bytes: &[u8]) {
        self.frames().feed(bytes, |record| self.framed(record));
    }

    fn ended(&self, _source: &OutputSource, stream: Stream) {
        if stream == Stream::Log {
            self.frames().finish(|record| self.framed(record));
        }
        if let Some(telemetry) = &self.telemetry {
            telemetry.stream_closed();
        }
    }

    async fn room(&self) {
        OutputSink::room(&self.console).await;
    }

    fn has_room(&self) -> bool {
        self.console.has_room()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, PipeReader, Read as _};

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
            console: Console::to(writer.into()).unwrap(),
            filter,
            takes_frames: true,
            telemetry: None,
            frames: Mutex::default(),
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
}
