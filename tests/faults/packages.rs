//! Hostile and broken deployment packages: refused as a whole, or unpacked inside their folder.
//!
//! Each kind of answer has a test here. All the ways in which a zip can be wrong are in `crates/code/tests/archives.rs`.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hearth_tests::{
    Folder, NewFunction, Package, RawEntry, RawZip, Response, Server, Settings, eventually, python, rounds,
    try_http,
};
use serde_json::json;

const FUNCTIONS: &str = "/2015-03-31/functions";
const CANNOT_UNZIP: &str = "Could not unzip uploaded file. Please check your file, then try to upload again.";
const TOO_LARGE: &str = "Unzipped size must be smaller than 262144000 bytes";

/// A handler that says how many files its package has, its own included.
const COUNTS_FILES: &str = "import os
def handler(event, context):
    return sum(len(files) for _, _, files in os.walk(os.environ['LAMBDA_TASK_ROOT']))
";

fn body(name: &str, zip: &[u8]) -> Vec<u8> {
    let mut request = NewFunction::new(name, "python3.11", "app.handler", Package::new()).body();
    request["Code"]["ZipFile"] = BASE64.encode(zip).into();
    request.to_string().into_bytes()
}

fn create(server: &Server, name: &str, zip: &[u8]) -> Response {
    server.http("POST", FUNCTIONS, &body(name, zip))
}

/// Creates a function of any zip and waits until it is Active.
fn create_active<'a>(server: &'a Server, name: &str, zip: &[u8]) -> hearth_tests::Function<'a> {
    let response = create(server, name, zip);
    assert_eq!(response.status, 201, "{}", response.text());
    let function = server.function(name);
    function.wait_until("State", "Active");
    function
}

fn exists(server: &Server, name: &str) -> bool {
    let response = server.http("GET", &format!("{FUNCTIONS}/{name}"), b"");
    assert!(matches!(response.status, 200 | 404), "{}", response.text());
    response.status == 200
}

/// Returns the names in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Returns what is kept of packages: trees and zips.
fn kept(data_dir: &Path) -> Vec<String> {
    [names(&data_dir.join("trees")), names(&data_dir.join("objects"))].concat()
}

fn check_answer(case: &str, answer: &Response, status: u16, kind: &str, message: &str) {
    assert_eq!(answer.status, status, "{case}: {}", answer.text());
    assert_eq!(answer.header("x-amzn-ErrorType"), Some(kind), "{case}");
    assert!(answer.header("x-amzn-RequestId").is_some(), "{case}");
    assert_eq!(answer.json()["message"], message, "{case}");
}

/// A server, and what its data folder has in it while there is only a plain function.
struct Host {
    server: Server,
    kept: Vec<String>,
    around: Vec<String>,
}

impl Host {
    fn start() -> Self {
        let server = Server::start();
        let plain = server.create(python("plain", "def handler(event, context): return 'plain'\n"));
        plain.invoke("{}").success();
        let kept = kept(server.data_dir().path());
        let around = names(server.data_dir().path());
        Self { server, kept, around }
    }

    /// Checks that nothing of `name` is there, that nothing else has changed, and that a plain call works.
    fn check_nothing_left(&self, case: &str, name: &str) {
        assert!(!exists(&self.server, name), "{case}");
        let data_dir = self.server.data_dir().path();
        assert_eq!(kept(data_dir), self.kept, "{case}: something is left");
        assert_eq!(names(data_dir), self.around, "{case}: something is outside");
        assert!(!names(data_dir.parent().unwrap()).contains(&"escaped".to_owned()), "{case}");
        assert_eq!(self.server.function("plain").invoke("{}").success(), "plain", "{case}");
    }

    fn check_refused(&self, case: &str, zip: &[u8], message: &str) {
        let answer = create(&self.server, "refused", zip);
        check_answer(case, &answer, 400, "InvalidParameterValueException", message);
        self.check_nothing_left(case, "refused");
    }
}

#[test]
fn case_019_a_zip_of_one_byte_too_many_is_refused() {
    let host = Host::start();
    let answer = create(&host.server, "large", &vec![0; 52_428_801]);
    let message = "Zipped size must be smaller than 52428800 bytes";
    check_answer("one byte", &answer, 413, "RequestEntityTooLargeException", message);
    host.check_nothing_left("one byte", "large");
}

