"""Asks for the small things that tools ask for all the time, with boto3: limits and counts, tags, policies, what is set
beside the configuration. Prints what it saw."""

import json
import sys

import boto3
from botocore.exceptions import ClientError

code = open(sys.argv[1], "rb").read()
client = boto3.client("lambda")
seen = {}


def error(call, **arguments):
    try:
        call(**arguments)
    except ClientError as raised:
        status = raised.response["ResponseMetadata"]["HTTPStatusCode"]
        return f"{status} {type(raised).__name__}: {raised.response['Error']['Message']}"
    return "no error"


def settings():
    answer = client.get_account_settings()
    return answer["AccountLimit"], answer["AccountUsage"]


seen["limits"], seen["nothing there"] = settings()
arn = client.create_function(
    FunctionName="small",
    Runtime="python3.11",
    Handler="app.handler",
    Role="arn:aws:iam::000000000000:role/r",
    Code={"ZipFile": code},
    Tags={"team": "blue", "stage": "test"},
)["FunctionArn"]
client.get_waiter("function_active_v2").wait(FunctionName="small")
client.publish_layer_version(LayerName="layer", Content={"ZipFile": code})
usage = settings()[1]
seen["usage"] = [usage["FunctionCount"], usage["TotalCodeSize"] == 2 * len(code)]

revision = client.get_function_configuration(FunctionName="small")["RevisionId"]
seen["created with"] = client.list_tags(Resource=arn)["Tags"]
client.tag_resource(Resource=arn, Tags={"team": "grün rot", "cost center": "a=b+c/d@e"})
client.untag_resource(Resource=arn, TagKeys=["stage", "absent"])
function = client.get_function(FunctionName="small")
seen["tags"] = function["Tags"]
seen["same revision"] = function["Configuration"]["RevisionId"] == revision
seen["too many"] = error(client.tag_resource, Resource=arn, Tags={f"k{number}": "" for number in range(49)})
seen["of a version"] = error(client.list_tags, Resource=f"{arn}:1")
client.untag_resource(Resource=arn, TagKeys=["team", "cost center"])
seen["none left"] = [client.list_tags(Resource=arn)["Tags"], "Tags" in client.get_function(FunctionName="small")]

seen["no policy"] = error(client.get_policy, FunctionName="small")
bucket = {"SourceArn": "arn:aws:s3:::bucket", "SourceAccount": "123456789012"}
allow = {"FunctionName": "small", "StatementId": "s3", "Action": "lambda:InvokeFunction"}
seen["added"] = client.add_permission(Principal="s3.amazonaws.com", **allow, **bucket)["Statement"]
seen["twice"] = error(client.add_permission, Principal="*", **allow)
revision = client.get_policy(FunctionName=arn)["RevisionId"]
client.add_permission(Principal="123456789012", RevisionId=revision, **{**allow, "StatementId": "them"})
seen["stale"] = error(client.remove_permission, FunctionName="small", StatementId="s3", RevisionId=revision)
policy = json.loads(client.get_policy(FunctionName="small")["Policy"])
seen["statements"] = [[statement["Sid"], statement["Principal"]] for statement in policy["Statement"]]
client.remove_permission(FunctionName="small", StatementId="s3")
seen["removed twice"] = error(client.remove_permission, FunctionName="small", StatementId="s3")


def management():
    recursion = client.get_function_recursion_config(FunctionName="small")["RecursiveLoop"]
    runtime = client.get_runtime_management_config(FunctionName="small")
    return [recursion, runtime["UpdateRuntimeOn"], runtime.get("RuntimeVersionArn")]


seen["management at first"] = management()
client.put_function_recursion_config(FunctionName="small", RecursiveLoop="Allow")
client.put_runtime_management_config(FunctionName="small", UpdateRuntimeOn="FunctionUpdate")
seen["management"] = management()
version = client.get_function_configuration(FunctionName="small")["RuntimeVersionConfig"]["RuntimeVersionArn"]
client.put_runtime_management_config(FunctionName="small", UpdateRuntimeOn="Manual", RuntimeVersionArn=version)
seen["this version"] = management()[2] == version

client.tag_resource(Resource=arn, Tags={"kept": "over a restart"})

print(json.dumps(seen))
