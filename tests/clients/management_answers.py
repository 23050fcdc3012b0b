"""Every answer of the operations on tags, recursion, runtime management and code signing, as boto3 gets them."""

import json

from recorded import ARN, ELSEWHERE, ROLE, THEIRS, answer, client, create, pages, zipped

created = create("managed", "def handler(event, context): return 1\n", Publish=True, Tags={"team": "blue"})
create("other", "def handler(event, context): return 1\n")
client.create_alias(FunctionName="managed", Name="live", FunctionVersion="1")
arn = created["FunctionArn"].removesuffix(":1")
assert arn == ARN.format("managed")
PROFILE = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/p/0123456789"
NOBODY = "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0"
START = "arn:aws:lambda:us-east-1:000000000000:"


def of_function(refused, verb, arguments, qualified=False):
    """What a call is told for functions that cannot be meant."""
    targets = {
        "nobody": "nobody",
        "no name": "a b",
        "elsewhere": ELSEWHERE.format("managed"),
        "theirs": THEIRS.format("managed"),
    }
    if not qualified:
        targets |= {"a version": "managed:1", "an alias": "managed:live"}
    for what, name in targets.items():
        refused[f"{verb} of {what}"] = answer(verb, FunctionName=name, **arguments)


def tags():
    seen, refused = {}, {}
    seen["list"] = answer("list_tags", Resource=arn)
    seen["tag"] = answer("tag_resource", Resource=arn, Tags={"stage": "", "team": "red"})
    seen["merged"] = answer("list_tags", Resource=arn)
    seen["untag"] = answer("untag_resource", Resource=arn, TagKeys=["team", "nobody"])
    seen["left"] = answer("list_tags", Resource=arn)
    seen["untag the last"] = answer("untag_resource", Resource=arn, TagKeys=["stage"])
    seen["none"] = answer("list_tags", Resource=arn)
    seen["none in GetFunction"] = "Tags" not in client.get_function(FunctionName="managed")
    fifty = {f"k{number}": "v" for number in range(50)}
    seen["fifty"] = answer("tag_resource", Resource=arn, Tags=fifty)
    mapping = "event-source-mapping:01234567-89ab-cdef-0123-456789abcdef"
    for verb, more in {
        "list_tags": {},
        "tag_resource": {"Tags": {"a": "b"}},
        "untag_resource": {"TagKeys": ["a"]},
    }.items():
        for what, resource in {
            "nobody": ARN.format("nobody"),
            "a version": f"{arn}:1",
            "an alias": f"{arn}:live",
            "no ARN": "managed",
            "elsewhere": ELSEWHERE.format("managed"),
            "theirs": THEIRS.format("managed"),
            "a mapping that is not there": START + mapping,
            "a capacity provider that is not there": START + "capacity-provider:p",
            "a code signing configuration that is not there": NOBODY,
        }.items():
            refused[f"{verb} of {what}"] = answer(verb, Resource=resource, **more)
    for what, more in {
        "one too many": {"more": ""},
        "none": {},
        "a long key": {"k" * 129: ""},
        "a long value": {"k": "v" * 257},
        "a wrong key": {"k?": ""},
        "a key of AWS": {"aws:k": ""},
    }.items():
        refused[f"tags: {what}"] = answer("tag_resource", Resource=arn, Tags=more)
    refused["tags: missing"] = answer("tag_resource", Resource=arn)
    refused["keys: missing"] = answer("untag_resource", Resource=arn)
    assert client.list_tags(Resource=arn)["Tags"] == fifty, "what is refused changes nothing"
    # Texts as long as what they are about say the same as shorter ones.
    return {**seen, "refused": json.loads(json.dumps(refused).replace("k" * 129, "<k>").replace("v" * 257, "<v>"))}


