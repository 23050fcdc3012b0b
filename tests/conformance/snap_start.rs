//! SnapStart: published versions of Python functions begin from a snapshot, and nobody who does shares anything with others.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::thread;

use hearth_tests::{
    Answer, Call, Function, Gate, NewFunction, PYTHON_WAIT, Package, Server, Settings, eventually, lines_of,
    python, repository,
};
use serde_json::{Value, json};

/// With SnapStart, and more time than a loaded machine needs.
fn with_snap_start(function: NewFunction) -> NewFunction {
    function.timeout(60).with("MemorySize", 512).with("SnapStart", json!({ "ApplyOn": "PublishedVersions" }))
}

/// Publishes version 1, and waits until it is not pending any more. Returns its configuration.
fn publish(function: &Function<'_>) -> Value {
    let path = format!("/2015-03-31/functions/{}", function.name());
    let published = function.server().http("POST", &format!("{path}/versions"), b"{}");
    assert_eq!(published.status, 201, "{}", published.text());
    assert_eq!(published.json()["State"], "Pending");
    eventually("the version has settled", || {
        let configuration =
            function.server().http("GET", &format!("{path}/configuration?Qualifier=1"), b"").json();
        (configuration["State"] != "Pending").then_some(configuration)
    })
}

fn call(function: &Function<'_>, payload: &str) -> Answer {
    function.call(&Call { query: "Qualifier=1", payload: payload.as_bytes(), ..Call::default() })
}

/// The lines of a kind in the function's log, without what differs from run to run.
fn log(function: &Function<'_>, enough: &str) -> Vec<String> {
    let events = function.logs_until(enough, |events| !lines_of(events, enough).is_empty());
    events.iter().map(|event| event.message.split(['\t', ':']).next().unwrap().trim().to_owned()).collect()
}

const HOOKS: &str = "
import os, random, sys, uuid
from snapshot_restore_py import register_after_restore, register_before_snapshot
print('init')
made = [uuid.uuid4().hex, random.random()]
os.environ['SET_IN_INIT'] = 'yes'
os.makedirs('/tmp/folder')
open('/tmp/folder/file', 'w').write('written in init')
known = open('/var/task/app.py')
known.readline()
register_before_snapshot(print, 'before, registered first')
register_after_restore(print, 'after, registered first')
@register_before_snapshot
def before():
    print('before, registered last')
@register_after_restore
def after():
    print('after, registered last')
def handler(event, context):
    return {
        'made': made,
        'type': os.environ['AWS_LAMBDA_INITIALIZATION_TYPE'],
        'stream': [os.environ.get('AWS_LAMBDA_LOG_STREAM_NAME'), context.log_stream_name],
        'kept': [os.environ['SET_IN_INIT'], open('/tmp/folder/file').read(), known.readline(), os.getcwd()],
        'random': [random.random(), uuid.uuid4().hex, os.urandom(4).hex()],
    }
";

#[test]
fn a_version_is_initialized_once_and_its_environments_begin_from_that_with_hooks_lines_and_a_bill() {
    let server = Server::start();
    let function = server.create(with_snap_start(python("hooked", HOOKS)));
    let version = publish(&function);
    assert_eq!(version["State"], "Active");
    assert_eq!(version["SnapStart"], json!({ "ApplyOn": "PublishedVersions", "OptimizationStatus": "On" }));
    let seen = call(&function, "{}").success();
    assert_eq!(seen["type"], "snap-start");
    assert_eq!(seen["stream"], json!([null, null]));
    let kept = json!(["yes", "written in init", "import os, random, sys, uuid\n", "/var/task"]);
    assert_eq!(seen["kept"], kept);
    assert_eq!(
        log(&function, "REPORT"),
        [
            "INIT_START Runtime Version",
            "init",
            "before, registered last",
            "before, registered first",
            "INIT_REPORT Init Duration",
            "RESTORE_START Runtime Version",
            "after, registered first",
            "after, registered last",
            "RESTORE_REPORT Restore Duration",
            "START RequestId",
            "END RequestId",
            "REPORT RequestId",
        ]
    );
    let events = function.logs_with_reports(1);
    let report = lines_of(&events, "REPORT")[0];
    let number = |name: &str| -> f64 {
        let rest = report.split_once(&format!("\t{name}: ")).unwrap().1;
        rest.split(' ').next().unwrap().parse().unwrap()
    };
    assert!(report.contains("\tRestore Duration: ") && !report.contains("Init Duration"), "{report}");
    let billed = (number("Duration") + number("Billed Restore Duration")).ceil();
    assert!((number("Billed Duration") - billed).abs() <= 1.0, "{report}");
    // Warm, it is as any other.
    assert_eq!(call(&function, "{}").success()["made"], seen["made"]);
    let events = function.logs_with_reports(2);
    assert!(!lines_of(&events, "REPORT")[1].contains("Restore"));
    // `$LATEST` has no snapshot.
    assert_eq!(function.invoke("{}").success()["type"], "on-demand");
}

