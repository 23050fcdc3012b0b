"""Takes a layer through its whole life with boto3: published, shown, listed, shared, used, deleted. Prints what it saw."""

import base64
import hashlib
import json
import sys
import urllib.request

import boto3
from botocore.exceptions import ClientError

first, second, code = (open(path, "rb").read() for path in sys.argv[1:4])
client = boto3.client("lambda")
seen = {}


def error(call, **arguments):
    try:
        call(**arguments)
    except ClientError as raised:
        status = raised.response["ResponseMetadata"]["HTTPStatusCode"]
        return f"{status} {type(raised).__name__}: {raised.response['Error']['Message']}"
    return "no error"


def invoke():
    answer = client.invoke(FunctionName="uses-layer")
    payload = json.loads(answer["Payload"].read())
    return payload["errorType"] if answer.get("FunctionError") else payload


published = client.publish_layer_version(
    LayerName="life",
    Description="the first",
    Content={"ZipFile": first},
    CompatibleRuntimes=["python3.11", "python3.12"],
    CompatibleArchitectures=["x86_64", "arm64"],
    LicenseInfo="MIT",
)
content = published.pop("Content")
for member in ["ResponseMetadata", "CreatedDate"]:
    published.pop(member)
seen["published"] = published
arn = published["LayerVersionArn"]
digest = base64.b64encode(hashlib.sha256(first).digest()).decode()
shown = client.get_layer_version(LayerName=published["LayerArn"], VersionNumber=1)["Content"]
fetched = urllib.request.urlopen(shown["Location"]).read()
seen["code"] = (content["CodeSha256"], content["CodeSize"], fetched) == (digest, len(first), first)
seen["by arn"] = client.get_layer_version_by_arn(Arn=arn)["CreatedDate"] != ""

client.publish_layer_version(LayerName="life", Content={"ZipFile": second})
client.publish_layer_version(LayerName="another", Content={"ZipFile": second})


def layers(**filters):
    pages = client.get_paginator("list_layers").paginate(**filters)
    items = [layer for page in pages for layer in page["Layers"]]
    return [[layer["LayerName"], layer["LatestMatchingVersion"]["Version"]] for layer in items]


seen["layers"] = layers()
seen["layers for arm64"] = layers(CompatibleArchitecture="arm64", CompatibleRuntime="python3.12")
listed = client.list_layer_versions(LayerName="life")["LayerVersions"]
seen["versions"] = [version["Version"] for version in listed]
pages = client.get_paginator("list_layer_versions").paginate(LayerName="life", PaginationConfig={"PageSize": 1})
seen["versions by page"] = [[version["Version"] for version in page["LayerVersions"]] for page in pages]

version = {"LayerName": "life", "VersionNumber": 1}
grant = {**version, "Action": "lambda:GetLayerVersion"}
added = client.add_layer_version_permission(
    **grant, StatementId="everybody", Principal="*", OrganizationId="o-0123456789"
)
seen["added"] = added["Statement"]
client.add_layer_version_permission(
    **grant, StatementId="one", Principal="123456789012", RevisionId=added["RevisionId"]
)
policy = client.get_layer_version_policy(**version)
statements = json.loads(policy["Policy"])["Statement"]
seen["policies"] = [statement["Sid"] for statement in statements]
seen["principal"] = statements[1]["Principal"]
remove = client.remove_layer_version_permission
seen["stale revision"] = error(remove, **version, StatementId="one", RevisionId=added["RevisionId"])
remove(**version, StatementId="one", RevisionId=policy["RevisionId"])
remove(**version, StatementId="everybody")
seen["policy is gone"] = error(client.get_layer_version_policy, **version)

client.create_function(
    FunctionName="uses-layer",
    Runtime="python3.11",
    Handler="app.handler",
    Role="arn:aws:iam::000000000000:role/lambda",
    Code={"ZipFile": code},
    Layers=[arn],
)
client.get_waiter("function_active_v2").wait(FunctionName="uses-layer", WaiterConfig={"Delay": 1})
configuration = client.get_function(FunctionName="uses-layer")["Configuration"]
used = configuration["Layers"]
seen["function"] = [[layer["Arn"] for layer in used], used[0]["CodeSize"] == len(first)]
seen["invoked"] = invoke()

client.delete_layer_version(**version)
client.delete_layer_version(**version)
seen["deleted"] = error(client.get_layer_version, **version)
seen["not for new functions"] = error(
    client.update_function_configuration, FunctionName="uses-layer", Layers=[arn]
)
seen["after the deletion"] = invoke()
client.update_function_configuration(FunctionName="uses-layer", Layers=[])
client.get_waiter("function_updated_v2").wait(FunctionName="uses-layer", WaiterConfig={"Delay": 1})
seen["without layers"] = invoke()
client.delete_layer_version(LayerName="life", VersionNumber=2)
seen["third number"] = client.publish_layer_version(LayerName="life", Content={"ZipFile": first})["Version"]
json.dump(seen, sys.stdout)
