"""Takes the URLs of a function and of its alias through their life with boto3, and prints what it saw."""

import json

import boto3
from botocore.exceptions import ClientError

client = boto3.client("lambda")
name = "urls"
seen = {}


def shown(config):
    config.pop("ResponseMetadata", None)
    for time in ("CreationTime", "LastModifiedTime"):
        if time in config:
            assert len(config[time]) == len("2024-01-31T12:00:00.123456Z"), config
            config[time] = "<time>"
    if "FunctionUrl" in config:
        scheme, rest = config["FunctionUrl"].split("://")
        url_id, rest = rest.split(".", 1)
        assert len(url_id) == 32 and url_id.isalnum() and url_id == url_id.lower(), url_id
        config["FunctionUrl"] = f"{scheme}://<id>.{rest.split(':')[0]}:<port>/"
    return config


def error(call, **arguments):
    try:
        call(FunctionName=arguments.pop("FunctionName", name), **arguments)
    except ClientError as raised:
        status = raised.response["ResponseMetadata"]["HTTPStatusCode"]
        code, message = raised.response["Error"]["Code"], raised.response["Error"]["Message"]
        return f"{status} {code}: {message[:150]}"
    return "no error"


cors = {
    "AllowCredentials": True,
    "AllowHeaders": ["x-a"],
    "AllowMethods": ["GET", "POST"],
    "AllowOrigins": ["https://example.org"],
    "ExposeHeaders": ["x-b"],
    "MaxAge": 60,
}
seen["none yet"] = error(client.get_function_url_config)
created = client.create_function_url_config(FunctionName=name, AuthType="NONE")
url = created["FunctionUrl"]
seen["created"] = shown(created)
seen["twice"] = error(client.create_function_url_config, AuthType="NONE")
seen["of an alias that is not there"] = error(client.create_function_url_config, AuthType="NONE", Qualifier="live")
client.publish_version(FunctionName=name)
client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
seen["of an alias"] = shown(
    client.create_function_url_config(
        FunctionName=name, AuthType="AWS_IAM", Qualifier="live", Cors=cors, InvokeMode="RESPONSE_STREAM"
    )
)
seen["shown"] = shown(client.get_function_url_config(FunctionName=name))
updated = client.update_function_url_config(FunctionName=name, Cors=cors)
assert updated["FunctionUrl"] == url
seen["updated"] = shown(updated)
seen["cleared"] = "Cors" in client.update_function_url_config(FunctionName=name, Cors={})
seen["its mode"] = client.update_function_url_config(FunctionName=name, InvokeMode="RESPONSE_STREAM")["InvokeMode"]
listed = client.list_function_url_configs(FunctionName=name)
seen["listed"] = [config["FunctionArn"] for config in listed["FunctionUrlConfigs"]]
page = client.list_function_url_configs(FunctionName=name, MaxItems=1)
rest = client.list_function_url_configs(FunctionName=name, MaxItems=1, Marker=page["NextMarker"])
seen["paged"] = [config["FunctionArn"] for config in page["FunctionUrlConfigs"] + rest["FunctionUrlConfigs"]]
seen["last page"] = "NextMarker" in rest
for what, arguments in {
    "a version": {"Qualifier": "1"},
    "the latest version": {"Qualifier": "$LATEST"},
    "a function that is not there": {"FunctionName": "nope"},
    "a wrong auth type": {"AuthType": "ALL"},
    "a wrong mode": {"InvokeMode": "SLOW"},
    "a long age": {"Cors": {"MaxAge": 86401}},
    "a wrong method": {"Cors": {"AllowMethods": ["FETCHALL"]}},
}.items():
    seen[what] = error(client.create_function_url_config, **{"AuthType": "NONE", **arguments})
client.delete_alias(FunctionName=name, Name="live")
seen["gone with its alias"] = error(client.get_function_url_config, Qualifier="live")
client.delete_function_url_config(FunctionName=name)
seen["deleted"] = error(client.delete_function_url_config)
again = client.create_function_url_config(FunctionName=name, AuthType="NONE")
seen["another one"] = again["FunctionUrl"] != url
print(json.dumps(seen))
