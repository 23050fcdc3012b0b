//! What is kept of the values of a series in a period of time.

use crate::sketch::Sketch;

/// Values, summed up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Summary {
    /// How many there were.
    pub(crate) count: u64,
    /// Their sum.
    pub(crate) sum: f64,
    /// The least of them.
    pub(crate) min: f64,
    /// The largest of them.
    pub(crate) max: f64,
    /// How they are distributed.
    pub(crate) sketch: Sketch,
}

impl Default for Summary {
    fn default() -> Self {
        Self { count: 0, sum: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY, sketch: Sketch::default() }
    }
}

impl Summary {
    /// Adds a value.
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.sketch.add(value);
    }

    /// Adds all values of another one.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sketch.merge(&other.sketch);
    }

    /// Returns the value below which `percent` of the values are.
    pub(crate) fn percentile(&self, percent: f64) -> Option<f64> {
        // The ends are known exactly.
        self.sketch.percentile(percent).map(|value| value.clamp(self.min, self.max))
    }
}
