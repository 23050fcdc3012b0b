//! What stands on a host in odd places, and what packages hold, as functions behind walls find it: interpreters, links,
//! closed folders.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hearth_tests::{
    Folder, NewFunction, Package, RawEntry, RawZip, Settings, hearth_binary, hearth_with, needs_node,
    needs_root, node, python, skip,
};
use serde_json::json;

/// Runs a program, which is no function, and returns what it prints.
fn output(program: impl AsRef<Path>, arguments: &[&str]) -> String {
    let program = program.as_ref();
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}: {}", program.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The Python 3.11 itself, not what a version manager puts in front of it.
fn python_of_the_host() -> PathBuf {
    output("python3.11", &["-c", "import os, sys; print(os.path.realpath(sys.executable))"]).into()
}

/// A folder that only its owner may look into.
fn closed_folder() -> Folder {
    let folder = Folder::new();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    folder
}

/// A server whose functions for Python 3.11 have this interpreter.
fn with_python(program: &Path) -> Settings {
    Settings::new().arguments(&["--interpreter", &format!("python3.11={}", program.display())])
}

const WHICH: &str = "
import json, subprocess, sys
def handler(event, context):
    same = subprocess.run([sys.executable, '-c', 'import ssl, json; print(ssl.OPENSSL_VERSION)'], capture_output=True)
    return [sys.executable, sys.prefix, same.returncode]
";

#[test]
fn a_python_of_a_virtual_environment_runs_behind_walls_with_its_packages() {
    let folder = closed_folder();
    let venv = folder.path().join("venv");
    output(python_of_the_host(), &["-m", "venv", "--without-pip", venv.to_str().unwrap()]);
    let program = venv.join("bin/python");
    fs::write(venv.join("lib/python3.11/site-packages/of_the_venv.py"), "WHOSE = 'of the venv'\n").unwrap();
    let server = with_python(&program).start();
    let source =
        format!("import of_the_venv\n{WHICH}\ndef whose(event, context): return of_the_venv.WHOSE\n");
    let function = server.create(python("virtual", &source).with("Handler", "app.whose"));
    assert_eq!(function.invoke("{}").success(), "of the venv");
    let function = server.create(python("prefix", &source));
    let seen = function.invoke("{}").success();
    assert_eq!((&seen[1], &seen[2]), (&json!(venv), &json!(0)), "{seen}");
}

#[test]
fn an_interpreter_behind_a_link_to_its_folder_runs_behind_walls() {
    let folder = closed_folder();
    let real = python_of_the_host();
    let current = folder.path().join("current");
    symlink(real.parent().and_then(Path::parent).unwrap(), &current).unwrap();
    let server = with_python(&current.join("bin").join(real.file_name().unwrap())).start();
    let seen = server.create(python("linked", WHICH)).invoke("{}").success();
    assert_eq!(seen[2], 0, "{seen}");

    // A link to the program alone, as people put into their `bin`.
    let link = folder.path().join("my-python");
    symlink(&real, &link).unwrap();
    let server = with_python(&link).start();
    let seen = server.create(python("linked", WHICH)).invoke("{}").success();
    assert_eq!(seen[2], 0, "{seen}");
}

#[test]
fn a_node_of_a_closed_folder_runs_behind_walls_next_to_the_layers_of_its_function() {
    if !needs_node() {
        return;
    }
    let program = output("node", &["-p", "process.execPath"]);
    let layer = Package::new()
        .file("nodejs/node_modules/of-a-layer/index.js", "exports.who = 'a layer';\n")
        .file("data.txt", "data");
    let source = "
import fs from 'node:fs';
import layer from 'of-a-layer';
export const handler = async () => [process.execPath, layer.who, fs.readFileSync('/opt/data.txt', 'utf8')];
";
    // Where layers are, too, if this is somebody who may write there.
    let in_opt = PathBuf::from(format!("/opt/hearth-test-{}", std::process::id()));
    let closed = closed_folder();
    for folder in [closed.path().join("node-20"), in_opt.clone()] {
        let copy = folder.join("bin/node");
        if let Err(error) = fs::create_dir_all(folder.join("bin")) {
            skip(&format!("`{}` cannot be made: {error}", folder.display()));
            continue;
        }
        fs::copy(&program, &copy).unwrap();
        let named = format!("nodejs20.x={}", copy.display());
        let server = Settings::new().arguments(&["--interpreter", &named]).start();
        let arn = server.publish_layer("modules", &layer);
        let function = server.create(node("placed", source).with("Layers", json!([arn])).timeout(30));
        let seen = function.invoke("{}");
        drop(fs::remove_dir_all(&in_opt));
        assert_eq!(seen.success(), json!([copy, "a layer", "data"]));
    }
}

