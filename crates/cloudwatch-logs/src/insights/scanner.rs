//! What is left of a query while it is read, and where a mistake is.

use crate::error::LogsError;
use crate::regex::Regex;

/// Something in a query is wrong: what, and from which byte to which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Malformed {
    pub(super) message: String,
    start: usize,
    end: usize,
}

/// A query, and how far it has been read.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Passes over space, and comments: from `#` to the end of the line.
    pub(super) fn skip(&mut self) {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start().len();
            let Some(comment) = self.rest().strip_prefix('#') else { return };
            self.at += 1 + comment.find('\n').unwrap_or(comment.len());
        }
    }

    /// Where the next thing begins.
    pub(super) fn here(&mut self) -> usize {
        self.skip();
        self.at
    }

    /// What was read since `start`.
    pub(super) fn since(&self, start: usize) -> &'a str {
        self.text[start..self.at].trim()
    }

    pub(super) fn peek(&mut self) -> Option<char> {
        self.skip();
        self.rest().chars().next()
    }

    /// Takes `text`, if it comes next.
    pub(super) fn takes(&mut self, text: &str) -> bool {
        self.skip();
        let is_next = self.rest().starts_with(text);
        self.at += if is_next { text.len() } else { 0 };
        is_next
    }

    /// Returns the word that comes next and stays: letters, digits, `_`, and `@` before them.
    pub(super) fn word(&mut self) -> &'a str {
        self.skip();
        let rest = self.rest();
        let is_of_it = |character: char| character.is_alphanumeric() || "_@".contains(character);
        let end = rest.find(|character| !is_of_it(character)).unwrap_or(rest.len());
        &rest[..end]
    }

    /// Takes a word in any case, if it comes next.
    pub(super) fn takes_word(&mut self, wanted: &str) -> bool {
        let word = self.word();
        let is_next = word.eq_ignore_ascii_case(wanted);
        self.at += if is_next { word.len() } else { 0 };
        is_next
    }

    /// Takes the name of a field: `@message`, `a.b.0`, or anything between backticks.
    pub(super) fn name(&mut self) -> Result<String, Malformed> {
        self.skip();
        if self.rest().starts_with('`') {
            return self.quoted('`');
        }
        let rest = self.rest();
        let is_of_it = |character: char| character.is_alphanumeric() || "_@.".contains(character);
        let end = rest.find(|character| !is_of_it(character)).unwrap_or(rest.len());
        let begins =
            rest.starts_with(|character: char| character.is_alphabetic() || "_@".contains(character));
        if end == 0 || !begins {
            return Err(self.unexpected("the name of a field"));
        }
        self.at += end;
        Ok(rest[..end].to_owned())
    }

    /// Takes a number without a sign.
    pub(super) fn number(&mut self) -> Result<f64, Malformed> {
        self.skip();
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        // `1e3`, but not `1 else`.
        let exponent = rest[end..].strip_prefix(['e', 'E']).map_or(0, |after| {
            let digits = after.strip_prefix(['+', '-']).unwrap_or(after);
            let count = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            if count == 0 { 0 } else { 1 + after.len() - digits.len() + count }
        });
        let number = rest[..end + exponent].parse().ok().filter(|number: &f64| number.is_finite());
        let number = number.ok_or_else(|| self.unexpected("a number"))?;
        self.at += end + exponent;
        Ok(number)
    }

    /// Takes a whole number.
    pub(super) fn integer(&mut self) -> Result<i64, Malformed> {
        self.skip();
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number = rest[..end].parse().map_err(|_| self.unexpected("a whole number"))?;
        self.at += end;
        Ok(number)
    }

    /// Takes a text between two marks; `\` takes the special meaning of a mark and of itself.
    pub(super) fn quoted(&mut self, mark: char) -> Result<String, Malformed> {
        let start = self.here();
        let mut quoted = String::new();
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => match characters.next() {
                    Some((_, escaped)) if escaped == mark || escaped == '\\' => quoted.push(escaped),
                    Some((_, 'n')) => quoted.push('\n'),
                    Some((_, 't')) => quoted.push('\t'),
                    Some((_, other)) => quoted.extend(['\\', other]),
                    None => break,
                },
                _ if character == mark => {
                    self.at += at + mark.len_utf8();
                    return Ok(quoted);
                }
                _ => quoted.push(character),
            }
        }
        Err(self.wrong(start, self.text.len(), format!("there is no closing {mark}")))
    }

    /// Takes a text in single or double quotation marks.
    pub(super) fn text(&mut self) -> Result<String, Malformed> {
        match self.peek() {
            Some(mark @ ('"' | '\'')) => self.quoted(mark),
            _ => Err(self.unexpected("a text in quotation marks")),
        }
    }

    /// Takes a regular expression between slashes; `\/` is a slash.
    pub(super) fn expression(&mut self) -> Result<Regex, Malformed> {
        let start = self.here();
        let mut expression = String::new();
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => match characters.next() {
                    Some((_, '/')) => expression.push('/'),
                    Some((_, other)) => expression.extend(['\\', other]),
                    None => break,
                },
                '/' => {
                    self.at += at + 1;
                    let wrong = || "this is no regular expression, or it is too large".to_owned();
                    return Regex::new(&expression).ok_or_else(|| self.wrong(start, self.at, wrong()));
                }
                _ => expression.push(character),
            }
        }
        Err(self.wrong(start, self.text.len(), "there is no closing /".to_owned()))
    }

    /// What is wrong with what comes next.
    pub(super) fn unexpected(&mut self, wanted: &str) -> Malformed {
        let start = self.here();
        let word = self.word().len();
        let next = self.peek().map_or(0, char::len_utf8);
        let end = start + word.max(next);
        let found = if end == start { "the end of the query" } else { &self.text[start..end] };
        let (line, column) = self.line_and_column(start);
        let message = format!(
            "unexpected symbol found {found} at line {line} and position {column}: {wanted} is expected"
        );
        Malformed { message, start, end }
    }

    /// Something that was read is wrong.
    pub(super) fn wrong(&self, start: usize, end: usize, what: String) -> Malformed {
        let (line, column) = self.line_and_column(start);
        Malformed { message: format!("{what} at line {line} and position {column}"), start, end }
    }

    fn line_and_column(&self, at: usize) -> (usize, usize) {
        let before = &self.text[..at];
        let line = before.rsplit('\n').next().unwrap_or_default();
        (before.matches('\n').count() + 1, line.chars().count())
    }
}

impl Malformed {
    /// Returns the exception for a query.
    pub(super) fn into_error(self, query: &str) -> LogsError {
        let (start, end) = self.characters(query);
        LogsError::malformed_query(&self.message, start, end)
    }

    /// From which character to which.
    pub(super) fn characters(&self, query: &str) -> (usize, usize) {
        let characters = |bytes: usize| query.get(..bytes).map_or(0, |before| before.chars().count());
        (characters(self.start), characters(self.end))
    }
}
