//! What must be gone after a crash of the server, and what must be refused at its start or at a call.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hearth_tests::{
    Call, Folder, Package, Server, Settings, eventually, hearth_binary, is_alive, needs_root, python, within,
};
use serde_json::json;

use crate::hostile::{Language, walled};
use crate::leftovers::{Traces, parent_of};

#[test]
fn case_119_a_killed_server_leaves_nothing_and_the_next_one_counts_what_it_was() {
    if !Language::Python.is_here() {
        return;
    }
    let data_dir = Arc::new(Folder::new());
    let server = walled().data_dir(&data_dir).start();
    let event = |operation: &str| json!({ "do": operation }).to_string();
    // Two that wait between calls, one of which has left daemons in sessions of their own; a bomb; a busy one.
    let kinds = [
        ("warm", Language::C),
        ("daemons", Language::Python),
        ("bomb", Language::C),
        ("busy", Language::Python),
    ];
    for (name, language) in kinds {
        server.create(language.function(name));
    }
    server.function("warm").invoke("{}").success();
    assert_eq!(server.function("daemons").invoke(event("daemon 1000")).success(), json!(["works"]));
    server.function("bomb").invoke(event("bomb forks")).success();
    let address = server.address();
    let busy = thread::spawn(move || {
        let path = "/2015-03-31/functions/busy/invocations";
        hearth_tests::try_http(
            address,
            "POST",
            path,
            &[],
            json!({ "do": "sleep 100000" }).to_string().as_bytes(),
        )
    });
    let is_busy =
        |server: &Server| server.environments("busy").first().is_some_and(|one| one["state"] == "Busy");
    eventually("it is busy", || is_busy(&server).then_some(()));
    eventually("its process is there", || server.environments("busy")[0]["pid"].as_u64());

    let traces = kinds.iter().map(|(name, _)| Traces::of(&server, name)).reduce(Traces::and).unwrap();
    assert_eq!(traces.users().len(), kinds.len());
    assert!(traces.processes().len() > 900, "the bomb stands there");
    // Of root, and so of no user above: each environment's first process, and the launcher.
    let of_root: Vec<u64> = traces
        .environment_pids()
        .iter()
        .flat_map(|&pid| {
            let init = parent_of(pid).unwrap();
            [init, parent_of(init).unwrap()]
        })
        .collect();
    assert!(of_root.iter().all(|&pid| pid > 1 && is_alive(pid)), "{of_root:?}");

    server.kill();
    traces.processes_end_within(Duration::from_secs(2));
    within(Duration::from_secs(2), "the first processes are gone", || {
        of_root.iter().all(|&pid| !is_alive(pid)).then_some(())
    });
    assert!(busy.join().unwrap().is_err(), "the caller sees a closed connection");

    let server = walled().data_dir(&data_dir).start();
    let counted = format!("environments={}", kinds.len());
    eventually("it says how many there were", || server.stderr().contains(&counted).then_some(()));
    traces.go_away();
    assert_eq!(fs::read_dir(data_dir.path().join("run")).unwrap().count(), 0, "folders are gone");
    for (name, _) in kinds {
        assert_eq!(server.function(name).invoke("{}").success(), json!([]), "{name}");
    }
}

