//! Templates and what they mean, without a server: intrinsic functions, `Globals`, conditions, and every mistake with its line.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use hearth_deploy::{Finding, Stack, Surroundings, Template};

fn surroundings(parameters: &[(&str, &str)]) -> Surroundings {
    Surroundings {
        region: "eu-west-1".to_owned(),
        account: "123456789012".to_owned(),
        stack_name: "shop".to_owned(),
        folder: "here".into(),
        parameters: parameters.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        ..Surroundings::default()
    }
}

fn resolve(template: &str, parameters: &[(&str, &str)]) -> Result<Stack, Vec<Finding>> {
    Template::read(template)?.resolve(&surroundings(parameters))
}

fn lines(findings: &[Finding]) -> String {
    findings.iter().fold(String::new(), |mut text, finding| {
        writeln!(text, "{finding}").unwrap();
        text
    })
}

/// Checks everything that a template comes to.
#[track_caller]
fn check(template: &str, parameters: &[(&str, &str)], wanted: Expect) {
    let text = match resolve(template, parameters) {
        Err(findings) => format!("wrong:\n{}", lines(&findings)),
        Ok(stack) => {
            let mut text = String::new();
            for layer in &stack.layers {
                writeln!(text, "layer {} {:?}", layer.name, layer.code).unwrap();
            }
            for function in &stack.functions {
                let defaults = resolve(PLAIN, &[]).unwrap().functions.remove(0);
                writeln!(text, "function {} {:?}", function.name, function.code).unwrap();
                for (member, value) in &function.request {
                    // Only what the template says.
                    if defaults.request.get(member) != Some(value) && member != "FunctionName" {
                        writeln!(text, "  {member} {value}").unwrap();
                    }
                }
            }
            for schedule in &stack.schedules {
                writeln!(text, "schedule {}/{}", schedule.group, schedule.name).unwrap();
                for (member, value) in &schedule.request {
                    writeln!(text, "  {member} {value}").unwrap();
                }
            }
            for mapping in &stack.event_source_mappings {
                writeln!(text, "mapping {} -> {}", mapping.source_arn, mapping.function_arn).unwrap();
                let said = mapping.request.iter().filter(|(member, value)| {
                    // Only what the template says.
                    mapping.defaults().get(*member) != Some(value)
                });
                for (member, value) in said.chain(&mapping.starting) {
                    writeln!(text, "  {member} {value}").unwrap();
                }
                if !mapping.tags.is_empty() {
                    writeln!(text, "  tags {:?}", mapping.tags).unwrap();
                }
            }
            for (kind, findings) in [("unsupported", &stack.unsupported), ("note", &stack.notes)] {
                for finding in findings {
                    writeln!(text, "{kind} {finding}").unwrap();
                }
            }
            for (name, value) in &stack.outputs {
                writeln!(text, "output {name} {value}").unwrap();
            }
            text
        }
    };
    wanted.assert_eq(&text);
}

const PLAIN: &str = "
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.11, Handler: app.handler, CodeUri: src}
";

/// Resolves one value in a template that has everything to refer to.
fn value(yaml: &str) -> String {
    let template = format!(
        "
Parameters:
  Stage: {{Type: String, Default: test}}
  Names: {{Type: CommaDelimitedList, Default: 'a, b,c'}}
  Size: {{Type: Number, Default: 256}}
Mappings:
  Sizes: {{test: {{small: 128, names: [x, y]}}}}
Conditions:
  IsTest: !Equals [!Ref Stage, test]
  IsNot: !Not [!Condition IsTest]
  Both: !And [!Condition IsTest, !Condition IsNot]
  Either: !Or [!Condition IsTest, !Equals [a, b]]
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties: {{Runtime: python3.11, Handler: h, CodeUri: src, AutoPublishAlias: live}}
  L:
    Type: AWS::Serverless::LayerVersion
    Properties: {{ContentUri: layer}}
  R:
    Type: AWS::IAM::Role
  Q:
    Type: AWS::SQS::Queue
  Under:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.11
      Handler: h
      Code: src
      Environment:
        Variables:
          VALUE:
            {}
",
        yaml.replace('\n', "\n            ")
    );
    match resolve(&template, &[]) {
        Ok(stack) => {
            let value = &stack.functions[1].request["Environment"]["Variables"];
            value.get("VALUE").map_or("(no value)".to_owned(), |value| value.as_str().unwrap().to_owned())
        }
        Err(findings) => {
            findings.iter().map(|finding| finding.message.clone()).collect::<Vec<_>>().join("; ")
        }
    }
}

