//! The backend `process`, which has to be asked for: functions are processes of the server's user, and nothing stands
//! between them and this host. What it promises all the same.

use std::thread;

use hearth_tests::{
    Gate, NewFunction, PYTHON_WAIT, Package, Server, Settings, eventually, is_alive, needs_node, node,
    on_host, provided_bootstrap, python, said, scripted,
};
use serde_json::json;

fn server() -> Server {
    Settings::new().without_walls().start()
}

#[test]
fn without_walls_the_server_says_that_nothing_is_isolated() {
    let stderr = server().stop();
    assert!(stderr.contains("isolation `process`"), "{stderr}");
    assert!(stderr.contains("run as this user"), "{stderr}");
}

#[test]
fn functions_of_each_kind_run_without_walls_with_layers_and_extensions() {
    let server = server();
    let modules = Package::new().file("python/of_a_layer.py", "WHO = 'a layer'\n").file("data.txt", "data");
    let modules = server.publish_layer("modules", &modules);
    let extension = scripted(&json!([{ "register": ["INVOKE", "SHUTDOWN"] }, { "events": true }]));
    let extensions = server.publish_extensions(&[("beside", extension)]);
    // `/opt` and `/tmp` are the host's; variables say where to look instead.
    let source = "import of_a_layer, os, tempfile
def handler(event, context):
    with open(tempfile.gettempdir() + '/count', 'a') as count: count.write('x')
    data = open(os.environ['HEARTH_LAYERS_ROOT'] + '/data.txt').read()
    return [of_a_layer.WHO, data, os.path.getsize(tempfile.gettempdir() + '/count'), os.getuid()]
";
    let new = python("with-layers", source).with("Layers", json!([modules, extensions]));
    let function = server.create(new);
    let own_user = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap());
    for calls in 1..=2 {
        assert_eq!(function.invoke("{}").success(), json!(["a layer", "data", calls, own_user]));
        function.wait_until_all_are_ready();
    }
    assert!(said(&function.logs_with_reports(2), "beside")[0].starts_with("registered as beside"));

    let package = Package::new().program("bootstrap", provided_bootstrap());
    let function = server.create(NewFunction::new("own-runtime", "provided.al2023", "main", package));
    assert_eq!(function.invoke("{\"name\":\"nobody\"}").success()["message"], "Hello, nobody!");
    if needs_node() {
        let function = server.create(node("in-node", "export const handler = async (event) => event;\n"));
        assert_eq!(function.invoke("[1]").success(), json!([1]));
    }
}

#[test]
fn without_walls_each_call_at_once_has_an_environment_and_all_processes_end_with_it() {
    let server = server();
    let source = format!(
        "{PYTHON_WAIT}
import subprocess
def handler(event, context):
    child = subprocess.Popen(['sleep', '600'], start_new_session=True)
    wait_at(event)
    return child.pid
"
    );
    let function = server.create(python("at-once", &source).timeout(60));
    let gate = Gate::new();
    let children = thread::scope(|scope| {
        let calls: Vec<_> =
            (0..3).map(|_| scope.spawn(|| function.invoke(gate.number().to_string()).success())).collect();
        gate.wait_for(3);
        assert_eq!(function.environments().len(), 3);
        gate.open();
        calls.into_iter().map(|call| on_host(call.join().unwrap().as_u64().unwrap())).collect::<Vec<_>>()
    });
    function.wait_until_all_are_ready();
    assert!(children.iter().all(|child| is_alive(*child)));
    function.delete();
    eventually("the children of a deleted function are gone", || {
        children.iter().all(|child| !is_alive(*child)).then_some(())
    });
}
