//! What an environment reaches of the world around its host. Has its own `main`, as `walls.rs` has: each run is in a network
//! namespace of its own, which is the host, and makes another one beside it, which is the world. Needs root.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test, with its own `main`")]
#![allow(clippy::disallowed_methods, reason = "a world is made of other processes")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use futures_util::future::LocalBoxFuture;
use hearth_sandbox::namespaces::NamespaceSandboxes;
use hearth_sandbox::{
    Command, ExitStatus, NetworkFacts, NetworkPolicy, Output, ProcessId, Sandbox, SandboxEvent, SandboxPlan,
    Sandboxes,
};
use hearth_tests::rounds;
use hearth_types::EnvironmentId;

type Test = for<'a> fn(&'a Host) -> LocalBoxFuture<'a, ()>;

const TESTS: &[(&str, Test)] = &[
    ("a_function_reaches_the_world_with_the_hosts_address", |host| Box::pin(reaches_the_world(host))),
    ("case_085_the_host_metadata_and_other_environments_are_closed", |host| Box::pin(case_085(host))),
    ("case_085_nothing_from_outside_gets_in", |host| Box::pin(nothing_gets_in(host))),
    ("a_function_without_network_reaches_nothing", |host| Box::pin(reaches_nothing(host))),
    ("case_072_ten_thousand_sockets_harm_no_other_environment", |host| Box::pin(case_072(host))),
    ("case_119_a_killed_server_leaves_nothing_for_long", |host| Box::pin(case_119(host))),
    ("a_host_that_was_no_router_becomes_none", |host| Box::pin(becomes_no_router(host))),
    ("after_many_environments_nothing_is_left", |host| Box::pin(nothing_is_left(host))),
    ("what_is_missing_is_named_at_the_start", |host| Box::pin(what_is_missing(host))),
    ("what_may_stand_in_the_way_is_said", |host| Box::pin(what_may_stand_in_the_way(host))),
    ("the_time_of_a_network", |host| Box::pin(the_time_of_a_network(host))),
];

const RUNTIME: ProcessId = ProcessId(1);
/// The first argument of this program started once more, as a server to be killed.
const VICTIM: &str = "--victim";
/// Of the fake world.
const WORLD: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);
const HOST: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

fn main() {
    hearth_sandbox_init::run_if_launcher();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        if !nix::unistd::geteuid().is_root() {
            // Not listed, so that none of them counts as passed.
            eprintln!("skipped: the walls of `namespaces` need root");
        } else if !arguments.iter().any(|argument| argument == "--ignored") {
            TESTS.iter().for_each(|(name, _)| println!("{name}: test"));
        }
        return;
    }
    let tokio = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if let [first, folder] = &arguments[..]
        && first == VICTIM
    {
        // In the network of whoever started it.
        tokio().block_on(victim(Path::new(folder)));
        return;
    }
    let names: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let mut passed = 0;
    for (name, test) in TESTS {
        if names.is_empty() || names.iter().any(|wanted| name.contains(wanted.as_str())) {
            // This thread is the only one, and its children are in the same namespace.
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            let host = Host::new(passed);
            tokio().block_on(test(&host));
            passed += 1;
        }
    }
    println!(
        "\ntest result: ok. {passed} passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s"
    );
}

/// A host with a neighbour, the world, which knows a way to the host and to nobody behind it.
struct Host {
    folder: PathBuf,
    world: Neighbour,
}

/// Answers who asks: TCP at port 8080 with the address that it sees, UDP at port 53 to a question for a name. Lines of its
/// standard input are addresses and ports to connect to; it prints what comes of it.
const NEIGHBOUR: &str = r#"
import errno, socket, struct, sys, threading
def tcp():
    server = socket.create_server(('0.0.0.0', 8080), backlog=4096)
    kept = []
    while True:
        connection, peer = server.accept()
        try:
            connection.sendall(peer[0].encode())
        except OSError:
            pass
        kept.append(connection)
        if len(kept) > 900:
            for old in kept: old.close()
            kept.clear()
