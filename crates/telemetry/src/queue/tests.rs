//! Tests of the queue: tables, and a property over long random runs.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const SMALL: Buffering =
    Buffering { max_items: 3, max_bytes: 100, timeout: Duration::from_millis(50) };

fn event(bytes: usize) -> Bytes {
    vec![b'x'; bytes].into()
}

fn later(start: Instant, millis: u64) -> Instant {
    start + Duration::from_millis(millis)
}

/// A queue with events of these sizes, all from `start`.
fn filled(start: Instant, sizes: &[usize]) -> Queue {
    let mut queue = Queue::new(SMALL, true);
    for size in sizes {
        queue.push(start, event(*size));
    }
    queue
}

fn sizes(batch: &Batch) -> Vec<usize> {
    batch.events.iter().map(Bytes::len).collect()
}

#[test]
fn a_batch_is_due_when_its_first_event_has_waited_long_enough() {
    let start = Instant::now();
    let mut queue = Queue::new(SMALL, true);
    assert_eq!(queue.due(), None);
    assert_eq!(queue.push(start, event(1)), Pushed::Due);
    assert_eq!(queue.push(later(start, 10), event(2)), Pushed::Waits);
    assert_eq!(queue.due(), Some(later(start, 50)));
    assert_eq!(queue.take(later(start, 49)), None);
    assert_eq!(queue.take(later(start, 50)).as_ref().map(sizes), Some(vec![1, 2]));
}

#[test]
fn a_batch_is_due_when_it_has_enough_events() {
    let start = Instant::now();
    let mut queue = Queue::new(SMALL, true);
    let pushed = [1, 2, 3, 4].map(|size| queue.push(start, event(size)));
    assert_eq!(pushed, [Pushed::Due, Pushed::Waits, Pushed::Due, Pushed::Waits]);
    assert_eq!(queue.take(start).as_ref().map(sizes), Some(vec![1, 2, 3]));
    // The fourth begins a batch of its own, with its own time.
    queue.delivered();
    assert_eq!(queue.due(), Some(later(start, 50)));
}

#[test]
fn a_batch_is_due_when_it_has_enough_bytes() {
    let start = Instant::now();
    let mut queue = filled(start, &[60]);
    assert_eq!(queue.push(start, event(40)), Pushed::Due);
    assert_eq!(queue.push(start, event(1)), Pushed::Waits);
    assert_eq!(queue.take(start).as_ref().map(sizes), Some(vec![60, 40]));
}

#[test]
fn a_batch_has_at_most_twice_the_bytes_unless_it_is_one_event() {
    let start = Instant::now();
    let mut queue = filled(start, &[99, 101]);
    assert_eq!(queue.take(start).as_ref().map(sizes), Some(vec![99, 101]));
    queue.delivered();
    assert_eq!(queue.push(start, event(1000)), Pushed::Due);
    assert_eq!(queue.take(start).as_ref().map(sizes), Some(vec![1000]));
}

#[test]
fn what_is_due_at_once_is_taken_whatever_its_age() {
    let start = Instant::now();
    let mut queue = filled(start, &[1]);
    queue.hurry();
    assert_eq!(queue.take(start).as_ref().map(sizes), Some(vec![1]));
    queue.delivered();
    // Later events have time again.
    queue.push(start, event(2));
    assert_eq!(queue.take(start), None);
}

#[test]
fn hurry_is_about_what_waits_and_not_about_what_comes() {
    let start = Instant::now();
    let mut queue = filled(start, &[]);
    queue.hurry();
    queue.push(start, event(1));
    assert_eq!(queue.take(start), None);
}

#[test]
fn hurry_lasts_until_all_that_waited_is_taken() {
    let start = Instant::now();
    let mut queue = filled(start, &[1, 2, 3, 4]);
    queue.hurry();
    assert_eq!(queue.take(start).as_ref().map(sizes), Some(vec![1, 2, 3]));
    queue.delivered();
    assert_eq!(queue.take(start).as_ref().map(sizes), Some(vec![4]));
}

#[test]
fn what_comes_after_a_hurry_does_not_prolong_it() {
    let start = Instant::now();
    let mut queue = filled(start, &[1, 1, 1]);
    queue.hurry();
    queue.push(start, event(2));
    assert_eq!(queue.take(start).as_ref().map(sizes), Some(vec![1, 1, 1]));
    queue.delivered();
    assert_eq!(queue.due(), Some(later(start, 50)));
}