#[test]
fn intrinsic_functions_come_to_what_cloudformation_makes_of_them() {
    for (yaml, wanted) in [
        ("!Ref Stage", "test"),
        ("Ref: Size", "256"),
        ("!Ref F", "shop-F"),
        ("!Ref L", "arn:aws:lambda:eu-west-1:123456789012:layer:L:next"),
        ("!Ref R", "shop-R"),
        ("!GetAtt R.Arn", "arn:aws:iam::123456789012:role/shop-R"),
        ("!Ref FRole", "shop-FRole"),
        ("!Ref AWS::Region", "eu-west-1"),
        ("!Ref AWS::AccountId", "123456789012"),
        ("!Ref AWS::NoValue", "(no value)"),
        ("!GetAtt F.Arn", "arn:aws:lambda:eu-west-1:123456789012:function:shop-F"),
        ("Fn::GetAtt: [F, Arn]", "arn:aws:lambda:eu-west-1:123456789012:function:shop-F"),
        ("!GetAtt F.Alias", "arn:aws:lambda:eu-west-1:123456789012:function:shop-F:live"),
        (
            "!Sub '${Stage}-${AWS::StackName}-${F}-${F.Arn}-${!Literal}'",
            "test-shop-shop-F-arn:aws:lambda:eu-west-1:123456789012:function:shop-F-${Literal}",
        ),
        ("!Sub ['${A}/${Stage}', {A: !Ref Size}]", "256/test"),
        ("!Join ['-', [a, !Ref Stage, 1]]", "a-test-1"),
        ("!Join [',', !Ref Names]", "a,b,c"),
        ("!Select [1, !Ref Names]", "b"),
        ("!Select ['2', !Split ['|', 'x|y|z']]", "z"),
        ("!FindInMap [Sizes, !Ref Stage, small]", "128"),
        ("!If [IsTest, yes, no]", "yes"),
        ("!If [IsNot, yes, no]", "no"),
        ("!If [Both, yes, !Ref AWS::NoValue]", "(no value)"),
        ("!If [Either, !Sub 'in ${Stage}', no]", "in test"),
        ("Fn::Base64: !Sub '${Stage}'", "dGVzdA=="),
        ("0123", "0123"),
        ("1.50", "1.50"),
        ("true", "true"),
    ] {
        assert_eq!(value(yaml), wanted, "{yaml}");
    }
}

