//! The statistics of a benchmark.

/// Returns the value that `share` of the values are not above.
///
/// # Panics
/// When there are no values.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index of a list that fits into memory"
    )]
    let index = (sorted.len() as f64 * share) as usize;
    sorted[index.min(sorted.len() - 1)]
}

/// Returns the value in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// Samples of one figure, taken in turns.
#[derive(Debug, Default)]
pub(crate) struct Sides {
    pub(crate) hearth: Vec<f64>,
    pub(crate) floor: Vec<f64>,
}

impl Sides {
    /// Returns the medians of Hearth and of the floor.
    pub(crate) fn medians(&self) -> (f64, f64) {
        (median(&self.hearth), median(&self.floor))
    }

    /// Returns the quartiles of Hearth over the floor, round by round: half of the rounds lie between them.
    pub(crate) fn spread(&self) -> (f64, f64) {
        let ratios: Vec<f64> =
            self.hearth.iter().zip(&self.floor).map(|(hearth, floor)| hearth / floor).collect();
        (quantile(&ratios, 0.25), quantile(&ratios, 0.75))
    }
}
