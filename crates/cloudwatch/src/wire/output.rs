//! What an operation answers, before it is written in a protocol.

/// A part of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Output {
    Text(String),
    Number(f64),
    /// In seconds since 1970.
    Time(i64),
    List(Vec<Self>),
    /// Members of a structure, in the order of the model.
    Members(Vec<(&'static str, Self)>),
    /// A map, whose keys are the caller's.
    Map(Vec<(String, Self)>),
}

impl Output {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}
