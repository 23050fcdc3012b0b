"""Makes queues, topics, a bus and a bucket at the endpoint that is named, or reads what has arrived there, with boto3.

    destinations.py URL make
    destinations.py URL read QUEUE NUMBER    waits until a queue has had so many messages, and prints them
    destinations.py URL all QUEUE            prints every message that a queue has
    destinations.py URL objects BUCKET       waits until a bucket has an object, and prints it
"""

import json
import sys
import time

import boto3

url, what, *rest = sys.argv[1:]


def client(service):
    return boto3.client(service, endpoint_url=url)


def make():
    sqs, sns, events = client("sqs"), client("sns"), client("events")
    arns = {}
    for name in ["reports", "letters", "from-topic", "from-letters-topic", "from-bus"]:
        queue = sqs.create_queue(QueueName=name)["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        arns[name] = attributes["Attributes"]["QueueArn"]
    for topic in ["topic", "letters-topic"]:
        arns[topic] = sns.create_topic(Name=topic)["TopicArn"]
        sns.subscribe(TopicArn=arns[topic], Protocol="sqs", Endpoint=arns["from-" + topic])
    arns["bus"] = events.create_event_bus(Name="bus")["EventBusArn"]
    pattern = json.dumps({"source": ["lambda"]})
    events.put_rule(Name="all", EventBusName="bus", EventPattern=pattern)
    targets = [{"Id": "1", "Arn": arns["from-bus"]}]
    events.put_targets(Rule="all", EventBusName="bus", Targets=targets)
    client("s3").create_bucket(Bucket="bucket")
    arns["bucket"] = "arn:aws:s3:::bucket"
    return arns


def read(queue, number, wait=60):
    sqs = client("sqs")
    queue = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    messages, end = [], time.monotonic() + wait
    while len(messages) < number:
        answer = sqs.receive_message(
            QueueUrl=queue, MessageAttributeNames=["All"], WaitTimeSeconds=min(wait, 5), MaxNumberOfMessages=10
        )
        for message in answer.get("Messages", []):
            attributes = {
                name: [attribute["DataType"], attribute["StringValue"]]
                for name, attribute in message.get("MessageAttributes", {}).items()
            }
            messages.append({"body": json.loads(message["Body"]), "attributes": attributes})
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        if time.monotonic() >= end:
            break
    return messages


def all_of(queue):
    messages = []
    while more := read(queue, 1, wait=0):
        messages += more
    return messages


def objects(bucket):
    s3, end = client("s3"), time.monotonic() + 60
    while time.monotonic() < end:
        found = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        if found:
            key = found[0]["Key"]
            body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            return {"key": key, "number": len(found), "body": json.loads(body)}
        time.sleep(0.05)
    return None


if what == "make":
    print(json.dumps(make()))
elif what == "read":
    print(json.dumps(read(rest[0], int(rest[1]))))
elif what == "all":
    print(json.dumps(all_of(rest[0])))
else:
    print(json.dumps(objects(rest[0])))
