//! What a launched process does between fork and exec.

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::libc::{self, c_char};

use crate::{guard, log_pipe, sys};

/// A program to execute, laid out before the fork, since nothing may be allocated after it.
#[derive(Debug)]
pub(crate) struct Image {
    path: CString,
    args: CStrings,
    env: CStrings,
}

impl Image {
    /// Lays out what to execute.
    ///
    /// # Errors
    /// `EINVAL` when something has a NUL byte inside.
    pub(crate) fn new(
        path: OsString,
        args: Vec<OsString>,
        env: Vec<(OsString, OsString)>,
    ) -> io::Result<Self> {
        let env = env.into_iter().map(|(mut entry, value)| {
            entry.push("=");
            entry.push(value);
            entry
        });
        Ok(Self { path: c_string(path)?, args: CStrings::new(args)?, env: CStrings::new(env)? })
    }
}

fn c_string(text: OsString) -> io::Result<CString> {
    CString::new(text.into_vec()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

/// Strings as exec wants them: a list of pointers that ends with a null.
#[derive(Debug)]
struct CStrings {
    /// Points into `owned`.
    pointers: Vec<*const c_char>,
    #[expect(dead_code, reason = "keeps alive what the pointers point to")]
    owned: Vec<CString>,
}

#[expect(unsafe_code, reason = "pointers alone keep the strings from crossing threads")]
// SAFETY: the pointers point into the buffers of `owned`, which stay where they are and are never
// changed; the pair behaves like the plain strings.
unsafe impl Send for CStrings {}
#[expect(unsafe_code, reason = "pointers alone keep the strings from being shared")]
// SAFETY: as above; nothing is changed through a shared reference.
unsafe impl Sync for CStrings {}

impl CStrings {
    fn new(strings: impl IntoIterator<Item = OsString>) -> io::Result<Self> {
        let owned = strings.into_iter().map(c_string).collect::<io::Result<Vec<_>>>()?;
        let null = std::iter::once(std::ptr::null());
        let pointers = owned.iter().map(|string| string.as_ptr()).chain(null).collect();
        Ok(Self { pointers, owned })
    }
}

/// How a child announces its group to the guard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Announcement {
    /// The guard's pipe.
    pub(crate) line: RawFd,
    /// The name of the group there.
    pub(crate) token: u32,
}

/// Makes `command` execute `image`, tied to the life of `parent` and without any inherited file
/// but the standard three, and `log` if there is one, as number 3.
///
/// The image is executed here rather than by [`Command`] so that the environment keeps its order,
/// and so that a file in no known format is refused and not handed to a shell.
pub(crate) fn prepare(
    command: &mut Command,
    image: Image,
    parent: i32,
    announcement: Option<Announcement>,
    log: Option<RawFd>,
) {
    let run = move || Err(execute(&image, parent, announcement, log));
    #[expect(unsafe_code, reason = "the death signal can only be set by the child itself")]
    // SAFETY: `execute` makes system calls on memory laid out before the fork, and nothing else:
    // it takes no lock, allocates nothing and does not unwind.
    unsafe {
        command.pre_exec(run);
    }
}

/// The size of the kernel's signal sets.
const SET_SIZE: usize = 8;

/// Runs in the child; returns only when it could not execute.
#[expect(unsafe_code, reason = "runs in a forked child, on bare system calls")]
fn execute(
    image: &Image,
    parent: i32,
    announcement: Option<Announcement>,
    log: Option<RawFd>,
) -> io::Error {
    // All zeroes is the default action, in whatever order an architecture has the members.
    let default = [0_u64; 8];
    let null = std::ptr::null::<u64>();
    // SAFETY: all pointers are to NUL-terminated strings, or null-terminated lists of such, which
    // `image` keeps alive, and to buffers that are larger than what the kernel reads; everything
    // else is a plain number.
    unsafe {
        if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
            return io::Error::last_os_error();
        }
        // The parent may have died before that, and then nobody would ever end this process.
        if libc::getppid() != parent {
            libc::_exit(1);
        }
        if let Some(Announcement { line, token }) = announcement {
            let command = guard::Command::Add { token, pgid: libc::getpid() }.encode();
            // A guard that is gone must not take the process along.
            libc::signal(libc::SIGPIPE, libc::SIG_IGN);
            libc::write(line, command.as_ptr().cast(), command.len());
        }
        // Handlers vanish by themselves, but what our own parent had us ignore would stay ignored.
        for signal in 1..=64 {
            // Not through the library, which keeps some signals for itself and refuses them.
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), null, SET_SIZE);
        }
        close_on_exec_from(3);
        if let Some(log) = log {
            // It may have that number already, and then only loses the mark.
            if libc::dup2(log, log_pipe::NUMBER) < 0
                || libc::fcntl(log_pipe::NUMBER, libc::F_SETFD, 0) < 0
            {
                return io::Error::last_os_error();
            }
        }
        libc::execve(
            image.path.as_ptr(),
            image.args.pointers.as_ptr(),
            image.env.pointers.as_ptr(),
        );
    }
    io::Error::last_os_error()
}

/// Marks every descriptor from `first` on as closed by exec.
#[expect(unsafe_code, reason = "runs in a forked child, on bare system calls")]
fn close_on_exec_from(first: RawFd) {
    // SAFETY: plain numbers.
    unsafe {
        let flags = libc::CLOSE_RANGE_CLOEXEC;
        if libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, flags) == 0 {
            return;
        }
        // Before Linux 5.11, or under a filter that does not know the call.
        for fd in first..sys::descriptor_limit() {
            libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
}
