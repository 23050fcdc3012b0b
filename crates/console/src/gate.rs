//! Which requests are looked at: not those that a page of somebody else's has made a browser send.

use std::net::IpAddr;

use http::header::{COOKIE, HOST, HeaderMap, ORIGIN};

/// The cookie with the id of a session.
pub(crate) const COOKIE_NAME: &str = "hearth_console";

/// Whether a server without keys answers under the name that a browser calls it by. Anybody's name can be made to point
/// to this host (DNS rebinding), and a page under that name could then read what it likes; nobody else's page has an
/// address or `localhost` for a name.
pub(crate) fn is_name_of_ours(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

/// Whether a form was sent from a page of this server. Every browser says so, in one way or the other.
pub(crate) fn is_from_our_page(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    let site = text("sec-fetch-site");
    let origin = text(ORIGIN.as_str());
    if site.is_some_and(|site| site != "same-origin") {
        return false;
    }
    let authority = origin.map(|origin| origin.split_once("://").map_or("", |(_, authority)| authority));
    match (authority, text(HOST.as_str())) {
        (Some(authority), Some(host)) => authority.eq_ignore_ascii_case(host),
        (Some(_), None) => false,
        (None, _) => site.is_some(),
    }
}

/// Whether a page of another site, or one under a name that is not this host's own, has made a browser send a request.
/// Programs send neither `Origin` nor `Sec-Fetch-Site`.
pub fn is_of_another_site(headers: &HeaderMap) -> bool {
    let has_origin = headers.contains_key(ORIGIN);
    let is_of_a_browser = has_origin || headers.contains_key("sec-fetch-site");
    (has_origin && !is_from_our_page(headers)) || (is_of_a_browser && !is_name_of_ours(headers))
}

/// Whether the browser speaks TLS with whatever stands before this server.
pub(crate) fn is_over_tls(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
    text("x-forwarded-proto") == "https" || text(ORIGIN.as_str()).starts_with("https://")
}

/// Returns the id of the session in the cookies of a request.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    let mut pairs =
        cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_name_that_somebody_else_can_point_to_us_is_none_of_ours() {
        for host in ["127.0.0.1:4566", "localhost", "LOCALHOST:1", "[::1]:4566", "[::1]", "10.0.0.7:80"] {
            assert!(is_name_of_ours(&headers(&[("host", host)])), "{host}");
        }
        for host in ["evil.example", "localhost.evil.example:4566", "127.0.0.1.evil.example", "", "a:b"] {
            assert!(!is_name_of_ours(&headers(&[("host", host)])), "{host}");
        }
        assert!(!is_name_of_ours(&HeaderMap::new()));
    }

    #[test]
    fn a_form_counts_only_when_the_browser_says_that_it_is_from_our_own_page() {
        let host = ("host", "127.0.0.1:4566");
        for (more, expected) in [
            (vec![("origin", "http://127.0.0.1:4566")], true),
            (vec![("origin", "http://127.0.0.1:4566"), ("sec-fetch-site", "same-origin")], true),
            (vec![("sec-fetch-site", "same-origin")], true),
            (vec![("origin", "http://127.0.0.1:4567")], false),
            (vec![("origin", "null")], false),
            (vec![("origin", "http://evil.example"), ("sec-fetch-site", "same-origin")], false),
            (vec![("origin", "http://127.0.0.1:4566"), ("sec-fetch-site", "cross-site")], false),
            (vec![("sec-fetch-site", "same-site")], false),
            (vec![("sec-fetch-site", "none")], false),
            (vec![], false),
        ] {
            let all: Vec<_> = more.iter().copied().chain([host]).collect();
            assert_eq!(is_from_our_page(&headers(&all)), expected, "{more:?}");
        }
    }

    #[test]
    fn what_a_page_of_another_site_sends_is_told_apart_from_what_programs_send() {
        let name = ("host", "evil.example:4566");
        for (sent, expected) in [
            (vec![("host", "127.0.0.1:4566")], false),
            (vec![("host", "hearth.internal:4566")], false),
            (vec![("host", "127.0.0.1:4566"), ("origin", "http://127.0.0.1:4566")], false),
            (vec![("host", "127.0.0.1:4566"), ("origin", "https://evil.example")], true),
            (vec![("host", "127.0.0.1:4566"), ("origin", "null")], true),
            (vec![name, ("origin", "http://evil.example:4566")], true),
            (vec![name, ("sec-fetch-site", "same-origin")], true),
            (vec![("host", "localhost:4566"), ("sec-fetch-site", "none")], false),
        ] {
            assert_eq!(is_of_another_site(&headers(&sent)), expected, "{sent:?}");
        }
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let sent = headers(&[("cookie", "a=1; hearth_console=abc; hearth_consoles=d")]);
        assert_eq!(cookie(&sent), Some("abc"));
        assert_eq!(cookie(&headers(&[("cookie", "a=1")])), None);
    }
}
