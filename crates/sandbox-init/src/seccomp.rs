//! The system calls that a function behind walls may not make, as a program for the kernel's filter.
//!
//! A list of what is denied, not of what is allowed: functions bring any program, and an unknown call that answers
//! `EPERM` breaks it in odd ways. The list holds what reaches parts of the kernel that are not divided by namespaces,
//! that undo a wall, or that have been the way out of containers before. Most of it needs capabilities that a function
//! does not have anyway: the filter is the second bolt, and keeps the code behind it out of reach.

use nix::errno::Errno;
use nix::libc;

/// `open_tree_attr`, of Linux 6.15: newer than the C library's list, and of one number on all architectures.
const OPEN_TREE_ATTR: libc::c_long = 467;

/// Answered with `EPERM`.
const DENIED: &[libc::c_long] = &[
    // Other processes: reading and writing their memory, taking their descriptors.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // The view of the file system, and namespaces (`clone` and `unshare` are looked at below).
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    OPEN_TREE_ATTR,
    libc::SYS_setns,
    // Files by handle go around the root (CVE-2014-3519 class), and watching whole mounts.
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    // Kernel keys belong to no namespace.
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    // Large and often broken parts of the kernel that no function needs.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_lookup_dcookie,
    libc::SYS_memfd_secret,
    libc::SYS_vhangup,
    // The machine itself.
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    // Placement of memory on nodes, also of other processes.
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
];

#[cfg(target_arch = "x86_64")]
const DENIED_HERE: &[libc::c_long] = &[
    libc::SYS_kexec_file_load,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
    libc::SYS__sysctl,
    libc::SYS_nfsservctl,
];
#[cfg(not(target_arch = "x86_64"))]
const DENIED_HERE: &[libc::c_long] = &[libc::SYS_kexec_file_load];

/// What may not be done to process 1, our init, and the argument that names whom to do it to. Without root init has the
/// user of the function; the kernel itself lets no signal through to it.
const DENIED_TO_INIT: &[(libc::c_long, u32)] = &[
    (libc::SYS_kill, 0),
    (libc::SYS_tkill, 0),
    (libc::SYS_tgkill, 0),
    (libc::SYS_rt_sigqueueinfo, 0),
    (libc::SYS_rt_tgsigqueueinfo, 0),
    (libc::SYS_pidfd_open, 0),
    (libc::SYS_sched_setaffinity, 0),
    (libc::SYS_sched_setattr, 0),
    (libc::SYS_sched_setparam, 0),
    (libc::SYS_sched_setscheduler, 0),
    (libc::SYS_setpriority, 1),
    (libc::SYS_ioprio_set, 1),
];

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// Calls of the x32 kind carry this bit, on x86_64; they would pass every comparison below.
const X32: u32 = 0x4000_0000;

/// What `clone` and `unshare` may not be asked for. (`CLONE_NEWTIME` is a signal number in `clone`.)
const NEW_NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32;
const NEW_TIME_NAMESPACE: u32 = 0x80;

/// Offsets in the kernel's `seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
/// The lower half of an argument; both architectures are little-endian.
const fn argument(index: u32) -> u32 {
    16 + 8 * index
}

const ALLOW: u32 = 0x7fff_0000;
const KILL_PROCESS: u32 = 0x8000_0000;
const fn answer(errno: i32) -> u32 {
    0x0005_0000 | errno as u32
}

/// Returns how many system calls are denied whatever their arguments are.
pub fn denied_calls() -> usize {
    DENIED.len() + DENIED_HERE.len()
}

/// A filter, ready to be installed after a fork without any further memory.
pub(crate) struct Filter(Vec<libc::sock_filter>);

