//! The files of the console. They are in the program, and nothing is fetched from anywhere else.

use bytes::Bytes;
use hearth_aws_wire::{Body, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::page;

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Name, type, content.
const ASSETS: [(&str, &str, &str); 11] = [
    ("style.css", "text/css; charset=utf-8", include_str!("../assets/style.css")),
    ("icon.svg", "image/svg+xml", include_str!("../assets/icon.svg")),
    ("theme.js", SCRIPT, include_str!("../assets/theme.js")),
    ("console.js", SCRIPT, include_str!("../assets/console.js")),
    ("text.js", SCRIPT, include_str!("../assets/text.js")),
    ("durations.js", SCRIPT, include_str!("../assets/durations.js")),
    ("tail.js", SCRIPT, include_str!("../assets/tail.js")),
    ("lifecycle.js", SCRIPT, include_str!("../assets/lifecycle.js")),
    ("lanes.js", SCRIPT, include_str!("../assets/lanes.js")),
    ("paint.js", SCRIPT, include_str!("../assets/paint.js")),
    ("clock.js", SCRIPT, include_str!("../assets/clock.js")),
];

/// Returns a file, if these are the parts of its path.
pub(crate) fn find(parts: &[&str]) -> Option<Response> {
    let ["assets", name] = parts else { return None };
    let (_, content_type, content) = ASSETS.iter().find(|(known, ..)| known == name)?;
    let mut response = Response::new(Body::new(Bytes::from_static(content.as_bytes())));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    page::guard(headers);
    // They change with the program, and are small.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Some(response)
}