#[test]
fn what_is_cleared_is_counted() {
    let start = Instant::now();
    let mut queue = filled(start, &[1, 2, 3, 4, 5]);
    queue.lose(1, 10);
    assert_eq!((queue.lost(), queue.take(start).is_some()), (1, true));
    queue.clear("replaced");
    assert_eq!((queue.loss.records, queue.loss.bytes, queue.lost()), (6, 25, 6));
    assert_eq!((queue.last(), queue.gone(), queue.due()), (5, 5, None));
}

#[test]
fn one_batch_is_out_at_a_time() {
    let start = Instant::now();
    let mut queue = filled(start, &[1, 1, 1, 1, 1, 1]);
    assert!(queue.take(start).is_some());
    assert_eq!((queue.due(), queue.take(later(start, 1000))), (None, None));
    queue.delivered();
    assert_eq!((queue.last(), queue.gone()), (6, 3));
    assert!(queue.take(start).is_some());
    assert_eq!((queue.last(), queue.gone()), (6, 3));
    queue.delivered();
    assert_eq!((queue.last(), queue.gone()), (6, 6));
}

#[test]
fn what_does_not_fit_is_dropped_and_told_with_the_next_batch() {
    let start = Instant::now();
    let mut queue = filled(start, &[1, 1, 1, 1, 1, 1]);
    assert_eq!(queue.push(start, event(7)), Pushed::Dropped);
    assert_eq!(queue.push(start, event(8)), Pushed::Dropped);
    let loss = queue.take(start).and_then(|batch| batch.loss).unwrap();
    assert_eq!((loss.records, loss.bytes), (2, 15));
    assert_eq!(
        loss.reason(),
        "Some logs were dropped because the downstream consumer is slower than the logs \
         production rate"
    );
    queue.delivered();
    assert_eq!(queue.take(start).map(|batch| batch.loss), Some(None));
}

#[test]
fn twice_the_bytes_may_wait() {
    let start = Instant::now();
    let mut queue = filled(start, &[100, 99]);
    assert_eq!(queue.push(start, event(2)), Pushed::Dropped);
    assert_eq!(queue.push(start, event(1)), Pushed::Waits);
}

#[test]
fn what_a_batch_told_of_is_not_forgotten_when_it_is_given_up() {
    let start = Instant::now();
    let mut queue = filled(start, &[1, 1, 1, 1, 1, 1, 10]);
    assert!(queue.take(start).is_some_and(|batch| batch.loss.is_some()));
    assert!(!queue.overflowed());
    for size in [1, 1, 1, 20] {
        queue.push(start, event(size));
    }
    assert!(queue.overflowed());
    queue.gave_up("connection refused");
    let loss = queue.take(start).and_then(|batch| batch.loss).unwrap();
    assert_eq!((loss.records, loss.bytes), (1 + 1 + 3, 10 + 20 + 3));
    assert_eq!(loss.reason(), "could not send events: connection refused");
}

#[test]
fn whoever_does_not_take_the_platforms_events_is_not_told() {
    let start = Instant::now();
    let mut queue = Queue::new(SMALL, false);
    for _ in 0..7 {
        queue.push(start, event(1));
    }
    assert_eq!(queue.take(start).map(|batch| batch.loss), Some(None));
    assert_eq!((queue.loss.records, queue.loss.bytes), (1, 1));
    queue.gave_up("broken pipe");
    assert_eq!((queue.loss.records, queue.loss.bytes), (4, 4));
}

#[test]
fn what_was_lost_before_the_queue_is_told_as_well() {
    let start = Instant::now();
    let mut queue = filled(start, &[1]);
    queue.lose(5, 50);
    queue.hurry();
    let loss = queue.take(start).and_then(|batch| batch.loss).unwrap();
    assert_eq!((loss.records, loss.bytes), (5, 50));
}

#[derive(Clone, Debug)]
enum Step {
    Push(usize),
    Wait(u64),
    Take,
    Delivered,
    GaveUp,
    Hurry,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (4_usize..300).prop_map(Step::Push),
        2 => (0_u64..60).prop_map(Step::Wait),
        3 => Just(Step::Take),
        2 => Just(Step::Delivered),
        1 => Just(Step::GaveUp),
        1 => Just(Step::Hurry),
    ];
    prop::collection::vec(step, 0..200)
}

