//! What a function sees of the host, and what it can leave behind, in the `process` backend; and that functions of each
//! kind run in the `namespaces` backend, whose walls are tested in `crates/sandbox/tests/walls.rs`.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;

use hearth_tests::{
    Folder, Function, Neighbour, NewFunction, Package, Server, Settings, Subscriber, eventually,
    hearth_binary, is_alive, needs_node, needs_root, node, on_host, provided_bootstrap, python, said,
    scripted, skip,
};
use serde_json::{Value, json};

/// Values that break whoever passes variables through a shell, a file of lines, or a text encoding.
fn awkward_variables() -> Value {
    json!({
        "NEWLINES": "first\nsecond\n",
        "QUOTES": "it's \"quoted\" \\ and `ticked`",
        "EMOJI": "ünïcode 😀 \u{202e}",
        "COMMAND": "$(id) ${HOME} %PATH%",
        "BLANKS": "  before and after \t ",
        "EMPTY": "",
        "EQUALS": "a=b=c",
    })
}

fn sees_its_variables(new: NewFunction) {
    let server = Server::start();
    let variables = awkward_variables();
    let function = server.create(new.with("Environment", json!({ "Variables": variables })));
    assert_eq!(function.configuration()["Environment"]["Variables"], variables);
    let names: Vec<&String> = variables.as_object().unwrap().keys().collect();
    assert_eq!(function.invoke(json!(names).to_string()).success(), variables);
}

#[test]
fn environment_variables_reach_a_python_function_byte_for_byte() {
    let source = "
import os
def handler(event, context):
    return {name: os.environb[name.encode()].decode() for name in event}
";
    sees_its_variables(python("variables", source));
}

#[test]
fn environment_variables_reach_a_node_function_byte_for_byte() {
    if needs_node() {
        let source = "export const handler = async (names) =>
            Object.fromEntries(names.map((name) => [name, process.env[name]]));\n";
        sees_its_variables(node("variables", source));
    }
}

#[test]
fn nothing_of_the_servers_own_environment_reaches_a_function() {
    let server = Settings::new()
        .variable("CANARY_OF_THE_HOST", "a-secret-of-the-host")
        .variable("AWS_PROFILE", "a-secret-of-the-host")
        .variable("HEARTH_REGION", "us-east-1")
        .start();
    let source = "
import os
def handler(event, context):
    own = dict(os.environ)
    with open('/proc/self/environ') as environ:
        at_start = environ.read().split('\\0')
    return [own, at_start]
";
    let function = server.create(python("curious", source));
    let seen = function.invoke("{}").success();
    assert!(!seen.to_string().contains("a-secret-of-the-host"), "{seen:#}");
    let names: Vec<&str> = seen[0].as_object().unwrap().keys().map(String::as_str).collect();
    let unknown: Vec<&&str> = names.iter().filter(|name| !DOCUMENTED.contains(name)).collect();
    assert!(unknown.is_empty(), "not in AWS's documentation: {unknown:?}");
    let missing: Vec<&&str> = REQUIRED.iter().filter(|name| !names.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// What every function finds. Source: Lambda Developer Guide, "Defined runtime environment variables".
const REQUIRED: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "LANG",
    "PATH",
    "TZ",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
];

/// What a function may find besides, and `TMPDIR`: in the `process` backend `/tmp` is the host's.
const DOCUMENTED: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_FORMAT",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_LEVEL",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_XRAY_CONTEXT_MISSING",
    "AWS_XRAY_DAEMON_ADDRESS",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "LANG",
    "LC_CTYPE",
    "LD_LIBRARY_PATH",
    "PATH",
    "PWD",
    "PYTHONPATH",
    "SHLVL",
    "TMPDIR",
    "TZ",
    "_AWS_XRAY_DAEMON_ADDRESS",
    "_AWS_XRAY_DAEMON_PORT",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
];

/// Lists its descriptors, without the one that lists them.
const DESCRIPTORS: &str = "
import os
def handler(event, context):
    found = {}
    for fd in os.listdir('/proc/self/fd'):
        try:
            found[fd] = os.readlink('/proc/self/fd/' + fd)
        except FileNotFoundError:
            pass
    return found
";

