//! What is measured: rapid, the emulator, the floor; started, watched and ended.

use std::env;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::bench::stage::Stage;
use crate::port::free_address;

/// Until a subject listens, or has answered for the first time.
const PATIENCE: Duration = Duration::from_secs(10);
/// What the runtime of a killed subject takes to notice, before the next thing is measured.
const REST: Duration = Duration::from_millis(10);
/// The kernel's unit of processor time for programs; 100 a second on every Linux there is.
const TICKS_PER_SECOND: f64 = 100.0;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    Rapid,
    Emulator,
    Floor,
}

impl Subject {
    /// In the table's order.
    pub(crate) const ALL: [Self; 3] = [Self::Rapid, Self::Emulator, Self::Floor];

    /// Its name, in the table and for `--subject`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rapid => "rapid",
            Self::Emulator => "emulator",
            Self::Floor => "floor",
        }
    }
}

/// How a subject is to be started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manner {
    /// The runtime registers an internal extension.
    pub(crate) with_extension: bool,
    /// The runtime writes lines, and registers an internal extension that subscribes to telemetry
    /// for these.
    pub(crate) audience: Option<Audience>,
    /// How many bytes the runtime streams as its response, if it does.
    pub(crate) stream: Option<u32>,
    /// Everything runs on one core.
    pub(crate) on_one_core: bool,
}

/// Who is told what the runtime writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    Nobody,
    /// A subscriber that answers at once.
    Good,
    /// A slow one, a dead one, and three that are hostile.
    Bad,
}

/// How many lines the runtime writes for every event while there may be an audience.
const LINES: &str = "10";

/// A subject's process; killed when it is dropped. The runtime it started ends with the connection
/// between them.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    _subscribers: Option<Subscribers>,
    pub(crate) address: SocketAddr,
    /// When it was told to start.
    start: Instant,
}

impl Running {
    /// Starts a subject, and does not wait until it listens.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(stage: &Stage, subject: Subject, manner: Manner) -> Result<Self> {
        let (address, runtime_api) = (free_address()?, free_address()?);
        let program = stage.program(subject);
        // To print is part of what they do, to read it is not, so nobody reads: a file, as where a
        // script or a container's log driver collects it.
        let log = stage.dir.join(format!("{}.log", subject.name()));
        let log = File::create(&log).with_context(|| format!("creating {}", log.display()))?;
        let mut command = stage.command(&program, manner.on_one_core);
        let flag = match subject {
            Subject::Rapid | Subject::Floor => "--address",
            Subject::Emulator => "--runtime-interface-emulator-address",
        };
        command.args([flag, &address.to_string()]);
        command.args(["--runtime-api-address", &runtime_api.to_string()]);
        if subject != Subject::Emulator {
            command.arg("--");
        }
        command.arg(stage.tool("bench-runtime"));
        if manner.with_extension {
            command.arg("--extension");
        }
        if let Some(bytes) = manner.stream {
            command.args(["--stream", &bytes.to_string()]);
        }
        let mut subscribers = None;
        if let Some(audience) = manner.audience {
            let ports = audience.ports()?;
            subscribers = Subscribers::start(stage, &ports)?;
            let ports: Vec<String> = ports.iter().map(|(_, port)| port.to_string()).collect();
            command.args(["--lines", LINES, "--subscribe", &ports.join(",")]);
        }
        command
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            // Where no `rapid.toml` of somebody's lies.
            .current_dir(&stage.dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("the log")?)
            .stderr(log);
        let start = Instant::now();
        let child = command.spawn().with_context(|| format!("starting {}", program.display()))?;
        Ok(Self { child, _subscribers: subscribers, address, start })
    }

    /// Connects as soon as it listens, and says how long that took.
    ///
    /// # Errors
    /// When it ends, or takes too long.
    pub(crate) fn listens(&mut self) -> Result<(TcpStream, Duration)> {
        let mut tries = 0_u32;
        loop {
            if let Ok(stream) = TcpStream::connect(self.address) {
                return Ok((stream, self.start.elapsed()));
            }
            tries = tries.wrapping_add(1);
            // To ask for its end takes time as well.
            if tries.is_multiple_of(64) {
                if let Some(end) = self.end()? {
                    bail!("it ended before it listened: {end}");
                }
                if self.start.elapsed() > PATIENCE {
                    bail!("it does not listen");
                }
            }
            // Not a sleep, whose end would be late; but whoever else wants this core may have it.
            thread::yield_now();
        }
    }

    /// Invokes once on a fresh connection, and says when the answer was there, from the start on.
    ///
    /// # Errors
    /// When there is no answer, or another than the payload.
    pub(crate) fn first_response(&self, mut stream: TcpStream) -> Result<Duration> {
        const PAYLOAD: &str = "\"first\"";
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let request = format!(
            "POST /2015-03-31/functions/function/invocations HTTP/1.1\r\nHost: {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{PAYLOAD}",
            self.address,
            PAYLOAD.len()
        );
        stream.write_all(request.as_bytes())?;
        let mut reply = Vec::new();
        let mut buffer = [0; 4096];
        // Chunks end with more than the payload.
        while !reply.windows(PAYLOAD.len()).any(|window| window == PAYLOAD.as_bytes()) {
            let count = match stream.read(&mut buffer) {
                // What a read says that has waited for as long as it may.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    bail!("no answer for {} s", PATIENCE.as_secs())
                }
                result => result.context("reading the first answer")?,
            };
            if count == 0 {
                bail!("the first answer breaks off: {:?}", String::from_utf8_lossy(&reply));
            }
            reply.extend_from_slice(&buffer[..count]);
        }
        Ok(self.start.elapsed())
    }

    /// How it has ended, if it has.
    ///
    /// # Errors
    /// When the system does not say.
    pub(crate) fn end(&mut self) -> Result<Option<String>> {
        let status = self.child.try_wait().context("asking for the end of a process")?;
        Ok(status.map(|status| match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "an unknown end".to_owned(),
        }))
    }

    /// The processor time of its process so far, in milliseconds.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn cpu_millis(&self) -> Result<f64> {
        let ticks = cpu_ticks(&self.proc("stat")?).context("reading /proc/…/stat")?;
        Ok(ticks as f64 * 1e3 / TICKS_PER_SECOND)
    }

    /// The most memory it ever had resident, in MiB.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn peak_mebibytes(&self) -> Result<f64> {
        let kibibytes = peak_kibibytes(&self.proc("status")?).context("reading VmHWM")?;
        Ok(kibibytes as f64 / 1024.0)
    }

    fn proc(&self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.child.id());
        fs::read_to_string(&path).with_context(|| format!("reading {path}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both are no-ops when it has been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
        thread::sleep(REST);
    }
}

