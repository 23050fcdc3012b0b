"""Drives durable executions with boto3: each argument list is one request, and the answer is printed as JSON."""

import datetime
import json
import sys

import boto3
import botocore.exceptions
from botocore.config import Config

client = boto3.client("lambda", config=Config(read_timeout=120, retries={"max_attempts": 0}))


def plain(value):
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if key != "ResponseMetadata"}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if hasattr(value, "read"):
        return value.read().decode()
    return value


def main(operation, text):
    try:
        answer = getattr(client, operation)(**json.loads(text))
    except botocore.exceptions.ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        told = error.response["Error"]
        print(json.dumps({"error": told["Code"], "status": status, "message": told["Message"]}))
        return
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    print(json.dumps({**plain(answer), "status": status}))


main(*sys.argv[1:])
