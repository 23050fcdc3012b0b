//! Processes that begin from a snapshot: each behind walls of its own, and none sees what another does.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use hearth_sandbox::{
    Command, ExitStatus, Output, Sandbox, SandboxEvent, Sandboxes as _, Snapshot, SnapshotError,
};
use hearth_types::EnvironmentId;

use crate::RUNTIME;
use crate::host::{Host, next, python};

const MEMORY_BYTES_MAX: u64 = 256 << 20;

/// Starts a script that waits in `recv` at its end, and takes a snapshot of it.
async fn snapshot(sandbox: &dyn Sandbox, script: &str) -> Result<Snapshot, SnapshotError> {
    sandbox.start(RUNTIME, &python(script), Output::Shared).unwrap();
    assert_eq!(next(sandbox).await, SandboxEvent::Started { process: RUNTIME });
    let pid = sandbox.pid(RUNTIME).unwrap();
    tokio::task::spawn_blocking(move || Snapshot::take(pid, MEMORY_BYTES_MAX)).await.unwrap()
}

fn restore(snapshot: &Arc<Snapshot>, variables: &[(&str, &str)]) -> Command {
    Command {
        environment: variables.iter().map(|(name, value)| (name.into(), value.into())).collect(),
        restored_from: Some(snapshot.clone()),
        ..python("")
    }
}

fn written(sandbox: &dyn Sandbox) -> String {
    let mut output = Vec::new();
    let _would_block = std::fs::File::from(sandbox.output().unwrap()).read_to_end(&mut output);
    String::from_utf8(output).unwrap()
}

/// A script that waits, and goes on with `after` when it is restored.
fn waiting(before: &str, after: &str) -> String {
    format!(
        "{before}
ours, theirs = socket.socketpair()
assert ours.recv(1) == b''
variables = os.read(63, 10000)
os.close(63)
ours.detach(), theirs.detach()
{after}"
    )
}

pub(crate) async fn a_snapshot_goes_on(host: &Host) {
    let sandboxes = host.sandboxes().await;
    let script = waiting(
        "
import decimal, hashlib, json, re, threading
state = {'list': list(range(100000)), 'number': decimal.Decimal(7)}
signal.signal(signal.SIGUSR1, lambda *_: print('signal', flush=True))
open('/tmp/mark', 'w').write('of the template')
print('before', flush=True)",
        "
print('variables', variables)
print('state', len(state['list']), state['number'], hashlib.sha256(b'x').hexdigest()[:8], json.dumps({'a': 1}))
print('tmp', os.listdir('/tmp'))
print('descriptors', sorted(os.listdir('/proc/self/fd')))
os.kill(os.getpid(), signal.SIGUSR1)
thread = threading.Thread(target=lambda: print('thread', threading.active_count(), flush=True))
thread.start()
thread.join()
grown = [bytearray(100000) for _ in range(200)]
print('grown', len(grown))
def deep(n):
    return 0 if n == 0 else 1 + deep(n - 1)
sys.setrecursionlimit(9000)
print('deep', deep(8000))
print('user', os.getuid() == os.stat('/tmp/new').st_uid if open('/tmp/new', 'w').close() is None else '')
for line in open('/proc/self/status'):
    if line.startswith(('CapEff', 'NoNewPrivs', 'Seccomp:')):
        print(*line.split())
print('mount', call(165, 0, 0, 0, 0, 0))
sys.exit(7)",
    );
    let template = sandboxes.create(EnvironmentId::random(), &host.plan()).await.unwrap();
    let snapshot = Arc::new(snapshot(&*template, &script).await.unwrap());
    assert_eq!(written(&*template), "before\n");
    drop(template);
    for _ in 0..2 {
        let sandbox = sandboxes.create(EnvironmentId::random(), &host.plan()).await.unwrap();
        sandbox.start(RUNTIME, &restore(&snapshot, &[("A", "b"), ("C", "")]), Output::Shared).unwrap();
        assert_eq!(next(&*sandbox).await, SandboxEvent::Started { process: RUNTIME });
        let SandboxEvent::Exited { status, .. } = next(&*sandbox).await else { panic!("no exit") };
        let output = written(&*sandbox);
        assert_eq!(
            output,
            "variables b'A=b\\x00C=\\x00'\nstate 100000 7 2d711642 {\"a\": 1}\ntmp []\n\
             descriptors ['0', '1', '2', '3', '62']\nsignal\nthread 2\ngrown 200\ndeep 8000\nuser True\n\
             CapEff: 0000000000000000\nNoNewPrivs: 1\nSeccomp: 2\nmount EPERM\n"
        );
        assert_eq!(status, ExitStatus::Code(7), "{output}");
    }
}

/// Twenty at once: none finds anything of another, in memory, processes, files or network.
pub(crate) async fn restored_processes_share_nothing(host: &Host) {
    let sandboxes = host.sandboxes().await;
    let script = waiting(
        "
secret = bytearray(b'template' * 1000)
where = id(secret)",
        "
mine = os.urandom(8)
secret[:8] = mine
server = socket.create_server(('127.0.0.1', 5000))
open('/tmp/mine', 'wb').write(mine)
print(len(os.listdir('/tmp')), secret[:8] == mine, secret[8:16], where == id(secret), flush=True)
print(len([name for name in os.listdir('/proc') if name.isdigit()]), attempt(lambda: os.kill(1, 9)), flush=True)
for number in (101, 308, 310, 311):
    print(call(number, os.getpid(), 0, 0, 0, 0, 0), end=' ')
print(flush=True)
import time
time.sleep(1000)",
    );
    let template = sandboxes.create(EnvironmentId::random(), &host.plan()).await.unwrap();
    let snapshot = Arc::new(snapshot(&*template, &script).await.unwrap());
    let mut all = Vec::new();
    for _ in 0..20 {
        let sandbox = sandboxes.create(EnvironmentId::random(), &host.plan()).await.unwrap();
        sandbox.start(RUNTIME, &restore(&snapshot, &[]), Output::Shared).unwrap();
        all.push(sandbox);
    }
    for sandbox in &all {
        assert_eq!(next(&**sandbox).await, SandboxEvent::Started { process: RUNTIME });
        let mut output = String::new();
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        while output.lines().count() < 3 {
            assert!(std::time::Instant::now() < deadline, "{output}");
            output.push_str(&written(&**sandbox));
            tokio::task::yield_now().await;
        }
        assert_eq!(output, "1 True bytearray(b'template') True\n1 EPERM\nEPERM EPERM EPERM EPERM \n");
    }
}

pub(crate) async fn what_cannot_be_restored_is_refused(host: &Host) {
    let sandboxes = host.sandboxes().await;
    for (before, why) in [
        (
            "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()",
            "it has more than one thread",
        ),
        ("import mmap\nshared = mmap.mmap(-1, 4096)", "it has mapped `/dev/zero (deleted)`"),
        (
            "assert libc.mmap(ctypes.c_void_p(0), ctypes.c_size_t(1 << 45), 0, 0x4022, -1, ctypes.c_long(0)) != -1",
            "it has mapped more than 64 GiB",
        ),
        ("much = bytearray(300 << 20)", "it has more memory than the function may have"),
        ("import time\ntime.sleep(1000)", "the process does not stop"),
    ] {
        let sandbox = sandboxes.create(EnvironmentId::random(), &host.plan()).await.unwrap();
        let refused = snapshot(&*sandbox, &waiting(before, "")).await.unwrap_err();
        assert_eq!(refused.to_string(), why);
        // It goes on, or can be killed.
        sandbox.kill_all().unwrap();
        while next(&*sandbox).await != SandboxEvent::AllGone {}
    }
}
