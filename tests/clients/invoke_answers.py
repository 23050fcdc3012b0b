"""Every answer of Invoke, InvokeWithResponseStream and InvokeAsync, as boto3 gets them: status, headers, payload, log.
Among the refused calls are all errors of Invoke that Hearth can give. Argument: the server's data folder, in which a
package is damaged."""

import base64
import json
import pathlib
import re
import sys

from recorded import ARN, ELSEWHERE, ROLE, THEIRS, UUID, answer, client, create, headers, publish, until, zipped

data_dir = pathlib.Path(sys.argv[1])
SOURCE = """
import os
import time
def handler(event, context):
    if event == "fail":
        raise ValueError("as asked for")
    if event == "exit":
        os._exit(3)
    if event == "sleep":
        time.sleep(600)
    if event == "much":
        for number in range(2000):
            print(f"line {number:04} ...............")
    if event == "trace":
        return os.environ["_X_AMZN_TRACE_ID"]
    if event == "context":
        context = context.client_context
        return [context.custom, context.env]
    return [context.function_version, event]
"""
create("calls", SOURCE, Timeout=60)
create("slow", SOURCE, Timeout=2)
assert publish("calls", Description="1") == "1"
client.create_alias(FunctionName="calls", Name="live", FunctionVersion="1")
seen, refused = {}, {}


def meant():
    """The headers of the last answer, without what differs from run to run."""
    found = headers()
    # Hearth's own, which AWS does not send: only where the call was cold, and why is for another test.
    found.pop("x-hearth-cold-start", None)
    if "x-amzn-trace-id" in found:
        form = r"Root=1-[0-9a-f]{8}-[0-9a-f]{24};.*"
        assert re.fullmatch(form, found["x-amzn-trace-id"]), found
        found["x-amzn-trace-id"] = "<trace>"
    if "x-amz-log-result" in found:
        log = base64.b64decode(found["x-amz-log-result"])
        assert len(log) <= 4096, len(log)
        found["x-amz-log-result"] = words(log.decode())
    return found


def words(log):
    """The kinds of the lines of a log, each once in a row. A log that is cut begins in the middle of a line."""
    if len(log) == 4096:
        log = log.split("\n", 1)[1]
    log = re.sub(UUID.pattern, "<uuid>", log)
    kinds = [re.match(r"START|END|REPORT|line|\[ERROR\]|$|.*", line)[0] for line in log.splitlines()]
    return [kind for number, kind in enumerate(kinds) if number == 0 or kinds[number - 1] != kind]


def invoke(event=None, **arguments):
    """The answer, with its payload and its headers."""
    if event is not None:
        arguments["Payload"] = json.dumps(event)
    result = answer("invoke", **{"FunctionName": "calls", **arguments})
    ((what, body),) = result.items()
    if "Payload" not in body:
        return result
    payload = body["Payload"].read().decode()
    payload = re.sub(UUID.pattern, "<uuid>", payload)
    members = {name: body[name] for name in ("StatusCode", "ExecutedVersion", "FunctionError") if name in body}
    return {what: [members, payload, meant()]}


def stream(event, **arguments):
    result = answer(
        "invoke_with_response_stream", **{"FunctionName": "calls", "Payload": json.dumps(event), **arguments}
    )
    ((what, body),) = result.items()
    if "EventStream" not in body:
        return result
    events = []
    for event in body["EventStream"]:
        if "PayloadChunk" in event:
            events.append(["PayloadChunk", event["PayloadChunk"]["Payload"].decode()])
        else:
            complete = dict(event["InvokeComplete"])
            if "ErrorDetails" in complete:
                complete["ErrorDetails"] = re.sub(UUID.pattern, "<uuid>", complete["ErrorDetails"])
            if "LogResult" in complete:
                complete["LogResult"] = words(base64.b64decode(complete["LogResult"]).decode())
            events.append(["InvokeComplete", complete])
    wanted = ("StatusCode", "ExecutedVersion", "ResponseStreamContentType")
    members = {name: body[name] for name in wanted if name in body}
    return {what: [members, events, meant()]}


seen["plain"] = invoke({"a": 1})
seen["without a payload"] = invoke()
seen["with a log"] = invoke("log", LogType="Tail")
seen["without a log"] = invoke("log", LogType="None")
seen["with more than 4 KB of log"] = invoke("much", LogType="Tail")
seen["of a version"] = invoke(1, Qualifier="1")
seen["of an alias"] = invoke(1, FunctionName=ARN.format("calls:live"))
seen["of the latest version"] = invoke(1, Qualifier="$LATEST")
context = base64.b64encode(json.dumps({"custom": {"a": "b"}, "env": {"c": "d"}}).encode()).decode()
seen["with a client context"] = invoke("context", ClientContext=context)
seen["an exception"] = invoke("fail", LogType="Tail")
seen["an exit"] = invoke("exit")
seen["a time-out"] = invoke("sleep", FunctionName="slow")
seen["an event"] = invoke({"a": 1}, InvocationType="Event")
seen["an event asks for no log"] = invoke({"a": 1}, InvocationType="Event", LogType="Tail")
seen["a dry run"] = invoke({"a": 1}, InvocationType="DryRun")
seen["a dry run of an alias"] = invoke({"a": 1}, InvocationType="DryRun", Qualifier="live")
seen["a stream"] = stream({"a": 1})
seen["a stream with a log"] = stream("log", LogType="Tail", Qualifier="live")
seen["a stream of an exception"] = stream("fail")
seen["a stream of a time-out"] = stream("sleep", FunctionName="slow")
seen["a dry run of a stream"] = stream(1, InvocationType="DryRun")
seen["the old way"] = answer("invoke_async", FunctionName="calls", InvokeArgs=b"{}")
seen["the old way, and nothing"] = answer("invoke_async", FunctionName="calls", InvokeArgs=b"")


