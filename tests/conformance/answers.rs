//! Whole answers: every operation of a group, called with boto3 as it is meant to be called and in every way that is refused,
//! and all that comes back. What is expected stands in a file for each group.

use expect_test::{ExpectFile, expect_file};
use hearth_tests::{Server, Settings, run_python};

fn check(server: &Server, script: &str, arguments: &[&str], expected: &ExpectFile) {
    let seen = run_python(server, script, arguments).json();
    expected.assert_eq(&format!("{seen:#}\n"));
}

#[test]
fn reserved_and_provisioned_concurrency_answer_as_on_aws() {
    let server = Settings::new().without_walls().start();
    check(&server, "concurrency_answers.py", &[], &expect_file!["answers/concurrency.json"]);
}

#[test]
fn function_urls_answer_as_on_aws() {
    let server = Settings::new().without_walls().start();
    check(&server, "function_url_answers.py", &[], &expect_file!["answers/function_url.json"]);
}

#[test]
fn event_invoke_configs_answer_as_on_aws() {
    let server = Settings::new().without_walls().start();
    let expected = expect_file!["answers/event_invoke_config.json"];
    check(&server, "event_invoke_config_answers.py", &[], &expected);
}

#[test]
fn invocations_answer_as_on_aws() {
    let server = Server::start();
    let data_dir = server.data_dir().path().to_str().unwrap().to_owned();
    check(&server, "invoke_answers.py", &[&data_dir], &expect_file!["answers/invoke.json"]);
}

#[test]
fn tags_recursion_runtime_management_and_code_signing_answer_as_on_aws() {
    let server = Settings::new().without_walls().start();
    check(&server, "management_answers.py", &[], &expect_file!["answers/management.json"]);
}
