//! What hostile programs find behind the walls of the `namespaces` backend: nothing. Has its own `main`, as
//! `conformance.rs` has. Root runs each test twice: as itself, and as an ordinary user.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test, with its own `main`")]
#![allow(clippy::disallowed_methods, reason = "a host with other processes is what is tested against")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use hearth_sandbox::namespaces::NamespaceSandboxes;
use hearth_sandbox::process::ProcessSandboxes;
use hearth_sandbox::{
    AWS_API, Command, ExitStatus, NetworkPolicy, Output, ProcessId, Sandbox, SandboxEvent, SandboxPlan,
    Sandboxes,
};
use hearth_types::EnvironmentId;

type Test = for<'a> fn(&'a Host) -> BoxFuture<'a, ()>;

const TESTS: &[(&str, Test)] = &[
    ("a_function_finds_lambdas_places", |host| Box::pin(a_function_finds_lambdas_places(host))),
    ("case_063_071_processes_and_threads_end_at_their_limit", |host| Box::pin(case_063_071(host))),
    ("case_065_tmp_ends_at_its_size_and_gives_it_back", |host| Box::pin(case_065(host))),
    ("case_066_091_files_and_cores_have_limits_that_stay", |host| Box::pin(case_066_091(host))),
    ("case_077_082_083_no_foreign_process_can_be_seen_read_or_hit", |host| Box::pin(case_077_082_083(host))),
    ("case_078_079_nothing_of_the_host_can_be_read_or_written", |host| Box::pin(case_078_079(host))),
    ("case_080_081_087_forbidden_calls_are_refused", |host| Box::pin(case_080_081_087(host))),
    ("case_084_085_no_address_is_reached_but_the_runtime_api", |host| Box::pin(case_084_085(host))),
    ("case_088_there_is_no_terminal", |host| Box::pin(case_088(host))),
    ("case_089_090_a_setuid_program_gains_nothing", |host| Box::pin(case_089_090(host))),
    ("case_119_nothing_outlives_a_server_that_is_killed", |host| Box::pin(case_119(host))),
    ("what_the_backend_says_of_itself_is_so", |host| Box::pin(facts(host))),
    ("the_server_opens_sockets_inside", |host| Box::pin(sockets(host))),
    ("init_is_nobody_on_the_host", |host| Box::pin(init_is_nobody(host))),
    ("the_time_of_a_start", |host| Box::pin(the_time_of_a_start(host))),
];
/// What only an ordinary user does, on a host that root makes for it.
const ON_A_HOST_OF_ITS_OWN: (&str, Test) =
    ("case_085_pasta_reaches_others_and_not_this_host", |host| Box::pin(case_085_pasta(host)));
/// Before the name of a test that an ordinary user runs.
const WITHOUT_ROOT: &str = "without_root::";
/// A user that has no rights anywhere.
const ORDINARY_USER: u32 = 65_534;

const RUNTIME: ProcessId = ProcessId(1);
/// The first argument of this program started once more, as a server to be killed.
const VICTIM: &str = "--victim";

fn main() {
    hearth_sandbox_init::run_if_launcher();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if let [first, folder, mark] = &arguments[..]
        && first == VICTIM
    {
        tokio.block_on(victim(Path::new(folder), mark));
        return;
    }
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let all = || {
        let tests = |mode: &'static str| {
            let own = (mode == WITHOUT_ROOT).then_some(ON_A_HOST_OF_ITS_OWN);
            TESTS.iter().copied().chain(own).map(move |(name, test)| (mode, name, test))
        };
        modes().iter().flat_map(move |mode| tests(mode))
    };
    if has("--list") {
        if !has("--ignored") {
            all().for_each(|(mode, name, _)| println!("{mode}{name}: test"));
        }
        return;
    }
    let names: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| {
        let is_this =
            |wanted: &&String| if has("--exact") { name == *wanted } else { name.contains(*wanted) };
        names.is_empty() || names.iter().any(is_this)
    };
    let mut passed = 0;
    for (mode, name, test) in all().filter(|(mode, name, _)| is_wanted(&format!("{mode}{name}"))) {
        if mode == WITHOUT_ROOT && is_root() {
            let full_name = format!("{mode}{name}");
            if name == ON_A_HOST_OF_ITS_OWN.0 {
                on_a_host_of_its_own(&full_name);
            } else {
                as_ordinary_user(&full_name);
            }
        } else {
            let host =
                Host(std::env::temp_dir().join(format!("hearth-walls-{}-{passed}", std::process::id())));
            std::fs::create_dir_all(host.folder("code")).unwrap();
            tokio.block_on(test(&host));
        }
        passed += 1;
    }
    drop(tokio);
    println!(
        "\ntest result: ok. {passed} passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s"
    );
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// How the tests can run: as root, and without.
fn modes() -> &'static [&'static str] {
    if !can_without_root() {
        // Not listed, so that none of them counts as passed.
        eprintln!("skipped: this host does not let ordinary users have user namespaces");
        return if is_root() { &[""] } else { &[] };
    }
    if is_root() { &["", WITHOUT_ROOT] } else { &[WITHOUT_ROOT] }
}

