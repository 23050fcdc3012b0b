use clap::Parser as _;
use expect_test::expect;

use super::*;
use crate::arguments::{Arguments, Command};
use crate::client::tests::{run as block_on, scripted};

const DOCUMENT: &str = r#"{"is_current":true,"function_name":"resize","version":"$LATEST","runtime":"python3.11",
    "memory_size_mb":512,"status":"success","error_type":null,
    "init":{"total_ms":1190.2,"extension_init_ms":null,"runtime_init_ms":50.1,"function_init_ms":1140.1},
    "unprofiled":{"environment_id":"e","init":{"total_ms":1175.0,"extension_init_ms":null,"runtime_init_ms":49.0,"function_init_ms":1126.0}},
    "overhead_ms":15.2,"runtime_client":{"modules":34,"memory_mb":11.0},"imports_left_out":0,
    "imports":[
      {"parent":null,"depth":0,"kind":"python","name":"app","imported_by":null,"line":null,"thread":0,"total_ms":1140.0,"self_ms":12.0,"memory_mb":61.2,"error":null,"is_unfinished":false,"awaited_ms":null},
      {"parent":0,"depth":1,"kind":"python","name":"pandas","imported_by":"app.py","line":3,"thread":0,"total_ms":812.0,"self_ms":800.0,"memory_mb":40.0,"error":null,"is_unfinished":false,"awaited_ms":null},
      {"parent":1,"depth":2,"kind":"python","name":"a b;c\u001b[2J\u202e\n","imported_by":"pandas/__init__.py","line":9,"thread":0,"total_ms":12.0,"self_ms":12.0,"memory_mb":0.0,"error":"ImportError: \u001b]0;x\u0007","is_unfinished":false,"awaited_ms":null},
      {"parent":0,"depth":1,"kind":"python","name":"tiny","imported_by":"app.py","line":4,"thread":0,"total_ms":0.2,"self_ms":0.2,"memory_mb":-0.1,"error":null,"is_unfinished":false,"awaited_ms":null}],
    "notes":["memory is growth of resident memory"],
    "advice":"`pandas` is 71 % of function init (812 of 1,140 ms), imported by app.py:3"}"#;

fn printed(
    arguments: &[&str],
    answers: &'static [(&str, &str)],
) -> (String, Result<ExitCode, String>, Vec<String>) {
    let (client, server) = scripted(answers);
    let arguments = Arguments::try_parse_from([&["hearth", "flame", "resize"], arguments].concat()).unwrap();
    let Command::Flame(arguments) = arguments.command else { panic!("not `flame`") };
    let appearance = Appearance { width: 100, colour: false, terminal: false };
    let mut out = Vec::new();
    let result =
        block_on(run(&arguments, &client, appearance, &mut out)).map_err(|error| format!("{error:#}"));
    (String::from_utf8(out).unwrap(), result, server.join().unwrap())
}

#[test]
fn a_profile_is_a_tree_with_bars_and_hostile_names_stay_text() {
    let (text, result, asked) = printed(&["--qualifier", "live"], &[("200 OK", DOCUMENT)]);
    expect![[r#"
        resize $LATEST (python3.11, 512 MB): Init took 1190.2 ms (runtime init 50.1 ms, function init 1140.1 ms)
        without a profile another one took 1175.0 ms (runtime init 49.0 ms, function init 1126.0 ms): a difference of +15.2 ms

             total       self     memory
         1140.0 ms    12.0 ms   +61.2 MB  ████████████████████████ app
          812.0 ms   800.0 ms   +40.0 MB  █████████████████          pandas  (app.py:3)
           12.0 ms    12.0 ms    +0.0 MB                               a b;c�[2J��  (pandas/__init__.py:9)  failed: ImportError: �]0;x�
        (1 import of less than 1 % left out; --all shows all)
        before that, as runtime init: interpreter and runtime client, 50.1 ms, 34 modules, 11.0 MB
        note: memory is growth of resident memory

        `pandas` is 71 % of function init (812 of 1,140 ms), imported by app.py:3
    "#]].assert_eq(&text);
    assert_eq!(result, Ok(ExitCode::Success));
    assert_eq!(asked, ["POST /_hearth/functions/resize/flame?qualifier=live HTTP/1.1 {}"]);
}

#[test]
fn folded_stacks_have_a_line_for_each_import_that_took_time_by_itself() {
    let (text, _, asked) = printed(&["--last", "--output", "folded"], &[("200 OK", DOCUMENT)]);
    expect![[r#"
        resize;app 12000
        resize;app;pandas 800000
        resize;app;pandas;a_b_c�[2J�� 12000
        resize;app;tiny 200
    "#]]
    .assert_eq(&text);
    assert_eq!(asked, ["GET /_hearth/functions/resize/flame HTTP/1.1"]);
}

#[test]
fn what_a_runtime_of_the_functions_own_imports_is_refused_after_what_its_init_took() {
    let document = r#"{"is_current":true,"function_name":"resize","version":"$LATEST","runtime":"provided.al2023",
        "memory_size_mb":128,"status":"success","error_type":null,"unprofiled":null,"overhead_ms":null,"runtime_client":null,
        "init":{"total_ms":3.2,"extension_init_ms":null,"runtime_init_ms":null,"function_init_ms":null},
        "imports":null,"notes":[],"advice":"nobody knows"}"#;
    let (text, result, _) = printed(&[], Vec::leak(vec![("200 OK", document)]));
    expect![[r#"
        resize $LATEST (provided.al2023, 128 MB): Init took 3.2 ms
    "#]]
    .assert_eq(&text);
    assert_eq!(result, Err("cannot tell the imports of `resize`: nobody knows".to_owned()));
}
