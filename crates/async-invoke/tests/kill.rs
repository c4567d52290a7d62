//! Kills the process at random moments, dozens of times: what was accepted comes to its end.
//!
//! The test starts itself as a child that opens the queue, accepts events as fast as it can, says
//! so on its standard output, and runs them. The parent kills it with SIGKILL. A last child accepts
//! nothing and finishes what is left. Then every event that was said to be accepted has to be in the
//! file of the successes or in that of the failures, and in the one that it belongs to.
//!
//! Then others are killed while they make the queue, each in a directory of its own, and the next
//! one has to find its way.

#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]
#![expect(clippy::print_stdout, reason = "it is its own harness")]

use std::collections::{HashMap, HashSet};
use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderValue;
use rapid_async_invoke::{AsyncInvoke, Config, Destinations, Policy, Refusal, Target};
use rapid_fatal_error::ErrorType;
use rapid_interop::mode::InvokeResponseMode;
use rapid_interop::ports::{Failure, Health, InvokeAnswer, InvokePort, InvokeRefusal, Invoked};
use rapid_interop::{
    ErrorInvokeResponse, Invoke, InvokeResponseHeaders, Mono, RequestId, StreamableInvokeResponse,
};

const KILLS: u64 = 40;
/// The child's part is told to it in the environment.
const DIRECTORY: &str = "KILL_TEST_DIRECTORY";
const LIFE: &str = "KILL_TEST_LIFE";
/// The life that accepts nothing.
const LAST: u64 = KILLS;
/// Far more than anything here takes; only a defect gets there.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() {
    match (env::var_os(DIRECTORY), env::var(LIFE)) {
        (Some(directory), Ok(life)) => child(Path::new(&directory), life.parse().unwrap()),
        _ => {
            let mut random = Random::new();
            println!("seed {}", random.0);
            what_was_accepted_comes_to_its_end(&mut random);
            what_was_never_made_is_made_again(&mut random);
            println!("test result: ok. 2 passed; 0 failed");
        }
    }
}

fn what_was_accepted_comes_to_its_end(random: &mut Random) {
    let directory = tempfile::tempdir().unwrap();
    let mut accepted = HashSet::new();
    for life in 0..KILLS {
        let mut child = start(directory.path(), life);
        let output = BufReader::new(child.stdout.take().unwrap());
        let (line, lines) = mpsc::channel();
        let reader = std::thread::spawn(move || {
            // Once it is to be killed nobody counts any more; the rest is read all the same.
            output
                .lines()
                .map_while(Result::ok)
                .inspect(|_| line.send(()).unwrap_or_default())
                .collect()
        });
        // Some die while they open the queue, some when they have accepted dozens of events.
        for _ in 0..random.below(4) * random.below(12) {
            lines.recv_timeout(PATIENCE).unwrap();
        }
        std::thread::sleep(Duration::from_millis(random.below(30)));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), None, "life {life} ended by itself: {status}");
        // The last line may be torn, which is no promise.
        let promised: Vec<String> = reader.join().unwrap();
        accepted.extend(promised.into_iter().filter(|line| line.ends_with('.')));
    }
    let status = start(directory.path(), LAST).wait().unwrap();
    assert!(status.success(), "the last life failed: {status}");
    let succeeded = told(&directory.path().join("succeeded"));
    let failed = told(&directory.path().join("failed"));
    let dead = told(&directory.path().join("dead"));
    assert!(accepted.len() > 100, "only {} events were accepted", accepted.len());
    for id in accepted.iter().map(|line| line.trim_end_matches('.')) {
        let (right, wrong) =
            if must_fail(id) { (&failed, &succeeded) } else { (&succeeded, &failed) };
        assert!(right.contains_key(id), "{id} was accepted and is lost");
        assert!(!wrong.contains_key(id), "{id} has ended in the wrong way");
        assert_eq!(dead.contains_key(id), must_fail(id), "{id}");
    }
    let repeated = succeeded.values().chain(failed.values()).filter(|times| **times > 1).count();
    println!(
        "{} accepted events have come to their end, {repeated} were told more than once",
        accepted.len()
    );
}

fn what_was_never_made_is_made_again(random: &mut Random) {
    for _ in 0..KILLS / 2 {
        let directory = tempfile::tempdir().unwrap();
        let mut child = start(directory.path(), 0);
        std::thread::sleep(Duration::from_millis(random.below(20)));
        child.kill().unwrap();
        child.wait().unwrap();
        let status = start(directory.path(), LAST).wait().unwrap();
        assert!(status.success(), "the second life failed: {status}");
    }
}

