"""CreateFunction, GetFunction, GetFunctionConfiguration, ListFunctions, UpdateFunctionConfiguration, DeleteFunction: each
well, with each error that AWS documents of it, and by page. Prints what it saw."""

import urllib.request

from seen import *

# CreateFunction
least = create("least")
seen["create: least"] = shown(least)
wait("function_active_v2", FunctionName="least")
seen["get: once it is active"] = shown(client.get_function_configuration(FunctionName="least"))
seen["create: another revision once it is active"] = revision("least") != least["RevisionId"]
published = create("published", Publish=True, Tags={"team": "blue"}, Description="d")
seen["create: published at once"] = [published[member] for member in ["FunctionArn", "Version", "State"]]
wait("function_active_v2", FunctionName="published")
wait("published_version_active", FunctionName="published", Qualifier="1")
by_arn = create(arn("by-arn"))
seen["create: by ARN"] = by_arn["FunctionName"]
seen["create: by partial ARN"] = create("000000000000:function:by-partial-arn")["FunctionName"]


def refused(name="new", **change):
    return error(create, name=name, **change)


signing = "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0"
errors = {
    "a name that is taken": refused("least"),
    "a name of 65": refused("x" * 65),
    "a name of 141": refused("x" * 141),
    "of another region": refused("arn:aws:lambda:eu-west-1:000000000000:function:f"),
    "of another account": refused("arn:aws:lambda:us-east-1:123456789012:function:f"),
    "without a name": refused(None),
    "without a role": refused(Role=None),
    "without code": refused(Code=None),
    "with no source of code": refused(Code={}),
    "without a runtime": refused(Runtime=None),
    "without a handler": refused(Handler=None),
    "a role that is none": refused(Role="r1"),
    "an unknown runtime": refused(Runtime="non-existent-runtime"),
    "a retired runtime": refused(Runtime="nodejs12.x"),
    "a time-out of 0": refused(Timeout=0),
    "a time-out of 901": refused(Timeout=901),
    "memory of 127": refused(MemorySize=127),
    "memory of 10241": refused(MemorySize=10_241),
    "a /tmp of 511": refused(EphemeralStorage={"Size": 511}),
    "a description of 257": refused(Description="x" * 257).replace("x" * 257, "<257>"),
    "two architectures": refused(Architectures=["x86_64", "arm64"]),
    "an unknown architecture": refused(Architectures=["X86_64"]),
    "a package that is no zip": refused(Code={"ZipFile": b"no zip"}),
    "two sources": refused(Code={"ZipFile": CODE, "S3Bucket": "bucket", "S3Key": "key"}),
    "a bucket that is not there": refused(Code={"S3Bucket": "no-such-bucket", "S3Key": "key"}),
    "too many variables": refused(Environment={"Variables": {"KEY": "x" * 4_087}}).replace("x" * 4_087, "<4087>"),
    "a reserved variable": refused(Environment={"Variables": {"AWS_REGION": "x"}}),
    "a variable of one letter": refused(Environment={"Variables": {"A": "x"}}),
    "levels of plain lines": refused(LoggingConfig={"LogFormat": "Text", "SystemLogLevel": "WARN"}),
    "six layers": refused(Layers=[f"arn:aws:lambda:us-east-1:000000000000:layer:l{n}:1" for n in range(6)]),
    "a layer that is not there": refused(Layers=["arn:aws:lambda:us-east-1:000000000000:layer:none:1"]),
    "a layer of another region": refused(Layers=["arn:aws:lambda:eu-west-1:000000000000:layer:l:1"]),
    "too many tags": refused(Tags={f"k{number}": "v" for number in range(51)}),
    "a code signing configuration that is not there": refused(CodeSigningConfigArn=signing),
    "a dead-letter target that is none": refused(DeadLetterConfig={"TargetArn": "queue"}),
    "a wrong type": refused(Timeout="long"),
    "all that is wrong at once": refused("a b", Role="r1", Timeout=0, MemorySize=1),
}
bucket = boto3.client("s3", config=Config(s3={"addressing_style": "path"}))
bucket.create_bucket(Bucket="code")
errors["a key that is not there"] = refused(Code={"S3Bucket": "code", "S3Key": "none.zip"})
bucket.put_object(Bucket="code", Key="one.zip", Body=CODE)
seen["create: from S3"] = create("from-s3", Code={"S3Bucket": "code", "S3Key": "one.zip"})["CodeSha256"] == sha256(CODE)
seen["create: errors"] = errors

