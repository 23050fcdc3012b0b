//! Regular expressions of clients: their size is bounded, and the time that they take grows with the text alone.

/// How much memory a compiled expression may take. Ours: about a thousand states, each of which may cost some time for
/// each byte of a message.
const COMPILED_BYTES_MAX: usize = 32 << 10;

/// A regular expression of a client.
#[derive(Debug, Clone)]
pub(crate) struct Regex(regex_lite::Regex);

impl Regex {
    /// Compiles an expression. `None` for what is none, or too large.
    pub(crate) fn new(expression: &str) -> Option<Self> {
        let compiled =
            regex_lite::RegexBuilder::new(expression).size_limit(COMPILED_BYTES_MAX).nest_limit(32).build();
        compiled.ok().map(Self)
    }

    /// Says whether it is anywhere in a text.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// The names of its groups.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.capture_names().flatten().map(str::to_owned).collect()
    }

    /// What its named groups hold in a text, in the order of [`Regex::names`]; `None` where it is nowhere.
    pub(crate) fn captures<'text>(&self, text: &'text str) -> Option<Vec<Option<&'text str>>> {
        let captures = self.0.captures(text)?;
        let names = self.0.capture_names().flatten();
        Some(names.map(|name| captures.name(name).map(|found| found.as_str())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_bounded_in_size_and_never_in_what_it_says() {
        assert!(Regex::new(r"^\d+ (?<word>\w+)$").unwrap().is_in("12 abc"));
        for bad in ["(", "a{1000}{1000}", &"(".repeat(1_000), r"\p{Greek}", &"a{99}".repeat(200)] {
            assert!(Regex::new(bad).is_none(), "{bad:.40}");
        }
    }
}
