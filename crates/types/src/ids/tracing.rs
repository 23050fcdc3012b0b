//! What a trace header says: which trace, below which span, and whether it is kept. And what Lambda adds to it.

use super::{RequestId, TRACE_HEADER_BYTES_MAX, TraceHeader, digest, random};
use crate::FunctionArn;

/// The id of a span: eight bytes, not all of them zero.
pub type SpanId = [u8; 8];

impl RequestId {
    /// Returns the id of the span that stands for this invocation in its trace: the second half of this id.
    pub fn span_id(self) -> SpanId {
        let [_, _, _, _, _, _, _, _, id @ ..] = *self.0.as_bytes();
        id
    }
}

/// The id of a trace: the time at which it began, in seconds since 1970, and twelve random bytes.
pub type TraceId = [u8; 16];

impl TraceHeader {
    /// Makes the id of a trace that begins at `epoch_ms`.
    pub fn new_trace_id(epoch_ms: i64) -> TraceId {
        let mut id: TraceId = random::bytes();
        let epoch_seconds = u64::try_from(epoch_ms / 1_000).unwrap_or_default() as u32;
        id[..4].copy_from_slice(&epoch_seconds.to_be_bytes());
        id
    }

    /// Returns the header of a call that came without one: its trace begins with this run of `function`. It says what
    /// [`Self::generate`], [`Self::with_run_of`], [`Self::with_parent`] and [`Self::with_decision`] would make of it, at once.
    pub fn beginning(trace: TraceId, span: SpanId, is_sampled: bool, function: &FunctionArn) -> Self {
        let mut text = String::with_capacity(112);
        text.push_str("Root=1-");
        push_hex(&mut text, &trace[..4]);
        text.push('-');
        push_hex(&mut text, &trace[4..]);
        text.push_str(";Parent=");
        push_hex(&mut text, &span);
        text.push_str(if is_sampled { ";Sampled=1;Lineage=" } else { ";Sampled=0;Lineage=" });
        text.push_str(&digest(function));
        text.push_str(":1");
        Self(text.into())
    }

    /// Returns the id of the trace: `1-5759e988-bd862e3fe1be46a994272793` without its version and hyphens, as other kinds of
    /// traces have it. `None` when the header names none.
    pub fn trace_id(&self) -> Option<TraceId> {
        let (time, random) = self.part("Root")?.strip_prefix("1-")?.split_once('-')?;
        let is_one = time.len() == 8 && random.len() == 24;
        let id = u128::from_str_radix(&format!("{time}{random}"), 16).ok().filter(|id| is_one && *id != 0)?;
        Some(id.to_be_bytes())
    }

    /// Returns the span that the trace is to go on below.
    pub fn parent_id(&self) -> Option<SpanId> {
        let parent = self.part("Parent").filter(|parent| parent.len() == 16)?;
        let id = u64::from_str_radix(parent, 16).ok().filter(|id| *id != 0)?;
        Some(id.to_be_bytes())
    }

    /// Returns whether somebody has decided that the trace is kept, or is not.
    pub fn decision(&self) -> Option<bool> {
        match self.part("Sampled")? {
            "1" => Some(true),
            "0" => Some(false),
            // `?` asks us.
            _ => None,
        }
    }

    /// Returns the same trace without a parent, and without anybody's decision.
    #[must_use]
    pub fn undecided(&self) -> Self {
        let kept = self.0.split(';').filter(|part| !matches!(key(part), "Parent" | "Sampled"));
        Self(kept.collect::<Vec<_>>().join(";").into())
    }

    /// Returns the same trace with what was decided about it.
    #[must_use]
    pub fn with_decision(&self, is_sampled: bool) -> Self {
        self.with("Sampled", if is_sampled { "1" } else { "0" })
    }

    /// Returns the same trace, to go on below `parent`.
    #[must_use]
    pub fn with_parent(&self, parent: SpanId) -> Self {
        self.with("Parent", &format!("{:016x}", u64::from_be_bytes(parent)))
    }

    fn part(&self, wanted: &str) -> Option<&str> {
        let part = self.0.split(';').find(|part| key(part) == wanted)?;
        part.split_once('=').map(|(_, value)| value.trim())
    }

