//! What is left when a server is killed.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use hearth_sandbox::namespaces::NamespaceSandboxes;
use hearth_sandbox::{NetworkPolicy, Output, SandboxEvent, SandboxPlan, Sandboxes};
use hearth_types::EnvironmentId;

use crate::host::{Host, command, next, until};
use crate::{RUNTIME, VICTIM};

/// A server: makes an environment with a daemon in it, says so, and waits to be killed.
pub(crate) async fn victim(folder: &Path, mark: &str) {
    let sandboxes = NamespaceSandboxes::start(folder, NetworkPolicy::None).await.unwrap();
    let sandbox = sandboxes.create(EnvironmentId::random(), &SandboxPlan::default()).await.unwrap();
    let script = format!("setsid sleep {mark} & exec sleep {mark}");
    sandbox.start(RUNTIME, &command("/bin/sh", &["-c", &script]), Output::Shared).unwrap();
    assert_eq!(next(&*sandbox).await, SandboxEvent::Started { process: RUNTIME });
    println!("ready");
    std::future::pending().await
}

pub(crate) async fn case_119(host: &Host) {
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
pub(crate) fn sleepers(mark: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let command_lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    command_lines.filter(|line| *line == format!("sleep\0{mark}\0").as_bytes()).count()
}
