"""Every member of a function's configuration: set when it is created, changed, cleared, and shown with the function, its
versions and in lists. Prints what it saw."""

from seen import *

ACCESS_POINT = "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0"
IN_S3 = (
    "arn:aws:s3files:us-east-1:000000000000:file-system/fs-0123456789abcdef0/access-point/fsap-0123456789abcdef0"
)
KEY = "arn:aws:kms:us-east-1:000000000000:key/0f4b9c1e-0000-4000-8000-000000000000"
NETWORK = {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"], "Ipv6AllowedForDualStack": True}
layer = client.publish_layer_version(LayerName="l", Content={"ZipFile": OTHER_CODE})["LayerVersionArn"]
GIVEN = {
    "Description": "all of it",
    "Timeout": 30,
    "MemorySize": 512,
    "VpcConfig": NETWORK,
    "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:dlq"},
    "Environment": {"Variables": {"KEY": "value"}},
    "KMSKeyArn": KEY,
    "TracingConfig": {"Mode": "Active"},
    "Layers": [layer],
    "FileSystemConfigs": [{"Arn": ACCESS_POINT, "LocalMountPath": "/mnt/data"}],
    "Architectures": ["x86_64"],
    "EphemeralStorage": {"Size": 1024},
    "SnapStart": {"ApplyOn": "PublishedVersions"},
    "LoggingConfig": {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "DEBUG",
        "SystemLogLevel": "WARN",
        "LogGroup": "/mine/all",
    },
    "PackageType": "Zip",
}
created = create("f", **GIVEN)
seen["created"] = shown(created)
wait("function_active_v2", FunctionName="f")
settled = client.get_function_configuration(FunctionName="f")


def differing(one, other):
    about = {"ResponseMetadata", "RevisionId", "LastModified", "RuntimeVersionConfig"}
    return sorted(
        member for member in {**one, **other} if one.get(member) != other.get(member) and member not in about
    )


seen["created: what settling changed"] = differing(created, settled)
listed = client.list_functions()["Functions"][0]
seen["listed: what is not"] = differing(settled, listed)
published = client.publish_version(FunctionName="f")
seen["published: what differs"] = {
    member: published.get(member) for member in differing(settled, published)
}
wait("published_version_active", FunctionName="f", Qualifier="1")
version = client.get_function_configuration(FunctionName="f", Qualifier="1")
seen["published: what settling changed"] = differing(published, version)
seen["published: it runs"] = client.invoke(FunctionName="f", Qualifier="1")["Payload"].read().decode()


def update(**change):
    reply = client.update_function_configuration(FunctionName="f", **change)
    wait("function_updated_v2", FunctionName="f")
    after = client.get_function_configuration(FunctionName="f")
    assert not set(differing(reply, after)) - {
        "LastUpdateStatus", "LastUpdateStatusReason", "LastUpdateStatusReasonCode"
    }, differing(reply, after)
    return after


same = update(Timeout=30)
seen["updated: nothing"] = differing(settled, same)
changed = update(
    VpcConfig={"SubnetIds": ["subnet-3"]},
    FileSystemConfigs=[{"Arn": IN_S3, "LocalMountPath": "/mnt/s3", "S3FilesConfig": {"DirectS3Read": "ENABLED"}}],
    LoggingConfig={"SystemLogLevel": "DEBUG"},
    TracingConfig={"Mode": "PassThrough"},
    EphemeralStorage={"Size": 2048},
)
seen["updated"] = {member: changed.get(member) for member in differing(same, changed)}
cleared = update(
    Description="",
    VpcConfig={"SubnetIds": [], "SecurityGroupIds": [], "Ipv6AllowedForDualStack": False},
    DeadLetterConfig={"TargetArn": ""},
    Environment={"Variables": {}},
    KMSKeyArn="",
    Layers=[],
    FileSystemConfigs=[],
    SnapStart={"ApplyOn": "None"},
    LoggingConfig={"LogFormat": "Text"},
)
seen["cleared"] = {member: cleared.get(member) for member in differing(changed, cleared)}
seen["the version is as it was"] = differing(version, client.get_function_configuration(FunctionName="f:1"))


def refused(**change):
    return error(create, name="new", **change)


system = [{"Arn": ACCESS_POINT, "LocalMountPath": "/mnt/data"}]
long_list = [f"subnet-{number}" for number in range(17)]
wrong = {
    "subnets without security groups": {"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": []}},
    "security groups without subnets": {"VpcConfig": {"SubnetIds": [], "SecurityGroupIds": ["sg-1"]}},
    "six security groups": {
        "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": [f"sg-{number}" for number in range(6)]}
    },
    "seventeen subnets": {"VpcConfig": {"SubnetIds": long_list, "SecurityGroupIds": ["sg-1"]}},
    "a file system without a network": {"FileSystemConfigs": system},
    "two file systems": {"VpcConfig": NETWORK, "FileSystemConfigs": system * 2},
    "a path elsewhere": {
        "VpcConfig": NETWORK,
        "FileSystemConfigs": [{"Arn": ACCESS_POINT, "LocalMountPath": "/data"}],
    },
    "an access point that is none": {
        "VpcConfig": NETWORK,
        "FileSystemConfigs": [{"Arn": "fsap-1", "LocalMountPath": "/mnt/data"}],
    },
    "snapshots of something else": {"SnapStart": {"ApplyOn": "Always"}},
    "a mode of tracing that is none": {"TracingConfig": {"Mode": "On"}},
    "a key that is none": {"KMSKeyArn": "key"},
    "a format that is none": {"LoggingConfig": {"LogFormat": "XML"}},
    "a level that is none": {"LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "LOUD"}},
    "a log group that is none": {"LoggingConfig": {"LogGroup": "a b"}},
    "an image's configuration": {"ImageConfig": {"Command": ["app.handler"]}},
}
seen["create: errors"] = {what: refused(**change) for what, change in wrong.items()}
same_errors = {
    what: error(unchecked.update_function_configuration, FunctionName="f", **change) for what, change in wrong.items()
}
seen["update: errors"] = {what: text for what, text in same_errors.items() if text != seen["create: errors"][what]}
# The network cannot go before the file systems that it leads to.
update(VpcConfig=NETWORK, FileSystemConfigs=system)
seen["update: a network that is needed"] = error(
    client.update_function_configuration, FunctionName="f", VpcConfig={"SubnetIds": [], "SecurityGroupIds": []}
)
update(VpcConfig={"SubnetIds": [], "SecurityGroupIds": []}, FileSystemConfigs=[])
last = client.get_function_configuration(FunctionName="f")
seen["update: both at once"] = [last["VpcConfig"], "FileSystemConfigs" in last]
done()