/// Returns the resident memory of a process, in KiB: now, or the most it ever was.
fn memory_kib(server: &Server, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}

/// Returns how long a server has been on a processor: what else the machine does is not in it.
fn processor_time(server: &Server) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: u64 =
        fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

#[test]
fn case_020_a_request_that_is_too_long_is_refused_and_not_kept_in_memory() {
    let host = Host::start();
    let message = "Request must be smaller than 70167211 bytes for the CreateFunction operation";
    let body = vec![b' '; 70_167_212];
    let before = memory_kib(&host.server, "VmRSS");
    for case in ["announced", "not announced"] {
        let answer = match case {
            "announced" => host.server.http("POST", FUNCTIONS, &body),
            _ => chunked(host.server.address(), &body),
        };
        check_answer(case, &answer, 413, "RequestEntityTooLargeException", message);
        let more = memory_kib(&host.server, "VmHWM").saturating_sub(before);
        assert!(more < 97_656, "{case}: {more} KiB more");
        host.check_nothing_left(case, "any");
    }
}

/// Sends a CreateFunction request in chunks, so that its length is not known before its end.
fn chunked(address: SocketAddr, body: &[u8]) -> Response {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!(
        "POST {FUNCTIONS} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    for chunk in body.chunks(1 << 20) {
        // The server may have enough, and say so, before the end.
        let sent = write!(stream, "{:x}\r\n", chunk.len()).and_then(|()| stream.write_all(chunk));
        if sent.and_then(|()| stream.write_all(b"\r\n")).is_err() {
            break;
        }
    }
    let _ = stream.write_all(b"0\r\n\r\n");
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Response { status, headers, body: body.as_bytes().to_owned() }
}

#[test]
fn case_021_022_a_package_that_is_too_large_unpacked_is_refused_and_not_unpacked() {
    let host = Host::start();
    let one_more = RawZip::of([RawEntry::zeros("zeros", 250), RawEntry::stored("one", b"x")]).bytes();
    let bomb = RawZip::of([RawEntry::zeros("bomb", 10 * 1_024)]).bytes();
    let liar = RawEntry::zeros("liar", 10 * 1_024).both(|header| {
        header.size = 1_000_000;
        header.zip64 = false;
    });
    for (case, zip, message) in [
        ("more than the limit", one_more, TOO_LARGE),
        ("10 GiB", bomb, TOO_LARGE),
        ("10 GiB that are called 1 MB", RawZip::of([liar]).bytes(), CANNOT_UNZIP),
    ] {
        let before = processor_time(&host.server);
        host.check_refused(case, &zip, message);
        let took = processor_time(&host.server) - before;
        assert!(took < Duration::from_secs(2), "{case}: {took:?}");
    }
}

