"""AddPermission, GetPolicy, RemovePermission: each well, with each error that AWS documents of it. Prints what it saw."""

import json

from seen import *

active("f", Publish=True)
wait("published_version_active", FunctionName="f", Qualifier="1")
client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
GRANT = {"FunctionName": "f", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}


def add(sid, **change):
    return client.add_permission(**{**GRANT, "StatementId": sid, **change})


seen["none yet"] = error(client.get_policy, FunctionName="f")
of_function = revision("f")
added = add("service")
seen["add"] = shown(added)
seen["add: the function has another revision"] = revision("f") != of_function
first = client.get_policy(FunctionName="f")
for sid, change in {
    "bucket": {"SourceArn": "arn:aws:s3:::bucket", "SourceAccount": "123456789012"},
    "account": {"Principal": "123456789012"},
    "role": {"Principal": "arn:aws:iam::123456789012:role/r"},
    "everybody": {"Principal": "*", "PrincipalOrgID": "o-0123456789"},
    "url": {"Principal": "*", "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"},
    "by-url": {"Principal": "*", "InvokedViaFunctionUrl": True},
    "skill": {"Principal": "alexa-appkit.amazon.com", "EventSourceToken": "amzn1.ask.skill.1"},
    "all": {"Action": "lambda:*"},
}.items():
    seen[f"add: {sid}"] = add(sid, **change)["Statement"]
policy = client.get_policy(FunctionName="f")
seen["get"] = shown({**policy, "Policy": "<policy>"})
document = json.loads(policy["Policy"])
seen["get: the document"] = [
    sorted(document),
    document["Version"],
    document["Id"],
    [statement["Sid"] for statement in document["Statement"]],
]
seen["get: what was added"] = document["Statement"][0] == json.loads(added["Statement"])
seen["get: revisions"] = policy["RevisionId"] != first["RevisionId"]

# A version and an alias have policies of their own.
of_version = add("v", Qualifier="1")
seen["of a version"] = json.loads(of_version["Statement"])["Resource"]
of_alias = add("a", FunctionName="f:live")
seen["of an alias"] = json.loads(of_alias["Statement"])["Resource"]
seen["each its own"] = [
    [statement["Sid"] for statement in json.loads(client.get_policy(**of)["Policy"])["Statement"]]
    for of in ({"FunctionName": "f", "Qualifier": "1"}, {"FunctionName": "f:live"})
]
seen["each its own: not the function's"] = client.get_policy(FunctionName="f")["RevisionId"] == policy["RevisionId"]


def refused(**change):
    request = {**GRANT, "StatementId": "new", **change}
    given = {member: value for member, value in request.items() if value is not None}
    return error(unchecked.add_permission, **given).replace("x" * 101, "<101>")


seen["add: errors"] = {
    "twice": refused(StatementId="service"),
    "a function that is not there": refused(FunctionName="none"),
    "a version that is not there": refused(Qualifier="42"),
    "an alias that is not there": refused(Qualifier="none"),
    "of the latest": refused(Qualifier="$LATEST"),
    "of another region": refused(FunctionName=arn("f").replace("us-east-1", "eu-west-1")),
    "of another account": refused(FunctionName=arn("f").replace("000000000000", "123456789012")),
    "two qualifiers": refused(FunctionName="f:1", Qualifier="live"),
    "without an id": refused(StatementId=None),
    "a wrong id": refused(StatementId="a b"),
    "a long id": refused(StatementId="x" * 101),
    "a wrong action": refused(Action="s3:GetObject"),
    "a wrong principal": refused(Principal="me"),
    "a principal with a blank": refused(Principal="a b"),
    "a wrong source": refused(SourceArn="bucket"),
    "a wrong account": refused(SourceAccount="1"),
    "a wrong organization": refused(PrincipalOrgID="o-1"),
    "a wrong auth type": refused(FunctionUrlAuthType="ALL"),
    "a wrong token": refused(EventSourceToken="a b"),
    "an old revision": refused(RevisionId=first["RevisionId"]),
}
number = 0
while (room := refused(StatementId=f"s{number:0>99}")) == "no error":
    number += 1
seen["add: no room"] = re.sub(r"\(\d+\) is", "(<bytes>) is", room)
for added_too in range(number):
    client.remove_permission(FunctionName="f", StatementId=f"s{added_too:0>99}")

seen["get: errors"] = {
    "a function that is not there": error(client.get_policy, FunctionName="none"),
    "a version that is not there": error(client.get_policy, FunctionName="f", Qualifier="42"),
    "an alias that is not there": error(client.get_policy, FunctionName="f", Qualifier="none"),
    "a wrong name": error(unchecked.get_policy, FunctionName="a b"),
    "two qualifiers": error(client.get_policy, FunctionName="f:1", Qualifier="live"),
}

remove = client.remove_permission
active("g")
seen["remove: errors"] = {
    "a function that is not there": error(remove, FunctionName="none", StatementId="s"),
    "without a policy": error(remove, FunctionName="g", StatementId="s"),
    "a statement that is not there": error(remove, FunctionName="f", StatementId="none"),
    "one of the function, of a version": error(remove, FunctionName="f", StatementId="service", Qualifier="1"),
    "an old revision": error(remove, FunctionName="f", StatementId="all", RevisionId=first["RevisionId"]),
    "a version that is not there": error(remove, FunctionName="f", StatementId="all", Qualifier="42"),
    "a wrong id": error(unchecked.remove_permission, FunctionName="f", StatementId="a b"),
}
latest = client.get_policy(FunctionName="f")["RevisionId"]
seen["remove"] = shown(remove(FunctionName="f", StatementId="all", RevisionId=latest))
seen["remove: another revision"] = client.get_policy(FunctionName="f")["RevisionId"] != latest
for statement in json.loads(client.get_policy(FunctionName="f")["Policy"])["Statement"]:
    remove(FunctionName="f", StatementId=statement["Sid"])
seen["remove: the last"] = error(client.get_policy, FunctionName="f")
seen["remove: of a version"] = shown(remove(FunctionName="f", StatementId="v", Qualifier="1"))
seen["remove: none of the version is left"] = error(client.get_policy, FunctionName="f", Qualifier="1")
seen["remove: that of the alias is"] = json.loads(client.get_policy(FunctionName="f:live")["Policy"])["Statement"][0]["Sid"]
done()