def recursion():
    seen, refused = {}, {}
    get, put = "get_function_recursion_config", "put_function_recursion_config"
    seen["at first"] = answer(get, FunctionName="managed")
    seen["put"] = answer(put, FunctionName=arn, RecursiveLoop="Allow")
    seen["get"] = answer(get, FunctionName="managed")
    seen["put back"] = answer(put, FunctionName="managed", RecursiveLoop="Terminate")
    of_function(refused, get, {})
    of_function(refused, put, {"RecursiveLoop": "Allow"})
    refused["a wrong word"] = answer(put, FunctionName="managed", RecursiveLoop="allow")
    refused["no word"] = answer(put, FunctionName="managed")
    return {**seen, "refused": refused}


def runtime():
    seen, refused = {}, {}
    get, put = "get_runtime_management_config", "put_runtime_management_config"
    managed, first = {"FunctionName": "managed"}, {"FunctionName": "managed", "Qualifier": "1"}
    here = client.get_function_configuration(**managed)["RuntimeVersionConfig"]["RuntimeVersionArn"]
    seen["at first"] = answer(get, **managed)
    seen["update"] = answer(put, **managed, UpdateRuntimeOn="FunctionUpdate")
    seen["manual, of a version"] = answer(put, **first, UpdateRuntimeOn="Manual", RuntimeVersionArn=here)
    seen["get"] = answer(get, **managed, Qualifier="$LATEST")
    seen["get of a version"] = answer(get, **first)
    seen["auto, of a version"] = answer(put, **first, UpdateRuntimeOn="Auto")
    of_function(refused, get, {}, qualified=True)
    of_function(refused, put, {"UpdateRuntimeOn": "Auto"}, qualified=True)
    for what, more in {
        "no version": {"Qualifier": "42", "UpdateRuntimeOn": "Auto"},
        "no word": {},
        "a wrong word": {"UpdateRuntimeOn": "Never"},
        "manual without a version": {"UpdateRuntimeOn": "Manual"},
        "auto with a version": {"UpdateRuntimeOn": "Auto", "RuntimeVersionArn": here},
        "another version": {"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": START[:-13] + ":runtime:" + "0" * 64},
    }.items():
        refused[what] = answer(put, **managed, **more)
    refused["get of no version"] = answer(get, FunctionName="managed:42")
    # Which one this host has does not matter.
    return json.loads(json.dumps({**seen, "refused": refused}).replace(here, "<version of the runtime>"))