#[test]
fn a_function_inherits_no_descriptor_but_its_streams_and_its_log() {
    let server = Server::start();
    // The second function starts while the server holds the pipes and sockets of the first.
    server.create(python("first", DESCRIPTORS)).invoke("{}");
    let function = server.create(python("second", DESCRIPTORS));
    let found = function.invoke("{}").success();
    let found = found.as_object().unwrap();
    for (fd, target) in found {
        let target = target.as_str().unwrap();
        let expected =
            target.starts_with("pipe:[") || target.starts_with("socket:[") || target == "/dev/null";
        assert!(expected, "descriptor {fd} is {target}: {found:?}");
    }
    // Standard streams, the log, and the connection to the Runtime API.
    assert!(found.len() <= 5, "{found:?}");
}

/// Starts a process in a session of its own, which outlives its parent unless somebody cares.
const RUNAWAY: &str = "
import subprocess
def handler(event, context):
    child = subprocess.Popen(['sleep', '600'], start_new_session=True)
    return child.pid
";

fn runaway_of(function: &Function<'_>) -> u64 {
    let pid = on_host(function.invoke("{}").success().as_u64().unwrap());
    assert!(is_alive(pid));
    pid
}

#[test]
fn a_process_that_left_the_group_dies_with_its_environment() {
    let server = Server::start();
    let function = server.create(python("runaway", RUNAWAY));
    let pid = runaway_of(&function);
    function.delete();
    eventually("the child of a deleted function is gone", || (!is_alive(pid)).then_some(()));
}

#[test]
fn a_process_that_left_the_group_dies_with_the_server() {
    let server = Server::start();
    let function = server.create(python("runaway", RUNAWAY));
    let pid = runaway_of(&function);
    server.stop();
    assert!(!is_alive(pid));
}

/// A server whose functions have walls. Needs root.
fn walled_server() -> Server {
    Settings::new()
        .arguments(&["--isolation", "namespaces"])
        .variable("CANARY", "a-secret-of-the-server")
        .start()
}

#[test]
fn case_084_086_a_python_function_behind_walls_finds_lambdas_places_and_nothing_of_the_host() {
    if !needs_root() {
        return;
    }
    let server = walled_server();
    let layer = Package::new().file("python/shared.py", "def name():\n    return 'of the layer'\n");
    let layer = server.publish_layer("shared", &layer);
    let source = "
import os, shared, socket
def reachable(port):
    with socket.socket() as connection:
        return connection.connect_ex(('127.0.0.1', port)) == 0
def handler(event, context):
    with open('/tmp/count', 'a') as count:
        count.write('x')
    return {
        'api': os.environ['AWS_LAMBDA_RUNTIME_API'],
        'count': os.path.getsize('/tmp/count'),
        'canary': 'a-secret' in str(dict(os.environ)),
        'file': __file__,
        'host': [os.path.exists(path) for path in ('/etc/shadow', '/root', event['folder'] + '/objects')],
        'layer': shared.__file__ + ' ' + shared.name(),
        'path': os.environ['PATH'],
        'processes': sum(name.isdigit() for name in os.listdir('/proc')),
        'server': reachable(event['port']),
        'task': [os.getcwd(), os.environ['LAMBDA_TASK_ROOT']],
        'user': os.getuid() >= 1_900_000_000,
    }
";
    let function = server.create(python("walled", source).with("Layers", json!([layer])));
    let event = json!({ "folder": server.data_dir().path(), "port": server.address().port() }).to_string();
    let expected = |count: u32| {
        json!({
            "api": "127.0.0.1:9001",
            "count": count,
            "canary": false,
            "file": "/var/task/app.py",
            "host": [false, false, false],
            "layer": "/opt/python/shared.py of the layer",
            "path": "/usr/bin:/usr/local/bin:/bin:/opt/bin",
            "processes": 1,
            "server": false,
            "task": ["/var/task", "/var/task"],
            "user": true,
        })
    };
    assert_eq!(function.invoke(&event).success(), expected(1));
    assert_eq!(function.invoke(&event).success(), expected(2));
    // Another environment has another /tmp.
    function.update_configuration(&json!({ "Timeout": 10 }));
    assert_eq!(function.invoke(&event).success(), expected(1));
}

