//! Invokes over and over, and says how long each took.
//!
//! Every connection has a thread that blocks in its calls: two system calls a request. One loop
//! over all connections would need a third, to wait, and was no faster when it was tried with
//! four connections.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use crate::connection::Connection;
use crate::flags::Flags;
use crate::percentile::percentile;

/// An answer that takes longer does not come.
const PATIENCE: Duration = Duration::from_secs(10);
/// The bytes of answers up to this size are always compared, of larger ones those of every
/// [`SAMPLE`]th: comparing takes time as well.
const ALWAYS_COMPARED: usize = 4096;
const SAMPLE: u64 = 16;
/// Room for the latencies of this many requests, where only the time is limited.
const GUESS: u64 = 1_000_000;

/// What to do.
#[derive(Debug)]
pub struct Plan {
    address: SocketAddr,
    connections: usize,
    limit: Limit,
    /// Requests that are not measured, of all connections together.
    warm_up: u64,
    payload: Vec<u8>,
}

/// When to stop.
#[derive(Clone, Copy, Debug)]
enum Limit {
    Count(u64),
    Time(Duration),
}

/// What was measured.
#[derive(Debug)]
pub struct Report {
    /// The time each answered request took, shortest first.
    pub latencies: Vec<Duration>,
    /// Requests without the answer that was due, those of the warm-up included.
    pub errors: u64,
    /// What was wrong with the first of them.
    pub first_error: Option<String>,
    /// From the first measured request to the last answer.
    pub elapsed: Duration,
    /// The processor time of the load generator itself, of everything it did.
    pub cpu: Duration,
}

impl Plan {
    /// The flags that [`Plan::new`] reads.
    pub const FLAGS: [&str; 6] = ["address", "count", "seconds", "connections", "bytes", "warm-up"];

    /// Reads a plan: 1,000 requests of 128 bytes on one connection unless told otherwise.
    ///
    /// # Errors
    /// When the address is missing, or a value is none.
    pub fn new(flags: &Flags) -> io::Result<Self> {
        let limit = match flags.get("seconds")? {
            Some(seconds) => Limit::Time(Duration::from_secs(seconds)),
            None => Limit::Count(flags.get("count")?.unwrap_or(1000)),
        };
        Ok(Self {
            address: flags.require("address")?,
            connections: flags.get("connections")?.unwrap_or(1),
            limit,
            warm_up: flags.get("warm-up")?.unwrap_or(0),
            payload: payload(flags.get("bytes")?.unwrap_or(128)),
        })
    }
}

/// A JSON string that is so long altogether, two bytes at least; no stretch of it is like the next.
fn payload(bytes: usize) -> Vec<u8> {
    let inside = bytes.saturating_sub(2);
    let mut text = Vec::with_capacity(inside + 2);
    text.push(b'"');
    text.extend((b'a'..=b'z').cycle().zip(0_usize..).take(inside).map(|(letter, at)| {
        // Capitals now and then, so that a piece in the wrong place is noticed.
        if (at / 26).is_multiple_of(7) { letter.to_ascii_uppercase() } else { letter }
    }));
    text.push(b'"');
    text
}

/// Carries a plan out. What the other side does wrong is part of the report.
///
/// # Errors
/// When the system does not say how much processor time was used.
pub fn run(plan: &Plan) -> io::Result<Report> {
    let ready = Barrier::new(plan.connections + 1);
    let left = AtomicU64::new(match plan.limit {
        Limit::Count(count) => count,
        Limit::Time(_) => u64::MAX,
    });
    let (threads, elapsed) = thread::scope(|scope| {
        let (ready, left) = (&ready, &left);
        let threads: Vec<_> = (0..plan.connections as u64)
            .map(|index| scope.spawn(move || Invoker::new(plan).run(index, ready, left)))
            .collect();
        ready.wait();
        let start = Instant::now();
        let threads: Vec<_> = threads.into_iter().map(thread::ScopedJoinHandle::join).collect();
        (threads, start.elapsed())
    });
    let mut report =
        Report { latencies: Vec::new(), errors: 0, first_error: None, elapsed, cpu: own_cpu()? };
    for invoker in threads {
        let invoker = invoker.map_err(|_| io::Error::other("a thread panicked"))?;
        report.latencies.extend(invoker.latencies);
        report.errors += invoker.errors;
        report.first_error = report.first_error.or(invoker.first_error);
    }
    report.latencies.sort_unstable();
    Ok(report)
}

fn own_cpu() -> io::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(micros.unsigned_abs()))
}

