//! The helper process that outlives a killed supervisor, and ends what it has left behind.
//!
//! Nothing runs in a process that gets SIGKILL, so somebody else has to clean up after it. The
//! guard is a fork of the program made before it has any thread. It knows the process groups from
//! commands in a pipe, each of which a launched process announces itself before it executes. Its
//! end of the pipe closes when the program is gone, whatever ended it; then it sends SIGKILL to
//! every group that is left, and exits.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::libc;
use nix::unistd::pipe2;

use crate::SupervisorError;
use crate::sys;

/// How many groups the helper can remember.
const CAPACITY: usize = 4096;

/// How long the end of the helper is awaited, in steps of a millisecond.
const PATIENCE_MS: u32 = 200;

/// The handle on the helper process, for [`Config::guard`](crate::Config::guard).
///
/// Dropping it ends the helper, and with it every process group that is still running.
#[derive(Debug)]
pub struct Guard {
    pid: i32,
    commands: Option<OwnedFd>,
    gone: AtomicBool,
}

impl Guard {
    /// Forks the helper process.
    ///
    /// Call it first thing in `main`, before a tokio runtime or any other thread exists: a fork of
    /// a process with several threads may do next to nothing safely.
    ///
    /// The helper is called `rapid-guard`. It has a session of its own and blocks every signal, so
    /// that Ctrl-C in a terminal does not reach it, and it keeps no file of this process open.
    ///
    /// # Errors
    /// [`SupervisorError::GuardTooLate`] when there is more than one thread,
    /// [`SupervisorError::Guard`] when `/proc` cannot be read or the system refuses.
    ///
    /// # Source
    /// Ours.
    pub fn start() -> Result<Self, SupervisorError> {
        let threads = std::fs::read_dir("/proc/self/task").map_err(SupervisorError::Guard)?.count();
        if threads != 1 {
            return Err(SupervisorError::GuardTooLate { threads });
        }
        let refused = |errno: nix::Error| SupervisorError::Guard(errno.into());
        let (orders, commands) = pipe2(OFlag::O_CLOEXEC).map_err(refused)?;
        // Only our end: a launch must never wait for the helper.
        nix::fcntl::fcntl(&commands, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK))
            .map_err(refused)?;
        let null = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/null")
            .map_err(SupervisorError::Guard)?;
        #[expect(
            unsafe_code,
            reason = "the helper has to be this process, or it would need a file"
        )]
        // SAFETY: this thread is the only one, so that the child may do whatever the parent may.
        let pid = unsafe { libc::fork() };
        match pid {
            0 => stand_guard(orders.as_raw_fd(), null.as_raw_fd()),
            -1 => Err(SupervisorError::Guard(io::Error::last_os_error())),
            pid => Ok(Self { pid, commands: Some(commands), gone: AtomicBool::new(false) }),
        }
    }

    /// The process id of the helper.
    #[must_use]
    pub const fn pid(&self) -> i32 {
        self.pid
    }

    /// Where a launched process announces its group.
    pub(crate) fn line(&self) -> Option<RawFd> {
        self.commands.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// Takes a group off the table, or what a failed launch may have left there.
    pub(crate) fn remove(&self, token: u32) {
        let Some(commands) = &self.commands else {
            return;
        };
        if let Err(errno) = nix::unistd::write(commands, &Command::Remove { token }.encode())
            && !self.gone.load(Ordering::Relaxed)
        {
            tracing::warn!(error = %errno, "the guard was not told of an ended process group");
        }
    }

    /// Reaps the helper should somebody have killed it.
    pub(crate) fn check(&self) {
        if !self.gone.load(Ordering::Relaxed) && matches!(sys::reap(self.pid), Ok(Some(_))) {
            self.gone.store(true, Ordering::Relaxed);
            tracing::warn!(pid = self.pid, "the guard has ended, nothing cleans up after us now");
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.commands.take());
        for _ in 0..PATIENCE_MS {
            if self.gone.load(Ordering::Relaxed) || !matches!(sys::reap(self.pid), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// The size of a command; far below `PIPE_BUF`, so that each is written and read in one piece.
pub(crate) const COMMAND_SIZE: usize = 12;

/// What the helper can be told.
///
/// Groups go by a token of the parent's choice, since the parent does not learn the process id of
/// a launch that failed after the child had announced itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// A group has begun.
    Add { token: u32, pgid: i32 },
    /// A group is over.
    Remove { token: u32 },
}

impl Command {
    /// The command as bytes; does not allocate, for it is used between fork and exec.
    pub(crate) fn encode(self) -> [u8; COMMAND_SIZE] {
        let (kind, token, pgid) = match self {
            Self::Add { token, pgid } => (1_u32, token, pgid),
            Self::Remove { token } => (2, token, 0),
        };
        let [k0, k1, k2, k3] = kind.to_ne_bytes();
        let [t0, t1, t2, t3] = token.to_ne_bytes();
        let [p0, p1, p2, p3] = pgid.to_ne_bytes();
        [k0, k1, k2, k3, t0, t1, t2, t3, p0, p1, p2, p3]
    }

    fn decode(bytes: [u8; COMMAND_SIZE]) -> Option<Self> {
        let [k0, k1, k2, k3, t0, t1, t2, t3, p0, p1, p2, p3] = bytes;
        let token = u32::from_ne_bytes([t0, t1, t2, t3]);
        match u32::from_ne_bytes([k0, k1, k2, k3]) {
            1 => Some(Self::Add { token, pgid: i32::from_ne_bytes([p0, p1, p2, p3]) }),
            2 => Some(Self::Remove { token }),
            _ => None,
        }
    }
}

/// The groups that are running, without any memory of its own.
struct Groups {
    entries: [(u32, i32); CAPACITY],
    len: usize,
}

impl Groups {
    const fn new() -> Self {
        Self { entries: [(0, 0); CAPACITY], len: 0 }
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Add { token, pgid } if pgid > 1 => {
                if let Some(entry) = self.entries.get_mut(self.len) {
                    *entry = (token, pgid);
                    self.len += 1;
                }
            }
            Command::Add { .. } => {}
            Command::Remove { token } => {
                let Some(at) = self.iter().position(|&(known, _)| known == token) else {
                    return;
                };
                self.len -= 1;
                self.entries.swap(at, self.len);
            }
        }
    }

    fn iter(&self) -> impl Iterator<Item = &(u32, i32)> {
        self.entries.iter().take(self.len)
    }
}

/// The helper's whole life.
#[expect(unsafe_code, reason = "runs in a forked child, on bare system calls")]
fn stand_guard(orders: RawFd, null: RawFd) -> ! {
    const ORDERS: RawFd = 3;
    // SAFETY: system calls on plain numbers and on buffers that live through the call. Nothing
    // here allocates, locks or unwinds.
    unsafe {
        libc::setsid();
        libc::prctl(libc::PR_SET_NAME, c"rapid-guard".as_ptr());
        let mut every = MaybeSet::uninit();
        libc::sigfillset(every.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, every.as_ptr(), std::ptr::null_mut());
        // The end of the pipe may have any number, and the numbers below may be anything.
        let orders = libc::fcntl(orders, libc::F_DUPFD, 10);
        for standard in 0..ORDERS {
            libc::dup2(null, standard);
        }
        libc::dup2(orders, ORDERS);
        close_from(ORDERS + 1);
        // Hold no mount.
        libc::chdir(c"/".as_ptr());
    }
    let mut groups = Groups::new();
    let mut bytes = [0_u8; COMMAND_SIZE];
    loop {
        // SAFETY: the buffer is as large as it says.
        match unsafe { libc::read(ORDERS, bytes.as_mut_ptr().cast(), COMMAND_SIZE) } {
            0 => break,
            n if n < 0 && errno() == libc::EINTR => {}
            n if n < 0 => break,
            _ => {
                if let Some(command) = Command::decode(bytes) {
                    groups.carry_out(command);
                }
            }
        }
    }
    for &(_, pgid) in groups.iter() {
        // SAFETY: plain numbers.
        unsafe { libc::kill(-pgid, libc::SIGKILL) };
    }
    // SAFETY: ends the process without running anything of the parent's.
    unsafe { libc::_exit(0) }
}

type MaybeSet = std::mem::MaybeUninit<libc::sigset_t>;

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// Closes every descriptor from `first` on.
#[expect(unsafe_code, reason = "runs in a forked child, on bare system calls")]
fn close_from(first: RawFd) {
    // SAFETY: plain numbers, and nothing in this process uses the descriptors any more.
    unsafe {
        if libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) == 0 {
            return;
        }
        // Before Linux 5.9, or under a filter that does not know the call.
        for fd in first..sys::descriptor_limit() {
            libc::close(fd);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_survive_the_pipe() {
        for command in [
            Command::Add { token: 7, pgid: 4711 },
            Command::Add { token: u32::MAX, pgid: i32::MAX },
            Command::Remove { token: 7 },
        ] {
            assert_eq!(Command::decode(command.encode()), Some(command));
        }
        assert_eq!(Command::decode([0; COMMAND_SIZE]), None);
    }

    #[test]
    fn the_table_forgets_what_is_removed_and_refuses_what_would_hit_everybody() {
        let mut groups = Groups::new();
        for command in [
            Command::Add { token: 1, pgid: 100 },
            Command::Add { token: 2, pgid: 200 },
            Command::Add { token: 3, pgid: 1 },
            Command::Add { token: 4, pgid: 0 },
            Command::Add { token: 5, pgid: -1 },
            Command::Remove { token: 1 },
            Command::Remove { token: 9 },
        ] {
            groups.carry_out(command);
        }
        assert_eq!(groups.iter().collect::<Vec<_>>(), [&(2, 200)]);
    }

    #[test]
    fn a_full_table_drops_what_it_cannot_hold() {
        let mut groups = Groups::new();
        for token in 0..u32::try_from(CAPACITY).unwrap() + 3 {
            groups.carry_out(Command::Add { token, pgid: 10 });
        }
        assert_eq!(groups.iter().count(), CAPACITY);
    }

    #[test]
    fn a_process_with_threads_gets_no_guard() {
        let handle = thread::spawn(Guard::start);
        assert!(matches!(
            handle.join().unwrap(),
            Err(SupervisorError::GuardTooLate { threads }) if threads > 1
        ));
    }
}
