//! What is taken, what is refused, and that the pieces in which bytes come make no difference.

use super::*;

const HEAD: &str = "POST /f HTTP/1.1\r\nHost: h\r\n";

/// How much of it passes when it comes at once, and why no more.
fn whole(bytes: impl AsRef<[u8]>) -> (usize, Option<Stop>) {
    let Advance { passed, stop } = Framing::default().advance(bytes.as_ref());
    (passed, stop)
}

/// The status a head is refused with; 0 when it is taken, 1 when it is not complete.
fn status(head: impl AsRef<[u8]>) -> u16 {
    match super::head(head.as_ref()) {
        Ok(Some(_)) => 0,
        Ok(None) => 1,
        Err(refusal) => {
            let answer = String::from_utf8(refusal.into_bytes().to_vec()).unwrap();
            answer.split(' ').nth(1).unwrap().parse().unwrap()
        }
    }
}

fn with(headers: &str) -> String {
    format!("{HEAD}{headers}\r\n")
}

#[test]
fn requests_end_where_their_framing_says() {
    let chunked = with("Transfer-Encoding: Chunked\r\n") + "3\r\nabc\r\n1;x=y\r\nd\r\n0\r\nA: b\r\n\r\n";
    let sized = with("Content-Length: 5\r\n") + "abcde";
    let stream = [with(""), chunked, sized, with("Content-Length: 0\r\n")].concat();
    let mut framing = Framing::default();
    assert_eq!(framing.advance(stream.as_bytes()), Advance { passed: stream.len(), stop: None });
    assert_eq!(framing.requests(), 4);
    assert!(framing.is_between_requests());
    assert_eq!(whole(format!("{stream}GET")).0, stream.len(), "the beginning of a head is not passed");
}

#[test]
fn pieces_make_no_difference() {
    let stream = [
        with("Transfer-Encoding: chunked\r\n") + "a\r\n0123456789\r\n0\r\n\r\n",
        with("Content-Length: 3\r\n") + "abc",
        with("Content-Length: x\r\n"),
    ]
    .concat();
    let (passed_at_once, stop) = whole(&stream);
    assert!(stop.is_some());
    for piece in 1..stream.len() {
        let (mut framing, mut held, mut passed, mut stop) = (Framing::default(), Vec::new(), 0, None);
        for bytes in stream.as_bytes().chunks(piece) {
            held.extend_from_slice(bytes);
            let advance = framing.advance(&held);
            held.drain(..advance.passed);
            passed += advance.passed;
            stop = advance.stop;
            if stop.is_some() {
                break;
            }
        }
        assert_eq!((passed, stop), whole(&stream), "in pieces of {piece}");
    }
    assert!(passed_at_once < stream.len());
}

#[test]
fn ambiguous_lengths_are_refused() {
    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length:\r\n",
        "Content-Length: 9223372036854775808\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Host: other\r\n",
        "X: a\r\n b: folded\r\n",
        "X: nul\0\r\n",
        "X: bare\rreturn\r\n",
        "X: bare\nY: feed\r\n",
        ": no name\r\n",
        "no colon\r\n",
    ] {
        assert_eq!(status(with(headers)), 400, "{headers:?}");
    }
    assert_eq!(status("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
    assert_eq!(status(with("Expect: 200-ok\r\n")), 417);
    assert_eq!(status(with("Expect: 100-Continue\r\nContent-Length: 9\r\n")), 0);
    assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), 400, "no host");
    assert_eq!(status("GET / HTTP/1.0\r\n\r\n"), 0, "HTTP/1.0 has none");
}

