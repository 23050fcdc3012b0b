//! How values are distributed, in little room: counts in buckets that grow by two percent, so that a percentile is off by at
//! most one percent of itself, however many values there were. Two distributions add up to one without a further error.

/// How far a percentile may be off, relative to itself. Ours; AWS does not say.
pub(crate) const RELATIVE_ERROR: f64 = 0.01;
/// Each bucket ends this much above the one before.
const GROWTH: f64 = (1.0 + RELATIVE_ERROR) / (1.0 - RELATIVE_ERROR);
/// Values below count as nothing: a nanosecond, where milliseconds are counted.
const LEAST: f64 = 1e-6;
/// Larger values count as this.
const LARGEST: f64 = 1e15;
/// The bucket of values that count as nothing, and of negative ones.
const NOTHING: i16 = i16::MIN;

/// A distribution of values.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Sketch {
    /// Number and count of each bucket in use, ascending. A few dozen, and at most about 2,400.
    buckets: Vec<(i16, u64)>,
}

/// Bytes that are no distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a distribution on disk is damaged")]
pub struct DamagedSketch;

impl Sketch {
    /// Adds a value.
    pub(crate) fn add(&mut self, value: f64) {
        self.add_many(bucket_of(value), 1);
    }

    /// Adds all values of another distribution.
    pub(crate) fn merge(&mut self, other: &Self) {
        for &(bucket, count) in &other.buckets {
            self.add_many(bucket, count);
        }
    }

    fn add_many(&mut self, bucket: i16, count: u64) {
        match self.buckets.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) => self.buckets[at].1 = self.buckets[at].1.saturating_add(count),
            Err(at) => self.buckets.insert(at, (bucket, count)),
        }
    }

    /// Returns the value below which `percent` of all values are; `None` when there are none.
    pub(crate) fn percentile(&self, percent: f64) -> Option<f64> {
        let total: u64 = self.buckets.iter().map(|(_, count)| *count).sum();
        let rank = (percent / 100.0 * total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for &(bucket, count) in &self.buckets {
            seen += count;
            if seen >= rank {
                return Some(middle_of(bucket));
            }
        }
        self.buckets.last().map(|&(bucket, _)| middle_of(bucket))
    }

    /// Writes it: for each bucket the distance from the one before, and the count.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.buckets.len() * 3);
        let mut before = i64::from(NOTHING);
        for &(bucket, count) in &self.buckets {
            put(&mut bytes, (i64::from(bucket) - before) as u64);
            put(&mut bytes, count);
            before = bucket.into();
        }
        bytes
    }

    /// Reads what [`Self::to_bytes`] has written.
    pub(crate) fn from_bytes(mut bytes: &[u8]) -> Result<Self, DamagedSketch> {
        let mut buckets: Vec<(i16, u64)> = Vec::new();
        let mut before = i64::from(NOTHING);
        while !bytes.is_empty() {
            let distance = i64::try_from(take(&mut bytes)?).map_err(|_| DamagedSketch)?;
            let bucket = before.checked_add(distance).ok_or(DamagedSketch)?;
            let is_in_order = distance > 0 || buckets.is_empty();
            let number = i16::try_from(bucket).ok().filter(|_| is_in_order).ok_or(DamagedSketch)?;
            buckets.push((number, take(&mut bytes)?));
            before = bucket;
        }
        Ok(Self { buckets })
    }
}

fn bucket_of(value: f64) -> i16 {
    if value.is_nan() || value < LEAST {
        return NOTHING;
    }
    (value.min(LARGEST).ln() / GROWTH.ln()).ceil() as i16
}

/// The value that is off by as much from either end of a bucket.
fn middle_of(bucket: i16) -> f64 {
    match bucket {
        NOTHING => 0.0,
        _ => 2.0 * GROWTH.powi(bucket.into()) / (GROWTH + 1.0),
    }
}

/// Writes a number, seven bits a byte.
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Result<u64, DamagedSketch> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(DamagedSketch)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(DamagedSketch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_percentile_and_zeros_have_zero() {
        let mut sketch = Sketch::default();
        assert_eq!(sketch.percentile(50.0), None);
        sketch.add(0.0);
        sketch.add(-1.0);
        assert_eq!(sketch.percentile(99.0), Some(0.0));
        sketch.add(f64::INFINITY);
        assert!(sketch.percentile(100.0).unwrap() > 0.9 * LARGEST);
    }

    proptest::proptest! {
        #[test]
        fn a_percentile_is_off_by_one_percent_at_most_also_after_merging_and_writing(
            values in proptest::collection::vec(0.001f64..1e9, 1..400), percent in 0.0f64..100.0, cut: usize,
        ) {
            let cut = cut % values.len();
            let (mut one, mut other) = (Sketch::default(), Sketch::default());
            values[..cut].iter().for_each(|value| one.add(*value));
            values[cut..].iter().for_each(|value| other.add(*value));
            one.merge(&Sketch::from_bytes(&other.to_bytes()).unwrap());
            let mut sorted = values;
            sorted.sort_by(f64::total_cmp);
            let rank = (percent / 100.0 * sorted.len() as f64).ceil().max(1.0) as usize;
            let (exact, estimate) = (sorted[rank - 1], one.percentile(percent).unwrap());
            assert!((estimate / exact - 1.0).abs() <= RELATIVE_ERROR * 1.000_001, "{estimate} for {exact}");
        }

        #[test]
        fn bytes_of_any_kind_are_read_or_refused(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64)) {
            if let Ok(sketch) = Sketch::from_bytes(&bytes) {
                let _ = sketch.percentile(50.0);
            }
        }
    }
}
