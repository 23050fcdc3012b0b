//! Values: intrinsic functions, parameters, conditions, and what cannot be resolved.

use expect_test::expect;
use hearth_deploy::Template;

use super::{check, lines, resolve, surroundings};

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
