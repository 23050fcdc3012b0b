"""A live tail of boto3 as it comes: with `stream-` before the host, which resolves, and a signature that is checked."""

import json
import socket
import sys
import time

import boto3

resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: resolve(host.removeprefix("stream-"), *rest, **more)
logs = boto3.client("logs")
logs.create_log_group(logGroupName="/live/app")
logs.create_log_stream(logGroupName="/live/app", logStreamName="s")
answer = logs.start_live_tail(logGroupIdentifiers=["arn:aws:logs:us-east-1:000000000000:log-group:/live/app"])
for message in answer["responseStream"]:
    if "sessionStart" in message:
        event = {"timestamp": int(time.time() * 1000), "message": "signed"}
        logs.put_log_events(logGroupName="/live/app", logStreamName="s", logEvents=[event])
    elif results := message["sessionUpdate"]["sessionResults"]:
        break
json.dump([result["message"] for result in results], sys.stdout)