impl Report {
    /// The report as one JSON object.
    pub fn json(&self) -> String {
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let part = |part| micros(percentile(&self.latencies, part));
        let seconds = self.elapsed.as_secs_f64();
        let mut text = format!("{{\"count\":{},\"errors\":{}", self.latencies.len(), self.errors);
        if let Some(error) = &self.first_error {
            let plain = |c: char| if c.is_control() || c == '"' || c == '\\' { '\'' } else { c };
            let error: String = error.chars().map(plain).collect();
            let _ = write!(text, ",\"first_error\":\"{error}\""); // A string takes everything.
        }
        let _ = write!(
            text,
            ",\"p50_us\":{:.3},\"p90_us\":{:.3},\"p99_us\":{:.3},\"max_us\":{:.3},\
             \"seconds\":{seconds:.6},\"per_second\":{:.1},\"own_cpu_ms\":{:.3}}}",
            part(50),
            part(90),
            part(99),
            part(100),
            self.latencies.len() as f64 / seconds.max(f64::MIN_POSITIVE),
            micros(self.cpu) / 1e3,
        );
        text
    }
}

/// One connection, and what was measured on it.
struct Invoker<'a> {
    plan: &'a Plan,
    head: String,
    latencies: Vec<Duration>,
    errors: u64,
    first_error: Option<String>,
}

impl<'a> Invoker<'a> {
    fn new(plan: &'a Plan) -> Self {
        let head = format!(
            "POST /2015-03-31/functions/function/invocations HTTP/1.1\r\nHost: {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            plan.address,
            plan.payload.len()
        );
        Self { plan, head, latencies: Vec::new(), errors: 0, first_error: None }
    }

    fn run(mut self, index: u64, ready: &Barrier, left: &AtomicU64) -> Self {
        let room = match self.plan.limit {
            Limit::Count(count) => count,
            Limit::Time(_) => GUESS,
        };
        self.latencies.reserve_exact(usize::try_from(room).unwrap_or_default());
        let connection = self.connect().and_then(|mut connection| {
            let all = self.plan.connections as u64;
            let own = self.plan.warm_up / all + u64::from(index < self.plan.warm_up % all);
            (0..own).try_for_each(|number| self.invoke(&mut connection, number).map(|_| ()))?;
            Ok(connection)
        });
        // Whatever happened: the others wait for everybody.
        ready.wait();
        let result = connection.and_then(|mut connection| self.measure(&mut connection, left));
        match result {
            // What a call says that has waited for as long as it may.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.note(format!("no answer for {} s", PATIENCE.as_secs()));
            }
            Err(error) => self.note(error.to_string()),
            Ok(()) => {}
        }
        self
    }

    fn connect(&self) -> io::Result<Connection> {
        let connection = Connection::connect(self.plan.address)?;
        connection.set_patience(PATIENCE)?;
        Ok(connection)
    }

    fn measure(&mut self, connection: &mut Connection, left: &AtomicU64) -> io::Result<()> {
        let end = match self.plan.limit {
            Limit::Count(_) => None,
            Limit::Time(time) => Some(Instant::now() + time),
        };
        let take = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        let mut number = 0;
        while end.is_none_or(|end| Instant::now() < end) && take().is_ok() {
            let latency = self.invoke(connection, number)?;
            self.latencies.extend(latency);
            number += 1;
        }
        Ok(())
    }

    /// Invokes once; nothing when the answer is another one than the echo.
    fn invoke(&mut self, connection: &mut Connection, number: u64) -> io::Result<Option<Duration>> {
        let payload = self.plan.payload.as_slice();
        let start = Instant::now();
        connection.send(self.head.as_bytes(), payload)?;
        let reply = connection.receive()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let latency = start.elapsed();
        let body = connection.body(&reply);
        let is_compared = payload.len() <= ALWAYS_COMPARED || number.is_multiple_of(SAMPLE);
        let is_echo = body.len() == payload.len() && (!is_compared || body == payload);
        if is_echo && connection.starts_with(&reply, "HTTP/1.1 200 ") {
            return Ok(Some(latency));
        }
        let text = format!("{} with {} bytes", connection.first_line(&reply), body.len());
        self.note(text);
        Ok(None)
    }

    fn note(&mut self, error: String) {
        self.errors += 1;
        self.first_error.get_or_insert(error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_a_json_string_of_the_size_that_was_asked_for() {
        for bytes in [2, 3, 128, 1 << 20] {
            let payload = payload(bytes);
            assert_eq!(payload.len(), bytes);
            assert!(payload.starts_with(b"\"") && payload.ends_with(b"\""));
            assert!(payload[1..bytes - 1].iter().all(u8::is_ascii_alphabetic));
        }
    }

    #[test]
    fn a_report_is_json_whatever_the_error_says() {
        let report = Report {
            latencies: [100, 200].map(Duration::from_micros).to_vec(),
            errors: 1,
            first_error: Some("he said \"no\"\n".to_owned()),
            elapsed: Duration::from_millis(1),
            cpu: Duration::from_micros(500),
        };
        assert_eq!(
            report.json(),
            "{\"count\":2,\"errors\":1,\"first_error\":\"he said 'no''\",\"p50_us\":100.000,\
             \"p90_us\":200.000,\"p99_us\":200.000,\"max_us\":200.000,\"seconds\":0.001000,\
             \"per_second\":2000.0,\"own_cpu_ms\":0.500}"
        );
    }
}
