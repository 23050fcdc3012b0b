"""Reserves and provisions concurrency with boto3, and calls as fast as it can. Prints what it saw.

Arguments: a package whose handler waits at the gate of its event, if there is one, and returns how its environment was
initialized; a gate that opens when the file of the next argument is there, and one that opens when three have come."""

import json
import pathlib
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

CALLS = 200
RESERVED = 10

code = pathlib.Path(sys.argv[1]).read_bytes()
reserved_gate, refused, spilled_gate = int(sys.argv[2]), pathlib.Path(sys.argv[3]), int(sys.argv[4])
client = boto3.client("lambda", config=Config(retries={"total_max_attempts": 1}, max_pool_connections=CALLS))
seen = {}


def error(call, **arguments):
    try:
        call(**arguments)
    except ClientError as raised:
        status = raised.response["ResponseMetadata"]["HTTPStatusCode"]
        return f"{status} {type(raised).__name__}: {raised.response['Error']['Message']}"
    return "no error"


def invoke(gate=None, **arguments):
    payload = json.dumps({"gate": gate} if gate else {})
    try:
        answer = client.invoke(FunctionName="shared", Payload=payload, **arguments)
        return json.loads(answer["Payload"].read())
    except client.exceptions.TooManyRequestsException as throttled:
        return f"{throttled.response['ResponseMetadata']['HTTPStatusCode']} {throttled.response['Reason']}"


def unreserved():
    return client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]


def provisioned(qualifier):
    config = client.get_provisioned_concurrency_config(FunctionName="shared", Qualifier=qualifier)
    names = ["Requested", "Allocated", "Available"]
    return [config["Status"]] + [config[f"{name}ProvisionedConcurrentExecutions"] for name in names]


def until_ready(qualifier):
    deadline = time.monotonic() + 60
    while (now := provisioned(qualifier))[0] == "IN_PROGRESS":
        assert time.monotonic() < deadline, now
        time.sleep(0.05)
    return now


client.create_function(
    FunctionName="shared",
    Runtime="python3.11",
    Role="arn:aws:iam::000000000000:role/r",
    Handler="app.handler",
    Code={"ZipFile": code},
    Timeout=60,
    Publish=True,
)
client.get_waiter("function_active_v2").wait(FunctionName="shared")
client.get_waiter("published_version_active").wait(FunctionName="shared", Qualifier="1")

# Reserved.
seen["nothing reserved"] = client.get_function_concurrency(FunctionName="shared").get("ReservedConcurrentExecutions")
seen["too much"] = error(client.put_function_concurrency, FunctionName="shared", ReservedConcurrentExecutions=901)
client.put_function_concurrency(FunctionName="shared", ReservedConcurrentExecutions=0)
seen["zero"] = invoke()
put = client.put_function_concurrency(FunctionName="shared", ReservedConcurrentExecutions=RESERVED)
seen["reserved"] = [
    put["ReservedConcurrentExecutions"],
    client.get_function_concurrency(FunctionName="shared")["ReservedConcurrentExecutions"],
    client.get_function(FunctionName="shared")["Concurrency"],
    unreserved(),
]
with ThreadPoolExecutor(CALLS) as pool:
    calls = [pool.submit(invoke, reserved_gate) for _ in range(CALLS)]
    # All others are refused while these run: the gate opens only then.
    for number, _ in enumerate(as_completed(calls, timeout=60), start=1):
        if number == CALLS - RESERVED:
            refused.touch()
    answers = [call.result() for call in calls]
seen["answers"] = {answer: answers.count(answer) for answer in sorted(set(answers))}
client.delete_function_concurrency(FunctionName="shared")
seen["given back"] = ["Concurrency" in client.get_function(FunctionName="shared"), unreserved()]

# Provisioned.
seen["none"] = error(client.get_provisioned_concurrency_config, FunctionName="shared", Qualifier="1")
seen["latest"] = error(
    client.put_provisioned_concurrency_config,
    FunctionName="shared",
    Qualifier="$LATEST",
    ProvisionedConcurrentExecutions=1,
)
put = client.put_provisioned_concurrency_config(
    FunctionName="shared", Qualifier="1", ProvisionedConcurrentExecutions=2
)
seen["put"] = [put["ResponseMetadata"]["HTTPStatusCode"], put["Status"]]
seen["ready"] = until_ready("1")
with ThreadPoolExecutor(3) as pool:
    calls = [pool.submit(invoke, spilled_gate, Qualifier="1") for _ in range(3)]
    seen["three at once"] = sorted(call.result() for call in calls)
seen["another version"] = invoke()
listed = client.list_provisioned_concurrency_configs(FunctionName="shared")["ProvisionedConcurrencyConfigs"]
seen["listed"] = [[config["FunctionArn"], config["Status"]] for config in listed]
client.delete_provisioned_concurrency_config(FunctionName="shared", Qualifier="1")
seen["deleted"] = error(client.get_provisioned_concurrency_config, FunctionName="shared", Qualifier="1")
print(json.dumps(seen, indent=2, sort_keys=True))
