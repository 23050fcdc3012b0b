"""Reads with boto3 what the function streams, and prints what it saw. Arguments: the function; a gate that it waits at; a
file to make as soon as the first byte is here."""

import json
import pathlib
import sys

import boto3

client = boto3.client("lambda")
name, gate, first = sys.argv[1:4]
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


seen["first before last"] = call({"gate": int(gate)}, pathlib.Path(first).touch)
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
