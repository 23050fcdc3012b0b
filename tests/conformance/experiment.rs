//! The experiment of the article that Hearth was made from: three calls one after another, then two at once.

use expect_test::expect;
use hearth_tests::{Gate, NODE_WAIT, Server, needs_node, node, streams, transcript};
use serde_json::json;

#[test]
fn three_calls_share_an_environment_and_a_pair_at_once_makes_a_second_one() {
    if !needs_node() {
        return;
    }
    let server = Server::start();
    let source = format!(
        "{NODE_WAIT}
         console.log(\"out of handler\");
         export const handler = async (event) => {{
           console.log(\"in handler\");
           if (event.gate) await waitAt(event.gate);
           return \"done\";
         }};\n"
    );
    let function = server.create(node("experiment", &source));

    for _ in 0..3 {
        assert_eq!(function.invoke("{}").success(), "done");
        function.wait_until_all_are_ready();
    }
    let events = function.logs_with_reports(3);
    expect![[r#"
        INIT_START Runtime Version: nodejs:20.v<n>⇥Runtime Version ARN: arn:aws:lambda:us-east-1::runtime:<sha256>
        <time>⇥undefined⇥INFO⇥out of handler
        START RequestId: <id 1> Version: $LATEST
        <time>⇥<id 1>⇥INFO⇥in handler
        END RequestId: <id 1>
        REPORT RequestId: <id 1>⇥Duration: <ms> ms⇥Billed Duration: <n> ms⇥Memory Size: 128 MB⇥Max Memory Used: <n> MB⇥Init Duration: <ms> ms⇥
        START RequestId: <id 2> Version: $LATEST
        <time>⇥<id 2>⇥INFO⇥in handler
        END RequestId: <id 2>
        REPORT RequestId: <id 2>⇥Duration: <ms> ms⇥Billed Duration: <n> ms⇥Memory Size: 128 MB⇥Max Memory Used: <n> MB⇥
        START RequestId: <id 3> Version: $LATEST
        <time>⇥<id 3>⇥INFO⇥in handler
        END RequestId: <id 3>
        REPORT RequestId: <id 3>⇥Duration: <ms> ms⇥Billed Duration: <n> ms⇥Memory Size: 128 MB⇥Max Memory Used: <n> MB⇥
    "#]]
    .assert_eq(&transcript(&events));
    assert_eq!(streams(&events).len(), 1);

    let gate = Gate::new();
    let payload = json!({ "gate": gate.number() }).to_string();
    std::thread::scope(|scope| {
        let pair = [scope.spawn(|| function.invoke(&payload)), scope.spawn(|| function.invoke(&payload))];
        gate.wait_for(2);
        gate.open();
        for call in pair {
            assert_eq!(call.join().unwrap().success(), "done");
        }
    });
    let events = function.logs_with_reports(5);
    assert_eq!(streams(&events).len(), 2);
    let second: Vec<_> =
        events.iter().filter(|event| event.log_stream == streams(&events)[1]).cloned().collect();
    expect![[r#"
        INIT_START Runtime Version: nodejs:20.v<n>⇥Runtime Version ARN: arn:aws:lambda:us-east-1::runtime:<sha256>
        <time>⇥undefined⇥INFO⇥out of handler
        START RequestId: <id 1> Version: $LATEST
        <time>⇥<id 1>⇥INFO⇥in handler
        END RequestId: <id 1>
        REPORT RequestId: <id 1>⇥Duration: <ms> ms⇥Billed Duration: <n> ms⇥Memory Size: 128 MB⇥Max Memory Used: <n> MB⇥Init Duration: <ms> ms⇥
    "#]]
    .assert_eq(&transcript(&second));

    function.wait_until_all_are_ready();
    let ready = function.environments();
    let mut why_cold: Vec<&str> = ready.iter().map(|one| one["why_cold"].as_str().unwrap()).collect();
    why_cold.sort_unstable();
    assert_eq!(why_cold, ["all-busy", "first-invocation"]);

    // Both stay: another pair starts nothing.
    let gate = Gate::new();
    let payload = json!({ "gate": gate.number() }).to_string();
    std::thread::scope(|scope| {
        scope.spawn(|| function.invoke(&payload));
        scope.spawn(|| function.invoke(&payload));
        gate.wait_for(2);
        gate.open();
    });
    let events = function.logs_with_reports(7);
    assert_eq!(streams(&events).len(), 2, "{}", transcript(&events));
}
