//! Names: of functions (bare, qualified, partial and full ARNs), log groups, and identifiers.
//!
//! What is accepted prints as something that reads as the same; and the API, asked for a function of that name, blames
//! nobody but the caller.

use hearth_types::{
    AccountId, Arn, CodeSha256, FunctionArn, FunctionName, FunctionReference, LogGroupName, LogStreamName,
    Qualifier, Region, RequestId, RevisionId, Runtime, TraceHeader,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::api_json::ask;
use super::on_tokio;
use super::world::World;

/// Runs one input.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(reference) = FunctionReference::parse(text) {
        print_and_parse(&FunctionArn {
            region: reference.region.unwrap_or_else(|| Region::new("us-east-1").expect("a region")),
            account: reference.account.unwrap_or_else(|| AccountId::new("000000000000").expect("an account")),
            name: reference.name,
            qualifier: reference.qualifier,
        });
    }
    of_its_parts(text);
    if let Some(Arn { partition, service, region, account, resource }) = Arn::parse(text) {
        assert_eq!(format!("arn:{partition}:{service}:{region}:{account}:{resource}"), text);
    }
    identifiers(text);
    on_tokio(async {
        let world = World::with_function().await;
        let encoded = utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        for target in [
            format!("/2015-03-31/functions/{encoded}"),
            format!("/2015-03-31/functions/f?Qualifier={encoded}"),
        ] {
            let answer = ask(&world, "GET", &target, b"").await;
            answer.check();
        }
    });
}

/// An ARN of any parts that are valid by themselves, one on a line.
fn of_its_parts(text: &str) {
    let mut lines = text.split('\n');
    let mut part = || lines.next().unwrap_or_default();
    let (Ok(region), Ok(account), Ok(name)) =
        (Region::new(part()), AccountId::new(part()), FunctionName::new(part()))
    else {
        return;
    };
    print_and_parse(&FunctionArn { region, account, name, qualifier: Qualifier::parse(part()).ok() });
}

fn print_and_parse(arn: &FunctionArn) {
    let text = arn.to_string();
    let again = FunctionReference::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    let again = (again.region, again.account, again.name, again.qualifier);
    let arn = arn.clone();
    assert_eq!(again, (Some(arn.region), Some(arn.account), arn.name, arn.qualifier), "{text}");
}

fn identifiers(text: &str) {
    if let Ok(group) = LogGroupName::new(text) {
        assert_eq!(LogGroupName::new(group.as_str()), Ok(group));
    }
    if let Ok(stream) = LogStreamName::new(text) {
        assert_eq!(stream.to_string(), text);
    }
    if let Some(id) = RequestId::parse(text) {
        assert_eq!(id.to_string(), text);
    }
    if let Some(id) = RevisionId::parse(text) {
        assert_eq!(RevisionId::parse(&id.to_string()), Some(id));
    }
    if let Some(sha256) = CodeSha256::parse(text) {
        assert_eq!(sha256.to_string(), text);
    }
    if let Ok(runtime) = Runtime::parse(text) {
        assert_eq!(runtime.to_string(), text);
    }
    if let Some(trace) = TraceHeader::from_caller(text) {
        assert!(http::HeaderValue::from_str(trace.as_str()).is_ok(), "it goes on as a header");
    }
}
