//! The launcher: one small process for the whole server, which forks an init for each environment.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, dup2_stdin, fork};

use crate::{WALLED_ENVIRONMENT, init, messages, tree};

/// Runs until the server closes its end, then ends whatever is left and exits.
pub(crate) fn run(inherited: OwnedFd) -> ! {
    let code = match serve(inherited) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("error: the sandbox launcher failed: {error}");
            1
        }
    };
    std::process::exit(code)
}

fn serve(inherited: OwnedFd) -> io::Result<()> {
    // The socket came as standard input. It moves away, so that every process below finds /dev/null there.
    let socket = inherited.try_clone()?;
    let null = open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?;
    dup2_stdin(&null)?;
    std::mem::forget(inherited); // descriptor 0 is /dev/null now, and stays

    // If an init is killed, its processes come to us, not to the host's init.
    prctl::set_child_subreaper(true)?;
    let mut children = SigSet::empty();
    children.add(Signal::SIGCHLD);
    children.thread_block()?;
    let child_ended = SignalFd::with_flags(&children, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    let mut inits: Vec<Pid> = Vec::new();

    loop {
        let mut ready = [
            PollFd::new(socket.as_fd(), PollFlags::POLLIN),
            PollFd::new(child_ended.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut ready, PollTimeout::NONE) {
            Err(Errno::EINTR) => continue,
            other => other?,
        };
        let readable = |at: usize| ready[at].revents().is_some_and(|events| !events.is_empty());
        let (from_server, ended) = (readable(0), readable(1));
        if ended {
            while let Ok(Some(_)) = child_ended.read_signal() {}
            reap(&mut inits);
        }
        if !from_server {
            continue;
        }
        let mut packet = [0; 16];
        let (length, mut descriptors) = messages::receive(socket.as_fd(), &mut packet)?;
        if length == 0 {
            return Ok(()); // the server is gone; each init sees the same on its own socket and ends its tree
        }
        let Some(control) = descriptors.pop() else { continue };
        let is_walled = &packet[..length] == WALLED_ENVIRONMENT;
        // From here on children are born into a new pid namespace, of which the first is process 1.
        let own = match is_walled.then(enter_new_pid_namespace).transpose() {
            Ok(own) => own,
            Err(error) => {
                eprintln!("warning: the sandbox launcher cannot make a pid namespace: {error}");
                continue;
            }
        };
        // SAFETY: the launcher has a single thread, so the child may do what the parent could.
        #[allow(unsafe_code)]
        let forked = unsafe { fork() };
        if let (Some(own), Ok(ForkResult::Parent { .. }) | Err(_)) = (&own, &forked) {
            // Without the way back every further environment would be in this one. The server starts another launcher.
            setns(own, CloneFlags::CLONE_NEWPID)?;
        }
        match forked {
            Ok(ForkResult::Child) => {
                drop((socket, child_ended, own));
                init::run(control, is_walled)
            }
            Ok(ForkResult::Parent { child }) => inits.push(child),
            // `control` closes here, and the server reads that as "init is gone".
            Err(error) => eprintln!("warning: the sandbox launcher cannot fork: {error}"),
        }
    }
}

/// Returns the way back.
fn enter_new_pid_namespace() -> Result<OwnedFd, Errno> {
    let own = open("/proc/self/ns/pid", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    unshare(CloneFlags::CLONE_NEWPID)?;
    Ok(own)
}

/// Forgets inits that ended, and kills what an init that was itself killed has left to us.
fn reap(inits: &mut Vec<Pid>) {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, _, _)) => {
                inits.retain(|init| *init != pid);
            }
            Ok(WaitStatus::StillAlive) | Err(_) => break,
            Ok(_) => {}
        }
    }
    for child in tree::children_of(std::process::id() as i32) {
        if !inits.contains(&Pid::from_raw(child)) {
            tree::kill_descendants_of(child);
            let _ = nix::sys::signal::kill(Pid::from_raw(child), Signal::SIGKILL);
        }
    }
}
