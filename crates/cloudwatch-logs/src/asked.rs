//! What a request asks for, as policies name it: the action, and the log group that it is about.

use hearth_auth::{Asked, Resource};
use hearth_types::{Arn, LogGroupName};
use http::Request;
use serde::Deserialize;
use serde_json::Value;

use crate::{CloudWatchLogs, operation};

/// The members that name a log group. One that is there twice is no input at all, neither here nor for an operation.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Names {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    resource_arn: Option<String>,
    log_stream_name: Option<String>,
    log_group_names: Option<Value>,
    log_group_identifiers: Option<Value>,
}

impl CloudWatchLogs {
    /// Returns what a request with this body, for which [`CloudWatchLogs::is_asked`] holds, asks for.
    pub fn asked<B>(&self, request: &Request<B>, body: &[u8]) -> Asked {
        // Whatever is no name of an operation, nobody is allowed to do, but those who may do everything.
        let operation = operation(request).unwrap_or_default();
        let action: String = operation.chars().filter(char::is_ascii_alphanumeric).take(128).collect();
        Asked { action: format!("logs:{action}"), resource: self.log_group(body) }
    }

    fn log_group(&self, body: &[u8]) -> Resource {
        // What is no input for this is none for the operation, or one that it takes in another way.
        let Ok(names) = serde_json::from_slice::<Names>(body) else { return Resource::Untold };
        // Of several groups only who may use all of them has what they ask for.
        let only = |list: Option<Value>| match list {
            None => Ok(None),
            Some(Value::Array(names)) => match names.as_slice() {
                [Value::String(name)] => Ok(Some(name.clone())),
                _ => Err(Resource::Untold),
            },
            Some(_) => Err(Resource::Untold),
        };
        let (named, identified) = match (only(names.log_group_names), only(names.log_group_identifiers)) {
            (Ok(named), Ok(identified)) => (named, identified),
            (Err(untold), _) | (_, Err(untold)) => return untold,
        };
        let named = [names.log_group_name, names.log_group_identifier, names.resource_arn, named, identified];
        // Who names several names none: an operation could take another one than we.
        let mut named = named.into_iter().flatten();
        let named = match (named.next(), named.next()) {
            (None, _) => return Resource::Any,
            (Some(named), None) => named,
            (Some(_), Some(_)) => return Resource::Untold,
        };
        let name = match Arn::parse(&named) {
            None => Some(&*named),
            Some(arn) => Some(arn)
                .filter(|arn| arn.service == "logs")
                .filter(|arn| arn.region == self.region.as_str() && arn.account == self.account.as_str())
                .and_then(|arn| arn.resource.strip_prefix("log-group:"))
                .map(|name| name.strip_suffix(":*").unwrap_or(name)),
        };
        let Some(name) = name.and_then(|name| LogGroupName::new(name).ok()) else {
            return Resource::Untold;
        };
        let stream: String =
            names.log_stream_name.unwrap_or_default().chars().filter(|c| !c.is_control()).take(512).collect();
        let arn =
            format!("arn:aws:logs:{}:{}:log-group:{name}:log-stream:{stream}", self.region, self.account);
        Resource::LogGroup { arn, name }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_api::TestApi;

    #[test]
    fn one_group_is_named_however_a_request_names_it_and_several_are_not() {
        let test = TestApi::with("asked", &[]);
        let arn = "arn:aws:logs:us-east-1:000000000000:log-group:/app";
        for body in [
            r#"{"logGroupName":"/app"}"#.to_owned(),
            r#"{"logGroupNames":["/app"]}"#.to_owned(),
            format!(r#"{{"logGroupIdentifiers":["{arn}"]}}"#),
            format!(r#"{{"logGroupIdentifier":"{arn}:*"}}"#),
        ] {
            let Resource::LogGroup { arn: named, name } = test.api.log_group(body.as_bytes()) else {
                panic!("{body}");
            };
            assert_eq!((named, name.as_str()), (format!("{arn}:log-stream:"), "/app"), "{body}");
        }
        for body in [
            r#"{"logGroupNames":["/app","/other"]}"#,
            r#"{"logGroupNames":[]}"#,
            r#"{"logGroupNames":[7]}"#,
            r#"{"logGroupNames":"/app"}"#,
            r#"{"logGroupNames":["/app"],"logGroupName":"/other"}"#,
            r#"{"logGroupIdentifiers":["/app"],"logGroupNames":["/app"]}"#,
        ] {
            assert_eq!(test.api.log_group(body.as_bytes()), Resource::Untold, "{body}");
        }
        assert_eq!(test.api.log_group(b"{}"), Resource::Any);
    }
}