#[test]
fn case_023_024_025_026_028_a_bad_zip_is_refused_as_a_whole() {
    let host = Host::start();
    let good = || RawEntry::stored("app.py", COUNTS_FILES.as_bytes());
    let with = |entries: &[RawEntry]| RawZip::of([&[good()], entries].concat()).bytes();
    let x = |name: &str| RawEntry::stored(name, b"x");
    let whole = with(&[RawEntry::deflated("data", &b"hello, ".repeat(100))]);
    let mut spoiled = whole.clone();
    let middle = spoiled.len() / 2;
    spoiled[middle] ^= 0xff;
    for (case, zip) in [
        ("out by name", with(&[x("../escaped")])),
        ("out by name, later", with(&[x("a/../../../escaped")])),
        ("absolute", with(&[x("/tmp/escaped")])),
        ("a drive", with(&[x("C:\\escaped")])),
        ("a link to a file", with(&[RawEntry::link("link", "/etc/passwd")])),
        ("a link out", with(&[RawEntry::link("a/link", "../../escaped")])),
        ("through a link", with(&[RawEntry::link("link", "a"), x("link/escaped")])),
        ("not a zip", b"this is not a zip".to_vec()),
        ("empty", RawZip::default().bytes()),
        ("cut off", whole[..whole.len() - 100].to_vec()),
        ("damaged", spoiled),
        ("encrypted", with(&[x("secret").both(|header| header.flags |= 1)])),
        ("LZMA", with(&[x("packed").both(|header| header.method = 14)])),
        ("a NUL", with(&[x("a\0b")])),
        ("4,096 bytes", with(&[x(&"x".repeat(4_096))])),
        ("2,000 folders deep", with(&[x(&format!("{}x", "d/".repeat(2_000)))])),
        ("twice", with(&[good()])),
        ("a file and a folder", with(&[x("app.py/x")])),
        ("a device", with(&[RawEntry::stored("device", b"").mode(0o060_666)])),
        ("shared data", {
            let mut shared = good();
            shared.at = Some(0);
            with(&[shared])
        }),
    ] {
        host.check_refused(case, &zip, CANNOT_UNZIP);
    }
    // An update is refused in the same way, and what was there goes on.
    let function = host.server.function("plain");
    let update = json!({ "ZipFile": BASE64.encode(with(&[x("../escaped")])) }).to_string();
    let answer = host.server.http("PUT", &format!("{FUNCTIONS}/plain/code"), update.as_bytes());
    check_answer("update", &answer, 400, "InvalidParameterValueException", CANNOT_UNZIP);
    assert_eq!(function.configuration()["State"], "Active");
    host.check_nothing_left("update", "refused");
    // The name was never taken.
    let function = create_active(&host.server, "refused", &whole);
    assert_eq!(function.invoke("{}").success(), 2);
}

#[test]
fn case_026_odd_names_are_kept_and_removed() {
    let host = Host::start();
    let source = "import os
def handler(event, context):
    return sorted(name.hex() for name in os.listdir(os.fsencode(os.environ['LAMBDA_TASK_ROOT'])))
";
    let mut names: Vec<&[u8]> =
        vec![b"app.py", b"new\nline", b"\x1b[31m", b"latin-1 \xe4", "ä🎈".as_bytes(), b"Case", b"case"];
    let zip = RawZip::of(names.iter().map(|name| RawEntry::stored(name, source.as_bytes()))).bytes();
    let function = create_active(&host.server, "odd", &zip);
    names.sort_unstable();
    let hex = |name: &&[u8]| name.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let found = function.invoke("{}").success();
    let found: Vec<&str> = found.as_array().unwrap().iter().filter_map(serde_json::Value::as_str).collect();
    let cache = hex(&&b"__pycache__"[..]);
    let found: Vec<&str> = found.into_iter().filter(|name| *name != cache).collect();
    assert_eq!(found, names.iter().map(hex).collect::<Vec<_>>());
    function.delete();
    eventually("its package is removed", || (kept(host.server.data_dir().path()) == host.kept).then_some(()));
    host.check_nothing_left("odd names", "odd");
}

#[test]
fn case_027_many_entries_and_deep_folders_are_soon_there_and_leave_no_inode() {
    let host = Host::start();
    // Where a function may write beside its code, it can make folders deeper than any path is long.
    let digs = "import os
def handler(event, context):
    count = sum(len(files) for _, _, files in os.walk(os.environ['LAMBDA_TASK_ROOT']))
    try:
        for depth in range(2_000):
            os.mkdir('deep')
            os.chdir('deep')
    except OSError:
        pass # they are read-only
    return count
";
    let many = rounds(8_000, 100_000);
    let entries = (1..many).map(|number| RawEntry::stored(format!("{}/{number}", number % 100), b"x"));
    let zip = RawZip::of([RawEntry::stored("app.py", digs.as_bytes())].into_iter().chain(entries));
    let zip = zip.with(|zip| zip.zip64 = true).bytes();
    let before = processor_time(&host.server);
    let function = create_active(&host.server, "many", &zip);
    let took = processor_time(&host.server) - before;
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(function.invoke("{}").success(), many);
    function.delete();
    eventually("its package is removed", || (kept(host.server.data_dir().path()) == host.kept).then_some(()));
    host.check_nothing_left("many", "many");
}

