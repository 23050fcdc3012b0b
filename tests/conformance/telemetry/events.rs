//! Every event of the Telemetry API, exactly: members, their order, their types.

use expect_test::expect;
use hearth_tests::{
    Call, NewFunction, Server, Subscriber, TELEMETRY_API, python, redacted, scripted, settled,
};
use regex_lite::Regex;
use serde_json::{Value, json};

use super::agreement::check_agreement;

/// Tells each step, and does what its event says.
const SOURCE: &str = "
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: os.write(1, b'the end\\n'))
print('loaded')
def handler(event, context):
    print('called')
    if event.get('do') == 'raise': raise ValueError('mine')
    if event.get('do') == 'hang': time.sleep(60)
    if event.get('do') == 'crash': os._exit(3)
    return event
";

/// Begins an Init that fails: goes on once the extension has subscribed, and counts the Inits of the environment.
const FAILING_INIT: &str = "
import os, pathlib, tempfile, time
counted = pathlib.Path(tempfile.gettempdir(), 'inits')
inits = int(counted.read_text()) + 1 if counted.exists() else 1
counted.write_text(str(inits))
received = pathlib.Path(os.environ['RECEIVED'])
while not received.exists() or received.read_text().count('platform.telemetrySubscription') < inits:
    time.sleep(0.005)
";

fn body(types: &[&str]) -> Value {
    Subscriber::body("2022-12-13", types)
}

