//! XML as the query protocol answers.

pub(crate) use hearth_aws_wire::xml::{Xml, escaped};

/// Returns what the elements of an answer belong to.
pub(crate) fn namespace(action: &str) -> &'static str {
    match action {
        "AssumeRole" => "https://sts.amazonaws.com/doc/2011-06-15/",
        _ => "https://iam.amazonaws.com/doc/2010-05-08/",
    }
}
