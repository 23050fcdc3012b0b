//! What a hostile program reaches by the network.

use std::time::Instant;

use hearth_sandbox::namespaces::NamespaceSandboxes;
use hearth_sandbox::{AWS_API, NetworkPolicy, SandboxPlan, Sandboxes};
use hearth_types::EnvironmentId;

use crate::host::{Host, answers, python, run, until};

pub(crate) async fn case_084_085(host: &Host) {
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

pub(crate) async fn case_085_pasta(host: &Host) {
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
pub(crate) fn pastas() -> usize {
    let below = hearth_sandbox_init::tree::descendants_of(std::process::id() as i32);
    let names = below.into_iter().filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/comm")).ok());
    names.filter(|name| name.starts_with("pasta") || name.starts_with("passt")).count()
}
