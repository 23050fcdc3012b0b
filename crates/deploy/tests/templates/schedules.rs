//! Schedules: events of a function, and resources of their own.

use expect_test::expect;

use super::check;

#[test]
fn events_and_resources_that_are_schedules_come_to_schedules() {
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
        Every:
          Type: Schedule
          Properties:
            Schedule: rate(5 minutes)
            Enabled: false
        Nightly:
          Type: ScheduleV2
          Properties:
            Name: nightly
            GroupName: jobs
            ScheduleExpression: cron(0 3 * * ? *)
            ScheduleExpressionTimezone: Europe/Berlin
            Input: '{}'
            OmitName: true
            RetryPolicy: {MaximumRetryAttempts: 0}
            DeadLetterConfig: {Arn: arn}
  Once:
    Type: AWS::Scheduler::Schedule
    Properties:
      ScheduleExpression: at(2030-01-01T00:00:00)
      StartDate: 2029-01-01T00:00:00Z
      FlexibleTimeWindow: {Mode: FLEXIBLE, MaximumWindowInMinutes: '5'}
      Target: {Arn: !GetAtt F.Arn, RoleArn: arn:aws:iam::123456789012:role/r, Input: '1'}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      Name: rule
      ScheduleExpression: rate(1 day)
      Targets:
        - {Id: one, Arn: !GetAtt F.Arn, Input: '1'}
        - {Id: two, Arn: !GetAtt F.Arn, Input: '2', SqsParameters: {MessageGroupId: g}}
  Pattern:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {source: [a]}
      Targets: [{Id: one, Arn: !GetAtt F.Arn}]
  OfRule:
    Type: AWS::Lambda::Permission
    Properties: {Action: 'lambda:InvokeFunction', FunctionName: !Ref F, Principal: events.amazonaws.com}
  OfTopic:
    Type: AWS::Lambda::Permission
    Properties: {Action: 'lambda:InvokeFunction', FunctionName: !Ref F, Principal: sns.amazonaws.com}
Outputs:
  Name: {Value: !Ref Once}
  Arn: {Value: !GetAtt Rule.Arn}
",
        &[],
        expect![[r#"
            function shop-F Path { path: "here/src", line: 8 }
            schedule shop/shop-FEvery
              ActionAfterCompletion "NONE"
              FlexibleTimeWindow {"Mode":"OFF"}
              ScheduleExpression "rate(5 minutes)"
              ScheduleExpressionTimezone "UTC"
              State "DISABLED"
              Target {"Arn":"arn:aws:lambda:eu-west-1:123456789012:function:shop-F:live","Input":"{\"account\":\"123456789012\",\"detail\":{},\"detail-type\":\"Scheduled Event\",\"id\":\"<aws.scheduler.execution-id>\",\"region\":\"eu-west-1\",\"resources\":[\"arn:aws:events:eu-west-1:123456789012:rule/shop-FEvery\"],\"source\":\"aws.events\",\"time\":\"<aws.scheduler.scheduled-time>\",\"version\":\"0\"}","RetryPolicy":{"MaximumEventAgeInSeconds":86400,"MaximumRetryAttempts":185},"RoleArn":"arn:aws:iam::123456789012:role/shop-FEveryRole"}
            schedule jobs/nightly
              ActionAfterCompletion "NONE"
              FlexibleTimeWindow {"Mode":"OFF"}
              ScheduleExpression "cron(0 3 * * ? *)"
              ScheduleExpressionTimezone "Europe/Berlin"
              State "ENABLED"
              Target {"Arn":"arn:aws:lambda:eu-west-1:123456789012:function:shop-F:live","Input":"{}","RetryPolicy":{"MaximumEventAgeInSeconds":86400,"MaximumRetryAttempts":0},"RoleArn":"arn:aws:iam::123456789012:role/shop-FNightlyRole"}
            schedule shop/shop-Once
              ActionAfterCompletion "NONE"
              FlexibleTimeWindow {"MaximumWindowInMinutes":5,"Mode":"FLEXIBLE"}
              ScheduleExpression "at(2030-01-01T00:00:00)"
              ScheduleExpressionTimezone "UTC"
              StartDate "2029-01-01T00:00:00Z"
              State "ENABLED"
              Target {"Arn":"arn:aws:lambda:eu-west-1:123456789012:function:shop-F","Input":"1","RetryPolicy":{"MaximumEventAgeInSeconds":86400,"MaximumRetryAttempts":185},"RoleArn":"arn:aws:iam::123456789012:role/r"}
            schedule shop/rule-one
              ActionAfterCompletion "NONE"
              FlexibleTimeWindow {"Mode":"OFF"}
              ScheduleExpression "rate(1 day)"
              ScheduleExpressionTimezone "UTC"
              State "ENABLED"
              Target {"Arn":"arn:aws:lambda:eu-west-1:123456789012:function:shop-F","Input":"1","RetryPolicy":{"MaximumEventAgeInSeconds":86400,"MaximumRetryAttempts":185},"RoleArn":"arn:aws:iam::123456789012:role/shop-RuleRole"}
            schedule shop/rule-two
              ActionAfterCompletion "NONE"
              FlexibleTimeWindow {"Mode":"OFF"}
              ScheduleExpression "rate(1 day)"
              ScheduleExpressionTimezone "UTC"
              State "ENABLED"
              Target {"Arn":"arn:aws:lambda:eu-west-1:123456789012:function:shop-F","Input":"2","RetryPolicy":{"MaximumEventAgeInSeconds":86400,"MaximumRetryAttempts":185},"RoleArn":"arn:aws:iam::123456789012:role/shop-RuleRole"}
            unsupported line 26: `FNightly`: `DeadLetterConfig` is not built
            unsupported line 41: `Rule`: `SqsParameters` of a target is not built
            unsupported line 45: `Pattern`: `EventPattern` is not built
            unsupported line 51: `OfTopic`: AWS::Lambda::Permission is not built
            note line 24: `FNightly`: `OmitName` has no effect
            note line 48: `OfRule` (AWS::Lambda::Permission) has no effect: schedules need no permission
            output Arn arn:aws:events:eu-west-1:123456789012:rule/rule
            output Name shop-Once
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
        None: {Type: Schedule}
        Wrong:
          Type: ScheduleV2
          Properties: {Name: 'a b', ScheduleExpression: rate(1 day), Colour: red}
        Same:
          Type: ScheduleV2
          Properties: {Name: once, ScheduleExpression: rate(1 day)}
  Once:
    Type: AWS::Scheduler::Schedule
    Properties:
      Name: once
      ScheduleExpression: rate(1 day)
  Twice:
    Type: AWS::Scheduler::Schedule
    Properties:
      Name: once
      ScheduleExpression: rate(1 day)
      Target: {Arn: !GetAtt F.Arn}
",
        &[],
        expect![[r#"
            wrong:
            line 10: the event `None` has no `Schedule`
            line 13: `a b` is no name of a schedule: letters, digits, `-`, `_` and `.`, at most 64
            line 13: the event `Wrong` has no property `Colour`
            line 18: `Once` has no `Target`
            line 26: `FSame` and `Twice` are the same schedule `once`
        "#]],
    );
}