impl Filter {
    /// Puts the filter together.
    pub(crate) fn new() -> Self {
        let mut filter = vec![
            load(ARCH),
            jump(libc::BPF_JEQ, ARCHITECTURE, 1, 0),
            give(KILL_PROCESS),
            load(NUMBER),
            jump(libc::BPF_JGE, X32, 0, 1),
            give(answer(libc::EPERM)),
        ];
        for &number in DENIED.iter().chain(DENIED_HERE) {
            filter.extend([jump(libc::BPF_JEQ, number as u32, 0, 1), give(answer(libc::EPERM))]);
        }
        // The flags of `clone3` are behind a pointer, out of the filter's sight. Libraries fall back to `clone`.
        filter.extend([jump(libc::BPF_JEQ, libc::SYS_clone3 as u32, 0, 1), give(answer(libc::ENOSYS))]);
        let on_call = |number: libc::c_long, block: Vec<libc::sock_filter>| {
            let mut checked = vec![jump(libc::BPF_JEQ, number as u32, 0, block.len() as u8)];
            checked.extend(block);
            checked
        };
        let without = |flags: u32| {
            vec![load(argument(0)), jump(libc::BPF_JSET, flags, 0, 1), give(answer(libc::EPERM)), give(ALLOW)]
        };
        filter.extend(on_call(libc::SYS_clone, without(NEW_NAMESPACES)));
        filter.extend(on_call(libc::SYS_unshare, without(NEW_NAMESPACES | NEW_TIME_NAMESPACE)));
        for &(number, whom) in DENIED_TO_INIT {
            filter.extend(on_call(number, not_to_init(whom)));
        }
        // The limit of core files stays where it is (see `exec`): lowered to 0 it would let more out than now. Programs that
        // see to it that they leave none are told that it is done.
        filter.extend(on_call(
            libc::SYS_setrlimit,
            vec![
                load(argument(0)),
                jump(libc::BPF_JEQ, libc::RLIMIT_CORE, 0, 1),
                give(answer(0)),
                give(ALLOW),
            ],
        ));
        let mut of_another = vec![
            load(argument(1)),
            jump(libc::BPF_JEQ, libc::RLIMIT_CORE, 0, 5),
            // Whoever only asks gives no new limit.
            load(argument(2)),
            jump(libc::BPF_JEQ, 0, 0, 2),
            load(argument(2) + 4),
            jump(libc::BPF_JEQ, 0, 1, 0),
            give(answer(0)),
        ];
        of_another.extend(not_to_init(0));
        filter.extend(on_call(libc::SYS_prlimit64, of_another));
        // Pushing input into a terminal (CVE-2017-5226 class). There is none; the answer is that of any other file.
        filter.extend(on_call(
            libc::SYS_ioctl,
            vec![
                load(argument(1)),
                jump(libc::BPF_JEQ, libc::TIOCSTI as u32, 1, 0),
                jump(libc::BPF_JEQ, TIOCLINUX, 0, 1),
                give(answer(libc::ENOTTY)),
                give(ALLOW),
            ],
        ));
        // Some families know no network namespace (vsock talks to the hypervisor), others are rarely tried code.
        filter.extend(on_call(
            libc::SYS_socket,
            vec![
                load(argument(0)),
                jump(libc::BPF_JEQ, libc::AF_UNIX as u32, 6, 0),
                jump(libc::BPF_JEQ, libc::AF_INET as u32, 5, 0),
                jump(libc::BPF_JEQ, libc::AF_INET6 as u32, 4, 0),
                jump(libc::BPF_JEQ, libc::AF_NETLINK as u32, 0, 2),
                // Of netlink only the routes: `getifaddrs` asks there.
                load(argument(2)),
                jump(libc::BPF_JEQ, libc::NETLINK_ROUTE as u32, 1, 0),
                give(answer(libc::EPERM)),
                give(ALLOW),
            ],
        ));
        filter.push(give(ALLOW));
        Self(filter)
    }

    /// Installs the filter for this process and all that it starts, for good. `no_new_privs` must be set.
    pub(crate) fn install(&self) -> Result<(), Errno> {
        let program = libc::sock_fprog { len: self.0.len() as u16, filter: self.0.as_ptr().cast_mut() };
        // SAFETY: `program` points to `len` instructions that live throughout the call; the kernel copies and checks
        // them, and does not write through the pointer.
        #[allow(unsafe_code)]
        let result =
            unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
        Errno::result(result).map(drop)
    }
}

