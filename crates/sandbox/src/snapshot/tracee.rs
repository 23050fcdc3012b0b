//! A process that is stopped to be written down: its registers, and what only the kernel knows of it.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::ptr;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc::{self, c_long, c_void};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::{SnapshotError, failed};

/// How long a process may take to wait where it said that it would, and to stop. Ours: it is a matter of microseconds.
const STOPS_WITHIN: Duration = Duration::from_secs(5);
const LOOK_AGAIN_AFTER: Duration = Duration::from_micros(200);

const PTRACE_GET_RSEQ_CONFIGURATION: libc::c_uint = 0x420f;
/// What the kernel writes in the place of a result when it is going to make the call again; the others are its neighbours.
const RESTARTS: std::ops::RangeInclusive<i64> = -516..=-512;
/// `syscall`, which the instruction pointer has just passed.
const SYSCALL: [u8; 2] = [0x0f, 0x05];

/// A process that is stopped. It goes on when this is dropped. For one thread: the kernel knows tracers by thread.
pub(super) struct Tracee {
    pid: Pid,
    registers: libc::user_regs_struct,
}

/// What the kernel knows of a process besides its memory.
pub(super) struct State {
    pub(super) registers: libc::user_regs_struct,
    /// Its process id, as it sees it.
    pub(super) pid_inside: u64,
    /// Its signal mask.
    pub(super) blocked: u64,
    /// What it does about signals, as `rt_sigaction` takes it; only where that is not the default.
    pub(super) actions: Vec<(u64, [u8; 32])>,
    /// Its alternate signal stack, as `sigaltstack` takes it.
    pub(super) signal_stack: Option<[u8; 24]>,
    /// Its restartable sequences: address, size, flags, signature.
    pub(super) rseq: Option<(u64, u64, u64)>,
    /// Its list of robust futexes: address, size.
    pub(super) robust_list: Option<(u64, u64)>,
    /// Its name.
    pub(super) name: Vec<u8>,
    /// What `PR_SET_MM_MAP` takes, without the end of its heap.
    pub(super) memory_map: [u64; 11],
}

impl Tracee {
    /// Waits until the process waits in `recv`, and stops it.
    pub(super) fn stop(pid: i32) -> Result<Self, SnapshotError> {
        let deadline = Instant::now() + STOPS_WITHIN;
        let waits = format!("{} ", libc::SYS_recvfrom);
        loop {
            let doing = fs::read_to_string(format!("/proc/{pid}/syscall"));
            if doing.map_err(failed("see what the process does"))?.starts_with(&waits) {
                break;
            }
            again(deadline)?;
        }
        let pid = Pid::from_raw(pid);
        trace(libc::PTRACE_SEIZE, pid, 0, ptr::null_mut()).map_err(failed("trace the process"))?;
        // SAFETY: a zeroed `user_regs_struct`, of plain numbers, is a valid one.
        #[allow(unsafe_code)]
        let registers = unsafe { std::mem::zeroed() };
        let mut tracee = Self { pid, registers };
        trace(libc::PTRACE_INTERRUPT, pid, 0, ptr::null_mut()).map_err(failed("stop the process"))?;
        tracee.wait(deadline)?;
        tracee.registers = tracee.registers()?;
        let registers = &tracee.registers;
        if registers.orig_rax as i64 != libc::SYS_recvfrom || !RESTARTS.contains(&(registers.rax as i64)) {
            return Err(SnapshotError::Refused("the process does not wait any more".to_owned()));
        }
        Ok(tracee)
    }