# GetFunction and GetFunctionConfiguration
got = client.get_function(FunctionName="published")
seen["get: function"] = shown(got)
seen["get: its code"] = urllib.request.urlopen(got["Code"]["Location"]).read() == CODE
seen["get: digest and size"] = [got["Configuration"][member] for member in ["CodeSha256", "CodeSize"]] == [
    sha256(CODE),
    len(CODE),
]
client.put_function_concurrency(FunctionName="published", ReservedConcurrentExecutions=7)
seen["get: reserved concurrency"] = client.get_function(FunctionName="published")["Concurrency"]
seen["get: members without tags"] = sorted(client.get_function(FunctionName="least"))
client.create_alias(FunctionName="published", Name="live", FunctionVersion="1")
for qualifier in ["1", "live", "$LATEST"]:
    configuration = client.get_function_configuration(FunctionName="published", Qualifier=qualifier)
    of_function = client.get_function(FunctionName=f"published:{qualifier}")["Configuration"]
    of_both = [{**of, "ResponseMetadata": None} for of in (configuration, of_function)]
    assert of_both[0] == of_both[1], of_both
    seen[f"get: {qualifier}"] = [configuration["FunctionArn"], configuration["Version"]]
seen["get: by ARN"] = client.get_function(FunctionName=arn("published:live"))["Configuration"]["FunctionArn"]
for operation in ["get_function", "get_function_configuration"]:
    call = getattr(unchecked, operation)
    seen[f"{operation}: errors"] = {
        "not there": error(call, FunctionName="none"),
        "no such version": error(call, FunctionName="least", Qualifier="42"),
        "no such alias": error(call, FunctionName="least:none"),
        "of another region": error(call, FunctionName=arn("f").replace("us-east-1", "ap-southeast-1")),
        "of another account": error(call, FunctionName=arn("f").replace("000000000000", "123456789012")),
        "two qualifiers": error(call, FunctionName="published:1", Qualifier="2"),
        "two that are the same": error(call, FunctionName="published:1", Qualifier="1"),
        "a wrong name": error(call, FunctionName="a b"),
        "a wrong qualifier": error(call, FunctionName="least", Qualifier="a b"),
    }

# ListFunctions
wait("function_active_v2", FunctionName="by-arn")
wait("function_active_v2", FunctionName="by-partial-arn")
wait("function_active_v2", FunctionName="from-s3")
listed = client.list_functions()
seen["list"] = [sorted(listed), [function["FunctionName"] for function in listed["Functions"]]]
entry = next(function for function in listed["Functions"] if function["FunctionName"] == "published")
seen["list: an entry"] = put_aside(entry)
seen["list: by page"] = pages("list_functions", "Functions", "FunctionName", 2)
seen["list: all versions by page"] = pages("list_functions", "Functions", "FunctionArn", 4, FunctionVersion="ALL")
seen["list: of the edge"] = shown(client.list_functions(MasterRegion="us-east-1"))
seen["list: errors"] = {
    "no items": error(unchecked.list_functions, MaxItems=0),
    "too many items": error(unchecked.list_functions, MaxItems=10_001),
    "a wrong marker": error(client.list_functions, Marker="garbage"),
    "a wrong version": error(unchecked.list_functions, FunctionVersion="1"),
    "a wrong region": error(client.list_functions, MasterRegion="moon"),
}
# A page has fifty at most, whatever is asked for.
for number in range(46):
    create(f"one-of-many-{number:02}")
first = client.list_functions(MaxItems=10_000)
rest = client.list_functions(Marker=first["NextMarker"])
seen["list: fifty on a page"] = [len(first["Functions"]), len(rest["Functions"]), "NextMarker" in rest]
for number in range(46):
    client.delete_function(FunctionName=f"one-of-many-{number:02}")

