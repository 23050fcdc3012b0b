//! Runtimes that are booted ahead of their Init (`--preboot`): a function cannot tell, and nothing is left behind.

use std::fs;
use std::process::Command;

use hearth_tests::{
    Function, NewFunction, Package, Server, Settings, bash_extension, eventually, family, is_alive,
    needs_node, node, python, reports, transcript,
};
use serde_json::{Value, json};

/// A server of which each function in use has a runtime that waits.
fn ahead() -> Settings {
    Settings::new().arguments(&["--preboot", "1"])
}

/// The runtimes of a server that wait.
fn waiting(server: &Server) -> Vec<u32> {
    let waits = |pid: &u32| {
        let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        command.contains("--wait-for-init")
            && stat.rsplit_once(')').is_some_and(|(_, rest)| rest.starts_with(" T"))
    };
    family(server.pid()).into_iter().filter(waits).collect()
}

fn until_one_waits(server: &Server) -> u32 {
    eventually("a runtime to wait for its Init", || match waiting(server).as_slice() {
        // The server looks at it now and then, and takes it only after that.
        [one] if server.hearth("environments")["prebooted"] == 1 => Some(*one),
        _ => None,
    })
}

/// For each environment of a function, whether its runtime had been booted ahead.
fn prebooted(function: &Function<'_>) -> Vec<Value> {
    let timeline = function.server().timeline(function.name());
    let environments = timeline["environments"].as_array().unwrap().clone();
    environments.into_iter().map(|environment| environment["prebooted"].clone()).collect()
}

const SEEN_BY_PYTHON: &str = r#"
import os, sys, resource
at_init = sorted(sys.modules)
def read(path):
    with open(path) as file: return file.read()
def handler(event, context):
    return {
        "environ": list(os.environ.items()),
        "at_exec": read("/proc/self/environ").split("\0"),
        "argv": sys.argv, "orig_argv": getattr(sys, "orig_argv", None), "flags": str(sys.flags),
        "path": sys.path, "modules": at_init, "cwd": os.getcwd(),
        "descriptors": sorted(name for name in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + name)),
        "limits": read("/proc/self/limits"), "uid": os.getresuid()[0] > 0, "groups": os.getgroups(),
        "status": [line for line in read("/proc/self/status").splitlines() if line.split(":")[0] in
            ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "SigBlk", "SigIgn", "SigCgt", "Threads")],
        "mounts": [line.split()[4:6] for line in read("/proc/self/mountinfo").splitlines()],
        "tmp": os.listdir("/tmp"), "umask": os.umask(0o022), "threads": len(os.listdir("/proc/self/task")),
        "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
    }
"#;

const SEEN_BY_NODE: &str = r#"
const fs = require('fs');
const modules = Object.keys(require.cache), builtin = process.moduleLoadList?.slice().sort();
const read = (path) => fs.readFileSync(path, 'utf8');
exports.handler = async () => ({
  environ: Object.entries(process.env), at_exec: read('/proc/self/environ').split('\0'),
  argv: process.argv, execArgv: process.execArgv, argv0: process.argv0, title: process.title, cwd: process.cwd(),
  modules, builtin, globals: Object.getOwnPropertyNames(globalThis),
  heap: require('v8').getHeapStatistics().heap_size_limit,
  descriptors: fs.readdirSync('/proc/self/fd').filter((name) => fs.existsSync('/proc/self/fd/' + name)).sort(),
  limits: read('/proc/self/limits'), groups: process.getgroups(),
  status: read('/proc/self/status').split('\n').filter((line) => /^(Cap|NoNewPrivs|Seccomp|Sig(Blk|Ign|Cgt)|Threads)/.test(line)),
  mounts: read('/proc/self/mountinfo').trim().split('\n').map((line) => line.split(' ').slice(4, 6)),
  tmp: fs.readdirSync('/tmp'), umask: process.umask(), listeners: process.eventNames().map(String),
  processes: fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).sort(),
});
"#;

