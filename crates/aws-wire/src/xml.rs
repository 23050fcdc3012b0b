//! XML as AWS's older protocols write it: elements with texts or elements in them.

/// Writes a text so that it stands for itself. What XML 1.0 has no way to write is left out.
pub fn escaped(text: &str) -> String {
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
pub struct Xml(String);

impl Xml {
    /// Adds an element with a text in it.
    #[must_use]
    pub fn with(mut self, name: &str, text: impl AsRef<str>) -> Self {
        self.0 += &format!("<{name}>{}</{name}>", escaped(text.as_ref()));
        self
    }

    /// Adds an element with a text in it, if there is one.
    #[must_use]
    pub fn with_some(self, name: &str, text: Option<impl AsRef<str>>) -> Self {
        match text {
            Some(text) => self.with(name, text),
            None => self,
        }
    }

    /// Adds an element with elements in it.
    #[must_use]
    pub fn with_inside(mut self, name: &str, inside: &Self) -> Self {
        self.0 += &format!("<{name}>{}</{name}>", inside.0);
        self
    }

    /// Adds a list, as the query protocol has it.
    #[must_use]
    pub fn with_list(self, name: &str, members: impl IntoIterator<Item = Self>) -> Self {
        let list =
            members.into_iter().fold(Self::default(), |list, member| list.with_inside("member", &member));
        self.with_inside(name, &list)
    }

    /// Adds a list of texts.
    #[must_use]
    pub fn with_texts<'a>(self, name: &str, texts: impl IntoIterator<Item = &'a str>) -> Self {
        let list = texts.into_iter().fold(Self::default(), |list, text| list.with("member", text));
        self.with_inside(name, &list)
    }

    /// Returns what was written.
    pub fn text(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stand_for_themselves_and_elements_in_each_other() {
        let list = Xml::default().with_texts("Names", ["a", "b"]);
        let xml = Xml::default()
            .with("Text", "<a> & \"b\"\r\u{0}\u{ffff}")
            .with_some("None", None::<&str>)
            .with_inside("In", &list)
            .with_list("Roles", [Xml::default().with("Name", "r")]);
        let expected = "<Text>&lt;a&gt; &amp; &quot;b&quot;&#13;</Text><In><Names><member>a</member><member>b</member></Names>\
                        </In><Roles><member><Name>r</Name></member></Roles>";
        assert_eq!(xml.text(), expected);
    }
}
