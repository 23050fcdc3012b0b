//! The launcher: one small process for the whole server, which forks an init for each environment.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::CloneFlags;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, dup2_stdin};

use crate::init::Birth;
use crate::messages::FromInit;
use crate::user_namespace::Owner;
use crate::{OUTGOING_ENVIRONMENT, ROOTLESS_ENVIRONMENT, WALLED_ENVIRONMENT, init, messages, tree, way_out};

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
        let birth = match &packet[..length] {
            WALLED_ENVIRONMENT => Birth::Walled,
            ROOTLESS_ENVIRONMENT | OUTGOING_ENVIRONMENT => Birth::Rootless(Owner::of_this_process()),
            _ => Birth::Beside,
        };
        match fork_into(birth.namespaces()) {
            Ok(ForkResult::Child) => {
                drop((socket, child_ended));
                match birth {
                    Birth::Rootless(owner) if &packet[..length] == OUTGOING_ENVIRONMENT => {
                        way_out::keep(control, owner)
                    }
                    birth => init::run(control, birth, None),
                }
            }
            Ok(ForkResult::Parent { child }) => inits.push(child),
            Err(errno) => {
                let step = birth.name().to_owned();
                let failed = FromInit::WallsFailed { step, errno: errno as i32 };
                // Then `control` closes, and the server reads that as "init is gone".
                let _ = messages::send(control.as_fd(), &failed.encode(), &[]);
                eprintln!("warning: the sandbox launcher cannot fork: {errno}");
            }
        }
    }
}

/// Forks a child that is born into new namespaces.
pub(crate) fn fork_into(namespaces: CloneFlags) -> Result<ForkResult, Errno> {
    let flags = libc::c_long::from(namespaces.bits() | libc::SIGCHLD);
    // SAFETY: without a stack the child goes on with a copy of ours, as after a fork; the launcher has a single thread, so
    // the child may do what the parent could. The other arguments are not looked at with these flags.
    #[allow(unsafe_code)]
    let child = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    Ok(match Errno::result(child)? {
        0 => ForkResult::Child,
        child => ForkResult::Parent { child: Pid::from_raw(child as i32) },
    })
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
