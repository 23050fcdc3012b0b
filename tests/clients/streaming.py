"""Reads with boto3 what the function streams, and prints what it saw. Argument: the function."""

import json
import socket
import sys

import boto3

client = boto3.client("lambda")
name = sys.argv[1]
seen = {}


def call(event, on_first=lambda: None, **arguments):
    answer = client.invoke_with_response_stream(FunctionName=name, Payload=json.dumps(event), **arguments)
    text, complete = b"", None
    for event in answer["EventStream"]:
        if "PayloadChunk" in event:
            if not text:
                on_first()
            text += event["PayloadChunk"]["Payload"]
        if "InvokeComplete" in event:
            complete = event["InvokeComplete"]
    return [answer["StatusCode"], answer["ExecutedVersion"], text.decode(), complete]


with socket.create_server(("127.0.0.1", 0)) as gate:

    def let_pass():
        waiting, _ = gate.accept()
        waiting.sendall(b"!")
        waiting.close()

    # The function waits at the gate until the first chunk is here.
    seen["first before last"] = call({"gate": gate.getsockname()[1]}, let_pass)

tail = call({}, LogType="Tail")
seen["with its log"] = tail[:3] + [sorted(tail[3]), len(tail[3]["LogResult"]) > 100]
seen["with a prelude"] = call({"http": True})


def with_error(event):
    status, version, text, complete = call(event)
    details = json.loads(complete["ErrorDetails"])
    return [status, text, complete["ErrorCode"], details["errorType"], details["errorMessage"]]


seen["fails in the middle"] = with_error({"late": True})
seen["fails before the first byte"] = with_error({"early": True})
seen["collected"] = client.invoke(FunctionName=name, Payload="{}")["Payload"].read().decode()
print(json.dumps(seen))
