//! Starting one process of an environment: fork, prepare, exec, and hear whether exec worked.

use std::ffi::{CString, OsStr};
use std::io::Read as _;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::{ForkResult, Pid, chdir, dup2_stderr, dup2_stdout, execve, fork, getppid, pipe2, setpgid};

use crate::groups::Groups;
use crate::messages::Program;
use crate::privileges::Confinement;
use crate::restore::Restored;

/// How much sooner than others a function is killed when the host runs out of memory: between 0 and 1000.
const OOM_SCORE: &str = "500";

/// Everything that exec needs, made before the fork.
struct Prepared {
    path: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    working_directory: CString,
}

fn c_string(text: &OsStr) -> Result<CString, Errno> {
    CString::new(text.as_bytes()).map_err(|_| Errno::EINVAL)
}

/// What to start.
pub(crate) struct Start<'a> {
    pub(crate) program: &'a Program,
    /// Its standard output, standard error and log descriptor.
    pub(crate) output: &'a OwnedFd,
    /// What it is restored from, if it is.
    pub(crate) restored: Option<Restored>,
}

/// Starts a program in a process group of its own, in `groups`, held down by `confinement` if there are walls. Returns once
/// exec has worked or failed.
pub(crate) fn start(
    start: &Start<'_>,
    groups: &Groups,
    confinement: Option<&Confinement>,
) -> Result<Pid, Errno> {
    let Start { program, .. } = start;
    let all = |texts: &[std::ffi::OsString]| -> Result<Vec<CString>, Errno> {
        texts.iter().map(|text| c_string(text)).collect()
    };
    let prepared = Prepared {
        path: c_string(&program.path)?,
        arguments: all(&program.arguments)?,
        environment: all(&program.environment)?,
        working_directory: c_string(&program.working_directory)?,
    };
    if start.restored.is_some() {
        skip_a_process_id()?;
    }
    let (report, report_to) = pipe2(OFlag::O_CLOEXEC)?;
    let init = nix::unistd::getpid();
    // SAFETY: this process has a single thread (see `run_if_launcher`), so the child may do what the parent could.
    #[allow(unsafe_code)]
    let forked = unsafe { fork() }?;
    let child = match forked {
        ForkResult::Child => {
            let errno = become_program(start, &prepared, groups, confinement, init);
            let _ = nix::unistd::write(&report_to, &(errno as i32).to_le_bytes());
            // SAFETY: `_exit` has no conditions; it skips destructors and handlers that belong to init.
            #[allow(unsafe_code)]
            unsafe {
                nix::libc::_exit(127)
            }
        }
        ForkResult::Parent { child } => child,
    };
    // Also here, so that a signal to the group cannot come before the child has made it.
    let _ = setpgid(child, child);
    drop(report_to);
    let mut errno = [0; 4];
    match std::fs::File::from(report).read_exact(&mut errno) {
        // The pipe closed without a word: exec worked.
        Err(_) => Ok(child),
        Ok(()) => {
            let _ = nix::sys::wait::waitpid(child, None);
            Err(Errno::from_raw(i32::from_le_bytes(errno)))
        }
    }
}

/// Gives the next process another id than one that was started as the first of the same environment would have. Whoever
/// is restored has to see that it is another process: by that libraries know that their random numbers are not theirs alone.
fn skip_a_process_id() -> Result<(), Errno> {
    // SAFETY: this process has a single thread, and the child ends at once.
    #[allow(unsafe_code)]
    match unsafe { fork() }? {
        // SAFETY: `_exit` has no conditions.
        ForkResult::Child => unsafe { nix::libc::_exit(0) },
        ForkResult::Parent { child } => nix::sys::wait::waitpid(child, None).map(drop),
    }
}

/// Runs in the child. Returns only when something failed.
fn become_program(
    start: &Start<'_>,
    prepared: &Prepared,
    groups: &Groups,
    confinement: Option<&Confinement>,
    init: Pid,
) -> Errno {
    match try_become_program(start, prepared, groups, confinement, init) {
        Ok(never) => match never {},
        Err(errno) => errno,
    }
}

