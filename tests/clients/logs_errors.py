"""Prints what boto3 makes of calls to CloudWatch Logs that fail."""

import json
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

# Without boto3's own checks, which would refuse some of this before it is sent.
logs = boto3.client("logs", config=Config(parameter_validation=False))
now = int(time.time() * 1000)


def failure(operation, **arguments):
    """The exception that boto3 raises, as a program would catch it: a class of the client, or a plain ClientError."""
    try:
        getattr(logs, operation)(**arguments)
        return "no error"
    except ClientError as error:
        answer = error.response["ResponseMetadata"]
        assert answer["RequestId"] == answer["HTTPHeaders"]["x-amzn-requestid"], answer
        code = error.response["Error"]["Code"]
        modelled = isinstance(error, getattr(logs.exceptions, code, ()))
        assert modelled or type(error) is ClientError, type(error)
        raised = type(error).__name__ if modelled else f"ClientError({code})"
        return f"{answer['HTTPStatusCode']} {raised}: {error.response['Error']['Message']}"


def put(*events):
    return failure("put_log_events", logGroupName="g", logStreamName="s", logEvents=list(events))


def event(at, message):
    return {"timestamp": at, "message": message}


GROUP = {"logGroupName": "g"}
STREAM = {**GROUP, "logStreamName": "s"}
logs.create_log_group(**GROUP)
logs.create_log_stream(**STREAM)
logs.create_log_group(logGroupName="protected", deletionProtectionEnabled=True)

json.dump(
    {
        "a group that is there": failure("create_log_group", **GROUP),
        "a stream that is there": failure("create_log_stream", **STREAM),
        "a group that is not": failure("filter_log_events", logGroupName="none"),
        "a stream of a group that is not": failure("create_log_stream", logGroupName="none", logStreamName="s"),
        "a stream that is not": failure("get_log_events", **GROUP, logStreamName="none"),
        "a stream that is not, to filter": failure("filter_log_events", **GROUP, logStreamNames=["s", "none"]),
        "a stream that is not, to delete": failure("delete_log_stream", **GROUP, logStreamName="none"),
        "a stream that is not, to put to": failure(
            "put_log_events", **GROUP, logStreamName="none", logEvents=[event(now, "x")]
        ),
        "a group of another region": failure(
            "filter_log_events", logGroupIdentifier="arn:aws:logs:eu-west-1:000000000000:log-group:g"
        ),
        "a group that is not, to delete": failure("delete_log_group", logGroupName="none"),
        "a protected group": failure("delete_log_group", logGroupName="protected"),
        "no name": failure("create_log_group"),
        "an empty name": failure("create_log_group", logGroupName=""),
        "a wrong name": failure("create_log_group", logGroupName="a b:c"),
        "a long name": failure("create_log_group", logGroupName="x" * 513).replace("x" * 513, "<513>"),
        "a name of another type": failure("create_log_group", logGroupName=7),
        "a wrong name of a stream": failure("create_log_stream", **GROUP, logStreamName="a:b"),
        "a wrong class": failure("create_log_group", logGroupName="new", logGroupClass="GOLD"),
        "a key": failure("create_log_group", logGroupName="new", kmsKeyId="k"),
        "name and identifier": failure("get_log_events", **STREAM, logGroupIdentifier="g"),
        "neither name nor identifier": failure("get_log_events", logStreamName="s"),
        "a large limit": failure("filter_log_events", **GROUP, limit=10_001),
        "a small limit": failure("describe_log_groups", limit=0),
        "a page that is too large": failure("describe_log_groups", limit=51),
        "a negative time and a limit": failure("get_log_events", **STREAM, startTime=-1, limit=0),
        "a wrong token": failure("filter_log_events", **GROUP, nextToken="garbage"),
        "a wrong token of groups": failure("describe_log_groups", nextToken="garbage"),
        "a wrong token of streams": failure("describe_log_streams", **GROUP, nextToken="garbage"),
        "a wrong token of a stream": failure("get_log_events", **STREAM, nextToken="f/1/s"),
        "a token behind the end": failure(
            "get_log_events", **STREAM, nextToken="f/" + "1".zfill(28) + "9" * 15 + "/s"
        ),
        "prefix and pattern": failure("describe_log_groups", logGroupNamePrefix="a", logGroupNamePattern="b"),
        "a prefix by time": failure(
            "describe_log_streams", **GROUP, logStreamNamePrefix="a", orderBy="LastEventTime"
        ),
        "a wrong order": failure("describe_log_streams", **GROUP, orderBy="Size"),
        "names and a prefix": failure(
            "filter_log_events", **GROUP, logStreamNames=["s"], logStreamNamePrefix="s"
        ),
        "wrong names": failure("filter_log_events", **GROUP, logStreamNames=["a:b"]),
        "a wrong pattern": failure("filter_log_events", **GROUP, filterPattern='"open'),
        "a pattern for JSON that is none": failure("filter_log_events", **GROUP, filterPattern="{ $.a }"),
        "a wrong retention": failure("put_retention_policy", **GROUP, retentionInDays=2),
        "a retention of no group": failure("put_retention_policy", logGroupName="none", retentionInDays=1),
        "no events": put(),
        "events out of order": put(event(now, "a"), event(now - 1, "b")),
        "an event without a message": put(event(now, ""), {"timestamp": now}),
        "a batch of two days": put(event(now - 40 * 3_600_000, "a"), event(now, "b")),
        "a batch that is too large": put(event(now, "x" * 1_048_551)),
        "too many events": put(*[event(now, "x")] * 10_001)[-90:],
        "tags of no group": failure(
            "list_tags_for_resource", resourceArn="arn:aws:logs:us-east-1:000000000000:log-group:none"
        ),
        "wrong tags": failure("tag_log_group", **GROUP, tags={"a;b": "c"}),
        "an operation that is not there yet": failure(
            "put_metric_filter", **GROUP, filterName="f", filterPattern="", metricTransformations=[]
        ),
    },
    sys.stdout,
)
