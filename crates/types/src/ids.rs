//! Identifiers: of requests, environments, revisions, code and traces.

mod random;
mod tracing;

use std::fmt;
use std::sync::Arc;

pub use self::tracing::{SpanId, TraceId};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use crate::FunctionArn;

/// The id of one invocation: a UUID, printed in lower case. Also the caller's `x-amzn-RequestId`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(Uuid);

impl RequestId {
    /// Wraps a UUID that was made elsewhere.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// Makes a new random id.
    pub fn random() -> Self {
        Self(random::uuid())
    }

    /// Reads an id as a runtime or client wrote it. Upper case is not what we handed out, so it is not ours.
    pub fn parse(value: &str) -> Option<Self> {
        let uuid = Uuid::try_parse(value).ok()?;
        let mut buffer = Uuid::encode_buffer();
        (uuid.hyphenated().encode_lower(&mut buffer) == value).then_some(Self(uuid))
    }
}

/// Returns a new UUID in lower case, for what has no id of a type of its own: mappings, durable executions, objects.
pub fn random_uuid() -> String {
    random::uuid().to_string()
}

/// The id of one execution environment: 32 lower hex digits, as they end the name of its log stream.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnvironmentId(Uuid);

impl EnvironmentId {
    /// Makes a new random id.
    pub fn random() -> Self {
        Self(random::uuid())
    }

    /// Reads an id as it prints.
    pub fn parse(value: &str) -> Option<Self> {
        let uuid = Uuid::try_parse(value).ok()?;
        let mut buffer = Uuid::encode_buffer();
        (uuid.simple().encode_lower(&mut buffer) == value).then_some(Self(uuid))
    }
}

/// Which state of a function a client has seen. Fresh after each change.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RevisionId(Uuid);

impl RevisionId {
    /// Makes a new random id.
    pub fn random() -> Self {
        Self(random::uuid())
    }

    /// Reads a stored id.
    pub fn parse(value: &str) -> Option<Self> {
        Uuid::try_parse(value).ok().map(Self)
    }
}

