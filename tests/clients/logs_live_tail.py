"""Prints what boto3 sees in live tails: of a function that is called meanwhile, with filters, and of more than it takes.
Arguments: the function."""

import json
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

# The model puts `stream-` before the host, which need not resolve here.
logs = boto3.client("logs", config=Config(inject_host_prefix=False))
client = boto3.client("lambda")
function = sys.argv[1]
OF_FUNCTION, OF_APP = (
    f"arn:aws:logs:us-east-1:000000000000:log-group:{group}" for group in (f"/aws/lambda/{function}", "/live/app")
)
seen = {}


def tail(act, is_enough, **arguments):
    """Starts a live tail, does something as soon as it is there, and gathers updates until there are enough events."""
    stream = logs.start_live_tail(**arguments)["responseStream"]
    start, events, updates = None, [], []
    for message in stream:
        if "sessionStart" in message:
            start = message["sessionStart"]
            act()
        if "sessionUpdate" in message:
            updates.append(message["sessionUpdate"])
            events += updates[-1]["sessionResults"]
            if is_enough(events):
                break
    stream.close()
    return start, events, updates


def put(stream, *messages):
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": message} for message in messages]
    logs.put_log_events(logGroupName="/live/app", logStreamName=stream, logEvents=events)


def messages(events):
    return [event["message"] for event in events]


def failure(**arguments):
    try:
        logs.start_live_tail(**arguments)
        return "no error"
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"


def invoke():
    client.invoke(FunctionName=function, Payload=b'{"name": "live"}')


# What was before is not shown.
invoke()
start, events, updates = tail(
    invoke, lambda events: "REPORT" in "".join(messages(events)), logGroupIdentifiers=[OF_FUNCTION]
)
seen["a session"] = {key: value for key, value in start.items() if not key.endswith("Id")}
seen["its ids"] = [len(start["requestId"]), len(start["sessionId"])]
seen["a call"] = [message.split(" ")[0].strip() for message in messages(events)]
seen["an event"] = {key: type(value).__name__ for key, value in sorted(events[0].items())}
seen["of the group"] = {event["logGroupIdentifier"] for event in events} == {OF_FUNCTION}
seen["sampled"] = any(update["sessionMetadata"]["sampled"] for update in updates)

logs.create_log_group(logGroupName="/live/app")
for stream in ("one", "two", "other"):
    logs.create_log_stream(logGroupName="/live/app", logStreamName=stream)


def put_everywhere():
    for stream in ("one", "two", "other"):
        put(stream, f'{{"in":"{stream}"}}', "ERROR", "no error")


def one_second_more(count):
    """Enough when an update came after that many events, so that too many would be seen."""
    sizes = []

    def is_enough(events):
        sizes.append(len(events))
        return len(sizes) > 1 and sizes[-2] >= count

    return is_enough


app = {"logGroupIdentifiers": [OF_APP]}
_, events, updates = tail(put_everywhere, one_second_more(3), logEventFilterPattern="ERROR", **app)
seen["by a term"] = messages(events)
seen["then nothing"] = updates[-1]["sessionResults"]
_, events, _ = tail(put_everywhere, one_second_more(2), logStreamNames=["one", "two"], logEventFilterPattern="{ $.in = * }", **app)
seen["by JSON, of two streams"] = messages(events)
_, events, _ = tail(put_everywhere, one_second_more(4), logStreamNamePrefixes=["o"], logEventFilterPattern="-no", **app)
seen["by a prefix"] = [f"{event['logStreamName']} {event['message']}" for event in events]

# Of 4000 events in one second, 500 are sent.
start, events, updates = tail(lambda: put("one", *["x" * 20] * 4000), lambda events: events, **app)
full = next(update for update in updates if update["sessionResults"])
seen["of very many"] = [len(full["sessionResults"]), full["sessionMetadata"]["sampled"]]
_, events, _ = tail(put_everywhere, one_second_more(9), logGroupIdentifiers=[OF_APP, OF_FUNCTION])
seen["of two groups"] = len(events)

seen["failures"] = [
    failure(logGroupIdentifiers=["/live/app"]),
    failure(logGroupIdentifiers=[f"{OF_APP}:*"]),
    failure(logGroupIdentifiers=[f"{OF_APP}/none"]),
    failure(logStreamNames=["one"], logStreamNamePrefixes=["o"], **app),
    failure(logGroupIdentifiers=[OF_APP, OF_FUNCTION], logStreamNames=["one"]),
    failure(logEventFilterPattern="{", **app),
]
# As many sessions as there may be, and one more; a place is free again when its client is gone.
sessions = [logs.start_live_tail(**app)["responseStream"] for _ in range(16)]
seen["one too many"] = failure(**app)
for session in sessions:
    session.close()
deadline = time.monotonic() + 60
while (ended := failure(**app)) != "no error" and time.monotonic() < deadline:
    pass
seen["when they are gone"] = ended
json.dump(seen, sys.stdout)
