//! Telemetry over thousands of invocations and a million lines, and beside subscribers of every
//! bad kind.
#![expect(clippy::expect_used, reason = "helpers of tests fail as tests do")]

#[path = "telemetry_endurance/hostile.rs"]
mod hostile;
#[path = "telemetry_endurance/ledger.rs"]
mod ledger;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rapid_e2e::{
    Agent, Batch, Connection, DEADLINE, Extensions, Options, Rapid, Request, Subscriber, eventually,
};

use crate::ledger::Ledger;

/// How many numbers an invocation writes to either output.
const LINES: u64 = 100;

/// How many records a good subscriber may be behind: less than there is room for.
const BEHIND: u64 = 10_000;

/// After how many invocations the queue of half a megabyte runs over, with some to spare.
const MORE_THAN_WAITS: u64 = 50;

/// How much more memory may be resident, after it has warmed up, in KiB.
const FLAT: u64 = 4 * 1024;

/// How much memory may be resident beside eleven bad subscribers and a good one, in KiB. Without
/// them it is about 16 MiB in this profile. A queue, the batch that is out and its body have at most
/// 512 KiB each, those of the good one four times as much; the rest is for the allocator.
const BOUND: u64 = 48 * 1024;

// --- Subscribers that count ------------------------------------------------------------------

/// What a subscriber has got so far.
#[derive(Clone, Debug, Default)]
struct Books {
    ledger: Arc<Mutex<Ledger>>,
}

impl Books {
    fn take(&self, batch: &Batch) {
        self.open().take(&batch.body);
    }

    fn open(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until each record has arrived or is told to be lost, and looks at their order.
    #[track_caller]
    fn expect(&self, who: &str, run: &Run) {
        let produced = run.produced();
        eventually(&format!("{who} knows of {produced} records"), || {
            self.open().accounted() >= produced
        });
        let ledger = self.open();
        let none: [&str; 0] = [];
        assert_eq!(ledger.complaints, none, "{who}");
        assert_eq!(ledger.accounted(), produced, "{who} lost {}", ledger.dropped);
        let mut expected = run.platform().into_iter();
        for record in &ledger.platform {
            assert!(expected.any(|one| one == *record), "{who}: {record:?} is out of order");
        }
    }
}

/// Expects that a subscriber has lost nothing, and that what an invocation has written comes before
/// its end, and nothing of the next one does.
#[track_caller]
fn expect_everything(books: &Books, run: &Run) {
    books.expect("the good one", run);
    let ledger = books.open();
    assert_eq!(ledger.dropped, 0);
    let written = (1..=run.ids.len() as u64).map(|invocation| [invocation * LINES; 2]);
    assert!(ledger.due_when_done.iter().copied().eq(written));
}

/// Asks for all there is, in large batches or in usual ones, to be brought to a port.
fn subscription(port: u16, max_bytes: u32) -> String {
    format!(
        r#"{{"schemaVersion":"2022-12-13","types":["platform","function","extension"],"buffering":{{"maxBytes":{max_bytes},"timeoutMs":25}},"destination":{{"protocol":"HTTP","URI":"http://sandbox.localdomain:{port}/batch"}}}}"#
    )
}

/// The extensions, for which the test speaks: more than one, since each may subscribe a few times
/// only.
const AGENTS: [&str; 2] = ["agent-a", "agent-b"];

fn extensions() -> Extensions {
    AGENTS.iter().fold(Extensions::none(), |all, name| all.mute(name))
}

/// Registers the extensions, which send these subscriptions and then wait for ever.
///
/// The connections have to be kept: the extensions wait on them.
#[track_caller]
fn initialise(rapid: &Rapid, subscriptions: &[String]) -> [Connection; 2] {
    let agents = AGENTS.map(|name| Agent::register(rapid, name, &[]));
    for (subscription, agent) in subscriptions.iter().zip(agents.iter().cycle()) {
        let request = Request::post("/2022-07-01/telemetry", subscription.as_str()).method("PUT");
        let reply = rapid.call(&agent.signed(request));
        assert_eq!((reply.status, reply.text().as_str()), (200, "\"OK\""));
    }
    agents.map(|agent| agent.ask(rapid))
}

// --- Invocations that write ------------------------------------------------------------------

/// Invocations, one after the other, each of which writes numbered lines.
struct Run {
    connection: Connection,
    subscriptions: usize,
    ids: Vec<String>,
}

impl Run {
    fn on(rapid: &Rapid, subscriptions: usize) -> Self {
        Self { connection: rapid.to_invoke(), subscriptions, ids: Vec::new() }
    }