def code_signing():
    seen, refused = {}, {}
    publishers = {"SigningProfileVersionArns": [PROFILE]}
    warn = {"UntrustedArtifactOnDeployment": "Warn"}
    enforce = {"UntrustedArtifactOnDeployment": "Enforce"}
    seen["none to list"] = answer("list_code_signing_configs")
    seen["create"] = answer("create_code_signing_config", AllowedPublishers=publishers)
    (first,) = client.list_code_signing_configs()["CodeSigningConfigs"]
    config = first["CodeSigningConfigArn"]
    seen["create with all"] = answer(
        "create_code_signing_config",
        AllowedPublishers=publishers,
        Description="second",
        CodeSigningPolicies=enforce,
        Tags={"team": "blue"},
    )
    arns = {each["CodeSigningConfigArn"] for each in client.list_code_signing_configs()["CodeSigningConfigs"]}
    (second,) = arns - {config}
    seen["get"] = answer("get_code_signing_config", CodeSigningConfigArn=config)
    seen["tags"] = answer("list_tags", Resource=second)
    seen["tag"] = answer("tag_resource", Resource=second, Tags={"stage": "test"})
    seen["untag"] = answer("untag_resource", Resource=second, TagKeys=["team"])
    seen["tags afterwards"] = answer("list_tags", Resource=second)
    too_many = {f"k{number}": "" for number in range(50)}
    refused["too many tags"] = answer("tag_resource", Resource=second, Tags=too_many)
    seen["update of nothing"] = answer("update_code_signing_config", CodeSigningConfigArn=config)
    seen["update"] = answer("update_code_signing_config", CodeSigningConfigArn=config, Description="changed")
    found = pages("list_code_signing_configs", "CodeSigningConfigs", 1)
    seen["pages"] = [len(page) for page in found]
    attached = ["get", "put", "delete"]
    get, put, delete = (f"{verb}_function_code_signing_config" for verb in attached)
    seen["none of a function"] = answer(get, FunctionName="managed")
    seen["put"] = answer(put, FunctionName=arn, CodeSigningConfigArn=config)
    seen["get of a function"] = answer(get, FunctionName="managed")
    client.put_function_code_signing_config(FunctionName="other", CodeSigningConfigArn=config)
    seen["functions"] = answer("list_functions_by_code_signing_config", CodeSigningConfigArn=config)
    seen["pages of functions"] = pages(
        "list_functions_by_code_signing_config", "FunctionArns", 1, CodeSigningConfigArn=config
    )
    refused["delete of one in use"] = answer("delete_code_signing_config", CodeSigningConfigArn=config)
    client.update_code_signing_config(CodeSigningConfigArn=config, CodeSigningPolicies=enforce)
    code = zipped("def handler(event, context): return 2\n")
    refused["code without a signature"] = answer("update_function_code", FunctionName="managed", ZipFile=code)
    refused["a function without a signature"] = answer(
        "create_function",
        FunctionName="unsigned",
        Runtime="python3.11",
        Role=ROLE,
        Handler="app.handler",
        Code={"ZipFile": code},
        CodeSigningConfigArn=second,
    )
    client.update_code_signing_config(CodeSigningConfigArn=config, CodeSigningPolicies=warn)
    for name in ("managed", "other"):
        seen[f"delete of {name}"] = answer(delete, FunctionName=name)
    seen["delete again"] = answer(delete, FunctionName="managed")
    seen["functions afterwards"] = answer("list_functions_by_code_signing_config", CodeSigningConfigArn=config)
    for verb in ("get_code_signing_config", "update_code_signing_config", "delete_code_signing_config"):
        refused[f"{verb} of nobody"] = answer(verb, CodeSigningConfigArn=NOBODY)
        refused[f"{verb} of no ARN"] = answer(verb, CodeSigningConfigArn="csc-1")
    refused["functions of nobody"] = answer("list_functions_by_code_signing_config", CodeSigningConfigArn=NOBODY)
    refused["put of nobody"] = answer(put, FunctionName="managed", CodeSigningConfigArn=NOBODY)
    of_function(refused, get, {})
    of_function(refused, put, {"CodeSigningConfigArn": config})
    of_function(refused, delete, {})
    for what, more in {
        "nothing": {},
        "no publisher": {"AllowedPublishers": {"SigningProfileVersionArns": []}},
        "21 publishers": {"AllowedPublishers": {"SigningProfileVersionArns": [PROFILE] * 21}},
        "no ARN": {"AllowedPublishers": {"SigningProfileVersionArns": ["p"]}},
        "a wrong policy": {
            "AllowedPublishers": publishers,
            "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Refuse"},
        },
        "a long description": {"AllowedPublishers": publishers, "Description": "x" * 257},
    }.items():
        refused[f"create with {what}"] = answer("create_code_signing_config", **more)
    for what, page in {"a bad marker": {"Marker": "garbage"}, "a page of none": {"MaxItems": 0}}.items():
        refused[f"list of {what}"] = answer("list_code_signing_configs", **page)
        refused[f"list of functions of {what}"] = answer(
            "list_functions_by_code_signing_config", CodeSigningConfigArn=config, **page
        )
    for each in (config, second):
        seen["delete of a configuration"] = answer("delete_code_signing_config", CodeSigningConfigArn=each)
    seen["none left"] = answer("list_code_signing_configs")
    assert answer("get_function", FunctionName="unsigned").keys() == {"404 ResourceNotFoundException"}
    return {**seen, "refused": refused}


parts = {"tags": tags, "recursion": recursion, "runtime management": runtime, "code signing": code_signing}
print(json.dumps({name: part() for name, part in parts.items()}))