#[test]
fn the_server_may_be_told_to_do_nothing_about_snap_start() {
    let server = Settings::new().arguments(&["--ignore-snap-start"]).start();
    let function = server.create(with_snap_start(python("plain", HOOKS)));
    assert_eq!(publish(&function)["State"], "Active");
    assert_eq!(call(&function, "{}").success()["type"], "on-demand");
}

#[test]
fn twenty_environments_of_one_snapshot_at_once_share_what_init_made_and_nothing_else() {
    let source = format!(
        "{PYTHON_WAIT}
import os, random, socket, ssl, tempfile, uuid
made = uuid.uuid4().hex
secret = bytearray(b'template')
tempfile.mktemp()
def attempt(do):
    try:
        return do()
    except OSError as error:
        return error.errno
def handler(event, context):
    mine = os.urandom(8)
    found = [made, secret.decode('latin-1'), [name for name in os.listdir('/tmp') if not name.startswith('hearth-')]]
    secret[:] = mine
    open('/tmp/mine', 'wb').write(mine)
    server = socket.create_server(('127.0.0.1', 5000))
    wait_at(event['gate'])
    processes = [name for name in os.listdir('/proc') if name.isdigit()]
    return {{
        'common': found,
        'own': secret == mine and open('/tmp/mine', 'rb').read() == mine,
        'unique': [random.random(), uuid.uuid4().hex, ssl.RAND_bytes(8).hex(), os.path.basename(tempfile.mktemp())],
        'processes': len(processes),
        'leaked': [name for name in os.listdir('/proc/self/fd') if int(name) in (63, 64)],
        'capabilities': [line.split()[1] for line in open('/proc/self/status') if line.startswith('CapEff')],
        'kill': attempt(lambda: os.kill(1, 9)),
    }}
"
    );
    let server = Server::start();
    let function = server.create(with_snap_start(python("many", &source)));
    assert_eq!(publish(&function)["State"], "Active");
    let gate = Gate::new();
    let event = json!({ "gate": gate.number() }).to_string();
    let answers: Vec<Value> = thread::scope(|scope| {
        let calls: Vec<_> = (0..20).map(|_| scope.spawn(|| call(&function, &event).success())).collect();
        gate.wait_for(20);
        gate.open();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    for answer in &answers {
        assert_eq!(answer["common"], answers[0]["common"]);
        assert_eq!(answer["common"][1], "template");
        assert_eq!(answer["common"][2], json!([]));
        assert_eq!(answer["own"], true);
        assert_eq!(answer["processes"], 1);
        assert_eq!(answer["leaked"], json!([]));
        assert_eq!(answer["kill"], 1, "EPERM");
        assert_eq!(answer["capabilities"], json!(["0000000000000000"]));
    }
    for at in 0..4 {
        let different: BTreeSet<String> =
            answers.iter().map(|answer| answer["unique"][at].to_string()).collect();
        assert_eq!(different.len(), 20, "{at}: {different:?}");
    }
}

#[test]
fn a_hook_that_fails_is_told_and_the_next_call_begins_with_init() {
    let server = Server::start();
    let before = "
import snapshot_restore_py
@snapshot_restore_py.register_before_snapshot
def fail():
    raise ValueError('not now')
def handler(event, context):
    return 1
";
    let function = server.create(with_snap_start(python("before", before)));
    let version = publish(&function);
    assert_eq!(
        (version["State"].as_str(), version["StateReasonCode"].as_str()),
        (Some("Failed"), Some("FunctionError.RuntimeInitError"))
    );
    assert_eq!(version["StateReason"], "The function could not be initialized: Runtime.BeforeSnapshotError.");
    let after = before.replace("register_before_snapshot", "register_after_restore");
    let function = server.create(with_snap_start(python("after", &after)));
    assert_eq!(publish(&function)["State"], "Active");
    let (name, status, message) = call(&function, "{}").exception();
    assert_eq!((name.as_str(), status), ("SnapStartException", 400));
    assert!(message.contains("Runtime.AfterRestoreError"), "{message}");
    let log = function.logs_until("RESTORE_REPORT", |events| !lines_of(events, "RESTORE_REPORT").is_empty());
    let line = lines_of(&log, "RESTORE_REPORT")[0].trim_end();
    assert!(line.ends_with("\tStatus: error\tError Type: Runtime.AfterRestoreError"), "{line}");
}

#[test]
fn a_hook_that_takes_more_than_ten_seconds_is_a_time_out() {
    let source = "
import time
import snapshot_restore_py
snapshot_restore_py.register_after_restore(time.sleep, 1000)
def handler(event, context):
    return 1
";
    let server = Server::start();
    let function = server.create(with_snap_start(python("slow", source)));
    assert_eq!(publish(&function)["State"], "Active");
    let (name, status, _) = call(&function, "{}").exception();
    assert_eq!((name.as_str(), status), ("SnapStartTimeoutException", 408));
}

#[test]
fn what_cannot_be_snapshotted_begins_with_init_and_its_log_says_why() {
    let source = "
import threading, time
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
def handler(event, context):
    return threading.active_count()
";
    let server = Server::start();
    let function = server.create(with_snap_start(python("threads", source)));
    assert_eq!(publish(&function)["State"], "Active");
    assert_eq!(call(&function, "{}").success(), 2);
    let why = "[WARN] Hearth: no snapshot: the function has started threads";
    let log = function.logs_until(why, |events| !lines_of(events, why).is_empty());
    assert!(lines_of(&log, "RESTORE").is_empty());
}

#[test]
fn a_client_of_boto3_that_was_made_in_init_works_after_a_restore() {
    let source = "
import boto3, json
client = boto3.client('lambda')
def handler(event, context):
    return json.load(client.invoke(FunctionName='callee', Payload=json.dumps(event))['Payload'])
";
    let server = Server::start();
    server.create(python("callee", "def handler(event, context):\n    return [event, 'called']\n"));
    let mut package = Package::new().file("app.py", source);
    let site = site_packages();
    for name in ["boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py"] {
        package = with_tree(package, &site, &site.join(name));
    }
    let function =
        server.create(with_snap_start(NewFunction::new("sdk", "python3.11", "app.handler", package)));
    assert_eq!(publish(&function)["State"], "Active");
    assert_eq!(call(&function, "7").success(), json!([7, "called"]));
    let log = function.logs_with_reports(1);
    assert_eq!(lines_of(&log, "RESTORE_REPORT").len(), 1);
}

fn site_packages() -> PathBuf {
    let packages = repository().join(".cache/python-packages");
    if packages.exists() {
        return packages;
    }
    let versions = std::fs::read_dir(repository().join(".cache/python/lib")).unwrap();
    versions.map(|entry| entry.unwrap().path().join("site-packages")).find(|path| path.exists()).unwrap()
}

/// Adds what is below `path`, without the descriptions of services that are not called.
fn with_tree(package: Package, root: &Path, path: &Path) -> Package {
    if path.is_file() {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        return package.file(&name, std::fs::read(path).unwrap());
    }
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let is_data = path.ends_with("botocore/data") || path.ends_with("boto3/data");
    entries.retain(|entry| {
        let name = entry.file_name().unwrap();
        name != "__pycache__" && (!is_data || entry.is_file() || name == "lambda")
    });
    entries.iter().fold(package, |package, entry| with_tree(package, root, entry))
}