/// Who is careful keeps the data where nobody else can look, and makes files that nobody else can read.
#[test]
fn a_closed_data_folder_and_a_strict_mask_keep_nothing_from_functions() {
    if !needs_node() {
        return;
    }
    let home = closed_folder();
    let data = home.path().join("data");
    let server = Settings::new().data_path(&data).file_mode_mask("077").start();
    let layer = Package::new().file("python/of_a_layer.py", "WHO = 'a layer'\n");
    let arn = server.publish_layer("modules", &layer);
    let source = "import of_a_layer, own\ndef handler(event, context): return [of_a_layer.WHO, own.WHO]\n";
    let new = python("closed", source).file("own.py", "WHO = 'own'\n").with("Layers", json!([arn]));
    assert_eq!(server.create(new).invoke("{}").success(), json!(["a layer", "own"]));
    let function = server.create(node("closed-node", "export const handler = async () => 'node';\n"));
    assert_eq!(function.invoke("{}").success(), "node");
    server.stop();
}

#[test]
fn files_are_readable_whatever_modes_the_zip_has_and_links_stay_inside() {
    let source = b"
import os
def handler(event, context):
    def read(path):
        try:
            return open(path).read()
        except OSError as error:
            return type(error).__name__
    os.symlink('/etc/shadow', '/tmp/shadow')
    return {
        'mode': oct(os.stat('/var/task/app.py').st_mode & 0o777),
        'linked': read('/var/task/link.txt'),
        'folder': read('/var/task/link/text'),
        'target': os.readlink('/var/task/link'),
        'shadow': read('/tmp/shadow'),
        'root': sorted(line.split(':')[0] for line in read('/etc/passwd').splitlines()),
        'script': os.popen('/var/task/run').read(),
    }
";
    let zip = RawZip::of([
        RawEntry::stored("app.py", source).mode(0o100_600),
        RawEntry::stored("folder/text", b"text").mode(0o100_000),
        RawEntry::stored("run", b"#!/bin/sh\necho it runs\n").mode(0o100_700),
        RawEntry::link("link", "folder"),
        RawEntry::link("link.txt", "folder/text"),
    ]);
    let server = Settings::new().start();
    let create = |name: &str, zip: &RawZip| {
        let body = json!({
            "FunctionName": name,
            "Runtime": "python3.11",
            "Handler": "app.handler",
            "Role": "arn:aws:iam::000000000000:role/lambda",
            "Code": { "ZipFile": BASE64.encode(zip.bytes()) },
        });
        server.http("POST", "/2015-03-31/functions", body.to_string().as_bytes())
    };
    assert_eq!(create("modes", &zip).status, 201);
    let function = server.function("modes");
    function.wait_until("State", "Active");
    let expected = json!({
        "mode": "0o444",
        "linked": "text",
        "folder": "text",
        "target": "folder",
        "shadow": "FileNotFoundError",
        "root": ["root", "sbx_user1051"],
        "script": "it runs\n",
    });
    assert_eq!(function.invoke("{}").success(), expected);
    // One that leads out is refused before anybody could follow it.
    let leading_out = create("leading-out", &RawZip::of([RawEntry::link("app.py", "/etc/passwd")]));
    assert_eq!(leading_out.status, 400, "{}", leading_out.text());
}

#[test]
fn a_wrapper_script_starts_the_runtime_behind_walls() {
    let wrapper = "#!/bin/sh\nexport WRAPPED=\"$0 $(basename \"$1\")\"\nexec \"$@\"\n";
    let source = "import os\ndef handler(event, context): return os.environ['WRAPPED']\n";
    let server = Settings::new().start();
    let package = Package::new().file("app.py", source).program("wrapper", wrapper);
    let variables = json!({ "Variables": { "AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper" } });
    let new = NewFunction::new("wrapped", "python3.11", "app.handler", package);
    let seen = server.create(new.with("Environment", variables)).invoke("{}").success();
    let expected = format!("/var/task/wrapper {}", python_of_the_host().file_name().unwrap().display());
    assert_eq!(seen, expected);
}

#[test]
fn the_demo_runs_without_walls_when_it_is_told_to_and_says_so() {
    let demo = hearth_with(&[], &["demo", "--isolation", "process"]);
    assert!(demo.stderr.contains("run only functions that you trust"), "{}", demo.stderr);
    assert!(demo.success().contains("first invocation"));
}
/// A user who is root, but not of the host: as in a container without any right to mount.
#[test]
fn case_125_a_host_that_allows_no_walls_is_told_with_the_way_out_and_the_demo_says_the_same() {
    if !needs_root() {
        return;
    }
    let data = Folder::new();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data-dir", data.path().to_str().unwrap()];
    for arguments in [&serve[..], &["demo"]] {
        let mut command = Command::new("setpriv");
        command.args(["--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin", "--"]);
        command.arg(hearth_binary()).args(arguments);
        for name in ["HEARTH_ISOLATION", "HEARTH_DATA_DIR", "HEARTH_LISTEN"] {
            command.env_remove(name);
        }
        let ended = command.output().unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert!(!ended.status.success() && ended.stdout.is_empty(), "{arguments:?}: {stderr}");
        assert!(stderr.contains("error: cannot start the "), "{arguments:?}: {stderr}");
        assert!(stderr.contains("Operation not permitted"), "{arguments:?}: {stderr}");
        assert!(
            stderr.contains("hint: ") && stderr.contains("`--isolation process`"),
            "{arguments:?}: {stderr}"
        );
    }
}
