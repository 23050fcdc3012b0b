//! A series: a metric of something in particular, said by dimensions.

use serde_json::{Map, Value};

use crate::metric::Metric;

/// A metric, and of what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Series {
    /// The metric.
    pub(crate) metric: Metric,
    /// Of what.
    pub(crate) dimensions: Dimensions,
}

/// Names and values, in the order of the names; no name comes twice.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Dimensions(Vec<(String, String)>);

impl Dimensions {
    /// Takes names and values in any order. Of a name that comes twice, one counts.
    pub(crate) fn new<N: Into<String>, V: Into<String>>(
        dimensions: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut all: Vec<_> =
            dimensions.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        all.sort();
        all.dedup_by(|one, other| one.0 == other.0);
        Self(all)
    }

    /// Returns names and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the value of a dimension.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Writes them, always in the same way.
    pub(crate) fn to_text(&self) -> String {
        let object: Map<String, Value> =
            self.0.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        Value::Object(object).to_string()
    }

    /// Reads what [`Self::to_text`] has written.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let Ok(Value::Object(object)) = serde_json::from_str(text) else { return None };
        let pairs = object.into_iter().map(|(name, value)| Some((name, value.as_str()?.to_owned())));
        pairs.collect::<Option<Vec<_>>>().map(Self::new)
    }
}
