"""Asks CloudWatch by boto3, and prints what it answers.

The argument is a JSON list of questions: `[operation, arguments]`, or `[operation, arguments, key]` for all pages of a
paginator, joined, with the sizes of its pages. Errors are answers, too: inputs are not checked here, so that the server has to.
"""

import datetime
import json
import sys

import boto3
from botocore.client import Config
from botocore.exceptions import ClientError

cloudwatch = boto3.client(
    "cloudwatch", config=Config(parameter_validation=False, retries={"total_max_attempts": 1}))


def plain(value):
    if isinstance(value, datetime.datetime):
        return int(value.timestamp())
    raise TypeError(value)


def answer(operation, arguments, key=None):
    for time in ("StartTime", "EndTime"):
        if time in arguments:
            arguments[time] = datetime.datetime.fromtimestamp(arguments[time], datetime.timezone.utc)
    try:
        if key is not None:
            pages = [page[key] for page in cloudwatch.get_paginator(operation).paginate(**arguments)]
            return {"pages": [len(page) for page in pages], key: sum(pages, [])}
        answered = getattr(cloudwatch, operation)(**arguments)
        del answered["ResponseMetadata"]
        return answered
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return f"{status} {error.response['Error']['Code']}: {error.response['Error']['Message']}"


print(json.dumps([answer(*question) for question in json.loads(sys.argv[1])], default=plain))