fn start(directory: &Path, life: u64) -> Child {
    Command::new(env::current_exe().unwrap())
        .env(DIRECTORY, directory)
        .env(LIFE, life.to_string())
        .stdout(if life == LAST { Stdio::null() } else { Stdio::piped() })
        .spawn()
        .unwrap()
}

/// How often each event is told of in a file. Half a line is the trace of a kill.
fn told(path: &Path) -> HashMap<String, usize> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut times = HashMap::new();
    for line in text.lines() {
        let Ok(told) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        let record = told["requestContext"]["requestId"].as_str();
        let letter = told["messageAttributes"]["RequestID"]["stringValue"].as_str();
        let id = record.or(letter).unwrap_or_else(|| panic!("{line}"));
        *times.entry(id.to_owned()).or_default() += 1;
    }
    times
}

/// Every fifth event fails in every attempt.
fn must_fail(id: &str) -> bool {
    id.ends_with(['0', '5'])
}

fn child(directory: &Path, life: u64) {
    // Now on one thread, now on some.
    let mut builder = match life % 2 {
        0 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.enable_all().build().unwrap();
    runtime.block_on(async {
        let queue = AsyncInvoke::open(config(directory), Function).await.unwrap();
        if life < LAST {
            accept_for_ever(&queue, life).await;
        }
        let begun = Instant::now();
        while queue.pending().total() > 0 {
            assert!(begun.elapsed() < PATIENCE, "{:?}", queue.pending());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(queue.drain(PATIENCE).await.kept, 0);
    });
}

fn config(directory: &Path) -> Config {
    let file = |name: &str| Some(Target::File(PathBuf::from(directory).join(name)));
    Config {
        directory: Some(directory.join("queue")),
        concurrency: NonZeroUsize::new(4).unwrap(),
        max_events: 50,
        policy: Policy { retry_delays: [Duration::ZERO; 2], ..Policy::default() },
        destinations: Destinations {
            on_success: file("succeeded"),
            on_failure: file("failed"),
            dead_letter: file("dead"),
        },
        ..Config::default()
    }
}

/// Four invokers, each with an event at a time.
async fn accept_for_ever(queue: &AsyncInvoke, life: u64) {
    let invokers = (0..4).map(|invoker| {
        let queue = queue.clone();
        tokio::spawn(async move {
            for number in 0_u64.. {
                let id = format!("{life}-{invoker}-{number}");
                match queue.accept(event(&id)).await {
                    // The full stop makes the line a promise.
                    Ok(()) => writeln!(std::io::stdout().lock(), "{id}.").unwrap(),
                    Err(Refusal::TooManyRequests) => {
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                    Err(refusal) => panic!("{refusal}"),
                }
            }
        })
    });
    for invoker in invokers.collect::<Vec<_>>() {
        invoker.await.unwrap();
    }
}

fn event(id: &str) -> Invoke {
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:f";
    Invoke {
        id: RequestId::parse(id).unwrap(),
        trace_id: HeaderValue::from_static("Root=1-5759e988-bd862e3fe1be46a994272793"),
        tenant_id: None,
        invoked_function_arn: HeaderValue::from_static(arn),
        cognito_identity: None,
        client_context: None,
        content_type: None,
        payload: Bytes::from(format!("\"{id}\"")),
        response_mode: InvokeResponseMode::default(),
        log_tail: false,
        received: Mono::default(),
        request_read_time: Duration::ZERO,
    }
}

/// Takes a moment, and fails for the events that have to fail.
#[derive(Clone)]
struct Function;

impl InvokePort for Function {
    async fn invoke(&self, invoke: Invoke) -> Result<Invoked, InvokeRefusal> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let id = invoke.id.as_str();
        assert_eq!(&invoke.payload[..], format!("\"{id}\"").as_bytes(), "another event's payload");
        if must_fail(id) {
            let error =
                ErrorInvokeResponse::formatted(ErrorType::RuntimeUnknown, &"no", Some(&invoke.id));
            return Ok(InvokeAnswer::Failed(Failure::Reported, error).into());
        }
        let headers = InvokeResponseHeaders::default();
        let response = StreamableInvokeResponse { headers, payload: invoke.payload };
        Ok(InvokeAnswer::Response(response).into())
    }

    fn health(&self) -> Health {
        Health::Ready
    }

    fn now(&self) -> Mono {
        Mono::default()
    }
}

/// A linear congruential generator: its seed is printed.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Self(u64::from(now.subsec_nanos()))
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
