//! The `/tmp` of environments of the `namespaces` backend, written to by real programs, on a disk of its own that can be
//! measured and filled. Has its own `main`, as `conformance.rs` has. Needs root, as the backend does.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test, with its own `main`")]
#![allow(clippy::disallowed_methods, reason = "a disk to test on is made by the host's programs")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use hearth_sandbox::namespaces::NamespaceSandboxes;
use hearth_sandbox::{
    Command, EphemeralStorageKind, ExitStatus, NetworkPolicy, Output, ProcessId, Sandbox, SandboxEvent,
    SandboxPlan, Sandboxes,
};
use hearth_tests::rounds;
use hearth_types::EnvironmentId;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::kill;
use nix::sys::statvfs::statvfs;
use nix::unistd::Pid;

type Test = for<'a> fn(&'a Host) -> BoxFuture<'a, ()>;

const TESTS: &[(&str, Test)] = &[
    ("tmp_is_empty_and_everybodys", |host| Box::pin(tmp_is_empty_and_everybodys(host))),
    ("case_065_tmp_ends_at_its_size_and_the_space_comes_back", |host| Box::pin(case_065(host))),
    ("case_065_what_is_in_tmp_is_not_memory", |host| Box::pin(case_065_is_not_memory(host))),
    ("case_065_each_function_has_its_size_and_none_takes_it_ahead", |host| Box::pin(case_065_sizes(host))),
    ("case_065_environments_one_after_the_other_leave_no_space_taken", |host| {
        Box::pin(case_065_rounds(host))
    }),
    ("case_065_a_full_disk_of_the_host_is_an_error_of_the_function", |host| {
        Box::pin(case_065_full_disk(host))
    }),
    ("case_075_many_files_go_at_once_with_their_environment", |host| Box::pin(case_075(host))),
    ("case_119_nothing_of_tmp_outlives_a_server_that_is_killed", |host| Box::pin(case_119(host))),
    ("without_a_disk_tmp_is_in_memory_and_that_is_said", |host| Box::pin(without_a_disk(host))),
    ("a_container_without_nodes_for_new_devices_gets_them", |host| Box::pin(in_a_container(host))),
    ("the_time_that_a_disk_adds", |host| Box::pin(the_time_that_a_disk_adds(host))),
];

const RUNTIME: ProcessId = ProcessId(1);
const MB: u64 = 1 << 20;
/// How much more than its size a function may be able to write.
const EXCESS_BYTES_MAX: u64 = 512 << 10;
/// What may be taken of the disk besides what functions write: folders, and what `/tmp` needs when it is empty, some
/// hundred KB for each that is ready.
const SMALL: u64 = 16 * MB;
/// The first argument of this program started once more, as a server to be killed.
const VICTIM: &str = "--victim";

fn main() {
    hearth_sandbox_init::run_if_launcher();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        if !nix::unistd::geteuid().is_root() || !Path::new("/dev/loop-control").exists() {
            // Not listed, so that none of them counts as passed.
            eprintln!("skipped: ephemeral storage on disk needs root and loop devices");
        } else if !arguments.iter().any(|argument| argument == "--ignored") {
            TESTS.iter().for_each(|(name, _)| println!("{name}: test"));
        }
        return;
    }
    if arguments.first().is_none_or(|first| first != VICTIM) {
        // The disk of a test is mounted for this process and its children only, and goes with them.
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount::<str, str, str, str>(None, "/", None, private, None).unwrap();
    }
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if let [first, folder] = &arguments[..]
        && first == VICTIM
    {
        tokio.block_on(victim(Path::new(folder)));
        return;
    }
    let names: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let mut passed = 0;
    for (name, test) in TESTS {
        if names.is_empty() || names.iter().any(|wanted| name.contains(wanted.as_str())) {
            let host = Host::new(passed);
            tokio.block_on(test(&host));
            passed += 1;
        }
    }
    drop(tokio);
    println!(
        "\ntest result: ok. {passed} passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s"
    );
}

/// A folder for one test, with disks in it.
struct Host(PathBuf);

