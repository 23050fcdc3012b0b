"""Reserves and provisions concurrency with boto3, and calls as fast as it can. Prints what it saw.

Arguments: a package whose handler connects to the port of its event, if there is one, and returns how its environment was
initialized once it hears a byte."""

import json
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

CALLS = 200
RESERVED = 10

code = open(sys.argv[1], "rb").read()
client = boto3.client("lambda", config=Config(retries={"total_max_attempts": 1}, max_pool_connections=CALLS))
seen = {}


class Gate:
    """Counts who comes, and keeps them until it opens."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=CALLS)
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Condition()
        self.waiting, self.arrived = [], 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection = self.listener.accept()[0]
            with self.lock:
                self.waiting.append(connection)
                self.arrived += 1
                self.lock.notify_all()

    def wait_for(self, number):
        with self.lock:
            assert self.lock.wait_for(lambda: self.arrived >= number, timeout=60), self.arrived

    def open(self):
        with self.lock:
            for connection in self.waiting:
                connection.sendall(b"!")
            self.waiting.clear()


def error(call, **arguments):
    try:
        call(**arguments)
    except ClientError as raised:
        status = raised.response["ResponseMetadata"]["HTTPStatusCode"]
        return f"{status} {type(raised).__name__}: {raised.response['Error']['Message']}"
    return "no error"


def invoke(gate=None, **arguments):
    payload = json.dumps({"port": gate.port} if gate else {})
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
gate = Gate()
with ThreadPoolExecutor(CALLS) as pool:
    calls = [pool.submit(invoke, gate) for _ in range(CALLS)]
    gate.wait_for(RESERVED)
    # All others are refused while these run: the gate opens only then.
    deadline = time.monotonic() + 60
    while sum(call.done() for call in calls) < CALLS - RESERVED:
        assert time.monotonic() < deadline, "the others are refused"
        time.sleep(0.01)
    seen["at once"] = gate.arrived
    gate.open()
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
gate = Gate()
with ThreadPoolExecutor(3) as pool:
    calls = [pool.submit(invoke, gate, Qualifier="1") for _ in range(3)]
    gate.wait_for(3)
    gate.open()
    seen["three at once"] = sorted(call.result() for call in calls)
seen["another version"] = invoke()
listed = client.list_provisioned_concurrency_configs(FunctionName="shared")["ProvisionedConcurrencyConfigs"]
seen["listed"] = [[config["FunctionArn"], config["Status"]] for config in listed]
client.delete_provisioned_concurrency_config(FunctionName="shared", Qualifier="1")
seen["deleted"] = error(client.get_provisioned_concurrency_config, FunctionName="shared", Qualifier="1")
print(json.dumps(seen, indent=2, sort_keys=True))
