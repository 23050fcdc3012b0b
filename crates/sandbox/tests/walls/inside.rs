//! What a hostile program finds around itself: files, limits, other processes, the kernel.

use std::os::unix::fs::PermissionsExt as _;

use hearth_sandbox::{ExitStatus, Output, ProcessId, SandboxEvent, SandboxPlan, Sandboxes};
use hearth_types::EnvironmentId;

use crate::RUNTIME;
use crate::host::{Host, answers, command, finish, next, python, run};
use crate::without_root::is_root;

pub(crate) async fn a_function_finds_lambdas_places(host: &Host) {
    std::fs::write(host.folder("code/app.txt"), "code").unwrap();
    std::fs::create_dir_all(host.folder("layers/extensions")).unwrap();
    std::fs::write(host.folder("layers/extensions/one"), "layer").unwrap();
    std::fs::create_dir_all(host.folder("client")).unwrap();
    std::fs::write(host.folder("client/bootstrap.py"), "client").unwrap();
    let sandboxes = host.sandboxes().await;
    let client = host.folder("client");
    let plan = SandboxPlan {
        layers: Some(host.folder("layers")),
        runtime_files: vec![client.clone()],
        ..host.plan()
    };
    let sandbox = sandboxes.create(EnvironmentId::random(), &plan).await.unwrap();
    let script = format!(
        "pwd; id -un; hostname; cat app.txt /opt/extensions/one {}/bootstrap.py; echo; ls /dev; ls -A /var/runtime; \
         echo x > /tmp/x && cat /tmp/x; echo y > /dev/stdout; getent hosts sandbox.localdomain; date +%Z",
        client.display()
    );
    let output = run(&*sandbox, &command("/bin/sh", &["-c", &script])).await;
    let devices = "fd\nfull\nnull\nrandom\nstderr\nstdin\nstdout\nurandom\nzero\n";
    let expected = format!(
        "/var/task\nsbx_user1051\nsandbox\ncodelayerclient\n{devices}x\ny\n\
         127.0.0.1       localhost sandbox.localdomain sandbox\nUTC\n"
    );
    assert_eq!(output, expected);
}

pub(crate) async fn case_063_071(host: &Host) {
    let sandboxes = host.sandboxes().await;
    let sandbox = sandboxes.create(EnvironmentId::random(), &host.plan()).await.unwrap();
    let bomb = "
made = 0
while True:
    try:
        if os.fork() == 0:
            signal.pause()
    except OSError as error:
        print(made, errno.errorcode[error.errno], flush=True)
        break
    made += 1
import _thread
try:
    _thread.start_new_thread(signal.pause, ())
    print('a thread', flush=True)
except RuntimeError:
    print('no thread', flush=True)
os._exit(0)
";
    let output = run(&*sandbox, &python(bomb)).await;
    let (made, rest) = output.split_once(' ').unwrap();
    assert!((1_000..1_024).contains(&made.parse().unwrap()) && rest == "EAGAIN\nno thread\n", "{output}");
    // Only this environment is full.
    let other = sandboxes.create(EnvironmentId::random(), &host.plan()).await.unwrap();
    assert_eq!(run(&*other, &command("/bin/sh", &["-c", "echo $(echo fine)"])).await, "fine\n");
    sandbox.kill_all().unwrap();
    assert_eq!(next(&*sandbox).await, SandboxEvent::AllGone);
    assert_eq!(run(&*sandbox, &command("/bin/sh", &["-c", "echo $(echo fine)"])).await, "fine\n");
}

pub(crate) async fn case_065(host: &Host) {
    let sandboxes = host.sandboxes().await;
    let plan = SandboxPlan { ephemeral_storage_mb: 16, ..host.plan() };
    let fill = "
written = 0
with open('/tmp/full', 'wb', buffering=0) as file:
    try:
        while written < 64 << 20:
            written += file.write(bytes(1 << 20))
    except OSError as error:
        print(written >> 20, errno.errorcode[error.errno])
";
    for _ in 0..2 {
        let sandbox = sandboxes.create(EnvironmentId::random(), &plan).await.unwrap();
        assert_eq!(run(&*sandbox, &python(fill)).await, "16 ENOSPC\n");
    }
}

