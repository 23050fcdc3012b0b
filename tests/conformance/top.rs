//! `hearth top` under a terminal with real traffic, and without one.

use hearth_tests::{Server, eventually, hearth, python, run_python};

fn server_with_traffic() -> Server {
    let server = Server::start();
    let function = server.create(python("busy-bee", "def handler(event, context): return event\n"));
    for _ in 0..3 {
        function.invoke("{}").success();
    }
    server.create(python("idler", "def handler(event, context): raise ValueError()\n")).invoke("{}");
    eventually("four calls are counted", || {
        let top = server.hearth("top");
        let calls = top["functions"].as_array().unwrap().iter().filter_map(|it| it["calls_today"].as_u64());
        (calls.sum::<u64>() == 4).then_some(())
    });
    server
}

#[test]
fn without_a_terminal_it_is_printed_once_as_text() {
    let server = server_with_traffic();
    for flags in [&["top"][..], &["top", "--once"]] {
        let text = hearth(Some(&server), flags).success();
        assert!(!text.contains('\u{1b}'), "{text}");
        let row = text.lines().find(|line| line.starts_with("busy-bee")).unwrap();
        assert!(row.contains(" 3  ") && row.contains(" MB") && row.contains("$0.0000"), "{text}");
        assert!(text.contains("estimate") && text.contains("first invocation"), "{text}");
    }
    let idler = server.hearth("top")["functions"][1].clone();
    assert_eq!((&idler["function_name"], &idler["errors_today"]), (&"idler".into(), &1.into()));
    assert!(idler["p99_ms"].as_f64() > Some(0.0) && idler["calls_per_s"].as_f64().is_some(), "{idler}");
}

#[test]
fn under_a_terminal_it_follows_what_happens_and_leaves_the_terminal_as_it_was() {
    let server = server_with_traffic();
    let binary = hearth_tests::hearth_binary();
    run_python(&server, "top.py", &[binary.to_str().unwrap(), &server.url(), "live"]).success();
}

#[test]
fn a_server_that_goes_away_is_said_to_and_one_that_comes_back_is_shown_again() {
    let server = server_with_traffic();
    let binary = hearth_tests::hearth_binary();
    run_python(&server, "top.py", &[binary.to_str().unwrap(), &server.url(), "gone"]).success();
}

#[test]
fn what_a_hostile_server_says_does_nothing_to_the_terminal_however_narrow_it_is() {
    let server = Server::start();
    let binary = hearth_tests::hearth_binary();
    run_python(&server, "top.py", &[binary.to_str().unwrap(), &server.url(), "hostile"]).success();
}