    /// Reads what the kernel knows of it.
    pub(super) fn state(&self) -> Result<State, SnapshotError> {
        let status = self.read("status")?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.split_ascii_whitespace().next_back().unwrap_or_default()
        };
        if field("Threads:") != "1" {
            return Err(SnapshotError::Refused("it has more than one thread".to_owned()));
        }
        let mask = |name: &str| u64::from_str_radix(field(name), 16).unwrap_or(0);
        let (ignored, caught) = (mask("SigIgn:"), mask("SigCgt:"));
        let memory = fs::File::open(format!("/proc/{}/mem", self.pid)).map_err(failed("read its memory"))?;
        // Below what the process may use without moving its stack pointer.
        let room = (self.registers.rsp - 4_096) & !15;
        let mut actions = Vec::new();
        for signal in (1..=64).filter(|signal| caught >> (signal - 1) & 1 == 1) {
            self.call(libc::SYS_rt_sigaction, [signal, 0, room, 8])?;
            let mut action = [0; 32];
            memory.read_exact_at(&mut action, room).map_err(failed("read its memory"))?;
            actions.push((signal, action));
        }
        for signal in (1..=64).filter(|signal| ignored >> (signal - 1) & 1 == 1) {
            let mut action = [0; 32];
            action[0] = libc::SIG_IGN as u8;
            actions.push((signal, action));
        }
        self.call(libc::SYS_sigaltstack, [0, room, 0, 0])?;
        let mut signal_stack = [0; 24];
        memory.read_exact_at(&mut signal_stack, room).map_err(failed("read its memory"))?;
        let has_signal_stack = i32::from(signal_stack[8]) & libc::SS_DISABLE == 0;
        let name = self.read("comm")?.trim_end().as_bytes().to_vec();
        Ok(State {
            registers: self.registers,
            pid_inside: field("NSpid:").parse().unwrap_or(0),
            blocked: mask("SigBlk:"),
            actions,
            signal_stack: has_signal_stack.then_some(signal_stack),
            rseq: self.rseq(),
            robust_list: self.robust_list(),
            name,
            memory_map: self.memory_map()?,
        })
    }

    /// Has the process make a system call, and puts it back to where it was.
    fn call(&self, number: c_long, arguments: [u64; 4]) -> Result<(), SnapshotError> {
        let at = self.registers.rip - 2;
        let memory = fs::File::open(format!("/proc/{}/mem", self.pid)).map_err(failed("read its memory"))?;
        let mut instruction = [0; 2];
        memory.read_exact_at(&mut instruction, at).map_err(failed("read its memory"))?;
        if instruction != SYSCALL {
            return Err(SnapshotError::Refused("it waits in an unknown way".to_owned()));
        }
        let mut registers = self.registers;
        [registers.rdi, registers.rsi, registers.rdx, registers.r10] = arguments;
        (registers.rax, registers.orig_rax, registers.rip) = (number as u64, u64::MAX, at);
        self.set(registers)?;
        trace(libc::PTRACE_SINGLESTEP, self.pid, 0, ptr::null_mut()).map_err(failed("step the process"))?;
        self.wait(Instant::now() + STOPS_WITHIN)?;
        let result = self.registers()?.rax as i64;
        self.set(self.registers)?;
        if result < 0 {
            let source = io::Error::from_raw_os_error(-result as i32);
            return Err(SnapshotError::Failed { what: "ask the process", source });
        }
        Ok(())
    }

    fn wait(&self, deadline: Instant) -> Result<(), SnapshotError> {
        loop {
            let status = waitpid(self.pid, Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL));
            match status.map_err(failed("wait for the process"))? {
                WaitStatus::StillAlive => again(deadline)?,
                WaitStatus::Exited(..) | WaitStatus::Signaled(..) => {
                    return Err(SnapshotError::Refused("the process has ended".to_owned()));
                }
                _ => return Ok(()),
            }
        }
    }

    fn registers(&self) -> Result<libc::user_regs_struct, SnapshotError> {
        let mut registers = self.registers;
        trace(libc::PTRACE_GETREGS, self.pid, 0, (&raw mut registers).cast())
            .map_err(failed("read its registers"))?;
        Ok(registers)
    }

    fn set(&self, mut registers: libc::user_regs_struct) -> Result<(), SnapshotError> {
        trace(libc::PTRACE_SETREGS, self.pid, 0, (&raw mut registers).cast())
            .map_err(failed("write its registers"))
            .map(drop)
    }

    fn rseq(&self) -> Option<(u64, u64, u64)> {
        let mut configuration = [0_u8; 24];
        let size = configuration.len();
        trace(PTRACE_GET_RSEQ_CONFIGURATION, self.pid, size, configuration.as_mut_ptr().cast()).ok()?;
        let address = u64::from_ne_bytes(configuration[..8].try_into().ok()?);
        let number = |at: usize| {
            let bytes = configuration.get(at..at + 4)?;
            Some(u64::from(u32::from_ne_bytes(bytes.try_into().ok()?)))
        };
        (address != 0).then_some((address, number(8)?, number(12)?))
    }

    fn robust_list(&self) -> Option<(u64, u64)> {
        let (mut head, mut length) = (0_u64, 0_u64);
        // SAFETY: the kernel writes one address and one size, which are here and as large.
        #[allow(unsafe_code)]
        let result = unsafe {
            libc::syscall(libc::SYS_get_robust_list, self.pid.as_raw(), &raw mut head, &raw mut length)
        };
        (result == 0 && head != 0).then_some((head, length))
    }

    fn memory_map(&self) -> Result<[u64; 11], SnapshotError> {
        let stat = self.read("stat")?;
        // The name, in parentheses, may hold anything.
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let fields: Vec<&str> = after_name.split_ascii_whitespace().collect();
        // Counted from 1, as proc(5) does; the first after the name is 3.
        let field = |number: usize| -> u64 {
            fields.get(number - 3).and_then(|field| field.parse().ok()).unwrap_or(0)
        };
        let heap = field(47);
        Ok([
            field(26),
            field(27),
            field(45),
            field(46),
            heap,
            heap,
            field(28),
            field(48),
            field(49),
            field(50),
            field(51),
        ])
    }

    fn read(&self, file: &str) -> Result<String, SnapshotError> {
        let bytes = fs::read(format!("/proc/{}/{file}", self.pid)).map_err(failed("read its state"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Drop for Tracee {
    fn drop(&mut self) {
        // One that has ended needs nothing.
        let _ = trace(libc::PTRACE_DETACH, self.pid, 0, ptr::null_mut());
    }
}

fn again(deadline: Instant) -> Result<(), SnapshotError> {
    if Instant::now() > deadline {
        return Err(SnapshotError::Refused("the process does not stop".to_owned()));
    }
    std::thread::sleep(LOOK_AGAIN_AFTER);
    Ok(())
}

fn trace(request: libc::c_uint, pid: Pid, address: usize, data: *mut c_void) -> Result<c_long, Errno> {
    // SAFETY: `data` is null or points to what the request reads or writes, see the callers, each of which hands in a value
    // of the type that the request wants; the kernel touches nothing else of this process.
    #[allow(unsafe_code)]
    let result = unsafe { libc::ptrace(request, pid.as_raw(), address, data) };
    Errno::result(result)
}