#[test]
fn a_node_function_behind_walls_runs_again_after_it_has_crashed() {
    if !needs_node() || !needs_root() {
        return;
    }
    let server = walled_server();
    let source = "
import fs from 'node:fs';
export const handler = async (event) => {
    if (event === 'crash') process.exit(3);
    fs.appendFileSync('/tmp/count', 'x');
    return [import.meta.filename ?? import.meta.url, process.cwd(), fs.readFileSync('/tmp/count', 'utf8')];
};
";
    let function = server.create(node("walled", source));
    let answer = |count: &str| json!(["/var/task/index.mjs", "/var/task", count]);
    assert_eq!(function.invoke("1").success(), answer("x"));
    let error = function.invoke("\"crash\"").function_error();
    assert!(error.contains("exit status 3"), "{error}");
    // The environment lives on, with what it had in /tmp, as on AWS.
    assert_eq!(function.invoke("2").success(), answer("xx"));
}

#[test]
fn a_function_with_its_own_runtime_behind_walls_answers_and_leaves_nothing() {
    if !needs_root() {
        return;
    }
    let server = walled_server();
    let package = Package::new().program("bootstrap", provided_bootstrap());
    let function = server.create(NewFunction::new("walled", "provided.al2023", "main", package));
    let answer = function.invoke("{\"name\":\"walls\"}").success();
    assert_eq!((&answer["message"], &answer["invocations"]), (&json!("Hello, walls!"), &json!(1)));
    let environment = &function.environments()[0];
    let pid = environment["pid"].as_u64().unwrap();
    assert!(is_alive(pid), "{environment:#}");
    function.delete();
    eventually("the runtime of a deleted function is gone", || (!is_alive(pid)).then_some(()));
    let run = server.data_dir().path().join("run");
    eventually("its folder is gone", || std::fs::read_dir(&run).unwrap().next().is_none().then_some(()));
}

/// An ordinary user, who has rights nowhere.
const ORDINARY_USER: u32 = 65_534;

/// Without root, Debian's interpreter: the tests' own may be where only root looks.
fn walled_server_of_an_ordinary_user() -> Option<Server> {
    if !needs_root() {
        return None;
    }
    let settings = Settings::new().arguments(&["--isolation", "namespaces"]).user(ORDINARY_USER);
    match settings.variable("PATH", "/usr/bin:/bin").try_start() {
        Ok(server) => Some(server),
        Err(ended) if ended.stderr.contains("does not let this user have them") => {
            skip("this host does not let ordinary users have user namespaces");
            None
        }
        Err(ended) => panic!("{ended:?}"),
    }
}

/// What a function sees that is not as behind walls that root has built.
const LOOKS_AROUND: &str = "
import os
def handler(event, context):
    with open('/tmp/count', 'a') as count:
        count.write('x')
    status = dict(line.split(':', 1) for line in open('/proc/self/status'))
    return {
        'count': os.path.getsize('/tmp/count'),
        'capabilities': [status[name].strip() for name in ('CapEff', 'CapPrm', 'CapBnd', 'CapInh', 'CapAmb')],
        'host': [os.path.exists(path) for path in ('/etc/shadow', '/root', event['folder'] + '/objects')],
        'file': __file__,
        'processes': sum(name.isdigit() for name in os.listdir('/proc')),
        'user': os.getuid() >= 1_900_000_000,
    }
";

#[test]
fn a_python_function_behind_walls_that_an_ordinary_user_built_answers_and_leaves_nothing() {
    let Some(server) = walled_server_of_an_ordinary_user() else { return };
    let function = server.create(python("rootless", LOOKS_AROUND));
    let event = json!({ "folder": server.data_dir().path() }).to_string();
    for count in 1..=2 {
        let expected = json!({
            "count": count,
            "capabilities": vec!["0000000000000000"; 5],
            "host": [false, false, false],
            "file": "/var/task/app.py",
            "processes": 1,
            "user": true,
        });
        assert_eq!(function.invoke(&event).success(), expected);
    }
    let pid = function.environments()[0]["pid"].as_u64().unwrap();
    assert!(is_alive(pid));
    let facts = server.hearth("isolation").to_string();
    assert!(facts.contains("all run as this server's, 65534"), "{facts}");
    function.delete();
    eventually("the runtime of a deleted function is gone", || (!is_alive(pid)).then_some(()));
    let run = server.data_dir().path().join("run");
    eventually("its folder is gone", || std::fs::read_dir(&run).unwrap().next().is_none().then_some(()));
}