def udp():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(('0.0.0.0', 53))
    while True:
        question, peer = server.recvfrom(512)
        if len(question) < 17:
            continue
        end = question.index(b'\0', 12) + 5
        answer = b'\xc0\x0c' + struct.pack('>HHIH', 1, 1, 60, 4) + bytes([203, 0, 113, 77])
        server.sendto(question[:2] + b'\x81\x80\0\1\0\1\0\0\0\0' + question[12:end] + answer, peer)
for serve in (tcp, udp):
    threading.Thread(target=serve, daemon=True).start()
print('ready', flush=True)
for line in sys.stdin:
    address, port = line.split()
    connection = socket.socket(); connection.settimeout(1)
    try:
        connection.connect((address, int(port)))
        print('works', flush=True)
    except OSError as error:
        print(errno.errorcode.get(error.errno, 'timeout'), flush=True)
"#;

/// Somebody on the other end of a cable to the host, in a namespace of its own.
struct Neighbour {
    process: Child,
    said: std::cell::RefCell<BufReader<ChildStdout>>,
}

impl Neighbour {
    /// Connects one by a network of 24 bits, in which the host has the address .1.
    fn new(interface: &str, address: Ipv4Addr, of_host: Ipv4Addr) -> Self {
        let script = format!(
            "read ready && ip link set lo up && ip address add {address}/24 dev eth0 && ip link set eth0 up && \
             exec python3 -c \"$PROGRAM\""
        );
        let mut process = std::process::Command::new("unshare")
            .args(["--net", "sh", "-c", &script])
            .env("PROGRAM", NEIGHBOUR)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let own = std::fs::read_link("/proc/self/ns/net").unwrap();
        let of_neighbour = format!("/proc/{}/ns/net", process.id());
        let started = Instant::now();
        while std::fs::read_link(&of_neighbour).is_ok_and(|namespace| namespace == own) {
            assert!(started.elapsed() < Duration::from_secs(10), "the neighbour has no network of its own");
            std::thread::yield_now();
        }
        ip(&format!("link add {interface} type veth peer name eth0 netns {}", process.id()));
        ip(&format!("address add {of_host}/24 dev {interface}"));
        ip(&format!("link set {interface} up"));
        process.stdin.as_mut().unwrap().write_all(b"ready\n").unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self { process, said: said.into() }
    }