# UpdateFunctionConfiguration
before = client.get_function_configuration(FunctionName="least")
changed = client.update_function_configuration(
    FunctionName="least",
    Description="changed",
    Timeout=9,
    MemorySize=256,
    Environment={"Variables": {"KEY": "ü", "OTHER": ""}},
    RevisionId=before["RevisionId"],
)
seen["update"] = shown(changed)
wait("function_updated_v2", FunctionName="least")
after = client.get_function_configuration(FunctionName="least")
seen["update: what settling changed"] = sorted(
    member
    for member in {**changed, **after}
    if after.get(member) != changed.get(member) and member != "ResponseMetadata"
)
seen["update: states"] = [before["LastUpdateStatus"], changed["LastUpdateStatus"], after["LastUpdateStatus"]]
seen["update: reasons are gone"] = [member for member in after if "Reason" in member]
seen["update: revisions"] = len({of["RevisionId"] for of in (before, changed, after)})
client.update_function_configuration(FunctionName="least", Environment={"Variables": {"NEW": "1"}})
wait("function_updated", FunctionName="least")
after = client.get_function_configuration(FunctionName="least")
seen["update: variables are replaced as a whole"] = after["Environment"]
seen["update: what is not named stays"] = [after["Description"], after["Timeout"], after["MemorySize"]]
client.update_function_configuration(FunctionName="least", Environment={"Variables": {}}, Description="")
wait("function_updated", FunctionName="least")
after = client.get_function_configuration(FunctionName="least")
seen["update: cleared"] = [after["Environment"], after["Description"]]


def not_updated(name="least", **change):
    return error(unchecked.update_function_configuration, FunctionName=name, **change)


seen["update: errors"] = {
    "not there": not_updated("none", Timeout=3),
    "an old revision": not_updated(Timeout=3, RevisionId=before["RevisionId"]),
    "a version": not_updated("published:1", Timeout=3),
    "of another region": not_updated(arn("f").replace("us-east-1", "eu-west-1")),
    "a role that is none": not_updated(Role="r1"),
    "an unknown runtime": not_updated(Runtime="non-existent-runtime"),
    "a retired runtime": not_updated(Runtime="go1.x"),
    "a time-out of 901": not_updated(Timeout=901),
    "a handler with a blank": not_updated(Handler="a b"),
    "a reserved variable": not_updated(Environment={"Variables": {"LAMBDA_TASK_ROOT": "x"}}),
    "levels of plain lines": not_updated(LoggingConfig={"ApplicationLogLevel": "INFO"}),
    "a layer that is not there": not_updated(Layers=["arn:aws:lambda:us-east-1:000000000000:layer:none:1"]),
    "too many wrong things": not_updated(Timeout=0, MemorySize=0),
}
seen["update: errors change nothing"] = revision("least") == after["RevisionId"]

# DeleteFunction
client.add_permission(FunctionName="published", StatementId="s", Action="lambda:*", Principal="*")
seen["delete: errors"] = {
    "not there": error(client.delete_function, FunctionName="none"),
    "a version of one that is not there": error(client.delete_function, FunctionName="none", Qualifier="1"),
    "the latest": error(client.delete_function, FunctionName="published", Qualifier="$LATEST"),
    "an alias": error(client.delete_function, FunctionName="published", Qualifier="live"),
    "a version that an alias points to": error(client.delete_function, FunctionName="published", Qualifier="1"),
    "a wrong name": error(unchecked.delete_function, FunctionName="a b"),
    "of another account": error(client.delete_function, FunctionName=arn("f").replace("000000000000", "123456789012")),
}
seen["delete: a version that is not there"] = shown(client.delete_function(FunctionName="published", Qualifier="42"))
client.delete_alias(FunctionName="published", Name="live")
seen["delete: a version"] = shown(client.delete_function(FunctionName="published", Qualifier="1"))
seen["delete: the version is gone"] = error(client.get_function, FunctionName="published:1")
seen["delete"] = shown(client.delete_function(FunctionName="published"))
gone = ["get_function", "get_policy", "list_versions_by_function", "list_aliases", "get_function_concurrency"]
seen["delete: all of it is gone"] = {
    operation: error(getattr(client, operation), FunctionName="published") for operation in gone
}
again = active("published")
seen["delete: a new one of the name has nothing of the old one"] = [
    client.publish_version(FunctionName="published")["Version"],
    client.list_aliases(FunctionName="published")["Aliases"],
    error(client.get_policy, FunctionName="published"),
    client.list_tags(Resource=again["FunctionArn"])["Tags"],
]
done()
