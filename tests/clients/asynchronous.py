"""Sends an event to the function that is named, and prints what boto3 makes of the answer."""

import json
import sys

import boto3

answer = boto3.client("lambda").invoke(
    FunctionName=sys.argv[1], InvocationType="Event", Payload=json.dumps({"number": 1})
)
print(
    json.dumps(
        {
            "status": answer["StatusCode"],
            "payload": answer["Payload"].read().decode(),
            "id": answer["ResponseMetadata"]["RequestId"],
        }
    )
)
