"""What the scripts that go through operations one by one share: answers with all of their members, where what differs
from run to run is checked and put aside; errors as a line each; pages. Nothing here decides what is right."""

import base64
import hashlib
import io
import json
import re
import sys
import zipfile

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

client = boto3.client("lambda")
# Without boto3's own checks, which would refuse some of what is wrong before it is sent.
unchecked = boto3.client("lambda", config=Config(parameter_validation=False))

ROLE = "arn:aws:iam::000000000000:role/r"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
# As AWS writes the times of functions and layers.
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000"
# Members that differ from run to run, and what they look like.
VARYING = {
    "RevisionId": UUID,
    "LastModified": TIME,
    "CreatedDate": TIME,
    "CodeSha256": r"[A-Za-z0-9+/]{43}=",
    "Location": r"https?://[^ ]+",
    "RuntimeVersionArn": r"arn:aws:lambda:us-east-1::runtime:\S+",
    "NextMarker": r".+",
}

seen = {}


def zipped(**files):
    """A package that is the same whenever it is made: `app` is `app.py`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        for name, source in files.items():
            package.writestr(zipfile.ZipInfo(f"{name}.py"), source)
    return buffer.getvalue()


def sha256(package):
    return base64.b64encode(hashlib.sha256(package).digest()).decode()


def put_aside(value, name=""):
    if isinstance(value, dict):
        return {key: put_aside(member, key) for key, member in value.items()}
    if isinstance(value, list):
        return [put_aside(item, name) for item in value]
    if isinstance(value, str) and name in VARYING:
        assert re.fullmatch(VARYING[name], value), (name, value)
        return f"<{name}>"
    return value


def shown(answer):
    """An answer with its status, and every member that boto3 makes of it."""
    answer = dict(answer)
    about = answer.pop("ResponseMetadata")
    headers = about["HTTPHeaders"]
    assert re.fullmatch(UUID, about["RequestId"]) and headers["x-amzn-requestid"] == about["RequestId"], about
    has_body = headers.get("content-length", "0") != "0"
    assert not has_body or headers["content-type"] == "application/json", headers
    if answer.get("State") == "Pending":
        # Known once the runtime was found, which may be before the answer is written, or after.
        answer.pop("RuntimeVersionConfig", None)
    return {"status": about["HTTPStatusCode"], **put_aside(answer)}


def error(call, **arguments):
    """The status, the exception that a program would catch, whose fault it is said to be, and the text."""
    try:
        call(**arguments)
        return "no error"
    except ClientError as raised:
        answer = raised.response
        about = answer["ResponseMetadata"]
        assert re.fullmatch(UUID, about["RequestId"]), about
        code = answer["Error"]["Code"]
        modelled = isinstance(raised, getattr(client.exceptions, code, ()))
        assert modelled or type(raised) is ClientError, type(raised)
        name = code if modelled else f"ClientError({code})"
        of = f" of {answer['Type']}" if "Type" in answer else ""
        return f"{about['HTTPStatusCode']} {name}{of}: {answer['Error']['Message']}"


def pages(operation, members, of, size, **arguments):
    """What each page of a list has under `of`."""
    found = client.get_paginator(operation).paginate(**arguments, PaginationConfig={"PageSize": size})
    return [[item[of] for item in page[members]] for page in found]


def wait(waiter, **arguments):
    client.get_waiter(waiter).wait(**arguments, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def create(name, **change):
    """Creates a function of the least that is needed, and `change`."""
    request = {
        "FunctionName": name,
        "Runtime": "python3.11",
        "Handler": "app.handler",
        "Role": ROLE,
        "Code": {"ZipFile": CODE},
        **change,
    }
    return unchecked.create_function(**{member: value for member, value in request.items() if value is not None})


def active(name, **change):
    """Creates a function and waits until it is there."""
    answer = create(name, **change)
    wait("function_active_v2", FunctionName=name)
    return answer


def revision(name, **of):
    return client.get_function_configuration(FunctionName=name, **of)["RevisionId"]


def arn(name):
    return f"arn:aws:lambda:us-east-1:000000000000:function:{name}"


def done():
    json.dump(seen, sys.stdout)


CODE = zipped(app="def handler(event, context): return 'one'\n")
OTHER_CODE = zipped(app="def handler(event, context): return 'another'\n")
