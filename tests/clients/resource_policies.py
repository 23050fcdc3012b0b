"""What the policies of functions, layers and roles let another account do, and deny one's own; with boto3.

The owner's key is in the environment. Arguments: for each caller a name, a key and its secret. Prints what each was answered,
step by step.
"""

import io
import json
import sys
import zipfile

import boto3
from botocore.client import Config
from botocore.exceptions import ClientError

ONCE = Config(retries={"total_max_attempts": 1})
ECHO = "arn:aws:lambda:us-east-1:000000000000:function:echo"
OTHER = "222222222222"
keys = {name: (key, secret, None) for name, key, secret in zip(sys.argv[1::3], sys.argv[2::3], sys.argv[3::3])}
seen = {}


def client(who, service="lambda"):
    if who == "owner":
        return boto3.client(service, config=ONCE)
    key, secret, token = keys[who]
    return boto3.client(
        service, aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token, config=ONCE)


def outcome(call, **arguments):
    try:
        call(**arguments)
        return "ok"
    except ClientError as error:
        text = error.response["Error"]["Message"]
        return f"{error.response['ResponseMetadata']['HTTPStatusCode']} {error.response['Error']['Code']}: {text}"


def short(text):
    """The last words say why."""
    for end, why in {
        "because no identity-based policy allows": "no right",
        "because no resource-based policy allows": "not let in",
        "with an explicit deny in a resource-based policy": "denied",
        "with an explicit deny in an identity-based policy": "denied by itself",
    }.items():
        if end in text:
            assert text.startswith(("403 AccessDenied", "400 AccessDeniedException")), text
            return why
    return text


def invoke(step, *callers, arn=ECHO, **more):
    seen[step] = " | ".join(
        f"{who}: {short(outcome(client(who).invoke, FunctionName=arn, **more))}" for who in callers)


owner = client("owner")
owner.publish_version(FunctionName="echo")
owner.create_alias(FunctionName="echo", Name="live", FunctionVersion="1")
everybody = ["owner", "bob", "eve", "dan", "zoe"]

# Functions.
invoke("01 no policy", *everybody)
seen["02 in full"] = outcome(client("eve").invoke, FunctionName=ECHO)
grant = {"FunctionName": "echo", "Action": "lambda:InvokeFunction"}
owner.add_permission(StatementId="a", Principal=OTHER, **grant)
invoke("03 the other account", *everybody)
invoke("04 only this", "eve", arn=ECHO + ":live")
invoke("05 $LATEST is the function", "eve", Qualifier="$LATEST")
invoke("06 another qualifier", "eve", Qualifier="live")
invoke("07 as an event", "eve", InvocationType="Event")
seen["08 another action"] = short(outcome(client("eve").get_function, FunctionName=ECHO))
seen["09 a name is one's own"] = outcome(client("eve").invoke, FunctionName="echo")
owner.remove_permission(FunctionName="echo", StatementId="a")
invoke("10 no more", "eve")
owner.add_permission(StatementId="a", Principal=f"arn:aws:iam::{OTHER}:user/eve", Qualifier="live", **grant)
invoke("11 an alias, by name", *everybody, arn=ECHO + ":live")
invoke("12 not the function", "eve")
owner.add_permission(StatementId="o", Principal="*", PrincipalOrgID="o-1a2b3c4d5e", **grant)
invoke("13 an organization", *everybody)
owner.add_permission(StatementId="b", Principal="*", **grant)
invoke("14 everybody", *everybody)
owner.add_permission(
    StatementId="g", Principal=OTHER, FunctionName="echo", Action="lambda:GetFunctionConfiguration")
seen["15 another action"] = outcome(client("eve").get_function_configuration, FunctionName=ECHO)


def statement(**more):
    return {"Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction", "Resource": ECHO, **more}


def put(*statements):
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    owner.put_resource_policy(ResourceArn=ECHO, Policy=policy)


other = {"AWS": f"arn:aws:iam::{OTHER}:root"}
put(statement(), statement(Effect="Deny", Principal=other, Action="lambda:*"))
invoke("16 all but the other account", *everybody)
put(statement(), statement(Effect="Deny", Condition={"StringNotEquals": {"aws:PrincipalAccount": OTHER}}))
invoke("17 the other account alone", *everybody)
put(statement(Effect="Deny", Action="*"))
invoke("18 nobody", *everybody)
invoke("19 nor its latest version", "owner", Qualifier="$LATEST")
seen["20 nobody sees it"] = short(outcome(owner.get_function, FunctionName="echo"))
seen["21 but its policy can be taken away"] = outcome(owner.delete_resource_policy, ResourceArn=ECHO)
invoke("22 as before", *everybody)
seen["23 what is not known is not taken"] = outcome(
    owner.put_resource_policy, ResourceArn=ECHO, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        statement(Effect="Deny", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})]}))