#[test]
fn case_029_an_upload_that_is_cut_off_leaves_nothing() {
    let host = Host::start();
    // Not packed, so that it is large.
    let data = vec![b'x'; 5_000_000];
    let source = RawEntry::stored("app.py", COUNTS_FILES.as_bytes());
    let zip = RawZip::of([source, RawEntry::stored("data", &data)]).bytes();
    let body = body("cut", &zip);
    for cut in ["half closed", "closed", "reset"] {
        let mut stream = TcpStream::connect(host.server.address()).unwrap();
        let head = format!(
            "POST {FUNCTIONS} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n",
            host.server.address(),
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body[..body.len() / 2]).unwrap();
        match cut {
            "half closed" => {
                stream.shutdown(Shutdown::Write).unwrap();
                let mut answer = Vec::new();
                let _ = stream.read_to_end(&mut answer);
                assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
            }
            "closed" => drop(stream),
            _ => {
                let at_once = nix::libc::linger { l_onoff: 1, l_linger: 0 };
                nix::sys::socket::setsockopt(&stream, nix::sys::socket::sockopt::Linger, &at_once).unwrap();
                drop(stream);
            }
        }
        host.check_nothing_left(cut, "cut");
    }
    let function = create_active(&host.server, "cut", &zip);
    assert_eq!(function.invoke("{}").success(), 2);
}

#[test]
fn case_032_one_package_deployed_by_many_at_once_is_one_tree() {
    let host = Host::start();
    for round in 0..rounds(2, 100) {
        // A package of its own in each round: it has to be unpacked.
        let files = (0..500).map(|number| RawEntry::stored(format!("{round}/{number}"), b"x"));
        let app = RawEntry::stored("app.py", COUNTS_FILES.as_bytes());
        let zip = RawZip::of([app].into_iter().chain(files)).bytes();
        std::thread::scope(|scope| {
            for client in 0..8 {
                let (server, zip) = (&host.server, &zip);
                scope.spawn(move || {
                    let function = create_active(server, &format!("f-{client}"), zip);
                    if client < 2 {
                        assert_eq!(function.invoke("{}").success(), 501);
                    }
                    // The others still use it, or are about to.
                    function.delete();
                });
            }
        });
        eventually("the package is removed", || {
            (kept(host.server.data_dir().path()) == host.kept).then_some(())
        });
    }
    host.check_nothing_left("at once", "f-0");
}

/// A server that is going to be killed.
struct Victim(Child);

