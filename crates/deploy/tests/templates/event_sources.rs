//! Queues and streams: events of a function, and resources of their own.

use expect_test::expect;

use super::check;

#[test]
fn events_and_resources_that_are_queues_and_streams_come_to_event_source_mappings() {
    check(
        "
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: app.handler
      CodeUri: src
      AutoPublishAlias: live
      Events:
        Jobs:
          Type: SQS
          Properties:
            Queue: arn:aws:sqs:eu-west-1:123456789012:jobs
            BatchSize: '5'
            Enabled: false
            FilterCriteria: {Filters: [{Pattern: '{\"body\": [1]}'}]}
            FunctionResponseTypes: [ReportBatchItemFailures]
            ScalingConfig: {MaximumConcurrency: 2}
            MetricsConfig: {Metrics: [EventCount]}
        Clicks:
          Type: Kinesis
          Properties:
            Stream: arn:aws:kinesis:eu-west-1:123456789012:stream/clicks
            StartingPosition: AT_TIMESTAMP
            StartingPositionTimestamp: 1700000000
            MaximumRetryAttempts: -1
            BisectBatchOnFunctionError: true
            DestinationConfig: {OnFailure: {Type: SQS, Destination: arn:aws:sqs:eu-west-1:123456789012:dlq}}
        Rows:
          Type: DynamoDB
          Properties:
            Stream: arn:aws:dynamodb:eu-west-1:123456789012:table/rows/stream/2026-11-30T00:00:00.000
            StartingPosition: LATEST
            TumblingWindowInSeconds: 30
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !Ref F
      EventSourceArn: arn:aws:sqs:eu-west-1:123456789012:jobs
      Tags: [{Key: team, Value: web}]
  Partial:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: 123456789012:function:other:live
      EventSourceArn: arn:aws:sqs:eu-west-1:123456789012:others
  Kafka:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !GetAtt F.Arn
      EventSourceArn: arn:aws:kafka:eu-west-1:123456789012:cluster/c/1
      Topics: [t]
  Own:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !GetAtt F.Arn
      SelfManagedEventSource: {Endpoints: {KafkaBootstrapServers: [a]}}
",
        &[],
        expect![[r#"
            function shop-F Path { path: "here/src", line: 8 }
            mapping arn:aws:sqs:eu-west-1:123456789012:jobs -> arn:aws:lambda:eu-west-1:123456789012:function:shop-F:live
              BatchSize 5
              Enabled false
              FilterCriteria {"Filters":[{"Pattern":"{\"body\": [1]}"}]}
              FunctionResponseTypes ["ReportBatchItemFailures"]
              ScalingConfig {"MaximumConcurrency":2}
            mapping arn:aws:kinesis:eu-west-1:123456789012:stream/clicks -> arn:aws:lambda:eu-west-1:123456789012:function:shop-F:live
              BisectBatchOnFunctionError true
              DestinationConfig {"OnFailure":{"Destination":"arn:aws:sqs:eu-west-1:123456789012:dlq"}}
              StartingPosition "AT_TIMESTAMP"
              StartingPositionTimestamp 1700000000
            mapping arn:aws:dynamodb:eu-west-1:123456789012:table/rows/stream/2026-11-30T00:00:00.000 -> arn:aws:lambda:eu-west-1:123456789012:function:shop-F:live
              TumblingWindowInSeconds 30
              StartingPosition "LATEST"
            mapping arn:aws:sqs:eu-west-1:123456789012:jobs -> arn:aws:lambda:eu-west-1:123456789012:function:shop-F
              tags {"team": "web"}
            mapping arn:aws:sqs:eu-west-1:123456789012:others -> arn:aws:lambda:eu-west-1:123456789012:function:other:live
            unsupported line 20: `FJobs`: `MetricsConfig` is not built
            unsupported line 51: `Kafka`: a source of kafka is not built
            unsupported line 57: `Own`: `SelfManagedEventSource` is not built
        "#]],
    );
    check(
        "
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: app.handler
      CodeUri: src
      Events:
        None: {Type: SQS}
        Name: {Type: SQS, Properties: {Queue: jobs}}
        Start: {Type: Kinesis, Properties: {Stream: arn:aws:kinesis:eu-west-1:123456789012:stream/clicks}}
        Wrong:
          Type: SQS
          Properties:
            Queue: arn:aws:sqs:eu-west-1:123456789012:jobs
            BatchSize: many
            Enabled: perhaps
            FunctionResponseTypes: all
            StartingPosition: LATEST
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {EventSourceArn: arn:aws:sqs:eu-west-1:123456789012:jobs}
  Same:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {FunctionName: !Ref F, EventSourceArn: arn:aws:sqs:eu-west-1:123456789012:jobs}
",
        &[],
        expect![[r#"
            wrong:
            line 10: `FNone` has no `Queue`
            line 11: `Queue` has to be the ARN of a source, not `jobs`
            line 12: `FStart` has no `StartingPosition`
            line 17: `BatchSize` has to be a whole number
            line 18: `Enabled` has to be true or false
            line 19: `FunctionResponseTypes` has to be a list
            line 20: the event `Wrong` has no property `StartingPosition`
            line 22: `Mapping` has no `FunctionName`
            line 25: `FWrong` and `Same` are the same: `arn:aws:sqs:eu-west-1:123456789012:jobs` for `arn:aws:lambda:eu-west-1:123456789012:function:shop-F`
        "#]],
    );
}
