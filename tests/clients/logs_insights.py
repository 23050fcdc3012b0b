"""Asks CloudWatch Logs Insights with boto3 about the logs of two real functions, and prints what does not differ from run
to run; what does is compared with what FilterLogEvents says. Arguments: a function with text logs, one with JSON logs,
the number of their calls."""

import json
import re
import sys
import time

import boto3
from botocore.exceptions import ClientError

logs = boto3.client("logs")
text, structured, calls = sys.argv[1], sys.argv[2], int(sys.argv[3])
TEXT, STRUCTURED = f"/aws/lambda/{text}", f"/aws/lambda/{structured}"
now = int(time.time())
TIMES = {"startTime": now - 3600, "endTime": now + 3600}
seen = {}


def finished(query_id):
    """The results of a query that has ended."""
    deadline = time.monotonic() + 120
    while True:
        answer = logs.get_query_results(queryId=query_id)
        if answer["status"] not in ("Scheduled", "Running") or time.monotonic() > deadline:
            return answer


def ask(query, group=TEXT, **more):
    groups = {} if group is None else {"logGroupName": group}
    answer = finished(logs.start_query(queryString=query, **groups, **{**TIMES, **more})["queryId"])
    assert answer["status"] == "Complete", answer
    return answer


def rows(query, group=TEXT, **more):
    answer = ask(query, group, **more)
    return [{one["field"]: one["value"] for one in row} for row in answer["results"]]


def plain(found):
    return [{name: value for name, value in row.items() if name != "@ptr"} for row in found]


def failure(operation, **arguments):
    try:
        getattr(logs, operation)(**arguments)
        return "no error"
    except ClientError as error:
        error = error.response
        compiled = error.get("queryCompileError", {}).get("location", "")
        return f"{error['ResponseMetadata']['HTTPStatusCode']} {error['Error']['Code']}: {error['Error']['Message']} {compiled}".strip()


