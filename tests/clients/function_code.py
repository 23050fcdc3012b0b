"""UpdateFunctionCode: each way, with each error that AWS documents of it. Prints what it saw."""

from seen import *

active("f", Description="d")
one = client.get_function_configuration(FunctionName="f")
changed = client.update_function_code(FunctionName="f", ZipFile=OTHER_CODE, RevisionId=one["RevisionId"])
seen["update"] = shown(changed)
seen["update: digest and size"] = [changed[member] for member in ["CodeSha256", "CodeSize"]] == [
    sha256(OTHER_CODE),
    len(OTHER_CODE),
]
wait("function_updated_v2", FunctionName="f")
another = client.get_function_configuration(FunctionName="f")
seen["update: what settling changed"] = sorted(
    member
    for member in {**changed, **another}
    if another.get(member) != changed.get(member) and member != "ResponseMetadata"
)
seen["update: states"] = [of["LastUpdateStatus"] for of in (one, changed, another)]
seen["update: revisions"] = len({of["RevisionId"] for of in (one, changed, another)})
seen["update: it is what runs"] = client.invoke(FunctionName="f")["Payload"].read().decode()

# The same code once more is a change, too.
client.update_function_code(FunctionName="f", ZipFile=OTHER_CODE)
wait("function_updated", FunctionName="f")
same = client.get_function_configuration(FunctionName="f")
seen["the same: code, revision and time"] = [
    same["CodeSha256"] == another["CodeSha256"],
    same["RevisionId"] == another["RevisionId"],
    same["LastModified"] > another["LastModified"],
]

dry = client.update_function_code(FunctionName="f", ZipFile=CODE, DryRun=True, Publish=True)
seen["dry run"] = shown(dry)
seen["dry run: the code that would be"] = dry["CodeSha256"] == sha256(CODE)
seen["dry run: changes nothing"] = [
    {**client.get_function_configuration(FunctionName="f"), "ResponseMetadata": None}
    == {**same, "ResponseMetadata": None},
    [version["Version"] for version in client.list_versions_by_function(FunctionName="f")["Versions"]],
]

published = client.update_function_code(FunctionName="f", ZipFile=CODE, Publish=True, Architectures=["x86_64"])
seen["published at once"] = shown(published)
wait("published_version_active", FunctionName="f", Qualifier="1")
wait("function_updated_v2", FunctionName="f")
seen["published at once: it runs"] = client.invoke(FunctionName="f:1")["Payload"].read().decode()

bucket = boto3.client("s3", config=Config(s3={"addressing_style": "path"}))
bucket.create_bucket(Bucket="code")
bucket.put_object(Bucket="code", Key="two.zip", Body=OTHER_CODE)
from_s3 = client.update_function_code(FunctionName="f", S3Bucket="code", S3Key="two.zip")
seen["from S3"] = from_s3["CodeSha256"] == sha256(OTHER_CODE)
wait("function_updated_v2", FunctionName="f")
latest = revision("f")


def refused(name="f", **change):
    return error(unchecked.update_function_code, FunctionName=name, **change)


image = "000000000000.dkr.ecr.us-east-1.amazonaws.com/i:1"
errors = {
    "not there": refused("none", ZipFile=CODE),
    "a version": refused("f:1", ZipFile=CODE),
    "of another region": refused(arn("f").replace("us-east-1", "eu-west-1"), ZipFile=CODE),
    "of another account": refused(arn("f").replace("000000000000", "123456789012"), ZipFile=CODE),
    "a wrong name": refused("a b", ZipFile=CODE),
    "an old revision": refused(ZipFile=CODE, RevisionId=one["RevisionId"]),
    "no source": refused(),
    "two sources": refused(ZipFile=CODE, S3Bucket="code", S3Key="two.zip"),
    "a package that is no zip": refused(ZipFile=b"no zip"),
    "a dry run of it": refused(ZipFile=b"no zip", DryRun=True),
    "an image": refused(ImageUri=image),
    "a bucket that is not there": refused(S3Bucket="no-such-bucket", S3Key="two.zip"),
    "a key that is not there": refused(S3Bucket="code", S3Key="none.zip"),
    "an unknown architecture": refused(ZipFile=CODE, Architectures=["X86_64"]),
}
configuration = client.create_code_signing_config(
    AllowedPublishers={
        "SigningProfileVersionArns": ["arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/0123456789"]
    },
    CodeSigningPolicies={"UntrustedArtifactOnDeployment": "Enforce"},
)["CodeSigningConfig"]["CodeSigningConfigArn"]
seen["errors change nothing"] = revision("f") == latest
client.put_function_code_signing_config(FunctionName="f", CodeSigningConfigArn=configuration)
errors["code that is not signed"] = refused(ZipFile=CODE)
seen["errors"] = errors
done()
