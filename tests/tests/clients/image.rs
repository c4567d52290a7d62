//! An image, as far as one can be had without any tool for images: extensions in `/opt/extensions`
//! and an emulator in front of the function, either the Runtime Interface Emulator or rapid in its
//! place.

#![expect(clippy::expect_used, clippy::panic, reason = "a panic is how a test fails")]

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rapid_e2e::processes::{self, Process};
use rapid_e2e::{Connection, Rapid, Reply, Request, eventually, eventually_some, rapid_binary};
use tempfile::TempDir;

use crate::peers::{installed, source};

/// The variable by which every process that an image starts can be told.
const MARK: &str = "E2E_IMAGE";

/// What stands in front of the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Front {
    /// The Runtime Interface Emulator.
    Emulator,
    /// rapid, called as the emulator is.
    Rapid,
}

/// A running image. Dropped, it is killed with all it has started.
#[derive(Debug)]
pub(crate) struct Image {
    child: Child,
    address: SocketAddr,
    mark: String,
    scratch: TempDir,
}

impl Image {
    /// Whether there can be images with extensions: a user and a mount namespace of one's own have
    /// to be allowed, which containers without privileges deny. Says so where they are not.
    pub(crate) fn can_have_extensions() -> bool {
        static ALLOWED: OnceLock<bool> = OnceLock::new();
        *ALLOWED.get_or_init(|| {
            let scratch = tempfile::tempdir().expect("a directory can be made");
            fs::create_dir(scratch.path().join("opt")).expect("a directory can be made");
            let entered = enter(scratch.path()).arg("true").output();
            let allowed = entered.as_ref().is_ok_and(|output| output.status.success());
            if !allowed {
                eprintln!("left out: there are no mount namespaces here ({entered:?})");
            }
            allowed
        })
    }

    /// Starts one with these extensions, each a name and the program it stands for, and waits until
    /// it listens.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub(crate) fn run(
        front: Front,
        extensions: &[(&str, PathBuf)],
        env: &[(&str, &str)],
        command: &[OsString],
    ) -> Self {
        let scratch = tempfile::tempdir().expect("a directory can be made");
        let dir = scratch.path();
        fs::create_dir_all(dir.join("opt/extensions")).expect("a directory can be made");
        for (name, program) in extensions {
            let link = dir.join("opt/extensions").join(name);
            symlink(program, link).expect("a link can be made");
        }
        let program = match front {
            Front::Emulator => installed("rie/aws-lambda-rie"),
            Front::Rapid => {
                let program = dir.join("aws-lambda-rie");
                symlink(rapid_binary(), &program).expect("a link can be made");
                program
            }
        };
        let (address, runtime_api) = (free_address(), free_address());
        let mark = dir.display().to_string();
        let mut start = match extensions {
            [] => Command::new(program),
            _ => {
                let mut start = enter(dir);
                start.arg(program);
                start
            }
        };
        start
            .args(["--runtime-interface-emulator-address", &address.to_string()])
            .args(["--runtime-api-address", &runtime_api.to_string()])
            .args(command)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(env.iter().copied())
            .env(MARK, &mark)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(File::create(dir.join("stdout")).expect("a file can be made"))
            .stderr(File::create(dir.join("stderr")).expect("a file can be made"));
        let child = start.spawn().expect("the image can be started");
        let image = Self { child, address, mark: format!("{MARK}={mark}"), scratch };
        eventually("the image listens", || Connection::open(address).is_ok());
        image
    }

    /// Invokes the function.
    ///
    /// # Panics
    /// When there is no reply.
    #[track_caller]
    pub(crate) fn invoke(&self, payload: impl Into<Vec<u8>>) -> Reply {
        let request = Request::post(&Rapid::invoke_path("function"), payload);
        let reply = Connection::open(self.address).and_then(|mut it| it.exchange(&request));
        reply.unwrap_or_else(|error| panic!("no reply: {error}\n{}", self.said()))
    }

    /// The lines on standard output so far, those of the function and its extensions included.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.read("stdout").lines().map(str::to_owned).collect()
    }

    /// Waits for a line on standard output that contains `pattern`.
    ///
    /// # Panics
    /// When there is none in time.
    #[track_caller]
    pub(crate) fn wait_for_line(&self, pattern: &str) {
        eventually(pattern, || self.lines().iter().any(|line| line.contains(pattern)));
    }

    /// Sends SIGTERM and waits for the end, and for that of all it has started.
    ///
    /// # Panics
    /// When one of them does not end.
    #[track_caller]
    pub(crate) fn term(&mut self) -> ExitStatus {
        let pid = i32::try_from(self.child.id()).expect("process ids are small");
        kill(Pid::from_raw(pid), Signal::SIGTERM).expect("it has not been waited for");
        let status = eventually_some("the image ends", || {
            self.child.try_wait().expect("a child can be waited for")
        });
        eventually("nothing survives", || self.family().is_empty());
        status
    }

    /// Everything it has said, for a failing test.
    pub(crate) fn said(&self) -> String {
        self.read("stdout") + &self.read("stderr")
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.scratch.path().join(name)).expect("it writes text")
    }

    fn family(&self) -> Vec<Process> {
        let pid = i32::try_from(self.child.id()).expect("process ids are small");
        let mut family = processes::family(pid, &self.mark);
        family.retain(|process| process.state != 'Z');
        family
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let family = self.family();
        // Both fail when it has been waited for, and then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
        for process in family.into_iter().chain(self.family()) {
            process.kill();
        }
    }
}

/// A command that runs its arguments in an image; `dir` is given up to it.
fn enter(dir: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh"]).arg(source("tests/src/image.sh")).arg(dir);
    command
}

/// An address of loopback that nobody listens on, for programs that do not say which one they took.
///
/// # Panics
/// When there is none.
pub(crate) fn free_address() -> SocketAddr {
    // Below what the system gives to clients, and not where the conformance runs look.
    const FIRST: u16 = 30_000;
    const COUNT: u16 = 2_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Tests at the same time begin at different places.
    let [_, _, high, low] = std::process::id().wrapping_mul(40_503).to_be_bytes();
    let start = u16::from_be_bytes([high, low]);
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(start) % COUNT;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, FIRST + step));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no port of loopback is free")
}
