"""The nine operations on layers: each well, with each error that AWS documents of it, and by page. Prints what it saw."""

import json
import urllib.request

from seen import *

LAYER = "arn:aws:lambda:us-east-1:000000000000:layer:"
ONE = zipped(layer="LAYER = 'one'\n")
TWO = zipped(layer="LAYER = 'another'\n")


def publish(name, package=ONE, **change):
    return unchecked.publish_layer_version(LayerName=name, **{"Content": {"ZipFile": package}, **change})


# PublishLayerVersion
full = publish(
    "full",
    Description="d",
    CompatibleRuntimes=["python3.12", "nodejs22.x"],
    CompatibleArchitectures=["x86_64"],
    LicenseInfo="MIT",
)
seen["publish"] = shown(full)
seen["publish: its package"] = [
    full["Content"]["CodeSha256"] == sha256(ONE),
    full["Content"]["CodeSize"] == len(ONE),
    urllib.request.urlopen(full["Content"]["Location"]).read() == ONE,
]
seen["publish: the least"] = shown(publish("least"))
seen["publish: the next number"] = publish(LAYER + "least", TWO)["Version"]
bucket = boto3.client("s3", config=Config(s3={"addressing_style": "path"}))
bucket.create_bucket(Bucket="code")
bucket.put_object(Bucket="code", Key="layer.zip", Body=TWO)
from_s3 = publish("from-s3", Content={"S3Bucket": "code", "S3Key": "layer.zip"})
seen["publish: from S3"] = from_s3["Content"]["CodeSha256"] == sha256(TWO)
many = ["python3.11"] * 16


def brief(text):
    """The runtimes that AWS has are a long list, which changes."""
    text = text.replace("x" * 513, "<513>").replace("x" * 257, "<257>").replace(", ".join(many), "<16>")
    return re.sub(r"\[nodejs, [^\]]*\]", "[<runtimes>]", text)


def refused(name="new", **change):
    return brief(error(publish, name=name, **change))


seen["publish: errors"] = {
    "a wrong name": refused("a b"),
    "of another region": refused("arn:aws:lambda:eu-west-1:000000000000:layer:l"),
    "of another account": refused("arn:aws:lambda:us-east-1:123456789012:layer:l"),
    "without content": error(unchecked.publish_layer_version, LayerName="new"),
    "no source": refused(Content={}),
    "no zip": refused(Content={"ZipFile": b"no zip"}),
    "two sources": refused(Content={"ZipFile": ONE, "S3Bucket": "code", "S3Key": "layer.zip"}),
    "a bucket that is not there": refused(Content={"S3Bucket": "no-such-bucket", "S3Key": "layer.zip"}),
    "a key that is not there": refused(Content={"S3Bucket": "code", "S3Key": "none.zip"}),
    "a long description": refused(Description="x" * 257),
    "a long licence": refused(LicenseInfo="x" * 513),
    "sixteen runtimes": refused(CompatibleRuntimes=many),
    "unknown runtime and architecture": refused(
        CompatibleRuntimes=["invalidruntime"], CompatibleArchitectures=["invalidarch"]
    ),
    "three architectures": refused(CompatibleArchitectures=["x86_64", "arm64", "x86_64"]),
}

