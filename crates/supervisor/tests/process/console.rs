//! The sink that prints.

use std::fs::File;
use std::io::{PipeReader, Read};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rapid_interop::process::{OutputSource, Process, Processes, Termination};
use rapid_supervisor::{Config, Console, OutputSink as _, Stream, Supervisor};

use crate::support::{KILL, PATIENCE, eventually, sh, state};

fn piped() -> (PipeReader, Console) {
    let (reader, writer) = std::io::pipe().unwrap();
    (reader, Console::to(writer.into()).unwrap())
}

fn read_all(mut reader: PipeReader) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    })
}

#[tokio::test]
async fn what_the_pipe_takes_is_there_before_the_call_returns() {
    let (mut reader, console) = piped();
    console.write(b"START\n");
    let mut bytes = [0; 100];
    assert_eq!(reader.read(&mut bytes).unwrap(), 6);
    assert_eq!(&bytes[..6], b"START\n");
}

#[tokio::test]
async fn an_unfinished_line_is_finished_so_that_the_next_begins_anew() {
    let (reader, console) = piped();
    for line in [b"whole\n".as_slice(), b"unfinished", b"next\n"] {
        console.lines(&OutputSource::Runtime, Stream::Stdout, line);
    }
    drop(console);
    assert_eq!(read_all(reader).join().unwrap(), "whole\nunfinished\nnext\n");
}

#[tokio::test]
async fn a_paused_reader_never_blocks_the_writer_and_gets_everything_in_order() {
    let (reader, console) = piped();
    let expected: String = (0..50_000).map(|i| format!("line {i}\n")).collect();
    for line in expected.split_inclusive('\n') {
        console.write(line.as_bytes());
    }
    assert!(!console.close(Duration::from_millis(20)).await);
    console.write(b"after the close\n");
    let text = read_all(reader);
    console.flush().await;
    drop(console);
    assert!(text.join().unwrap() == expected);
}

#[tokio::test]
async fn a_file_gets_everything_at_once() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let console = Console::to(File::create(file.path()).unwrap().into()).unwrap();
    let long = "x".repeat(3_000_000) + "\n";
    console.write(long.as_bytes());
    assert!(std::fs::read_to_string(file.path()).unwrap() == long);
    assert!(console.close(Duration::ZERO).await);
}

#[tokio::test]
async fn what_may_block_is_left_to_the_thread() {
    let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let console = Console::to(ours.into()).unwrap();
    let long = "x".repeat(3_000_000) + "\n";
    console.write(long.as_bytes());
    let text = thread::spawn(move || {
        let mut text = String::new();
        theirs.read_to_string(&mut text).unwrap();
        text
    });
    assert!(console.close(PATIENCE).await);
    drop(console);
    assert!(text.join().unwrap() == long);
}

#[tokio::test]
async fn without_a_reader_the_output_is_dropped_and_the_function_goes_on() {
    let (reader, console) = piped();
    drop(reader);
    console.write(b"nobody reads this\n");
    let supervisor = Supervisor::new(Config::default(), console.clone()).unwrap();
    let child = supervisor.launch(sh("seq 1 100000; exit 4")).await.unwrap();
    assert_eq!(child.exited().await, Termination::Exited(4));
    assert!(child.stop(KILL).await.clean);
    console.flush().await;
}

