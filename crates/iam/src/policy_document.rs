//! Whether a text is a policy. Conditions that are not known here are taken: what they let through, nobody may.

use hearth_auth::policy::Document;
use serde_json::Value;

use crate::error::IamError;

/// Longest trust policy. Source: "IAM and AWS STS quotas", read 2026-11.
const TRUST_CHARS_MAX: usize = 2_048;
/// Longest policies of a role together. As above; blanks do not count.
pub(crate) const INLINE_CHARS_MAX: usize = 10_240;

/// Checks who may assume a role.
pub(crate) fn check_trust(text: &str) -> Result<(), IamError> {
    if chars(text) > TRUST_CHARS_MAX {
        return Err(IamError::limit(format!("Cannot exceed quota for ACLSizePerRole: {TRUST_CHARS_MAX}")));
    }
    check_meaning(text)?;
    for statement in statements(text)? {
        if statement.get("Resource").is_some() || statement.get("NotResource").is_some() {
            return Err(IamError::malformed_policy("Has prohibited field Resource"));
        }
        if statement.get("Principal").is_none() && statement.get("NotPrincipal").is_none() {
            return Err(IamError::malformed_policy("Missing required field Principal"));
        }
    }
    Ok(())
}

/// Checks a policy of a role.
pub(crate) fn check_inline(text: &str) -> Result<(), IamError> {
    check_meaning(text)?;
    for statement in statements(text)? {
        if statement.get("Principal").is_some() || statement.get("NotPrincipal").is_some() {
            return Err(IamError::malformed_policy("Policy document should not specify a principal."));
        }
        if statement.get("Resource").is_none() && statement.get("NotResource").is_none() {
            return Err(IamError::malformed_policy("Policy statement must contain resources."));
        }
    }
    Ok(())
}

/// Refuses what has the members of a policy, and cannot be read as one.
fn check_meaning(text: &str) -> Result<(), IamError> {
    statements(text)?;
    Document::parse(text).map(drop).map_err(|_| IamError::malformed_policy("Syntax errors in policy."))
}

/// Returns how long a policy is, as its quota counts.
pub(crate) fn chars(text: &str) -> usize {
    text.chars().filter(|character| !character.is_whitespace()).count()
}

fn statements(text: &str) -> Result<Vec<Value>, IamError> {
    let syntax = || IamError::malformed_policy("Syntax errors in policy.");
    let policy: Value = serde_json::from_str(text)
        .map_err(|_| IamError::malformed_policy("This policy contains invalid Json"))?;
    let policy = policy.as_object().ok_or_else(syntax)?;
    if let Some(version) = policy.get("Version")
        && !["2012-10-17", "2008-10-17"].iter().any(|known| version == known)
    {
        return Err(syntax());
    }
    let statements = match policy.get("Statement") {
        Some(Value::Array(statements)) if !statements.is_empty() => statements.clone(),
        Some(one @ Value::Object(_)) => vec![one.clone()],
        _ => return Err(syntax()),
    };
    for statement in &statements {
        let effect = statement.get("Effect").ok_or_else(syntax)?;
        if effect != "Allow" && effect != "Deny" {
            return Err(syntax());
        }
        if statement.get("Action").is_none() && statement.get("NotAction").is_none() {
            return Err(IamError::malformed_policy("Policy statement must contain actions."));
        }
    }
    Ok(statements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_taken_and_what_is_none_is_refused() {
        let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
        let inline = r#"{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;
        assert_eq!(check_trust(trust), Ok(()));
        assert_eq!(check_inline(inline), Ok(()));
        for text in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"Statement":[]}"#,
            r#"{"Statement":[1]}"#,
            inline,
            &trust.replace("Allow", "Maybe"),
        ] {
            assert!(check_trust(text).is_err(), "{text}");
        }
        assert!(check_inline(trust).is_err());
        let long = trust.replace("lambda", &"x".repeat(TRUST_CHARS_MAX));
        assert!(matches!(check_trust(&long), Err(IamError::Caller(_, "LimitExceeded", _))));
    }
}
