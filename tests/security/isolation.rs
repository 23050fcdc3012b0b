//! Walls: what of the host, of the service and of other functions a hostile function can see, read, write, signal,
//! trace, call or reach.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process::{Command, Stdio};

use hearth_tests::{eventually, reports};
use nix::libc::{self, c_long};

use crate::hostile::{Attack, CANARY, Calm, Host, Language, attack, in_each_language};
use crate::leftovers::Traces;

/// No such thing, or not for you.
const UNSEEN: &str = "ENOENT|EACCES|EPERM";
const READ_ONLY: &str = "EROFS|EACCES";
const NOBODY: &str = "ESRCH|EPERM";

in_each_language! {
    fn case_077_082_foreign_processes_can_neither_be_seen_nor_read_nor_traced(host: &Host) {
        let (server, neighbour) = (u64::from(host.server.pid()), host.neighbour_pid());
        // Its own number may be any; it is the only one that it sees.
        let own = host.attack(&["pids"]).remove(0);
        assert!(!own.contains(',') && own != "1", "sees processes {own}");
        let mut table = vec![
            attack(82, call(libc::SYS_ptrace, "0 0 0 0"), "EPERM"), // PTRACE_TRACEME
            attack(82, call(libc::SYS_ptrace, "16 1 0 0"), "EPERM"), // PTRACE_ATTACH
            attack(82, call(libc::SYS_ptrace, "0x4206 1 0 0"), "EPERM"), // PTRACE_SEIZE
            attack(82, call(libc::SYS_process_vm_readv, "1 @ 1 @ 1 0"), "EPERM"),
            attack(82, call(libc::SYS_process_vm_writev, "1 @ 1 @ 1 0"), "EPERM"),
            attack(82, call(libc::SYS_process_madvise, "0 @ 1 4 0"), "EPERM"),
            attack(82, call(libc::SYS_pidfd_getfd, "0 0 0"), "EPERM"),
            attack(82, call(libc::SYS_kcmp, "1 1 0 0 0"), "EPERM"),
            attack(82, call(libc::SYS_move_pages, "1 0 0 0 0 0"), "EPERM"),
        ];
        for pid in [1, server, neighbour] {
            for name in ["environ", "cmdline", "mem", "maps", "exe", "root", "cwd", "fd", "ns/net", "status", "stack"] {
                table.push(attack(77, format!("open /proc/{pid}/{name} r"), UNSEEN));
            }
            table.push(attack(77, format!("open /proc/{pid}/root/etc/shadow r"), UNSEEN));
            table.push(attack(82, format!("open /proc/{pid}/mem w"), UNSEEN));
            table.push(attack(82, format!("setns /proc/{pid}/ns/mnt"), UNSEEN));
        }
        host.expect(&table);
        host.leaves_nothing();
    }

    fn case_083_signals_reach_nobody_but_the_own_environment(host: &Host) {
        let mut table = vec![
            attack(83, "kill 1 9", "EPERM"),
            attack(83, "kill 1 19", "EPERM"),
            attack(83, "kill -1 9", NOBODY),
            attack(83, "hunt 33000", "0"),
            attack(83, call(libc::SYS_tkill, "1 9"), "EPERM"),
        ];
        for pid in [u64::from(host.server.pid()), host.neighbour_pid()] {
            table.push(attack(83, format!("kill {pid} 9"), "ESRCH"));
            table.push(attack(83, format!("kill -{pid} 9"), "ESRCH"));
        }
        host.expect(&table);
        // Its own group: it kills itself, and the next call begins anew.
        let calm = Calm::of(host);
        let error = host.call("kill 0 9").function_error();
        assert!(error.contains("Runtime.ExitError") && error.contains("signal: killed"), "{error}");
        calm.goes_on(host);
        host.leaves_nothing();
    }

    fn case_078_079_nothing_of_the_host_can_be_read_and_nothing_but_tmp_written(host: &Host) {
        let data = host.server.data_dir().path().display().to_string();
        let mut table = Vec::new();
        let places = ["", "/var/task", "/opt", "/var/runtime", "/var", "/etc", "/usr", "/usr/bin", "/usr/lib", "/dev",
            "/home", "/mnt", "/run", "/proc"];
        for place in places {
            let expected = if place == "/proc" { "EROFS|EACCES|ENOENT" } else { READ_ONLY };
            table.push(attack(78, format!("open {place}/new c"), expected));
        }
        for file in ["/etc/passwd", "/usr/bin/env", "/var/task/native", "/etc/resolv.conf", "/proc/sys/kernel/core_pattern",
            "/proc/sys/kernel/hostname", "/proc/sys/vm/overcommit_memory", "/proc/sys/fs/file-max",
            "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/ns_last_pid"] {
            table.push(attack(78, format!("open {file} w"), "EROFS|EACCES|ENOENT"));
        }
        // The shell's programs are the host's files: no mode, owner, time or attribute of them changes.
        table.push(attack(78, call(libc::SYS_fchmodat, "-100 '/usr/bin/env 0x1ff"), "EROFS|EPERM"));
        table.push(attack(78, call(libc::SYS_fchownat, "-100 '/usr/bin/env 0 0 0"), "EROFS|EPERM"));
        table.push(attack(78, call(libc::SYS_unlinkat, "-100 '/var/task/native 0"), READ_ONLY));
        table.push(attack(78, call(libc::SYS_renameat2, "-100 '/var/task/native -100 '/var/task/other 0"), READ_ONLY));
        table.push(attack(78, call(libc::SYS_linkat, "-100 '/usr/bin/env -100 '/tmp/env 0"), "EXDEV|EPERM"));
        table.push(attack(78, call(libc::SYS_setxattr, "'/var/task/native 'user.x 'y 1 0"), "EROFS|EACCES|EPERM"));
        table.push(attack(78, "write /proc/self/oom_score_adj -1000", "EACCES"));
        if has_capability(CAP_SYS_RESOURCE) {
            table.push(attack(78, "write /proc/self/oom_score_adj 0", "EACCES"));
        } else {
            eprintln!("not tried: the floor of the OOM score, for which this machine's root has no CAP_SYS_RESOURCE");
        }
        table.push(attack(78, "write /proc/sysrq-trigger b", "EACCES|EROFS|ENOENT"));
        for hidden in ["/etc/shadow", "/etc/gshadow", "/etc/ssh", "/etc/sudoers", "/root", "/home/x", "/boot", "/sys", "/sys/fs/cgroup",
            "/dev/shm", "/dev/mqueue", "/dev/mem", "/dev/kmsg", "/dev/vda", "/dev/sda", "/dev/loop-control", "/dev/fuse",
            "/dev/net/tun", "/dev/kvm", "/dev/userfaultfd", "/var/lib", "/var/log", "/run/docker.sock", "/run/systemd",
            "/proc/kcore", "/proc/kallsyms", "/proc/keys", "/proc/timer_list", "/proc/1/root",
            "/proc/sys/fs/binfmt_misc/register"] {
            // What is covered shows an empty device or folder, which can be opened.
            let is_covered = ["/proc/kcore", "/proc/kallsyms", "/proc/keys", "/proc/timer_list"].contains(&hidden);
            let expected = if is_covered { "works|ENOENT|EACCES|EPERM" } else { UNSEEN };
            table.push(attack(79, format!("open {hidden} r"), expected));
            if is_covered {
                table.push(attack(79, format!("grep {hidden} x"), "absent|ENOENT|EACCES|EPERM"));
            }
        }
        // The folder itself may be there, around the runtime client.
        for own in ["/hearth.db", "/hearth.lock", "/objects", "/trees", "/logs", "/run", "/boot-id"] {
            table.push(attack(79, format!("open {data}{own} r"), UNSEEN));
        }
        for (link, target) in [("a", "/etc/shadow".to_owned()), ("b", format!("{data}/hearth.db")), ("c", "/proc/1/root".into()),
            ("d", "../../../../../../root".into())] {
            table.push(attack(79, format!("link {target} /tmp/{link}"), "works"));
            table.push(attack(79, format!("open /tmp/{link} r"), UNSEEN));
        }
        table.push(attack(79, "open /tmp/c/etc/shadow r", UNSEEN));
        table.push(attack(79, "open /tmp/../../../../../etc/shadow r", UNSEEN));
        table.push(attack(79, "open /proc/self/root/etc/shadow r", UNSEEN));
        table.push(attack(79, "open /proc/self/cwd/../../etc/shadow r", UNSEEN));
        // What it writes itself is its own.
        table.push(attack(78, "open /tmp/own r", "ENOENT"));
        table.push(attack(78, "write /tmp/own mine", "works"));
        host.expect(&table);
        let opened = format!("{data}/run");
        assert!(fs::read_dir(&opened).unwrap().count() >= 2, "both environments have a folder");
        host.leaves_nothing();
    }

    fn case_080_081_087_forbidden_calls_are_refused(host: &Host) {
        host.expect(&forbidden_calls());
        host.leaves_nothing();
    }

    fn case_084_085_no_address_of_the_host_and_no_api_can_be_reached(host: &Host) {
        let everywhere = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = everywhere.local_addr().unwrap().port();
        let everywhere_v6 = TcpListener::bind("[::]:0");
        let api = host.server.address().port();
        let name = format!("hearth-test-{}-{:?}", std::process::id(), host.language);
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let _abstract = UnixListener::bind_addr(&address).unwrap();
        let path = host.server.data_dir().path().join("socket");
        let _named = UnixListener::bind(&path).unwrap();

        const CLOSED: &str = "ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|EACCES|EPERM";
        let mut table = vec![
            attack(84, format!("connect 127.0.0.1 {api}"), CLOSED),
            attack(84, format!("connect 127.0.0.1 {port}"), CLOSED),
            attack(84, format!("connect 127.0.0.2 {port}"), CLOSED),
            attack(84, format!("connect 0.0.0.0 {port}"), CLOSED),
            attack(85, "connect 169.254.169.254 80", CLOSED),
            attack(84, format!("http 127.0.0.1 {api} /2015-03-31/functions"), CLOSED),
            attack(84, format!("http 127.0.0.1 {api} /_hearth/environments"), CLOSED),
            // Where functions find AWS's API, if there is one: without their keys it is closed, and never Hearth's own.
            attack(84, "http 127.0.0.2 9002 /2015-03-31/functions", "ECONNREFUSED|403"),
            attack(84, "http 127.0.0.2 9002 /_hearth/environments", "ECONNREFUSED|403|404"),
            // The Runtime API has nothing of it either.
            attack(84, "http 127.0.0.1 9001 /2015-03-31/functions", "404"),
            attack(84, "http 127.0.0.1 9001 /_hearth/environments", "404"),
            attack(85, "connect 169.254.170.2 80", CLOSED),
            attack(85, "connect fe80::1 80", "ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|EINVAL|EADDRNOTAVAIL|EACCES|EPERM"),
            attack(84, format!("unix @{name}"), "ECONNREFUSED|EPERM"),
            attack(84, format!("unix {}", path.display()), UNSEEN),
            attack(84, "unix /run/docker.sock", UNSEEN),
            attack(84, "unix /run/systemd/private", UNSEEN),
        ];
        for address in addresses_of_this_host() {
            table.push(attack(85, format!("connect {address} {port}"), CLOSED));
            table.push(attack(84, format!("connect {address} {api}"), CLOSED));
        }
        if let Ok(listener) = &everywhere_v6 {
            let port = listener.local_addr().unwrap().port();
            table.push(attack(85, format!("connect ::1 {port}"), "ECONNREFUSED|ENETUNREACH|EADDRNOTAVAIL|EACCES|EPERM"));
        }
        host.expect(&table);
        everywhere.set_nonblocking(true).unwrap();
        assert!(everywhere.accept().is_err(), "somebody has connected");
        let functions = host.server.http("GET", "/2015-03-31/functions", b"").json();
        assert_eq!(functions["Functions"].as_array().unwrap().len(), 2, "{functions}");
        host.leaves_nothing();
    }

    fn case_086_the_servers_secrets_are_nowhere(host: &Host) {
        // Its own variables and output, the server's log, errors, and the logs of the function.
        host.expect(&[
            attack(86, "grep /proc/self/environ CANARY", "absent"),
            attack(86, "grep /proc/self/cmdline CANARY", "absent"),
            attack(86, "run /usr/bin/printenv CANARY", ""),
            attack(86, "run /usr/bin/printenv SECRET", ""),
        ]);
        let whole = host.call("run /bin/sh -c env|tr\\n_").text() + &host.call("kill 0 9").function_error();
        assert!(!whole.contains(CANARY), "{whole}");
        let logs = host.hostile().logs_until("a REPORT line", |events| !reports(events).is_empty());
        assert!(!logs.iter().any(|event| event.message.contains(CANARY)), "{logs:#?}");
        host.server.http("POST", "/2015-03-31/functions/CANARY/invocations", b"{}");
        assert!(!host.server.stderr().contains(CANARY), "{}", host.server.stderr());
        host.leaves_nothing();
    }

    fn case_088_there_is_no_terminal(host: &Host) {
        let mut table: Vec<Attack> = ["/dev/tty", "/dev/ptmx", "/dev/console", "/dev/tty0", "/dev/pts", "/dev/pts/0"]
            .map(|terminal| attack(88, format!("open {terminal} r"), "ENOENT"))
            .into();
        for fd in 0..3 {
            for request in [libc::TIOCSTI, 0x541c /* TIOCLINUX */, libc::TIOCSCTTY, libc::TIOCCONS] {
                table.push(attack(88, call(libc::SYS_ioctl, &format!("{fd} {request} 'x")), "ENOTTY"));
            }
            // The upper half of the number is none of the kernel's business, nor may it be of the filter's.
            let padded = 0x1_0000_0000 | u64::from(libc::TIOCSTI as u32);
            table.push(attack(88, call(libc::SYS_ioctl, &format!("{fd} {padded} 'x")), "ENOTTY"));
        }
        table.push(attack(88, call(libc::SYS_vhangup, ""), "EPERM"));
        host.expect(&table);
        host.leaves_nothing();
    }

    fn case_089_090_no_program_gains_anything_and_no_process_is_the_hosts_root(host: &Host) {
        let zeros = "0000000000000000";
        let mut table: Vec<Attack> = ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"]
            .map(|set| attack(89, format!("grep /proc/self/status {set}"), zeros))
            .into();
        table.extend([
            attack(89, "grep /proc/self/status NoNewPrivs:", "1"),
            attack(89, "grep /proc/self/status Seccomp:", "2"),
            attack(89, "grep /proc/self/status Groups:", ""),
            attack(89, call(libc::SYS_setuid, "0"), "EPERM"),
            attack(89, call(libc::SYS_setresuid, "0 0 0"), "EPERM"),
            attack(89, call(libc::SYS_setresgid, "0 0 0"), "EPERM"),
            attack(89, call(libc::SYS_setgroups, "1 @0"), "EPERM"),
            attack(89, call(libc::SYS_setfsuid, "0"), "works"), // answers who it was, and changes nothing
            attack(89, call(libc::SYS_capset, "@0x20080522 @0xffffffff"), "EPERM|works"),
            attack(89, "grep /proc/self/status CapEff:", zeros),
            attack(89, call(libc::SYS_prctl, "24 0 0 0 0"), "EPERM"), // PR_CAPBSET_DROP
            attack(89, call(libc::SYS_prctl, "47 2 21 0 0"), "EPERM"), // PR_CAP_AMBIENT_RAISE of CAP_SYS_ADMIN
            attack(89, "memfd", "[_0000000000000000_]"),
            // Files with capabilities cannot be made, and a set-user-id bit of its own file makes nobody else of it.
            attack(89, "write /tmp/program x", "works"),
            attack(89, call(libc::SYS_setxattr, "'/tmp/program 'security.capability @0x2000001 20 0"), "EPERM"),
            attack(89, call(libc::SYS_fchownat, "-100 '/tmp/program 0 0 0"), "EPERM"),
            attack(81, call(libc::SYS_mknodat, "-100 '/tmp/disk 0x6180 0xfe00"), "EPERM"),
        ]);
        host.expect(&table);
        // Programs of the host with the bit: what they run as is who started them.
        let uid = host.attack(&["run ./id -u", "run /usr/bin/id -u", "grep /proc/self/status Uid:"]);
        assert!(uid[0] == uid[1] && uid[2].split_whitespace().all(|each| each == uid[0]), "{uid:?}");
        assert_ne!(uid[0], "0");
        // Who they are for the host: neither root nor the server's user, and not the neighbour's.
        let hostile = Traces::of(&host.server, "hostile");
        let neighbour = Traces::of(&host.server, "neighbour");
        let (hostile, neighbour) = (hostile.users(), neighbour.users());
        assert_eq!((hostile.len(), neighbour.len()), (1, 1));
        assert!(hostile.is_disjoint(neighbour), "{hostile:?} {neighbour:?}");
        assert!(!hostile.contains(&0) && !neighbour.contains(&0));
        host.leaves_nothing();
    }

    fn case_091_a_crash_with_core_files_wanted_leaves_none(host: &Host) {
        let calm = Calm::of(host);
        let before = core_files(host);
        let error = host.call("crash").function_error();
        assert!(error.contains("signal: segmentation fault"), "{error}");
        assert!(!error.contains("core dumped"), "{error}");
        let tmp = host.attack(&["list /tmp", "list /var/task"]);
        assert!(!tmp.iter().any(|names| names.split(',').any(|name| name.starts_with("core"))), "{tmp:?}");
        assert_eq!(core_files(host), before);
        calm.goes_on(host);
        // Where the host hands cores to a program, a limit of 0 does not stop the kernel; one byte does. Whoever lowers it
        // is told that it is done.
        host.expect(&[
            attack(91, "grep /proc/self/limits Max~core~file~size", "1                    1                    bytes"),
            attack(91, call(libc::SYS_prlimit64, "0 4 @0 0"), "works"),
            attack(91, call(libc::SYS_prlimit64, "0 4 @0xffffffffffffffff 0"), "works"),
            attack(91, "raise 4", "works"),
            attack(91, "grep /proc/self/limits Max~core~file~size", "1                    1                    bytes"),
        ]);
        host.leaves_nothing();
    }

    fn limits_stay_and_nothing_is_inherited(host: &Host) {
        let limits = [
            libc::RLIMIT_NOFILE,
            libc::RLIMIT_NPROC,
            libc::RLIMIT_MEMLOCK,
            libc::RLIMIT_NICE,
            libc::RLIMIT_RTPRIO,
        ];
        let mut table: Vec<Attack> =
            limits.map(|limit| attack(66, format!("raise {limit}"), "EPERM")).into();
        table.push(attack(67, call(libc::SYS_setpriority, "0 0 -5"), "EACCES|EPERM"));
        table.push(attack(67, call(libc::SYS_sched_setscheduler, "0 1 @1"), "EPERM"));
        host.expect(&table);
        let found = host.attack(&["fds"]).remove(0);
        for descriptor in found.split(',') {
            let (_, target) = descriptor.split_once('=').unwrap();
            let is_own = target == "/dev/null"
                || ["pipe:", "socket:", "anon_inode:"].iter().any(|kind| target.starts_with(kind));
            assert!(is_own, "{descriptor} of {found}");
        }
        host.leaves_nothing();
    }

    fn ipc_objects_of_the_host_are_not_there(host: &Host) {
        let segment = Segment::new();
        host.expect(&[
            attack(79, call(libc::SYS_shmat, &format!("{} 0 0", segment.id)), "EINVAL|EIDRM"),
            attack(79, call(libc::SYS_shmctl, &format!("{} 0 0", segment.id)), "EINVAL|EIDRM"),
            attack(79, call(libc::SYS_mq_open, "'hostile 0 0 0"), "ENOENT"),
            attack(79, call(libc::SYS_keyctl, "0 -3 0 0 0"), "EPERM"),
            attack(79, call(libc::SYS_add_key, "'user 'name 'x 1 -3"), "EPERM"),
            attack(79, "grep /proc/sysvipc/shm x", "absent|ENOENT|EACCES"),
        ]);
        host.leaves_nothing();
    }
}

