"""Configures the function `source` with boto3 so that `target` hears of its events, and prints what it was answered."""

import json

import boto3

client = boto3.client("lambda")
target = client.get_function_configuration(FunctionName="target")["FunctionArn"]
answers = []


def note(answer):
    answer.pop("ResponseMetadata")
    if "LastModified" in answer:
        answer["LastModified"] = answer["LastModified"].year > 2000
    for config in answer.get("FunctionEventInvokeConfigs", []):
        config["LastModified"] = config["LastModified"].year > 2000
    answers.append(answer)


note(client.put_function_event_invoke_config(FunctionName="source", MaximumRetryAttempts=1))
note(
    client.update_function_event_invoke_config(
        FunctionName="source",
        MaximumEventAgeInSeconds=60,
        DestinationConfig={"OnSuccess": {"Destination": target}},
    )
)
note(client.get_function_event_invoke_config(FunctionName="source", Qualifier="$LATEST"))
note(client.list_function_event_invoke_configs(FunctionName="source"))
client.invoke(FunctionName="source", InvocationType="Event", Payload=json.dumps({"number": 1}))
print(json.dumps(answers))
