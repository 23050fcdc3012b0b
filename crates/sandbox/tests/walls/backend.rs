//! What the backend says of itself, does for the server, and takes.

use std::time::{Duration, Instant};

use hearth_sandbox::process::ProcessSandboxes;
use hearth_sandbox::{Command, ExitStatus, Output, ProcessId, SandboxEvent, Sandboxes};
use hearth_types::EnvironmentId;

use crate::RUNTIME;
use crate::host::{Host, answers, command, next, python, run, until};
use crate::without_root::is_root;

/// Each line that says that something is in force, and what a function sees of it.
pub(crate) async fn facts(host: &Host) {
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

pub(crate) async fn sockets(host: &Host) {
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
pub(crate) async fn init_is_nobody(host: &Host) {
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
pub(crate) async fn the_time_of_a_start(host: &Host) {
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
