//! What is left of a pattern while it is read.

use crate::regex::Regex;

/// How many regular expressions a pattern may have.
///
/// Source: CloudWatch Logs User Guide, "Filter pattern syntax", read 2026-11.
const EXPRESSIONS_MAX: usize = 2;

/// The rest of a pattern. What cannot be read is `None`, and then the pattern is none.
pub(super) struct Scanner<'a> {
    rest: &'a str,
    expressions: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text.trim(), expressions: 0 }
    }

    pub(super) fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    pub(super) fn is_at_end(&mut self) -> bool {
        self.skip_space();
        self.rest.is_empty()
    }

    /// The next character, which stays.
    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Takes `text`, if it comes next; space before it goes along.
    pub(super) fn takes(&mut self, text: &str) -> bool {
        match self.rest.trim_start().strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes one of the characters, if it comes next, without any space.
    pub(super) fn takes_here(&mut self, character: char) -> bool {
        let rest = self.rest.strip_prefix(character);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Takes a word in capitals or not, after which no other word goes on.
    pub(super) fn takes_word(&mut self, word: &str) -> bool {
        let rest = self.rest.trim_start();
        let Some(begin) = rest.get(..word.len()) else { return false };
        let goes_on = rest[word.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_');
        if !begin.eq_ignore_ascii_case(word) || goes_on {
            return false;
        }
        self.rest = &rest[word.len()..];
        true
    }

    /// Takes what consists of such characters. May be empty.
    pub(super) fn run(&mut self, is_of_it: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|character| !is_of_it(character)).unwrap_or(self.rest.len());
        let (run, rest) = self.rest.split_at(end);
        self.rest = rest;
        run
    }

    /// Takes a text up to `mark`, which stands before it too; `\` takes the special meaning of a mark and of itself.
    pub(super) fn quoted(&mut self, mark: char) -> Option<String> {
        let text = self.rest.strip_prefix(mark)?;
        let mut quoted = String::new();
        let mut characters = text.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => match characters.next()? {
                    (_, escaped) if escaped == mark || escaped == '\\' => quoted.push(escaped),
                    (_, other) => quoted.extend(['\\', other]),
                },
                _ if character == mark => {
                    self.rest = &text[at + mark.len_utf8()..];
                    return Some(quoted);
                }
                _ => quoted.push(character),
            }
        }
        None
    }

    /// Takes a regular expression: `%…%`, in which `\%` is a percent sign.
    pub(super) fn expression(&mut self) -> Option<Regex> {
        let text = self.rest.strip_prefix('%')?;
        let mut expression = String::new();
        let mut characters = text.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => match characters.next()? {
                    (_, '%') => expression.push('%'),
                    (_, other) => expression.extend(['\\', other]),
                },
                '%' => {
                    self.rest = &text[at + 1..];
                    self.expressions += 1;
                    let is_one_too_many = expression.is_empty() || self.expressions > EXPRESSIONS_MAX;
                    return Regex::new(&expression).filter(|_| !is_one_too_many);
                }
                _ => expression.push(character),
            }
        }
        None
    }
}
