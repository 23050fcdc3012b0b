//! What a role is called, and where it is. Source: the patterns in the IAM API reference, read 2026-11.

use crate::error::IamError;
use crate::form::Form;

const PATTERN: &str = "The specified value for {} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-";

/// Whether a text has only characters that names have.
pub(crate) fn is_name(text: &str, chars_max: usize) -> bool {
    !text.is_empty()
        && text.len() <= chars_max
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte))
}

/// Reads a name of at most `chars_max` characters.
pub(crate) fn name(form: &Form, parameter: &str, chars_max: usize) -> Result<String, IamError> {
    let text = form.required(parameter)?;
    let member = format!("{}{}", parameter[..1].to_ascii_lowercase(), &parameter[1..]);
    if text.is_empty() {
        return Err(IamError::constraint(
            text,
            &member,
            "Member must have length greater than or equal to 1",
        ));
    }
    if text.len() > chars_max {
        let constraint = format!("Member must have length less than or equal to {chars_max}");
        return Err(IamError::constraint(text, &member, &constraint));
    }
    if !is_name(text, chars_max) {
        return Err(IamError::validation(PATTERN.replace("{}", &member)));
    }
    Ok(text.to_owned())
}

/// Reads the name of a role.
pub(crate) fn role_name(form: &Form) -> Result<String, IamError> {
    name(form, "RoleName", 64)
}

/// Reads a path: `/`, or names with slashes around them.
pub(crate) fn path(form: &Form) -> Result<String, IamError> {
    let path = form.get("Path").unwrap_or("/");
    let is_right = path.starts_with('/')
        && path.ends_with('/')
        && path.len() <= 512
        && path.bytes().all(|byte| matches!(byte, b'!'..=b'~'))
        && !path.contains("//");
    if is_right {
        return Ok(path.to_owned());
    }
    Err(IamError::validation(
        "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters \
         and/or / characters.",
    ))
}
