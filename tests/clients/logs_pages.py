"""Prints what boto3's paginators see of many log groups, streams and events."""

import json
import sys
import time

import boto3

logs = boto3.client("logs")
now = int(time.time() * 1000)
for number in range(60):
    logs.create_log_group(logGroupName=f"many/{number:03}")
GROUP = "many/000"
for number in range(55):
    stream = f"stream-{number:03}"
    logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    if number % 2 == 0:
        # The later its name, the earlier its event.
        events = [{"timestamp": now - number, "message": f"{stream} {line}"} for line in range(100)]
        logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)


def pages(operation, key, **arguments):
    paginator = logs.get_paginator(operation)
    return [page[key] for page in paginator.paginate(**arguments)]


def summary(pages, name):
    """The sizes of pages, how many different things are on them, and the first and the last."""
    names = [one[name] for page in pages for one in page]
    ends = [names[0], names[-1]] if names else []
    return {"pages": [len(page) for page in pages], "different": len(set(names)), "ends": ends}


def groups(**arguments):
    return summary(pages("describe_log_groups", "logGroups", **arguments), "logGroupName")


def streams(**arguments):
    return summary(pages("describe_log_streams", "logStreams", logGroupName=GROUP, **arguments), "logStreamName")


def events(**arguments):
    found = pages("filter_log_events", "events", logGroupName=GROUP, **arguments)
    all_events = [event for page in found for event in page]
    return {
        "pages": [len(page) for page in found],
        "different": len({event["eventId"] for event in all_events}),
        "streams": len({event["logStreamName"] for event in all_events}),
    }


def names_of_groups(pattern, limit):
    """ListLogGroups has no paginator."""
    found, token = [], {}
    while True:
        page = logs.list_log_groups(logGroupNamePattern=pattern, limit=limit, **token)
        found.append(page["logGroups"])
        if "nextToken" not in page:
            return summary(found, "logGroupArn")
        token = {"nextToken": page["nextToken"]}


json.dump(
    {
        "all groups": groups(),
        "groups by prefix, 7 on a page": groups(logGroupNamePrefix="many/01", PaginationConfig={"PageSize": 7}),
        "groups by pattern": groups(logGroupNamePattern="y/00"),
        "names of groups": names_of_groups("^many", 40),
        "no groups": groups(logGroupNamePrefix="none"),
        "all streams": streams(),
        "streams backwards": streams(descending=True),
        "streams by time": streams(orderBy="LastEventTime", descending=True, PaginationConfig={"PageSize": 20}),
        "streams by prefix": streams(logStreamNamePrefix="stream-01"),
        "all events, 1000 on a page": events(PaginationConfig={"PageSize": 1000}),
        "events of two streams": events(logStreamNames=["stream-000", "stream-010"], interleaved=True),
        "events of streams by prefix": events(logStreamNamePrefix="stream-01"),
        "events that match": events(filterPattern='?"stream-000 7" ?"stream-002 7" -"stream-002 71"'),
        "events of a moment": events(startTime=now - 10, endTime=now - 8),
    },
    sys.stdout,
)