/// What is told of telemetry, as a process; killed when it is dropped.
#[derive(Debug)]
struct Subscribers {
    child: Child,
}

impl Audience {
    /// Who listens, by the flag of `bench-subscriber`, and where; nobody does without a flag.
    fn ports(self) -> Result<Vec<(Option<&'static str>, u16)>> {
        let flags: &[Option<&str>] = match self {
            Self::Nobody => &[],
            Self::Good => &[Some("--good")],
            Self::Bad => {
                &[Some("--slow"), None, Some("--silent"), Some("--garbage"), Some("--endless")]
            }
        };
        flags.iter().map(|flag| Ok((*flag, free_address()?.port()))).collect()
    }
}

impl Subscribers {
    /// Starts those that listen, and waits until they do.
    fn start(stage: &Stage, ports: &[(Option<&str>, u16)]) -> Result<Option<Self>> {
        let mut command = stage.command(&stage.tool("bench-subscriber"), false);
        let listening = ports.iter().filter_map(|(flag, port)| flag.map(|flag| (flag, port)));
        for (flag, port) in listening {
            command.args([flag, &port.to_string()]);
        }
        if command.get_args().len() == 0 {
            return Ok(None);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let child = command.spawn().context("starting bench-subscriber")?;
        let mut subscribers = Self { child };
        let output = subscribers.child.stdout.take().context("its output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).context("reading what it says")?;
        if line != "ready\n" {
            bail!("bench-subscriber does not listen");
        }
        Ok(Some(subscribers))
    }
}

impl Drop for Subscribers {
    fn drop(&mut self) {
        // Both are no-ops when it has been waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The time in user and in kernel mode, out of `/proc/<pid>/stat`.
fn cpu_ticks(stat: &str) -> Option<u64> {
    // The name, the second field, is in brackets and may contain anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// The peak of resident memory, out of `/proc/<pid>/status`.
fn peak_kibibytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 900 0 1 0 120 45 0 0 20 0 1 0 5 1 2";
        assert_eq!(cpu_ticks(stat), Some(165));
        assert_eq!(cpu_ticks("7 (a) S 1"), None);
    }

    #[test]
    fn the_peak_of_memory_is_found() {
        let status = "VmPeak:\t  900 kB\nVmHWM:\t    5624 kB\nVmRSS:\t 1 kB\n";
        assert_eq!(peak_kibibytes(status), Some(5624));
        assert_eq!(peak_kibibytes("VmRSS:\t 1 kB\n"), None);
    }
}
