//! What a client sees of a refusal, exception by exception.

use serde_json::{Map, Value, json};

use crate::support::Answer;

/// A refusal as a client sees it.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    status: u16,
    error_type: &'static str,
    /// The members of the body, without the text.
    body: Value,
    /// The member with the text.
    key: &'static str,
    message: String,
    /// Only the beginning of the text is known.
    is_head: bool,
}

impl Refusal {
    /// An exception of the model that is the caller's fault.
    fn modelled(status: u16, error_type: &'static str, message: impl Into<String>) -> Self {
        let body = json!({ "Type": "User" });
        Self { status, error_type, body, key: "message", message: message.into(), is_head: false }
    }

    /// An error of the framework in front of every operation.
    fn of_framework(status: u16, error_type: &'static str, message: impl Into<String>) -> Self {
        Self { body: json!({}), ..Self::modelled(status, error_type, message) }
    }

    /// Says that the text goes on in a way that nobody relies on.
    pub(crate) fn and_so_on(self) -> Self {
        Self { is_head: true, ..self }
    }

    /// Checks all of an answer.
    pub(crate) fn check(&self, what: &str, answer: &Answer) {
        let outcome = format!("{what}: {} {}", answer.status, answer.text());
        assert_eq!(answer.status, self.status, "{outcome}");
        assert_eq!(answer.header("x-amzn-errortype"), Some(self.error_type), "{outcome}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{outcome}");
        let id = answer.header("x-amzn-requestid").unwrap_or_default();
        assert!(id.len() == 36 && id.split('-').count() == 5, "a UUID, not `{id}`: {outcome}");
        let mut body: Map<String, Value> = answer.value().as_object().cloned().unwrap();
        let message = body.remove(self.key).unwrap_or_else(|| panic!("no {}: {outcome}", self.key));
        assert_eq!(Value::Object(body), self.body, "{outcome}");
        let message = message.as_str().unwrap();
        match self.is_head {
            true => assert!(message.starts_with(&self.message), "{what}\n  {message}\n  {}", self.message),
            false => assert_eq!(message, self.message, "{what}"),
        }
    }
}

/// An exception of the model that is the caller's fault.
pub(crate) fn modelled(status: u16, error_type: &'static str, message: &str) -> Refusal {
    Refusal::modelled(status, error_type, message)
}

/// 400: one of the few exceptions of the model that come without a `Type`.
pub(crate) fn untyped(error_type: &'static str, message: &str) -> Refusal {
    Refusal::of_framework(400, error_type, message)
}

/// 404: a code signing configuration, which comes without a `Type`.
pub(crate) fn no_code_signing_config(arn: &str) -> Refusal {
    let message = format!("The Lambda code signing configuration {arn} can not be found.");
    Refusal { key: "Message", ..Refusal::of_framework(404, "ResourceNotFoundException", message) }
}

/// 400, with each of the broken constraints.
pub(crate) fn validation(broken: &[String]) -> Refusal {
    let errors = if broken.len() == 1 {
        "1 validation error".to_owned()
    } else {
        format!("{} validation errors", broken.len())
    };
    Refusal::of_framework(400, "ValidationException", format!("{errors} detected: {}", broken.join("; ")))
}

/// 400, with one broken constraint of a value.
pub(crate) fn broken(value: &str, path: &str, constraint: impl AsRef<str>) -> Refusal {
    validation(&[item(value, path, constraint)])
}

/// One broken constraint of a value.
pub(crate) fn item(value: &str, path: &str, constraint: impl AsRef<str>) -> String {
    format!("Value '{value}' at '{path}' failed to satisfy constraint: {}", constraint.as_ref())
}

/// One member that is missing.
pub(crate) fn missing(path: &str) -> String {
    format!("Value null at '{path}' failed to satisfy constraint: Member must not be null")
}

pub(crate) fn length_at_most(max: u64) -> String {
    format!("Member must have length less than or equal to {max}")
}

pub(crate) fn length_at_least(min: u64) -> String {
    format!("Member must have length greater than or equal to {min}")
}

pub(crate) fn at_most(max: i64) -> String {
    format!("Member must have value less than or equal to {max}")
}

pub(crate) fn at_least(min: i64) -> String {
    format!("Member must have value greater than or equal to {min}")
}

pub(crate) fn pattern(pattern: &str) -> String {
    format!("Member must satisfy regular expression pattern: {pattern}")
}

pub(crate) fn one_of(words: &str) -> String {
    format!("Member must satisfy enum value set: [{words}]")
}

/// The constraints of a list's elements.
pub(crate) fn elements(constraints: &[String]) -> String {
    format!("Member must satisfy constraint: [{}, Member must not be null]", constraints.join(", "))
}

/// 400, with a text of the service.
pub(crate) fn invalid_parameter(message: &str) -> Refusal {
    Refusal::modelled(400, "InvalidParameterValueException", message)
}

/// 400: AWS has that, Hearth has not. The text is Hearth's.
pub(crate) fn unsupported(member: &str) -> Refusal {
    invalid_parameter(&format!("{member} is not supported by Hearth yet"))
}

