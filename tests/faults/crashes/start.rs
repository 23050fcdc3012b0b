//! A server that cannot start says why in one line, at once, and leaves everything as it is.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use hearth_tests::{Folder, Server, Settings, eventually, hearth_binary, python, skip};

/// How soon a server has to say that it cannot start.
const REFUSED_LIMIT: Duration = Duration::from_secs(1);
/// The documented exit code of a server that could not start.
const START_FAILED: i32 = 3;
/// Nobody on Debian, and on most systems.
const ANOTHER_USER: u32 = 65_534;

/// Starts a server that is expected to give up, and returns what it said.
fn gives_up(mut command: Command) -> Output {
    let started = Instant::now();
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let ended = eventually("the server gives up", || child.try_wait().unwrap());
    let elapsed = started.elapsed();
    assert_eq!(ended.code(), Some(START_FAILED));
    assert!(elapsed < REFUSED_LIMIT, "only after {elapsed:?}");
    child.wait_with_output().unwrap()
}

/// Checks that the last thing said is one error that names `what`, and that nothing was printed as data.
fn check_error(output: &Output, what: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<&str> = stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "one error line: {stderr}");
    assert!(errors[0].contains(what), "it names `{what}`: {stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert!(output.stdout.is_empty());
}

/// The command of a server that runs as another user, in a folder where that user may read the program.
fn as_another_user(data: &Folder, programs: &Folder) -> Option<Command> {
    if !nix::unistd::geteuid().is_root() {
        skip("only root can start a server as another user");
        return None;
    }
    let program = programs.path().join("hearth");
    fs::copy(hearth_binary(), &program).unwrap();
    for folder in [programs.path(), program.as_path()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut command = Settings::new().program(program).command("127.0.0.1:0", data.path());
    use std::os::unix::process::CommandExt as _;
    command.uid(ANOTHER_USER).gid(ANOTHER_USER).current_dir("/");
    Some(command)
}

#[test]
fn case_117_a_data_folder_that_may_only_be_read_is_refused() {
    let (data, programs) = (Folder::new(), Folder::new());
    // With everything in it, so that only writing fails.
    drop(Settings::new().data_dir(&std::sync::Arc::new(Folder::new())).start());
    let Some(command) = as_another_user(&data, &programs) else { return };
    chown(data.path(), Some(ANOTHER_USER), None).unwrap();
    fs::set_permissions(data.path(), fs::Permissions::from_mode(0o555)).unwrap();
    check_error(&gives_up(command), &data.path().display().to_string());
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 0, "nothing was made in it");
}

#[test]
fn case_117_a_data_folder_of_another_user_is_refused() {
    let programs = Folder::new();
    let server = Server::start();
    server.create(python("kept", "def handler(event, context): return 1\n"));
    let data = server.data_dir().clone();
    server.stop();
    let Some(command) = as_another_user(&data, &programs) else { return };
    fs::set_permissions(data.path(), fs::Permissions::from_mode(0o755)).unwrap();
    check_error(&gives_up(command), &data.path().display().to_string());
    let server = Settings::new().data_dir(&data).start();
    assert_eq!(server.function("kept").invoke("{}").success(), 1, "its owner can still use it");
}

#[test]
fn case_117_a_data_folder_that_is_missing_and_cannot_be_made_is_refused() {
    let folder = Folder::new();
    let file = folder.write("file", "not a folder");
    let missing = file.join("data");
    check_error(&gives_up(Settings::new().command("127.0.0.1:0", &missing)), &missing.display().to_string());
    assert_eq!(fs::read_to_string(file).unwrap(), "not a folder");
}

#[test]
fn case_117_a_taken_port_is_one_clear_error() {
    let server = Server::start();
    let address = server.address().to_string();
    check_error(&gives_up(Settings::new().command(&address, Folder::new().path())), &address);
}

#[test]
fn case_118_a_second_server_on_the_same_data_is_refused_and_the_first_goes_on() {
    let server = Server::start();
    let data = server.data_dir().clone();
    let function = server.create(python("first", "def handler(event, context): return 1\n"));
    check_error(
        &gives_up(Settings::new().command("127.0.0.1:0", data.path())),
        &data.path().display().to_string(),
    );
    assert_eq!(function.invoke("{}").success(), 1);
    server.create(python("second", "def handler(event, context): return 2\n"));
}
