//! Terms: words, phrases in quotation marks and regular expressions; `?optional` and `-excluded` ones.

use super::scanner::Scanner;
use crate::regex::Regex;

/// Which terms a message has to have.
#[derive(Debug, Default)]
pub(super) struct Terms {
    /// All of them have to be there.
    required: Vec<Term>,
    /// One of them has to be there. Next to required ones they mean nothing.
    optional: Vec<Term>,
    /// None of them may be there.
    excluded: Vec<Term>,
}

#[derive(Debug)]
enum Term {
    Text(String),
    Expression(Regex),
}

impl Terms {
    pub(super) fn parse(scanner: &mut Scanner<'_>) -> Option<Self> {
        let mut terms = Self::default();
        while !scanner.is_at_end() {
            let kind = if scanner.takes_here('?') {
                &mut terms.optional
            } else if scanner.takes_here('-') {
                &mut terms.excluded
            } else {
                &mut terms.required
            };
            let term = match scanner.peek()? {
                '"' => Term::Text(scanner.quoted('"')?),
                '%' => Term::Expression(scanner.expression()?),
                _ => Term::Text(scanner.run(|next| next.is_alphanumeric() || next == '_').to_owned()),
            };
            let is_empty = matches!(&term, Term::Text(text) if text.is_empty());
            // Terms are apart.
            let is_apart = scanner.peek().is_none_or(char::is_whitespace);
            if is_empty || !is_apart {
                return None;
            }
            kind.push(term);
        }
        Some(terms)
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        let has = |term: &Term| term.is_in(message);
        let is_wanted = match (self.required.is_empty(), self.optional.is_empty()) {
            (false, _) => self.required.iter().all(has),
            (true, false) => self.optional.iter().any(has),
            (true, true) => true,
        };
        is_wanted && !self.excluded.iter().any(has)
    }
}

impl Term {
    /// A text counts where it does not stand in the middle of a word: `ERROR` is in `[ERROR]` and not in `ERRORS`.
    fn is_in(&self, message: &str) -> bool {
        let term = match self {
            Self::Text(term) => term,
            Self::Expression(expression) => return expression.is_in(message),
        };
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
}