#[test]
fn telemetry_reaches_an_extension_behind_walls_that_an_ordinary_user_built() {
    let Some(server) = walled_server_of_an_ordinary_user() else { return };
    let layer = server.publish_extensions(&[("inside", subscriber_at(None))]);
    let source = "def handler(event, context): return 1\n";
    let function = server.create(python("watched", source).with("Layers", json!([layer])));
    assert_eq!(function.invoke("{}").success(), 1);
    let events = function.logs_with_reports(1);
    assert!(said(&events, "inside").contains(&"200 application/json: \"OK\""), "{events:#?}");
}

/// A user namespace has a limit of its own on those in it, so that a test can set one without touching the host's.
#[test]
fn case_125_without_user_namespaces_namespaces_are_refused_with_the_way_out() {
    if !needs_root() {
        return;
    }
    let folder = Folder::new();
    let program = folder.path().join("hearth");
    std::fs::copy(hearth_binary(), &program).unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let without = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$0\" serve --listen 127.0.0.1:0 --data-dir \
                   \"$1\" --isolation namespaces";
    let mut command = std::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c", without]).arg(program);
    command.arg(folder.path().join("data")).uid(ORDINARY_USER).gid(ORDINARY_USER);
    let ended = command.output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    if stderr.starts_with("unshare: ") {
        return skip("this host does not let ordinary users have user namespaces");
    }
    assert!(!ended.status.success() && ended.stdout.is_empty(), "{stderr}");
    let expected = "isolation `namespaces` needs user namespaces without root, and this host does not let this user have \
                    them: fork into a user namespace: No space left on device";
    assert!(stderr.contains(expected), "{stderr}");
    assert!(stderr.contains("hint: allow them with `sysctl user.max_user_namespaces=10000`"), "{stderr}");
}

#[test]
fn a_server_says_at_its_start_what_is_in_force() {
    let server = Settings::new().without_walls().start();
    let facts = server.hearth("isolation");
    assert_eq!(facts["isolation"], "process");
    assert!(facts["facts"].as_array().unwrap().iter().all(|fact| fact["in_force"] == false), "{facts:#}");
    let stderr = server.stop();
    assert!(stderr.contains("isolation `process`:\n! walls    none: functions run as this user"), "{stderr}");

    if !needs_root() {
        return;
    }
    let server = walled_server();
    let facts = server.hearth("isolation");
    assert_eq!(facts["isolation"], "namespaces");
    let facts = facts["facts"].as_array().unwrap();
    for what in ["namespaces", "user", "files", "seccomp", "network", "/tmp"] {
        assert!(
            facts.iter().any(|fact| fact["what"] == what && fact["in_force"] == true),
            "{what}: {facts:#?}"
        );
    }
    // The block says the same.
    let block = eventually("the block is written", || {
        let stderr = server.stderr();
        let (_, block) = stderr.split_once("isolation `namespaces`:\n")?;
        (block.lines().count() >= facts.len()).then(|| block.to_owned())
    });
    for (line, fact) in block.lines().zip(facts) {
        let text = |field: &str| fact[field].as_str().unwrap();
        assert!(line.contains(text("what")) && line.ends_with(text("state")), "{line}");
        assert_eq!(line.starts_with('!'), fact["in_force"] == false, "{line}");
    }
}

/// Connects to `event['to']`, and answers with what is said there or with why it cannot.
const CONNECTS: &str = "
import errno, socket
def handler(event, context):
    address, port = event['to']
    try:
        with socket.create_connection((address, port), 5) as connection:
            return connection.recv(100).decode()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
";

#[test]
fn case_085_a_function_behind_walls_reaches_the_network_around_this_host_and_not_the_host() {
    if !needs_root() {
        return;
    }
    let neighbour = Neighbour::start();
    let everywhere = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = everywhere.local_addr().unwrap().port();
    let folder = Folder::new();
    let file = folder.path().join("hearth.toml");
    std::fs::write(&file, "isolation = 'namespaces'\n[function.closed]\nnetwork = 'none'\n").unwrap();
    let server = Settings::new().arguments(&["--config", file.to_str().unwrap()]).start();
    let to_neighbour = json!({ "to": [neighbour.address().to_string(), 8080] }).to_string();
    let to_host = json!({ "to": [neighbour.of_this_host().to_string(), port] }).to_string();
    let open = server.create(python("open", CONNECTS));
    assert_eq!(open.invoke(&to_neighbour).success(), neighbour.of_this_host().to_string());
    assert_eq!(open.invoke(&to_host).success(), "EHOSTUNREACH");
    assert_eq!(open.invoke(json!({ "to": ["169.254.169.254", 80] }).to_string()).success(), "EHOSTUNREACH");
    let closed = server.create(python("closed", CONNECTS));
    assert_eq!(closed.invoke(&to_neighbour).success(), "ENETUNREACH");
    assert_eq!(closed.invoke(&to_host).success(), "ENETUNREACH");
}