pub(crate) async fn case_066_091(host: &Host) {
    let sandboxes = host.sandboxes().await;
    let sandbox = sandboxes.create(EnvironmentId::random(), &host.plan()).await.unwrap();
    let script = "
import resource
files = []
try:
    while True:
        files.append(os.open('/dev/null', os.O_RDONLY))
except OSError as error:
    print(errno.errorcode[error.errno], max(files))
os.closerange(100, 1024)
for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE, resource.RLIMIT_NPROC):
    before = resource.getrlimit(limit)
    for wanted in (4096, 0):
        try:
            # The limit of cores answers that this is done, and stays all the same.
            resource.setrlimit(limit, (wanted, before[1] if wanted == 0 and limit != resource.RLIMIT_CORE else wanted))
        except ValueError:
            pass
    after = resource.getrlimit(limit)
    print('stays' if after[1] == before[1] and (limit != resource.RLIMIT_CORE or after == (1, 1)) else after)
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGSEGV)
";
    let (status, output) = finish(&*sandbox, &python(script)).await;
    assert_eq!(output, "EMFILE 1023\nstays\nstays\nstays\n");
    assert_eq!(status, ExitStatus::Signal { signal: 11, core_dumped: false });
}

pub(crate) async fn case_077_082_083(host: &Host) {
    let sandboxes = host.sandboxes().await;
    let other = sandboxes.create(EnvironmentId::random(), &host.plan()).await.unwrap();
    let sleeping = command("/bin/sleep", &["1000"]);
    other.start(RUNTIME, &sleeping, Output::Shared).unwrap();
    assert_eq!(next(&*other).await, SandboxEvent::Started { process: RUNTIME });
    let mut of_host = std::process::Command::new("sleep").arg("1000").spawn().unwrap();

    let sandbox = sandboxes.create(EnvironmentId::random(), &host.plan()).await.unwrap();
    let script = format!(
        "
print('seen', [pid for pid in os.listdir('/proc') if pid.isdigit() and int(pid) != os.getpid()] or 'nobody')
for name in ('environ', 'mem', 'root', 'exe', 'maps'):
    print('/proc/1/' + name, attempt(lambda: os.open('/proc/1/' + name, os.O_RDONLY)))
print('ptrace', call(101, 16, 1, 0, 0))
print('process_vm_readv', call(310, 1, 0, 0, 0, 0, 0))
print('process_vm_writev', call(311, 1, 0, 0, 0, 0, 0))
print('pidfd_getfd', call(438, 0, 0, 0))
print('parent', attempt(lambda: os.kill(os.getppid(), signal.SIGKILL)))
for pid in [1, {}, {}]:
    print('kill', pid, attempt(lambda: os.kill(pid, signal.SIGKILL)))
print('everybody', attempt(lambda: os.kill(-1, signal.SIGKILL)))
others = 0
for pid in range(1, 70000):
    if pid != os.getpid():
        others += attempt(lambda: os.kill(pid, signal.SIGKILL)) == 'works'
print('hit', others)
",
        other.pid(RUNTIME).unwrap(),
        of_host.id()
    );
    let found = answers(&*sandbox, &script).await;
    let allowed = ["EPERM", "ESRCH", "ENOENT", "EACCES", "nobody", "0"];
    assert!(found.len() > 10 && found.values().all(|answer| allowed.contains(&answer.as_str())), "{found:?}");
    assert!(of_host.try_wait().unwrap().is_none());
    assert!(std::fs::exists(format!("/proc/{}/stat", other.pid(RUNTIME).unwrap())).unwrap());
    of_host.kill().unwrap();
    of_host.wait().unwrap();
}

