//! What every sandbox backend must do, run against each of them. Has its own `main`: the launcher is this very
//! program started again, and it must be asked for before any thread exists.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test, with its own `main`")]
#![allow(clippy::disallowed_methods, reason = "it starts itself once more, as another user")]

use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::time::Duration;

use hearth_sandbox::namespaces::NamespaceSandboxes;
use hearth_sandbox::process::ProcessSandboxes;
use hearth_sandbox::{
    Command, ExitStatus, NetworkPolicy, Output, ProcessId, Sandbox, SandboxError, SandboxEvent, SandboxPlan,
    Sandboxes, output_pipe,
};
use hearth_types::EnvironmentId;

const RUNTIME: ProcessId = ProcessId(1);
const EXTENSION: ProcessId = ProcessId(2);

fn main() {
    hearth_sandbox_init::run_if_launcher();
    // nextest asks every test binary for a list of its tests, and then runs them one by one.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        if !arguments.iter().any(|argument| argument == "--ignored") {
            println!("process: test\nnamespaces: test");
            if is_root() {
                println!("namespaces_without_root: test");
            }
        }
        return;
    }
    let chosen = |test: &str| {
        let names: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
        names.is_empty() || names.iter().any(|name| name.as_str() == test)
    };
    let folder = std::env::temp_dir().join(format!("hearth-sandbox-test-{}", std::process::id()));
    let tokio = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    tokio.block_on(async {
        if chosen("process") {
            let sandboxes = ProcessSandboxes::start(&folder).unwrap();
            suite(&sandboxes, &folder).await;
        }
        if chosen("namespaces") {
            match NamespaceSandboxes::start(&folder, NetworkPolicy::None).await {
                Ok(sandboxes) => suite(&sandboxes, &folder).await,
                Err(error @ SandboxError::UserNamespaces { .. }) => println!("skipped: namespaces: {error}"),
                Err(error) => panic!("{error:?}"),
            }
        }
        if chosen("namespaces_without_root") && is_root() {
            // `/proc/self/exe` is there also for users who cannot reach its folder.
            let mut again = std::process::Command::new("/proc/self/exe");
            again.args(["--exact", "namespaces"]).uid(65_534).gid(65_534).current_dir("/");
            assert!(again.status().unwrap().success());
        }
    });
    drop(tokio);
    let _ = std::fs::remove_dir_all(&folder);
    println!(
        "\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s"
    );
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

async fn suite(sandboxes: &dyn Sandboxes, folder: &Path) {
    a_process_gets_what_it_was_given_and_nothing_else(sandboxes).await;
    an_exit_says_its_code_or_signal(sandboxes).await;
    a_program_that_cannot_be_started_says_why(sandboxes).await;
    killing_takes_the_whole_tree_and_the_sandbox_can_be_used_again(sandboxes).await;
    one_process_is_ended_and_the_others_live_on(sandboxes).await;
    dropping_a_sandbox_ends_its_tree_and_removes_its_files(sandboxes, folder).await;
    memory_counts_the_peak(sandboxes).await;
    what_is_frozen_stands_still_and_can_be_killed(sandboxes).await;
}

async fn create(sandboxes: &dyn Sandboxes) -> Box<dyn Sandbox> {
    sandboxes.create(EnvironmentId::random(), &SandboxPlan::default()).await.unwrap()
}

fn shell(script: &str) -> Command {
    Command {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into()],
        environment: vec![("PATH".into(), "/usr/bin:/bin".into()), ("A".into(), "b=c \n".into())],
        working_directory: "/".into(),
        restored_from: None,
    }
}

async fn next(sandbox: &dyn Sandbox) -> SandboxEvent {
    tokio::time::timeout(Duration::from_secs(10), sandbox.next_event())
        .await
        .expect("the sandbox says something")
}

async fn run(sandbox: &dyn Sandbox, command: &Command) -> (SandboxEvent, String) {
    sandbox.start(RUNTIME, command, Output::Shared).unwrap();
    let mut event = next(sandbox).await;
    if event == (SandboxEvent::Started { process: RUNTIME }) {
        event = next(sandbox).await;
    }
    let mut output = Vec::new();
    let _would_block = std::fs::File::from(sandbox.output().unwrap()).read_to_end(&mut output);
    (event, String::from_utf8(output).unwrap())
}

/// The end of a process that had memory enough.
fn exited(process: ProcessId, status: ExitStatus) -> SandboxEvent {
    SandboxEvent::Exited { process, status, was_out_of_memory: false }
}