/// Starts a server from a shell script that ends with it, and returns what it said when it refused.
fn refusal(script: &str) -> String {
    let folder = Folder::new();
    let program = folder.write("start", format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let settings = Settings::new().arguments(&["--isolation", "namespaces"]).program(program);
    let command = settings.command("127.0.0.1:0", &folder.path().join("data"));
    // One that starts all the same would run on: it must end within seconds.
    let ended = Command::new("timeout")
        .arg("20")
        .arg(command.get_program())
        .args(command.get_args())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(!ended.status.success() && ended.stdout.is_empty(), "{} {said}", ended.status);
    said
}

#[test]
fn case_125_without_the_right_to_make_namespaces_the_start_is_refused_with_the_way_out() {
    if !needs_root() {
        return;
    }
    // Root, but not allowed to mount, as in a container.
    let hearth = hearth_binary();
    let said = refusal(&format!(
        "exec capsh --drop=cap_sys_admin -- -c 'exec \"$0\" \"$@\"' {} \"$@\"",
        hearth.display()
    ));
    assert!(said.contains("error: ") && said.contains("hint: "), "{said}");
    assert!(said.contains("--isolation process"), "names the way out: {said}");
}

#[test]
fn case_125_with_cgroups_that_cannot_be_written_the_start_is_refused_with_the_way_out() {
    if !needs_root() {
        return;
    }
    let read_only = "awk '$3 ~ /^cgroup/ { print $2 }' /proc/mounts | \
         while read mount; do mount -o remount,bind,ro \"$mount\" || exit 9; done && exec \"$0\" \"$@\"";
    let hearth = hearth_binary();
    let said = refusal(&format!(
        "exec unshare --mount sh -c '{}' {} \"$@\"",
        read_only.replace('\'', "'\\''"),
        hearth.display()
    ));
    assert!(said.contains("error: ") && said.contains("cgroup"), "{said}");
    assert!(said.contains("hint: "), "{said}");
}

/// Where a function's code is on the host.
fn tree(server: &Server, function: &str) -> PathBuf {
    let sha256 = server.function(function).configuration()["CodeSha256"].as_str().unwrap().to_owned();
    let bytes = BASE64.decode(sha256).unwrap();
    let name: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    server.data_dir().path().join("trees").join(name)
}

#[test]
fn case_121_code_that_is_changed_on_disk_fails_its_function_at_the_next_cold_start_and_no_other() {
    let server = Server::start();
    let source =
        |name: &str| format!("import helper\ndef handler(event, context): return helper.name() + '{name}'\n");
    let helper = "def name(): return 'the '\n";
    let new = |name: &str| python(name, &source(name)).file("helper.py", helper);
    let names = ["flipped", "removed", "touched", "whole"];
    for name in names {
        assert_eq!(server.create(new(name)).invoke("{}").success(), format!("the {name}"));
    }
    // One bit, with the size as it was; a file that is gone; and one that only looks new.
    let file = |name: &str| tree(&server, name).join("helper.py");
    fs::write(file("flipped"), helper.replace("the ", "uhe ")).unwrap();
    fs::remove_file(file("removed")).unwrap();
    fs::File::options()
        .append(true)
        .open(file("touched"))
        .unwrap()
        .set_modified(SystemTime::UNIX_EPOCH)
        .unwrap();

    // Environments that run go on. A new one would run what nobody has deployed.
    let cold = |name: &str, timeout: u32| {
        server.function(name).update_configuration(&json!({ "Timeout": timeout }));
        server.function(name).call(&Call::default())
    };
    for name in ["touched", "whole"] {
        assert_eq!(cold(name, 10).success(), format!("the {name}"));
    }
    for name in ["flipped", "removed"] {
        for timeout in [10, 11] {
            let (kind, status, message) = cold(name, timeout).exception();
            assert_eq!((kind.as_str(), status), ("InvalidZipFileException", 502), "{message}");
            let expected = "Lambda could not use the deployment package: the code `helper.py` was changed on disk after it \
                            was deployed. Deploy it again.";
            assert_eq!(message, expected);
        }
        // The same package, sent again, repairs it.
        let package = Package::new().file("app.py", source(name)).file("helper.py", helper);
        server.function(name).update_code(&package);
        assert_eq!(server.function(name).invoke("{}").success(), format!("the {name}"));
        assert_eq!(fs::read_to_string(file(name)).unwrap(), helper);
    }
    let said = "code on disk is not what was deployed";
    eventually("the server's log names it", || server.stderr().contains(said).then_some(()));
    server.stop();
}

#[test]
fn case_121_a_layer_that_is_changed_on_disk_fails_those_who_have_it_until_it_is_published_again() {
    let server = Server::start();
    let layer = |name: &str| {
        Package::new().file(&format!("python/{name}.py"), format!("def name(): return '{name}'\n"))
    };
    let (one, two) = (server.publish_layer("one", &layer("one")), server.publish_layer("two", &layer("two")));
    let source = "import one, two\ndef handler(event, context): return one.name() + two.name()\n";
    let both = server.create(python("both", source).with("Layers", json!([one, two])));
    let plain = server.create(python("plain", "def handler(event, context): return 1\n"));
    assert_eq!((both.invoke("{}").success(), plain.invoke("{}").success()), (json!("onetwo"), json!(1)));

    let changed: Vec<PathBuf> = fs::read_dir(server.data_dir().path().join("trees"))
        .unwrap()
        .map(|tree| tree.unwrap().path().join("python/one.py"))
        .filter(|file| file.is_file())
        .collect();
    // Its own tree, and that of both layers, which share the file.
    assert_eq!(changed.len(), 2, "{changed:?}");
    fs::write(&changed[0], "def name(): return 'eno'\n").unwrap();
    both.update_configuration(&json!({ "Timeout": 10 }));
    let (kind, status, message) = both.call(&Call::default()).exception();
    assert_eq!((kind.as_str(), status), ("InvalidZipFileException", 502), "{message}");
    assert!(message.contains("`python/one.py` was changed on disk"), "{message}");
    plain.update_configuration(&json!({ "Timeout": 10 }));
    assert_eq!(plain.invoke("{}").success(), 1);

    let one = server.publish_layer("one", &layer("one"));
    both.update_configuration(&json!({ "Layers": [one, two] }));
    assert_eq!(both.invoke("{}").success(), "onetwo");
    server.stop();
}
