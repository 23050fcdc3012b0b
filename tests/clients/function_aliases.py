"""CreateAlias, GetAlias, ListAliases, UpdateAlias, DeleteAlias: each well, with each error that AWS documents of it, and by
page. Prints what it saw."""

from seen import *

active("f", Publish=True)
client.update_function_code(FunctionName="f", ZipFile=OTHER_CODE, Publish=True)
wait("function_updated_v2", FunctionName="f")
wait("published_version_active", FunctionName="f", Qualifier="2")

created = client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
seen["create"] = shown(created)
weights = {"AdditionalVersionWeights": {"2": 0.25}}
both = client.create_alias(
    FunctionName=arn("f"), Name="both", FunctionVersion="1", Description="two versions", RoutingConfig=weights
)
seen["create: with a share"] = shown(both)
seen["create: of the latest"] = client.create_alias(FunctionName="f", Name="edge", FunctionVersion="$LATEST")[
    "FunctionVersion"
]


def refused(call=unchecked.create_alias, **change):
    request = {"FunctionName": "f", "Name": "new", "FunctionVersion": "1", **change}
    return error(call, **{member: value for member, value in request.items() if value is not None})


def shared(**weights):
    return {"AdditionalVersionWeights": {version.strip("v"): weight for version, weight in weights.items()}}


latest_weight = {"AdditionalVersionWeights": {"$LATEST": 0.5}}
wrong_weights = {
    "two more versions": {"RoutingConfig": shared(v1=0.1, v2=0.1)},
    "the same version": {"RoutingConfig": shared(v1=0.5)},
    "a weight above 1": {"RoutingConfig": shared(v2=1.5)},
    "a weight below 0": {"RoutingConfig": shared(v2=-0.5)},
    "a share of the latest": {"RoutingConfig": latest_weight},
    "of the latest and another": {"FunctionVersion": "$LATEST", "RoutingConfig": shared(v1=0.5)},
    "a share of a version that is not there": {"RoutingConfig": shared(v9=0.5)},
    "a version that is not there": {"FunctionVersion": "10"},
    "a version that is none": {"FunctionVersion": "live"},
    "a long description": {"Description": "x" * 257},
}


def brief(text):
    return text.replace("x" * 257, "<257>").replace("x" * 129, "<129>")


seen["create: errors"] = {
    "a name that is taken": refused(Name="live"),
    "a number": refused(Name="2024"),
    "a name with a blank": refused(Name="a b"),
    "a long name": brief(refused(Name="x" * 129)),
    "without a name": refused(Name=None),
    "without a version": refused(FunctionVersion=None),
    "a function that is not there": refused(FunctionName="none"),
    "of a version": refused(FunctionName="f:1"),
    "of another region": refused(FunctionName=arn("f").replace("us-east-1", "eu-west-1")),
    "of another account": refused(FunctionName=arn("f").replace("000000000000", "123456789012")),
    **{what: brief(refused(**change)) for what, change in wrong_weights.items()},
}

seen["get"] = shown(client.get_alias(FunctionName="f", Name="both"))
seen["get: without a share"] = sorted(client.get_alias(FunctionName="f", Name="live"))
seen["get: errors"] = {
    "not there": error(client.get_alias, FunctionName="f", Name="none"),
    "a function that is not there": error(client.get_alias, FunctionName="none", Name="live"),
    "a wrong name": error(unchecked.get_alias, FunctionName="f", Name="42"),
    "of a version": error(client.get_alias, FunctionName="f:1", Name="live"),
}

updated = client.update_alias(FunctionName="f", Name="both", RevisionId=both["RevisionId"], FunctionVersion="2",
                              RoutingConfig={"AdditionalVersionWeights": {"1": 1.0}})
seen["update"] = shown(updated)
seen["update: all calls may go to the other version"] = [
    client.invoke(FunctionName="f:both")["ExecutedVersion"] for _ in range(3)
]
cleared = client.update_alias(FunctionName="f", Name="both", RoutingConfig={"AdditionalVersionWeights": {}})
seen["update: the share is taken away"] = shown(cleared)
seen["update: revisions"] = len({alias["RevisionId"] for alias in (both, updated, cleared)})
seen["update: nothing"] = {
    member: value for member, value in shown(client.update_alias(FunctionName="f", Name="both")).items()
}
seen["update: errors"] = {
    "not there": refused(unchecked.update_alias, Name="none"),
    "a function that is not there": refused(unchecked.update_alias, FunctionName="none", Name="live"),
    "an old revision": refused(unchecked.update_alias, Name="both", RevisionId=both["RevisionId"]),
    "a wrong name": refused(unchecked.update_alias, Name="42"),
    **{what: brief(refused(unchecked.update_alias, Name="live", **change)) for what, change in wrong_weights.items()},
}
seen["update: errors change nothing"] = client.get_alias(FunctionName="f", Name="live")["RevisionId"] == created["RevisionId"]

listed = client.list_aliases(FunctionName="f")
seen["list"] = [sorted(listed), put_aside(listed["Aliases"])]
seen["list: by page"] = pages("list_aliases", "Aliases", "Name", 2, FunctionName="f")
seen["list: of a version"] = [
    [alias["Name"] for alias in client.list_aliases(FunctionName="f", FunctionVersion=version)["Aliases"]]
    for version in ["1", "2", "$LATEST"]
]
seen["list: errors"] = {
    "a function that is not there": error(client.list_aliases, FunctionName="none"),
    "no items": error(unchecked.list_aliases, FunctionName="f", MaxItems=0),
    "too many items": error(unchecked.list_aliases, FunctionName="f", MaxItems=10_001),
    "a wrong marker": error(client.list_aliases, FunctionName="f", Marker="garbage"),
    "a version that is none": error(unchecked.list_aliases, FunctionName="f", FunctionVersion="live"),
}

client.add_permission(FunctionName="f", StatementId="s", Action="lambda:*", Principal="*", Qualifier="live")
client.create_function_url_config(FunctionName="f", AuthType="NONE", Qualifier="live")
client.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0, Qualifier="live")
seen["delete"] = shown(client.delete_alias(FunctionName="f", Name="live"))
seen["delete: twice"] = shown(client.delete_alias(FunctionName="f", Name="live"))
seen["delete: errors"] = {
    "a function that is not there": error(client.delete_alias, FunctionName="none", Name="live"),
    "a wrong name": error(unchecked.delete_alias, FunctionName="f", Name="42"),
}
seen["delete: what was with it is gone"] = {
    "alias": error(client.get_alias, FunctionName="f", Name="live"),
    "policy": error(client.get_policy, FunctionName="f", Qualifier="live"),
    "URL": error(client.get_function_url_config, FunctionName="f", Qualifier="live"),
    "event invoke config": error(client.get_function_event_invoke_config, FunctionName="f", Qualifier="live"),
    "function": error(client.get_function, FunctionName="f", Qualifier="live"),
}
client.create_alias(FunctionName="f", Name="live", FunctionVersion="2")
seen["delete: and a new one has nothing of it"] = {
    "policy": error(client.get_policy, FunctionName="f", Qualifier="live"),
    "URL": error(client.get_function_url_config, FunctionName="f", Qualifier="live"),
}
done()
