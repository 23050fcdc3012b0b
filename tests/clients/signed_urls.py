"""Calls function URLs with signatures that are right, or wrong in one way each, and prints what came back.

Arguments: host and id of a URL for signed requests, host of one for everybody; three keys with their secrets: one that may
everything, one that may only look, one that may only call.
"""

import http.client
import json
import os
import sys
import time
import urllib.parse

import boto3
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

signed_host, signed_id, open_host, *keys = sys.argv[1:]
admin, reader, caller = zip(keys[::2], keys[1::2])
server = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc
seen = {}


def call(host, path="/", key=None, body="", sent=None, service="lambda"):
    """Signs with a key, if there is one, and sends; `sent` goes out in place of the body that was signed."""
    headers = {"Host": host, "Content-Type": "text/plain"}
    if key:
        request = AWSRequest("POST", f"http://{host}{path}", headers=headers, data=body.encode())
        auth.SigV4Auth(Credentials(*key), service, "us-east-1").add_auth(request)
        headers = dict(request.headers.items())
    connection = http.client.HTTPConnection(server, timeout=60)
    connection.request("POST", path, (sent or body).encode(), headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    return answer.status, json.loads(text)


def outcome(*arguments, **more):
    status, answer = call(*arguments, **more)
    return [status, answer.get("Message") or answer["event"]["requestContext"]["accountId"]]


# The server reads its keys anew now and then; this is the one that was added last.
deadline = time.monotonic() + 20
while call(signed_host, key=caller)[0] == 403 and time.monotonic() < deadline:
    time.sleep(0.05)

status, answer = call(signed_host, "/a%20b?x=1", admin)
context = answer["event"]["requestContext"]
iam = context["authorizer"]["iam"]
assert iam["accessKey"] == admin[0] and iam["userId"] == iam["callerId"]
seen["signed"] = [status, context["accountId"], sorted(iam), iam["userArn"]]
seen["by its path"] = outcome(server, f"/_hearth/url/{signed_id}/x", admin)
seen["by who may only call"] = outcome(signed_host, key=caller)
seen["by who may only look"] = outcome(signed_host, key=reader)
seen["unsigned"] = outcome(signed_host)
seen["by an unknown key"] = outcome(signed_host, key=("AKIANOBODY", "secret"))
seen["with a wrong secret"] = outcome(signed_host, key=(admin[0], "secret"))
seen["with another body"] = outcome(signed_host, key=admin, body="signed", sent="instead")
seen["for another service"] = outcome(signed_host, key=admin, service="s3")

client = boto3.client("lambda")
permission = {"FunctionName": "open", "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"}
seen["for everybody, without a policy"] = outcome(open_host)
client.add_permission(StatementId="one", Principal="123456789012", **permission)
seen["for everybody, with a policy for somebody"] = outcome(open_host)
client.add_permission(StatementId="all", Principal="*", **permission)
seen["for everybody"] = outcome(open_host)
version = client.publish_version(FunctionName="open")["Version"]
client.create_alias(FunctionName="open", Name="live", FunctionVersion=version)
of_alias = client.create_function_url_config(FunctionName="open", Qualifier="live", AuthType="NONE")["FunctionUrl"]
alias_host = urllib.parse.urlsplit(of_alias).netloc
seen["of an alias, with the function's policy"] = outcome(alias_host)
client.add_permission(StatementId="all", Principal="*", Qualifier="live", **permission)
seen["of an alias, with its own policy"] = outcome(alias_host)
client.remove_permission(FunctionName="open", StatementId="all")
seen["for nobody again"] = outcome(open_host)
print(json.dumps(seen))
