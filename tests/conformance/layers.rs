//! Layers: merged in order, found by Python, Node.js and `bootstrap`, never changed, and kept for who has them.

use std::fs;
use std::sync::Arc;

use expect_test::expect;
use hearth_tests::{
    Folder, NewFunction, Package, Server, Settings, bootstrap, eventually, needs_node, node,
    provided_bootstrap, python, run_python, streams,
};
use serde_json::{Value, json};

/// Reads a module that each layer has, and one that only the first has.
const READS_MODULES: &str = "import both, only_first
def handler(event, context): return [both.LAYER, only_first.LAYER]
";

/// Two layers that both have `both.py`.
fn two_layers(server: &Server) -> [String; 2] {
    let first = Package::new()
        .file("python/both.py", "LAYER = 'first'\n")
        .file("python/only_first.py", "LAYER = 'first'\n");
    let second = Package::new().file("python/both.py", "LAYER = 'second'\n");
    [server.publish_layer("first", &first), server.publish_layer("second", &second)]
}

fn names(folder: &std::path::Path) -> usize {
    fs::read_dir(folder)
        .unwrap()
        .filter(|it| !it.as_ref().unwrap().file_name().to_string_lossy().starts_with("old-"))
        .count()
}

#[test]
fn boto3_drives_the_life_of_a_layer() {
    let server = Server::start();
    let folder = Folder::new();
    let package = |layer: &str| Package::new().file("python/layer.py", format!("LAYER = '{layer}'\n"));
    let first = folder.write("first.zip", package("one").zip());
    let second = folder.write("second.zip", package("two").zip());
    let source = "import layer\ndef handler(event, context): return layer.LAYER\n";
    let code = folder.write("code.zip", Package::new().file("app.py", source).zip());
    let arguments = [&first, &second, &code].map(|path| path.to_str().unwrap());
    let seen = run_python(&server, "layers.py", &arguments).json();
    expect![[r#"
        {
          "added": "{\"Sid\":\"everybody\",\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"lambda:GetLayerVersion\",\"Resource\":\"arn:aws:lambda:us-east-1:000000000000:layer:life:1\",\"Condition\":{\"StringEquals\":{\"aws:PrincipalOrgID\":\"o-0123456789\"}}}",
          "after the deletion": "one",
          "by arn": true,
          "code": true,
          "deleted": "404 ResourceNotFoundException: The resource you requested does not exist.",
          "function": [
            [
              "arn:aws:lambda:us-east-1:000000000000:layer:life:1"
            ],
            true
          ],
          "invoked": "one",
          "layers": [
            [
              "another",
              1
            ],
            [
              "life",
              2
            ]
          ],
          "layers for arm64": [
            [
              "life",
              1
            ]
          ],
          "not for new functions": "400 InvalidParameterValueException: Layer version arn:aws:lambda:us-east-1:000000000000:layer:life:1 does not exist.",
          "policies": [
            "everybody",
            "one"
          ],
          "policy is gone": "404 ResourceNotFoundException: No policy is associated with the given resource.",
          "principal": {
            "AWS": "arn:aws:iam::123456789012:root"
          },
          "published": {
            "CompatibleArchitectures": [
              "x86_64",
              "arm64"
            ],
            "CompatibleRuntimes": [
              "python3.11",
              "python3.12"
            ],
            "Description": "the first",
            "LayerArn": "arn:aws:lambda:us-east-1:000000000000:layer:life",
            "LayerVersionArn": "arn:aws:lambda:us-east-1:000000000000:layer:life:1",
            "LicenseInfo": "MIT",
            "Version": 1
          },
          "stale revision": "412 PreconditionFailedException: The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy API to retrieve the latest Revision Id",
          "third number": 3,
          "versions": [
            2,
            1
          ],
          "versions by page": [
            [
              2
            ],
            [
              1
            ]
          ],
          "without layers": "Runtime.ImportModuleError"
        }
    "#]]
    .assert_eq(&format!("{seen:#}\n"));
}

#[test]
fn python_imports_from_layers_and_the_later_one_wins() {
    let server = Server::start();
    let [first, second] = two_layers(&server);
    let of = |name, layers: &[&String]| python(name, READS_MODULES).with("Layers", json!(layers));
    let one_way = server.create(of("one-way", &[&first, &second]));
    assert_eq!(one_way.invoke("{}").success(), json!(["second", "first"]));
    let other_way = server.create(of("other-way", &[&second, &first]));
    assert_eq!(other_way.invoke("{}").success(), json!(["first", "first"]));
}

/// As on AWS: the function's own modules, then `site-packages` of this version of Python, then `python`, then what the
/// runtime has.
#[test]
fn python_looks_into_layers_behind_the_function_and_before_everything_else() {
    let server = Server::start();
    let layer = Package::new()
        .file("python/own.py", "WHO = 'layer'\n")
        .file("python/shared.py", "WHO = 'python'\n")
        .file("python/lib/python3.11/site-packages/shared.py", "WHO = 'site-packages'\n")
        .file("python/lib/python3.10/site-packages/other_version.py", "")
        .file("python/colorsys.py", "WHO = 'instead of the standard library'\n");
    let arn = server.publish_layer("modules", &layer);
    let source = "import colorsys, importlib.util, own, shared
def handler(event, context):
    return [own.WHO, shared.WHO, colorsys.WHO, importlib.util.find_spec('other_version') is None]
";
    let new = python("looks", source).file("own.py", "WHO = 'function'\n").with("Layers", json!([arn]));
    assert_eq!(
        server.create(new).invoke("{}").success(),
        json!(["function", "site-packages", "instead of the standard library", true])
    );
}

#[test]
fn node_requires_and_imports_from_layers() {
    if !needs_node() {
        return;
    }
    let server = Server::start();
    let layer = Package::new()
        .file("nodejs/node_modules/everywhere/package.json", r#"{ "main": "main.js" }"#)
        .file("nodejs/node_modules/everywhere/main.js", "exports.who = 'everywhere';\n")
        .file("nodejs/node20/node_modules/of-twenty/index.js", "exports.who = 'of twenty';\n");
    let arn = server.publish_layer("modules", &layer);
    let source = "import { createRequire } from 'node:module';
import everywhere from 'everywhere';
import twenty from 'of-twenty';
const require = createRequire(import.meta.url);
export const handler = async () => [everywhere.who, twenty.who, require('everywhere').who];
";
    let function = server.create(node("modules", source).with("Layers", json!([arn])));
    assert_eq!(function.invoke("{}").success(), json!(["everywhere", "of twenty", "everywhere"]));
}

#[test]
fn a_bootstrap_comes_from_the_package_or_else_from_the_layers() {
    let server = Server::start();
    let layer = Package::new().program("bootstrap", provided_bootstrap());
    let arn = server.publish_layer("runtime", &layer);
    let empty = Package::new().file("data.txt", "x");
    let of = |name, package: &Package| {
        NewFunction::new(name, "provided.al2023", "main", package.clone()).with("Layers", json!([arn]))
    };
    let function = server.create(of("from-layer", &empty));
    assert_eq!(function.invoke(r#"{"name":"layer"}"#).success()["message"], "Hello, layer!");

    // The package's own is it, even where it does not work; texts name it as AWS does.
    let function = server.create(bootstrap("own", "#!/bin/sh\nexit 7\n").with("Layers", json!([arn])));
    assert!(function.invoke("{}").function_error().contains("exit status 7"));
    let unusable = server.publish_layer("unusable", &Package::new().file("bootstrap", "#!/bin/sh\n"));
    let new =
        NewFunction::new("unusable", "provided.al2023", "main", empty).with("Layers", json!([unusable]));
    let error = server.create(new).invoke("{}").function_error();
    assert!(error.contains("fork/exec /opt/bootstrap: permission denied"), "{error}");
}

#[test]
fn programs_libraries_wrappers_and_the_folder_itself_are_reached_by_variables() {
    let server = Server::start();
    let wrapper = "#!/bin/sh\nexport WRAPPED=yes\nexec \"$@\"\n";
    let layer = Package::new()
        .program("bin/tool-of-a-layer", "#!/bin/sh\necho it runs\n")
        .file("lib/libx.txt", "found")
        .file("data.txt", "data")
        .program("wrapper", wrapper);
    let other = server.publish_layer("other", &Package::new().file("bin/other", "x"));
    let arn = server.publish_layer("tools", &layer);
    let source = "import os, subprocess
def handler(event, context):
    tool = subprocess.run(['tool-of-a-layer'], capture_output=True, text=True).stdout
    libraries = os.environ['LD_LIBRARY_PATH'].split(':')
    found = [os.path.exists(folder + '/libx.txt') for folder in libraries]
    # Without walls `/opt` is the host's.
    root = os.environ.get('HEARTH_LAYERS_ROOT', '/opt')
    return [tool, found, os.environ.get('WRAPPED'), open(root + '/data.txt').read(), os.listdir(root + '/bin')]
";
    let new = python("tools", source)
        .with("Layers", json!([other, arn]))
        .with("Environment", json!({ "Variables": { "AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrapper" } }));
    let mut seen = server.create(new).invoke("{}").success();
    seen[4].as_array_mut().unwrap().sort_by_key(Value::to_string);
    assert_eq!(seen, json!(["it runs\n", [false, false, true], "yes", "data", ["other", "tool-of-a-layer"]]));
}

#[test]
fn an_extension_of_a_layer_that_exits_at_once_fails_the_call() {
    let server = Server::start();
    let layer = Package::new().program("extensions/agent", "#!/bin/sh\nexit 1\n");
    let arn = server.publish_layer("agent", &layer);
    let function = server
        .create(python("plain", "def handler(event, context): return 1\n").with("Layers", json!([arn])));
    let expected = r#"{"errorType":"Extension.Crash","errorMessage":"RequestId: <id> Error: exit status 1"}"#;
    assert_eq!(function.invoke("{}").function_error(), expected);
}

#[test]
fn a_version_never_changes_and_its_number_is_never_given_again() {
    let server = Server::start();
    let package = |text: &str| Package::new().file("text", text);
    for (number, text) in (1..=3).zip(["a", "b", "c"]) {
        assert!(server.publish_layer("l", &package(text)).ends_with(&format!(":l:{number}")));
    }
    let path = "/2018-10-31/layers/l/versions/2";
    let without_location = || {
        let mut shown = server.http("GET", path, b"").json();
        shown["Content"].as_object_mut().unwrap().remove("Location");
        shown
    };
    let second = without_location();
    server.delete_layer("l", 3);
    server.delete_layer("l", 1);
    assert_eq!(server.layer_versions("l"), [2]);
    assert!(server.publish_layer("l", &package("d")).ends_with(":l:4"));
    server.delete_layer("l", 4);
    server.delete_layer("l", 2);
    assert_eq!(server.layer_versions("l"), [0; 0]);
    assert_eq!(server.http("GET", "/2018-10-31/layers", b"").json()["Layers"], json!([]));
    assert!(server.publish_layer("l", &package("e")).ends_with(":l:5"), "also when no version is left");
    assert_ne!(second["Content"]["CodeSha256"], Value::Null);
    assert_eq!(server.http("GET", path, b"").status, 404);
}

#[test]
fn a_deleted_version_stays_for_the_functions_that_have_it_and_goes_with_the_last_one() {
    let data_dir = Arc::new(Folder::new());
    let server = Settings::new().data_dir(&data_dir).start();
    let [first, second] = two_layers(&server);
    let function = server.create(python("user", READS_MODULES).with("Layers", json!([first, second])));
    assert_eq!(function.invoke("{}").success(), json!(["second", "first"]));
    server.delete_layer("first", 1);
    server.delete_layer("second", 1);
    assert_eq!(function.configuration()["Layers"][0]["Arn"], json!(first));
    // A new environment needs them as much as the one that runs. The deleted layers need not be named again.
    function.update_configuration(&json!({ "Timeout": 9 }));
    assert_eq!(function.invoke("{}").success(), json!(["second", "first"]));
    let refused = server.http(
        "PUT",
        "/2015-03-31/functions/user/configuration",
        json!({ "Layers": [first] }).to_string().as_bytes(),
    );
    assert_eq!(refused.status, 400, "{}", refused.text());
    server.stop();

    let server = Settings::new().data_dir(&data_dir).start();
    let function = server.function("user");
    assert_eq!(function.invoke("{}").success(), json!(["second", "first"]));
    // Code, two layers, and the two as one.
    assert_eq!(names(&data_dir.path().join("trees")), 4);
    function.delete();
    for kept in ["trees", "objects"] {
        eventually(&format!("{kept} are removed"), || {
            (names(&data_dir.path().join(kept)) == 0).then_some(())
        });
    }
    assert!(server.publish_layer("first", &Package::new().file("x", "x")).ends_with(":first:2"));
}

#[test]
fn everything_about_layers_is_kept_over_a_restart_and_a_lost_tree_is_made_again() {
    let data_dir = Arc::new(Folder::new());
    let server = Settings::new().data_dir(&data_dir).start();
    let [first, second] = two_layers(&server);
    let policy = "/2018-10-31/layers/second/versions/1/policy";
    let statement = json!({ "StatementId": "s", "Action": "lambda:GetLayerVersion", "Principal": "*" });
    assert_eq!(server.http("POST", policy, statement.to_string().as_bytes()).status, 201);
    let function = server.create(python("user", READS_MODULES).with("Layers", json!([first, second])));
    let configuration = function.configuration();
    assert_eq!(function.invoke("{}").success(), json!(["second", "first"]));
    let paths = ["/2018-10-31/layers", "/2018-10-31/layers/second/versions", policy];
    let seen = |server: &Server| paths.map(|path| server.http("GET", path, b"").json());
    let before = seen(&server);
    server.stop();
    // As after a restart of the machine.
    fs::remove_dir_all(data_dir.path().join("trees")).unwrap();

    let server = Settings::new().data_dir(&data_dir).start();
    assert_eq!(seen(&server), before);
    assert_eq!(server.function("user").configuration(), configuration);
    assert_eq!(server.function("user").invoke("{}").success(), json!(["second", "first"]));
    assert_eq!(names(&data_dir.path().join("trees")), 4);
}

#[test]
fn other_layers_start_new_environments_and_none_are_named_by_an_empty_list() {
    let server = Server::start();
    let [first, second] = two_layers(&server);
    let source = "def handler(event, context):\n    try:\n        import both\n        return both.LAYER\n    except ImportError:\n        return None\n";
    let function = server.create(python("changed", source).with("Layers", json!([first])));
    assert_eq!(function.configuration()["Layers"][0]["Arn"], json!(first));
    assert_eq!(function.invoke("{}").success(), "first");
    function.update_configuration(&json!({ "Layers": [first, second] }));
    assert_eq!(function.invoke("{}").success(), "second");
    function.update_code(&Package::new().file("app.py", format!("# new\n{source}")));
    assert_eq!(function.invoke("{}").success(), "second", "new code keeps the layers");
    function.update_configuration(&json!({ "Layers": [] }));
    assert_eq!(function.configuration()["Layers"], Value::Null);
    assert_eq!(function.invoke("{}").success(), Value::Null);
    assert_eq!(streams(&function.logs_with_reports(4)).len(), 4);
    assert_eq!(server.timeline("changed")["invocations"][1]["why_cold"], "function-updated");
    // What nobody uses any more is gone: two layers, the code.
    eventually("the merged tree is removed", || {
        (names(&server.data_dir().path().join("trees")) == 3).then_some(())
    });
}
