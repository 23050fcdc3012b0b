"""Every answer of the operations on function URLs, as boto3 gets them."""

import json

from recorded import ARN, ELSEWHERE, THEIRS, answer, client, create, pages

create("urls", "def handler(event, context): return 'hello'\n", Publish=True)
client.create_alias(FunctionName="urls", Name="live", FunctionVersion="1")
client.create_alias(FunctionName="urls", Name="beta", FunctionVersion="$LATEST")

CORS = {
    "AllowCredentials": True,
    "AllowHeaders": ["x-a"],
    "AllowMethods": ["GET", "*"],
    "AllowOrigins": ["https://example.org"],
    "ExposeHeaders": ["x-b"],
    "MaxAge": 86400,
}
ORIGINS = ", ".join("*" * 101)
seen, refused = {}, {}
post, get, put, delete = (f"{verb}_function_url_config" for verb in ("create", "get", "update", "delete"))
listing = "list_function_url_configs"
urls, live = {"FunctionName": "urls"}, {"FunctionName": "urls", "Qualifier": "live"}

seen["none"] = answer(get, **urls)
seen["none to update"] = answer(put, **urls, AuthType="NONE")
seen["none to delete"] = answer(delete, **urls)
seen["none to list"] = answer(listing, **urls)
seen["create"] = answer(post, **urls, AuthType="NONE")
seen["create of an alias"] = answer(post, **live, AuthType="AWS_IAM", Cors=CORS, InvokeMode="RESPONSE_STREAM")
seen["create by a name with an alias"] = answer(post, FunctionName=ARN.format("urls:beta"), AuthType="NONE")
seen["again"] = answer(post, **urls, AuthType="NONE")
seen["again of an alias"] = answer(post, **live, AuthType="NONE")
seen["get"] = answer(get, **urls)
seen["get of an alias"] = answer(get, **live)
seen["update of nothing"] = answer(put, **urls)
seen["update"] = answer(put, **urls, AuthType="AWS_IAM", InvokeMode="RESPONSE_STREAM", Cors={"MaxAge": 1})
seen["replaced, not merged"] = answer(put, **urls, Cors={"AllowOrigins": ["*"]})["200"]["Cors"]
seen["cleared"] = answer(put, **urls, Cors={})
seen["list"] = answer(listing, **urls)
seen["pages"] = [
    [config["FunctionArn"] for config in page] for page in pages(listing, "FunctionUrlConfigs", 2, **urls)
]
seen["delete of an alias"] = answer(delete, **live)
seen["delete"] = answer(delete, **urls)
seen["afterwards"] = answer(get, **urls)

for verb, more in {post: {"AuthType": "NONE"}, get: {}, put: {"AuthType": "NONE"}, delete: {}}.items():
    for what, target in {
        "nobody": {"FunctionName": "nobody"},
        "a version": {"FunctionName": "urls", "Qualifier": "1"},
        "the latest version": {"FunctionName": "urls", "Qualifier": "$LATEST"},
        "a name with a version": {"FunctionName": "urls:1"},
        "no alias": {"FunctionName": "urls", "Qualifier": "none"},
        "two qualifiers": {"FunctionName": "urls:live", "Qualifier": "beta"},
        "elsewhere": {"FunctionName": ELSEWHERE.format("urls")},
        "theirs": {"FunctionName": THEIRS.format("urls")},
    }.items():
        refused[f"{verb} of {what}"] = answer(verb, **target, **more)
for what, change in {
    "without an auth type": {},
    "with a wrong auth type": {"AuthType": "ALL"},
    "with a wrong mode": {"AuthType": "NONE", "InvokeMode": "SLOW"},
    "with a negative age": {"AuthType": "NONE", "Cors": {"MaxAge": -1}},
    "with a long age": {"AuthType": "NONE", "Cors": {"MaxAge": 86401}},
    "with a long method": {"AuthType": "NONE", "Cors": {"AllowMethods": ["OPTIONS"]}},
    "with seven methods": {"AuthType": "NONE", "Cors": {"AllowMethods": ["GET"] * 7}},
    "with 101 origins": {"AuthType": "NONE", "Cors": {"AllowOrigins": ["*"] * 101}},
    "with an age in words": {"AuthType": "NONE", "Cors": {"MaxAge": "long"}},
}.items():
    refused[f"create {what}"] = json.loads(json.dumps(answer(post, **urls, **change)).replace(ORIGINS, "<101 times *>"))
for what, page in {
    "nobody": {"FunctionName": "nobody"},
    "a bad marker": {"FunctionName": "urls", "Marker": "garbage"},
    "a page of none": {"FunctionName": "urls", "MaxItems": 0},
    "a page of 51": {"FunctionName": "urls", "MaxItems": 51},
}.items():
    refused[f"list of {what}"] = answer(listing, **page)
assert answer(get, **urls) == seen["none"], "what is refused makes nothing"
seen["refused"] = refused
client.delete_function(FunctionName="urls")
seen["with its function"] = answer(get, FunctionName="urls", Qualifier="beta")
print(json.dumps(seen))