#[test]
fn a_life_without_trouble() {
    let server = Server::start();
    let subscriber = Subscriber::new();
    let last = json!({ "received": "the end" });
    let program = subscriber.program(TELEMETRY_API, &body(&["platform", "function"]), &[last]);
    let layer = server.publish_extensions(&[("agent", program)]);
    let function = server.create(python("told", SOURCE).whole_cpu().with("Layers", json!([layer])));
    function.invoke("{}").success();
    subscriber.until(1, "platform.report");
    let trace = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1";
    let headers = [("X-Amzn-Trace-Id", trace)];
    function.call(&Call { headers: &headers, payload: b"{}", ..Call::default() }).success();
    check_agreement(&function, &subscriber.until(2, "platform.report"));
    function.delete();
    let events = subscriber.until_enough("the end", |events| events.iter().any(|it| it.contains("the end")));
    expect![[r#"
        {"time":<time>,"type":"platform.initStart","record":{"initializationType":"on-demand","phase":"init","runtimeVersion":"python:3.11.v<n>","runtimeVersionArn":"arn:aws:lambda:us-east-1::runtime:<sha256>","functionName":"told","functionVersion":"$LATEST","instanceId":"<stream>","instanceMaxMemory":1854930944}}
        {"time":<time>,"type":"platform.telemetrySubscription","record":{"name":"agent","state":"Subscribed","types":["platform","function"]}}
        {"time":<time>,"type":"function","record":"loaded\n"}
        {"time":<time>,"type":"platform.initRuntimeDone","record":{"initializationType":"on-demand","phase":"init","status":"success"}}
        {"time":<time>,"type":"platform.extension","record":{"name":"agent","state":"Ready","events":["INVOKE","SHUTDOWN"]}}
        {"time":<time>,"type":"platform.initReport","record":{"initializationType":"on-demand","phase":"init","status":"success","metrics":{"durationMs":<ms>}}}
        {"time":<time>,"type":"platform.start","record":{"requestId":"<id 1>","version":"$LATEST"}}
        {"time":<time>,"type":"function","record":"called\n"}
        {"time":<time>,"type":"platform.runtimeDone","record":{"requestId":"<id 1>","status":"success","metrics":{"durationMs":<ms>,"producedBytes":2},"spans":[{"name":"responseLatency","start":<time>,"durationMs":<ms>},{"name":"responseDuration","start":<time>,"durationMs":<ms>},{"name":"runtimeOverhead","start":<time>,"durationMs":<ms>}]}}
        {"time":<time>,"type":"platform.report","record":{"requestId":"<id 1>","status":"success","metrics":{"durationMs":<ms>,"billedDurationMs":<n>,"memorySizeMB":1769,"maxMemoryUsedMB":<n>,"initDurationMs":<ms>},"spans":[{"name":"extensionOverhead","start":<time>,"durationMs":<ms>}]}}
        {"time":<time>,"type":"platform.start","record":{"requestId":"<id 2>","version":"$LATEST","tracing":{"spanId":<span>,"type":"X-Amzn-Trace-Id","value":"Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1;Lineage=65357e8d:1"}}}
        {"time":<time>,"type":"function","record":"called\n"}
        {"time":<time>,"type":"platform.runtimeDone","record":{"requestId":"<id 2>","status":"success","metrics":{"durationMs":<ms>,"producedBytes":2},"spans":[{"name":"responseLatency","start":<time>,"durationMs":<ms>},{"name":"responseDuration","start":<time>,"durationMs":<ms>},{"name":"runtimeOverhead","start":<time>,"durationMs":<ms>}],"tracing":{"spanId":<span>,"type":"X-Amzn-Trace-Id","value":"Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1;Lineage=65357e8d:1"}}}
        {"time":<time>,"type":"platform.report","record":{"requestId":"<id 2>","status":"success","metrics":{"durationMs":<ms>,"billedDurationMs":<n>,"memorySizeMB":1769,"maxMemoryUsedMB":<n>},"spans":[{"name":"extensionOverhead","start":<time>,"durationMs":<ms>}],"tracing":{"spanId":<span>,"type":"X-Amzn-Trace-Id","value":"Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1;Lineage=65357e8d:1"}}}
        {"time":<time>,"type":"function","record":"the end\n"}
    "#]].assert_eq(&redacted(&settled(&events)));
}

#[test]
fn calls_that_end_badly() {
    let server = Server::start();
    let subscriber = Subscriber::new();
    let program = subscriber.program(TELEMETRY_API, &body(&["platform"]), &[]);
    let layer = server.publish_extensions(&[("agent", program)]);
    let function =
        server.create(python("failing", SOURCE).whole_cpu().timeout(1).with("Layers", json!([layer])));
    for (at, what) in ["raise", "hang", "crash", "nothing"].iter().enumerate() {
        function.invoke(json!({ "do": what }).to_string());
        subscriber.until(at + 1, "platform.report");
    }
    let mut events = subscriber.events();
    check_agreement(&function, &events);
    // The stack of the error names the folder of this test.
    let raised = events.iter_mut().find(|event| event.contains("Runtime.Unknown")).unwrap();
    let bytes = Regex::new(r#""producedBytes":[0-9]{3}}"#).unwrap();
    *raised = bytes.replace(raised, r#""producedBytes":<n>}"#).into_owned();
    expect![[r#"
        {"time":<time>,"type":"platform.initStart","record":{"initializationType":"on-demand","phase":"init","runtimeVersion":"python:3.11.v<n>","runtimeVersionArn":"arn:aws:lambda:us-east-1::runtime:<sha256>","functionName":"failing","functionVersion":"$LATEST","instanceId":"<stream>","instanceMaxMemory":1854930944}}
        {"time":<time>,"type":"platform.telemetrySubscription","record":{"name":"agent","state":"Subscribed","types":["platform"]}}
        {"time":<time>,"type":"platform.initRuntimeDone","record":{"initializationType":"on-demand","phase":"init","status":"success"}}
        {"time":<time>,"type":"platform.extension","record":{"name":"agent","state":"Ready","events":["INVOKE","SHUTDOWN"]}}
        {"time":<time>,"type":"platform.initReport","record":{"initializationType":"on-demand","phase":"init","status":"success","metrics":{"durationMs":<ms>}}}
        {"time":<time>,"type":"platform.start","record":{"requestId":"<id 1>","version":"$LATEST"}}
        {"time":<time>,"type":"platform.runtimeDone","record":{"requestId":"<id 1>","status":"error","errorType":"Runtime.Unknown","metrics":{"durationMs":<ms>,"producedBytes":<n>},"spans":[{"name":"responseLatency","start":<time>,"durationMs":<ms>},{"name":"responseDuration","start":<time>,"durationMs":<ms>},{"name":"runtimeOverhead","start":<time>,"durationMs":<ms>}]}}
        {"time":<time>,"type":"platform.report","record":{"requestId":"<id 1>","status":"error","errorType":"Runtime.Unknown","metrics":{"durationMs":<ms>,"billedDurationMs":<n>,"memorySizeMB":1769,"maxMemoryUsedMB":<n>,"initDurationMs":<ms>},"spans":[{"name":"extensionOverhead","start":<time>,"durationMs":<ms>}]}}
        {"time":<time>,"type":"platform.start","record":{"requestId":"<id 2>","version":"$LATEST"}}
        {"time":<time>,"type":"platform.runtimeDone","record":{"requestId":"<id 2>","status":"timeout"}}
        {"time":<time>,"type":"platform.report","record":{"requestId":"<id 2>","status":"timeout","metrics":{"durationMs":<ms>,"billedDurationMs":<n>,"memorySizeMB":1769,"maxMemoryUsedMB":<n>},"spans":[{"name":"extensionOverhead","start":<time>,"durationMs":<ms>}]}}
        {"time":<time>,"type":"platform.initStart","record":{"initializationType":"on-demand","phase":"invoke","runtimeVersion":"python:3.11.v<n>","runtimeVersionArn":"arn:aws:lambda:us-east-1::runtime:<sha256>","functionName":"failing","functionVersion":"$LATEST","instanceId":"<stream>","instanceMaxMemory":1854930944}}
        {"time":<time>,"type":"platform.telemetrySubscription","record":{"name":"agent","state":"Subscribed","types":["platform"]}}
        {"time":<time>,"type":"platform.initRuntimeDone","record":{"initializationType":"on-demand","phase":"invoke","status":"success"}}
        {"time":<time>,"type":"platform.extension","record":{"name":"agent","state":"Ready","events":["INVOKE","SHUTDOWN"]}}
        {"time":<time>,"type":"platform.initReport","record":{"initializationType":"on-demand","phase":"invoke","status":"success","metrics":{"durationMs":<ms>}}}
        {"time":<time>,"type":"platform.start","record":{"requestId":"<id 3>","version":"$LATEST"}}
        {"time":<time>,"type":"platform.runtimeDone","record":{"requestId":"<id 3>","status":"error","errorType":"Runtime.ExitError"}}
        {"time":<time>,"type":"platform.report","record":{"requestId":"<id 3>","status":"error","errorType":"Runtime.ExitError","metrics":{"durationMs":<ms>,"billedDurationMs":<n>,"memorySizeMB":1769,"maxMemoryUsedMB":<n>},"spans":[{"name":"extensionOverhead","start":<time>,"durationMs":<ms>}]}}
        {"time":<time>,"type":"platform.initStart","record":{"initializationType":"on-demand","phase":"invoke","runtimeVersion":"python:3.11.v<n>","runtimeVersionArn":"arn:aws:lambda:us-east-1::runtime:<sha256>","functionName":"failing","functionVersion":"$LATEST","instanceId":"<stream>","instanceMaxMemory":1854930944}}
        {"time":<time>,"type":"platform.telemetrySubscription","record":{"name":"agent","state":"Subscribed","types":["platform"]}}
        {"time":<time>,"type":"platform.initRuntimeDone","record":{"initializationType":"on-demand","phase":"invoke","status":"success"}}
        {"time":<time>,"type":"platform.extension","record":{"name":"agent","state":"Ready","events":["INVOKE","SHUTDOWN"]}}
        {"time":<time>,"type":"platform.initReport","record":{"initializationType":"on-demand","phase":"invoke","status":"success","metrics":{"durationMs":<ms>}}}
        {"time":<time>,"type":"platform.start","record":{"requestId":"<id 4>","version":"$LATEST"}}
        {"time":<time>,"type":"platform.runtimeDone","record":{"requestId":"<id 4>","status":"success","metrics":{"durationMs":<ms>,"producedBytes":17},"spans":[{"name":"responseLatency","start":<time>,"durationMs":<ms>},{"name":"responseDuration","start":<time>,"durationMs":<ms>},{"name":"runtimeOverhead","start":<time>,"durationMs":<ms>}]}}
        {"time":<time>,"type":"platform.report","record":{"requestId":"<id 4>","status":"success","metrics":{"durationMs":<ms>,"billedDurationMs":<n>,"memorySizeMB":1769,"maxMemoryUsedMB":<n>},"spans":[{"name":"extensionOverhead","start":<time>,"durationMs":<ms>}]}}
    "#]].assert_eq(&redacted(&settled(&events)));
}

/// A function whose Init ends as `source` does, and a subscriber.
fn with_failing_init(server: &Server, subscriber: &Subscriber, source: &str) -> NewFunction {
    let last = json!({ "received": "platform.initReport" });
    let program = subscriber.program(TELEMETRY_API, &body(&["platform"]), &[last]);
    let layer = server.publish_extensions(&[("agent", program)]);
    let variables = json!({ "Variables": { "RECEIVED": subscriber.file() } });
    python("failing", &format!("{FAILING_INIT}{source}"))
        .whole_cpu()
        .with("Environment", variables)
        .with("Layers", json!([layer]))
}

#[test]
fn an_init_that_fails_and_is_repeated_within_the_call() {
    let server = Server::start();
    let subscriber = Subscriber::new();
    // The Init fails when the extension has subscribed in it, not before.
    let source = format!(
        "
import time
def received():
    try:
        return open('{}').read()
    except OSError:
        return ''
while (text := received()).count('telemetrySubscription') <= text.count('initReport'):
    time.sleep(0.001)
import no_such_module
",
        subscriber.file()
    );
    let function = server.create(with_failing_init(&server, &subscriber, &source));
    assert!(function.invoke("{}").function_error().contains("Runtime.ImportModuleError"));
    let events = subscriber.until(1, "platform.report");
    check_agreement(&function, &events);
    expect![[r#"
        {"time":<time>,"type":"platform.initStart","record":{"initializationType":"on-demand","phase":"init","runtimeVersion":"python:3.11.v<n>","runtimeVersionArn":"arn:aws:lambda:us-east-1::runtime:<sha256>","functionName":"failing","functionVersion":"$LATEST","instanceId":"<stream>","instanceMaxMemory":1854930944}}
        {"time":<time>,"type":"platform.telemetrySubscription","record":{"name":"agent","state":"Subscribed","types":["platform"]}}
        {"time":<time>,"type":"platform.initRuntimeDone","record":{"initializationType":"on-demand","phase":"init","status":"error","errorType":"Runtime.ImportModuleError"}}
        {"time":<time>,"type":"platform.extension","record":{"name":"agent","state":"Ready","events":["INVOKE","SHUTDOWN"]}}
        {"time":<time>,"type":"platform.initReport","record":{"initializationType":"on-demand","phase":"init","status":"error","errorType":"Runtime.ImportModuleError","metrics":{"durationMs":<ms>}}}
        {"time":<time>,"type":"platform.initStart","record":{"initializationType":"on-demand","phase":"invoke","runtimeVersion":"python:3.11.v<n>","runtimeVersionArn":"arn:aws:lambda:us-east-1::runtime:<sha256>","functionName":"failing","functionVersion":"$LATEST","instanceId":"<stream>","instanceMaxMemory":1854930944}}
        {"time":<time>,"type":"platform.telemetrySubscription","record":{"name":"agent","state":"Subscribed","types":["platform"]}}
        {"time":<time>,"type":"platform.initRuntimeDone","record":{"initializationType":"on-demand","phase":"invoke","status":"error","errorType":"Runtime.ImportModuleError"}}
        {"time":<time>,"type":"platform.extension","record":{"name":"agent","state":"Ready","events":["INVOKE","SHUTDOWN"]}}
        {"time":<time>,"type":"platform.initReport","record":{"initializationType":"on-demand","phase":"invoke","status":"error","errorType":"Runtime.ImportModuleError","metrics":{"durationMs":<ms>}}}
        {"time":<time>,"type":"platform.start","record":{"requestId":"<id 1>","version":"$LATEST"}}
        {"time":<time>,"type":"platform.runtimeDone","record":{"requestId":"<id 1>","status":"error","errorType":"Runtime.ImportModuleError"}}
        {"time":<time>,"type":"platform.report","record":{"requestId":"<id 1>","status":"error","errorType":"Runtime.ImportModuleError","metrics":{"durationMs":<ms>,"billedDurationMs":<n>,"memorySizeMB":1769,"maxMemoryUsedMB":<n>},"spans":[{"name":"extensionOverhead","start":<time>,"durationMs":<ms>}]}}
    "#]].assert_eq(&redacted(&settled(&events)));
}

#[test]
fn an_init_that_crashes_and_then_runs_into_the_time_out_of_the_call() {
    let server = Server::start();
    let subscriber = Subscriber::new();
    let source = "time.sleep(60) if inits > 1 else os._exit(3)\n";
    let function = server.create(with_failing_init(&server, &subscriber, source).timeout(1));
    assert!(function.invoke("{}").function_error().contains("Sandbox.Timedout"));
    let events = subscriber.until(1, "platform.report");
    check_agreement(&function, &events);
    expect![[r#"
        {"time":<time>,"type":"platform.initStart","record":{"initializationType":"on-demand","phase":"init","runtimeVersion":"python:3.11.v<n>","runtimeVersionArn":"arn:aws:lambda:us-east-1::runtime:<sha256>","functionName":"failing","functionVersion":"$LATEST","instanceId":"<stream>","instanceMaxMemory":1854930944}}
        {"time":<time>,"type":"platform.telemetrySubscription","record":{"name":"agent","state":"Subscribed","types":["platform"]}}
        {"time":<time>,"type":"platform.initRuntimeDone","record":{"initializationType":"on-demand","phase":"init","status":"error","errorType":"Runtime.ExitError"}}
        {"time":<time>,"type":"platform.extension","record":{"name":"agent","state":"Ready","events":["INVOKE","SHUTDOWN"]}}
        {"time":<time>,"type":"platform.initReport","record":{"initializationType":"on-demand","phase":"init","status":"error","errorType":"Runtime.ExitError","metrics":{"durationMs":<ms>}}}
        {"time":<time>,"type":"platform.initStart","record":{"initializationType":"on-demand","phase":"invoke","runtimeVersion":"python:3.11.v<n>","runtimeVersionArn":"arn:aws:lambda:us-east-1::runtime:<sha256>","functionName":"failing","functionVersion":"$LATEST","instanceId":"<stream>","instanceMaxMemory":1854930944}}
        {"time":<time>,"type":"platform.telemetrySubscription","record":{"name":"agent","state":"Subscribed","types":["platform"]}}
        {"time":<time>,"type":"platform.initRuntimeDone","record":{"initializationType":"on-demand","phase":"invoke","status":"timeout","errorType":"Runtime.Unknown"}}
        {"time":<time>,"type":"platform.extension","record":{"name":"agent","state":"Ready","events":["INVOKE","SHUTDOWN"]}}
        {"time":<time>,"type":"platform.initReport","record":{"initializationType":"on-demand","phase":"invoke","status":"timeout","errorType":"Runtime.Unknown","metrics":{"durationMs":<ms>}}}
        {"time":<time>,"type":"platform.start","record":{"requestId":"<id 1>","version":"$LATEST"}}
        {"time":<time>,"type":"platform.runtimeDone","record":{"requestId":"<id 1>","status":"timeout"}}
        {"time":<time>,"type":"platform.report","record":{"requestId":"<id 1>","status":"timeout","metrics":{"durationMs":<ms>,"billedDurationMs":<n>,"memorySizeMB":1769,"maxMemoryUsedMB":<n>},"spans":[{"name":"extensionOverhead","start":<time>,"durationMs":<ms>}]}}
    "#]].assert_eq(&redacted(&settled(&events)));
}

#[test]
fn an_extension_that_crashes_during_a_call() {
    let server = Server::start();
    let subscriber = Subscriber::new();
    let program = subscriber.program(TELEMETRY_API, &body(&["platform"]), &[]);
    let crashing = scripted(&json!([{ "register": ["INVOKE"] }, { "next": 1 }, { "exit": 1 }]));
    let layer = server.publish_extensions(&[("agent", program), ("bad", crashing)]);
    let function = server.create(python("harmed", SOURCE).whole_cpu().with("Layers", json!([layer])));
    assert!(function.invoke(r#"{ "do": "hang" }"#).function_error().contains("Extension.Crash"));
    let events = subscriber.until(1, "platform.report");
    check_agreement(&function, &events);
    expect![[r#"
        {"time":<time>,"type":"platform.initStart","record":{"initializationType":"on-demand","phase":"init","runtimeVersion":"python:3.11.v<n>","runtimeVersionArn":"arn:aws:lambda:us-east-1::runtime:<sha256>","functionName":"harmed","functionVersion":"$LATEST","instanceId":"<stream>","instanceMaxMemory":1854930944}}
        {"time":<time>,"type":"platform.telemetrySubscription","record":{"name":"agent","state":"Subscribed","types":["platform"]}}
        {"time":<time>,"type":"platform.initRuntimeDone","record":{"initializationType":"on-demand","phase":"init","status":"success"}}
        {"time":<time>,"type":"platform.extension","record":{"name":"agent","state":"Ready","events":["INVOKE","SHUTDOWN"]}}
        {"time":<time>,"type":"platform.extension","record":{"name":"bad","state":"Ready","events":["INVOKE"]}}
        {"time":<time>,"type":"platform.initReport","record":{"initializationType":"on-demand","phase":"init","status":"success","metrics":{"durationMs":<ms>}}}
        {"time":<time>,"type":"platform.start","record":{"requestId":"<id 1>","version":"$LATEST"}}
        {"time":<time>,"type":"platform.runtimeDone","record":{"requestId":"<id 1>","status":"error","errorType":"Extension.Crash"}}
        {"time":<time>,"type":"platform.report","record":{"requestId":"<id 1>","status":"error","errorType":"Extension.Crash","metrics":{"durationMs":<ms>,"billedDurationMs":<n>,"memorySizeMB":1769,"maxMemoryUsedMB":<n>,"initDurationMs":<ms>},"spans":[{"name":"extensionOverhead","start":<time>,"durationMs":<ms>}]}}
    "#]].assert_eq(&redacted(&settled(&events)));
}
