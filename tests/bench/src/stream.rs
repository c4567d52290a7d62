//! Invokes for streamed responses, one after the other on one connection, and says how long the
//! first byte and the whole took.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::flags::Flags;
use crate::percentile::percentile;
use crate::runtime::FILLING;

/// A stream that pauses for longer has broken off.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much one read takes.
const BUFFER: usize = 256 * 1024;
/// As much of the end as tells that it is one.
const TAIL: usize = 512;
/// So many bytes of the filling in a row are the response's: nothing around it has as many.
const RUN: usize = 16;

/// What to do.
#[derive(Debug)]
pub struct Plan {
    address: SocketAddr,
    count: usize,
    /// How long each response has to be, in bytes.
    bytes: usize,
}

/// What was measured, of each response.
#[derive(Debug, Default)]
pub struct Report {
    /// From the request to the first byte of the response, shortest first.
    pub first: Vec<Duration>,
    /// From the request to the end of the response, shortest first.
    pub whole: Vec<Duration>,
    bytes: usize,
}

impl Plan {
    /// The flags that [`Plan::new`] reads.
    pub const FLAGS: [&str; 3] = ["address", "count", "bytes"];

    /// Reads a plan.
    ///
    /// # Errors
    /// When a flag is missing, or a value is none.
    pub fn new(flags: &Flags) -> io::Result<Self> {
        Ok(Self {
            address: flags.require("address")?,
            count: flags.require("count")?,
            bytes: flags.require("bytes")?,
        })
    }
}

/// Carries a plan out; one response more comes first and is not measured.
///
/// # Errors
/// When the connection breaks, or a response is not what was asked for.
pub fn run(plan: &Plan) -> io::Result<Report> {
    let mut stream = TcpStream::connect(plan.address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut buffer = vec![0; BUFFER];
    let mut report = Report { bytes: plan.bytes, ..Report::default() };
    for number in 0..=plan.count {
        let (first, whole) = invoke(&mut stream, plan, &mut buffer)?;
        if number > 0 {
            report.first.push(first);
            report.whole.push(whole);
        }
    }
    report.first.sort_unstable();
    report.whole.sort_unstable();
    Ok(report)
}

/// Invokes once; when the first byte was there, and when the last was.
fn invoke(
    stream: &mut TcpStream,
    plan: &Plan,
    buffer: &mut [u8],
) -> io::Result<(Duration, Duration)> {
    let request = format!(
        "POST /2021-11-15/functions/function/response-streaming-invocations HTTP/1.1\r\n\
         Host: {}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}",
        plan.address
    );
    let start = Instant::now();
    stream.write_all(request.as_bytes())?;
    let (mut first, mut came, mut tail) = (None, 0, Vec::with_capacity(2 * TAIL));
    loop {
        let count = stream.read(buffer)?;
        let read = &buffer[..count];
        if count == 0 || (came == 0 && !read.starts_with(b"HTTP/1.1 200 ")) {
            return Err(unexpected(read));
        }
        if first.is_none() && read.windows(RUN).any(|run| run == [FILLING; RUN]) {
            first = Some(start.elapsed());
        }
        came += count;
        tail.extend_from_slice(&read[count.saturating_sub(TAIL)..]);
        tail.drain(..tail.len().saturating_sub(TAIL));
        // The last chunk is empty, and before it is the last message.
        let has = |text: &[u8]| tail.windows(text.len()).any(|window| window == text);
        if tail.ends_with(b"\r\n0\r\n\r\n") && has(b"InvokeComplete") {
            return match first {
                Some(first) if came > plan.bytes && !has(b"ErrorCode") => {
                    Ok((first, start.elapsed()))
                }
                _ => Err(unexpected(&tail)),
            };
        }
    }
}

fn unexpected(text: &[u8]) -> io::Error {
    io::Error::other(format!("no such stream: {:?}", String::from_utf8_lossy(text)))
}

impl Report {
    /// The report as one JSON object.
    pub fn json(&self) -> String {
        let whole = percentile(&self.whole, 50).as_secs_f64().max(f64::MIN_POSITIVE);
        format!(
            "{{\"count\":{},\"first_p50_us\":{:.3},\"mebibytes_per_second\":{:.1}}}",
            self.first.len(),
            percentile(&self.first, 50).as_secs_f64() * 1e6,
            self.bytes as f64 / 1024.0 / 1024.0 / whole,
        )
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// What comes of a stream of 32 bytes that is answered so, always.
    fn answered(answer: &'static [u8]) -> io::Result<Report> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            while stream.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {
                stream.write_all(answer).unwrap();
            }
        });
        run(&Plan { address, count: 2, bytes: 32 })
    }

    #[test]
    fn a_stream_that_is_complete_is_measured() {
        let report = answered(
            b"HTTP/1.1 200 OK\r\n\r\n25\r\nPayloadChunk################\
              ################\r\n9\r\nInvokeComplete\r\n0\r\n\r\n",
        );
        let report = report.unwrap();
        assert_eq!((report.first.len(), report.whole.len()), (2, 2));
        assert!(report.first[0] <= report.whole[0]);
        assert!(report.json().starts_with("{\"count\":2,\"first_p50_us\":"));
    }

    #[test]
    fn what_fails_is_no_result() {
        for answer in [
            &b"HTTP/1.1 500 No\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\n\r\nInvokeComplete\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n################ErrorCode InvokeComplete\r\n0\r\n\r\n",
        ] {
            let text = answered(answer).unwrap_err().to_string();
            assert!(text.starts_with("no such stream: "), "{text}");
        }
    }
}
