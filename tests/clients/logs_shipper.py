"""What a log shipper does with boto3: a group and a stream of its own, batches of events, and reading them back."""

import json
import sys
import time

import boto3

logs = boto3.client("logs")
GROUP, STREAM = "/shipped/app", "host-1/app.log"
HOUR = 3_600_000
now = int(time.time() * 1000)
seen = {}


def put(events, **more):
    answer = logs.put_log_events(
        logGroupName=GROUP,
        logStreamName=STREAM,
        logEvents=[{"timestamp": at, "message": message} for at, message in events],
        **more,
    )
    assert len(answer["nextSequenceToken"]) == 56, answer
    return answer.get("rejectedLogEventsInfo", "all taken")


def messages(answer):
    return [event["message"] for event in answer["events"]]


def get(**arguments):
    return logs.get_log_events(logGroupName=GROUP, logStreamName=STREAM, **arguments)


logs.create_log_group(logGroupName=GROUP, tags={"team": "blue"})
logs.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
empty = logs.describe_log_streams(logGroupName=GROUP)["logStreams"][0]
seen["an empty stream"] = sorted(empty)

seen["a batch"] = put([(now - 3000 + at, f"line {at:04}") for at in range(2000)])
seen["another, with any sequence token"] = put([(now, "ü 日本語 \x00 \"quoted\"\n")], sequenceToken="whatever")
seen["out of time"] = put(
    [
        (now - 15 * 24 * HOUR, "too old"),
        (now - 20 * HOUR, "old"),
        (now, "now"),
        (now + 3 * HOUR, "too new"),
    ]
)

head = get(startFromHead=True, limit=1500)
rest = get(startFromHead=True, nextToken=head["nextForwardToken"])
end = get(startFromHead=True, nextToken=rest["nextForwardToken"])
seen["forwards"] = [len(page["events"]) for page in (head, rest, end)]
seen["the end repeats its token"] = end["nextForwardToken"] == rest["nextForwardToken"]
seen["the end"] = messages(rest)[-3:]
tail = get(limit=2)
seen["the last two"] = messages(tail)
before = get(limit=2, nextToken=tail["nextBackwardToken"])
seen["the two before"] = messages(before)
seen["forwards again"] = messages(get(limit=2, nextToken=before["nextForwardToken"])) == messages(tail)
put([(now, "later")])
seen["what came since"] = messages(get(nextToken=end["nextForwardToken"]))
seen["in time"] = messages(get(startFromHead=True, startTime=now - 3000, endTime=now - 2998))

one = logs.get_log_events(logGroupIdentifier=f"arn:aws:logs:us-east-1:000000000000:log-group:{GROUP}",
                          logStreamName=STREAM, limit=1)
event = one["events"][0]
seen["an event"] = {key: type(value).__name__ for key, value in sorted(event.items())}
seen["came now"] = abs(event["ingestionTime"] - now) < 60_000

found = logs.filter_log_events(logGroupName=GROUP, filterPattern='"line 0007"')
seen["found"] = messages(found)
seen["the event that was found"] = sorted(found["events"][0])
newest = logs.filter_log_events(logGroupName=GROUP, limit=2, startFromHead=False)
seen["newest first"] = messages(newest)
older = logs.filter_log_events(logGroupName=GROUP, limit=2, nextToken=newest["nextToken"])
seen["then"] = messages(older)

described = logs.describe_log_streams(logGroupName=GROUP)["logStreams"][0]
seen["the stream"] = {
    "first": described["firstEventTimestamp"] - now,
    "last": described["lastEventTimestamp"] - now,
    "arn": described["arn"],
    "storedBytes": described["storedBytes"],
}

arn = f"arn:aws:logs:us-east-1:000000000000:log-group:{GROUP}"
logs.tag_resource(resourceArn=arn, tags={"stage": "test"})
logs.untag_resource(resourceArn=arn, tagKeys=["team"])
seen["tags"] = logs.list_tags_for_resource(resourceArn=arn)["tags"]
# The older three, which name the group.
logs.tag_log_group(logGroupName=GROUP, tags={"stage": "production", "cost": "7"})
logs.untag_log_group(logGroupName=GROUP, tags=["stage", "none"])
seen["tags of the group"] = logs.list_tags_log_group(logGroupName=GROUP)["tags"]
try:
    logs.tag_resource(resourceArn=arn, tags={f"tag-{number}": "" for number in range(50)})
except logs.exceptions.TooManyTagsException as error:
    seen["51 tags"] = error.response["Error"]["Message"]

logs.put_retention_policy(logGroupName=GROUP, retentionInDays=1)
group = logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"][0]
seen["the group"] = {key: group[key] for key in ("retentionInDays", "arn", "logGroupArn", "logGroupClass")}
seen["it has bytes"] = group["storedBytes"] > 20_000
seen["expired"] = put([(now - 30 * HOUR, "expired"), (now, "kept")])
logs.delete_retention_policy(logGroupName=GROUP)
seen["kept for good"] = "retentionInDays" not in logs.describe_log_groups()["logGroups"][0]

logs.delete_log_stream(logGroupName=GROUP, logStreamName=STREAM)
seen["streams left"] = logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
seen["events left"] = logs.filter_log_events(logGroupName=GROUP)["events"]
logs.delete_log_group(logGroupName=GROUP)
seen["groups left"] = logs.describe_log_groups()["logGroups"]
json.dump(seen, sys.stdout)