# What has no policy.
for service, operation, arguments in [
    ("lambda", "list_functions", {}),
    ("lambda", "get_account_settings", {}),
    ("logs", "describe_log_groups", {}),
    ("s3", "list_buckets", {}),
    ("iam", "list_roles", {}),
]:
    seen[f"30 {service} {operation}"] = short(outcome(getattr(client("eve", service), operation), **arguments))
identity = client("eve", "sts").get_caller_identity()
seen["31 who"] = f"{identity['Account']} {identity['Arn']}"

# Layers.
package = io.BytesIO()
with zipfile.ZipFile(package, "w") as archive:
    archive.writestr("python/shared.py", "x = 1\n")
layer = owner.publish_layer_version(LayerName="shared", Content={"ZipFile": package.getvalue()})["LayerVersionArn"]
named = {"LayerName": layer.rsplit(":", 1)[0], "VersionNumber": 1}


def layers(step):
    seen[step] = " | ".join(
        f"{who}: {short(outcome(client(who).get_layer_version, **named))}, by its ARN "
        f"{short(outcome(client(who).get_layer_version_by_arn, Arn=layer))}" for who in ["eve", "dan", "zoe"])


owner.add_permission(
    StatementId="u", Principal=OTHER, FunctionName="echo", Action="lambda:UpdateFunctionConfiguration")
layers("40 no policy")
seen["41 used by a function"] = outcome(
    client("eve").update_function_configuration, FunctionName=ECHO, Layers=[layer])
permission = {"LayerName": "shared", "VersionNumber": 1, "Action": "lambda:GetLayerVersion"}
owner.add_layer_version_permission(StatementId="a", Principal=OTHER, **permission)
layers("42 the other account")
seen["43 used by a function"] = outcome(
    client("eve").update_function_configuration, FunctionName=ECHO, Layers=[layer])
seen["44 not deleted"] = short(outcome(client("eve").delete_layer_version, **named))
owner.remove_layer_version_permission(LayerName="shared", VersionNumber=1, StatementId="a")
owner.add_layer_version_permission(
    StatementId="o", Principal="*", OrganizationId="o-1a2b3c4d5e", **permission)
layers("45 an organization")

# Roles.
iam = client("owner", "iam")
ROLE = "arn:aws:iam::000000000000:role/guests/guest"


def trust(**more):
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "sts:AssumeRole", **more}]})


def assume(who, **more):
    return outcome(client(who, "sts").assume_role, RoleArn=ROLE, RoleSessionName="visit", **more)


seen["50 no such role"] = short(assume("eve"))
iam.create_role(RoleName="guest", Path="/guests/", AssumeRolePolicyDocument=trust())
seen["51 trusted"] = " | ".join(f"{who}: {short(assume(who))}" for who in everybody)
conditional = trust(Condition={"StringEquals": {"sts:ExternalId": "42"}})
iam.update_assume_role_policy(RoleName="guest", PolicyDocument=conditional)
seen["52 with an id"] = f"{short(assume('eve'))} | {short(assume('eve', ExternalId='43'))} | " \
    f"{short(assume('eve', ExternalId='42'))}"
session = client("eve", "sts").assume_role(RoleArn=ROLE, RoleSessionName="visit", ExternalId="42")["Credentials"]
keys["guest"] = (session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
seen["53 who"] = client("guest", "sts").get_caller_identity()["Arn"]
owner.remove_permission(FunctionName="echo", StatementId="u")
invoke("54 a role without a policy", "guest")
iam.put_role_policy(RoleName="guest", PolicyName="p", PolicyDocument=json.dumps({"Statement": [
    {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": ECHO}]}))
invoke("55 with one", "guest")
invoke("56 for this function alone", "guest", arn=ECHO + ":live")
owner.add_permission(StatementId="r", Principal=ROLE, Qualifier="live", **grant)
invoke("57 named by the alias", "guest", arn=ECHO + ":live")
put(statement(Effect="Deny", Principal={"AWS": ROLE}))
invoke("58 denied by the function", "guest")
owner.delete_resource_policy(ResourceArn=ECHO)
iam.attach_role_policy(RoleName="guest", PolicyArn="arn:aws:iam::aws:policy/AWSLambda_ReadOnlyAccess")
seen["59 a policy of AWS"] = outcome(client("guest").list_functions)
iam.put_role_policy(RoleName="guest", PolicyName="d", PolicyDocument=json.dumps({"Statement": [
    {"Effect": "Deny", "NotAction": "lambda:InvokeFunction", "Resource": "*"}]}))
seen["60 and one that denies"] = short(outcome(client("guest").list_functions))
json.dump(seen, sys.stdout)