async fn a_process_gets_what_it_was_given_and_nothing_else(sandboxes: &dyn Sandboxes) {
    let sandbox = create(sandboxes).await;
    let script = "pwd; echo \"$A|\"; echo err >&2; ls /proc/$$/fd; ulimit -n; ulimit -c; read x || echo eof";
    let (event, output) = run(&*sandbox, &shell(script)).await;
    assert_eq!(event, exited(RUNTIME, ExitStatus::Code(0)));
    assert_eq!(output, "/\nb=c \n|\nerr\n0\n1\n2\n62\n1024\n0\neof\n");
}

async fn an_exit_says_its_code_or_signal(sandboxes: &dyn Sandboxes) {
    let sandbox = create(sandboxes).await;
    let (event, _) = run(&*sandbox, &shell("exit 7")).await;
    assert_eq!(event, exited(RUNTIME, ExitStatus::Code(7)));
    let (event, _) = run(&*sandbox, &shell("kill -SEGV $$")).await;
    let status = ExitStatus::Signal { signal: 11, core_dumped: false };
    assert_eq!(event, exited(RUNTIME, status));
}

async fn a_program_that_cannot_be_started_says_why(sandboxes: &dyn Sandboxes) {
    let sandbox = create(sandboxes).await;
    let (event, _) = run(&*sandbox, &Command { program: "/nowhere/bootstrap".into(), ..shell("") }).await;
    assert_eq!(event, SandboxEvent::StartFailed { process: RUNTIME, errno: 2 });
}

async fn killing_takes_the_whole_tree_and_the_sandbox_can_be_used_again(sandboxes: &dyn Sandboxes) {
    let sandbox = create(sandboxes).await;
    // A daemon: another session, its parent gone, deaf to SIGTERM.
    let daemon = "setsid sh -c 'trap \"\" TERM; sh -c \"sleep 1000\" & echo; while :; do sleep 1000; done' & \
                  echo; sleep 1000";
    let mark = EnvironmentId::random().to_string();
    let mut command = shell(daemon);
    command.environment.push(("MARK".into(), (&mark).into()));
    sandbox.start(RUNTIME, &command, Output::Shared).unwrap();
    assert_eq!(next(&*sandbox).await, SandboxEvent::Started { process: RUNTIME });
    let output = tokio::net::unix::pipe::Receiver::from_owned_fd(sandbox.output().unwrap()).unwrap();
    let mut lines = 0;
    while lines < 2 {
        output.readable().await.unwrap();
        let mut buffer = [0; 256];
        lines += output.try_read(&mut buffer).unwrap_or(0);
    }
    let pids = marked(&mark);
    assert!(pids.len() >= 3 && pids.contains(&sandbox.pid(RUNTIME).unwrap()), "{pids:?}");

    sandbox.kill_all().unwrap();
    let status = ExitStatus::Signal { signal: 9, core_dumped: false };
    assert_eq!(next(&*sandbox).await, exited(RUNTIME, status));
    assert_eq!(next(&*sandbox).await, SandboxEvent::AllGone);
    assert!(!pids.iter().any(|&pid| is_alive(pid)), "{pids:?}");
    assert_eq!(marked(&mark), []);

    let (event, output) = run(&*sandbox, &shell("echo again")).await;
    assert_eq!(event, exited(RUNTIME, ExitStatus::Code(0)));
    assert_eq!(output, "again\n");
}

