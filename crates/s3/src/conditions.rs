//! Conditions of requests, and ranges. Source: RFC 9110, and "Conditional requests" in the S3 User Guide, read 2026-11.

use std::ops::Range;

use hearth_store::ObjectRecord;
use jiff::fmt::rfc2822;

use crate::error::S3Error;
use crate::request::Asked;

/// Checks whether an object may be written where `there` is.
pub(crate) fn check_write(asked: &Asked, there: Option<&ObjectRecord>) -> Result<(), S3Error> {
    if let Some(condition) = asked.header("if-none-match") {
        if condition != "*" {
            return Err(S3Error::not_implemented("If-None-Match of writes other than `*`"));
        }
        if there.is_some() {
            return Err(S3Error::precondition_failed("If-None-Match"));
        }
    }
    match (asked.header("if-match"), there) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(S3Error::no_such_key(asked.key())),
        (Some(condition), Some(there)) if matches(condition, &there.etag) => Ok(()),
        (Some(_), Some(_)) => Err(S3Error::precondition_failed("If-Match")),
    }
}

/// Checks whether an object is to be read.
pub(crate) fn check_read(asked: &Asked, object: &ObjectRecord) -> Result<(), S3Error> {
    let modified_s = object.modified_ms.div_euclid(1_000);
    let date = |name| {
        let date = asked.header(name).and_then(|date| rfc2822::parse(date).ok());
        date.map(|date| date.timestamp().as_second())
    };
    match asked.header("if-match") {
        Some(condition) if !matches(condition, &object.etag) => {
            return Err(S3Error::precondition_failed("If-Match"));
        }
        None if date("if-unmodified-since").is_some_and(|since| modified_s > since) => {
            return Err(S3Error::precondition_failed("If-Unmodified-Since"));
        }
        Some(_) | None => {}
    }
    let is_known = match asked.header("if-none-match") {
        Some(condition) => matches(condition, &object.etag),
        None => date("if-modified-since").is_some_and(|since| modified_s <= since),
    };
    if is_known { Err(S3Error::new(304, "NotModified", "Not Modified")) } else { Ok(()) }
}

fn matches(condition: &str, etag: &str) -> bool {
    condition.split(',').map(str::trim).any(|one| one == "*" || one.trim_matches('"') == etag)
}

/// Returns the part of an object of `size` bytes that is asked for. `None` is all of it: also when several parts are asked
/// for, or what is asked for is no range, as S3 does.
pub(crate) fn range(asked: &Asked, size: u64) -> Result<Option<Range<u64>>, S3Error> {
    let Some((first, last)) = asked
        .header("range")
        .and_then(|range| range.trim().strip_prefix("bytes="))
        .and_then(|range| range.split_once('-'))
    else {
        return Ok(None);
    };
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let range = match (first.trim().is_empty(), last.trim().is_empty()) {
        (false, true) => number(first).map(|first| first..size),
        (false, false) => number(first)
            .zip(number(last))
            .filter(|(first, last)| first <= last)
            .map(|(first, last)| first..last.saturating_add(1).min(size)),
        (true, false) => number(last).map(|last| match last {
            0 => size..size,
            last => size.saturating_sub(last)..size,
        }),
        (true, true) => None,
    };
    match range {
        None => Ok(None),
        Some(range) if range.start >= size => {
            Err(S3Error::new(416, "InvalidRange", "The requested range is not satisfiable"))
        }
        Some(range) => Ok(Some(range)),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};

    use super::*;

    #[test]
    fn ranges_are_those_of_http() {
        for (text, expected) in [
            ("bytes=0-4", "0..5"),
            ("bytes=5-", "5..10"),
            ("bytes=-3", "7..10"),
            ("bytes=-30", "0..10"),
            ("bytes=8-99", "8..10"),
            ("bytes=10-", "InvalidRange"),
            ("bytes=-0", "InvalidRange"),
            ("bytes=4-2", "all"),
            ("bytes=0-1,3-4", "all"),
            ("bytes=-", "all"),
            ("lines=0-1", "all"),
            ("bytes=18446744073709551615-18446744073709551615", "InvalidRange"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("range", text.parse().unwrap());
            let asked = Asked::of(&Method::GET, &"/b/k".parse().unwrap(), &headers).unwrap();
            let seen = match range(&asked, 10) {
                Ok(Some(range)) => format!("{range:?}"),
                Ok(None) => "all".to_owned(),
                Err(error) => error.code.to_owned(),
            };
            assert_eq!(seen, expected, "{text}");
        }
    }
}