# What Insights discovers in REPORT lines is what stands there.
reports = [
    event["message"]
    for page in logs.get_paginator("filter_log_events").paginate(logGroupName=TEXT, filterPattern="REPORT")
    for event in page["events"]
]
durations = sorted(float(re.search(r"\tDuration: ([0-9.]+) ms", report)[1]) for report in reports)
billed = sum(int(re.search(r"Billed Duration: (\d+) ms", report)[1]) for report in reports)
found = rows("filter @type = 'REPORT' | fields @duration, @requestId, @memorySize | sort @duration asc")
seen["durations as in REPORT lines"] = [float(row["@duration"]) for row in found] == durations
seen["request ids"] = {row["@requestId"] for row in found} == {
    re.search(r"RequestId: (\S+)", report)[1] for report in reports
}
seen["memory"] = sorted({row["@memorySize"] for row in found})
[stats] = rows(
    "filter @type = 'REPORT' | stats count(*) as calls, count(@initDuration) as cold, max(@duration) as most, "
    "sum(@billedDuration) as billed, pct(@duration, 50) as middle, max(@maxMemoryUsed) > 1000000 as has_memory"
)
seen["calls, cold ones"] = [stats["calls"], stats["cold"], stats["has_memory"]]
seen["as reported"] = [
    float(stats["most"]) == durations[-1],
    int(stats["billed"]) == billed,
    float(stats["middle"]) == durations[(calls - 1) // 2],
]
seen["what the function prints"] = plain(
    rows("parse @message 'hello *: * items' as who, items | filter ispresent(items) | stats sum(items) as all by who | sort who")
)
seen["by its kind"] = plain(rows("filter ispresent(@type) | stats count(*) as lines by @type | sort @type"))
seen["the newest lines first"] = [
    row["@message"].split(" ")[0].strip() for row in rows("fields @timestamp, @message | limit 4")
]
seen["lines of an hour"] = len({row["bin(1h)"] for row in rows("stats count(*) by bin(1h)")}) <= 2
seen["limit of the request"] = [len(rows("fields @message", limit=2)), len(rows("fields @message | limit 3", limit=2))]

# JSON logs: the same questions, and their own keys.
seen["JSON: calls, cold ones"] = plain(
    rows("filter @type = 'REPORT' | stats count(*) as calls, count(@initDuration) as cold", STRUCTURED)
)
seen["JSON: its keys"] = plain(
    rows("filter level = 'WARNING' | stats count(*) as warnings, count_distinct(requestId) as calls by message", STRUCTURED)
)
seen["JSON: metrics"] = plain(
    rows("filter type = 'platform.report' | fields record.metrics.memorySizeMB as mb, record.status | limit 1", STRUCTURED)
)
both = rows("filter @type = 'REPORT' | stats count(*) as calls by @log | sort @log", None, logGroupNames=[TEXT, STRUCTURED])
seen["of both"] = plain(both)
arn = f"arn:aws:logs:us-east-1:000000000000:log-group:{TEXT}"
seen["by ARN"] = plain(rows("filter @type = 'END' | stats count(*) as ended", None, logGroupIdentifiers=[arn]))
seen["in no time"] = rows("fields @message", startTime=1, endTime=2)

# One record, with all of its fields.
[report] = rows("filter @type = 'REPORT' and ispresent(@initDuration) | limit 1")
record = logs.get_log_record(logRecordPointer=report["@ptr"])["logRecord"]
seen["a record"] = sorted(record)
seen["its message"] = record["@message"] == report["@message"] and record["@ptr"] == report["@ptr"]
fields = logs.get_log_group_fields(logGroupName=STRUCTURED)["logGroupFields"]
percents = {field["name"]: field["percent"] for field in fields}
seen["fields of the group"] = [percents["@message"], 0 < percents["record.metrics.durationMs"] < 100]

# Pages, figures, and what was asked.
answer = ask("filter @type = 'REPORT' | fields @requestId")
figures = answer["statistics"]
seen["figures"] = [figures["recordsMatched"], figures["recordsScanned"] > calls, figures["bytesScanned"] > 100]
query_id = logs.start_query(logGroupName=TEXT, queryString="fields @message | limit 5", **TIMES)["queryId"]
finished(query_id)
sizes, token = [], {}
while True:
    page = logs.get_query_results(queryId=query_id, maxItems=2, **token)
    sizes.append(len(page["results"]))
    if "nextToken" not in page:
        break
    token = {"nextToken": page["nextToken"]}
seen["pages"] = sizes
described = logs.describe_queries(logGroupName=TEXT, status="Complete", maxResults=1)
[latest] = described["queries"]
seen["the last query"] = [latest["queryId"] == query_id, latest["queryString"], latest["logGroupName"], "nextToken" in described]
seen["all queries, 7 on a page"] = [
    len({query["queryId"] for page in pages for query in page["queries"]}) == sum(len(page["queries"]) for page in pages) > 7
    for pages in [list(logs.get_paginator("describe_queries").paginate(PaginationConfig={"PageSize": 7}))]
]

start = {"logGroupName": TEXT, **TIMES}
seen["failures"] = [
    failure("start_query", queryString="fields @message | fetch", **start),
    failure("start_query", queryString="filter @message like /(/", **start),
    failure("start_query", queryString="fields @message", logGroupName="/none", **TIMES),
    failure("start_query", queryString="fields @message", **TIMES),
    failure("start_query", queryString="fields @message", logGroupNames=[TEXT], **start),
    failure("start_query", queryString="fields @message", logGroupName=TEXT, startTime=2, endTime=1),
    failure("start_query", queryString="fields @message", limit=10001, **start),
    failure("start_query", queryString="SELECT 1", queryLanguage="SQL", **start),
    failure("get_query_results", queryId="none"),
    failure("get_query_results", queryId=query_id, nextToken="x"),
    failure("stop_query", queryId="none"),
    failure("stop_query", queryId=query_id),
    failure("get_log_record", logRecordPointer="x"),
]
json.dump(seen, sys.stdout)
