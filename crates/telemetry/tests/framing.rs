//! What comes out of a framed log, however its bytes are cut, and whatever else is between them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use rapid_events::Level;
use rapid_telemetry::framing::{Frame, FrameDecoder, FrameFormat, MAX_RECORD, Record};

type Owned = (Option<Frame>, Vec<u8>);

/// A frame's bytes, from the literal magic number.
fn frame(magic: u32, time: u64, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    [&magic.to_be_bytes()[..], &length.to_be_bytes(), &time.to_be_bytes(), message].concat()
}

fn text(level: Option<Level>, time_micros: u64) -> Option<Frame> {
    Some(Frame { level, format: FrameFormat::Text, time_micros })
}

fn json(level: Option<Level>, time_micros: u64) -> Option<Frame> {
    Some(Frame { level, format: FrameFormat::Json, time_micros })
}

/// Everything that comes out of these reads and the end.
fn decode<'a>(reads: impl IntoIterator<Item = &'a [u8]>) -> Vec<Owned> {
    let mut records = Vec::new();
    let mut keep = |record: Record<'_>| {
        assert!(record.message.len() <= MAX_RECORD);
        records.push((record.frame, record.message.to_vec()));
    };
    let mut decoder = FrameDecoder::default();
    for read in reads {
        decoder.feed(read, &mut keep);
    }
    decoder.finish(&mut keep);
    records
}

#[track_caller]
fn check(bytes: &[u8], expected: &[(Option<Frame>, &[u8])]) {
    let expected: Vec<Owned> =
        expected.iter().map(|(frame, message)| (*frame, message.to_vec())).collect();
    assert_eq!(decode([bytes]), expected, "in one read");
    assert_eq!(decode(bytes.chunks(1)), expected, "byte by byte");
    for split in 0..=bytes.len() {
        let (first, second) = bytes.split_at(split);
        assert_eq!(decode([first, second]), expected, "cut at {split}");
    }
}

#[test]
fn every_magic_number_tells_its_level_and_format() {
    let levels = [
        (None, 0xA55A_0003, 0xA55A_0002),
        (Some(Level::Trace), 0xA55A_0007, 0xA55A_0006),
        (Some(Level::Debug), 0xA55A_000B, 0xA55A_000A),
        (Some(Level::Info), 0xA55A_000F, 0xA55A_000E),
        (Some(Level::Warn), 0xA55A_0013, 0xA55A_0012),
        (Some(Level::Error), 0xA55A_0017, 0xA55A_0016),
        (Some(Level::Fatal), 0xA55A_001B, 0xA55A_001A),
    ];
    for (level, text_magic, json_magic) in levels {
        check(&frame(text_magic, 1, b"m"), &[(text(level, 1), b"m")]);
        check(&frame(json_magic, 2, b"{}"), &[(json(level, 2), b"{}")]);
    }
}

#[test]
fn every_other_last_byte_is_no_magic_number() {
    let good: Vec<u8> = (0..7).flat_map(|level| [level * 4 + 2, level * 4 + 3]).collect();
    for last in (0..=u8::MAX).filter(|last| !good.contains(last)) {
        let bytes = frame(0xA55A_0000 | u32::from(last), 1, b"m");
        let records = decode([&bytes[..]]);
        assert!(records.iter().all(|(frame, _)| frame.is_none()), "{last:#x}");
        let plain: Vec<u8> = records.into_iter().flat_map(|(_, message)| message).collect();
        assert_eq!(plain, bytes);
    }
}

#[test]
fn literal_bytes_of_a_frame() {
    let bytes = b"\xA5\x5A\x00\x03\x00\x00\x00\x06\x00\x06\x3F\x1A\x2B\x3C\x4D\x5Ehello\n";
    check(bytes, &[(text(None, 0x0006_3F1A_2B3C_4D5E), b"hello\n")]);
}