/// Code in a bucket that is not there.
pub(crate) fn no_such_bucket() -> Refusal {
    invalid_parameter(
        "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The specified bucket does not exist",
    )
}

/// 400: another JSON type than the model's. The text is Hearth's: AWS's is not recorded.
pub(crate) fn wrong_type(found: &str, wanted: &str) -> Refusal {
    Refusal::of_framework(400, "SerializationException", format!("{found} can not be converted to {wanted}"))
}

/// 400: no JSON. The text is Hearth's: AWS's is not recorded.
pub(crate) fn no_json() -> Refusal {
    Refusal::of_framework(400, "SerializationException", "Could not parse request body into json: ")
        .and_so_on()
}

/// 400: not what can be read, for a reason of its own. The text is Hearth's.
pub(crate) fn unreadable(message: &str) -> Refusal {
    Refusal::of_framework(400, "SerializationException", message)
}

/// 404: a function, named as its ARN ends.
pub(crate) fn function_not_found(end: &str) -> Refusal {
    not_found(&format!("Function not found: arn:aws:lambda:us-east-1:000000000000:function:{end}"))
}

/// 404. The text is under `Message`.
pub(crate) fn not_found(message: &str) -> Refusal {
    Refusal { key: "Message", ..Refusal::modelled(404, "ResourceNotFoundException", message) }
}

/// 404: an ARN of another region.
pub(crate) fn unreachable_region(region: &str) -> Refusal {
    not_found(&format!("Functions from '{region}' are not reachable in this region ('us-east-1')"))
}

/// 403: a function of the account 123456789012. The text is under `Message`, without a `Type`.
pub(crate) fn denied(action: &str) -> Refusal {
    let message = format!(
        "User: arn:aws:iam::000000000000:root is not authorized to perform: lambda:{action} on resource: \
         arn:aws:lambda:us-east-1:123456789012:function:f because no resource-based policy allows the lambda:{action} \
         action"
    );
    Refusal { key: "Message", ..Refusal::of_framework(403, "AccessDeniedException", message) }
}

/// 403: a layer of another account. The text is under `Message`, without a `Type`.
pub(crate) fn denied_layer(action: &str, arn: &str) -> Refusal {
    let message = format!(
        "User: arn:aws:iam::000000000000:root is not authorized to perform: lambda:{action} on resource: {arn} because no \
         resource-based policy allows the lambda:{action} action"
    );
    Refusal { key: "Message", ..Refusal::of_framework(403, "AccessDeniedException", message) }
}

/// 412: of the policy of a layer version.
pub(crate) fn old_layer_policy() -> Refusal {
    precondition_failed("GetLayerPolicy")
}

/// 412: `operation` shows the latest revision.
pub(crate) fn precondition_failed(operation: &str) -> Refusal {
    let message = format!(
        "The Revision Id provided does not match the latest Revision Id. Call the {operation} API to retrieve the latest \
         Revision Id"
    );
    Refusal::modelled(412, "PreconditionFailedException", message)
}

/// 400: one more statement than a policy has room for.
pub(crate) fn policy_too_long() -> Refusal {
    Refusal::modelled(400, "PolicyLengthExceededException", "The final policy size (").and_so_on()
}

/// 409.
pub(crate) fn conflict(message: &str) -> Refusal {
    Refusal::modelled(409, "ResourceConflictException", message)
}

/// 412.
pub(crate) fn old_revision() -> Refusal {
    let message = "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to \
                   retrieve the latest Revision Id";
    Refusal::modelled(412, "PreconditionFailedException", message)
}

/// 413: of the control plane.
pub(crate) fn entity_too_large(message: &str) -> Refusal {
    Refusal::of_framework(413, "RequestEntityTooLargeException", message)
}

/// 413: of an invocation.
pub(crate) fn payload_too_large(message: &str) -> Refusal {
    Refusal::modelled(413, "RequestTooLargeException", message)
}

/// 400: of an invocation.
pub(crate) fn invalid_content(message: &str) -> Refusal {
    Refusal::modelled(400, "InvalidRequestContentException", message)
}

/// 415: of an invocation. The text is Hearth's.
pub(crate) fn media_type(content_type: &str) -> Refusal {
    let message = format!("The content type of the request body is not JSON: {content_type}");
    Refusal::modelled(415, "UnsupportedMediaTypeException", message)
}

/// 404: no such path. The text is Hearth's.
pub(crate) fn unknown_operation() -> Refusal {
    Refusal::of_framework(
        404,
        "UnknownOperationException",
        "There is no operation of AWS Lambda at this path",
    )
}

/// 405: a path with another method. The text is Hearth's.
pub(crate) fn wrong_method() -> Refusal {
    Refusal::of_framework(405, "MethodNotAllowedException", "The operation at this path has another method")
}

/// 501: AWS has that, Hearth has not.
pub(crate) fn not_implemented(what: &str) -> Refusal {
    let message = format!("Hearth does not implement {what} yet");
    Refusal::of_framework(501, "NotImplementedException", message)
}
