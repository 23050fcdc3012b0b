"""PublishVersion and ListVersionsByFunction, and versions wherever one can be named: each well, with each error that AWS
documents of it, and by page. Prints what it saw."""

from seen import *

active("f", Description="of the latest", Environment={"Variables": {"KEY": "one"}}, Tags={"team": "blue"})
latest = client.get_function_configuration(FunctionName="f")
first = client.publish_version(
    FunctionName="f", Description="the first", CodeSha256=latest["CodeSha256"], RevisionId=latest["RevisionId"]
)
seen["publish"] = shown(first)
wait("published_version_active", FunctionName="f", Qualifier="1")
seen["publish: shown"] = shown(client.get_function_configuration(FunctionName="f", Qualifier="1"))
seen["publish: a revision of its own"] = first["RevisionId"] != latest["RevisionId"]
again = client.publish_version(FunctionName="f", Description="nothing has changed")
seen["publish: nothing has changed"] = [
    again["ResponseMetadata"]["HTTPStatusCode"],
    again["Version"],
    again["Description"],
    again["RevisionId"] == revision("f", Qualifier="1"),
]

# What `$LATEST` becomes afterwards is not the version's.
client.update_function_configuration(FunctionName="f", Environment={"Variables": {"KEY": "two"}}, Timeout=9)
wait("function_updated_v2", FunctionName="f")
second = client.publish_version(FunctionName="f")
seen["publish: without a description"] = [second["Version"], second["Description"]]
of_first = client.get_function_configuration(FunctionName="f:1")
seen["versions never change"] = [
    [of["Environment"]["Variables"]["KEY"], of["Timeout"]] for of in (of_first, second)
]
seen["the function's tags are shown with each"] = client.get_function(FunctionName="f:2")["Tags"]
client.update_function_code(FunctionName="f", ZipFile=OTHER_CODE, Publish=True)
wait("function_updated_v2", FunctionName="f")
wait("published_version_active", FunctionName="f", Qualifier="3")
seen["side by side"] = [
    [client.invoke(FunctionName="f", Qualifier=version)[member] for member in ["StatusCode", "ExecutedVersion"]]
    for version in ["1", "3", "$LATEST"]
]


def refused(name="f", **change):
    return error(unchecked.publish_version, FunctionName=name, **change)


seen["publish: errors"] = {
    "not there": refused("none"),
    "of a version": refused("f:1"),
    "of another region": refused(arn("f").replace("us-east-1", "eu-west-1")),
    "of another account": refused(arn("f").replace("000000000000", "123456789012")),
    "a wrong name": refused("a b"),
    "other code": refused(CodeSha256=first["CodeSha256"]),
    "an old revision": refused(RevisionId=latest["RevisionId"]),
    "a long description": refused(Description="x" * 257).replace("x" * 257, "<257>"),
}

listed = client.list_versions_by_function(FunctionName="f")
seen["list"] = [sorted(listed), [version["FunctionArn"] for version in listed["Versions"]]]
seen["list: an entry"] = put_aside(listed["Versions"][1])
seen["list: members of both kinds"] = sorted(listed["Versions"][0]) == sorted(listed["Versions"][1])
seen["list: by page"] = pages("list_versions_by_function", "Versions", "Version", 2, FunctionName="f")
seen["list: by ARN"] = len(client.list_versions_by_function(FunctionName=arn("f"))["Versions"])
marker = client.list_functions(MaxItems=1, FunctionVersion="ALL")["NextMarker"]
seen["list: errors"] = {
    "not there": error(client.list_versions_by_function, FunctionName="none"),
    "of a version": error(client.list_versions_by_function, FunctionName="f:1"),
    "no items": error(unchecked.list_versions_by_function, FunctionName="f", MaxItems=0),
    "too many items": error(unchecked.list_versions_by_function, FunctionName="f", MaxItems=10_001),
    "a wrong marker": error(client.list_versions_by_function, FunctionName="f", Marker="garbage"),
    "a marker of another list": error(client.list_versions_by_function, FunctionName="f", Marker=marker),
    "a wrong name": error(unchecked.list_versions_by_function, FunctionName="a b"),
}
# A number is given once.
client.delete_function(FunctionName="f", Qualifier="3")
client.delete_function(FunctionName="f", Qualifier="2")
fourth = client.publish_version(FunctionName="f")
seen["a number is never given again"] = [fourth["Version"], fourth["CodeSha256"] == sha256(OTHER_CODE)]
seen["what is left"] = [version["Version"] for version in client.list_versions_by_function(FunctionName="f")["Versions"]]
seen["deleted"] = {
    "get": error(client.get_function, FunctionName="f", Qualifier="2"),
    "configuration": error(client.get_function_configuration, FunctionName="f:2"),
    "invoke": error(client.invoke, FunctionName="f", Qualifier="2"),
    "alias": error(client.create_alias, FunctionName="f", Name="a", FunctionVersion="2"),
}
# Versions are code, too.
usage = client.get_account_settings()["AccountUsage"]
seen["all versions count"] = [usage["FunctionCount"], usage["TotalCodeSize"] - len(CODE) - 2 * len(OTHER_CODE)]
done()