/// Asks a program that needs a user namespace for everything that we need one for.
fn can_without_root() -> bool {
    let mut unshare = std::process::Command::new("unshare");
    unshare.args(["--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc", "true"]);
    if is_root() {
        unshare.uid(ORDINARY_USER).gid(ORDINARY_USER);
    }
    unshare.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Runs one test in this program started once more. `/proc/self/exe` is there also for users who cannot reach its folder.
fn as_ordinary_user(name: &str) {
    let mut again = std::process::Command::new("/proc/self/exe");
    again.args(["--exact", name]).uid(ORDINARY_USER).gid(ORDINARY_USER).current_dir("/");
    let status = again.status().unwrap();
    assert!(status.success(), "{name}: {status}");
}

/// The host of `case_085_pasta`: two addresses, a device for packets, and another host that leads everywhere.
const HOST: &str = r#"
set -e
mkdir "$1/net"
mknod "$1/net/tun" c 10 200
chmod 666 "$1/net/tun"
mount --bind "$1/net" /dev/net
unshare --net python3 -S -c "$2" &
other=$!
trap 'kill $other' EXIT
while [ "$(readlink /proc/$other/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do :; done
ip link set lo up
ip link add out type veth peer name eth0 netns $other
ip addr add 10.9.0.2/24 dev out
ip addr add 10.9.1.2/24 dev out
ip link set out up
nsenter --net=/proc/$other/ns/net sh -c 'ip addr add 10.9.0.1/24 dev eth0; ip addr add 169.254.169.254/32 dev eth0; ip link set eth0 up'
ip route add default via 10.9.0.1
cp "$3" "$1/walls"
cd /
setpriv --reuid 65534 --regid 65534 --clear-groups "$1/walls" --exact "$4"
"#;

/// Answers everybody, at any address that it has.
const OTHER_HOST: &str = "
import socket
server = socket.create_server(('0.0.0.0', 8080))
while True:
    connection, _ = server.accept()
    connection.sendall(b'other host')
    connection.close()
";

/// Runs one test as an ordinary user of a host that is a network and a mount namespace.
fn on_a_host_of_its_own(name: &str) {
    if hearth_sandbox_init::way_out::pasta().is_none() {
        println!("skipped: {name}: pasta is not here");
        return;
    }
    let folder = hearth_tests::Folder::new();
    let mut unshare = std::process::Command::new("unshare");
    unshare.args(["--net", "--mount", "bash", "-c", HOST, "host"]).arg(folder.path()).arg(OTHER_HOST);
    let status = unshare.arg(std::env::current_exe().unwrap()).arg(name).status().unwrap();
    assert!(status.success(), "{name}: {status}");
}

/// A folder for one test.
struct Host(PathBuf);

impl Host {
    fn folder(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    async fn sandboxes(&self) -> NamespaceSandboxes {
        NamespaceSandboxes::start(&self.folder("run"), NetworkPolicy::None).await.unwrap()
    }

    fn plan(&self) -> SandboxPlan {
        // More than enough: these tests are about other limits.
        SandboxPlan { code: Some(self.folder("code")), memory_size_mb: 2_048, ..SandboxPlan::default() }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn command(program: &str, arguments: &[&str]) -> Command {
    Command {
        program: program.into(),
        arguments: arguments.iter().map(|&argument| argument.into()).collect(),
        environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        working_directory: "/var/task".into(),
    }
}

/// Calls of the kernel by number, as a function can make them that brings its own program.
const PREFACE: &str = r#"
import ctypes, errno, os, signal, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *[a if isinstance(a, bytes) else ctypes.c_long(a) for a in arguments])
    return 'works' if result >= 0 else errno.errorcode[ctypes.get_errno()]
def attempt(do):
    try:
        do()
        return 'works'
    except OSError as error:
        return errno.errorcode[error.errno]
"#;

fn python(script: &str) -> Command {
    command("/usr/bin/python3", &["-S", "-c", &format!("{PREFACE}\n{script}")])
}

async fn next(sandbox: &dyn Sandbox) -> SandboxEvent {
    tokio::time::timeout(Duration::from_secs(30), sandbox.next_event())
        .await
        .expect("the sandbox says something")
}

/// Runs a program to its end and returns what it wrote.
async fn run(sandbox: &dyn Sandbox, command: &Command) -> String {
    let (status, output) = finish(sandbox, command).await;
    assert_eq!(status, ExitStatus::Code(0), "{output}");
    output
}

async fn finish(sandbox: &dyn Sandbox, command: &Command) -> (ExitStatus, String) {
    sandbox.start(RUNTIME, command, Output::Shared).unwrap();
    assert_eq!(next(sandbox).await, SandboxEvent::Started { process: RUNTIME });
    let SandboxEvent::Exited { status, .. } = next(sandbox).await else { panic!("no exit") };
    let mut output = Vec::new();
    let _would_block = std::fs::File::from(sandbox.output().unwrap()).read_to_end(&mut output);
    (status, String::from_utf8(output).unwrap())
}

/// Runs a script that prints `what answer` lines.
async fn answers(sandbox: &dyn Sandbox, script: &str) -> BTreeMap<String, String> {
    let output = run(sandbox, &python(script)).await;
    output
        .lines()
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(what, answer)| (what.into(), answer.into()))
        .collect()
}

async fn a_function_finds_lambdas_places(host: &Host) {
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

async fn case_063_071(host: &Host) {
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

async fn case_065(host: &Host) {
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

async fn case_066_091(host: &Host) {
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

async fn case_077_082_083(host: &Host) {
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

async fn case_078_079(host: &Host) {
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

async fn case_080_081_087(host: &Host) {
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

async fn case_084_085(host: &Host) {
    let of_host = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let everywhere = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let sandboxes = host.sandboxes().await;
    let sandbox = sandboxes.create(EnvironmentId::random(), &host.plan()).await.unwrap();
    let listener = sandbox.runtime_api().unwrap();
    assert_eq!(listener.local_addr().unwrap().to_string(), "127.0.0.1:9001");
    assert!(sandbox.runtime_api().is_none());
    let aws_api = sandbox.aws_api().unwrap();
    assert_eq!(aws_api.local_addr().unwrap(), AWS_API.into());
    assert!(sandbox.aws_api().is_none());
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let script = format!(
        "
def connect(address, port):
    connection = socket.socket(); connection.settimeout(2)
    return attempt(lambda: connection.connect((address, port)))
print('runtime-api', connect('127.0.0.1', 9001))
print('aws-api', connect('127.0.0.2', 9002))
print('loopback', connect('127.0.0.1', {}))
print('any', connect('127.0.0.1', {}))
for address in ('169.254.169.254', '169.254.170.2', '10.0.0.1', '192.0.2.1'):
    print(address, connect(address, 80))
",
        of_host.local_addr().unwrap().port(),
        everywhere.local_addr().unwrap().port()
    );
    let found = answers(&*sandbox, &script).await;
    listener.accept().await.unwrap();
    aws_api.accept().unwrap();
    for (what, answer) in &found {
        let expected = match what.as_str() {
            "runtime-api" | "aws-api" => "works",
            "loopback" | "any" => "ECONNREFUSED",
            _ => "ENETUNREACH",
        };
        assert_eq!(answer, expected, "{what}");
    }
    assert_eq!(found.len(), 8);
}

async fn case_085_pasta(host: &Host) {
    if std::fs::read_to_string("/proc/net/fib_trie").is_ok_and(|routes| !routes.contains("10.9.1.2")) {
        println!("skipped: only root can make the host of this test");
        return;
    }
    let everywhere = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let of_loopback = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = |listener: &std::net::TcpListener| listener.local_addr().unwrap().port();
    let sandboxes = NamespaceSandboxes::start(&host.folder("run"), NetworkPolicy::Internet).await.unwrap();
    let facts = sandboxes.facts().to_string();
    assert!(facts.contains("internet through pasta"), "{facts}");
    let plan = SandboxPlan { network: NetworkPolicy::Internet, ..host.plan() };
    let started = Instant::now();
    let sandbox = sandboxes.create(EnvironmentId::random(), &plan).await.unwrap();
    println!("an environment with pasta: {:?}", started.elapsed());
    let script = format!(
        "
def connect(address, port):
    connection = socket.socket(); connection.settimeout(10 if port == 8080 else 2)
    def reach():
        try:
            connection.connect((address, port))
        except TimeoutError:
            raise OSError(errno.ETIMEDOUT, 'nobody')
        if connection.recv(100) != b'other host':
            raise OSError(errno.EPROTO, 'nobody')
    return attempt(reach)
print('other', connect('10.9.0.1', 8080))
print('metadata', connect('169.254.169.254', 8080))
for address in ('127.0.0.1', '10.9.0.2', '10.9.1.2', '0.0.0.0', '10.9.0.1'):
    print('everywhere', address, connect(address, {}))
for address in ('127.0.0.1', '10.9.0.2', '10.9.1.2', '10.9.0.1'):
    print('loopback', address, connect(address, {}))
print('seen', [pid for pid in os.listdir('/proc') if pid.isdigit() and int(pid) != os.getpid()] or 'nobody')
print('everybody', attempt(lambda: os.kill(-1, signal.SIGKILL)))
print('other-again', connect('10.9.0.1', 8080))
",
        port(&everywhere),
        port(&of_loopback)
    );
    let found = answers(&*sandbox, &script).await;
    assert_eq!(found.len(), 14, "{found:?}");
    for (what, answer) in &found {
        let expected: &[&str] = match what.as_str() {
            "other" | "other-again" => &["works"],
            "seen" => &["nobody"],
            "everybody" => &["ESRCH"],
            // Where the other host refuses, pasta leaves one waiting.
            what if what.ends_with("10.9.0.1") => &["ECONNREFUSED", "ETIMEDOUT"],
            _ => &["ECONNREFUSED", "EHOSTUNREACH"],
        };
        assert!(expected.contains(&answer.as_str()), "{what}: {found:?}");
    }
    for listener in [&everywhere, &of_loopback] {
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }
    // A function without network has none, and pasta ends with its environment.
    let closed = SandboxPlan { network: NetworkPolicy::None, ..host.plan() };
    let closed = sandboxes.create(EnvironmentId::random(), &closed).await.unwrap();
    assert_eq!(
        run(&*closed, &python("print([name for _, name in socket.if_nameindex()])")).await,
        "['lo']\n"
    );
    assert_eq!(pastas(), 1);
    drop((sandbox, closed));
    until("pasta is gone", || pastas() == 0).await;
}

/// How many of them this process has below it.
fn pastas() -> usize {
    let below = hearth_sandbox_init::tree::descendants_of(std::process::id() as i32);
    let names = below.into_iter().filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/comm")).ok());
    names.filter(|name| name.starts_with("pasta") || name.starts_with("passt")).count()
}

async fn case_088(host: &Host) {
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

async fn case_089_090(host: &Host) {
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

/// A server: makes an environment with a daemon in it, says so, and waits to be killed.
async fn victim(folder: &Path, mark: &str) {
    let sandboxes = NamespaceSandboxes::start(folder, NetworkPolicy::None).await.unwrap();
    let sandbox = sandboxes.create(EnvironmentId::random(), &SandboxPlan::default()).await.unwrap();
    let script = format!("setsid sleep {mark} & exec sleep {mark}");
    sandbox.start(RUNTIME, &command("/bin/sh", &["-c", &script]), Output::Shared).unwrap();
    assert_eq!(next(&*sandbox).await, SandboxEvent::Started { process: RUNTIME });
    println!("ready");
    std::future::pending().await
}

async fn case_119(host: &Host) {
    let run_folder = host.folder("run");
    // A duration that no other process of this host sleeps for.
    let mark = format!("1000.{}", std::process::id());
    let mut server = std::process::Command::new("/proc/self/exe")
        .arg(VICTIM)
        .arg(&run_folder)
        .arg(&mark)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    until("both processes run", || sleepers(&mark) == 2).await;
    server.kill().unwrap();
    server.wait().unwrap();
    until("all of its environments are gone", || sleepers(&mark) == 0).await;
    assert!(std::fs::read_dir(&run_folder).unwrap().next().is_some());
    let mounts = || std::fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts().contains(host.0.to_str().unwrap()));
    // The next server finds the folder, counts it, and removes it.
    let sandboxes = host.sandboxes().await;
    assert_eq!(sandboxes.left_over(), 1);
    until("nothing is left", || std::fs::read_dir(&run_folder).unwrap().next().is_none()).await;
}

/// How many processes of this host sleep for so long.
fn sleepers(mark: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let command_lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    command_lines.filter(|line| *line == format!("sleep\0{mark}\0").as_bytes()).count()
}

async fn until(what: &str, reached: impl Fn() -> bool) {
    let started = Instant::now();
    while !reached() {
        assert!(started.elapsed() < Duration::from_secs(10), "{what}");
        tokio::task::yield_now().await;
    }
}

/// Each line that says that something is in force, and what a function sees of it.
async fn facts(host: &Host) {
    let sandboxes = host.sandboxes().await;
    let facts = sandboxes.facts();
    let of = |what: &str| facts.facts.iter().find(|fact| fact.what == what).unwrap();
    assert!(facts.to_string().starts_with("isolation `namespaces`:\n"), "{facts}");
    assert!(of("namespaces").state.contains("pid, mount, network, ipc, uts, cgroup"), "{facts}");
    assert_eq!(of("user").is_in_force, is_root(), "{facts}");
    let sandbox = sandboxes.create(EnvironmentId::random(), &host.plan()).await.unwrap();
    let sleep = command("/bin/sleep", &["1000"]);
    sandbox.start(ProcessId(2), &sleep, Output::Shared).unwrap();
    assert_eq!(next(&*sandbox).await, SandboxEvent::Started { process: ProcessId(2) });
    let pid = sandbox.pid(ProcessId(2)).unwrap();
    let namespace = |pid: &str, kind: &str| std::fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap();
    for kind in ["user", "pid", "mnt", "net", "ipc", "uts", "cgroup"] {
        let is_claimed = kind != "user" || of("namespaces").state.contains("user");
        let is_own = namespace(&pid.to_string(), kind) != namespace("self", kind);
        assert_eq!(is_own, is_claimed, "{kind}: {facts}");
    }
    // A process can be in so many Landlock domains, one in the other; those that a function can still add are one less.
    let layers = "
import struct
layers = 0
while True:
    ruleset = libc.syscall(444, struct.pack('Q', 2), ctypes.c_size_t(8), 0)
    if ruleset < 0 or libc.prctl(38, 1, 0, 0, 0) or libc.syscall(446, ruleset, 0):
        break
    os.close(ruleset)
    layers += 1
print('layers', layers)
";
    let found = answers(&*sandbox, layers).await;
    let expected = if hearth_sandbox_init::landlock::abi() == 0 { "0" } else { "15" };
    assert_eq!(
        (found["layers"].as_str(), of("Landlock").is_in_force),
        (expected, expected == "15"),
        "{facts}"
    );
}

async fn sockets(host: &Host) {
    let sandboxes = host.sandboxes().await;
    let sandbox = sandboxes.create(EnvironmentId::random(), &host.plan()).await.unwrap();
    let script = "
server = socket.create_server(('127.0.0.1', 5000))
print('listens', flush=True)
for _ in range(3):
    connection, _ = server.accept()
    connection.sendall(b'inside')
    connection.close()
";
    sandbox.start(RUNTIME, &python(script), Output::Shared).unwrap();
    assert_eq!(next(&*sandbox).await, SandboxEvent::Started { process: RUNTIME });
    let output = tokio::net::unix::pipe::Receiver::from_owned_fd(sandbox.output().unwrap()).unwrap();
    output.readable().await.unwrap();
    let open = sandbox.sockets().unwrap();
    for _ in 0..3 {
        let started = Instant::now();
        let socket = tokio::net::TcpSocket::from_std_stream(open().unwrap().into());
        println!("a socket inside: {:?}", started.elapsed());
        let mut connection = socket.connect("127.0.0.1:5000".parse().unwrap()).await.unwrap();
        let mut answer = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut connection, &mut answer).await.unwrap();
        assert_eq!(answer, "inside");
    }
    assert!(matches!(next(&*sandbox).await, SandboxEvent::Exited { status: ExitStatus::Code(0), .. }));
    // Nobody is there to open another.
    drop(sandbox);
    if !is_root() {
        until("its init is gone", || open().is_err()).await;
    }
}

/// The first process of an environment has a user that is neither the host's root nor the function's.
async fn init_is_nobody(host: &Host) {
    let sandboxes = host.sandboxes().await;
    let sandbox = sandboxes.create(EnvironmentId::random(), &host.plan()).await.unwrap();
    sandbox.start(RUNTIME, &command("/bin/sleep", &["1000"]), Output::Shared).unwrap();
    assert_eq!(next(&*sandbox).await, SandboxEvent::Started { process: RUNTIME });
    let status = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = |status: &str, name: &str| {
        let found = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        found.unwrap().split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let of_runtime = status(&sandbox.pid(RUNTIME).unwrap().to_string());
    let of_init = status(&line(&of_runtime, "PPid")[0]);
    assert_eq!(line(&of_init, "NSpid").last().unwrap(), "1");
    assert_eq!(line(&of_init, "CapBnd"), ["0000000000000000"]);
    assert_eq!(line(&of_init, "CapEff"), ["00000000000000e0"]); // kill, setgid, setuid: in its user namespace
    let user: u32 = line(&of_init, "Uid")[0].parse().unwrap();
    if is_root() {
        assert!(user >= 2_000_000_000 && !line(&of_runtime, "Uid").contains(&user.to_string()), "{user}");
        assert_eq!(line(&of_init, "Groups"), [""; 0]);
    } else {
        assert_eq!(user, nix::unistd::geteuid().as_raw());
    }
}

/// Create, start, exit: how long it takes in both backends. A table, and a bound far above what was seen.
async fn the_time_of_a_start(host: &Host) {
    const ROUNDS: usize = 20;
    let process = ProcessSandboxes::start(&host.folder("process")).unwrap();
    let namespaces = host.sandboxes().await;
    let backends: [(&str, &dyn Sandboxes, &str); 2] =
        [("process", &process, "/"), ("namespaces", &namespaces, "/var/task")];
    for (name, sandboxes, working_directory) in backends {
        let (mut create, mut whole) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let started = Instant::now();
            let sandbox = sandboxes.create(EnvironmentId::random(), &host.plan()).await.unwrap();
            create.push(started.elapsed());
            let program =
                Command { working_directory: working_directory.into(), ..command("/bin/true", &[]) };
            run(&*sandbox, &program).await;
            whole.push(started.elapsed());
        }
        create.sort();
        whole.sort();
        let (create, start) = (create[ROUNDS / 2], whole[ROUNDS / 2]);
        println!("{name}: create {create:?}, create + start + exit {start:?} (medians of {ROUNDS})");
        assert!(start < Duration::from_millis(500), "{name}: {start:?}");
    }
}
