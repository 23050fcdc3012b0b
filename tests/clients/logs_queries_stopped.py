"""Starts as many slow queries as there may be, and one more; stops them all; prints how that went."""

import json
import sys
import time

import boto3
from botocore.exceptions import ClientError

logs = boto3.client("logs")
GROUP = "/slow/app"
now = int(time.time() * 1000)
logs.create_log_group(logGroupName=GROUP)
logs.create_log_stream(logGroupName=GROUP, logStreamName="s")
for _ in range(10):
    events = [{"timestamp": now, "message": "a" * 60} for _ in range(10_000)]
    logs.put_log_events(logGroupName=GROUP, logStreamName="s", logEvents=events)
SLOW = {
    "logGroupName": GROUP,
    "startTime": now // 1000 - 60,
    "endTime": now // 1000 + 60,
    "queryString": "filter @message like /(a|aa)+(b|c|d)+$/ or @message like /(a|b)+(aa|c)+d$/ | stats count(*)",
}
started = [logs.start_query(**SLOW)["queryId"] for _ in range(30)]
try:
    logs.start_query(**SLOW)
    one_more = "no error"
except ClientError as error:
    one_more = error.response["Error"]["Code"]
waiting = logs.get_query_results(queryId=started[-1])


def stop(query):
    try:
        return logs.stop_query(queryId=query)["success"]
    except ClientError as error:
        return error.response["Error"]["Code"]


stopped = [stop(query) for query in reversed(started)]
statuses = {logs.get_query_results(queryId=query)["status"] for query in started}
again = stop(started[-1])
cancelled = logs.describe_queries(status="Cancelled")["queries"]
# There is room again.
quick = logs.start_query(**{**SLOW, "queryString": "stats count(*) as n"})["queryId"]
deadline = time.monotonic() + 120
while (answer := logs.get_query_results(queryId=quick))["status"] in ("Scheduled", "Running"):
    assert time.monotonic() < deadline
json.dump(
    {
        "one more": one_more,
        "while it waits": [waiting["status"] in ("Scheduled", "Running"), waiting["results"]],
        "most were stopped": stopped.count(True) > 20,
        "and say so": statuses - {"Complete"} == {"Cancelled"},
        "again": again,
        "described": len(cancelled) == stopped.count(True),
        "a query afterwards": [answer["status"], answer["results"]],
    },
    sys.stdout,
)
