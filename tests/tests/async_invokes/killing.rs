//! A rapid that is killed again and again while it accepts events.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rapid_e2e::{Connection, DEADLINE, Options, Rapid, Request};
use serde_json::{Value, json};

use crate::world::{World, ids, wait_until_idle};

const KILLS: u64 = 12;

/// How many accept at the same time.
const INVOKERS: u64 = 2;

/// Kills it twelve times, each some time within `life`, and then lets it finish. Every event that
/// was answered with 202 has to be told.
pub(crate) fn twelve_times(world: &World, life: Duration) {
    let options = world.durable(world.told(Options::fixture()));
    let options = options.flags(["--async-max-events", "60"]);
    let mut accepted = HashSet::new();
    for number in 0..KILLS {
        let rapid = Rapid::serve(options.clone());
        // Some die with their first events, some after dozens.
        let end = Instant::now() + life * u32::try_from(number % 4 + 1).expect("small") / 4;
        accepted.extend(invoke_until(&rapid, end, number));
        assert_eq!(rapid.exit_code(DEADLINE), None, "{}", rapid.stderr().text());
    }
    let rapid = Rapid::serve(options);
    wait_until_idle(&rapid);
    let told = world.told_to("succeeded");
    let told: HashSet<&str> = ids(&told).into_iter().collect();
    let lost: Vec<&String> = accepted.iter().filter(|id| !told.contains(id.as_str())).collect();
    assert!(lost.is_empty(), "of {} these are lost: {lost:?}", accepted.len());
    assert!(accepted.len() > 50, "only {} were accepted", accepted.len());
    assert!(world.told_to("failed").is_empty() && world.told_to("dead").is_empty());
}

/// Invokes from several connections, kills the rapid at `end`, and returns what it has promised.
fn invoke_until(rapid: &Rapid, end: Instant, life: u64) -> Vec<String> {
    let killed = AtomicBool::new(false);
    thread::scope(|scope| {
        let invokers: Vec<_> = (0..INVOKERS)
            .map(|invoker| {
                let killed = &killed;
                scope.spawn(move || invoke_while_it_lives(rapid, killed, life * 10 + invoker))
            })
            .collect();
        thread::sleep(end.saturating_duration_since(Instant::now()));
        // First: a refused connection is right from now on.
        killed.store(true, Ordering::SeqCst);
        rapid.kill9();
        let promised = invokers.into_iter().map(|invoker| invoker.join().expect("no panic"));
        promised.flatten().collect()
    })
}

fn invoke_while_it_lives(rapid: &Rapid, killed: &AtomicBool, invoker: u64) -> Vec<String> {
    let mut promised = Vec::new();
    let Ok(mut connection) = Connection::open(rapid.invoke_address()) else { return promised };
    for number in 0_u64.. {
        let event: Value = json!({ "do": "echo", "invoker": invoker, "number": number });
        let path = Rapid::invoke_path("function");
        let request = Request::post(&path, event.to_string());
        match connection.exchange(&request.header("X-Amz-Invocation-Type", "Event")) {
            Ok(reply) if reply.status == 202 => promised.push(reply.request_id()),
            // There is no room just now.
            Ok(reply) if reply.status == 429 => thread::sleep(Duration::from_millis(2)),
            Ok(reply) => panic!("{reply:?}"),
            Err(error) => {
                assert!(killed.load(Ordering::SeqCst), "{error}");
                break;
            }
        }
    }
    promised
}
