//! Filter patterns: which messages are wanted. Terms, phrases in quotation marks, `?optional` and `-excluded` ones; not
//! yet those for JSON (`{ $.x = 1 }`), for fields (`[a, b]`) and regular expressions (`%x%`).
//!
//! Source: CloudWatch Logs User Guide, "Filter pattern syntax", read 2026-11.

use crate::error::LogsError;

/// A filter pattern.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct FilterPattern {
    /// All of them have to be there.
    required: Vec<String>,
    /// One of them has to be there. Next to required ones they mean nothing.
    optional: Vec<String>,
    /// None of them may be there.
    excluded: Vec<String>,
}

impl FilterPattern {
    /// Reads a pattern. An empty one wants everything.
    pub(crate) fn parse(text: &str) -> Result<Self, LogsError> {
        let invalid = || LogsError::invalid_parameter("Invalid filter pattern");
        let text = text.trim();
        match text.chars().next() {
            Some('{') => return Err(LogsError::not_implemented("filter patterns for JSON")),
            Some('[') => return Err(LogsError::not_implemented("filter patterns for fields")),
            _ => {}
        }
        let mut pattern = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let terms = match rest.chars().next() {
                Some('?') => &mut pattern.optional,
                Some('-') => &mut pattern.excluded,
                _ => &mut pattern.required,
            };
            rest = rest.strip_prefix(['?', '-']).unwrap_or(rest);
            let (term, after) = match rest.strip_prefix('"') {
                Some(quoted) => quoted_term(quoted).ok_or_else(invalid)?,
                None => {
                    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                    let (term, after) = rest.split_at(end);
                    if term.starts_with('%') {
                        return Err(LogsError::not_implemented("filter patterns of regular expressions"));
                    }
                    if !term.chars().all(|character| character.is_alphanumeric() || character == '_') {
                        return Err(invalid());
                    }
                    (term.to_owned(), after)
                }
            };
            // Terms are apart.
            if term.is_empty() || !(after.is_empty() || after.starts_with(char::is_whitespace)) {
                return Err(invalid());
            }
            terms.push(term);
            rest = after.trim_start();
        }
        Ok(pattern)
    }

    /// Says whether a message is wanted.
    pub(crate) fn matches(&self, message: &str) -> bool {
        let has = |term: &String| has_term(message, term);
        let is_wanted = match (self.required.is_empty(), self.optional.is_empty()) {
            (false, _) => self.required.iter().all(has),
            (true, false) => self.optional.iter().any(has),
            (true, true) => true,
        };
        is_wanted && !self.excluded.iter().any(has)
    }
}

/// Reads up to the closing quotation mark; `\"` and `\\` stand for themselves.
fn quoted_term(text: &str) -> Option<(String, &str)> {
    let mut term = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((term, &text[at + 1..])),
            '\\' => match characters.next()? {
                (_, escaped @ ('"' | '\\')) => term.push(escaped),
                (_, other) => term.extend(['\\', other]),
            },
            _ => term.push(character),
        }
    }
    None
}

/// Whether a term stands in a message, and not in the middle of a word: `ERROR` is in `[ERROR]` and not in `ERRORS`.
fn has_term(message: &str, term: &str) -> bool {
    let is_word = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
    let (begins, ends) = (is_word(term.chars().next()), is_word(term.chars().next_back()));
    let mut from = 0;
    while let Some(at) = message[from..].find(term).map(|at| at + from) {
        let before = is_word(message[..at].chars().next_back());
        let after = is_word(message[at + term.len()..].chars().next());
        let is_within_a_word = (begins && before) || (ends && after);
        if !is_within_a_word {
            return true;
        }
        from = at + message[at..].chars().next().map_or(1, char::len_utf8);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_wants_what_aws_says_it_wants() {
        let messages = [
            "[ERROR] a timeout",
            "ERRORS everywhere",
            "WARN: two words",
            "two  words debug",
            "START RequestId: 8476a536-e9f4 Version: $LATEST\n",
            "REQUEST_ERROR ümlaut",
            "a \"quoted\" word",
        ];
        for (pattern, expected) in [
            ("", &[0, 1, 2, 3, 4, 5, 6][..]),
            ("   ", &[0, 1, 2, 3, 4, 5, 6]),
            ("ERROR", &[0, 5]),
            ("error", &[]),
            ("ERROR timeout", &[0]),
            ("?ERROR ?WARN", &[0, 2, 5]),
            ("?\"two words\" ?RequestId", &[2, 4]),
            ("\"two words\"", &[2]),
            ("two -debug", &[2]),
            ("-debug -ERROR", &[1, 2, 4, 6]),
            ("ERROR ?WARN", &[0, 5]),
            ("?ERROR ?two -debug", &[0, 2, 5]),
            ("\"RequestId: 8476a536-e9f4\"", &[4]),
            ("\"$LATEST\"", &[4]),
            ("ümlaut", &[5]),
            (r#""\"quoted\"""#, &[6]),
            ("\"[ERROR]\"", &[0]),
        ] {
            let parsed = FilterPattern::parse(pattern).unwrap();
            let found = messages.iter().enumerate().filter(|(_, message)| parsed.matches(message));
            assert_eq!(found.map(|(at, _)| at).collect::<Vec<_>>(), expected, "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for (pattern, error_type) in [
            ("a:b", "InvalidParameterException"),
            ("\"open", "InvalidParameterException"),
            ("?", "InvalidParameterException"),
            ("-", "InvalidParameterException"),
            ("\"\"", "InvalidParameterException"),
            ("\"a\"b", "InvalidParameterException"),
            ("{ $.level = \"x\" }", "NotImplementedException"),
            ("[ip, user]", "NotImplementedException"),
            ("a %b%", "NotImplementedException"),
        ] {
            let response = FilterPattern::parse(pattern).unwrap_err().into_response();
            assert_eq!(response.headers()["x-amzn-errortype"], error_type, "{pattern}");
        }
    }
}