impl Victim {
    fn start(data_dir: &Arc<Folder>) -> Self {
        let mut command = Settings::new().command("127.0.0.1:0", data_dir.path());
        Self(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn address(&mut self) -> SocketAddr {
        let mut line = String::new();
        BufReader::new(self.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        line.trim().strip_prefix("hearth is ready at http://").unwrap().parse().unwrap()
    }

    /// Waits until the server has unpacked a part of a package, and kills it.
    fn kill_while_it_unpacks(mut self, data_dir: &Arc<Folder>) {
        let trees = data_dir.path().join("trees");
        eventually("a package is half unpacked", || {
            let half = fs::read_dir(&trees).ok()?.flatten().find(|tree| {
                tree.file_name().to_string_lossy().starts_with("new-")
                    && fs::read_dir(tree.path()).is_ok_and(|folders| folders.count() > 10)
            });
            half.map(|_| ())
        });
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends a request to a new server and kills it while it unpacks the package in it. Returns the answer, if there was one.
fn killed_while_it_unpacks(
    data_dir: &Arc<Folder>,
    method: &str,
    path: &str,
    body: &[u8],
) -> Option<Response> {
    let mut victim = Victim::start(data_dir);
    let address = victim.address();
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| try_http(address, method, path, &[], body));
        victim.kill_while_it_unpacks(data_dir);
        asking.join().unwrap().ok()
    })
}

/// A package that takes a moment to unpack.
fn package_of(files: usize) -> Vec<u8> {
    let app = RawEntry::stored("app.py", COUNTS_FILES.as_bytes());
    let files = (1..files).map(|number| RawEntry::stored(format!("{}/{number}", number / 100), b"x"));
    RawZip::of([app].into_iter().chain(files)).bytes()
}

#[test]
fn case_032_a_server_killed_while_it_unpacks_never_runs_half_a_package() {
    let (first, second) = (package_of(12_000), package_of(12_001));
    let update = json!({ "ZipFile": BASE64.encode(&second) }).to_string();
    let data_dir = Arc::new(Folder::new());
    for _ in 0..rounds(1, 50) {
        // While a function is created.
        let answer = killed_while_it_unpacks(&data_dir, "POST", FUNCTIONS, &body("f", &first));
        let server = Settings::new().data_dir(&data_dir).start();
        let is_there = exists(&server, "f");
        assert!(is_there || answer.is_none(), "what was acknowledged is there");
        if !is_there {
            eventually("what was half done is gone", || kept(data_dir.path()).is_empty().then_some(()));
            create_active(&server, "f", &first);
        }
        let function = server.function("f");
        function.wait_until("State", "Active");
        assert_eq!(function.invoke("{}").success(), 12_000);
        server.stop();

        // While its code is updated.
        let path = format!("{FUNCTIONS}/f/code");
        let answer = killed_while_it_unpacks(&data_dir, "PUT", &path, update.as_bytes());
        let server = Settings::new().data_dir(&data_dir).start();
        let function = server.function("f");
        function.wait_until("State", "Active");
        eventually("it has settled", || {
            (function.configuration()["LastUpdateStatus"] != "InProgress").then_some(())
        });
        let files = function.invoke("{}").success();
        assert!(
            files == 12_001 || (files == 12_000 && answer.is_none()),
            "the old or the new, and whole: {files}"
        );
        server.stop();

        // While it is unpacked anew, after the machine was started again.
        fs::write(data_dir.path().join("boot-id"), "another").unwrap();
        Victim::start(&data_dir).kill_while_it_unpacks(&data_dir);
        let server = Settings::new().data_dir(&data_dir).start();
        let function = server.function("f");
        assert_eq!(function.configuration()["State"], "Active");
        assert_eq!(function.invoke("{}").success(), files);
        function.delete();
        eventually("the package is removed", || kept(data_dir.path()).is_empty().then_some(()));
        server.stop();
    }
}

#[test]
fn case_121_a_package_that_is_damaged_or_gone_fails_its_function_and_no_other() {
    let data_dir = Arc::new(Folder::new());
    let server = Settings::new().data_dir(&data_dir).start();
    let source = |text: &str| format!("def handler(event, context): return '{text}'\n");
    for name in ["flipped", "removed", "whole"] {
        let function = server.create(python(name, &source(name)));
        assert_eq!(function.invoke("{}").success(), name);
    }
    let sha256 = |name: &str| -> String {
        let sha256 = server.function(name).configuration()["CodeSha256"].as_str().unwrap().to_owned();
        BASE64.decode(sha256).unwrap().iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let object = |name: &str| data_dir.path().join("objects").join(sha256(name));
    let (flipped, removed) = (object("flipped"), object("removed"));
    server.stop();

    let mut bytes = fs::read(&flipped).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&flipped, bytes).unwrap();
    fs::remove_file(&removed).unwrap();
    // After a start of the machine, trees are made anew of the packages.
    fs::write(data_dir.path().join("boot-id"), "another").unwrap();
    let server = Settings::new().data_dir(&data_dir).start();
    assert_eq!(server.function("whole").invoke("{}").success(), "whole");
    for name in ["flipped", "removed"] {
        let function = server.function(name);
        let configuration = function.configuration();
        assert_eq!(configuration["State"], "Failed", "{name}");
        let reason = configuration["StateReason"].as_str().unwrap();
        assert!(reason.contains("missing or damaged"), "{reason}");
        let (kind, status, message) = function.call(&hearth_tests::Call::default()).exception();
        assert_eq!((kind.as_str(), status), ("ResourceConflictException", 409), "{message}");
        assert!(message.contains(reason), "{message}");
        // Sent again, it works again.
        function.update_code(&Package::new().file("app.py", source(name)));
        assert_eq!(function.invoke("{}").success(), name);
    }
    server.stop();
    fs::write(data_dir.path().join("boot-id"), "a third").unwrap();
    let server = Settings::new().data_dir(&data_dir).start();
    for name in ["flipped", "removed", "whole"] {
        assert_eq!(server.function(name).invoke("{}").success(), name, "and goes on to");
    }
}