    /// A header that would become too long stays as it is.
    fn with(&self, wanted: &str, value: &str) -> Self {
        let mut parts: Vec<String> =
            self.0.split(';').filter(|part| !part.trim().is_empty()).map(str::to_owned).collect();
        let part = format!("{wanted}={value}");
        match parts.iter_mut().find(|part| key(part) == wanted) {
            Some(known) => *known = part,
            None => {
                let at = parts.iter().position(|part| key(part) == "Lineage").unwrap_or(parts.len());
                parts.insert(at, part);
            }
        }
        let text = parts.join(";");
        if text.len() > TRACE_HEADER_BYTES_MAX { self.clone() } else { Self(text.into()) }
    }
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

fn key(part: &str) -> &str {
    part.split_once('=').map_or("", |(key, _)| key.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_that_begins_here_says_what_one_says_that_came_without_a_decision() {
        let arn = FunctionArn {
            region: crate::Region::new("us-east-1").unwrap(),
            account: crate::AccountId::new("000000000000").unwrap(),
            name: crate::FunctionName::new("f").unwrap(),
            qualifier: None,
        };
        let id = TraceHeader::new_trace_id(0x5bef_4de7 * 1_000);
        assert_eq!(id[..4], [0x5b, 0xef, 0x4d, 0xe7]);
        assert_ne!(id, TraceHeader::new_trace_id(0x5bef_4de7 * 1_000));
        let span = [0, 2, 3, 4, 5, 6, 7, 0xff];
        let hex: String = id[4..].iter().map(|byte| format!("{byte:02x}")).collect();
        let came = TraceHeader::from_caller(&format!("Root=1-5bef4de7-{hex}")).unwrap();
        for is_sampled in [false, true] {
            let expected = came.with_run_of(&arn).with_parent(span).with_decision(is_sampled);
            assert_eq!(TraceHeader::beginning(id, span, is_sampled, &arn), expected);
        }
        assert_eq!(came.trace_id(), Some(id));
    }

    #[test]
    fn a_header_says_which_trace_below_which_span_and_who_decided() {
        let read = |text: &str| {
            let header = TraceHeader::from_caller(text).unwrap();
            let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            let (trace, parent) = (header.trace_id(), header.parent_id());
            (trace.map(|id| hex(&id)), parent.map(|id| hex(&id)), header.decision())
        };
        let trace = Some("5759e988bd862e3fe1be46a994272793".to_owned());
        let whole = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        assert_eq!(read(whole), (trace.clone(), Some("53995c3f42cd8ad8".to_owned()), Some(true)));
        assert_eq!(read("Sampled=0; Root=1-5759e988-bd862e3fe1be46a994272793"), (trace, None, Some(false)));
        for odd in [
            "x",
            "Root=2-5759e988-bd862e3fe1be46a994272793;Parent=0;Sampled=?",
            "Root=1-5759e98-8bd862e3fe1be46a994272793;Parent=0000000000000000",
            "Root=1-00000000-000000000000000000000000;Parent=53995c3f42cd8ad8x",
            "Root=1-+759e988-bd862e3fe1be46a99427279z;Sampled=",
        ] {
            assert_eq!(read(odd), (None, None, None), "{odd}");
        }
    }

    #[test]
    fn what_lambda_adds_takes_the_place_of_what_was_there_and_comes_before_the_lineage() {
        let header =
            TraceHeader::from_caller("Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=24b143f9:1").unwrap();
        let added = header.with_parent([1, 2, 3, 4, 5, 6, 7, 0xff]).with_decision(true);
        let text =
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=01020304050607ff;Sampled=1;Lineage=24b143f9:1";
        assert_eq!(added.as_str(), text);
        assert_eq!(added.with_decision(false).as_str(), text.replace("Sampled=1", "Sampled=0"));
        assert_eq!(added.undecided(), header);
        let long = format!("Root=1-5759e988-bd862e3fe1be46a994272793;{}", "x".repeat(980));
        let long = TraceHeader::from_caller(&long).unwrap();
        assert_eq!(long.with_decision(true), long, "it may not become longer");
        let id = RequestId::parse("8476a536-e9f4-41e8-9739-2dfe598c3fcd").unwrap();
        assert_eq!(id.span_id(), [0x97, 0x39, 0x2d, 0xfe, 0x59, 0x8c, 0x3f, 0xcd]);
    }
}