#[test]
fn a_sequence_of_frames_comes_out_the_same_wherever_it_is_cut() {
    let bytes = [
        frame(0xA55A_000F, 10, b"one\n"),
        frame(0xA55A_0003, u64::MAX, b""),
        frame(0xA55A_0016, 12, br#"{"level":"ERROR","a":"b"}"#),
        frame(0xA55A_001B, 13, "many\nlines\nof \u{a0}text".as_bytes()),
        frame(0xA55A_0007, 14, &frame(0xA55A_0007, 15, b"a frame inside a frame is text")),
    ]
    .concat();
    check(
        &bytes,
        &[
            (text(Some(Level::Info), 10), b"one\n"),
            (text(None, u64::MAX), b""),
            (json(Some(Level::Error), 12), br#"{"level":"ERROR","a":"b"}"#),
            (text(Some(Level::Fatal), 13), "many\nlines\nof \u{a0}text".as_bytes()),
            (
                text(Some(Level::Trace), 14),
                &frame(0xA55A_0007, 15, b"a frame inside a frame is text"),
            ),
        ],
    );
}

#[test]
fn what_is_no_frame_is_plain_and_the_next_frame_is_found() {
    let good = frame(0xA55A_000B, 1, b"good");
    let debug = text(Some(Level::Debug), 1);
    let rows: &[&[u8]] = &[
        b"x",
        b"plain",
        b"\xA5",
        b"\xA5\x5A",
        b"\xA5\x5A\x00",
        b"\xA5\x5A\x00\x00",
        b"\xA5\x5A\x00\x1F",
        b"\xA5\xA5\xA5",
        b"\xA5\x5A\xA5\x5A\x00",
        b"\x5A\x00\x03",
        b"\0\0\0\0",
    ];
    for garbage in rows {
        let garbage = *garbage;
        check(&[garbage, &good].concat(), &[(None, garbage), (debug, b"good")]);
        check(
            &[&good, garbage, &good].concat(),
            &[(debug, b"good"), (None, garbage), (debug, b"good")],
        );
        check(&[&good, garbage].concat(), &[(debug, b"good"), (None, garbage)]);
    }
}

#[test]
fn plain_bytes_are_given_out_line_by_line_and_at_once() {
    check(
        b"one\ntwo\r\n\nthree",
        &[(None, b"one\n"), (None, b"two\r\n"), (None, b"\n"), (None, b"three")],
    );
    let mut lines = Vec::new();
    FrameDecoder::default().feed(b"one\ntwo", |record| lines.push(record.message.to_vec()));
    assert_eq!(lines, [b"one\n"]);
}

#[test]
fn the_newline_inside_a_magic_number_ends_no_line() {
    check(
        &[b"x".as_slice(), &frame(0xA55A_000A, 1, b"{}")].concat(),
        &[(None, b"x"), (json(Some(Level::Debug), 1), b"{}")],
    );
}

#[test]
fn what_was_cut_off_by_the_end_is_given_out() {
    let bytes = frame(0xA55A_0003, 7, b"hello");
    for length in 0..bytes.len() {
        let cut = &bytes[..length];
        match length {
            0 | 16 => check(cut, &[]),
            1..16 => check(cut, &[(None, cut)]),
            _ => check(cut, &[(text(None, 7), &cut[16..])]),
        }
    }
}

#[test]
fn a_decoder_begins_anew_after_the_end() {
    let bytes = frame(0xA55A_0003, 7, b"hello");
    let mut decoder = FrameDecoder::default();
    decoder.feed(&bytes[..18], |_| panic!("nothing is complete"));
    let mut cut = 0;
    decoder.finish(|_| cut += 1);
    decoder.finish(|_| panic!("nothing is left"));
    let mut whole = Vec::new();
    decoder.feed(&bytes, |record| whole.push(record.message.to_vec()));
    assert_eq!((cut, whole), (1, vec![b"hello".to_vec()]));
}

#[test]
fn a_long_message_is_given_out_in_parts_that_keep_header_and_characters() {
    let message = "aé€😀".repeat(MAX_RECORD / 4).into_bytes();
    let bytes = frame(0xA55A_000F, 3, &message);
    let whole = decode([&bytes[..]]);
    assert_eq!(whole.len(), message.len().div_ceil(MAX_RECORD));
    assert!(whole.iter().all(|(frame, part)| {
        *frame == text(Some(Level::Info), 3) && std::str::from_utf8(part).is_ok()
    }));
    assert_eq!(whole.iter().flat_map(|(_, part)| part.clone()).collect::<Vec<_>>(), message);
    for size in [1, 4095, 65536, MAX_RECORD, MAX_RECORD + 1] {
        assert_eq!(decode(bytes.chunks(size)), whole, "reads of {size}");
    }
}

#[test]
fn messages_about_as_long_as_the_limit_are_whole() {
    for (length, parts) in [(MAX_RECORD - 1, 1), (MAX_RECORD, 1), (MAX_RECORD + 1, 2)] {
        let message = vec![b'm'; length];
        let bytes = [frame(0xA55A_0003, 1, &message), frame(0xA55A_0003, 2, b"next")].concat();
        for size in [1, 4096, bytes.len()] {
            let records = decode(bytes.chunks(size));
            assert_eq!(records.len(), parts + 1, "{length} in reads of {size}");
            assert_eq!(records[parts], (text(None, 2), b"next".to_vec()));
        }
    }
}

#[test]
fn a_plain_line_without_end_is_given_out_in_parts_and_hides_no_frame() {
    for length in MAX_RECORD - 4..=MAX_RECORD + 4 {
        let plain = vec![b'p'; length];
        let bytes = [&plain[..], &frame(0xA55A_000F, 1, b"found")].concat();
        for size in [1, 4096, bytes.len()] {
            let mut records = decode(bytes.chunks(size));
            let last = records.pop().unwrap();
            assert_eq!(last, (text(Some(Level::Info), 1), b"found".to_vec()));
            let given: Vec<u8> = records.into_iter().flat_map(|(_, part)| part).collect();
            assert_eq!(given, plain);
        }
    }
}

#[test]
fn a_length_of_four_gigabytes_takes_no_memory() {
    let mut decoder = FrameDecoder::default();
    decoder
        .feed(b"\xA5\x5A\x00\x03\xFF\xFF\xFF\xFF\0\0\0\0\0\0\0\x09", |_| panic!("no message yet"));
    let read = vec![0xFF; 65536];
    let (mut records, mut given) = (0, 0);
    for _ in 0..256 {
        decoder.feed(&read, |record| {
            records += 1;
            given += record.message.len();
        });
    }
    assert_eq!(given, 256 * 65536);
    assert_eq!(records, given / MAX_RECORD);
}

/// A piece of what may be written: frames, garbage, and what only looks like a frame.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let magic = (0_u32..7, 2_u32..4).prop_map(|(level, format)| 0xA55A_0000 | level << 2 | format);
    prop_oneof![
        (magic, any::<u64>(), prop::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(magic, time, message)| frame(magic, time, &message)),
        prop::collection::vec(any::<u8>(), 0..20),
        prop::collection::vec(prop::sample::select(vec![0xA5, 0x5A, 0x00, 0x03, b'\n']), 0..12),
        Just(b"\xA5\x5A\x00\x03\xFF\xFF\xFF\xFF".to_vec()),
    ]
}

proptest! {
    #[test]
    fn no_bytes_are_lost_and_cuts_do_not_matter(
        pieces in prop::collection::vec(piece(), 0..12),
        sizes in prop::collection::vec(1_usize..30, 1..20),
    ) {
        let bytes = pieces.concat();
        let whole = decode([&bytes[..]]);
        let given: usize = whole.iter().map(|(_, message)| message.len()).sum();
        let headers = whole.iter().filter(|(header, _)| header.is_some()).count();
        let unseen = bytes.len() - given;
        // The end may come right behind a header that announces a message.
        prop_assert!(unseen == headers * 16 || unseen == (headers + 1) * 16);

        let mut reads = Vec::new();
        let mut rest = &bytes[..];
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (read, later) = rest.split_at((*size).min(rest.len()));
            reads.push(read);
            rest = later;
        }
        prop_assert_eq!(decode(reads), whole);
    }

    #[test]
    fn frames_come_out_as_they_were_written(
        frames in prop::collection::vec((0_u32..7, 2_u32..4, any::<u64>(), prop::collection::vec(any::<u8>(), 0..60)), 0..10),
    ) {
        let bytes: Vec<u8> = frames
            .iter()
            .flat_map(|(level, format, time, message)| {
                frame(0xA55A_0000 | level << 2 | format, *time, message)
            })
            .collect();
        let records = decode(bytes.chunks(7));
        prop_assert_eq!(records.len(), frames.len());
        for ((header, given), (_, _, time, message)) in records.iter().zip(&frames) {
            prop_assert_eq!(header.map(|header| header.time_micros), Some(*time));
            prop_assert_eq!(given, message);
        }
    }
}