const TIOCLINUX: u32 = 0x541c;

fn load(offset: u32) -> libc::sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset)
}

fn jump(condition: u32, value: u32, if_so: u8, if_not: u8) -> libc::sock_filter {
    instruction(libc::BPF_JMP | condition | libc::BPF_K, if_so, if_not, value)
}

fn give(action: u32) -> libc::sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, 0, 0, action)
}

fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt, jf, k }
}

/// Denies a call whose argument `whom` is process 1, and allows it for others.
fn not_to_init(whom: u32) -> Vec<libc::sock_filter> {
    vec![load(argument(whom)), jump(libc::BPF_JEQ, 1, 0, 1), give(answer(libc::EPERM)), give(ALLOW)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the filter answers, as the kernel would run it.
    fn ask(architecture: u32, number: libc::c_long, arguments: [u32; 3]) -> u32 {
        let Filter(program) = Filter::new();
        let (mut at, mut loaded) = (0, 0);
        loop {
            let instruction = program[at];
            at += 1;
            let code = u32::from(instruction.code);
            let jump = |holds: bool| usize::from(if holds { instruction.jt } else { instruction.jf });
            match code & !libc::BPF_K {
                code if code == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS => {
                    loaded = match instruction.k {
                        NUMBER => number as u32,
                        ARCH => architecture,
                        offset => arguments[(offset as usize - 16) / 8],
                    };
                }
                code if code == libc::BPF_JMP | libc::BPF_JEQ => at += jump(loaded == instruction.k),
                code if code == libc::BPF_JMP | libc::BPF_JGE => at += jump(loaded >= instruction.k),
                code if code == libc::BPF_JMP | libc::BPF_JSET => at += jump(loaded & instruction.k != 0),
                libc::BPF_RET => return instruction.k,
                code => panic!("an instruction that is not expected: {code:#x}"),
            }
        }
    }

    /// The numbers are those that the C library has for the target; what they mean to its kernel shows only there.
    #[test]
    fn calls_are_judged_by_the_numbers_of_the_target() {
        let eperm = answer(libc::EPERM);
        let here = |number, arguments| ask(ARCHITECTURE, number, arguments);
        for &number in DENIED.iter().chain(DENIED_HERE) {
            assert_eq!(here(number, [0; 3]), eperm, "{number}");
        }
        for number in [libc::SYS_read, libc::SYS_openat, libc::SYS_execve, libc::SYS_futex, libc::SYS_getpid]
        {
            assert_eq!(here(number, [1; 3]), ALLOW, "{number}");
            assert_eq!(ask(ARCHITECTURE ^ 1, number, [1; 3]), KILL_PROCESS, "{number}");
        }
        assert_eq!(here(libc::SYS_clone3, [0; 3]), answer(libc::ENOSYS));
        for call in [libc::SYS_clone, libc::SYS_unshare] {
            assert_eq!(here(call, [libc::CLONE_NEWUSER as u32, 0, 0]), eperm);
        }
        assert_eq!(here(libc::SYS_clone, [libc::CLONE_VM as u32, 0, 0]), ALLOW);
        for &(call, whom) in DENIED_TO_INIT.iter().chain(&[(libc::SYS_prlimit64, 0)]) {
            let mut arguments = [7; 3];
            assert_eq!(here(call, arguments), ALLOW, "{call}");
            arguments[whom as usize] = 1;
            assert_eq!(here(call, arguments), eperm, "{call}");
        }
        let socket = |family: i32, protocol: i32| here(libc::SYS_socket, [family as u32, 0, protocol as u32]);
        assert_eq!(socket(libc::AF_INET6, 0), ALLOW);
        assert_eq!(socket(libc::AF_NETLINK, libc::NETLINK_ROUTE), ALLOW);
        assert_eq!(socket(libc::AF_NETLINK, libc::NETLINK_AUDIT), eperm);
        assert_eq!(socket(libc::AF_PACKET, 0), eperm);
        assert_eq!(here(libc::SYS_ioctl, [0, libc::TIOCSTI as u32, 0]), answer(libc::ENOTTY));
    }
}
