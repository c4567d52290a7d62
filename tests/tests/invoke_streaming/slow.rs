//! Callers that read slowly, or leave; and a response that is held back on purpose.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rapid_e2e::{DEADLINE, Rapid, eventually};
use serde_json::json;

use crate::MIB;
use crate::caller::{Caller, Message};
use crate::runtime::Runtime;

/// Streams as many bytes from a thread; how many of them rapid has taken so far.
fn produce(
    mut runtime: Runtime,
    size: usize,
) -> (Arc<AtomicUsize>, thread::JoinHandle<io::Result<Runtime>>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let producer = thread::spawn(move || {
        let id = runtime.next();
        runtime.begin(&id, &[]);
        let piece = vec![b'x'; 64 * 1024];
        while counter.load(Ordering::Relaxed) < size {
            let left = size - counter.load(Ordering::Relaxed);
            let piece = piece.get(..left).unwrap_or(&piece);
            runtime.send(piece)?;
            counter.fetch_add(piece.len(), Ordering::Relaxed);
        }
        assert_eq!(runtime.end(&[]).status, 202);
        Ok(runtime)
    });
    (sent, producer)
}

/// Waits until the count stays as it is.
#[track_caller]
fn settled(count: &AtomicUsize) -> usize {
    let (mut last, mut looks) = (0, 0);
    eventually("a producer that is held back", || {
        let now = count.load(Ordering::Relaxed);
        looks = if now == last && now > 0 { looks + 1 } else { 0 };
        last = now;
        looks == 60
    });
    last
}

#[test]
fn a_caller_that_pauses_holds_the_runtime_back_and_costs_no_memory() {
    const SIZE: usize = 200 * MIB;
    /// What the system's own buffers on the way may hold.
    const SOCKETS: usize = 80 * MIB;
    const ROOM_KIB: u64 = 16 * 1024;
    let rapid = Rapid::serve(Runtime::options());
    let mut runtime = Runtime::of(&rapid);
    let mut caller = Caller::call(&rapid, "{}");
    runtime.respond(b"warm");
    caller.head();
    caller.finish();
    let resting = rapid.resident_kib();
    let expect_small = || {
        let resident = rapid.resident_kib();
        assert!(resident <= resting + ROOM_KIB, "{resident} KiB after {resting} KiB");
    };

    let mut caller = Caller::call(&rapid, "{}");
    let (sent, producer) = produce(runtime, SIZE);
    caller.head();
    for taken in [0, 40 * MIB, 80 * MIB] {
        caller.take(taken);
        let held = settled(&sent);
        assert!(held < taken + SOCKETS, "{held} bytes were taken although nobody reads");
        expect_small();
    }
    for taken in (80..=200).step_by(10) {
        caller.take(taken * MIB);
        expect_small();
    }
    assert_eq!(caller.finish(), (SIZE, json!({})));
    assert!(producer.join().expect("it ends").is_ok());
}

#[test]
fn a_caller_that_leaves_without_reading_lets_the_runtime_go_on() {
    const SIZE: usize = 60 * MIB;
    let rapid = Rapid::serve(Runtime::options());
    let caller = Caller::call(&rapid, "{}");
    let (sent, producer) = produce(Runtime::of(&rapid), SIZE);
    assert!(settled(&sent) < SIZE, "it is held back");
    drop(caller);
    let mut runtime = producer.join().expect("it ends").expect("rapid reads what nobody wants");
    let mut next = Caller::call(&rapid, "{}");
    runtime.respond(b"well");
    next.head();
    assert_eq!(next.finish(), (4, json!({})));
}

#[test]
fn a_caller_that_pauses_too_long_finds_the_timeout_where_it_reads_on() {
    let rapid = Rapid::serve(Runtime::options().timeout(2));
    let mut caller = Caller::call(&rapid, "{}");
    let (_, producer) = produce(Runtime::of(&rapid), 200 * MIB);
    let report = rapid.wait_for_line("REPORT RequestId", DEADLINE);
    assert!(report.contains("\tStatus: timeout"), "{report}");
    assert!(producer.join().expect("it ends").is_err(), "it is cut off");
    caller.head();
    let (taken, complete) = caller.finish();
    assert!((1..200 * MIB).contains(&taken), "{taken}");
    let details = complete["ErrorDetails"].as_str().unwrap_or_default();
    assert!(details.contains("Task timed out after 2.00 seconds"), "{complete}");
    let mut caller = Caller::call(&rapid, "{}");
    Runtime::of(&rapid).respond(b"well");
    caller.head();
    assert_eq!(caller.finish(), (4, json!({})));
}