#[test]
fn only_paths_with_whole_escapes_are_targets() {
    let of = |target: &str| status(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
    for taken in ["/", "/a%2Fb?c=%24LATEST&d=a+b", "/2015-03-31/functions/arn:aws:lambda:x/invocations", "//"]
    {
        assert_eq!(of(taken), 0, "{taken}");
    }
    for refused in [
        "http://h/",
        "h:80",
        "*",
        "a",
        "/%",
        "/%4",
        "/%zz",
        "/a?b=%g0",
        "/a#b",
        "/\u{e4}",
        "/a\u{1}b",
        "/<",
        "/a b",
    ] {
        assert_eq!(of(refused), 400, "{refused}");
    }
}

#[test]
fn what_is_not_http_1_is_refused_at_once() {
    assert_eq!(status("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
    assert_eq!(status("GET / HTTP/3.0\r\n"), 505);
    assert_eq!(status("GET /\r\n"), 400, "HTTP/0.9");
    assert_eq!(status(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), 400, "TLS");
    assert_eq!(status("\r\n\r\n"), 400);
    assert_eq!(status("\n"), 400);
    assert_eq!(status(b"\0\0\0\0"), 400);
    assert_eq!(status("GET /"), 1, "that may still become one");
}

#[test]
fn limits_hold_for_whole_heads_and_for_beginnings() {
    let target = |length: usize| format!("GET /{}", "a".repeat(length - 1));
    let end = " HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_eq!(status(target(TARGET_BYTES_MAX) + end), 0);
    assert_eq!(status(target(TARGET_BYTES_MAX + 1) + end), 414);
    assert_eq!(status(target(65_536)), 414);
    assert_eq!(status(target(TARGET_BYTES_MAX)), 1);

    let header = |bytes: usize| with(&format!("X: {}\r\n", "a".repeat(bytes)));
    let rest = header(0).len();
    assert_eq!(status(header(HEAD_BYTES_MAX - rest)), 0);
    assert_eq!(status(header(HEAD_BYTES_MAX - rest + 1)), 431);
    let without_end = header(1 << 20);
    assert_eq!(status(&without_end[..HEAD_BYTES_MAX]), 1);
    assert_eq!(status(&without_end[..HEAD_BYTES_MAX + 1]), 431);

    assert_eq!(status(with(&"X: y\r\n".repeat(HEADERS_MAX - 1))), 0);
    assert_eq!(status(with(&"X: y\r\n".repeat(HEADERS_MAX))), 431);
    assert_eq!(status(format!("{HEAD}{}", "X: y\r\n".repeat(10_000))), 431);
}

#[test]
fn broken_chunks_end_the_body_where_they_break() {
    let head = with("Transfer-Encoding: chunked\r\n");
    for (good, bad) in [
        ("", "x\r\n"),
        ("", "\r\n"),
        ("", "-1\r\n"),
        ("3", "\nabc"),
        ("", " 3\r\n"),
        ("3\r\nabc", "abc"),
        ("3\r\nabc\r", "x"),
        ("123456789", "a\r\n"),
        ("0\r\n", " folded\r\n"),
        ("0\r\n\r", "x"),
        ("1;a", "\0\r\n"),
        ("0\r\nA: b", "\n\r\n"),
    ] {
        let passed = head.len() + good.len();
        assert_eq!(whole(format!("{head}{good}{bad}")), (passed, Some(Stop::Body)), "{good:?} {bad:?}");
    }
    let long = format!("{head}1;{}", "a".repeat(100_000));
    assert!(matches!(whole(long), (_, Some(Stop::Body))), "extensions have an end");
    let long = format!("{head}0\r\nA: {}", "a".repeat(100_000));
    assert!(matches!(whole(long), (_, Some(Stop::Body))), "trailers have an end");
}

proptest::proptest! {
    /// Whatever comes: no panic, nothing passed beyond its end, and never more than a head is held back.
    #[test]
    fn any_bytes_are_followed(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let mut stream = with("Transfer-Encoding: chunked\r\n").into_bytes();
        stream.extend(&bytes);
        let (passed, _) = whole(&stream);
        proptest::prop_assert!(passed <= stream.len());
        whole(&bytes);
    }
}
