"""Drives EventBridge Scheduler with boto3, and prints what it saw. Arguments: the ARN of a function."""

import datetime
import json
import sys

import boto3
from botocore.exceptions import ClientError

scheduler = boto3.client("scheduler")
(function,) = sys.argv[1:]
target = {"Arn": function, "RoleArn": "arn:aws:iam::000000000000:role/calls"}
seen = {}


def tell(error):
    return f"{error.response['ResponseMetadata']['HTTPStatusCode']} {error.response['Error']['Code']}: " + error.response["Error"]["Message"]


def refused(what, operation, **arguments):
    try:
        operation(**arguments)
        seen[what] = "taken"
    except ClientError as error:
        seen[what] = tell(error)


def schedule(name="s", expression="rate(1 day)", target=target, window={"Mode": "OFF"}, **more):
    return dict(Name=name, ScheduleExpression=expression, Target=target, FlexibleTimeWindow=window, **more)


def shown(answer):
    answer.pop("ResponseMetadata")
    for member in ["CreationDate", "LastModificationDate"]:
        assert isinstance(answer.pop(member), datetime.datetime), member
    if "StartDate" in answer:
        answer["StartDate"] = answer["StartDate"].astimezone(datetime.timezone.utc).isoformat()
    return answer


scheduler.create_schedule_group(Name="jobs")
start = datetime.datetime(2040, 1, 1, tzinfo=datetime.timezone.utc)
created = scheduler.create_schedule(**schedule(
    "nightly", "cron(0 3 * * ? *)", GroupName="jobs", ScheduleExpressionTimezone="Europe/Berlin", StartDate=start,
    Description="every night", State="DISABLED", ActionAfterCompletion="DELETE"))
seen["created"] = created["ScheduleArn"]
seen["described"] = shown(scheduler.get_schedule(Name="nightly", GroupName="jobs"))
scheduler.update_schedule(**schedule("nightly", "rate(2 days)", GroupName="jobs", StartDate=start,
                                     window={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}))
seen["updated"] = shown(scheduler.get_schedule(Name="nightly", GroupName="jobs"))
token = dict(ClientToken="the-same", StartDate=start)
once_more = [scheduler.create_schedule(**schedule("again", **token))["ScheduleArn"] for _ in range(2)]
seen["the same request twice"] = len(set(once_more))
for number in range(5):
    scheduler.create_schedule(**schedule(f"page-{number}", StartDate=start))
pages = scheduler.get_paginator("list_schedules").paginate(NamePrefix="page-", PaginationConfig={"PageSize": 2})
seen["pages"] = [[schedule["Name"] for schedule in page["Schedules"]] for page in pages]
groups = scheduler.list_schedule_groups()["ScheduleGroups"]
seen["groups"] = [[group["Name"], group["State"]] for group in groups]
of_group = scheduler.list_schedules(GroupName="jobs", State="ENABLED")["Schedules"]
seen["of a group"] = [[schedule["Name"], schedule["Target"]["Arn"] == function] for schedule in of_group]

create = scheduler.create_schedule
refused("a name that is taken", create, **schedule("again"))
refused("no such group", create, **schedule(GroupName="nowhere"))
refused("no expression", create, **schedule(expression="daily"))
refused("no cron", create, **schedule(expression="cron(0 3 * * * *)"))
refused("a time that is over", create, **schedule(expression="at(2020-01-01T00:00:00)"))
refused("no time zone", create, **schedule(ScheduleExpressionTimezone="Europe/Atlantis"))
refused("no window", create, **schedule(window={"Mode": "FLEXIBLE"}))
refused("no JSON", create, **schedule(target=target | {"Input": "{"}))
refused("another service", create, **schedule(target=target | {"Arn": "arn:aws:sqs:us-east-1:000000000000:q"}))
refused("another account", create, **schedule(target=target | {"Arn": function.replace("000000000000", "111111111111")}))
refused("a queue for dead letters", create,
        **schedule(target=target | {"DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:000000000000:q"}}))
refused("no such schedule", scheduler.get_schedule, Name="nothing")
refused("an update of nothing", scheduler.update_schedule, **schedule("nothing"))
refused("a deletion of nothing", scheduler.delete_schedule, Name="nothing")
refused("the default group", scheduler.delete_schedule_group, Name="default")
refused("tags", scheduler.list_tags_for_resource,
        ResourceArn="arn:aws:scheduler:us-east-1:000000000000:schedule-group/jobs")

scheduler.delete_schedule(Name="again")
scheduler.delete_schedule_group(Name="jobs")
refused("gone with its group", scheduler.get_schedule, Name="nightly", GroupName="jobs")
seen["left"] = len(scheduler.list_schedules()["Schedules"])
print(json.dumps(seen))