#[tokio::test]
async fn a_reader_that_goes_away_releases_whoever_waits_for_it() {
    let (reader, console) = piped();
    console.write("x".repeat(3_000_000).as_bytes());
    let flush = console.flush();
    let (_, ()) = tokio::join!(async { drop(reader) }, flush);
    assert!(console.close(Duration::ZERO).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_pauses_holds_the_function_up_and_lines_stay_whole() {
    let (mut reader, console) = piped();
    let supervisor = Supervisor::new(Config::default(), console.clone()).unwrap();
    // 8 MiB: far more than the pipes and the queue hold.
    let line = "0123456789abcdef".repeat(64);
    let script = format!("i=0; while [ $i -lt 8192 ]; do echo {line}; i=$((i + 1)); done");
    let child = Arc::new(supervisor.launch(sh(&script)).await.unwrap());
    let mut first = vec![0; 1025];
    reader.read_exact(&mut first).unwrap();
    tokio::select! {
        _ = child.exited() => panic!("8 MiB cannot be written with nobody reading"),
        () = tokio::time::sleep(Duration::from_millis(300)) => {}
    }
    assert_eq!(state(child.pid()), Some('S'));
    console.write(b"END\n");
    let rest = read_all(reader);
    assert_eq!(child.exited().await, Termination::Exited(0));
    assert!(child.stop(KILL).await.clean);
    assert!(console.close(PATIENCE).await);
    drop((child, supervisor, console));
    let text = String::from_utf8(first).unwrap() + &rest.join().unwrap();
    assert_eq!(text.lines().filter(|found| **found == line).count(), 8192);
    assert_eq!(text.lines().filter(|found| *found == "END").count(), 1);
    assert_eq!(text.lines().count(), 8193);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_do_not_tear_each_others_lines() {
    let (reader, console) = piped();
    let text = read_all(reader);
    let writers: Vec<_> = (0..4)
        .map(|writer: usize| {
            let console = console.clone();
            thread::spawn(move || {
                let line = format!("{}\n", writer.to_string().repeat(10_000));
                for _ in 0..100 {
                    console.write(line.as_bytes());
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    assert!(console.close(PATIENCE).await);
    drop(console);
    for line in text.join().unwrap().lines() {
        assert_eq!(line.len(), 10_000);
        assert!(line.bytes().all(|byte| byte == line.as_bytes()[0]));
    }
}

/// What a console says of what it has dropped.
fn dropped(line: &str) -> Option<usize> {
    line.strip_suffix(" bytes of output were dropped: nobody read them")?.parse().ok()
}

#[tokio::test]
async fn the_queue_is_bounded_and_the_gap_is_told_where_it_is() {
    let (reader, console) = piped();
    let line = "x".repeat(1023) + "\n";
    let lines = 40 * 1024;
    for _ in 0..lines {
        console.write(line.as_bytes());
    }
    let text = read_all(reader);
    console.flush().await;
    console.write(b"afterwards\n");
    assert!(console.close(PATIENCE).await);
    drop(console);
    let text = text.join().unwrap();
    let found: Vec<&str> = text.lines().collect();
    let (kept, [gap, afterwards]) = found.split_last_chunk().unwrap();
    assert!(kept.iter().all(|kept| kept.len() == 1023));
    // The queue, and what the pipe holds besides.
    assert!((16 * 1024 - 1..17 * 1024).contains(&kept.len()), "{}", kept.len());
    assert_eq!(dropped(gap), Some((lines - kept.len()) * 1024));
    assert_eq!(*afterwards, "afterwards");
}

#[tokio::test]
async fn a_long_call_is_taken_as_a_whole_when_nothing_waits() {
    let (reader, console) = piped();
    let long = "x".repeat(20 * 1024 * 1024) + "\n";
    console.write(long.as_bytes());
    assert!(!console.has_room());
    let text = read_all(reader);
    assert!(console.close(PATIENCE).await);
    drop(console);
    assert!(text.join().unwrap() == long);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn draining_while_nobody_reads_does_not_fill_the_queue() {
    let (reader, console) = piped();
    let supervisor = Supervisor::new(Config::default(), console.clone()).unwrap();
    let child = supervisor.launch(sh("exec yes")).await.unwrap();
    eventually("the queue is full", || !console.has_room()).await;
    for _ in 0..100 {
        child.drain_output();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(child.stop(KILL).await.clean);
    let text = read_all(reader);
    assert!(console.close(PATIENCE).await);
    drop((child, supervisor, console));
    let text = text.join().unwrap();
    // The queue, and what was left in the pipes at the end.
    assert!(text.len() < 3 * 1024 * 1024, "{}", text.len());
    assert!(text.lines().all(|line| line == "y"));
}

/// Launches what writes the numbers to 5000 and stops it with so much in the queue already;
/// returns what comes behind that.
async fn stopped_behind(waiting: usize) -> String {
    let (reader, console) = piped();
    let supervisor = Supervisor::new(Config::default(), console.clone()).unwrap();
    for _ in 0..waiting {
        console.write(&[b'\n'; 1024]);
    }
    let child = supervisor.launch(sh("seq 1 5000; exec sleep 60")).await.unwrap();
    let has_written = || {
        let name = std::fs::read_to_string(format!("/proc/{}/comm", child.pid()));
        name.is_ok_and(|name| name == "sleep\n")
    };
    eventually("everything is written", has_written).await;
    child.drain_output();
    let begin = Instant::now();
    assert!(child.stop(KILL).await.clean);
    assert!(begin.elapsed() < PATIENCE / 4);
    let text = read_all(reader);
    assert!(console.close(PATIENCE).await);
    drop((child, supervisor, console));
    text.join().unwrap().trim_start_matches('\n').to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_delivers_what_had_no_room() {
    let text = stopped_behind(2 * 1024).await;
    assert!(text.lines().map(|line| line.parse::<u32>().unwrap()).eq(1..=5000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_with_a_queue_that_takes_nothing_more_ends_and_counts_what_is_lost() {
    let written: usize = (1..=5000).map(|i: usize| i.to_string().len() + 1).sum();
    let waiting = 20 * 1024;
    let text = stopped_behind(waiting).await;
    let lost = dropped(text.trim_end()).unwrap();
    assert!(lost > written && (lost - written).is_multiple_of(1024), "{lost}");
}