    /// Has it connect to an address.
    fn connects(&self, address: &str, port: u16) -> String {
        let mut to = self.process.stdin.as_ref().unwrap();
        writeln!(to, "{address} {port}").unwrap();
        let mut line = String::new();
        self.said.borrow_mut().read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// Gives it a route.
    fn sends(&self, to: &str, gateway: Ipv4Addr) {
        let pid = self.process.id().to_string();
        let route = ["-t", &pid, "-n", "ip", "route", "add", to, "via", &gateway.to_string()];
        assert!(std::process::Command::new("nsenter").args(route).status().unwrap().success());
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Host {
    fn new(number: usize) -> Self {
        let folder = std::env::temp_dir().join(format!("hearth-network-{}-{number}", std::process::id()));
        std::fs::create_dir_all(folder.join("code")).unwrap();
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap();
        std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").unwrap();
        ip("link set lo up");
        let world = Neighbour::new("lan0", WORLD, HOST);
        // The world is where everything else would be, too.
        ip(&format!("route add default via {WORLD}"));
        Self { folder, world }
    }

    async fn sandboxes(&self) -> NamespaceSandboxes {
        NamespaceSandboxes::start(&self.folder.join("run"), NetworkPolicy::Internet).await.unwrap()
    }

    fn plan(&self, network: NetworkPolicy) -> SandboxPlan {
        SandboxPlan { code: Some(self.folder.join("code")), network, ..SandboxPlan::default() }
    }

    async fn environment(&self, sandboxes: &NamespaceSandboxes) -> Box<dyn Sandbox> {
        let plan = self.plan(NetworkPolicy::Internet);
        sandboxes.create(EnvironmentId::random(), &plan).await.unwrap()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn ip(arguments: &str) -> String {
    let ended = std::process::Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(ended.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap()
}

/// What a server can leave behind on this host: interfaces, routes, tables and settings.
fn traces() -> BTreeSet<String> {
    let interfaces =
        ip("-brief link").lines().map(|line| line.split(['@', ' ']).next().unwrap().to_owned()).collect();
    let routes = ip("route show table all").lines().map(str::to_owned).collect();
    let tables = std::process::Command::new("nft").args(["list", "tables"]).output().unwrap();
    let tables = String::from_utf8(tables.stdout).unwrap().lines().map(str::to_owned).collect();
    let forwarding = format!("lan0 forwards: {}", forwards("lan0"));
    let all: [Vec<String>; 4] = [interfaces, routes, tables, vec![forwarding]];
    all.into_iter().flatten().collect()
}

fn forwards(interface: &str) -> bool {
    std::fs::read_to_string(format!("/proc/sys/net/ipv4/conf/{interface}/forwarding")).unwrap() == "1\n"
}

const PREFACE: &str = r#"
import errno, os, socket, struct, sys
def connect(address, port, seconds=3):
    connection = socket.socket(); connection.settimeout(seconds)
    try:
        connection.connect((address, port))
        return 'works'
    except TimeoutError:
        return 'timeout'
    except OSError as error:
        return errno.errorcode[error.errno]
"#;

fn python(script: &str) -> Command {
    Command {
        program: "/usr/bin/python3".into(),
        arguments: vec!["-S".into(), "-c".into(), format!("{PREFACE}\n{script}").into()],
        environment: vec![("PATH".into(), "/usr/bin:/bin".into())],
        working_directory: "/var/task".into(),
        restored_from: None,
    }
}

async fn next(sandbox: &dyn Sandbox) -> SandboxEvent {
    tokio::time::timeout(Duration::from_secs(120), sandbox.next_event())
        .await
        .expect("the sandbox says something")
}

/// Runs a script to its end and returns what it wrote.
async fn run(sandbox: &dyn Sandbox, script: &str) -> String {
    sandbox.start(RUNTIME, &python(script), Output::Shared).unwrap();
    assert_eq!(next(sandbox).await, SandboxEvent::Started { process: RUNTIME });
    let SandboxEvent::Exited { status, .. } = next(sandbox).await else { panic!("no exit") };
    let output = written(sandbox);
    assert_eq!(status, ExitStatus::Code(0), "{output}");
    output
}

fn written(sandbox: &dyn Sandbox) -> String {
    let mut output = Vec::new();
    let _would_block = std::fs::File::from(sandbox.output().unwrap()).read_to_end(&mut output);
    String::from_utf8(output).unwrap()
}

/// Runs a script that prints `what answer` lines.
async fn answers(sandbox: &dyn Sandbox, script: &str) -> BTreeMap<String, String> {
    let output = run(sandbox, script).await;
    output
        .lines()
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(what, answer)| (what.into(), answer.into()))
        .collect()
}

async fn until(what: &str, reached: impl Fn() -> bool) {
    let started = Instant::now();
    while !reached() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}");
        tokio::task::yield_now().await;
    }
}

async fn reaches_the_world(host: &Host) {
    let sandboxes = host.sandboxes().await;
    let sandbox = host.environment(&sandboxes).await;
    let script = format!(
        "
connection = socket.create_connection(('{WORLD}', 8080), 5)
print('tcp', connection.recv(100).decode())
question = b'\\x12\\x34\\x01\\0\\0\\1\\0\\0\\0\\0\\0\\0\\4name\\4test\\0\\0\\1\\0\\1'
dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); dns.settimeout(5)
dns.sendto(question, ('{WORLD}', 53))
print('udp', socket.inet_ntoa(dns.recv(512)[-4:]))
print('interfaces', ','.join(sorted(name for _, name in socket.if_nameindex())))
six = socket.socket(socket.AF_INET6)
try:
    six.connect(('2001:db8::1', 80))
except OSError as error:
    print('ipv6', errno.errorcode[error.errno])
"
    );
    let found = answers(&*sandbox, &script).await;
    let expected = [
        ("tcp", HOST.to_string()),
        ("udp", "203.0.113.77".to_owned()),
        ("interfaces", "eth0,lo".to_owned()),
        ("ipv6", "ENETUNREACH".to_owned()),
    ];
    assert_eq!(found, expected.map(|(what, answer)| (what.to_owned(), answer)).into());
}

async fn case_085(host: &Host) {
    // Real listeners, so that it is the wall that is found.
    for address in ["169.254.169.254", "169.254.170.2", "198.51.100.1"] {
        ip(&format!("address add {address}/32 dev lo"));
    }
    ip("address add 169.254.1.1/16 dev lan0");
    let sandboxes = host.sandboxes().await;
    let other_server =
        NamespaceSandboxes::start(&host.folder.join("other"), NetworkPolicy::Internet).await.unwrap();
    let everywhere = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = everywhere.local_addr().unwrap().port();
    let mut others = Vec::new();
    for sandboxes in [&sandboxes, &other_server] {
        let other = host.environment(sandboxes).await;
        let address = listening(&*other).await;
        others.push((other, address));
    }
    let sandbox = host.environment(&sandboxes).await;
    let own_addresses: Vec<String> = ip("-4 -brief address")
        .split_whitespace()
        .filter(|word| word.contains('/') && !word.starts_with("127."))
        .map(|word| word.split('/').next().unwrap().to_owned())
        .collect();
    assert!(own_addresses.len() >= 7, "{own_addresses:?}");
    let script = format!(
        "
for address in {own_addresses:?}:
    print('host', address, connect(address, {port}))
for address in {:?}:
    print('other', address, connect(address, 7777))
for address in ('169.254.9.9', '224.0.0.1', '255.255.255.255', '203.0.113.255', '0.0.0.0'):
    print('nobody', address, connect(address, 80))
import fcntl
gateway = next(line.split()[2] for line in open('/proc/net/route') if line.split()[1] == '00000000')
gateway = socket.inet_ntoa(struct.pack('<I', int(gateway, 16)))
print('gateway', gateway, connect(gateway, {port}))
print('world', connect('{WORLD}', 8080))
",
        others.iter().map(|(_, address)| address).collect::<Vec<_>>()
    );
    let found = answers(&*sandbox, &script).await;
    assert_eq!(found.len(), own_addresses.len() + 2 + 5 + 2);
    for (what, answer) in &found {
        let expected: &[&str] = match what.split(' ').next().unwrap() {
            "world" => &["works"],
            // At once, so that nobody waits for a metadata service.
            "host" | "other" | "gateway" => &["EHOSTUNREACH"],
            _ => &["EHOSTUNREACH", "ENETUNREACH", "EACCES", "EINVAL", "ECONNREFUSED"],
        };
        assert!(expected.contains(&answer.as_str()), "{what} {answer}");
    }
    everywhere.set_nonblocking(true).unwrap();
    assert!(everywhere.accept().is_err());
}

/// Has an environment listen at port 7777, and returns its address.
async fn listening(sandbox: &dyn Sandbox) -> String {
    let listen = "
server = socket.create_server(('0.0.0.0', 7777))
way_out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); way_out.connect(('203.0.113.9', 53))
print(way_out.getsockname()[0], flush=True)
server.accept()
";
    sandbox.start(RUNTIME, &python(listen), Output::Shared).unwrap();
    assert_eq!(next(sandbox).await, SandboxEvent::Started { process: RUNTIME });
    let said = std::cell::RefCell::new(String::new());
    until("the environment listens", || {
        said.borrow_mut().push_str(&written(sandbox));
        said.borrow().ends_with('\n')
    })
    .await;
    said.into_inner().trim().to_owned()
}

async fn nothing_gets_in(host: &Host) {
    let sandboxes = host.sandboxes().await;
    let sandbox = host.environment(&sandboxes).await;
    let address = listening(&*sandbox).await;
    host.world.sends("198.18.0.0/15", HOST);
    assert_eq!(host.world.connects(&address, 7777), "timeout");
    let of_host = std::net::SocketAddr::new(address.parse().unwrap(), 7777);
    let error = std::net::TcpStream::connect_timeout(&of_host, Duration::from_secs(1)).unwrap_err();
    assert!(
        error.raw_os_error() == Some(nix::libc::EPERM) || error.kind() == std::io::ErrorKind::TimedOut,
        "{error}"
    );
}

async fn reaches_nothing(host: &Host) {
    let sandboxes = host.sandboxes().await;
    let plan = host.plan(NetworkPolicy::None);
    let sandbox = sandboxes.create(EnvironmentId::random(), &plan).await.unwrap();
    let script = format!(
        "
for address in ('{WORLD}', '{HOST}', '169.254.169.254', '198.18.0.1'):
    print(address, connect(address, 8080))
print('interfaces', ','.join(name for _, name in socket.if_nameindex()))
print('loopback', connect('127.0.0.1', 9001))
"
    );
    let found = answers(&*sandbox, &script).await;
    assert_eq!(found.len(), 6);
    for (what, answer) in &found {
        let expected = match what.as_str() {
            "interfaces" => "lo",
            "loopback" => "works",
            _ => "ENETUNREACH",
        };
        assert_eq!(answer, expected, "{what}");
    }
    // A server that was told that none of its functions may go out gives none of them a way.
    let closed = NamespaceSandboxes::start(&host.folder.join("closed"), NetworkPolicy::None).await.unwrap();
    assert_eq!(closed.network(), &NetworkFacts::None);
    let plan = host.plan(NetworkPolicy::Internet);
    assert!(closed.create(EnvironmentId::random(), &plan).await.is_err());
}

async fn case_072(host: &Host) {
    let sandboxes = host.sandboxes().await;
    // So that the first are remembered until the last are there, however slow this machine is.
    std::fs::write("/proc/sys/net/netfilter/nf_conntrack_udp_timeout", "600").unwrap();
    // With a whole CPU.
    let plan = SandboxPlan { memory_size_mb: 2_048, ..host.plan(NetworkPolicy::Internet) };
    let greedy = sandboxes.create(EnvironmentId::random(), &plan).await.unwrap();
    let script = format!(
        "
def open_many(count):
    kept = []
    for _ in range(count):
        connection = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        connection.connect(('{WORLD}', 53))
        try:
            connection.send(b'too short')
        except OSError as error:
            return errno.errorcode[error.errno]
        kept.append(connection)
    return kept
read, write = os.pipe()
for child in range(10):
    if os.fork() == 0:
        kept = open_many(1000)
        os.write(write, b'.')
        import time, signal
        signal.pause()
for _ in range(10):
    os.read(read, 1)
print('open', flush=True)
import signal
signal.pause()
"
    );
    greedy.start(RUNTIME, &python(&script), Output::Shared).unwrap();
    assert_eq!(next(&*greedy).await, SandboxEvent::Started { process: RUNTIME });
    let said = std::cell::RefCell::new(String::new());
    until("ten thousand sockets are open", || {
        said.borrow_mut().push_str(&written(&*greedy));
        said.borrow().contains("open")
    })
    .await;
    // Its own way is closed now, and nobody else's.
    let connect = format!("print(connect('{WORLD}', 8080))");
    greedy.start(ProcessId(2), &python(&connect), Output::Shared).unwrap();
    assert_eq!(next(&*greedy).await, SandboxEvent::Started { process: ProcessId(2) });
    let SandboxEvent::Exited { process: ProcessId(2), .. } = next(&*greedy).await else { panic!("no exit") };
    assert_eq!(written(&*greedy), "EHOSTUNREACH\n");
    let other = host.environment(&sandboxes).await;
    assert_eq!(run(&*other, &connect).await, "works\n");
    assert!(std::net::TcpStream::connect((WORLD, 8080)).is_ok());
}

/// A server: makes an environment, says so, and waits to be killed.
async fn victim(folder: &Path) {
    let sandboxes = NamespaceSandboxes::start(folder, NetworkPolicy::Internet).await.unwrap();
    let plan = SandboxPlan { network: NetworkPolicy::Internet, ..SandboxPlan::default() };
    let _sandbox = sandboxes.create(EnvironmentId::random(), &plan).await.unwrap();
    println!("ready");
    std::future::pending().await
}

async fn case_119(host: &Host) {
    let before = traces();
    let run = host.folder.join("run");
    // Two of them, so that the next server finds more than what it would use itself.
    let mut servers: Vec<Child> = ["one", "two"]
        .map(|name| {
            let mut server = std::process::Command::new(std::env::current_exe().unwrap())
                .args([VICTIM.as_ref(), run.join(name).as_os_str()])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut line = String::new();
            BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
            assert_eq!(line, "ready\n");
            server
        })
        .into();
    let alive = host.sandboxes().await;
    for server in &mut servers {
        server.kill().unwrap();
        server.wait().unwrap();
    }
    let left: Vec<String> =
        traces().into_iter().filter(|trace| trace.starts_with("table inet hearth")).collect();
    assert_eq!(left.len(), 4, "{left:?}");
    // At once: the kernel may still be busy with removing interfaces.
    let next = NamespaceSandboxes::start(&host.folder.join("next"), NetworkPolicy::Internet).await.unwrap();
    let NetworkFacts::Internet { left_over, interface, .. } = next.network() else { panic!("no network") };
    assert_eq!((*left_over, interface.as_str()), (2, "hearth0"));
    let sandbox = host.environment(&alive).await;
    assert_eq!(run_connect(&*sandbox).await, "works\n");
    drop((sandbox, alive, next));
    until("the host is as it was", || traces() == before).await;
}

async fn run_connect(sandbox: &dyn Sandbox) -> String {
    run(sandbox, &format!("print(connect('{WORLD}', 8080))")).await
}

async fn becomes_no_router(host: &Host) {
    let second = Neighbour::new("lan1", Ipv4Addr::new(198, 51, 100, 9), Ipv4Addr::new(198, 51, 100, 1));
    second.sends("203.0.113.0/24", Ipv4Addr::new(198, 51, 100, 1));
    host.world.sends("198.51.100.0/24", HOST);
    assert_ne!(host.world.connects("198.51.100.9", 8080), "works");
    let sandboxes = host.sandboxes().await;
    let another =
        NamespaceSandboxes::start(&host.folder.join("another"), NetworkPolicy::Internet).await.unwrap();
    assert!(forwards("lan0") && forwards("lan1"));
    assert_ne!(host.world.connects("198.51.100.9", 8080), "works");
    assert_ne!(second.connects("203.0.113.9", 8080), "works");
    drop(sandboxes);
    // The other server still needs it, also for an interface that comes now.
    let third = Neighbour::new("lan2", Ipv4Addr::new(192, 0, 2, 9), Ipv4Addr::new(192, 0, 2, 1));
    let sandbox = host.environment(&another).await;
    assert_eq!(run_connect(&*sandbox).await, "works\n");
    assert!(run(&*sandbox, "print(connect('192.0.2.9', 8080))").await == "works\n");
    host.world.sends("192.0.2.0/24", HOST);
    third.sends("203.0.113.0/24", Ipv4Addr::new(192, 0, 2, 1));
    assert_ne!(host.world.connects("192.0.2.9", 8080), "works");
    drop((sandbox, another));
    assert!(!forwards("lan0") && !forwards("lan1") && !forwards("lan2"));

    // A host that is a router stays one, during and after.
    std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
    assert_eq!(host.world.connects("198.51.100.9", 8080), "works");
    let sandboxes = host.sandboxes().await;
    assert_eq!(host.world.connects("198.51.100.9", 8080), "works");
    drop(sandboxes);
    assert_eq!(host.world.connects("198.51.100.9", 8080), "works");
    assert!(forwards("lan0"));
}

async fn nothing_is_left(host: &Host) {
    let before = traces();
    let sandboxes = host.sandboxes().await;
    let with_server = traces();
    for _ in 0..rounds(40, 1_000) {
        drop(host.environment(&sandboxes).await);
    }
    assert_eq!(traces(), with_server);
    let sandbox = host.environment(&sandboxes).await;
    assert_eq!(run_connect(&*sandbox).await, "works\n");
    drop((sandbox, sandboxes));
    assert_eq!(traces(), before);
}

async fn what_is_missing(host: &Host) {
    // Without the right to change networks.
    let ended = std::process::Command::new("setpriv")
        .args(["--bounding-set=-net_admin", "--inh-caps=-net_admin"])
        .arg(std::env::current_exe().unwrap())
        .args([VICTIM.as_ref(), host.folder.join("run").as_os_str()])
        .output()
        .unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    println!("{stderr}");
    assert!(!ended.status.success() && ended.stdout.is_empty());
    assert!(stderr.contains("Network("), "{stderr}");
    // Where every range is used, none is taken from anybody.
    ip(&format!("route add 198.18.0.0/15 via {WORLD}"));
    ip(&format!("route add 10.0.0.0/8 via {WORLD}"));
    let refused = NamespaceSandboxes::start(&host.folder.join("run"), NetworkPolicy::Internet).await;
    let error = refused.err().unwrap();
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "failed to find an address range that this host does not use");
    ip("route del 198.18.0.0/15");
    ip(&format!("route add 198.18.0.0/19 via {WORLD}"));
    let sandboxes = host.sandboxes().await;
    let NetworkFacts::Internet { range, .. } = sandboxes.network() else { panic!("no network") };
    assert_eq!(range, "198.18.32.0/19");
}

