//! Whether a text matches a pattern of the service model: the whole of it, as AWS matches.
//!
//! Most patterns are compiled as they are, each once. A few ask for what a small regular-expression engine has not
//! (looking ahead, classes of Unicode); these are functions here, under the model's own text.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use regex_lite::Regex;

/// Decides about a text in place of a pattern.
type Matcher = fn(&str) -> bool;

const WRITTEN_OUT: &[(&str, Matcher)] = &[
    // Keys and values of tags.
    (r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)", |text| text.chars().all(is_of_a_tag)),
    // The name of an alias.
    (r"(?!^[0-9]+$)([a-zA-Z0-9-_]+)", is_an_alias),
    // The qualifier of a function URL.
    (r"((?!^\d+$)^[0-9a-zA-Z-_]+$)", is_an_alias),
    // A function and, maybe, an alias: how a function URL is asked for.
    (
        r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]{1,64})(:((?!\d+$)[0-9a-zA-Z-_]+))?",
        |text| {
            const UNQUALIFIED: &str = r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]{1,64})";
            let qualified = text.rsplit_once(':');
            is_compiled_match(UNQUALIFIED, text)
                || qualified
                    .is_some_and(|(name, end)| is_compiled_match(UNQUALIFIED, name) && is_an_alias(end))
        },
    ),
    // The name of a database.
    (r"[0-9A-Za-z\.\-_]*(?<!\.)", |text| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
            && !text.ends_with('.')
    }),
    // The name of a collection.
    (r"(^(?!(system\x2e)))(^[_a-zA-Z0-9])([^$]*)", |text| {
        let first = text.bytes().next();
        first.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !text.starts_with("system.")
            && !text.contains('$')
    }),
];

/// Whether the whole of `text` matches.
pub(crate) fn matches(pattern: &'static str, text: &str) -> bool {
    match WRITTEN_OUT.iter().find(|(written, _)| *written == pattern) {
        Some((_, matcher)) => matcher(text),
        None => is_compiled_match(pattern, text),
    }
}

/// A pattern is compiled once, and matched outside the lock. Matching takes time in proportion to the text.
fn is_compiled_match(pattern: &'static str, text: &str) -> bool {
    static COMPILED: LazyLock<Mutex<BTreeMap<&'static str, Option<&'static Regex>>>> =
        LazyLock::new(Mutex::default);
    let regex = {
        let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        // Kept for good: there are as many as the model has patterns.
        *compiled.entry(pattern).or_insert_with(|| whole(pattern).map(|regex| &*Box::leak(Box::new(regex))))
    };
    regex.is_none_or(|regex| regex.is_match(text))
}

fn whole(pattern: &str) -> Option<Regex> {
    Regex::new(&format!("^(?:{pattern})$")).ok()
}

fn is_an_alias(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        && text.bytes().any(|byte| !byte.is_ascii_digit())
}

/// Letters, blanks and digits of any script, and some punctuation. Emoji, control characters and line breaks are none.
fn is_of_a_tag(character: char) -> bool {
    /// Unicode's category Z.
    const BLANKS: &[char] = &[
        ' ', '\u{a0}', '\u{1680}', '\u{2000}', '\u{2001}', '\u{2002}', '\u{2003}', '\u{2004}', '\u{2005}',
        '\u{2006}', '\u{2007}', '\u{2008}', '\u{2009}', '\u{200a}', '\u{2028}', '\u{2029}', '\u{202f}',
        '\u{205f}', '\u{3000}',
    ];
    character.is_alphabetic()
        || character.is_numeric()
        || "_.:/=+-@".contains(character)
        || BLANKS.contains(&character)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::generated::Shape;
    use crate::generated::operations::OPERATIONS;

    fn collect(shape: &'static Shape, found: &mut BTreeSet<&'static str>) {
        match shape {
            Shape::String { pattern, .. } => found.extend(pattern),
            Shape::List { member, .. } => collect(member, found),
            Shape::Map { key, value, .. } => {
                [*key, *value].into_iter().for_each(|shape| collect(shape, found))
            }
            Shape::Structure(members) => members.iter().for_each(|member| collect(member.shape, found)),
            Shape::Integer { .. } | Shape::Double { .. } | Shape::Boolean | Shape::Blob => {}
        }
    }

    #[test]
    fn every_pattern_of_the_model_is_written_out_or_can_be_compiled() {
        let mut patterns = BTreeSet::new();
        OPERATIONS.iter().for_each(|operation| collect(operation.input, &mut patterns));
        assert!(patterns.len() > 60, "{}", patterns.len());
        for (written, _) in WRITTEN_OUT {
            assert!(patterns.remove(written), "the model has no such pattern any more: {written}");
        }
        for pattern in patterns {
            assert!(whole(pattern).is_some(), "{pattern}");
        }
    }

    #[test]
    fn what_is_written_out_decides_as_the_pattern_does() {
        let pattern = |part: &str| {
            let mut found = WRITTEN_OUT.iter().filter(|(pattern, _)| pattern.contains(part));
            found.next().expect("a pattern with that part").0
        };
        for (part, good, bad) in [
            (
                r"\p{L}",
                &["", "ü 1.é:/=+-@_", "日本語 Ⅷ½", "a\u{a0}b"][..],
                &["a\r\nb", "🔥", "\u{1b}[31m", "a;b"][..],
            ),
            ("(?!^[0-9]+$)", &["live", "1a", "-", "_9"], &["2024", "", "a.b", "ä"]),
            (r"(?!^\d+$)", &["live", "1a"], &["1", "$LATEST", ""]),
            (
                r"((?!\d+$)",
                &["f", "f:live", "us-east-1:000000000000:function:f:live"],
                &["f:1", "f:$LATEST", "f:", ""],
            ),
            (r"(?<!\.)", &["", "a.b-c_d"], &["a.", "a/b"]),
            ("system", &["_a b.c", "systems.a"], &["system.users", "a$b", "", ".a"]),
        ] {
            for text in good {
                assert!(matches(pattern(part), text), "{part}: {text}");
            }
            for text in bad {
                assert!(!matches(pattern(part), text), "{part}: {text}");
            }
        }
    }

    #[test]
    fn the_whole_of_a_text_has_to_match() {
        for bad in ["a", "_AB", "AB\n", "A-B", "\nAB"] {
            assert!(!matches("[a-zA-Z]([a-zA-Z0-9_])+", bad), "{bad:?}");
        }
        assert!(matches("[a-zA-Z]([a-zA-Z0-9_])+", "AB"));
    }
}
