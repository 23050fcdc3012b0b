"""Prints what boto3 makes of calls that fail, for the function `errors`."""

import io
import json
import sys
import zipfile

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

lambda_client = boto3.client("lambda")


def zipped(source):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("app.py", source)
    return buffer.getvalue()


def failure(call, **arguments):
    """The exception that boto3 raises, as a program would catch it: a class of the client, or a plain ClientError."""
    try:
        call(**arguments)
        return "no error"
    except ClientError as error:
        answer = error.response["ResponseMetadata"]
        assert answer["RequestId"] == answer["HTTPHeaders"]["x-amzn-requestid"], answer
        code = error.response["Error"]["Code"]
        modelled = isinstance(error, getattr(lambda_client.exceptions, code, ()))
        assert modelled or type(error) is ClientError, type(error)
        raised = type(error).__name__ if modelled else f"ClientError({code})"
        return f"{answer['HTTPStatusCode']} {raised}: {error.response['Error']['Message']}"


def with_content_type(content_type):
    """A client whose payloads say that they are of another type."""
    client = boto3.client("lambda")
    client.meta.events.register(
        "before-call.lambda.Invoke", lambda params, **_: params["headers"].update({"Content-Type": content_type})
    )
    return client


revision = lambda_client.get_function_configuration(FunctionName="errors")["RevisionId"]
code = zipped("def handler(event, context): return 2\n")
lambda_client.update_function_code(FunctionName="errors", ZipFile=code, RevisionId=revision)
lambda_client.get_waiter("function_updated_v2").wait(FunctionName="errors")

ARN = "arn:aws:lambda:{}:{}:function:errors"
# Without boto3's own checks, which would refuse some of this before it is sent.
unchecked = boto3.client("lambda", config=Config(parameter_validation=False))
new = {
    "FunctionName": "new",
    "Runtime": "python3.11",
    "Handler": "app.handler",
    "Role": "arn:aws:iam::000000000000:role/lambda",
    "Code": {"ZipFile": code},
}


def create(**change):
    return failure(unchecked.create_function, **{**new, **change})


json.dump(
    {
        "an old revision": failure(
            lambda_client.update_function_code, FunctionName="errors", ZipFile=code, RevisionId=revision
        ),
        "an operation that is not there yet": failure(lambda_client.list_capacity_providers),
        "a function that is not there": failure(lambda_client.invoke, FunctionName="nope"),
        "a version that is not there": failure(lambda_client.get_function, FunctionName="errors", Qualifier="42"),
        "a function that is there already": create(FunctionName="errors"),
        "a package that is no zip": failure(
            lambda_client.update_function_code, FunctionName="errors", ZipFile=b"not a zip"
        ),
        "a payload that is not JSON": failure(lambda_client.invoke, FunctionName="errors", Payload=b"xyz")[:95],
        "a payload that is too large": failure(
            lambda_client.invoke, FunctionName="errors", Payload=b" " * 6_291_457
        ),
        "a payload of another type": failure(with_content_type("application/xml").invoke, FunctionName="errors"),
        "a function of another region": failure(
            lambda_client.invoke, FunctionName=ARN.format("eu-west-1", "000000000000")
        ),
        "a function of another account": failure(
            lambda_client.get_function, FunctionName=ARN.format("us-east-1", "123456789012")
        ).split(" on resource")[0],
        "two qualifiers": failure(lambda_client.get_function, FunctionName="errors:1", Qualifier="2"),
        "a deletion of the latest version": failure(
            lambda_client.delete_function, FunctionName="errors", Qualifier="$LATEST"
        ),
        "an unknown runtime": create(Runtime="python9.9").split(": [")[0],
        "a retired runtime": create(Runtime="python3.7"),
        "a reserved variable": create(Environment={"Variables": {"AWS_REGION": "x"}}),
        "a wrong name": create(FunctionName="a b").split(" pattern: ")[0],
        "a long name": create(FunctionName="x" * 65),
        "a missing member": failure(
            unchecked.create_function, **{key: value for key, value in new.items() if key != "Role"}
        ),
        "two wrong members": create(Timeout=0, MemorySize=1),
        "a wrong type": create(MemorySize="big"),
        "a wrong page": failure(unchecked.list_functions, MaxItems=0),
        "a wrong marker": failure(lambda_client.list_functions, Marker="garbage"),
    },
    sys.stdout,
)