# GetLayerVersion and GetLayerVersionByArn
got = client.get_layer_version(LayerName="full", VersionNumber=1)
seen["get"] = shown(got)
seen["get: what was published"] = {**shown(got), "status": 201} == shown(full)
by_arn = client.get_layer_version_by_arn(Arn=LAYER + "full:1")
seen["get: by ARN"] = shown(by_arn) == shown(got)
seen["get: by the layer's ARN"] = client.get_layer_version(LayerName=LAYER + "least", VersionNumber=2)["LayerVersionArn"]
seen["get: the least"] = sorted(client.get_layer_version(LayerName="least", VersionNumber=1))
seen["get: errors"] = {
    "no such layer": error(client.get_layer_version, LayerName="none", VersionNumber=1),
    "no such version": error(client.get_layer_version, LayerName="full", VersionNumber=2),
    "version 0": error(client.get_layer_version, LayerName="full", VersionNumber=0),
    "a wrong name": error(unchecked.get_layer_version, LayerName="a b", VersionNumber=1),
    "of another account": error(
        client.get_layer_version, LayerName="arn:aws:lambda:us-east-1:123456789012:layer:l", VersionNumber=1
    ),
}
seen["get by ARN: errors"] = {
    "no such layer": error(client.get_layer_version_by_arn, Arn=LAYER + "none:1"),
    "no such version": error(client.get_layer_version_by_arn, Arn=LAYER + "full:2"),
    "without a version": error(unchecked.get_layer_version_by_arn, Arn=LAYER + "full"),
    "version 0": error(client.get_layer_version_by_arn, Arn=LAYER + "full:0"),
    "of another region": error(
        client.get_layer_version_by_arn, Arn="arn:aws:lambda:eu-west-1:000000000000:layer:full:1"
    ),
    "of another account": error(
        client.get_layer_version_by_arn, Arn="arn:aws:lambda:us-east-1:123456789012:layer:l:1"
    ),
    "none": error(unchecked.get_layer_version_by_arn),
}

# ListLayers and ListLayerVersions
for_arm = publish("least", CompatibleArchitectures=["arm64"], CompatibleRuntimes=["python3.12", "python3.13"])
listed = client.list_layers()
seen["list"] = shown(listed)
seen["list: by page"] = pages("list_layers", "Layers", "LayerName", 2)


def matching(**filters):
    return [
        [layer["LayerName"], layer["LatestMatchingVersion"]["Version"]]
        for layer in client.list_layers(**filters)["Layers"]
    ]


seen["list: matching"] = {
    "python3.12": matching(CompatibleRuntime="python3.12"),
    "arm64": matching(CompatibleArchitecture="arm64"),
    "both": matching(CompatibleArchitecture="x86_64", CompatibleRuntime="python3.12"),
    "none": matching(CompatibleRuntime="java21"),
}
versions = client.list_layer_versions(LayerName="least")
seen["list versions"] = shown(versions)
seen["list versions: by page"] = pages("list_layer_versions", "LayerVersions", "Version", 2, LayerName="least")
seen["list versions: matching"] = [
    version["Version"]
    for version in client.list_layer_versions(LayerName=LAYER + "least", CompatibleRuntime="python3.13")["LayerVersions"]
]
seen["list versions: never published"] = shown(client.list_layer_versions(LayerName="none"))
for operation, of in [("list_layers", {}), ("list_layer_versions", {"LayerName": "least"})]:
    call = getattr(unchecked, operation)
    seen[f"{operation}: errors"] = {
        "no items": error(call, MaxItems=0, **of),
        "too many items": error(call, MaxItems=51, **of),
        "a wrong marker": error(call, Marker="garbage", **of),
        "an unknown runtime": brief(error(call, CompatibleRuntime="invalidruntime", **of)),
        "an unknown architecture": error(call, CompatibleArchitecture="invalidarch", **of),
    }
seen["list versions: a wrong name"] = error(unchecked.list_layer_versions, LayerName="a b")

# AddLayerVersionPermission, GetLayerVersionPolicy, RemoveLayerVersionPermission
version = {"LayerName": "least", "VersionNumber": 1}
grant = {"Action": "lambda:GetLayerVersion", **version}
seen["policy: none yet"] = error(client.get_layer_version_policy, **version)
added = client.add_layer_version_permission(**grant, StatementId="all", Principal="*", OrganizationId="o-0123456789")
seen["policy: add"] = shown(added)
second = client.add_layer_version_permission(
    **grant, StatementId="one", Principal="123456789012", RevisionId=added["RevisionId"]
)
seen["policy: add one account"] = second["Statement"]
root = client.add_layer_version_permission(
    **grant, StatementId="root", Principal="arn:aws:iam::123456789012:root"
)
seen["policy: add an account by its ARN"] = json.loads(root["Statement"])["Principal"]
policy = client.get_layer_version_policy(**version)
seen["policy: get"] = shown(policy)
seen["policy: revisions"] = [
    len({of["RevisionId"] for of in (added, second, root)}),
    policy["RevisionId"] == root["RevisionId"],
]