/// An event that can be told from every other.
fn numbered(number: u32, size: usize) -> Bytes {
    let mut event = number.to_be_bytes().to_vec();
    event.resize(size, b'x');
    event.into()
}

proptest! {
    #[test]
    fn every_event_arrives_once_and_in_order_or_is_counted(
        steps in steps(),
        tells_losses: bool,
    ) {
        let mut now = Instant::now();
        let mut queue = Queue::new(SMALL, tells_losses);
        let (mut pushed, mut pushed_bytes) = (0_u32, 0_u64);
        let mut arrived: Vec<Bytes> = Vec::new();
        let mut told = Loss::default();
        let mut out: Option<Batch> = None;
        let drain = [Step::Delivered, Step::Hurry, Step::Take].into_iter().cycle().take(600);
        for step in steps.into_iter().chain(drain) {
            match step {
                Step::Push(size) => {
                    let waited = queue.waiting.len();
                    let bytes = queue.bytes;
                    let fits = waited == 0 || (waited < 6 && bytes + size <= 200);
                    let found = queue.push(now, numbered(pushed, size));
                    prop_assert_eq!(found != Pushed::Dropped, fits);
                    pushed += 1;
                    pushed_bytes += size as u64;
                }
                Step::Wait(millis) => now += Duration::from_millis(millis),
                Step::Take => {
                    let due = queue.due().is_some_and(|due| due <= now);
                    let taken = queue.take(now);
                    prop_assert_eq!(taken.is_some(), due);
                    if let Some(batch) = taken {
                        prop_assert!(out.is_none(), "two batches are out");
                        prop_assert!((1..=3).contains(&batch.events.len()));
                        let bytes: usize = batch.events.iter().map(Bytes::len).sum();
                        prop_assert!(bytes <= 200 || batch.events.len() == 1);
                        out = Some(batch);
                    }
                }
                Step::Delivered => {
                    queue.delivered();
                    if let Some(batch) = out.take() {
                        arrived.extend(batch.events);
                        told.add(batch.loss.unwrap_or_default());
                    }
                }
                Step::GaveUp => {
                    queue.gave_up("gone");
                    out = None;
                }
                Step::Hurry => queue.hurry(),
            }
            let held: usize = queue.waiting.iter().map(|waiting| waiting.event.len()).sum();
            prop_assert_eq!(held, queue.bytes);
            let unsettled = queue.waiting.len() + out.as_ref().map_or(0, |out| out.events.len());
            prop_assert_eq!(queue.last() - queue.gone(), unsettled as u64);
        }
        prop_assert_eq!(queue.gone(), queue.last());
        prop_assert!(out.is_none());
        prop_assert!(arrived.is_sorted_by(|a, b| a[..4] < b[..4]), "out of order, or twice");
        told.add(queue.loss.clone());
        prop_assert_eq!(arrived.len() as u64 + told.records, u64::from(pushed));
        prop_assert_eq!(queue.lost(), told.records);
        let bytes: u64 = arrived.iter().map(|event| event.len() as u64).sum();
        prop_assert_eq!(bytes + told.bytes, pushed_bytes);
    }
}

#[test]
fn the_past_always_has_room_and_comes_first() {
    let start = Instant::now();
    let mut queue = Queue::new(SMALL, true);
    for _ in 0..50 {
        queue.replay(start, event(90));
    }
    // What is new has the room that it always has.
    let pushed = [90, 90, 90].map(|size| queue.push(start, event(size)));
    assert_eq!(pushed, [Pushed::Waits, Pushed::Waits, Pushed::Dropped]);
    assert_eq!(queue.loss, Loss { records: 1, bytes: 90, error: None });
    let mut taken = Vec::new();
    while let Some(batch) = queue.take(later(start, 50)) {
        taken.extend(sizes(&batch));
        queue.delivered();
    }
    assert_eq!(taken, [90; 52]);
    let pushed = [90, 90, 90].map(|size| queue.push(start, event(size)));
    assert_eq!(pushed, [Pushed::Due, Pushed::Due, Pushed::Dropped]);
}
