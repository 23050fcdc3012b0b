//! Templates and what they mean, without a server: intrinsic functions, `Globals`, conditions, and every mistake with its line.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod event_sources;
mod schedules;
mod values;

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

#[test]
fn a_damaged_template_never_panics() {
    let whole = include_str!("../../../../examples/sam/template.yaml");
    assert!(resolve(whole, &[]).is_ok());
    for (at, _) in whole.char_indices().step_by(3) {
        let _ = resolve(&whole[..at], &[]);
        for instead in ["", "!", "{", "[", ":", "&a *a", "\0"] {
            let _ = resolve(&format!("{}{instead}{}", &whole[..at], &whole[at + 1..]), &[]);
        }
    }
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