fn try_become_program(
    start: &Start<'_>,
    prepared: &Prepared,
    groups: &Groups,
    confinement: Option<&Confinement>,
    init: Pid,
) -> Result<std::convert::Infallible, Errno> {
    let Start { program, output, restored } = start;
    // First, so that as much as possible of what it uses is counted.
    groups.enter()?;
    setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
    if confinement.is_none() {
        // Behind walls init is process 1, and the kernel ends everything with it.
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        if getppid() != init {
            return Err(Errno::ESRCH); // init died before we could ask to die with it
        }
    }
    // Standard input is /dev/null since the launcher started. Descriptors 1 and 2 are the pipe; the rest is closed.
    dup2_stdout(output)?;
    dup2_stderr(output)?;
    let mut first_to_close = 3;
    if let Some(log_fd) = program.log_fd {
        duplicate_to(output.as_raw_fd(), log_fd)?;
        close_range(3, log_fd - 1)?;
        first_to_close = log_fd + 1;
    }
    close_range(first_to_close, RawFd::MAX)?;
    if let Some(restored) = restored {
        restored.hand_over(&prepared.environment)?;
    }

    // Never above what this host allows us: without privileges a hard limit cannot be raised.
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let open_files = program.open_files_max.min(hard);
    setrlimit(Resource::RLIMIT_NOFILE, open_files, open_files)?;
    // A crash may leave nothing of the function's memory on the host. Not 0: where the host hands cores to a program
    // (`core_pattern` begins with `|`), the kernel starts it all the same. It does not for 1, which no file can have either.
    setrlimit(Resource::RLIMIT_CORE, 1, 1)?;
    if confinement.is_none() {
        // Behind walls init has done so.
        goes_before_the_service();
    }

    restore_signals()?;
    if let Some(confinement) = confinement {
        confinement.limit()?;
        confinement.become_user()?;
    }
    chdir(prepared.working_directory.as_c_str())?;
    if let Some(confinement) = confinement {
        confinement.seal()?;
    }
    if let Some(restored) = restored {
        return Err(restored.execute());
    }
    execve(&prepared.path, &prepared.arguments, &prepared.environment)
}

/// When the host runs out of memory, a function is to go, not the service. It may fail without harm.
pub(crate) fn goes_before_the_service() {
    let _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE);
}

/// Makes `target` a copy of `source` that survives exec, also when they are the same number.
fn duplicate_to(source: RawFd, target: RawFd) -> Result<(), Errno> {
    // SAFETY: `dup3` and `fcntl` take plain numbers; `target` is not owned by anything in this process, which is about
    // to become another program. The result is checked.
    #[allow(unsafe_code)]
    let result = unsafe {
        if source == target {
            nix::libc::fcntl(source, nix::libc::F_SETFD, 0)
        } else {
            nix::libc::dup2(source, target)
        }
    };
    Errno::result(result).map(drop)
}

/// Marks the descriptors `first..=last` to be closed by exec: the pipe that reports a failed exec must live until then.
fn close_range(first: RawFd, last: RawFd) -> Result<(), Errno> {
    if first > last {
        return Ok(());
    }
    // SAFETY: the call takes plain numbers, and close-on-exec changes nothing for a process that does not exec.
    #[allow(unsafe_code)]
    let result = unsafe {
        nix::libc::syscall(
            nix::libc::SYS_close_range,
            first as u32,
            last as u32,
            nix::libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    match Errno::result(result) {
        // Older kernels have no such call. All our descriptors are close-on-exec anyway; this was the second bolt.
        Err(Errno::ENOSYS | Errno::EINVAL) => Ok(()),
        other => other.map(drop),
    }
}

/// Gives the program the signal handling of a fresh process: Rust ignores SIGPIPE, and the launcher blocks SIGCHLD.
fn restore_signals() -> Result<(), Errno> {
    SigSet::empty().thread_set_mask()?;
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: the default action is no function of ours, so no handler can run in a wrong place.
    #[allow(unsafe_code)]
    unsafe {
        sigaction(Signal::SIGPIPE, &default)?;
    }
    Ok(())
}

/// Lends `fd` to nix, which wants to know that it stays open.
pub(crate) fn borrow(fd: &OwnedFd) -> BorrowedFd<'_> {
    use std::os::fd::AsFd as _;
    fd.as_fd()
}
