"""Every answer of the operations on event invoke configs, as boto3 gets them."""

import json

from recorded import ARN, ELSEWHERE, THEIRS, answer, client, create, pages

create("events", "def handler(event, context): return 1\n", Publish=True)
create("listener", "def handler(event, context): return 1\n")
client.create_alias(FunctionName="events", Name="live", FunctionVersion="1")

QUEUE, TOPIC = "arn:aws:sqs:us-east-1:000000000000:q", "arn:aws:sns:us-east-1:000000000000:t"
BUS, BUCKET = "arn:aws:events:us-east-1:000000000000:event-bus/b", "arn:aws:s3:::bucket"
seen, refused = {}, {}
put, get, post, delete = (f"{verb}_function_event_invoke_config" for verb in ("put", "get", "update", "delete"))
listing = "list_function_event_invoke_configs"
latest = {"FunctionName": "events"}


def to(success=None, failure=None):
    named = {"OnSuccess": success, "OnFailure": failure}
    return {"DestinationConfig": {kind: {"Destination": arn} for kind, arn in named.items() if arn is not None}}


seen["none"] = answer(get, **latest)
seen["none to update"] = answer(post, **latest, MaximumRetryAttempts=1)
seen["none to delete"] = answer(delete, **latest)
seen["none to list"] = answer(listing, **latest)
seen["put"] = answer(put, **latest, MaximumRetryAttempts=0)
seen["put of all"] = answer(
    put, **latest, MaximumRetryAttempts=2, MaximumEventAgeInSeconds=21600, **to(ARN.format("listener"), QUEUE)
)
seen["get"] = answer(get, **latest)
seen["get by its qualifier"] = answer(get, **latest, Qualifier="$LATEST") == seen["get"]
seen["update"] = answer(post, **latest, MaximumEventAgeInSeconds=60)
seen["update of a destination"] = answer(post, **latest, **to(failure=BUCKET))
seen["a destination taken away"] = answer(post, **latest, **to(success=""))
seen["put replaces"] = answer(put, **latest, **to(BUS, TOPIC))
seen["put of a version"] = answer(put, **latest, Qualifier="1", MaximumEventAgeInSeconds=100)
seen["put of an alias"] = answer(put, FunctionName=ARN.format("events:live"), MaximumRetryAttempts=1)
seen["list"] = answer(listing, **latest)
seen["pages"] = [
    [config["FunctionArn"] for config in page]
    for page in pages(listing, "FunctionEventInvokeConfigs", 1, **latest)
]
seen["delete"] = answer(delete, **latest)
seen["delete again"] = answer(delete, **latest)
seen["afterwards"] = answer(get, **latest)
seen["of an alias, afterwards"] = answer(get, **latest, Qualifier="live")

for verb, more in {put: {"MaximumRetryAttempts": 1}, post: {"MaximumRetryAttempts": 1}, get: {}, delete: {}}.items():
    for what, target in {
        "nobody": {"FunctionName": "nobody"},
        "no version": {"FunctionName": "events", "Qualifier": "42"},
        "no alias": {"FunctionName": "events", "Qualifier": "none"},
        "two qualifiers": {"FunctionName": "events:1", "Qualifier": "live"},
        "no qualifier that could be": {"FunctionName": "events", "Qualifier": "a b"},
        "elsewhere": {"FunctionName": ELSEWHERE.format("events")},
        "theirs": {"FunctionName": THEIRS.format("events")},
    }.items():
        refused[f"{verb} of {what}"] = answer(verb, **target, **more)
wrong = {
    "nothing": {},
    "a negative number": {"MaximumRetryAttempts": -1},
    "three retries": {"MaximumRetryAttempts": 3},
    "59 seconds": {"MaximumEventAgeInSeconds": 59},
    "more than six hours": {"MaximumEventAgeInSeconds": 21601},
    "itself": to(failure=ARN.format("events")),
    "a function that is not there": to(success=ARN.format("nobody")),
    "a bucket for what succeeds": to(success=BUCKET),
    "a role": to(failure="arn:aws:iam::000000000000:role/r"),
    "no ARN": to(failure="queue"),
}
for what, change in wrong.items():
    refused[f"put of {what}"] = answer(put, **latest, **change)
for what, page in {
    "nobody": {"FunctionName": "nobody"},
    "a bad marker": {"FunctionName": "events", "Marker": "garbage"},
    "a page of none": {"FunctionName": "events", "MaxItems": 0},
    "a page of 51": {"FunctionName": "events", "MaxItems": 51},
}.items():
    refused[f"list of {what}"] = answer(listing, **page)
assert answer(get, **latest) == seen["none"], "what is refused makes nothing"
seen["refused"] = refused
client.delete_alias(FunctionName="events", Name="live")
seen["with its alias"] = answer(get, **latest, Qualifier="live")
client.delete_function(FunctionName="events")
seen["with its function"] = answer(get, **latest, Qualifier="1")
print(json.dumps(seen))