macro_rules! show_uuid {
    ($name:ident, $style:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::LowerHex::fmt(self.0.$style(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}
show_uuid!(RequestId, as_hyphenated);
show_uuid!(EnvironmentId, as_simple);
show_uuid!(RevisionId, as_hyphenated);

/// The SHA-256 of a deployment package. Prints as AWS's `CodeSha256` does: base64.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CodeSha256(pub [u8; 32]);

impl CodeSha256 {
    /// Reads the base64 that [`fmt::Display`] prints.
    pub fn parse(value: &str) -> Option<Self> {
        STANDARD.decode(value).ok()?.try_into().ok().map(Self)
    }

    /// Reads the digits that [`Self::to_hex`] gives.
    pub fn from_hex(value: &str) -> Option<Self> {
        let digits = value.as_bytes();
        let is_lower_hex = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
        if digits.len() != 64 || !digits.iter().all(is_lower_hex) {
            return None;
        }
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&value[2 * at..2 * at + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// Returns 64 lower hex digits: a name for files.
    pub fn to_hex(&self) -> String {
        use fmt::Write as _;
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl fmt::Display for CodeSha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for CodeSha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

/// How long a trace header may be. Ours.
const TRACE_HEADER_BYTES_MAX: usize = 1_024;

/// Eight hexadecimal digits that stand for a function, whatever its qualifier: FNV-1a. It need not be secret: who does not
/// want to be counted leaves the whole lineage out.
fn digest(arn: &FunctionArn) -> String {
    let mut hash = Fnv(0x811c_9dc5);
    // A hash takes everything.
    let _ = arn.write_unqualified(&mut hash);
    format!("{:08x}", hash.0)
}

/// A hash of what is written to it.
struct Fnv(u32);

impl fmt::Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        self.0 = text.bytes().fold(self.0, step);
        Ok(())
    }
}

/// An X-Ray trace header: `Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=0|1[;Lineage=…]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceHeader(Arc<str>);

impl TraceHeader {
    /// Takes the caller's header as it is. `None` when it is empty, too long, or no plain printable text: a header
    /// goes on to the runtime, so nothing else may pass.
    pub fn from_caller(value: &str) -> Option<Self> {
        let plain = value.bytes().all(|b| (0x20..0x7f).contains(&b));
        (!value.is_empty() && value.len() <= TRACE_HEADER_BYTES_MAX && plain).then(|| Self(Arc::from(value)))
    }

    /// Makes the header of an invocation that came without one at `epoch_ms`: not sampled.
    pub fn generate(epoch_ms: i64) -> Self {
        let epoch_seconds = u64::try_from(epoch_ms / 1_000).unwrap_or_default();
        let random = random::uuid().as_simple().to_string();
        let parent = &random::uuid().as_simple().to_string()[..16];
        let text = format!("Root=1-{:08x}-{};Parent={parent};Sampled=0", epoch_seconds as u32, &random[..24]);
        Self(text.into())
    }

    /// Returns how often a function has run in this chain of calls. A client that sends the header along as it got it
    /// carries that on: AWS's SDKs do.
    ///
    /// The lineage is `FUNCTION:RUNS`, with `|` between several; each function is a digest of eight hexadecimal digits of
    /// its ARN. AWS's digests are not known, so its lineages mean nothing here.
    pub fn runs_of(&self, arn: &FunctionArn) -> u32 {
        let function = digest(arn);
        self.lineage().find(|(known, _)| *known == function).map_or(0, |(_, runs)| runs)
    }

    /// Counts one more run of a function. Functions that did not run for longest are forgotten for the header not to
    /// become too long.
    #[must_use]
    pub fn with_run_of(&self, arn: &FunctionArn) -> Self {
        let function = digest(arn);
        let runs = self.runs_of(arn).saturating_add(1);
        let rest = self.0.split(';').filter(|part| !part.trim().starts_with("Lineage="));
        let head = rest.collect::<Vec<_>>().join(";");
        let mut lineage = format!("{function}:{runs}");
        for (other, runs) in self.lineage().filter(|(other, _)| *other != function) {
            let other = format!("|{other}:{runs}");
            if head.len() + ";Lineage=".len() + lineage.len() + other.len() > TRACE_HEADER_BYTES_MAX {
                break;
            }
            lineage.push_str(&other);
        }
        Self(format!("{head};Lineage={lineage}").into())
    }

    fn lineage(&self) -> impl Iterator<Item = (&str, u32)> {
        let lineage = self.0.split(';').find_map(|part| part.trim().strip_prefix("Lineage="));
        lineage.unwrap_or_default().split('|').filter_map(|entry| {
            let (function, runs) = entry.split_once(':')?;
            Some((function, runs.parse().ok()?))
        })
    }

    /// Whether the caller wants the trace to be kept.
    pub fn is_sampled(&self) -> bool {
        self.0.split(';').any(|part| part.trim() == "Sampled=1")
    }

    /// Returns the header as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_reads_only_as_it_prints() {
        let id = RequestId::random();
        assert_eq!(RequestId::parse(&id.to_string()), Some(id));
        for bad in [id.to_string().to_uppercase(), id.to_string().replace('-', ""), format!("{id} ")] {
            assert_eq!(RequestId::parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_digest_reads_only_as_its_hex_digits_print() {
        let digest = CodeSha256(std::array::from_fn(|at| at as u8 * 8));
        assert_eq!(CodeSha256::from_hex(&digest.to_hex()), Some(digest));
        for bad in ["", "new-0123", &digest.to_hex().to_uppercase(), &digest.to_hex()[1..], &"é".repeat(32)]
        {
            assert_eq!(CodeSha256::from_hex(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_lineage_counts_the_runs_of_each_function_and_stays_short() {
        let arn = |name: &str| FunctionArn {
            region: crate::Region::new("us-east-1").unwrap(),
            account: crate::AccountId::new("000000000000").unwrap(),
            name: crate::FunctionName::new(name).unwrap(),
            qualifier: None,
        };
        let start = TraceHeader::generate(1);
        let (f, g) = (arn("f"), arn("g"));
        assert_eq!(start.runs_of(&f), 0);
        let once = start.with_run_of(&f);
        let mixed = once.with_run_of(&g).with_run_of(&f);
        assert_eq!((once.runs_of(&f), mixed.runs_of(&f), mixed.runs_of(&g)), (1, 2, 1));
        let latest = Some(crate::Qualifier::Version(crate::Version::Latest));
        assert_eq!(mixed.runs_of(&f.with_qualifier(latest)), 2, "whatever the qualifier");
        assert_eq!(mixed.as_str().matches("Lineage=").count(), 1);
        assert!(mixed.as_str().starts_with(start.as_str()), "{}", mixed.as_str());

        let many = (0..200).fold(once, |trace, number| trace.with_run_of(&arn(&format!("f{number}"))));
        assert!(TraceHeader::from_caller(many.as_str()).is_some(), "{}", many.as_str());
        assert_eq!((many.runs_of(&f), many.runs_of(&arn("f199"))), (0, 1));
        for odd in ["Lineage=", "Lineage=1:24b143f9:0", "Root=1;Lineage=a|b:|:1|c:-1|d:99999999999"] {
            let odd = TraceHeader::from_caller(odd).unwrap();
            assert_eq!((odd.runs_of(&f), odd.with_run_of(&f).runs_of(&f)), (0, 1), "{}", odd.as_str());
        }
    }

    #[test]
    fn a_trace_header_carries_no_line_break() {
        assert!(TraceHeader::from_caller("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700").is_some());
        assert!(TraceHeader::from_caller("Root=1\r\nX: y").is_none());
        let made = TraceHeader::generate(0x5bef_4de7 * 1_000);
        assert!(made.as_str().starts_with("Root=1-5bef4de7-"), "{}", made.as_str());
        assert!(made.as_str().ends_with(";Sampled=0"), "{}", made.as_str());
    }
}