    /// Invokes once, and lets a good subscriber keep up, however busy the machine is.
    fn invoke(&mut self, good: &Books) {
        let from = self.ids.len() as u64 * LINES;
        let payload = format!(r#"{{"do":"number-lines","from":{from},"count":{LINES}}}"#);
        let request = Request::post(&Rapid::invoke_path("function"), payload);
        let reply = self.connection.exchange(&request).expect("it is answered");
        assert_eq!((reply.status, reply.text().as_str()), (200, "\"numbered\""));
        self.ids.push(reply.request_id());
        let due = self.produced().saturating_sub(BEHIND);
        eventually("the good one keeps up", || good.open().accounted() >= due);
    }

    /// How many records there have been, for each subscriber.
    fn produced(&self) -> u64 {
        let initialisation = self.subscriptions + AGENTS.len() + 3;
        initialisation as u64 + self.ids.len() as u64 * (2 * LINES + 3)
    }

    /// The platform's part of them: the type and the request.
    fn platform(&self) -> Vec<(String, String)> {
        let subscriptions = [("telemetrySubscription", "")].repeat(self.subscriptions);
        let ready = [("extension", ""); AGENTS.len()];
        let before = [("initStart", "")].into_iter().chain(subscriptions);
        let after = [("initRuntimeDone", "")].into_iter().chain(ready).chain([("initReport", "")]);
        let initialisation = before.chain(after);
        let kinds = ["start", "runtimeDone", "report"];
        let invocations = self.ids.iter().flat_map(|id| kinds.map(|kind| (kind, id.as_str())));
        let all = initialisation.chain(invocations);
        all.map(|(kind, id)| (kind.to_owned(), id.to_owned())).collect()
    }
}

#[test]
fn a_million_lines_arrive_once_and_in_order_and_memory_stays_flat() {
    let (extensions, books) = (extensions(), Books::default());
    let taken = books.clone();
    let subscriber = Subscriber::start(move |batch| taken.take(batch));
    let rapid = Rapid::serve(Options::fixture().extensions(&extensions).stdout_discarded());
    let _parked = initialise(&rapid, &[subscription(subscriber.port(), 1_048_576)]);
    let mut run = Run::on(&rapid, 1);
    let mut memory = Vec::new();
    for invocation in 1..=5000 {
        run.invoke(&books);
        if invocation % 50 == 0 {
            memory.push(rapid.resident_kib());
        }
    }
    expect_everything(&books, &run);
    let (warm_up, rest) = memory.split_at(10);
    let (warm, most) = (warm_up.iter().max(), rest.iter().max());
    let (warm, most) = (warm.expect("it was looked at"), most.expect("it was looked at"));
    assert!(*most <= warm + FLAT, "{memory:?}");
}

#[test]
fn bad_subscribers_lose_what_they_are_told_of_and_harm_nobody() {
    let extensions = extensions();
    let [good, slow, restarting] = [(); 3].map(|()| Books::default());
    let (for_good, for_slow, for_restarting) = (good.clone(), slow.clone(), restarting.clone());
    let good_one = Subscriber::start(move |batch| for_good.take(batch));
    let invoked = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&invoked);
    let slow_one = Subscriber::start(move |batch| {
        // It answers when more has come than there is room for, but before nobody waits any more.
        let enough = seen.load(Ordering::Relaxed).saturating_add(MORE_THAN_WAITS);
        let end = Instant::now() + Duration::from_secs(3);
        while seen.load(Ordering::Relaxed) < enough && Instant::now() < end {
            thread::sleep(Duration::from_millis(5));
        }
        for_slow.take(batch);
    });
    let mut ports = vec![slow_one.port(), hostile::dead()];
    ports.push(hostile::restarting(move |batch| for_restarting.take(batch)));
    ports.extend(hostile::MANNERS.map(hostile::start));
    let mut subscriptions = vec![subscription(good_one.port(), 1_048_576)];
    subscriptions.extend(ports.iter().map(|port| subscription(*port, 262_144)));

    let rapid = Rapid::serve(Options::fixture().extensions(&extensions).stdout_discarded());
    let _parked = initialise(&rapid, &subscriptions);
    let mut run = Run::on(&rapid, subscriptions.len());
    let mut most = 0;
    for _ in 0..1000 {
        run.invoke(&good);
        invoked.fetch_add(1, Ordering::Relaxed);
        most = rapid.resident_kib().max(most);
    }
    // It need not be slow any more.
    invoked.store(u64::MAX, Ordering::Relaxed);
    expect_everything(&good, &run);
    slow.expect("the slow one", &run);
    restarting.expect("the restarting one", &run);
    assert_ne!(slow.open().dropped, 0, "it was too slow for a queue of half a megabyte");
    assert!(most <= BOUND, "{most} KiB");
    rapid.term();
    assert_eq!(rapid.exit_code(DEADLINE), Some(0), "{}", rapid.stderr().text());
}