async fn what_may_stand_in_the_way(host: &Host) {
    let warnings = async || {
        let sandboxes = host.sandboxes().await;
        let NetworkFacts::Internet { warnings, .. } = sandboxes.network() else { panic!("no network") };
        warnings.iter().filter(|warning| warning.contains("`filter`")).cloned().collect::<Vec<_>>()
    };
    assert!(warnings().await.is_empty());
    // As Docker, ufw and others set it up.
    for command in
        ["table ip filter", "chain ip filter FORWARD { type filter hook forward priority 0 ; policy drop ; }"]
    {
        let arguments = ["add"].into_iter().chain(command.split(' '));
        assert!(std::process::Command::new("nft").args(arguments).status().unwrap().success());
    }
    let said = warnings().await;
    assert!(said.len() == 1 && said[0].contains("interface `hearth0`"), "{said:?}");
}

/// How long networks take. Printed, with a bound far above what was seen.
async fn the_time_of_a_network(host: &Host) {
    const ROUNDS: usize = 50;
    // How many begin ahead of any use.
    const READY: usize = 8;
    let sandboxes = host.sandboxes().await;
    for (name, network) in [("none", NetworkPolicy::None), ("internet", NetworkPolicy::Internet)] {
        let plan = host.plan(network);
        let started = Instant::now();
        let creating = (0..ROUNDS).map(|_| sandboxes.create(EnvironmentId::random(), &plan));
        let made: Vec<_> =
            futures_util::future::join_all(creating).await.into_iter().map(Result::unwrap).collect();
        let together = started.elapsed();
        let started = Instant::now();
        drop(made);
        let dropped = started.elapsed();
        until("their interfaces are gone", || children() <= READY).await;
        println!(
            "{name}: {ROUNDS} at once {together:?}, dropping them {dropped:?}, all gone {:?}",
            started.elapsed()
        );
        let mut one_by_one = Vec::new();
        for _ in 0..ROUNDS {
            let started = Instant::now();
            drop(sandboxes.create(EnvironmentId::random(), &plan).await.unwrap());
            one_by_one.push(started.elapsed());
        }
        one_by_one.sort();
        println!("{name}: one after the other {:?} each (median)", one_by_one[ROUNDS / 2]);
        assert!(together < Duration::from_secs(30));
    }
}

/// How many processes the launcher has.
fn children() -> usize {
    let own = std::process::id();
    let of =
        |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let launcher = of(&own.to_string());
    launcher.split_whitespace().map(|launcher| of(launcher).split_whitespace().count()).sum()
}