def with_headers(**more):
    """Sends these headers, too."""

    def change(params, **_):
        params["headers"].update(more)

    plain()
    client.meta.events.register("before-call.lambda", change, unique_id="with_headers")


def plain():
    client.meta.events.unregister("before-call.lambda", unique_id="with_headers")


big, bigger = b" " * 6_291_457, b" " * 1_048_577
ways = {
    "invoke": lambda **arguments: invoke(**arguments),
    "an event": lambda **arguments: invoke(InvocationType="Event", **arguments),
    "a dry run": lambda **arguments: invoke(InvocationType="DryRun", **arguments),
    "a stream": lambda Payload=b"1", **arguments: answer(
        "invoke_with_response_stream", **{"FunctionName": "calls", "Payload": Payload, **arguments}
    ),
}
for way, call in ways.items():
    for what, arguments in {
        "nobody": {"FunctionName": "nobody"},
        "nobody's latest version": {"FunctionName": "nobody", "Qualifier": "$LATEST"},
        "no version": {"Qualifier": "42"},
        "no alias": {"FunctionName": "calls:none"},
        "two qualifiers": {"FunctionName": "calls:1", "Qualifier": "live"},
        "no name": {"FunctionName": "a b"},
        "elsewhere": {"FunctionName": ELSEWHERE.format("calls")},
        "theirs": {"FunctionName": THEIRS.format("calls")},
        "no JSON": {"Payload": b"xyz"},
        "half of JSON": {"Payload": b'{"a": '},
        "no UTF-8": {"Payload": b'"\xff"'},
        "too much": {"Payload": bigger if way == "an event" else big},
        "a wrong log type": {"LogType": "Head"},
        "a wrong client context": {"ClientContext": "%"},
    }.items():
        refused[f"{way} of {what}"] = call(**arguments)
    with_headers(**{"Content-Type": "application/xml"})
    refused[f"{way} of XML"] = call(Payload=b"1")
    plain()
refused["a wrong invocation type"] = invoke(1, InvocationType="Later")
refused["an event of a stream"] = answer(
    "invoke_with_response_stream", FunctionName="calls", InvocationType="Event", Payload=b"1"
)
for what, arguments in {
    "nobody": {"FunctionName": "nobody"},
    "no name": {"FunctionName": "a b"},
    "elsewhere": {"FunctionName": ELSEWHERE.format("calls")},
    "no JSON": {"InvokeArgs": b"xyz"},
    "too much": {"InvokeArgs": bigger},
}.items():
    refused[f"the old way of {what}"] = answer(
        "invoke_async", **{"FunctionName": "calls", "InvokeArgs": b"{}", **arguments}
    )

# A loop.
trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"
for _ in range(16):
    with_headers(**{"X-Amzn-Trace-Id": trace})
    trace = json.loads(client.invoke(FunctionName="calls", Payload=b'"trace"')["Payload"].read())
with_headers(**{"X-Amzn-Trace-Id": trace})
for way in ("invoke", "a stream"):
    refused[f"{way} in a loop"] = ways[way](Payload=b"1")
plain()

# No concurrency.
client.put_function_concurrency(FunctionName="calls", ReservedConcurrentExecutions=0)
for way, call in ways.items():
    group = refused if way in ("invoke", "a stream") else seen
    group[f"{way} without concurrency"] = call(Payload=b"1")
client.delete_function_concurrency(FunctionName="calls")

# Code that is not what was deployed.
code = {"ZipFile": zipped("def handler(event, context): return 'damaged'\n")}
create("damaged", "def handler(event, context): return 'damaged'\n")
(file,) = [file for file in data_dir.glob("trees/*/app.py") if "'damaged'" in file.read_text()]
file.parent.chmod(0o755)
file.chmod(0o644)
file.write_text("def handler(event, context): return 'other'\n")
for way in ("invoke", "a stream"):
    refused[f"{way} of damaged code"] = ways[way](FunctionName="damaged", Payload=b"1")


# A function whose runtime is not on this host.
def failed(runtime):
    name = runtime.replace(".", "-")
    client.create_function(FunctionName=name, Runtime=runtime, Role=ROLE, Handler="app.handler", Code=code)

    def settled():
        configuration = client.get_function_configuration(FunctionName=name)
        return configuration if configuration["State"] != "Pending" else None

    return until(f"{runtime} is there or not", settled)


runtimes = ["python3.8", "python3.9", "python3.10", "python3.12", "python3.13", "python3.14"]
missing = next(found for found in map(failed, runtimes) if found["State"] == "Failed")
for way in ("invoke", "a stream"):
    refusal = ways[way](FunctionName=missing["FunctionName"], Payload=b"1")
    conflict = refusal["409 ResourceConflictException"]
    conflict["message"] = conflict["message"].replace(missing["StateReason"], "<its reason>")
    refused[f"{way} of a function that failed"] = refusal

seen["refused"] = refused
print(json.dumps(seen))