#[test]
fn case_125_where_functions_cannot_be_connected_the_start_says_what_to_do() {
    if !needs_root() {
        return;
    }
    // As in many containers: nothing about the network can be set.
    let folder = Folder::new();
    let program = folder.path().join("hearth");
    let script = format!(
        "#!/bin/sh\nexec unshare --mount sh -c 'mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys \
         && exec \"$@\"' sh {} \"$@\"\n",
        hearth_binary().display()
    );
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let settings = |network: &[&str]| {
        Settings::new()
            .program(program.clone())
            .arguments(&[&["--isolation", "namespaces"], network].concat())
    };
    let ended = settings(&[]).command("127.0.0.1:0", &folder.path().join("data")).output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert!(!ended.status.success() && ended.stdout.is_empty(), "{stderr}");
    assert!(stderr.contains("cannot give functions a network"), "{stderr}");
    assert!(stderr.contains("hint: ") && stderr.contains("--network none"), "{stderr}");
    let server = settings(&["--network", "none"]).start();
    assert_eq!(
        server.create(python("local", "def handler(event, context): return 1\n")).invoke("1").success(),
        1
    );
}

/// An extension that subscribes to telemetry at this port, or takes one and waits for what comes there.
fn subscriber_at(port: Option<u16>) -> Vec<u8> {
    let own = [json!({ "port": true }), json!({ "listen": "/tmp/received" })];
    let port_text = port.map_or("{port}".to_owned(), |port| port.to_string());
    let mut body = Subscriber::body("2022-12-13", &["platform"]);
    body["destination"]["URI"] = json!(format!("http://sandbox.localdomain:{port_text}"));
    let mut steps = if port.is_none() { own.to_vec() } else { vec![] };
    steps.push(json!({ "register": ["INVOKE", "SHUTDOWN"] }));
    steps.push(Subscriber::ask("PUT /2022-07-01/telemetry", &body));
    if port.is_none() {
        // It is ready only when telemetry has come.
        steps.push(json!({ "received": "platform.initStart" }));
    }
    steps.push(json!({ "events": true }));
    scripted(&json!(steps))
}

#[test]
fn telemetry_reaches_an_extension_behind_walls() {
    if !needs_root() {
        return;
    }
    let server = walled_server();
    let layer = server.publish_extensions(&[("inside", subscriber_at(None))]);
    let source = "def handler(event, context): return 1\n";
    let function = server.create(python("watched", source).with("Layers", json!([layer])));
    assert_eq!(function.invoke("{}").success(), 1);
    let events = function.logs_with_reports(1);
    assert!(said(&events, "inside").contains(&"200 application/json: \"OK\""), "{events:#?}");
}

/// The server sends telemetry. It must not be the hand that reaches over the wall.
#[test]
fn telemetry_of_an_extension_behind_walls_reaches_no_port_of_the_host() {
    if !needs_root() {
        return;
    }
    let of_the_host = TcpListener::bind("127.0.0.1:0").unwrap();
    of_the_host.set_nonblocking(true).unwrap();
    let port = of_the_host.local_addr().unwrap().port();
    let server = walled_server();
    let layer = server.publish_extensions(&[("reaching", subscriber_at(Some(port)))]);
    let source = "def handler(event, context): return 1\n";
    let json_logs = json!({ "LogFormat": "JSON" });
    let new = python("reaching", source).with("Layers", json!([layer])).with("LoggingConfig", json_logs);
    let function = server.create(new);
    // It has been tried, and given up, when the log tells of the loss.
    eventually("the loss of telemetry is in the log", || {
        function.invoke("{}").success();
        let events = server.logs("reaching");
        events.into_iter().find(|event| event.message.contains("platform.logsDropped"))
    });
    assert_eq!(of_the_host.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}
