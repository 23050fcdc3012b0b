"""boto3 takes a function through its life. Arguments: runtime, handler, first package, second package."""

import json
import pathlib
import sys

import boto3

runtime, handler, first, second = sys.argv[1:]
lambda_client = boto3.client("lambda")
name = "lifecycle"


def call():
    answer = lambda_client.invoke(FunctionName=name, Payload=json.dumps({"name": "boto3"}))
    return {
        "StatusCode": answer["StatusCode"],
        "ExecutedVersion": answer["ExecutedVersion"],
        "FunctionError": answer.get("FunctionError"),
        "Payload": json.loads(answer["Payload"].read()),
    }


created = lambda_client.create_function(
    FunctionName=name,
    Runtime=runtime,
    Handler=handler,
    Role="arn:aws:iam::000000000000:role/lambda",
    Code={"ZipFile": pathlib.Path(first).read_bytes()},
)
lambda_client.get_waiter("function_active_v2").wait(FunctionName=name)
before = call()
updated = lambda_client.update_function_code(FunctionName=name, ZipFile=pathlib.Path(second).read_bytes())
lambda_client.get_waiter("function_updated_v2").wait(FunctionName=name)
after = call()
deleted = lambda_client.delete_function(FunctionName=name)
try:
    lambda_client.get_function(FunctionName=name)
    gone = "still there"
except lambda_client.exceptions.ResourceNotFoundException as error:
    gone = error.response["Error"]["Message"]

json.dump(
    {
        "created": [created["State"], created["StateReasonCode"], created["FunctionArn"]],
        "before": before,
        "updated": updated["LastUpdateStatus"],
        "code changed": created["CodeSha256"] != updated["CodeSha256"],
        "after": after,
        "deleted": deleted["ResponseMetadata"]["HTTPStatusCode"],
        "gone": gone,
    },
    sys.stdout,
)
