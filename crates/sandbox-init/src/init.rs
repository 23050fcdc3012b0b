//! The first process of an environment: starts processes, adopts orphans, reports ends, ends the whole tree.
//!
//! It lives as long as the environment, over resets: a reset kills the tree and starts the runtime anew below the
//! same init.

use std::os::fd::{AsFd as _, AsRawFd, FromRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::CloneFlags;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{Pid, setsid};

use crate::exec;
use crate::groups::Groups;
use crate::messages::{self, ExitStatus, FromInit, PACKET_BYTES_MAX, ToInit};
use crate::privileges::Confinement;
use crate::restore::Restored;
use crate::sockets::Sockets;
use crate::tree;
use crate::user_namespace::Owner;
use crate::walls::{self, Failed, Laid, Network};
use crate::way_out::WayOut;

/// How often a killing is repeated while processes are still there: one that forked just then got away.
const KILL_AGAIN_AFTER: Duration = Duration::from_millis(5);

/// Into which namespaces an init is born. Walls need one of their own for processes, at least.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Birth {
    /// Those of the server.
    Beside,
    /// A new pid namespace, of which it is process 1.
    Walled,
    /// The same in a new user namespace, which belongs to this user.
    Rootless(Owner),
}

impl Birth {
    /// Returns the new ones.
    pub(crate) fn namespaces(self) -> CloneFlags {
        match self {
            Self::Beside => CloneFlags::empty(),
            Self::Walled => CloneFlags::CLONE_NEWPID,
            Self::Rootless(_) => CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWUSER,
        }
    }

    /// Returns what the kernel is asked for, in words.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Beside => "fork",
            Self::Walled => "fork into a pid namespace",
            Self::Rootless(_) => "fork into a user namespace",
        }
    }

    fn owner(self) -> Option<Owner> {
        match self {
            Self::Beside | Self::Walled => None,
            Self::Rootless(owner) => Some(owner),
        }
    }
}

/// Runs the init of one environment until the server closes `control`. `way_out` connects its network with others.
pub(crate) fn run(control: OwnedFd, birth: Birth, way_out: Option<WayOut>) -> ! {
    let is_walled = !matches!(birth, Birth::Beside);
    let code = match Init::new(control, birth, way_out).and_then(Init::serve) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("warning: an environment's init failed: {error}");
            1
        }
    };
    if !is_walled {
        end_tree(); // process 1 takes all the others with it
    }
    // SAFETY: `_exit` has no conditions; it skips what belongs to the launcher that this process was forked from.
    #[allow(unsafe_code)]
    unsafe {
        nix::libc::_exit(code)
    }
}

struct Init {
    control: OwnedFd,
    child_ended: SignalFd,
    /// The processes that the server asked for and that still run, by its numbers.
    processes: Vec<(u32, Pid)>,
    /// Set while a `KillAll` is not yet answered.
    killing: bool,
    packet: Vec<u8>,
    /// Whether this is process 1 of its own pid namespace.
    is_walled: bool,
    /// Whose its user namespace is, if it was born in one.
    owner: Option<Owner>,
    /// What connects its network with others, if anything does.
    way_out: Option<WayOut>,
    /// Where the server asks for sockets inside, if it cannot open them itself.
    sockets: Option<Sockets>,
    /// Between the foundation of walls and the walls.
    laid: Option<Laid>,
    /// Set once the walls stand: before that nothing is started in an environment that is to have some.
    confinement: Option<Confinement>,
    groups: Groups,
}

