//! Event source mappings: made, shown, changed, tagged, switched off and removed as on AWS.

use expect_test::expect;
use serde_json::{Value, json};

use super::{Bench, FAILS_ON_BAD, TELLS, worker};

#[test]
fn mappings_are_made_shown_changed_tagged_and_removed_as_on_aws() {
    let bench = Bench::start(TELLS);
    let queue = bench.make(&["queue", "q"]);
    let fifo = bench.make(&["queue", "q.fifo", r#"{"FifoQueue":"true"}"#]);
    let stream = bench.make(&["stream", "s"]);
    let table = bench.make(&["table", "t"]);
    let sources = json!([
        { "FunctionName": "worker", "EventSourceArn": queue },
        { "FunctionName": "worker", "EventSourceArn": fifo },
        { "FunctionName": "worker", "EventSourceArn": stream, "StartingPosition": "LATEST" },
        { "FunctionName": "worker", "EventSourceArn": table, "StartingPosition": "TRIM_HORIZON" },
    ]);
    let life = bench.at(&["life", &sources.to_string()]);
    let text = serde_json::to_string_pretty(&life).unwrap().replace(&table, "TABLE-ARN");
    expect![[r#"
        [
          [
            {
              "BatchSize": 10,
              "EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:q",
              "EventSourceMappingArn": "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:UUID",
              "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:worker",
              "FunctionResponseTypes": [],
              "LastModified": true,
              "MaximumBatchingWindowInSeconds": 0,
              "State": "Creating",
              "StateTransitionReason": "USER_INITIATED",
              "UUID": "UUID"
            },
            {
              "BatchSize": 10,
              "EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:q",
              "EventSourceMappingArn": "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:UUID",
              "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:worker",
              "FunctionResponseTypes": [],
              "LastModified": true,
              "MaximumBatchingWindowInSeconds": 0,
              "State": "Enabled",
              "StateTransitionReason": "USER_INITIATED",
              "UUID": "UUID"
            },
            "An error occurred (ResourceConflictException) when calling the CreateEventSourceMapping operation (reached max retries: 0): An event source mapping with SQS arn (\" arn:aws:sqs:us-east-1:123456789012:q \") and function (\" worker \") already exists. Please update or delete the existing mapping with UUID UUID",
            [
              "UUID"
            ],
            {
              "BatchSize": 5,
              "EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:q",
              "EventSourceMappingArn": "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:UUID",
              "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:worker",
              "FunctionResponseTypes": [],
              "LastModified": true,
              "MaximumBatchingWindowInSeconds": 0,
              "State": "Disabling",
              "StateTransitionReason": "USER_INITIATED",
              "UUID": "UUID"
            },
            "Disabled",
            {
              "c": "d"
            },
            "Deleting",
            true
          ],
          [
            {
              "BatchSize": 10,
              "EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:q.fifo",
              "EventSourceMappingArn": "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:UUID",
              "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:worker",
              "FunctionResponseTypes": [],
              "LastModified": true,
              "State": "Creating",
              "StateTransitionReason": "USER_INITIATED",
              "UUID": "UUID"
            },
            {
              "BatchSize": 10,
              "EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:q.fifo",
              "EventSourceMappingArn": "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:UUID",
              "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:worker",
              "FunctionResponseTypes": [],
              "LastModified": true,
              "State": "Enabled",
              "StateTransitionReason": "USER_INITIATED",
              "UUID": "UUID"
            },
            "An error occurred (ResourceConflictException) when calling the CreateEventSourceMapping operation (reached max retries: 0): An event source mapping with SQS arn (\" arn:aws:sqs:us-east-1:123456789012:q.fifo \") and function (\" worker \") already exists. Please update or delete the existing mapping with UUID UUID",
            [
              "UUID"
            ],
            {
              "BatchSize": 5,
              "EventSourceArn": "arn:aws:sqs:us-east-1:123456789012:q.fifo",
              "EventSourceMappingArn": "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:UUID",
              "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:worker",
              "FunctionResponseTypes": [],
              "LastModified": true,
              "State": "Disabling",
              "StateTransitionReason": "USER_INITIATED",
              "UUID": "UUID"
            },
            "Disabled",
            {
              "c": "d"
            },
            "Deleting",
            true
          ],
          [
            {
              "BatchSize": 100,
              "BisectBatchOnFunctionError": false,
              "DestinationConfig": {
                "OnFailure": {}
              },
              "EventSourceArn": "arn:aws:kinesis:us-east-1:123456789012:stream/s",
              "EventSourceMappingArn": "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:UUID",
              "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:worker",
              "FunctionResponseTypes": [],
              "LastModified": true,
              "LastProcessingResult": "No records processed",
              "MaximumBatchingWindowInSeconds": 0,
              "MaximumRecordAgeInSeconds": -1,
              "MaximumRetryAttempts": -1,
              "ParallelizationFactor": 1,
              "StartingPosition": "LATEST",
              "State": "Creating",
              "StateTransitionReason": "User action",
              "TumblingWindowInSeconds": 0,
              "UUID": "UUID"
            },
            {
              "BatchSize": 100,
              "BisectBatchOnFunctionError": false,
              "DestinationConfig": {
                "OnFailure": {}
              },
              "EventSourceArn": "arn:aws:kinesis:us-east-1:123456789012:stream/s",
              "EventSourceMappingArn": "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:UUID",
              "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:worker",
              "FunctionResponseTypes": [],
              "LastModified": true,
              "LastProcessingResult": "No records processed",
              "MaximumBatchingWindowInSeconds": 0,
              "MaximumRecordAgeInSeconds": -1,
              "MaximumRetryAttempts": -1,
              "ParallelizationFactor": 1,
              "StartingPosition": "LATEST",
              "State": "Enabled",
              "StateTransitionReason": "User action",
              "TumblingWindowInSeconds": 0,
              "UUID": "UUID"
            },
            "An error occurred (ResourceConflictException) when calling the CreateEventSourceMapping operation (reached max retries: 0): The event source arn (\" arn:aws:kinesis:us-east-1:123456789012:stream/s \") and function (\" worker \") provided mapping already exists. Please update or delete the existing mapping with UUID UUID",
            [
              "UUID"
            ],
            {
              "BatchSize": 5,
              "BisectBatchOnFunctionError": false,
              "DestinationConfig": {
                "OnFailure": {}
              },
              "EventSourceArn": "arn:aws:kinesis:us-east-1:123456789012:stream/s",
              "EventSourceMappingArn": "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:UUID",
              "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:worker",
              "FunctionResponseTypes": [],
              "LastModified": true,
              "LastProcessingResult": "No records processed",
              "MaximumBatchingWindowInSeconds": 0,
              "MaximumRecordAgeInSeconds": -1,
              "MaximumRetryAttempts": -1,
              "ParallelizationFactor": 1,
              "StartingPosition": "LATEST",
              "State": "Disabling",
              "StateTransitionReason": "User action",
              "TumblingWindowInSeconds": 0,
              "UUID": "UUID"
            },
            "Disabled",
            {
              "c": "d"
            },
            "Deleting",
            true
          ],
          [
            {
              "BatchSize": 100,
              "BisectBatchOnFunctionError": false,
              "DestinationConfig": {
                "OnFailure": {}
              },
              "EventSourceArn": "TABLE-ARN",
              "EventSourceMappingArn": "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:UUID",
              "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:worker",
              "FunctionResponseTypes": [],
              "LastModified": true,
              "LastProcessingResult": "No records processed",
              "MaximumBatchingWindowInSeconds": 0,
              "MaximumRecordAgeInSeconds": -1,
              "MaximumRetryAttempts": -1,
              "ParallelizationFactor": 1,
              "StartingPosition": "TRIM_HORIZON",
              "State": "Creating",
              "StateTransitionReason": "User action",
              "TumblingWindowInSeconds": 0,
              "UUID": "UUID"
            },
            {
              "BatchSize": 100,
              "BisectBatchOnFunctionError": false,
              "DestinationConfig": {
                "OnFailure": {}
              },
              "EventSourceArn": "TABLE-ARN",
              "EventSourceMappingArn": "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:UUID",
              "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:worker",
              "FunctionResponseTypes": [],
              "LastModified": true,
              "LastProcessingResult": "No records processed",
              "MaximumBatchingWindowInSeconds": 0,
              "MaximumRecordAgeInSeconds": -1,
              "MaximumRetryAttempts": -1,
              "ParallelizationFactor": 1,
              "StartingPosition": "TRIM_HORIZON",
              "State": "Enabled",
              "StateTransitionReason": "User action",
              "TumblingWindowInSeconds": 0,
              "UUID": "UUID"
            },
            "An error occurred (ResourceConflictException) when calling the CreateEventSourceMapping operation (reached max retries: 0): The event source arn (\" TABLE-ARN \") and function (\" worker \") provided mapping already exists. Please update or delete the existing mapping with UUID UUID",
            [
              "UUID"
            ],
            {
              "BatchSize": 5,
              "BisectBatchOnFunctionError": false,
              "DestinationConfig": {
                "OnFailure": {}
              },
              "EventSourceArn": "TABLE-ARN",
              "EventSourceMappingArn": "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:UUID",
              "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:worker",
              "FunctionResponseTypes": [],
              "LastModified": true,
              "LastProcessingResult": "No records processed",
              "MaximumBatchingWindowInSeconds": 0,
              "MaximumRecordAgeInSeconds": -1,
              "MaximumRetryAttempts": -1,
              "ParallelizationFactor": 1,
              "StartingPosition": "TRIM_HORIZON",
              "State": "Disabling",
              "StateTransitionReason": "User action",
              "TumblingWindowInSeconds": 0,
              "UUID": "UUID"
            },
            "Disabled",
            {
              "c": "d"
            },
            "Deleting",
            true
          ]
        ]"#]].assert_eq(&text);
}

#[test]
fn what_may_not_be_set_is_refused_in_the_words_of_aws() {
    let bench = Bench::start(TELLS);
    let queue = bench.make(&["queue", "q"]);
    let fifo = bench.make(&["queue", "q.fifo", r#"{"FifoQueue":"true"}"#]);
    let stream = bench.make(&["stream", "s"]);
    let table = bench.make(&["table", "t"]);
    let arn = |service: &str, rest: &str| format!("arn:aws:{service}:us-east-1:123456789012:{rest}");
    let of = |source: &str, more: Value| {
        let mut mapping = json!({ "FunctionName": "worker", "EventSourceArn": source });
        mapping.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        mapping
    };
    let latest = |more: Value| {
        let mut all = json!({ "StartingPosition": "LATEST" });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let on_success = json!({ "DestinationConfig": { "OnSuccess": { "Destination": queue } } });
    let on_failure = json!({ "DestinationConfig": { "OnFailure": { "Destination": queue } } });
    let pattern = |pattern: &str| json!({ "FilterCriteria": { "Filters": [{ "Pattern": pattern }] } });
    let cases = [
        json!({ "FunctionName": "nobody", "EventSourceArn": queue }),
        json!({ "FunctionName": "worker" }),
        of(&arn("sqs", "none"), json!({})),
        of(&arn("kinesis", "stream/none"), latest(json!({}))),
        of(&arn("s3", "bucket"), json!({})),
        of(&arn("kafka", "cluster/c/1"), latest(json!({}))),
        of(&arn("mq", "broker:b"), json!({ "Queues": ["q"] })),
        of(&queue, json!({ "BatchSize": 11 })),
        of(&queue, json!({ "BatchSize": 0 })),
        of(&queue, json!({ "StartingPosition": "LATEST" })),
        of(&queue, json!({ "BisectBatchOnFunctionError": true })),
        of(&queue, on_failure),
        of(&queue, json!({ "ScalingConfig": { "MaximumConcurrency": 1 } })),
        of(&queue, pattern("{\"body\":1}")),
        of(&queue, json!({ "ProvisionedPollerConfig": { "MinimumPollers": 1 } })),
        of(&fifo, json!({ "BatchSize": 11 })),
        of(&fifo, json!({ "MaximumBatchingWindowInSeconds": 1 })),
        of(&stream, json!({})),
        of(&stream, json!({ "StartingPosition": "MIDDLE" })),
        of(&stream, json!({ "StartingPosition": "AT_TIMESTAMP" })),
        of(&stream, latest(on_success)),
        of(&stream, latest(json!({ "MaximumRecordAgeInSeconds": 30 }))),
        of(&stream, latest(json!({ "ScalingConfig": { "MaximumConcurrency": 2 } }))),
        of(&table, json!({ "StartingPosition": "AT_TIMESTAMP" })),
    ];
    let mut told = String::new();
    for case in cases {
        let answer =
            bench.server.http("POST", "/2015-03-31/event-source-mappings", case.to_string().as_bytes());
        let kind = answer.header("x-amzn-ErrorType").unwrap_or("no error").to_owned();
        let body = answer.json();
        let message = body["Message"].as_str().or(body["message"].as_str()).unwrap_or_default();
        told += &format!("{} {kind}: {}\n", answer.status, message.replace(&table, "TABLE-ARN"));
    }
    let path = "/2015-03-31/event-source-mappings/7d4f0f3e-0000-4000-8000-000000000000";
    for (method, body) in [("GET", ""), ("PUT", "{}"), ("DELETE", "")] {
        let answer = bench.server.http(method, path, body.as_bytes());
        told += &format!("{method} {} {}\n", answer.status, answer.text());
    }
    expect![[r#"
        400 InvalidParameterValueException: Function does not exist
        400 InvalidParameterValueException: Unrecognized event source.
        400 InvalidParameterValueException: Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.
        400 InvalidParameterValueException: Stream not found: arn:aws:kinesis:us-east-1:123456789012:stream/none
        400 InvalidParameterValueException: Unrecognized event source.
        400 InvalidParameterValueException: Hearth does not poll Amazon MSK: it polls Amazon SQS, Amazon Kinesis and Amazon DynamoDB Streams
        400 InvalidParameterValueException: Hearth does not poll Amazon MQ: it polls Amazon SQS, Amazon Kinesis and Amazon DynamoDB Streams
        400 InvalidParameterValueException: Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10
        400 ValidationException: 1 validation error detected: Value '0' at 'batchSize' failed to satisfy constraint: Member must have value greater than or equal to 1
        400 InvalidParameterValueException: Unsupported StartingPosition parameter for given event source mapping type.
        400 InvalidParameterValueException: Unsupported BisectBatchOnFunctionError parameter for given event source mapping type.
        400 InvalidParameterValueException: Unsupported DestinationConfig parameter for given event source mapping type.
        400 ValidationException: 1 validation error detected: Value '1' at 'scalingConfig.maximumConcurrency' failed to satisfy constraint: Member must have value greater than or equal to 2
        400 InvalidParameterValueException: Invalid filter pattern definition.
        400 InvalidParameterValueException: ProvisionedPollerConfig is not supported by Hearth yet
        400 InvalidParameterValueException: Batch size must be between 1 and 10 for FIFO queues.
        400 InvalidParameterValueException: Batching window is not supported for FIFO queues.
        400 InvalidParameterValueException: 1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.
        400 ValidationException: 1 validation error detected: Value 'MIDDLE' at 'startingPosition' failed to satisfy constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]
        400 InvalidParameterValueException: StartingPositionTimestamp is required for StartingPosition AT_TIMESTAMP.
        400 InvalidParameterValueException: Unsupported DestinationConfig parameter for given event source mapping type.
        400 InvalidParameterValueException: MaximumRecordAgeInSeconds must be -1, or between 60 and 604800.
        400 InvalidParameterValueException: Unsupported ScalingConfig parameter for given event source mapping type.
        400 InvalidParameterValueException: Unsupported starting position for arn type: TABLE-ARN
        GET 404 {"Message":"The resource you requested does not exist.","Type":"User"}
        PUT 404 {"Message":"The resource you requested does not exist.","Type":"User"}
        DELETE 404 {"Message":"The resource you requested does not exist.","Type":"User"}
    "#]].assert_eq(&told);
}

#[test]
fn a_mapping_that_is_switched_off_rests_and_one_that_is_removed_takes_nothing_more() {
    let bench = Bench::start(FAILS_ON_BAD);
    let queue = bench.make(&["queue", "q"]);
    let uuid = bench.map(&queue, json!({ "Enabled": false }))["UUID"].as_str().unwrap().to_owned();
    bench.send("q", &["one"]);
    assert_eq!(bench.at(&["left", "q"]), json!([1, 0]));
    let changed = bench.at(&["change", &uuid, r#"{"Enabled":true,"BatchSize":3}"#]);
    assert_eq!((&changed["State"], &changed["BatchSize"]), (&json!("Enabled"), &json!(3)));
    assert_eq!(bench.told(1), ["one"]);
    bench.until_empty("q");
    assert_eq!(bench.at(&["change", &uuid, r#"{"Enabled":false}"#])["State"], "Disabled");
    bench.send("q", &["two"]);
    assert_eq!(bench.at(&["remove", &uuid]), true);
    assert_eq!(bench.at(&["left", "q"]), json!([1, 0]));
    assert_eq!(bench.notes.lines(), ["one"]);
}

#[test]
fn a_function_that_is_deleted_leaves_its_mapping_and_one_of_its_name_goes_on_with_it() {
    let bench = Bench::start(FAILS_ON_BAD);
    let queue = bench.make(&["queue", "q"]);
    let uuid = bench.map(&queue, json!({}))["UUID"].as_str().unwrap().to_owned();
    bench.server.function("worker").delete();
    let path = format!("/2015-03-31/event-source-mappings/{uuid}");
    assert_eq!(bench.server.http("GET", &path, b"").json()["State"], "Enabled");
    bench.send("q", &["one"]);
    bench.server.create(worker(&bench.notes, FAILS_ON_BAD));
    bench.until_empty("q");
    assert_eq!(bench.notes.lines(), ["one"]);
}
