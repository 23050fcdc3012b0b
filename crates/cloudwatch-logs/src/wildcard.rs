//! Texts with `*`, which stands for any characters, or none.

/// A text that may hold `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wildcard {
    /// What stands between the `*`.
    pieces: Vec<String>,
}

impl Wildcard {
    pub(crate) fn new(text: &str) -> Self {
        Self { pieces: text.split('*').map(str::to_owned).collect() }
    }

    /// Says whether the whole of a text is as this one. Each piece is looked for once: the time grows with the text.
    pub(crate) fn is(&self, text: &str) -> bool {
        let [first, between @ .., last] = &*self.pieces else {
            return self.pieces.iter().all(|only| only == text);
        };
        let Some(mut rest) =
            text.strip_prefix(first.as_str()).and_then(|rest| rest.strip_suffix(last.as_str()))
        else {
            return false;
        };
        for piece in between {
            match rest.find(piece.as_str()) {
                Some(at) => rest = &rest[at + piece.len()..],
                None => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_anything_or_nothing() {
        for (pattern, text, expected) in [
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("4*", "404", true),
            ("4*", "304", false),
            ("*.html", "/index.html", true),
            ("*.html*", "/index.html?a", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a-c-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("**ü**", "grün", true),
        ] {
            assert_eq!(Wildcard::new(pattern).is(text), expected, "{pattern} {text}");
        }
    }
}
