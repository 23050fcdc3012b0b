"""Prints what boto3 makes of calls that fail, for the function `errors`."""

import io
import json
import sys
import zipfile

import boto3
from botocore.exceptions import ClientError

lambda_client = boto3.client("lambda")


def zipped(source):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("app.py", source)
    return buffer.getvalue()


def failure(call, **arguments):
    try:
        call(**arguments)
        return "no error"
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return f"{status} {error.response['Error']['Code']}: {error.response['Error']['Message']}"


revision = lambda_client.get_function_configuration(FunctionName="errors")["RevisionId"]
code = zipped("def handler(event, context): return 2\n")
lambda_client.update_function_code(FunctionName="errors", ZipFile=code, RevisionId=revision)
lambda_client.get_waiter("function_updated_v2").wait(FunctionName="errors")

json.dump(
    {
        "an old revision": failure(
            lambda_client.update_function_code, FunctionName="errors", ZipFile=code, RevisionId=revision
        ),
        "an operation that is not there yet": failure(lambda_client.publish_version, FunctionName="errors"),
        "a function that is not there": failure(lambda_client.invoke, FunctionName="nope"),
        "a function that is there already": failure(
            lambda_client.create_function,
            FunctionName="errors",
            Runtime="python3.11",
            Handler="app.handler",
            Role="arn:aws:iam::000000000000:role/lambda",
            Code={"ZipFile": code},
        ),
        "a package that is no zip": failure(
            lambda_client.update_function_code, FunctionName="errors", ZipFile=b"not a zip"
        ),
        "a payload that is not JSON": failure(lambda_client.invoke, FunctionName="errors", Payload=b"xyz")[:95],
    },
    sys.stdout,
)