/// A system call by its number, as programs make it that bring everything along.
fn call(number: c_long, arguments: &str) -> String {
    format!("syscall {number} {arguments}").trim_end().to_owned()
}

/// Calls that no function may make: each would undo a wall or reach what namespaces do not divide.
fn forbidden_calls() -> Vec<Attack> {
    let denied = |case: u16, number: c_long, arguments: &str| attack(case, call(number, arguments), "EPERM");
    let mut table = vec![
        denied(81, libc::SYS_mount, "'none '/tmp 'tmpfs 0 0"),
        denied(81, libc::SYS_mount, "'/usr '/tmp 'x 4096 0"),
        denied(81, libc::SYS_umount2, "'/proc 2"),
        denied(81, libc::SYS_pivot_root, "'/tmp '/tmp"),
        denied(81, libc::SYS_chroot, "'/tmp"),
        denied(81, libc::SYS_open_tree, "-100 '/ 1"),
        denied(81, OPEN_TREE_ATTR, "-100 '/ 1 0 0"),
        denied(81, libc::SYS_move_mount, "-100 '/ -100 '/tmp 0"),
        denied(81, libc::SYS_fsopen, "'tmpfs 0"),
        denied(81, libc::SYS_fsconfig, "0 0 0 0 0"),
        denied(81, libc::SYS_fsmount, "0 0 0"),
        denied(81, libc::SYS_fspick, "-100 '/ 0"),
        denied(81, libc::SYS_mount_setattr, "-100 '/ 0 @0 32"),
        denied(81, libc::SYS_setns, "0 0"),
        denied(81, libc::SYS_mknodat, "-100 '/tmp/block 0x6180 0xfe00"),
        denied(81, libc::SYS_mknodat, "-100 '/tmp/character 0x2180 0x0101"),
        denied(81, libc::SYS_open_by_handle_at, "-100 @8 0"),
        denied(81, libc::SYS_name_to_handle_at, "-100 '/ @8 @0 0"),
        denied(81, libc::SYS_fanotify_init, "0 0"),
        denied(81, libc::SYS_quotactl, "0 'x 0 0"),
        denied(81, libc::SYS_bpf, "0 @0 64"),
        denied(81, libc::SYS_perf_event_open, "@0 0 -1 -1 0"),
        denied(81, libc::SYS_io_uring_setup, "8 @0"),
        denied(81, libc::SYS_io_uring_enter, "0 0 0 0 0"),
        denied(81, libc::SYS_io_uring_register, "0 0 0 0"),
        denied(81, libc::SYS_userfaultfd, "1"),
        denied(81, libc::SYS_memfd_secret, "0"),
        denied(81, libc::SYS_keyctl, "1 'x 0 0 0"),
        denied(81, libc::SYS_request_key, "'user 'x 0 -3"),
        denied(81, libc::SYS_kexec_load, "0 0 0 0"),
        denied(81, libc::SYS_kexec_file_load, "0 0 0 0 0"),
        denied(81, libc::SYS_init_module, "@0 8 '"),
        denied(81, libc::SYS_finit_module, "0 ' 0"),
        denied(81, libc::SYS_delete_module, "'none 2048"),
        denied(81, libc::SYS_syslog, "3 @0 100"),
        denied(87, libc::SYS_clock_settime, "0 @0"),
        denied(87, libc::SYS_settimeofday, "@0 0"),
        denied(87, libc::SYS_clock_adjtime, "0 @1"),
        denied(87, libc::SYS_adjtimex, "@1"),
        denied(87, libc::SYS_reboot, "0xfee1dead 672274793 0x89abcdef 0"), // switches Ctrl-Alt-Del on: harmless should it work
        denied(87, libc::SYS_swapon, "'/tmp/x 0"),
        denied(87, libc::SYS_swapoff, "'/tmp/x"),
        denied(87, libc::SYS_sethostname, "'owned 5"),
        denied(87, libc::SYS_setdomainname, "'owned 5"),
        denied(87, libc::SYS_acct, "'/tmp/x"),
        denied(80, libc::SYS_socket, "2 3 1"), // raw
        attack(80, "socket 2 3 255", "EPERM"),
        attack(80, "socket 10 3 58", "EPERM"),
        attack(80, "socket 17 3 768", "EPERM"), // packets
        attack(80, "socket 17 2 768", "EPERM"),
        attack(80, "socket 16 3 9", "EPERM"),  // netlink: audit
        attack(80, "socket 16 3 12", "EPERM"), // netfilter
        attack(80, "socket 16 3 15", "EPERM"), // events of devices
        attack(80, "socket 16 3 4", "EPERM"),  // who listens where
        attack(80, "socket 40 1 0", "EPERM"),  // to the hypervisor
        attack(80, "socket 38 5 0", "EPERM"),  // ciphers of the kernel
        attack(80, "socket 31 3 1", "EPERM|EAFNOSUPPORT"), // Bluetooth
        attack(80, "socket 44 3 0", "EPERM|EAFNOSUPPORT"), // XDP
        // The flags of `clone3` are out of the filter's sight: there is no such call. Libraries use `clone` then.
        attack(81, call(libc::SYS_clone3, "@0x10000000 64"), "ENOSYS"),
        attack(81, call(libc::SYS_clone3, "@0x80 88"), "ENOSYS"),
        attack(81, "setns /proc/self/ns/net", "EPERM"),
        attack(81, "setns /proc/self/ns/user", "EPERM"),
        attack(81, "setns /proc/self/ns/mnt", "EPERM"),
        attack(81, "setns /proc/self/ns/pid", "EPERM"),
        // The way to the namespaces around, by a descriptor of the own ones.
        attack(81, call(libc::SYS_capget, "@0x20080522 0"), "works"),
    ];
    let namespaces = [
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWCGROUP,
    ];
    for flag in namespaces {
        table.push(denied(81, libc::SYS_unshare, &flag.to_string()));
        table.push(denied(81, libc::SYS_clone, &format!("{} 0 0 0 0", flag | libc::SIGCHLD)));
        // Flags are 32 bits for `clone`; what stands above must not hide them.
        table.push(denied(
            81,
            libc::SYS_clone,
            &format!("{} 0 0 0 0", 1_i64 << 32 | i64::from(flag | libc::SIGCHLD)),
        ));
    }
    table.push(denied(81, libc::SYS_unshare, "0x80")); // time
    table.push(denied(81, libc::SYS_unshare, &(libc::CLONE_NEWUSER | libc::CLONE_NEWNS).to_string()));
    #[cfg(target_arch = "x86_64")]
    table.extend([
        // The same calls under the numbers of other programs: of x32, and of 32 bits, which end the process.
        denied(81, 0x4000_0000 | libc::SYS_getpid, ""),
        denied(81, 0x4000_0000 | libc::SYS_mount, "'none '/tmp 'tmpfs 0 0"),
        denied(81, 0x4000_0000 | 521, "0 0 0 0"), // x32 has a ptrace of its own
        denied(87, libc::SYS_iopl, "3"),
        denied(87, libc::SYS_ioperm, "0 1 1"),
        denied(81, libc::SYS_modify_ldt, "1 @0 16"),
        attack(81, "int80", "SYS"),
    ]);
    table
}

