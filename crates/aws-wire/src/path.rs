//! Paths and queries: split first, decoded then, so that an encoded slash stays part of its label.

use percent_encoding::percent_decode_str;

/// Splits a path at its slashes. A slash at the end adds nothing.
pub fn path_segments(path: &str) -> impl Iterator<Item = &str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.strip_suffix('/').unwrap_or(path).split('/')
}

/// Decodes one label. `None` when it is no UTF-8.
pub fn decode(label: &str) -> Option<String> {
    percent_decode_str(label).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// Returns the decoded pairs of a query; a key without `=` has an empty value. Pairs that are no UTF-8 are left out.
pub fn query_pairs(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let split = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decode(&key.replace('+', " "))?, decode(&value.replace('+', " "))?))
    };
    pairs.filter_map(split).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_decoded_after_the_path_is_split() {
        let path = "/2015-03-31/functions/arn%3Aaws%3Alambda%2Fx/code/";
        let segments: Vec<&str> = path_segments(path).collect();
        assert_eq!(segments, ["2015-03-31", "functions", "arn%3Aaws%3Alambda%2Fx", "code"]);
        assert_eq!(decode(segments[2]).as_deref(), Some("arn:aws:lambda/x"));
        assert_eq!(decode("%ff"), None);
    }

    #[test]
    fn a_query_is_pairs() {
        let pairs = query_pairs("Qualifier=%24LATEST&find=a+b&List");
        let expected = [("Qualifier", "$LATEST"), ("find", "a b"), ("List", "")];
        assert_eq!(pairs, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
}
