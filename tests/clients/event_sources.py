"""Makes queues, streams and tables at the endpoint that is named, puts records into them, and maps them to functions of the
server, with boto3. Prints what it was answered.

    event_sources.py URL queue NAME ATTRIBUTES       makes a queue, and prints its ARN
    event_sources.py URL stream NAME SHARDS          the same of a stream of Kinesis
    event_sources.py URL table NAME                  the same of a table of DynamoDB: the ARN of its stream
    event_sources.py URL bucket NAME                 the same of a bucket
    event_sources.py URL send QUEUE ENTRIES          sends messages: entries of SendMessageBatch without ids
    event_sources.py URL put STREAM RECORDS          puts records: pairs of a key and a text
    event_sources.py URL items TABLE STEPS           puts and deletes items: pairs of `put` or `delete` and an item
    event_sources.py URL left QUEUE                  prints how many messages are there, and how many of them are hidden
    event_sources.py URL map MAPPING                 makes a mapping, waits until it is polled, and prints it
    event_sources.py URL change UUID MAPPING         changes one, and waits the same
    event_sources.py URL remove UUID                 removes one, and waits until it is gone
    event_sources.py URL life SOURCES                makes, shows, lists, changes and removes mappings, and prints all answers
"""

import json
import sys
import time

import boto3
import botocore.exceptions

url, what, *rest = sys.argv[1:]
functions = boto3.client("lambda")


def client(service):
    return boto3.client(service, endpoint_url=url)


def queue(name, attributes="{}"):
    sqs = client("sqs")
    made = sqs.create_queue(QueueName=name, Attributes=json.loads(attributes))["QueueUrl"]
    return sqs.get_queue_attributes(QueueUrl=made, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def stream(name, shards="1"):
    kinesis = client("kinesis")
    kinesis.create_stream(StreamName=name, ShardCount=int(shards))
    return kinesis.describe_stream(StreamName=name)["StreamDescription"]["StreamARN"]


def table(name):
    made = client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    return made["TableDescription"]["LatestStreamArn"]


def bucket(name):
    client("s3").create_bucket(Bucket=name)
    return f"arn:aws:s3:::{name}"


def send(name, entries):
    sqs, entries = client("sqs"), json.loads(entries)
    to = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    for start in range(0, len(entries), 10):
        some = [{"Id": str(number), **entry} for number, entry in enumerate(entries[start : start + 10])]
        answer = sqs.send_message_batch(QueueUrl=to, Entries=some)
        assert not answer.get("Failed"), answer


def put(name, records):
    kinesis = client("kinesis")
    for key, text in json.loads(records):
        kinesis.put_record(StreamName=name, PartitionKey=key, Data=text.encode())


def items(name, steps):
    dynamodb = client("dynamodb")
    for step, item in json.loads(steps):
        if step == "put":
            dynamodb.put_item(TableName=name, Item=item)
        else:
            dynamodb.delete_item(TableName=name, Key=item)


def left(name):
    sqs = client("sqs")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    asked = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    answer = sqs.get_queue_attributes(QueueUrl=asked, AttributeNames=names)["Attributes"]
    return [int(answer[name]) for name in names]


def shown(answer):
    answer.pop("ResponseMetadata", None)
    if "LastModified" in answer:
        answer["LastModified"] = answer["LastModified"].year > 2000
    if "StartingPositionTimestamp" in answer:
        answer["StartingPositionTimestamp"] = answer["StartingPositionTimestamp"].timestamp()
    for mapping in answer.get("EventSourceMappings", []):
        shown(mapping)
    return answer


def settled(uuid):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        mapping = functions.get_event_source_mapping(UUID=uuid)
        if mapping["State"] in ("Enabled", "Disabled"):
            return shown(mapping)
        time.sleep(0.05)
    raise Exception(f"it stays {mapping['State']}")


def gone(uuid):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            functions.get_event_source_mapping(UUID=uuid)
        except functions.exceptions.ResourceNotFoundException:
            return True
        time.sleep(0.05)
    return False


def life(sources):
    answers = []
    for source in json.loads(sources):
        made = shown(functions.create_event_source_mapping(**source))
        uuid = made["UUID"]
        steps = [made, settled(uuid)]
        try:
            functions.create_event_source_mapping(**source)
        except botocore.exceptions.ClientError as error:
            steps.append(str(error))
        arn = source["EventSourceArn"]
        listed = shown(functions.list_event_source_mappings(EventSourceArn=arn, FunctionName="worker"))
        steps.append([mapping["UUID"] for mapping in listed["EventSourceMappings"]])
        steps.append(shown(functions.update_event_source_mapping(UUID=uuid, Enabled=False, BatchSize=5)))
        steps.append(settled(uuid)["State"])
        arn = made["EventSourceMappingArn"]
        functions.tag_resource(Resource=arn, Tags={"a": "b", "c": "d"})
        functions.untag_resource(Resource=arn, TagKeys=["a"])
        steps.append(functions.list_tags(Resource=arn)["Tags"])
        steps.append(shown(functions.delete_event_source_mapping(UUID=uuid))["State"])
        steps.append(gone(uuid))
        text = json.dumps(steps).replace(uuid, "UUID")
        answers.append(json.loads(text))
    return answers


def answer():
    if what == "map":
        return settled(functions.create_event_source_mapping(**json.loads(rest[0]))["UUID"])
    if what == "change":
        functions.update_event_source_mapping(UUID=rest[0], **json.loads(rest[1]))
        return settled(rest[0])
    if what == "remove":
        functions.delete_event_source_mapping(UUID=rest[0])
        return gone(rest[0])
    return globals()[what](*rest)


print(json.dumps(answer()))