async fn one_process_is_ended_and_the_others_live_on(sandboxes: &dyn Sandboxes) {
    let sandbox = create(sandboxes).await;
    sandbox.start(RUNTIME, &shell("sleep 1000"), Output::Shared).unwrap();
    assert_eq!(next(&*sandbox).await, SandboxEvent::Started { process: RUNTIME });
    let (output, output_to) = output_pipe().unwrap();
    let script = "trap 'echo asked; sleep 1000' TERM; ls /proc/$$/fd; sleep 1000 & wait";
    sandbox.start(EXTENSION, &shell(script), Output::Own(output_to.as_fd())).unwrap();
    assert_eq!(next(&*sandbox).await, SandboxEvent::Started { process: EXTENSION });
    drop(output_to);

    // Its output is in its own pipe, and it has no descriptor for framed records.
    let output = tokio::net::unix::pipe::Receiver::from_owned_fd(output).unwrap();
    let mut text = String::new();
    let mut signalled = false;
    while !text.contains("asked") {
        output.readable().await.unwrap();
        let mut buffer = [0; 256];
        match output.try_read(&mut buffer) {
            Ok(0) => panic!("it ended: {text}"),
            Ok(length) => text.push_str(std::str::from_utf8(&buffer[..length]).unwrap()),
            Err(_) => {}
        }
        if !signalled && text == "0\n1\n2\n" {
            sandbox.terminate(EXTENSION).unwrap();
            signalled = true;
        }
    }
    sandbox.kill(EXTENSION).unwrap();
    let status = ExitStatus::Signal { signal: 9, core_dumped: false };
    assert_eq!(next(&*sandbox).await, exited(EXTENSION, status));
    // Its whole group goes: nobody holds the pipe any more.
    let ended = async {
        loop {
            output.readable().await.unwrap();
            match output.try_read(&mut [0]) {
                Ok(length) => break length,
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
            }
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(10), ended).await;
    assert_eq!(ended.expect("the pipe ends"), 0);
    assert!(is_alive(sandbox.pid(RUNTIME).unwrap()));
    let mut shared = Vec::new();
    let _would_block = std::fs::File::from(sandbox.output().unwrap()).read_to_end(&mut shared);
    assert!(shared.is_empty(), "{shared:?}");
}

async fn dropping_a_sandbox_ends_its_tree_and_removes_its_files(sandboxes: &dyn Sandboxes, folder: &Path) {
    let id = EnvironmentId::random();
    let sandbox = sandboxes.create(id, &SandboxPlan::default()).await.unwrap();
    let files = folder.join(id.to_string());
    assert!(files.is_dir());
    for (name, value) in sandbox.extra_environment() {
        assert_eq!(name, "TMPDIR");
        assert!(Path::new(&value).is_dir() && Path::new(&value).starts_with(&files));
    }
    sandbox.start(RUNTIME, &shell("sleep 1000"), Output::Shared).unwrap();
    assert_eq!(next(&*sandbox).await, SandboxEvent::Started { process: RUNTIME });
    let pid = sandbox.pid(RUNTIME).unwrap();
    drop(sandbox);
    let started = std::time::Instant::now();
    while is_alive(pid) || files.exists() {
        assert!(started.elapsed() < Duration::from_secs(10), "the tree is still there");
        tokio::task::yield_now().await;
    }
}

async fn memory_counts_the_peak(sandboxes: &dyn Sandboxes) {
    let sandbox = create(sandboxes).await;
    // 64 MiB in a child of the runtime, held until the pipe on descriptor 3 could close: it waits for us to kill it.
    let script = "head -c 67108864 /dev/zero | tail -c 67108864 | { sleep 1000; }";
    sandbox.start(RUNTIME, &shell(script), Output::Shared).unwrap();
    assert_eq!(next(&*sandbox).await, SandboxEvent::Started { process: RUNTIME });
    let started = std::time::Instant::now();
    while sandbox.memory_bytes_max() < 64 << 20 {
        assert!(started.elapsed() < Duration::from_secs(10), "{} bytes", sandbox.memory_bytes_max());
        tokio::task::yield_now().await;
    }
}

async fn what_is_frozen_stands_still_and_can_be_killed(sandboxes: &dyn Sandboxes) {
    let sandbox = create(sandboxes).await;
    // Where nothing can stand still, nothing happens.
    let freezes = sandbox.can_freeze();
    for _ in 0..3 {
        sandbox.start(RUNTIME, &shell("while :; do :; done"), Output::Shared).unwrap();
        assert_eq!(next(&*sandbox).await, SandboxEvent::Started { process: RUNTIME });
        let pid = sandbox.pid(RUNTIME).unwrap();
        sandbox.freeze().unwrap();
        if freezes {
            let started = std::time::Instant::now();
            let (mut before, mut still) = (ticks(pid), std::time::Instant::now());
            while still.elapsed() < Duration::from_millis(100) {
                assert!(started.elapsed() < Duration::from_secs(10), "it goes on");
                let now = ticks(pid);
                if now != before {
                    (before, still) = (now, std::time::Instant::now());
                }
            }
            sandbox.thaw().unwrap();
            while ticks(pid) == before {
                assert!(started.elapsed() < Duration::from_secs(10), "it stands still");
            }
            sandbox.freeze().unwrap();
        }
        sandbox.kill_all().unwrap();
        let status = ExitStatus::Signal { signal: 9, core_dumped: false };
        assert_eq!(next(&*sandbox).await, exited(RUNTIME, status));
        assert_eq!(next(&*sandbox).await, SandboxEvent::AllGone);
        sandbox.thaw().unwrap();
    }
}

/// How many hundredths of a second of the CPU a process has used.
fn ticks(pid: i32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// The processes of this host that have the variable `MARK` with this value.
fn marked(mark: &str) -> Vec<i32> {
    let variable = format!("MARK={mark}\0");
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let has_mark = |pid: &i32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.windows(variable.len()).any(|bytes| bytes == variable.as_bytes())
    };
    pids.filter(has_mark).collect()
}

fn is_alive(pid: i32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    !stat.contains(") Z ")
}