/// Newer than our C library's list; the same on all architectures. Like `open_tree`, with attributes.
const OPEN_TREE_ATTR: c_long = 467;

const CAP_SYS_RESOURCE: u32 = 24;

/// Whether the server, which is started by this process, has a capability.
fn has_capability(number: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
    u64::from_str_radix(effective.trim(), 16).unwrap() >> number & 1 == 1
}

fn addresses_of_this_host() -> BTreeSet<String> {
    let output = Command::new("hostname").arg("-I").output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    output.split_whitespace().filter(|address| !address.contains(':')).map(str::to_owned).collect()
}

/// What looks like a core file where the server or the function could have left one.
fn core_files(host: &Host) -> Vec<String> {
    let mut found = Vec::new();
    for folder in [
        host.server.data_dir().path().to_str().unwrap(),
        "/",
        "/tmp",
        "/var/crash",
        "/var/lib/systemd/coredump",
    ] {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        found.extend(
            names
                .filter(|name| name == "core" || name.starts_with("core."))
                .map(|name| format!("{folder}/{name}")),
        );
    }
    found.sort();
    found
}

/// Memory that processes of the host share, removed when dropped.
struct Segment {
    id: String,
}

impl Segment {
    fn new() -> Self {
        let output = Command::new("ipcmk").args(["-M", "4096"]).output().unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        let id = output.rsplit(' ').next().unwrap().trim().to_owned();
        Self { id }
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        let removed = Command::new("ipcrm").args(["-m", &self.id]).stdout(Stdio::null()).status();
        eventually("the segment is removed", || {
            removed.as_ref().is_ok_and(|status| status.success()).then_some(())
        });
    }
}