#[test]
fn three_hundred_streams_of_which_half_are_left_leave_nothing_behind() {
    let rapid = Rapid::serve(Runtime::options());
    let mut runtime = Runtime::of(&rapid);
    let mut stream = |leaves: bool| {
        let mut caller = Caller::call(&rapid, "{}");
        let id = runtime.next();
        runtime.begin(&id, &[]);
        runtime.send(b"part").expect("rapid reads");
        caller.head();
        assert_eq!(caller.message(), Some(Message::Chunk(b"part".to_vec())));
        let caller = (!leaves).then_some(caller);
        runtime.send(&[b'x'; 100_000]).expect("rapid reads");
        assert_eq!(runtime.end(&[]).status, 202);
        if let Some(mut caller) = caller {
            assert_eq!(caller.finish(), (100_004, json!({})));
        }
    };
    stream(false);
    stream(true);
    let (resting, open) = (rapid.resident_kib(), rapid.descriptors());
    for n in 0..300 {
        stream(n % 2 == 0);
    }
    eventually("all connections are closed", || rapid.descriptors() <= open);
    let resident = rapid.resident_kib();
    assert!(resident < resting + 8 * 1024, "{resident} KiB after {resting} KiB");
}

#[test]
fn of_more_than_two_hundred_mebibytes_one_byte_more_arrives_and_nothing_fails() {
    let limit = 200 * MIB;
    let rapid = Rapid::serve(Runtime::options());
    let mut caller = Caller::call(&rapid, "{}");
    let (_, producer) = produce(Runtime::of(&rapid), limit + 3 * MIB);
    caller.head();
    assert_eq!(caller.finish(), (limit + 1, json!({})));
    let mut runtime = producer.join().expect("it ends").expect("rapid reads all of it");
    runtime.ask();
    let report = rapid.wait_for_line("REPORT RequestId", DEADLINE);
    assert!(!report.contains("Status"), "{report}");
}

#[test]
fn a_bandwidth_holds_what_is_left_after_the_burst_back() {
    // A tick of an eighth of a second brings 4096 bytes.
    let limits = ["--stream-burst", "32768", "--stream-bandwidth", "32768"];
    let rapid = Rapid::serve(Runtime::options().flags(limits));
    let mut caller = Caller::call(&rapid, "{}");
    let begin = Instant::now();
    let (_, producer) = produce(Runtime::of(&rapid), 32_768 + 3 * 4_096);
    caller.head();
    assert_eq!(caller.finish(), (32_768 + 3 * 4_096, json!({})));
    assert!(producer.join().expect("it ends").is_ok());
    // The burst and the first tick may be at once; no clock makes it sooner than that.
    assert!(begin.elapsed() >= Duration::from_millis(250), "{:?}", begin.elapsed());
}

#[test]
fn a_caller_that_leaves_lets_the_invocation_run_on_in_its_place() {
    const SIZE: usize = 20 * MIB;
    let rapid = Rapid::serve(Runtime::options());
    let mut runtime = Runtime::of(&rapid);
    let mut leaver = Caller::call(&rapid, "{}");
    let first = runtime.next();
    runtime.begin(&first, &[]);
    runtime.send(b"part").expect("rapid reads");
    leaver.head();
    assert_eq!(leaver.message(), Some(Message::Chunk(b"part".to_vec())));
    drop(leaver);
    let mut stayer = Caller::call(&rapid, "{}");
    let piece = vec![b'x'; MIB];
    for _ in 0..SIZE / MIB {
        runtime.send(&piece).expect("rapid reads what nobody wants");
    }
    assert!(rapid.stdout().matching("END RequestId").is_empty(), "it still runs");
    assert_eq!(runtime.end(&[]).status, 202);
    runtime.respond(b"well");
    stayer.head();
    assert_eq!(stayer.finish(), (4, json!({})));
    rapid.wait_for_line(&format!("REPORT RequestId: {first}\t"), DEADLINE);
}