#[test]
fn what_cannot_be_resolved_is_told() {
    for (yaml, wanted) in [
        ("!Ref Nothing", "there is no parameter or resource `Nothing`"),
        ("!GetAtt Q.Arn", "`Q.Arn` is not known to Hearth: `Q` is AWS::SQS::Queue"),
        ("!GetAtt F.Nonsense", "`F.Nonsense` is not known to Hearth: `F` is AWS::Serverless::Function"),
        ("!GetAtt F", "`Fn::GetAtt` takes a resource and its attribute"),
        ("!Ref [a]", "`Ref` takes the name of a parameter or a resource"),
        ("!Sub '${Nothing}'", "there is no parameter or resource `Nothing`"),
        ("!Sub '${Stage'", "`${` without `}` in `Fn::Sub`"),
        ("!Sub '${Names}'", "`${Names}` is a list, not a text"),
        ("!Join [x]", "`Fn::Join` takes a list of a delimiter and a list"),
        ("!Join ['-', x]", "expected a list"),
        ("!Select [3, !Ref Names]", "`Fn::Select` of `3` from a list of 3"),
        ("!Select [-1, !Ref Names]", "`Fn::Select` of `-1` from a list of 3"),
        ("!Split ['', abc]", "the delimiter of `Fn::Split` is empty"),
        ("!FindInMap [Sizes, nowhere, small]", "there is no `Sizes.nowhere.small` in `Mappings`"),
        ("!If [Nothing, a, b]", "there is no condition `Nothing`"),
        ("!If [IsTest, a]", "`Fn::If` takes a list of a condition and two values"),
        ("!Equals [a, b]", "`Fn::Equals` stands only in `Conditions`"),
        ("!ImportValue x", "`Fn::ImportValue` is not built"),
        ("'{{resolve:ssm:/x}}'", "dynamic references (`{{resolve:…}}`) need services that Hearth is not"),
        ("!Ref Names", "the variable `VALUE` has to be a text"),
        ("!GetAtt Under.Arn", "arn:aws:lambda:eu-west-1:123456789012:function:shop-Under"),
    ] {
        assert_eq!(value(yaml), wanted, "{yaml}");
    }
}

#[test]
fn a_function_url_is_known_when_it_is_there() {
    let template = "
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.11, Handler: h, CodeUri: src, FunctionUrlConfig: {AuthType: NONE}}
Outputs:
  Url: {Value: !GetAtt FUrl.FunctionUrl}
";
    let template = Template::read(template).unwrap();
    let mut surroundings = surroundings(&[]);
    let stack = template.resolve(&surroundings).unwrap();
    let left_out =
        "line 7: the output `Url` is left out: `FUrl.FunctionUrl` is not known before it is there\n";
    assert_eq!(lines(&stack.notes), left_out);
    surroundings.function_urls.insert("shop-F".to_owned(), "http://x/".to_owned());
    assert_eq!(template.resolve(&surroundings).unwrap().outputs["Url"], "http://x/");
}

#[test]
fn a_damaged_template_never_panics() {
    let whole = include_str!("../../../examples/sam/template.yaml");
    assert!(resolve(whole, &[]).is_ok());
    for (at, _) in whole.char_indices().step_by(3) {
        let _ = resolve(&whole[..at], &[]);
        for instead in ["", "!", "{", "[", ":", "&a *a", "\0"] {
            let _ = resolve(&format!("{}{instead}{}", &whole[..at], &whole[at + 1..]), &[]);
        }
    }
}

