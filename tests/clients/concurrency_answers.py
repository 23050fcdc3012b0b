"""Every answer of the operations on reserved and provisioned concurrency, and of GetAccountSettings, as boto3 gets
them."""

import json

from recorded import ARN, ELSEWHERE, THEIRS, answer, client, create, pages, publish, until

SOURCE = """
import os
if os.environ.get("BROKEN"):
    raise RuntimeError("it does not start")
def handler(event, context):
    return os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]
"""

create("limits", SOURCE)
for name, change in {"1": {"Description": "1"}, "2": {"Environment": {"Variables": {"BROKEN": "yes"}}}}.items():
    assert publish("limits", **change) == name
client.create_alias(FunctionName="limits", Name="live", FunctionVersion="1")
client.create_alias(FunctionName="limits", Name="edge", FunctionVersion="$LATEST")

reserved, refused = {}, {}
put, get, delete = (f"{verb}_function_concurrency" for verb in ("put", "get", "delete"))
reserved["settings at first"] = answer("get_account_settings")
reserved["none"] = answer(get, FunctionName="limits")
reserved["none to delete"] = answer(delete, FunctionName="limits")
reserved["put"] = answer(put, FunctionName="limits", ReservedConcurrentExecutions=7)
reserved["put by ARN"] = answer(put, FunctionName=ARN.format("limits"), ReservedConcurrentExecutions=8)
reserved["get"] = answer(get, FunctionName="limits")
reserved["of the function"] = answer("get_function", FunctionName="limits")["200"]["Concurrency"]
reserved["settings"] = answer("get_account_settings")["200"]["AccountLimit"]["UnreservedConcurrentExecutions"]
reserved["delete"] = answer(delete, FunctionName="limits")
reserved["afterwards"] = answer(get, FunctionName="limits")
for verb, more in {put: {"ReservedConcurrentExecutions": 1}, get: {}, delete: {}}.items():
    for what, name in {
        "nobody": "nobody",
        "a version": "limits:1",
        "an alias": ARN.format("limits:live"),
        "no name": "a b",
        "elsewhere": ELSEWHERE.format("limits"),
        "theirs": THEIRS.format("limits"),
    }.items():
        refused[f"{verb} of {what}"] = answer(verb, FunctionName=name, **more)
for what, number in {"too many": 901, "below zero": -1, "a word": "many"}.items():
    refused[f"{put} with {what}"] = answer(put, FunctionName="limits", ReservedConcurrentExecutions=number)
refused[f"{put} without a number"] = answer(put, FunctionName="limits")
reserved["refused"] = refused

provisioned, refused = {}, {}
put, get, delete = (f"{verb}_provisioned_concurrency_config" for verb in ("put", "get", "delete"))
listing = "list_provisioned_concurrency_configs"
one = {"FunctionName": "limits", "Qualifier": "1"}


def settled(qualifier):
    """The first answer that is not IN_PROGRESS. Those before it promise nothing that is not there."""

    def look():
        config = answer(get, FunctionName="limits", Qualifier=qualifier)
        body = config["200"]
        for name in ("Allocated", "Available"):
            assert body[f"{name}ProvisionedConcurrentExecutions"] <= body["RequestedProvisionedConcurrentExecutions"]
        return config if body["Status"] != "IN_PROGRESS" else None

    return until(f"{qualifier} is provisioned", look)


provisioned["none"] = answer(get, **one)
provisioned["none to delete"] = answer(delete, **one)
provisioned["none to list"] = answer(listing, FunctionName="limits")
provisioned["put"] = answer(put, **one, ProvisionedConcurrentExecutions=2)
provisioned["settled"] = settled("1")
provisioned["used"] = json.loads(client.invoke(**one)["Payload"].read())
provisioned["the alias of a version that has some"] = answer(
    put, FunctionName="limits", Qualifier="live", ProvisionedConcurrentExecutions=1
)
again = answer(put, **one, ProvisionedConcurrentExecutions=1)["202"]
# Of those that were there, one stays; the other one may be on its way out.
provisioned["put again"] = [again["Status"], again["RequestedProvisionedConcurrentExecutions"]]
provisioned["settled again"] = settled("1")
provisioned["delete"] = answer(delete, **one)
provisioned["afterwards"] = answer(get, **one)
client.put_provisioned_concurrency_config(
    FunctionName="limits", Qualifier="live", ProvisionedConcurrentExecutions=1
)
provisioned["of an alias"] = settled("live")
provisioned["a version of such an alias"] = answer(put, **one, ProvisionedConcurrentExecutions=1)
provisioned["put of what cannot start"] = answer(
    put, FunctionName="limits", Qualifier="2", ProvisionedConcurrentExecutions=1
)
provisioned["settled of what cannot start"] = settled("2")
provisioned["list"] = answer(listing, FunctionName="limits")
provisioned["pages"] = [
    [config["FunctionArn"] for config in page]
    for page in pages(listing, "ProvisionedConcurrencyConfigs", 1, FunctionName="limits")
]
first = client.list_provisioned_concurrency_configs(FunctionName="limits", MaxItems=1)
second = answer(listing, FunctionName="limits", MaxItems=1, Marker=first["NextMarker"])["200"]
provisioned["the last page has no marker"] = "NextMarker" not in second

for verb, more in {put: {"ProvisionedConcurrentExecutions": 1}, get: {}, delete: {}}.items():
    for what, target in {
        "nobody": {"FunctionName": "nobody", "Qualifier": "1"},
        "the latest version": {"FunctionName": "limits", "Qualifier": "$LATEST"},
        "no version": {"FunctionName": "limits", "Qualifier": "42"},
        "no alias": {"FunctionName": "limits", "Qualifier": "none"},
        "no qualifier": {"FunctionName": "limits"},
        "two qualifiers": {"FunctionName": "limits:1", "Qualifier": "2"},
        "elsewhere": {"FunctionName": ELSEWHERE.format("limits"), "Qualifier": "1"},
        "theirs": {"FunctionName": THEIRS.format("limits"), "Qualifier": "1"},
    }.items():
        refused[f"{verb} of {what}"] = answer(verb, **target, **more)
refused[f"{put} of an alias of the latest version"] = answer(
    put, FunctionName="limits", Qualifier="edge", ProvisionedConcurrentExecutions=1
)
for what, number in {"none": 0, "more than the account": 1001, "more than its share": 901}.items():
    refused[f"{put} with {what}"] = answer(
        put, FunctionName="limits", Qualifier="2", ProvisionedConcurrentExecutions=number
    )
for what, page in {
    "nobody": {"FunctionName": "nobody"},
    "a bad marker": {"FunctionName": "limits", "Marker": "garbage"},
    "a page of none": {"FunctionName": "limits", "MaxItems": 0},
    "a page of 51": {"FunctionName": "limits", "MaxItems": 51},
}.items():
    refused[f"{listing} of {what}"] = answer(listing, **page)
refused["reserves less than is provisioned"] = answer(
    "put_function_concurrency", FunctionName="limits", ReservedConcurrentExecutions=1
)
client.put_function_concurrency(FunctionName="limits", ReservedConcurrentExecutions=2)
refused["provisions more than is reserved"] = answer(
    put, FunctionName="limits", Qualifier="2", ProvisionedConcurrentExecutions=2
)
provisioned["refused"] = refused
print(json.dumps({"reserved": reserved, "provisioned": provisioned}))