def not_added(**change):
    return error(
        unchecked.add_layer_version_permission, **{**grant, "StatementId": "new", "Principal": "*", **change}
    )


nobody = {"LayerName": "none", "VersionNumber": 1}
seen["policy: add: errors"] = {
    "twice": not_added(StatementId="all"),
    "another action": not_added(Action="*"),
    "a wrong id": not_added(StatementId="a b"),
    "a wrong principal": not_added(Principal="me"),
    "a wrong organization": not_added(OrganizationId="o-1"),
    "an old revision": not_added(RevisionId=added["RevisionId"]),
    "no such layer": not_added(**nobody),
    "no such version": not_added(VersionNumber=9),
    "version 0": not_added(VersionNumber=0),
}
number = 0
while (room := not_added(StatementId=f"s{number:0>99}")) == "no error":
    number += 1
seen["policy: add: no room"] = re.sub(r"\(\d+\) is", "(<bytes>) is", room)
for added_too in range(number):
    client.remove_layer_version_permission(**version, StatementId=f"s{added_too:0>99}")
seen["policy: get: errors"] = {
    "no such layer": error(client.get_layer_version_policy, **nobody),
    "no such version": error(client.get_layer_version_policy, LayerName="least", VersionNumber=9),
    "without a policy": error(client.get_layer_version_policy, LayerName="least", VersionNumber=2),
}
remove = client.remove_layer_version_permission
seen["policy: remove: errors"] = {
    "no such statement": error(remove, **version, StatementId="none"),
    "no such layer": error(remove, **nobody, StatementId="one"),
    "an old revision": error(remove, **version, StatementId="one", RevisionId=added["RevisionId"]),
    "without a policy": error(remove, LayerName="least", VersionNumber=2, StatementId="one"),
}
latest = client.get_layer_version_policy(**version)["RevisionId"]
seen["policy: remove"] = shown(remove(**version, StatementId="one", RevisionId=latest))
remove(**version, StatementId="all")
remove(**version, StatementId="root")
seen["policy: none is left"] = error(client.get_layer_version_policy, **version)

# DeleteLayerVersion
active("uses-it", Layers=[LAYER + "least:1"])
seen["delete"] = shown(client.delete_layer_version(**version))
seen["delete: twice"] = shown(client.delete_layer_version(**version))
seen["delete: of a layer that is not there"] = shown(client.delete_layer_version(**nobody))
seen["delete: version 0"] = error(client.delete_layer_version, LayerName="least", VersionNumber=0)
seen["delete: a wrong name"] = error(unchecked.delete_layer_version, LayerName="a b", VersionNumber=1)
seen["delete: gone"] = {
    "get": error(client.get_layer_version, **version),
    "by ARN": error(client.get_layer_version_by_arn, Arn=LAYER + "least:1"),
    "policy": error(client.get_layer_version_policy, **version),
    "for functions": error(create, name="new", Layers=[LAYER + "least:1"]),
    "listed": [found["Version"] for found in client.list_layer_versions(LayerName="least")["LayerVersions"]],
}
seen["delete: a function that has it goes on"] = [
    client.get_function_configuration(FunctionName="uses-it")["Layers"],
    client.invoke(FunctionName="uses-it")["Payload"].read().decode(),
]
client.delete_layer_version(LayerName="least", VersionNumber=3)
seen["delete: a number is never given again"] = publish("least")["Version"]
done()