impl Host {
    fn new(number: usize) -> Self {
        let folder = format!("hearth-ephemeral-storage-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    /// Makes a disk that nobody else writes to.
    fn disk(&self, mb: u64) -> Disk {
        let (image, point) = (self.0.join("disk.img"), self.0.join("disk"));
        std::fs::File::create(&image).unwrap().set_len(mb * MB).unwrap();
        std::fs::create_dir_all(&point).unwrap();
        host_program("mke2fs", &["-q", "-F", "-t", "ext4", "-m", "0", image.to_str().unwrap()]);
        host_program("mount", &["-o", "loop", image.to_str().unwrap(), point.to_str().unwrap()]);
        Disk(point)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Mounted in no other namespace than this one and those below.
        let _ = nix::mount::umount2(&self.0.join("disk"), nix::mount::MntFlags::MNT_DETACH);
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn host_program(program: &str, arguments: &[&str]) {
    let path = "/usr/sbin:/usr/bin:/sbin:/bin";
    let output = std::process::Command::new(program).args(arguments).env("PATH", path).output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

struct Disk(PathBuf);

impl Disk {
    async fn sandboxes(&self) -> NamespaceSandboxes {
        let sandboxes = NamespaceSandboxes::start(&self.0.join("run"), NetworkPolicy::None).await.unwrap();
        assert_eq!(sandboxes.ephemeral_storage(), EphemeralStorageKind::Disk);
        sandboxes
    }

    fn used(&self) -> u64 {
        let disk = statvfs(&self.0).unwrap();
        (disk.blocks() - disk.blocks_free()) * disk.fragment_size()
    }

    /// How many loop devices are over files of this disk.
    fn loop_devices(&self) -> usize {
        let devices = std::fs::read_dir("/sys/block").unwrap().flatten();
        let files = devices
            .filter_map(|device| std::fs::read_to_string(device.path().join("loop/backing_file")).ok());
        files.filter(|file| Path::new(file).starts_with(&self.0)).count()
    }
}

fn command(program: &str, arguments: &[&str]) -> Command {
    Command {
        program: program.into(),
        arguments: arguments.iter().map(|&argument| argument.into()).collect(),
        environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        working_directory: "/tmp".into(),
        restored_from: None,
    }
}

const PREFACE: &str = "
import errno, os
def fill(path, megabytes, sync=False):
    written, result = 0, 'all'
    file = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        while written < megabytes << 20:
            written += os.write(file, bytes(min(1 << 20, (megabytes << 20) - written)))
        if sync:
            os.fsync(file)
    except OSError as error:
        result = errno.errorcode[error.errno]
    return written, result
";

fn python(script: &str) -> Command {
    command("/usr/bin/python3", &["-S", "-c", &format!("{PREFACE}\n{script}")])
}

async fn create(sandboxes: &dyn Sandboxes, size_mb: u32) -> Box<dyn Sandbox> {
    let plan = SandboxPlan { ephemeral_storage_mb: size_mb, ..SandboxPlan::default() };
    sandboxes.create(EnvironmentId::random(), &plan).await.unwrap()
}

async fn next(sandbox: &dyn Sandbox) -> SandboxEvent {
    tokio::time::timeout(Duration::from_secs(120), sandbox.next_event())
        .await
        .expect("the sandbox says something")
}

async fn begin(sandbox: &dyn Sandbox, command: &Command) {
    sandbox.start(RUNTIME, command, Output::Shared).unwrap();
    assert_eq!(next(sandbox).await, SandboxEvent::Started { process: RUNTIME });
}

async fn end(sandbox: &dyn Sandbox) -> (ExitStatus, String) {
    let SandboxEvent::Exited { status, .. } = next(sandbox).await else { panic!("no exit") };
    let mut output = Vec::new();
    let _would_block = std::fs::File::from(sandbox.output().unwrap()).read_to_end(&mut output);
    (status, String::from_utf8(output).unwrap())
}

/// Runs a program to its end and returns what it wrote.
async fn run(sandbox: &dyn Sandbox, command: &Command) -> String {
    begin(sandbox, command).await;
    let (status, output) = end(sandbox).await;
    assert_eq!(status, ExitStatus::Code(0), "{output}");
    output
}

async fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let started = Instant::now();
    while !reached() {
        assert!(started.elapsed() < Duration::from_secs(30), "{what}");
        tokio::task::yield_now().await;
    }
}

async fn tmp_is_empty_and_everybodys(host: &Host) {
    let disk = host.disk(1_024);
    let sandboxes = disk.sandboxes().await;
    let sandbox = create(&sandboxes, 512).await;
    let script = "
status = os.stat('/tmp')
print(oct(status.st_mode), status.st_uid == os.getuid(), os.listdir('/tmp'), os.path.ismount('/tmp'))
for line in open('/proc/self/mounts'):
    if line.split()[1] == '/tmp':
        print(line.split()[2], sorted(set(line.split()[3].split(',')) & {'rw', 'nosuid', 'nodev', 'noexec'}))
open('/tmp/own', 'w').write('kept'); os.chmod('/tmp/own', 0o6755); os.makedirs('/tmp/a/b')
";
    let found = run(&*sandbox, &python(script)).await;
    assert_eq!(found, "0o41777 False [] True\next4 ['nodev', 'nosuid', 'rw']\n");
    // It stays over a reset, and is of this environment alone.
    sandbox.kill_all().unwrap();
    assert_eq!(next(&*sandbox).await, SandboxEvent::AllGone);
    assert_eq!(run(&*sandbox, &command("/bin/cat", &["/tmp/own"])).await, "kept");
    let other = create(&sandboxes, 512).await;
    assert_eq!(run(&*other, &command("/bin/ls", &["-A", "/tmp"])).await, "");
    // The host sees none of it.
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let is_ours = |line: &&str| line.split(' ').nth(1).is_some_and(|at| at.ends_with("/tmp"));
    assert_eq!(mounts.lines().find(is_ours), None);
    assert_eq!(
        std::fs::read_dir(disk.0.join("run")).unwrap().count(),
        2,
        "nothing but the environments' folders"
    );
}

async fn case_065(host: &Host) {
    let disk = host.disk(2_048);
    let sandboxes = disk.sandboxes().await;
    let before = disk.used();
    for _ in 0..2 {
        let sandbox = create(&sandboxes, 512).await;
        let filled = run(&*sandbox, &python("print(*fill('full', 600))\nprint(*fill('more', 1))")).await;
        let numbers: Vec<&str> = filled.split_whitespace().collect();
        assert_eq!((numbers[1], numbers[3]), ("ENOSPC", "ENOSPC"), "{filled}");
        let written: u64 = numbers[0].parse::<u64>().unwrap() + numbers[2].parse::<u64>().unwrap();
        assert!((512 * MB..=512 * MB + EXCESS_BYTES_MAX).contains(&written), "{written}");
        // What is removed has room again.
        let again = "os.remove('full'); print(*fill('full', 500, sync=True))";
        assert_eq!(run(&*sandbox, &python(again)).await, format!("{} all\n", 500 * MB));
        assert!(disk.used() > before + 499 * MB, "it is on disk");
        let started = Instant::now();
        drop(sandbox);
        until("the space is back", || disk.used() < before + SMALL).await;
        println!("500 MB are back after {:?}", started.elapsed());
    }
}

async fn case_065_is_not_memory(host: &Host) {
    let disk = host.disk(2_048);
    let sandboxes = disk.sandboxes().await;
    // Its memory is really limited.
    let plan = SandboxPlan { memory_size_mb: 128, ..SandboxPlan::default() };
    let sandbox = sandboxes.create(EnvironmentId::random(), &plan).await.unwrap();
    begin(&*sandbox, &python("taken = b'x' * (200 << 20)")).await;
    let killed = ExitStatus::Signal { signal: 9, core_dumped: false };
    let exited = SandboxEvent::Exited { process: RUNTIME, status: killed, was_out_of_memory: true };
    assert_eq!(next(&*sandbox).await, exited);

    let script = "
print(*fill('one', 300), *fill('two', 100, sync=True), flush=True)
print(*fill('three', 400))
";
    for round in 0..rounds(2, 20) {
        let sandbox = sandboxes.create(EnvironmentId::random(), &plan).await.unwrap();
        let started = Instant::now();
        let output = run(&*sandbox, &python(script)).await;
        println!("round {round}: {:?}, peak {} MB", started.elapsed(), sandbox.memory_bytes_max() / MB);
        let (first, second) = output.split_once('\n').unwrap();
        assert_eq!(first, format!("{} all {} all", 300 * MB, 100 * MB));
        assert!(second.ends_with("ENOSPC\n"), "{output}");
    }
}

async fn case_065_sizes(host: &Host) {
    let disk = host.disk(1_024);
    let sandboxes = disk.sandboxes().await;
    let before = disk.used();
    let sizes = [512, 513, 777, 1_024, 4_096, 9_999, 10_240];
    let mut made = Vec::new();
    for size in sizes {
        let started = Instant::now();
        let first = create(&sandboxes, size).await;
        let first_time = started.elapsed();
        let started = Instant::now();
        let second = create(&sandboxes, size).await;
        println!("{size} MB: the first in {first_time:?}, the second in {:?}", started.elapsed());
        made.push((size, first));
        made.push((size, second));
    }
    println!("{} environments take {} KB", made.len(), (disk.used() - before) >> 10);
    assert!(disk.used() < before + SMALL + SMALL, "{}", disk.used() - before);
    for (size, sandbox) in &made {
        let script = "space = os.statvfs('/tmp'); print(space.f_bavail * space.f_frsize, space.f_favail)";
        let room = run(&**sandbox, &python(script)).await;
        let (bytes, files) = room.trim().split_once(' ').unwrap();
        let (bytes, files): (u64, u64) = (bytes.parse().unwrap(), files.parse().unwrap());
        let size = u64::from(*size) * MB;
        assert!((size..=size + EXCESS_BYTES_MAX).contains(&bytes), "{size}: {bytes}");
        assert!(files >= 500_000 && files >= size / 4_096 - 1_000, "{size}: {files}");
        assert_eq!(run(&**sandbox, &python("print(*fill('some', 3, sync=True))")).await, "3145728 all\n");
    }
    drop(made);
    until("the space is back", || disk.used() < before + SMALL).await;
}

async fn case_065_rounds(host: &Host) {
    let disk = host.disk(2_048);
    let sandboxes = disk.sandboxes().await;
    let full_stock = disk.loop_devices();
    assert!(full_stock > 0);
    let before = disk.used();
    for round in 0..rounds(200, 1_000) {
        // Every tenth is not of the default size, and all write more than the disk has when nothing comes back.
        let sandbox = create(&sandboxes, if round % 10 == 0 { 600 } else { 512 }).await;
        let write = command("/bin/dd", &["if=/dev/zero", "of=x", "bs=1M", "count=16", "status=none"]);
        assert_eq!(run(&*sandbox, &write).await, "");
    }
    until("the space is back", || disk.used() < before + SMALL).await;
    drop(sandboxes);
    until("every loop device is free", || disk.loop_devices() == 0).await;
    // The last process that had a file of it open may still be on its way out.
    let unmounted = || nix::mount::umount2(&disk.0, nix::mount::MntFlags::empty()).is_ok();
    until("nobody holds the disk", unmounted).await;
}

async fn case_065_full_disk(host: &Host) {
    let disk = host.disk(96);
    let sandboxes = disk.sandboxes().await;
    let sandbox = create(&sandboxes, 512).await;
    let script = "
results = [fill(str(n), 1, sync=True)[1] for n in range(200)]
print(results.count('all'), *sorted(set(results) - {'all'}))
";
    let output = run(&*sandbox, &python(script)).await;
    println!("{output}");
    let (whole, errors) = output.trim().split_once(' ').unwrap_or((output.trim(), ""));
    assert!((20..96).contains(&whole.parse().unwrap()), "{output}");
    assert!(
        !errors.is_empty() && errors.split(' ').all(|error| ["EIO", "ENOSPC", "EROFS"].contains(&error)),
        "{output}"
    );
    // Another one hears of it as well, and neither the service nor this process ends.
    let other = sandboxes.create(EnvironmentId::random(), &SandboxPlan::default()).await;
    println!("another: {:?}", other.as_ref().map(drop));
    drop((sandbox, other));
    until("the space is back", || disk.used() < 48 * MB).await;
    let after = create(&sandboxes, 600).await;
    assert_eq!(run(&*after, &python("print(*fill('some', 20, sync=True))")).await, "20971520 all\n");
}

async fn case_075(host: &Host) {
    let disk = host.disk(2_048);
    let sandboxes = disk.sandboxes().await;
    let sandbox = create(&sandboxes, 512).await;
    let script = format!(
        "
for number in range({}):
    os.close(os.open('/tmp/' + str(number), os.O_CREAT | os.O_WRONLY))
for depth in range({}):
    os.mkdir('deeper')
    os.chdir('deeper')
print(os.statvfs('/tmp').f_files - os.statvfs('/tmp').f_ffree)
",
        rounds(50_000, 500_000),
        rounds(1_000, 10_000),
    );
    let started = Instant::now();
    let files: usize = run(&*sandbox, &python(&script)).await.trim().parse().unwrap();
    println!("{files} files made in {:?}", started.elapsed());
    assert!(files > rounds(51_000, 510_000));
    // Once the stock is gone, the only device left is that of this environment.
    drop(sandboxes);
    until("the stock is gone", || disk.loop_devices() == 1).await;
    let started = Instant::now();
    drop(sandbox);
    until("its device is free", || disk.loop_devices() == 0).await;
    until("the space is back", || disk.used() < MB).await;
    println!("gone after {:?}", started.elapsed());
    // The kernel forgets what it has cached of them; nobody removes one by one, which takes as long as making them.
    assert!(started.elapsed() < Duration::from_secs(rounds(5, 30) as u64), "{:?}", started.elapsed());
}

/// A server: makes an environment that has written to its `/tmp`, says so, and waits to be killed.
async fn victim(folder: &Path) {
    let sandboxes = NamespaceSandboxes::start(folder, NetworkPolicy::None).await.unwrap();
    assert_eq!(sandboxes.ephemeral_storage(), EphemeralStorageKind::Disk);
    let sandbox = create(&sandboxes, 512).await;
    let other = create(&sandboxes, 700).await;
    for sandbox in [&sandbox, &other] {
        run(&**sandbox, &python("fill('kept', 50, sync=True)")).await;
        begin(&**sandbox, &command("/bin/sh", &["-c", "exec 3< kept; sleep 1000"])).await;
    }
    println!("ready");
    std::future::pending().await
}

async fn case_119(host: &Host) {
    let disk = host.disk(1_024);
    let before = disk.used();
    for _ in 0..rounds(3, 50) {
        let mut server = std::process::Command::new(std::env::current_exe().unwrap())
            .arg(VICTIM)
            .arg(disk.0.join("run"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        assert!(disk.loop_devices() >= 2 && disk.used() > before + 100 * MB);
        server.kill().unwrap();
        server.wait().unwrap();
        until("every loop device is free", || disk.loop_devices() == 0).await;
        until("the space is back", || disk.used() < before + MB).await;
    }
    // Killed in the moment in which a file has a name.
    std::fs::write(disk.0.join("run/ephemeral-storage-0"), "").unwrap();
    let sandboxes = disk.sandboxes().await;
    assert!(sandboxes.left_over() > 0);
    let has_no_file = || std::fs::read_dir(disk.0.join("run")).unwrap().next().is_none();
    until("the next server has removed the folders", has_no_file).await;
}

async fn without_a_disk(host: &Host) {
    let memory = host.0.join("disk");
    std::fs::create_dir_all(&memory).unwrap();
    mount(Some("test"), &memory, Some("tmpfs"), MsFlags::empty(), Some("size=64m")).unwrap();
    let sandboxes = NamespaceSandboxes::start(&memory.join("run"), NetworkPolicy::None).await.unwrap();
    let why = "failed to make a file on disk: the data folder is in memory itself".to_owned();
    assert_eq!(sandboxes.ephemeral_storage(), EphemeralStorageKind::Memory { why });
    let sandbox = create(&sandboxes, 16).await;
    assert_eq!(run(&*sandbox, &python("print(*fill('full', 20))")).await, format!("{} ENOSPC\n", 16 * MB));
}

/// In a container `/dev` has the nodes that were there when it started, and no more.
async fn in_a_container(host: &Host) {
    let disk = host.disk(1_024);
    let dev = host.0.join("dev");
    std::fs::create_dir_all(&dev).unwrap();
    mount(Some("test"), &dev, Some("tmpfs"), MsFlags::empty(), Some("size=1m")).unwrap();
    for name in ["null", "zero", "full", "random", "urandom", "loop-control"] {
        host_program("cp", &["-a", &format!("/dev/{name}"), dev.to_str().unwrap()]);
    }
    mount::<Path, str, str, str>(Some(&dev), "/dev", None, MsFlags::MS_BIND, None).unwrap();
    let sandboxes = disk.sandboxes().await;
    let sandbox = create(&sandboxes, 512).await;
    assert_eq!(run(&*sandbox, &python("print(*fill('some', 20, sync=True))")).await, "20971520 all\n");
    drop((sandbox, sandboxes));
    until("every loop device is free", || disk.loop_devices() == 0).await;
    for point in [Path::new("/dev"), &dev] {
        nix::mount::umount2(point, nix::mount::MntFlags::MNT_DETACH).unwrap();
    }
}

/// How long an environment takes to be made and to end. A table, and a bound far above what was seen.
async fn the_time_that_a_disk_adds(host: &Host) {
    const ROUNDS: usize = 40;
    let disk = host.disk(1_024);
    let on_disk = disk.sandboxes().await;
    let memory = host.0.join("memory");
    std::fs::create_dir_all(&memory).unwrap();
    mount(Some("test"), &memory, Some("tmpfs"), MsFlags::empty(), Some("size=64m")).unwrap();
    let in_memory = NamespaceSandboxes::start(&memory.join("run"), NetworkPolicy::None).await.unwrap();
    let ways: [(&str, &NamespaceSandboxes, u32); 3] =
        [("in memory", &in_memory, 512), ("made ahead", &on_disk, 512), ("made at once", &on_disk, 600)];
    let mut times = ways.map(|_| (Vec::new(), Vec::new()));
    // In turn, so that whatever else the host does hits all of them.
    for _ in 0..ROUNDS {
        for ((_, sandboxes, size), (creates, ends)) in ways.iter().zip(&mut times) {
            until("the stock is full", || disk.loop_devices() >= 8).await;
            let started = Instant::now();
            let sandbox = create(*sandboxes, *size).await;
            creates.push(started.elapsed());
            begin(&*sandbox, &command("/bin/sleep", &["1000"])).await;
            let pid = sandbox.pid(RUNTIME).unwrap();
            let started = Instant::now();
            drop(sandbox);
            until("it has ended", || kill(Pid::from_raw(pid), None).is_err()).await;
            ends.push(started.elapsed());
        }
    }
    for ((name, ..), (creates, ends)) in ways.iter().zip(&mut times) {
        creates.sort();
        ends.sort();
        let (quarter, half) = (ROUNDS / 4, ROUNDS / 2);
        println!(
            "{name}: create {:?}, end {:?} (medians of {ROUNDS}); {:?}, {:?} (first quarters)",
            creates[half], ends[half], creates[quarter], ends[quarter]
        );
        assert!(creates[half] < Duration::from_millis(500));
    }
    let _ = nix::mount::umount2(&memory, nix::mount::MntFlags::MNT_DETACH);
}