/// What a function sees, without what is another one in each environment.
fn seen(server: &Server, new: NewFunction, is_ahead: bool) -> String {
    let function = server.create(new);
    if is_ahead {
        until_one_waits(server);
    }
    let mut seen = function.invoke("{}").success();
    assert_eq!(prebooted(&function), [json!(is_ahead)]);
    let own = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "_X_AMZN_TRACE_ID",
    ];
    for pair in seen["environ"].as_array_mut().unwrap() {
        if own.contains(&pair[0].as_str().unwrap()) {
            pair[1] = json!("…");
        }
    }
    for text in seen["at_exec"].as_array_mut().unwrap() {
        if let Some((name, _)) = text.as_str().unwrap().split_once('=')
            && own.contains(&name)
        {
            *text = json!(name);
        }
    }
    if let Some(groups) = seen.get_mut("groups") {
        *groups = json!(groups.as_array().unwrap().len()); // each environment has a user of its own
    }
    // The kernel's order is that in which they were made.
    seen["mounts"].as_array_mut().unwrap().sort_by_key(Value::to_string);
    // Where the interpreter's client is mounted, below the `/tmp` of this host.
    let is_ours = |name: &Value| name.as_str().unwrap().starts_with("hearth-test-");
    seen["tmp"].as_array_mut().unwrap().retain(|name| !is_ours(name));
    // The runtime client is in the data folder of its server.
    let folder = server.data_dir().path().to_str().unwrap();
    serde_json::to_string_pretty(&seen).unwrap().replace(folder, "DATA")
}

#[test]
fn a_function_for_python_cannot_tell_that_its_runtime_was_booted_ahead() {
    for memory in [128, 1_024] {
        let new = || python("seen", SEEN_BY_PYTHON).with("MemorySize", memory);
        let ordinary = seen(&Server::start(), new(), false);
        assert_eq!(seen(&ahead().start(), new(), true), ordinary);
    }
}

#[test]
fn a_function_for_node_cannot_tell_that_its_runtime_was_booted_ahead() {
    if !needs_node() {
        return;
    }
    for memory in [128, 1_024] {
        let package = Package::new().file("index.js", SEEN_BY_NODE);
        let new = || {
            NewFunction::new("seen", "nodejs20.x", "index.handler", package.clone())
                .with("MemorySize", memory)
        };
        let ordinary = seen(&Server::start(), new(), false);
        assert_eq!(seen(&ahead().start(), new(), true), ordinary);
    }
}

#[test]
fn nothing_is_booted_ahead_where_code_of_the_function_would_run_meanwhile() {
    let server = ahead().start();
    let handler = "def handler(event, context): return 'done'\n";
    let variables = json!({"Variables": {"PYTHONSTARTUP": "/var/task/app.py"}});
    let unusual = server.create(python("unusual", handler).with("Environment", variables));
    let library = server.create(python("library", handler).file("lib/libz.so.1", "nothing that loads"));
    let preload = json!({"Variables": {"LD_PRELOAD": ""}});
    let preloaded = server.create(python("preloaded", handler).with("Environment", preload));
    // One that comes later waits already.
    let usual = server.create(python("usual", handler));
    until_one_waits(&server);
    for function in [unusual, preloaded] {
        assert_eq!(function.invoke("{}").success(), "done");
        assert_eq!(prebooted(&function), [json!(false)], "{}", function.name());
    }
    assert_eq!(library.environments(), Vec::<Value>::new());
    assert_eq!(usual.invoke("{}").success(), "done");
    assert_eq!(prebooted(&usual), [json!(true)]);
}

#[test]
fn a_runtime_that_dies_while_it_waits_fails_no_call_and_another_is_booted() {
    let server = ahead().start();
    let function = server.create(python("dying", "def handler(event, context): return 'done'\n"));
    let dead = until_one_waits(&server);
    let killed = Command::new("kill").args(["-KILL", &dead.to_string()]).status().unwrap();
    assert!(killed.success());
    eventually("it to be gone", || (!is_alive(dead.into())).then_some(()));
    assert_eq!(function.invoke("{}").success(), "done");
    assert_ne!(until_one_waits(&server), dead);
}

#[test]
fn a_change_of_the_code_or_the_end_of_the_function_ends_what_waits_for_it() {
    let server = ahead().start();
    let source = |answer: &str| format!("def handler(event, context): return '{answer}'\n");
    let function = server.create(python("changing", &source("before")));
    let first = until_one_waits(&server);
    function.update_code(&Package::new().file("app.py", source("after")));
    eventually("the first to be gone", || (!is_alive(first.into())).then_some(()));
    let second = until_one_waits(&server);
    assert_eq!(function.invoke("{}").success(), "after");
    assert_eq!(prebooted(&function), [json!(true)]);
    let third = eventually("the next one", || waiting(&server).into_iter().find(|&pid| pid != second));
    function.delete();
    eventually("nothing to be left", || {
        (!is_alive(third.into()) && waiting(&server).is_empty()).then_some(())
    });
}