pub(crate) async fn case_078_079(host: &Host) {
    let secret = host.folder("secret");
    std::fs::write(&secret, "of the host").unwrap();
    std::fs::write(host.folder("code/own"), "code").unwrap();
    let sandboxes = host.sandboxes().await;
    let other = sandboxes.create(EnvironmentId::random(), &host.plan()).await.unwrap();
    run(&*other, &command("/bin/sh", &["-c", "echo mine > /tmp/theirs"])).await;
    let sandbox = sandboxes.create(EnvironmentId::random(), &host.plan()).await.unwrap();
    let script = format!(
        "
for folder in ('/', '/var/task', '/var/task/own', '/opt', '/var/runtime', '/etc', '/usr', '/usr/bin', '/dev', '/proc/sys/kernel'):
    target = folder if os.path.isfile(folder) else folder + '/new'
    print('write', folder, attempt(lambda: os.open(target, os.O_WRONLY | os.O_CREAT)))
print('write core_pattern', attempt(lambda: os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY)))
print('write sysrq', attempt(lambda: open('/proc/sys/kernel/sysrq', 'w')))
for file in ('/etc/shadow', '/root', '/home/x', '{}', '/proc/kcore', '/sys', '/dev/shm', '/run/x', '/tmp/theirs', '/dev/vda', '/dev/mem'):
    print('read', file, attempt(lambda: os.listdir(file) if os.path.isdir(file) else os.open(file, os.O_RDONLY)))
print('remount', call(165, b'none', b'/', b'', 32, 0))
",
        secret.display()
    );
    let found = answers(&*sandbox, &script).await;
    let is_refused = |(what, answer): (&String, &String)| match what.as_str() {
        // Covered by an empty device.
        "read /proc/kcore" => answer == "works" || answer == "ENOENT" || answer == "EACCES",
        _ => ["EROFS", "EACCES", "EPERM", "ENOENT"].contains(&answer.as_str()),
    };
    assert!(found.len() == 24 && found.iter().all(is_refused), "{found:?}");

    // Of all folders, /tmp is the only one that can be written to.
    let walk = "
import stat
found = set()
for folder, folders, files in os.walk('/'):
    if folder == '/proc':
        folders[:] = ['sys']
    if os.access(folder, os.W_OK):
        found.add(folder)
    for name in files:
        path = os.path.join(folder, name)
        if os.path.isfile(path) and not os.path.islink(path) and os.access(path, os.W_OK):
            found.add(path)
print(sorted(found))
";
    assert_eq!(run(&*sandbox, &python(walk)).await, "['/tmp']\n");
}

pub(crate) async fn case_080_081_087(host: &Host) {
    let sandboxes = host.sandboxes().await;
    let sandbox = sandboxes.create(EnvironmentId::random(), &host.plan()).await.unwrap();
    // Numbers of x86_64: the program is one of the function's own, not one of the C library's.
    let script = "
calls = dict(mount=165, umount2=166, pivot_root=155, chroot=161, reboot=169, sethostname=170, setdomainname=171,
    swapon=167, swapoff=168, init_module=175, delete_module=176, finit_module=313, kexec_load=246, kexec_file_load=320,
    clock_settime=227, settimeofday=164, acct=163, syslog=103, ioperm=173, iopl=172, ptrace=101, bpf=321, keyctl=250,
    add_key=248, request_key=249, userfaultfd=323, perf_event_open=298, io_uring_setup=425, open_by_handle_at=304,
    name_to_handle_at=303, setns=308, open_tree=428, move_mount=429, fsopen=430, fsmount=432, mount_setattr=442,
    fanotify_init=300, quotactl=179, kcmp=312, memfd_secret=447, move_pages=279)
for name, number in calls.items():
    print(name, call(number, 0, 0, 0, 0, 0, 0))
for name, flag in dict(user=0x10000000, mount=0x20000, pid=0x20000000, net=0x40000000, uts=0x4000000, ipc=0x8000000,
        cgroup=0x2000000, time=0x80).items():
    print('unshare', name, call(272, flag))
    if name != 'time':
        print('clone', name, call(56, flag | 17, 0, 0, 0, 0))
print('clone3', call(435, 0, 0))
print('x32 getpid', call(0x40000000 | 39))
print('mknod', attempt(lambda: os.mknod('/tmp/disk', 0o600 | 0o060000, os.makedev(254, 0))))
print('raw', attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)))
print('packet', attempt(lambda: socket.socket(17, socket.SOCK_RAW, 0)))
print('vsock', attempt(lambda: socket.socket(40, socket.SOCK_STREAM, 0)))
print('alg', attempt(lambda: socket.socket(38, socket.SOCK_SEQPACKET, 0)))
print('audit', attempt(lambda: socket.socket(16, socket.SOCK_RAW, 9)))
print('setuid', attempt(lambda: os.setuid(0)))
print('setgid', attempt(lambda: os.setgid(0)))
print('setgroups', attempt(lambda: os.setgroups([0])))
print('nice', attempt(lambda: os.nice(-5)))
";
    let found = answers(&*sandbox, script).await;
    let is_refused = |(what, answer): (&String, &String)| match what.as_str() {
        "clone3" => answer == "ENOSYS",
        // In the user namespace of a server without root there is no user 0.
        "setuid" | "setgid" if !is_root() => answer == "EINVAL",
        _ => answer == "EPERM",
    };
    assert!(found.len() > 60, "{found:?}");
    let let_through: Vec<_> = found.iter().filter(|found| !is_refused(*found)).collect();
    assert!(let_through.is_empty(), "{let_through:?}");
    // The calls of 32-bit programs have other numbers, and are not made at all: this is `getpid` of i386.
    let int_80 = "
