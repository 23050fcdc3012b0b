"""A boto3 client that shows what it was answered as it came: status, whole body with its nulls, and the headers that
mean something. What differs from run to run is checked for its form, and stands there by that form's name."""

import io
import json
import re
import time
import zipfile
from datetime import datetime, timezone

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::000000000000:role/r"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:{}"
# Another region, and another account.
ELSEWHERE = "arn:aws:lambda:eu-west-1:000000000000:function:{}"
THEIRS = "arn:aws:lambda:us-east-1:123456789012:function:{}"

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIMES = {
    "<time of a function>": (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", "%Y-%m-%dT%H:%M:%S.%f%z"),
    "<time in seconds>": (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000", "%Y-%m-%dT%H:%M:%S%z"),
    "<time of a URL>": (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", "%Y-%m-%dT%H:%M:%S.%f%z"),
}
# Headers that come with every answer, or that every HTTP answer has.
COMMON = {"x-amzn-requestid", "content-type", "content-length", "date", "connection", "x-amzn-errortype"}

# boto3's own checks would refuse some of what is to be refused here, and its retries would hide a refusal.
client = boto3.client(
    "lambda", config=Config(parameter_validation=False, retries={"total_max_attempts": 1}, max_pool_connections=50)
)
_raw = {}
_ids = {}


def _remember(response_dict, **_):
    _raw.clear()
    _raw.update(response_dict)


client.meta.events.register("before-parse.lambda", _remember)


def _is_now(epoch):
    assert abs(epoch - time.time()) < 3600, epoch


def shown(value, key=None):
    """The value, with what differs from run to run by the name of its form."""
    if isinstance(value, dict):
        return {name: shown(member, name) for name, member in value.items()}
    if isinstance(value, list):
        return [shown(member) for member in value]
    if key == "LastModified" and isinstance(value, (int, float)):
        _is_now(value)
        return "<seconds since 1970>"
    if not isinstance(value, str):
        return value
    if UUID.fullmatch(value):
        return "<uuid>"
    for name, (form, pattern) in TIMES.items():
        if re.fullmatch(form, value):
            _is_now(datetime.strptime(value, pattern).astimezone(timezone.utc).timestamp())
            return name
    if "csc-" in value:
        return re.sub(r"csc-[0-9a-z]{17}", lambda it: _ids.setdefault(it[0], f"<csc {len(_ids) + 1}>"), value)
    if "lambda-url" in value:
        return re.sub(r"://[0-9a-z]{32}\.(.*):\d+/", r"://<url id>.\1:<port>/", value)
    return value


def answer(operation, **arguments):
    """Calls, and returns the answer: the status, with the exception if it is one, and the body as it came."""
    raised = None
    _raw.clear()
    try:
        parsed = getattr(client, operation)(**arguments)
    except ClientError as error:
        raised, parsed = error, error.response
    status, headers, body = _raw["status_code"], _raw["headers"], _raw["body"]
    metadata = parsed["ResponseMetadata"]
    assert status == metadata["HTTPStatusCode"], metadata
    assert UUID.fullmatch(metadata["RequestId"]) and metadata["RequestId"] == headers["x-amzn-RequestId"], metadata
    if isinstance(body, bytes):
        assert headers["Content-Type"] == "application/json", headers
        body = shown(json.loads(body)) if body else ""
    else:
        # A payload, which is read by whoever wants it.
        body = parsed
    what = str(status)
    if raised:
        code = parsed["Error"]["Code"]
        assert headers["x-amzn-ErrorType"] == code, headers
        if isinstance(raised, getattr(client.exceptions, code, ())):
            what = f"{status} {code}"
        else:
            assert type(raised) is ClientError, type(raised)
            what = f"{status} {code}, not in the model"
    return {what: body}


def headers():
    """The headers of the last answer that are Lambda's."""
    return {name.lower(): value for name, value in _raw["headers"].items() if name.lower() not in COMMON}


def zipped(source):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("app.py", source)
    return buffer.getvalue()


def create(name, source, **members):
    """Creates a Python function, and waits until it is there."""
    created = client.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role=ROLE,
        Handler="app.handler",
        Code={"ZipFile": zipped(source)},
        **members,
    )
    client.get_waiter("function_active_v2").wait(FunctionName=name)
    return created


def publish(name, **change):
    """Changes the configuration, and publishes it."""
    client.update_function_configuration(FunctionName=name, **change)
    client.get_waiter("function_updated_v2").wait(FunctionName=name)
    version = client.publish_version(FunctionName=name)["Version"]
    client.get_waiter("published_version_active").wait(FunctionName=name, Qualifier=version)
    return version


def pages(operation, member, size, **arguments):
    """What is on each page, with pages of this size."""
    found = client.get_paginator(operation).paginate(**arguments, PaginationConfig={"PageSize": size})
    return [shown(page[member]) for page in found]


def until(what, condition, seconds=60):
    """Waits until a condition holds, and returns what it gave."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
    return value