#[test]
fn circles_are_found() {
    check(
        "
Conditions:
  A: !Not [!Condition B]
  B: !Not [!Condition A]
Resources:
  F: {Type: AWS::Serverless::Function}
",
        &[],
        expect![[r#"
            wrong:
            line 3: `condition B` -> `condition A` -> `condition B` goes round in a circle
            line 4: `condition A` -> `condition B` -> `condition A` goes round in a circle
        "#]],
    );
    check(
        "
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: !Sub 'x-${G}', Runtime: python3.11, Handler: h, CodeUri: src}
  G:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: !Sub 'x-${F}', Runtime: python3.11, Handler: h, CodeUri: src}
",
        &[],
        expect![[r#"
            wrong:
            line 5: `G` -> `F` -> `G` goes round in a circle
            line 8: `F` -> `G` -> `F` goes round in a circle
        "#]],
    );
}

#[test]
fn globals_are_merged_as_sam_merges_them() {
    check(
        "
Globals:
  Function:
    Runtime: nodejs20.x
    Timeout: 7
    Layers: [a]
    Environment: {Variables: {A: 1, B: 2}}
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: app.handler
      CodeUri: src
      Layers: [b]
      Environment: {Variables: {B: 3}}
",
        &[],
        expect![[r#"
            function shop-F Path { path: "here/src", line: 14 }
              Environment {"Variables":{"A":"1","B":"3"}}
              Layers ["a","b"]
              Timeout 7
        "#]],
    );
}

#[test]
fn every_property_of_a_function_reaches_its_request() {
    check(
        "
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: named
      Runtime: nodejs20.x
      Handler: index.handler
      InlineCode: exports.handler = async () => 1
      Description: what it does
      Role: arn:aws:iam::123456789012:role/mine
      MemorySize: '512'
      Timeout: 30
      Architectures: [x86_64]
      EphemeralStorage: {Size: 1024}
      Tracing: Active
      KmsKeyArn: arn:aws:kms:eu-west-1:123456789012:key/k
      DeadLetterQueue: {Type: SQS, TargetArn: arn:aws:sqs:eu-west-1:123456789012:q}
      LoggingConfig: {LogFormat: JSON, ApplicationLogLevel: DEBUG}
      Tags: {team: web}
      Environment: {Variables: {NUMBER: 5, FLAG: true}}
",
        &[],
        expect![[r#"
            function named Inline { file_name: "index.js", text: "exports.handler = async () => 1" }
              Architectures ["x86_64"]
              DeadLetterConfig {"TargetArn":"arn:aws:sqs:eu-west-1:123456789012:q"}
              Description "what it does"
              Environment {"Variables":{"FLAG":"true","NUMBER":"5"}}
              EphemeralStorage {"Size":1024}
              Handler "index.handler"
              KMSKeyArn "arn:aws:kms:eu-west-1:123456789012:key/k"
              LoggingConfig {"ApplicationLogLevel":"DEBUG","LogFormat":"JSON","LogGroup":"/aws/lambda/named","SystemLogLevel":"INFO"}
              MemorySize 512
              Role "arn:aws:iam::123456789012:role/mine"
              Runtime "nodejs20.x"
              Timeout 30
              TracingConfig {"Mode":"Active"}
        "#]],
    );
}

#[test]
fn everything_wrong_is_told_at_once_and_with_its_line() {
    check(
        "
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      CodeUri: s3://bucket/key
      MemorySize: much
      Tiemout: 3
      Environment: [a]
      Layers: b
  L:
    Type: AWS::Serverless::LayerVersion
    Properties:
      ContentUri: {Bucket: b, Key: k}
  Same:
    Type: AWS::Serverless::LayerVersion
    Properties:
      LayerName: !Ref Nothing
      ContentUri: x
",
        &[],
        expect![[r#"
            wrong:
            line 4: `F` has no `Handler`
            line 8: `MemorySize` has to be a whole number, not `much`
            line 9: `F` has no property `Tiemout`
            line 10: `Environment` has to be a map, not a list
            line 11: `Layers` has to be a list of texts
            line 19: there is no parameter or resource `Nothing`
        "#]],
    );
    check(
        "
Transform: [AWS::Serverless-2016-10-31, AWS::LanguageExtensions]
Ressources: {}
Rules: {R: {}}
",
        &[],
        expect![[r#"
            wrong:
            line 2: the section `Resources` is missing
            line 2: the transform `AWS::LanguageExtensions` is not built
            line 3: `Ressources` is no section of a template
            line 4: `Rules` are not built
        "#]],
    );
    check(
        "
Resources:
  A-b: {Type: AWS::Serverless::Function}
  NoType: {Properties: {}}
  F: {Type: AWS::Serverless::Function, Properties: [], DependsOn: [Nobody]}
",
        &[],
        expect![[r#"
            wrong:
            line 3: `A-b`: names of resources are letters and digits
            line 4: `NoType` has no `Type`
            line 5: `DependsOn` names no resource: `Nobody`
            line 5: `Properties` has to be a map
        "#]],
    );
}

#[test]
fn parameters_are_checked_as_they_are_declared() {
    let template = "
Parameters:
  Stage: {Type: String, AllowedValues: [test, production]}
  Size: {Type: Number, Default: 128, MinValue: 128, MaxValue: 512}
  Name: {Type: String, Default: abc, AllowedPattern: '[a-z]+', MaxLength: 5}
  Secret: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /path}
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.11, Handler: !Sub '${Name}.${Secret}', CodeUri: src, MemorySize: !Ref Size}
";
    check(
        template,
        &[("Stage", "test"), ("Secret", "s"), ("Size", "256")],
        expect![[r#"
            function shop-F Path { path: "here/src", line: 10 }
              Handler "abc.s"
              MemorySize 256
        "#]],
    );
    check(
        template,
        &[("Stage", "nowhere"), ("Size", "1024"), ("Name", "ABC"), ("Unknown", "x")],
        expect![[r#"
            wrong:
            line 2: the template has no parameter `Unknown`
            line 3: parameter `Stage`: `nowhere` is none of its `AllowedValues`: test, production
            line 4: parameter `Size`: `1024` is more than its `MaxValue`
            line 5: parameter `Name`: `ABC` does not match its `AllowedPattern` `[a-z]+`
            line 6: parameter `Secret`: its value `/path` is in Systems Manager, which Hearth is not: give it with --parameter-overrides
        "#]],
    );
    check(
        template,
        &[("Secret", "s")],
        expect![[r#"
        wrong:
        line 3: parameter `Stage`: it has no default: give it with --parameter-overrides Stage=VALUE
    "#]],
    );
}

#[test]
fn what_is_not_built_and_what_has_no_effect_is_listed_with_its_line() {
    check(
        "
Globals:
  Api: {EndpointConfiguration: REGIONAL}
Conditions:
  Never: !Equals [a, b]
Resources:
  F:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: esbuild}
    DeletionPolicy: Retain
    Properties:
      Runtime: python3.11
      Handler: app.handler
      CodeUri: src
      Policies: [AWSLambdaBasicExecutionRole]
      CodeSigningConfigArn: arn
      ImageUri: image
      Events:
        Get:
          Type: HttpApi
        Topic:
          Type: SNS
          Properties: {Topic: t}
  Built:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: esbuild, SamResourceId: Built}
    Properties: {Runtime: python3.11, Handler: app.handler, CodeUri: src, SnapStart: {ApplyOn: None}}
  NotThere:
    Type: AWS::Serverless::Function
    Condition: Never
  Table:
    Type: AWS::DynamoDB::Table
  Role:
    Type: AWS::IAM::Role
Outputs:
  Api: {Value: !Sub 'https://${ServerlessRestApi}.example'}
  Name: {Value: !Ref F}
  Gone: {Value: !Ref NotThere}
",
        &[],
        expect![[r#"
            function shop-F Path { path: "here/src", line: 14 }
            function shop-Built Path { path: "here/src", line: 27 }
              LoggingConfig {"LogFormat":"Text","LogGroup":"/aws/lambda/shop-Built"}
              Role "arn:aws:iam::123456789012:role/shop-BuiltRole"
            unsupported line 9: `F`: Hearth builds nothing (`BuildMethod`): run `sam build`, then deploy `.aws-sam/build/template.yaml`
            unsupported line 16: `F`: `CodeSigningConfigArn` is not built
            unsupported line 17: `F`: `ImageUri` is not built
            unsupported line 19: `F`: the event `Get` of type HttpApi is not built
            unsupported line 21: `F`: the event `Topic` of type SNS is not built
            unsupported line 32: `Table`: AWS::DynamoDB::Table is not built
            note line 3: `Globals.Api` is of resources that are not built
            note line 10: `DeletionPolicy` has no effect
            note line 15: `F`: `Policies` has no effect
            note line 34: `Role` (AWS::IAM::Role) has no effect: functions may call Hearth's own API as the server's `function_rights` say
            note line 36: the output `Api` is left out: there is no parameter or resource `ServerlessRestApi`
            note line 38: the output `Gone` is left out: `NotThere` is not there: its condition `Never` is false
            output Name shop-F
        "#]],
    );
}

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

#[test]
fn what_a_server_keeps_of_a_function_is_asked_for_and_noted() {
    check(
        "
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: app.handler
      CodeUri: src
      Role: arn:aws:iam::123456789012:role/shop-FRole
      VpcConfig: {SubnetIds: [subnet-1], SecurityGroupIds: [sg-1], Ipv6AllowedForDualStack: 'true'}
      FileSystemConfigs: [{Arn: arn, LocalMountPath: /mnt/data}]
      SnapStart: {ApplyOn: PublishedVersions}
      DurableConfig: {ExecutionTimeout: '60'}
",
        &[],
        expect![[r#"
            function shop-F Path { path: "here/src", line: 8 }
              DurableConfig {"ExecutionTimeout":60,"RetentionPeriodInDays":14}
              FileSystemConfigs [{"Arn":"arn","LocalMountPath":"/mnt/data"}]
              SnapStart {"ApplyOn":"PublishedVersions"}
              VpcConfig {"Ipv6AllowedForDualStack":true,"SecurityGroupIds":["sg-1"],"SubnetIds":["subnet-1"]}
            note line 10: `F`: the server keeps and shows `VpcConfig`, which has no effect on it
            note line 11: `F`: the server keeps and shows `FileSystemConfigs`, which has no effect on it
            note line 12: `F`: the server keeps and shows `SnapStart`, which has no effect on it
        "#]],
    );
    check(
        "
Resources:
  F:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.11
      Handler: app.handler
      Code: src
      VpcConfig: {Subnets: [subnet-1]}
      FileSystemConfigs: all
      SnapStart: true
      DurableConfig: {ExecutionTimeout: soon}
",
        &[],
        expect![[r#"
            wrong:
            line 9: `VpcConfig` has no member `Subnets`
            line 10: `FileSystemConfigs` has to be a list
            line 11: `SnapStart` has to be a map, not a text
            line 12: `ExecutionTimeout` has to be a whole number
        "#]],
    );
}

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

#[test]
fn code_may_be_an_object_in_a_bucket() {
    check(
        "
Globals:
  Function: {Runtime: python3.11, Handler: app.handler}
Resources:
  Uri:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: 's3://bucket/path/to/code.zip'}
  Map:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: {Bucket: bucket, Key: code.zip, Version: '3'}}
  Plain:
    Type: AWS::Lambda::Function
    Properties: {Runtime: python3.11, Handler: a.b, Code: {S3Bucket: bucket, S3Key: code.zip}}
  Words:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: 's3://bucket/words.zip'}
",
        &[],
        expect![[r#"
            layer Words Bucket { bucket: "bucket", key: "words.zip", version: None, line: 16 }
            function shop-Uri Bucket { bucket: "bucket", key: "path/to/code.zip", version: None, line: 7 }
              LoggingConfig {"LogFormat":"Text","LogGroup":"/aws/lambda/shop-Uri"}
              Role "arn:aws:iam::123456789012:role/shop-UriRole"
            function shop-Map Bucket { bucket: "bucket", key: "code.zip", version: Some("3"), line: 10 }
              LoggingConfig {"LogFormat":"Text","LogGroup":"/aws/lambda/shop-Map"}
              Role "arn:aws:iam::123456789012:role/shop-MapRole"
            function shop-Plain Bucket { bucket: "bucket", key: "code.zip", version: None, line: 13 }
              Handler "a.b"
              LoggingConfig {"LogFormat":"Text","LogGroup":"/aws/lambda/shop-Plain"}
              Role "arn:aws:iam::123456789012:role/shop-PlainRole"
        "#]],
    );
    check(
        "
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.11, Handler: a.b, CodeUri: 's3://bucket'}
  G:
    Type: AWS::Serverless::Function
    Properties: {Runtime: python3.11, Handler: a.b, CodeUri: 'https://example.com/code.zip'}
",
        &[],
        expect![[r#"
            wrong:
            line 5: `CodeUri` `s3://bucket` names no object: s3://BUCKET/KEY
            line 8: `CodeUri` `https://example.com/code.zip` is not on this machine: name a folder, a zip or another file
        "#]],
    );
}