import mmap
memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
memory.write(bytes.fromhex('b814000000cd80c3'))
code = ctypes.c_char.from_buffer(memory)
print('got', ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(code))())
";
    let (status, output) = finish(&*sandbox, &python(int_80)).await;
    let killed = ExitStatus::Signal { signal: 31, core_dumped: false };
    assert_eq!((status, output.as_str()), (killed, ""));
    // What ordinary programs need goes on.
    let ordinary = "
import subprocess, threading
thread = threading.Thread(target=lambda: print('thread', flush=True)); thread.start(); thread.join()
print(subprocess.run(['/bin/echo', 'child'], capture_output=True, text=True).stdout, end='')
socket.socketpair(); socket.if_nameindex(); os.mkfifo('/tmp/fifo')
print([name for _, name in socket.if_nameindex()])
";
    assert_eq!(run(&*sandbox, &python(ordinary)).await, "thread\nchild\n['lo']\n");
}

pub(crate) async fn case_088(host: &Host) {
    let sandboxes = host.sandboxes().await;
    let sandbox = sandboxes.create(EnvironmentId::random(), &host.plan()).await.unwrap();
    let script = "
import fcntl
print('tty', attempt(lambda: os.open('/dev/tty', os.O_RDWR)))
print('ptmx', attempt(lambda: os.open('/dev/ptmx', os.O_RDWR)))
print('console', attempt(lambda: os.open('/dev/console', os.O_RDWR)))
for fd in (0, 1, 2):
    print('push', fd, attempt(lambda: fcntl.ioctl(fd, 0x5412, b'x')))
    print('paste', fd, attempt(lambda: fcntl.ioctl(fd, 0x541c, b'x')))
";
    let found = answers(&*sandbox, script).await;
    assert_eq!(found.len(), 9);
    for (what, answer) in &found {
        let expected = if what.starts_with('p') && what.contains(' ') { "ENOTTY" } else { "ENOENT" };
        assert_eq!(answer, expected, "{what}");
    }
}

pub(crate) async fn case_089_090(host: &Host) {
    let program = host.folder("code/id");
    std::fs::copy("/usr/bin/id", &program).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o6755)).unwrap();
    let sandboxes = host.sandboxes().await;
    let sandbox = sandboxes.create(EnvironmentId::random(), &host.plan()).await.unwrap();
    let script = "./id -u; ./id -g; grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status | tr -s '\\t' ' '";
    let output = run(&*sandbox, &command("/bin/sh", &["-c", script])).await;
    let lines: Vec<&str> = output.lines().collect();
    let user: u32 = lines[0].parse().unwrap();
    assert!(user >= 1_900_000_000 && lines[1] == lines[0], "{output}");
    assert_eq!(lines[2..7].iter().filter(|line| line.ends_with(": 0000000000000000")).count(), 5, "{output}");
    assert_eq!(lines[7..], ["NoNewPrivs: 1", "Seccomp: 2"], "{output}");

    if !is_root() {
        println!("skipped without root: users of the host's own for each environment (case 090)");
        return;
    }
    // The host sees that user, too, and another one for each environment.
    let user_of = |pid: i32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        status.lines().find_map(|line| line.strip_prefix("Uid:\t")).unwrap().to_owned()
    };
    let other = sandboxes.create(EnvironmentId::random(), &host.plan()).await.unwrap();
    let mut users = Vec::new();
    for sandbox in [&sandbox, &other] {
        sandbox.start(ProcessId(2), &command("/bin/sleep", &["1000"]), Output::Shared).unwrap();
        assert_eq!(next(&**sandbox).await, SandboxEvent::Started { process: ProcessId(2) });
        users.push(user_of(sandbox.pid(ProcessId(2)).unwrap()));
    }
    assert_eq!(users[0], format!("{user}\t{user}\t{user}\t{user}"));
    assert_ne!(users[0], users[1]);
}