impl Init {
    fn new(control: OwnedFd, birth: Birth, way_out: Option<WayOut>) -> Result<Self, Errno> {
        setsid()?;
        prctl::set_child_subreaper(true)?;
        let mut children = SigSet::empty();
        children.add(Signal::SIGCHLD);
        children.thread_block()?;
        let child_ended = SignalFd::with_flags(&children, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        Ok(Self {
            control,
            child_ended,
            processes: Vec::new(),
            killing: false,
            packet: vec![0; PACKET_BYTES_MAX],
            is_walled: !matches!(birth, Birth::Beside),
            owner: birth.owner(),
            way_out,
            sockets: None,
            laid: None,
            confinement: None,
            groups: Groups::default(),
        })
    }

    /// Serves until the other end closes.
    fn serve(mut self) -> Result<(), Errno> {
        let served = self.serve_until_closed();
        // What stands still could not end with us.
        self.groups.thaw();
        served
    }

    fn serve_until_closed(&mut self) -> Result<(), Errno> {
        let mut look_again_at: Option<Instant> = None;
        loop {
            let timeout = match look_again_at {
                None => PollTimeout::NONE,
                Some(at) => PollTimeout::try_from(at.saturating_duration_since(Instant::now()))
                    .unwrap_or(PollTimeout::ZERO),
            };
            let mut ready = vec![
                PollFd::new(self.control.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.child_ended.as_fd(), PollFlags::POLLIN),
            ];
            let sockets = self.sockets.as_ref();
            ready.extend(sockets.map(|sockets| PollFd::new(sockets.asked(), PollFlags::POLLIN)));
            match poll(&mut ready, timeout) {
                Err(Errno::EINTR) => continue,
                other => other?,
            };
            let readable =
                |at: usize| ready.get(at).and_then(PollFd::revents).is_some_and(|events| !events.is_empty());
            let (from_server, ended, asked) = (readable(0), readable(1), readable(2));
            if asked && self.sockets.as_ref().is_some_and(|sockets| !sockets.answer()) {
                self.sockets = None;
            }
            if ended {
                while let Ok(Some(_)) = self.child_ended.read_signal() {}
            }
            self.reap();
            if from_server && !self.obey_one()? {
                return Ok(());
            }
            look_again_at = self.go_on_killing();
        }
    }

    /// Takes one message of the server. `false` when it has closed its end.
    fn obey_one(&mut self) -> Result<bool, Errno> {
        let received = messages::receive(self.control.as_fd(), &mut self.packet);
        let (length, descriptors) = match received.map_err(|error| error.raw_os_error().unwrap_or(0)) {
            Ok(received) => received,
            // It was killed, and had not read everything that we said.
            Err(nix::libc::ECONNRESET) => return Ok(false),
            Err(errno) => return Err(Errno::from_raw(errno)),
        };
        if length == 0 {
            return Ok(false);
        }
        match ToInit::decode(&self.packet[..length]) {
            Some(ToInit::Start { process, program }) => {
                let mut descriptors = descriptors.into_iter();
                let output = descriptors.next();
                let restored = Restored::take(descriptors.collect());
                let started = match output {
                    _ if self.is_walled && self.confinement.is_none() => Err(Errno::EPERM),
                    Some(output) => {
                        let start = exec::Start { program: &program, output: &output, restored };
                        exec::start(&start, &self.groups, self.confinement.as_ref())
                    }
                    None => Err(Errno::EBADF),
                };
                match started {
                    Ok(pid) => {
                        self.processes.push((process, pid));
                        let pidfd = if self.is_walled { pidfd_of(pid).ok() } else { None };
                        let pidfd: Vec<i32> = pidfd.iter().map(AsRawFd::as_raw_fd).collect();
                        self.say_with(&FromInit::Started { process, pid: pid.as_raw() }, &pidfd);
                    }
                    Err(errno) => self.say(&FromInit::StartFailed { process, errno: errno as i32 }),
                }
            }
            Some(ToInit::LayFoundation(foundation)) => {
                if !self.is_walled || self.laid.is_some() || self.confinement.is_some() {
                    return Err(Errno::EPROTO);
                }
                match walls::lay_foundation(&foundation, self.owner, self.way_out.as_ref()) {
                    Ok(laid) => {
                        self.laid = Some(laid);
                        self.say(&FromInit::FoundationLaid);
                    }
                    Err(failed) => return Ok(self.say_failed(failed)),
                }
            }
            Some(ToInit::BuildWalls(walls)) => {
                let laid = self.laid.take().ok_or(Errno::EPROTO)?;
                let groups_are_ours = self.owner.is_none();
                let confinement = Confinement::new(laid.user, walls.processes_max, groups_are_ours);
                match walls::build(&walls, laid, descriptors, self.way_out.as_ref()) {
                    Ok(mut network) => {
                        self.confinement = Some(confinement);
                        self.sockets = network.as_mut().and_then(|network| network.sockets.take());
                        let descriptors: Vec<i32> = network.iter().flat_map(Network::descriptors).collect();
                        self.say_with(&FromInit::WallsBuilt, &descriptors);
                    }
                    Err(failed) => return Ok(self.say_failed(failed)),
                }
            }
            Some(ToInit::EnterGroups { has_freezer }) => {
                self.groups = Groups::new(descriptors, has_freezer);
            }
            Some(ToInit::Signal { process, signal }) => {
                if let (Some((_, pid)), Ok(signal)) =
                    (self.processes.iter().find(|(id, _)| *id == process), Signal::try_from(signal))
                {
                    let _ = killpg(*pid, signal);
                }
            }
            Some(ToInit::KillAll) => {
                self.killing = true;
            }
            None => return Err(Errno::EPROTO),
        }
        Ok(true)
    }

    /// Collects every process that ended, and reports those that the server knows.
    fn reap(&mut self) {
        while let Some(Ended { pid, status, memory_kb_max, cpu_us }) = wait_for_any() {
            if let Some(at) = self.processes.iter().position(|(_, known)| *known == pid) {
                let (process, _) = self.processes.swap_remove(at);
                self.say(&FromInit::Exited { process, status, memory_kb_max, cpu_us });
            }
        }
    }

    /// Kills what is left, and says when nothing is. Returns when to look again.
    fn go_on_killing(&mut self) -> Option<Instant> {
        if !self.killing {
            return None;
        }
        self.groups.thaw();
        let init = std::process::id() as i32;
        if self.is_walled {
            // All but process 1 itself: nobody else is in this namespace.
            let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
        } else {
            tree::kill_descendants_of(init);
        }
        self.reap();
        let is_empty = if self.is_walled { has_no_child() } else { tree::children_of(init).is_empty() };
        if is_empty {
            self.killing = false;
            self.say(&FromInit::AllGone);
            return None;
        }
        Some(Instant::now() + KILL_AGAIN_AFTER)
    }

    /// Tells the server. If it cannot hear us any more, the next poll sees the closed socket.
    fn say(&self, message: &FromInit) {
        self.say_with(message, &[]);
    }

    /// Says why there are no walls. `false`: nothing can be done without them.
    fn say_failed(&self, Failed { step, errno }: Failed) -> bool {
        self.say(&FromInit::WallsFailed { step, errno: errno as i32 });
        false
    }

    fn say_with(&self, message: &FromInit, descriptors: &[i32]) {
        let _ = messages::send(exec::borrow(&self.control), &message.encode(), descriptors);
    }
}

/// Whether this process has no child any more. Process 1 adopts every orphan: without a child it is alone.
fn has_no_child() -> bool {
    let wait = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    waitid(Id::All, wait) == Err(Errno::ECHILD)
}

fn pidfd_of(pid: Pid) -> Result<OwnedFd, Errno> {
    // SAFETY: takes plain numbers; the result is checked.
    #[allow(unsafe_code)]
    let fd = unsafe { nix::libc::syscall(nix::libc::SYS_pidfd_open, pid.as_raw(), 0) };
    let fd = Errno::result(fd)? as i32;
    // SAFETY: the kernel has just opened it, close-on-exec, and nobody else owns it.
    #[allow(unsafe_code)]
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A process that has ended.
struct Ended {
    pid: Pid,
    status: ExitStatus,
    /// The most memory that it, or a child it has waited for, had resident.
    memory_kb_max: u64,
    /// Its time on a CPU, with that of the children it has waited for.
    cpu_us: u64,
}

/// Collects one process that has ended.
fn wait_for_any() -> Option<Ended> {
    let mut status = 0;
    let mut usage = std::mem::MaybeUninit::<nix::libc::rusage>::zeroed();
    // SAFETY: `status` and `usage` are ours and writable; a zeroed `rusage` is a valid one, should nothing be written.
    #[allow(unsafe_code)]
    let (pid, usage) = unsafe {
        let pid = nix::libc::wait4(-1, &mut status, nix::libc::WNOHANG, usage.as_mut_ptr());
        (pid, usage.assume_init())
    };
    if pid <= 0 {
        return None;
    }
    let memory_kb_max = u64::try_from(usage.ru_maxrss).unwrap_or(0);
    let status = if nix::libc::WIFSIGNALED(status) {
        ExitStatus::Signal { signal: nix::libc::WTERMSIG(status), core_dumped: nix::libc::WCOREDUMP(status) }
    } else {
        ExitStatus::Code(nix::libc::WEXITSTATUS(status))
    };
    let us = |time: nix::libc::timeval| {
        u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000 + u64::try_from(time.tv_usec).unwrap_or(0)
    };
    let cpu_us = us(usage.ru_utime) + us(usage.ru_stime);
    Some(Ended { pid: Pid::from_raw(pid), status, memory_kb_max, cpu_us })
}

/// Kills everything below this process and waits until it is gone.
fn end_tree() {
    let init = std::process::id() as i32;
    loop {
        tree::kill_descendants_of(init);
        while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            if status == WaitStatus::StillAlive {
                break;
            }
        }
        if tree::children_of(init).is_empty() {
            return;
        }
        std::thread::sleep(KILL_AGAIN_AFTER);
    }
}
