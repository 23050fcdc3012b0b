"""Prints which of some events boto3 finds by which filter patterns, and what TestMetricFilter makes of them."""

import json
import sys
import time

import boto3
from botocore.exceptions import ClientError

logs = boto3.client("logs")
GROUP = "/filtered/app"
now = int(time.time() * 1000)
EVENTS = [
    "[ERROR] a time-out after 3000 ms",
    "WARN: disk is full",
    '{"level":"error","request":{"path":"/a","ms":12.5},"tags":["x","y"],"user":null}',
    '{"level":"info","request":{"path":"/b","ms":250},"odd.key":true}',
    '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534',
    '127.0.0.2 - ann [10/Oct/2000:13:25:16 -0700] "GET /ok.html HTTP/1.0" 200 90',
]
logs.create_log_group(logGroupName=GROUP)
logs.create_log_stream(logGroupName=GROUP, logStreamName="s")
logs.put_log_events(
    logGroupName=GROUP,
    logStreamName="s",
    logEvents=[{"timestamp": now + number, "message": message} for number, message in enumerate(EVENTS)],
)


def found(pattern):
    try:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, filterPattern=pattern)
        return [EVENTS.index(event["message"]) for page in pages for event in page["events"]]
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"


PATTERNS = [
    "",
    "?ERROR ?WARN",
    "-ERROR -WARN -GET",
    '%[0-9]{4} ms$%',
    '{ $.level = "err*" }',
    "{ $.request.ms > 100 && $.odd_key NOT EXISTS }",
    '{ $["odd.key"] IS TRUE || $.user IS NULL }',
    '{ $.tags[1] = "y" }',
    "{ $.request.path = %^/[ab]$% }",
    "[ip, id, user, time, request, status = 4*, bytes > 1000]",
    "[..., status = 2* || status = 4*, bytes]",
    "[ip, id, user = a*, ...]",
    "{ $.level = ",
    "%a% %b% %c%",
    "[a, b",
]
tested = logs.test_metric_filter(
    filterPattern="[ip, ..., request, status = 404, bytes]", logEventMessages=EVENTS
)["matches"]
seen = {
    "found": {pattern: found(pattern) for pattern in PATTERNS},
    "tested": [[match["eventNumber"], match["extractedValues"]] for match in tested],
    "newest first": [
        EVENTS.index(event["message"])
        for event in logs.filter_log_events(logGroupName=GROUP, filterPattern="{ $.level = * }", startFromHead=False)[
            "events"
        ]
    ],
}
json.dump(seen, sys.stdout)
