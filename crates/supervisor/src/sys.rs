//! The system calls without a safe wrapper that keeps what is needed of them.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::libc;

/// How a child ended, as the kernel tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It exited with this status.
    Exited(i32),
    /// This signal ended it.
    Signaled(i32),
}

/// An ended child.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    /// Its process id.
    pub(crate) pid: i32,
    /// How it ended.
    pub(crate) ending: Ending,
    /// The peak of its resident memory and of that of the children it waited for, in bytes.
    pub(crate) max_rss: u64,
}

/// Which child a wait is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Whom {
    /// Whichever there is.
    Any,
    /// The one with this process id.
    Pid(i32),
}

/// Tells of an ended child without reaping it. Never blocks; `None`: nothing has ended.
///
/// # Errors
/// `ECHILD` when there is no such child.
pub(crate) fn peek(whom: Whom) -> io::Result<Option<Ended>> {
    wait(whom, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT)
}

/// Reaps an ended child. Never blocks; `None`: it has not ended.
///
/// # Errors
/// `ECHILD` when there is no such child.
pub(crate) fn reap(pid: i32) -> io::Result<Option<Ended>> {
    wait(Whom::Pid(pid), libc::WEXITED | libc::WNOHANG)
}

/// The raw system call, because only it can tell what the child used without reaping it.
fn wait(whom: Whom, options: libc::c_int) -> io::Result<Option<Ended>> {
    let (kind, id) = match whom {
        Whom::Any => (libc::P_ALL, 0),
        Whom::Pid(pid) => (libc::P_PID, pid),
    };
    loop {
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        let mut usage = MaybeUninit::<libc::rusage>::zeroed();
        #[expect(unsafe_code, reason = "there is no wrapper that returns the resources, too")]
        // SAFETY: both buffers are writable, live through the call and are at least as large as
        // what the kernel writes; the other arguments are plain numbers.
        let result = unsafe {
            libc::syscall(
                libc::SYS_waitid,
                kind,
                id,
                info.as_mut_ptr(),
                options,
                usage.as_mut_ptr(),
            )
        };
        if result < 0 {
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::Interrupted {
                continue;
            }
            return Err(error);
        }
        #[expect(unsafe_code, reason = "reads what the kernel has written")]
        // SAFETY: both are plain C structs for which all zeroes is a value; after a successful
        // `waitid` the members of a SIGCHLD are set, or the whole is zero.
        let (pid, code, status, usage) = unsafe {
            let info = info.assume_init();
            (info.si_pid(), info.si_code, info.si_status(), usage.assume_init())
        };
        if pid == 0 {
            return Ok(None);
        }
        let ending = match code {
            libc::CLD_EXITED => Ending::Exited(status),
            _ => Ending::Signaled(status),
        };
        let max_rss = u64::try_from(usage.ru_maxrss).unwrap_or(0).saturating_mul(1024);
        return Ok(Some(Ended { pid, ending, max_rss }));
    }
}

/// Opens a handle on a process, which never means another one that gets the same id later.
///
/// # Errors
/// `ESRCH` when there is none, `ENOSYS` before Linux 5.3.
pub(crate) fn open_process(pid: i32) -> io::Result<OwnedFd> {
    #[expect(unsafe_code, reason = "there is no wrapper for it")]
    // SAFETY: takes and returns plain numbers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let fd = RawFd::try_from(fd).unwrap_or(-1);
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    #[expect(unsafe_code, reason = "takes ownership of a new descriptor")]
    // SAFETY: the descriptor was just made for us and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends SIGKILL through a handle of [`open_process`].
///
/// # Errors
/// `ESRCH` when the process has been reaped.
pub(crate) fn kill_process(process: &OwnedFd) -> io::Result<()> {
    #[expect(unsafe_code, reason = "there is no wrapper for it")]
    // SAFETY: a null `siginfo` is allowed and means what kill(2) would send.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            process.as_raw_fd(),
            libc::SIGKILL,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The number that no descriptor reaches, within reason. May be used in a forked child.
pub(crate) fn descriptor_limit() -> RawFd {
    const REASON: RawFd = 65_536;
    let mut limit = MaybeUninit::<libc::rlimit>::zeroed();
    #[expect(unsafe_code, reason = "must not allocate, which no wrapper promises")]
    // SAFETY: the buffer is writable and of the right type, and all zeroes is a value of it.
    let limit = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, limit.as_mut_ptr());
        limit.assume_init()
    };
    RawFd::try_from(limit.rlim_cur).map_or(REASON, |limit| limit.clamp(256, REASON))
}