#[test]
fn what_waits_ends_with_the_server_however_that_ends() {
    for is_killed in [true, false] {
        let server = ahead().start();
        server.create(python("waiting", "def handler(event, context): return 'done'\n"));
        let one = until_one_waits(&server);
        if is_killed {
            server.kill();
        } else {
            server.stop();
        }
        eventually("it to be gone", || (!is_alive(one.into())).then_some(()));
    }
}

#[test]
fn two_runtimes_that_were_booted_ahead_share_no_random_numbers_and_no_files() {
    let source = "import os, random, uuid
def handler(event, context):
    there = os.listdir('/tmp')
    open('/tmp/mine', 'w').close()
    return [random.random(), uuid.uuid4().hex, hash('text'), os.urandom(8).hex(), there]
";
    let server = ahead().start();
    let call = |name: &str| {
        let function = server.create(python(name, source));
        until_one_waits(&server);
        let seen = function.invoke("{}").success();
        assert_eq!(prebooted(&function), [json!(true)]);
        function.delete();
        eventually("nothing to wait", || waiting(&server).is_empty().then_some(()));
        seen
    };
    let (one, other) = (call("one"), call("other"));
    for at in 0..4 {
        assert_ne!(one[at], other[at]);
    }
    for seen in [one, other] {
        assert!(!seen[4].as_array().unwrap().contains(&json!("mine")), "{seen}");
    }
}

/// What a function that fails leaves in its log, with runtimes booted ahead or without.
fn log_of(new: &NewFunction, is_ahead: bool) -> String {
    let server = if is_ahead { ahead().start() } else { Server::start() };
    let function = server.create(new.clone());
    if is_ahead {
        until_one_waits(&server);
    }
    let answer = function.invoke("{}").text();
    let answer = answer.split("RequestId: ").next().unwrap_or_default();
    assert_eq!(prebooted(&function), [json!(is_ahead)]);
    let events = function.logs_with_reports(1);
    assert_eq!(reports(&events).len(), 1);
    format!("{answer}\n{}", transcript(&events))
}

#[test]
fn errors_crashes_timeouts_and_lack_of_memory_look_as_without_a_runtime_that_was_booted_ahead() {
    let failing = [
        python("raising", "raise ValueError('no')\n"),
        python("exiting", "import os\ndef handler(event, context): os._exit(3)\n"),
        python("late", "import time\ndef handler(event, context): time.sleep(60)\n").timeout(1),
        python("greedy", "def handler(event, context): return len(bytearray(512 << 20))\n"),
    ];
    for new in &failing {
        assert_eq!(log_of(new, true), log_of(new, false));
    }
}

#[test]
fn extensions_start_before_a_runtime_that_was_booted_ahead_goes_on() {
    let server = ahead().start();
    let layer = server.publish_extensions(&[("in-bash", bash_extension())]);
    let source = "print('function init')\ndef handler(event, context): return 'done'\n";
    let function = server.create(python("extended", source).with("Layers", json!([layer])));
    until_one_waits(&server);
    assert_eq!(function.environments(), Vec::<Value>::new());
    assert_eq!(function.invoke("{}").success(), "done");
    assert_eq!(prebooted(&function), [json!(true)]);
    let events = function.logs_with_reports(1);
    let at = |text: &str| events.iter().position(|event| event.message.contains(text)).unwrap();
    assert!(at("INIT_START") < at("in-bash: registered"), "{}", transcript(&events));
    assert!(at("in-bash: registered") < at("function init"), "{}", transcript(&events));
}

#[test]
fn a_function_without_walls_has_a_runtime_booted_ahead_too() {
    if !needs_node() {
        return;
    }
    let server = ahead().without_walls().start();
    let function = server.create(node("bare", "export const handler = async () => process.argv.length;\n"));
    until_one_waits(&server);
    assert_eq!(function.invoke("{}").success(), 2);
    assert_eq!(prebooted(&function), [json!(true)]);
}
