//! XML as the query protocol answers.

/// Returns what the elements of an answer belong to.
pub(crate) fn namespace(action: &str) -> &'static str {
    match action {
        "AssumeRole" => "https://sts.amazonaws.com/doc/2011-06-15/",
        _ => "https://iam.amazonaws.com/doc/2010-05-08/",
    }
}

/// Writes a text so that it stands for itself. What XML 1.0 has no way to write is left out.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' | '\r' => escaped.push_str(&format!("&#{};", u32::from(character))),
            control if control < ' ' || matches!(control, '\u{fffe}' | '\u{ffff}') => {}
            other => escaped.push(other),
        }
    }
    escaped
}

/// Elements, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Xml(String);

impl Xml {
    /// Adds an element with a text in it.
    pub(crate) fn with(mut self, name: &str, text: impl AsRef<str>) -> Self {
        self.0 += &format!("<{name}>{}</{name}>", escaped(text.as_ref()));
        self
    }

    /// Adds an element with a text in it, if there is one.
    pub(crate) fn with_some(self, name: &str, text: Option<impl AsRef<str>>) -> Self {
        match text {
            Some(text) => self.with(name, text),
            None => self,
        }
    }

    /// Adds an element with elements in it.
    pub(crate) fn with_inside(mut self, name: &str, inside: &Self) -> Self {
        self.0 += &format!("<{name}>{}</{name}>", inside.0);
        self
    }

    /// Adds a list.
    pub(crate) fn with_list(self, name: &str, members: impl IntoIterator<Item = Self>) -> Self {
        let list =
            members.into_iter().fold(Self::default(), |list, member| list.with_inside("member", &member));
        self.with_inside(name, &list)
    }

    /// Adds a list of texts.
    pub(crate) fn with_texts<'a>(self, name: &str, texts: impl IntoIterator<Item = &'a str>) -> Self {
        let list = texts.into_iter().fold(Self::default(), |list, text| list.with("member", text));
        self.with_inside(name, &list)
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}
