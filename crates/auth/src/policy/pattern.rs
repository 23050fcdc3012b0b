//! Texts with `*` for anything and `?` for one character.

/// Matches a text against a pattern, in time of their product at most.
pub(crate) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at_pattern, mut at_text) = (0, 0);
    // Where to go on when what follows the last `*` does not match: the star takes one more.
    let mut star: Option<(usize, usize)> = None;
    while at_text < text.len() {
        match pattern.get(at_pattern) {
            Some(b'*') => {
                star = Some((at_pattern, at_text));
                at_pattern += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[at_text] => {
                at_pattern += 1;
                at_text += 1;
            }
            _ => {
                let Some((star_at, taken)) = star else { return false };
                star = Some((star_at, taken + 1));
                (at_pattern, at_text) = (star_at + 1, taken + 1);
            }
        }
    }
    pattern[at_pattern..].iter().all(|&byte| byte == b'*')
}

/// Matches an ARN, part by part: a `*` of one part does not reach into the next, but in the last one.
pub(super) fn matches_arn(pattern: &str, arn: &str) -> bool {
    let (patterns, parts) = (pattern.splitn(6, ':'), arn.splitn(6, ':'));
    let mut pairs = patterns.zip(parts);
    let counts = |text: &str| text.splitn(6, ':').count();
    counts(pattern) == counts(arn)
        && pairs.all(|(pattern, part)| matches(pattern.as_bytes(), part.as_bytes()))
}

/// Whether a text has a variable in it, which means something else for each caller.
pub(super) fn has_variable(text: &str) -> bool {
    text.contains("${")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_policies_do() {
        for (pattern, text, expected) in [
            ("lambda:*", "lambda:invokefunction", true),
            ("lambda:*function", "lambda:getfunction", true),
            ("lambda:*function", "lambda:getfunctionconfiguration", false),
            ("lambda:g*t*n", "lambda:getfunctionconfiguration", true),
            ("lambda:getfunctio?", "lambda:getfunction", true),
            ("lambda:getfunction?", "lambda:getfunction", false),
            ("*", "", true),
            ("lambda:get*", "logs:getlogevents", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn an_arn_is_matched_part_by_part() {
        let rule = "arn:aws:events:us-east-1:111111111111:rule/nightly";
        for (pattern, expected) in [
            (rule, true),
            ("arn:aws:events:us-east-1:111111111111:rule/*", true),
            ("arn:aws:events:*:*:rule/n?ghtly", true),
            ("arn:*:rule/nightly", false),
            ("arn:aws:events:*:222222222222:rule/*", false),
            ("*", false),
        ] {
            assert_eq!(matches_arn(pattern, rule), expected, "{pattern}");
        }
        assert!(matches_arn("arn:aws:s3:::bucket", "arn:aws:s3:::bucket"));
    }
}
