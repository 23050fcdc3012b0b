use hearth_types::AccountId;

use super::*;
use crate::credential::{Caller, Identity, Secret};
use crate::rights::Right;
use crate::sign::{ToSign, authorization};

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "a/token+of=the/environment";
/// 2015-08-30T12:36:00Z, the moment of AWS's published examples.
const NOW_MS: i64 = 1_440_938_160_000;

fn known(token: Option<&str>) -> Arc<Credential> {
    Arc::new(Credential {
        expires_ms: None,
        access_key_id: KEY.to_owned(),
        secret_access_key: Secret::new(SECRET),
        session_token: token.map(Secret::new),
        identity: Identity::user(
            Caller { arn: "arn:aws:iam::000000000000:user/ada".to_owned(), user_id: "A".to_owned() },
            AccountId::new("000000000000").unwrap(),
            Right::admin(),
        ),
    })
}

#[test]
fn a_key_whose_time_is_over_has_expired() {
    let until = |expires_ms| {
        let mut credential = (*known(Some(TOKEN))).clone();
        credential.expires_ms = Some(expires_ms);
        let sent = Sent::signed("GET", "/", &[], b"", Some(TOKEN));
        let region = Region::new("us-east-1").unwrap();
        let expected = Expected { service: "lambda", regions: &[&region], now_epoch_ms: NOW_MS };
        let uri: Uri = sent.uri.parse().unwrap();
        let claim = Claim::of(&sent.method, &uri, &sent.headers, &expected, &Arc::new(credential));
        claim.map(|_| ()).map_err(|refusal| refusal.error_type())
    };
    assert_eq!(until(NOW_MS + 1), Ok(()));
    assert_eq!(until(NOW_MS), Err("ExpiredTokenException"));
}

/// A request that can be changed before it is verified.
#[derive(Clone)]
struct Sent {
    method: Method,
    uri: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Sent {
    /// A request as Hearth's own signer signs it.
    fn signed(method: &str, uri: &str, headers: &[(&str, &str)], body: &[u8], token: Option<&str>) -> Self {
        let mut map = HeaderMap::new();
        map.insert(HOST, "localhost:4566".parse().unwrap());
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let (method, parsed): (Method, Uri) = (method.parse().unwrap(), uri.parse().unwrap());
        let request = ToSign { method: &method, uri: &parsed, headers: &mut map, body };
        authorization(request, (KEY, SECRET, token), ("us-east-1", "lambda"), NOW_MS);
        Self { method, uri: uri.to_owned(), headers: map, body: body.to_vec() }
    }

    fn plain() -> Self {
        Self::signed("POST", "/2015-03-31/functions/f/invocations?Qualifier=1", &[], b"{}", None)
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.remove(name).unwrap();
        self
    }

    /// Changes a part of the `Authorization` header.
    fn authorized(self, from: &str, to: &str) -> Self {
        let authorization = self.headers[AUTHORIZATION].to_str().unwrap().to_owned();
        assert!(authorization.contains(from), "{authorization}");
        self.set("authorization", &authorization.replace(from, to))
    }

    fn verified(&self) -> Result<String, String> {
        self.verified_at(NOW_MS, None)
    }

    fn verified_at(&self, now_epoch_ms: i64, token: Option<&str>) -> Result<String, String> {
        self.verified_for("lambda", now_epoch_ms, token)
    }

    fn verified_for(&self, service: &str, now_epoch_ms: i64, token: Option<&str>) -> Result<String, String> {
        let region = Region::new("us-east-1").unwrap();
        let expected = Expected { service, regions: &[&region], now_epoch_ms };
        let uri = self.uri.parse().unwrap();
        Claim::of(&self.method, &uri, &self.headers, &expected, &known(token))
            .and_then(|claim| claim.verify(&self.body))
            .map(|credential| credential.access_key_id.clone())
            .map_err(|refusal| format!("{}: {}", refusal.error_type(), refusal.message()))
    }

    fn refused(&self, expected: &str) {
        let refusal = self.verified().unwrap_err();
        assert!(refusal.contains(expected), "{refusal} instead of {expected}");
    }
}

const MISMATCH: &str = "InvalidSignatureException: The request signature we calculated";

#[test]
fn the_example_that_aws_publishes_verifies() {
    // Source: "Signature Version 4 test suite", case get-vanilla, and "Examples of signed requests", read 2026-11.
    let mut headers = HeaderMap::new();
    headers.insert(HOST, "example.amazonaws.com".parse().unwrap());
    headers.insert(AMZ_DATE, "20150830T123600Z".parse().unwrap());
    headers.insert(
        AUTHORIZATION,
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
         SignedHeaders=host;x-amz-date, \
         Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
            .parse()
            .unwrap(),
    );
    let vanilla = Sent { method: Method::GET, uri: "/".to_owned(), headers, body: vec![] };
    assert_eq!(vanilla.verified_for("service", NOW_MS, None), Ok(KEY.to_owned()));
}

#[test]
fn what_is_signed_is_verified() {
    for (method, uri) in [
        ("GET", "/"),
        ("GET", "/2015-03-31/functions/"),
        ("GET", "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af"),
        ("GET", "/2017-03-31/tags/x?tagKeys=b&tagKeys=a&empty&also=&z=%20~*+'"),
        ("POST", "/2015-03-31/functions/%C3%BC%25/invocations?Qualifier=%24LATEST"),
    ] {
        let sent = Sent::signed(
            method,
            uri,
            &[("x-amz-meta", "  two   blanks "), ("a", "1"), ("a", "2")],
            b"x",
            None,
        );
        assert_eq!(sent.verified(), Ok(KEY.to_owned()), "{uri}");
    }
    let temporary = Sent::signed("GET", "/", &[], b"", Some(TOKEN));
    assert_eq!(temporary.verified_at(NOW_MS, Some(TOKEN)), Ok(KEY.to_owned()));
}

#[test]
fn case_093_what_is_changed_after_signing_is_refused() {
    let changed = |change: fn(&mut Sent)| {
        let mut sent = Sent::signed(
            "POST",
            "/2015-03-31/functions/f/invocations?Qualifier=1",
            &[("x-amz-invocation-type", "DryRun"), ("content-type", "application/json")],
            b"{}",
            None,
        );
        assert!(sent.verified().is_ok());
        change(&mut sent);
        sent.refused("InvalidSignatureException");
    };
    changed(|sent| sent.body = b"{ }".to_vec());
    changed(|sent| sent.body = vec![]);
    changed(|sent| sent.method = Method::PUT);
    changed(|sent| sent.uri = sent.uri.replace("/f/", "/g/"));
    changed(|sent| sent.uri = sent.uri.replace("Qualifier=1", "Qualifier=2"));
    changed(|sent| sent.uri = sent.uri.replace("?Qualifier=1", ""));
    changed(|sent| sent.uri.push_str("&Qualifier=2"));
    changed(|sent| *sent = sent.clone().set("x-amz-invocation-type", "Event"));
    changed(|sent| *sent = sent.clone().set("content-type", "text/plain"));
    changed(|sent| *sent = sent.clone().set("host", "localhost:4567"));
    changed(|sent| *sent = sent.clone().set("x-amz-log-type", "Tail"));
    changed(|sent| *sent = sent.clone().set("x-amz-date", "20150830T123601Z"));
    changed(|sent| *sent = sent.clone().without("x-amz-invocation-type"));
    changed(|sent| *sent = sent.clone().authorized("Signature=", "Signature=0"));
}

#[test]
fn a_body_is_the_announced_one_or_says_that_it_is_not_signed() {
    let hash = canonical::payload_hash(b"{}");
    let announced = [("x-amz-content-sha256", &*hash)];
    let sent = Sent::signed("POST", "/", &announced, b"{}", None);
    assert_eq!(sent.verified(), Ok(KEY.to_owned()));
    Sent { body: b"[]".to_vec(), ..sent }.refused(MISMATCH);
    // Signed over the hash that is announced, which is that of another body.
    let other = Sent::signed("POST", "/", &announced, b"[]", None);
    Sent { body: b"{}".to_vec(), ..other }.refused(MISMATCH);
    for wrong in ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "", "00", &hash.to_uppercase()] {
        Sent::signed("POST", "/", &[("x-amz-content-sha256", wrong)], b"{}", None).refused(MISMATCH);
    }
}

#[test]
fn case_094_a_key_that_nobody_has_and_a_token_that_is_not_its_own_are_refused() {
    const UNKNOWN: &str =
        "UnrecognizedClientException: The security token included in the request is invalid.";
    Sent::plain().authorized(KEY, "AKIDOTHER").refused(UNKNOWN);
    Sent::signed("GET", "/", &[], b"", Some(TOKEN)).refused(UNKNOWN);
    for token in [None, Some("another"), Some("")] {
        let sent = Sent::signed("GET", "/", &[], b"", token);
        assert_eq!(sent.verified_at(NOW_MS, Some(TOKEN)), Err(UNKNOWN.to_owned()), "{token:?}");
    }
}

#[test]
fn case_095_the_window_is_five_minutes_both_ways() {
    let sent = Sent::plain();
    let at = |minutes: i64, ms: i64| sent.verified_at(NOW_MS + minutes * 60_000 + ms, None);
    for (minutes, ms) in [(4, 0), (-4, 0), (5, 999), (-5, 0)] {
        assert!(at(minutes, ms).is_ok(), "{minutes} min {ms} ms");
    }
    assert_eq!(
        at(6, 0).unwrap_err(),
        "InvalidSignatureException: Signature expired: 20150830T123600Z is now earlier than 20150830T123700Z \
         (20150830T124200Z - 5 min.)"
    );
    assert_eq!(
        at(-6, 0).unwrap_err(),
        "InvalidSignatureException: Signature not yet current: 20150830T123600Z is still later than 20150830T123500Z \
         (20150830T123000Z + 5 min.)"
    );
}

#[test]
fn case_097_a_signature_is_for_one_service_region_and_day() {
    let sent = Sent::plain();
    sent.clone()
        .authorized("us-east-1/lambda", "us-east-1/logs")
        .refused("InvalidSignatureException: Credential should be scoped to correct service: 'lambda'.");
    sent.clone()
        .authorized("us-east-1/lambda", "eu-west-1/lambda")
        .refused("InvalidSignatureException: Credential should be scoped to a valid region.");
    sent.clone().authorized("/20150830/", "/20150829/").refused(
        "InvalidSignatureException: Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
         HTTP: '20150829' != '20150830', from '20150830T123600Z'.",
    );
    sent.authorized("aws4_request", "aws5_request").refused("IncompleteSignatureException");
}

#[test]
fn a_request_that_nobody_signed_has_no_token() {
    const MISSING: &str = "MissingAuthenticationTokenException: Missing Authentication Token";
    Sent::plain().without("authorization").refused(MISSING);
    let mut sent = Sent::plain().without("authorization");
    sent.uri = "/?X-Amz-Date=20150830T123600Z".to_owned();
    sent.refused(MISSING);
}

#[test]
fn a_date_header_is_a_date_too() {
    let sent = Sent::plain().without("x-amz-date").authorized(";x-amz-date", "");
    // The signature is another one then; that it gets so far is what counts.
    sent.clone().set("date", "Sun, 30 Aug 2015 12:36:00 GMT").refused(MISMATCH);
    sent.clone().set("date", "20150830T123600Z").refused(MISMATCH);
    sent.clone().set("date", "yesterday").refused("IncompleteSignatureException: Date must be");
    sent.refused("requires existence of either a 'X-Amz-Date' or a 'Date' header.");
}

#[test]
fn case_099_the_path_is_verified_as_it_came() {
    // What clients sign for this path is `/b`.
    let mut sent = Sent::signed("GET", "/b", &[], b"", None);
    for bypass in ["/a/../b", "//b", "/./b", "/%62", "/b/", "/b/."] {
        sent.uri = bypass.to_owned();
        sent.refused(MISMATCH);
    }
    let mut encoded = Sent::signed("GET", "/a%252Fb", &[], b"", None);
    assert!(encoded.verified().is_ok());
    for bypass in ["/a%2Fb", "/a/b", "/a%25252Fb"] {
        encoded.uri = bypass.to_owned();
        encoded.refused(MISMATCH);
    }
    let mut repeated = Sent::signed("GET", "/?a=1&a=2", &[], b"", None);
    for bypass in ["/?a=1", "/?a=2", "/?a=1&a=2&a=3", "/?a=1&a=1", "/?a=1%26a=2"] {
        repeated.uri = bypass.to_owned();
        repeated.refused(MISMATCH);
    }
}

#[test]
fn case_098_a_malformed_signature_is_refused_and_not_repeated() {
    let good = Sent::plain();
    let authorization = good.headers[AUTHORIZATION].to_str().unwrap().to_owned();
    let (credential, rest) = authorization.split_once(", ").unwrap();
    let (headers, signature) = rest.split_once(", ").unwrap();
    let parts = [credential, headers, signature];
    let mut wrong: Vec<String> =
        vec![String::new(), "AWS4-HMAC-SHA256".to_owned(), "AWS4-HMAC-SHA256 ".to_owned()];
    for scheme in
        ["AWS", "AWS3", "AWS4-HMAC-SHA512", "aws4-hmac-sha256", "Bearer", "Basic", "AWS4-ECDSA-P256-SHA256"]
    {
        wrong.push(authorization.replace("AWS4-HMAC-SHA256", scheme));
        wrong.push(scheme.to_owned());
    }
    // Every part left out, empty, twice, and cut anywhere.
    for (at, part) in parts.iter().enumerate() {
        let others: Vec<&str> = (0..3).filter(|other| *other != at).map(|other| parts[other]).collect();
        wrong.push(others.join(", "));
        wrong.push(format!("{}, {}=", others.join(", "), part.split_once('=').unwrap().0));
        wrong.push(format!("{authorization}, {}", part.trim_start_matches("AWS4-HMAC-SHA256 ")));
    }
    wrong.extend((1..authorization.len()).step_by(2).map(|at| authorization[..at].to_owned()));
    for scope in [
        "",
        "/",
        "////",
        "a/b",
        "AKIDEXAMPLE/20150830/us-east-1/lambda",
        "AKIDEXAMPLE//us-east-1/lambda/aws4_request",
    ] {
        wrong.push(format!("AWS4-HMAC-SHA256 Credential={scope}, {headers}, {signature}"));
    }
    for list in [
        "",
        ";",
        "host;",
        ";host",
        "Host;x-amz-date",
        "x-amz-date;host",
        "host;host;x-amz-date",
        "ho st",
        "*",
        "date",
    ] {
        wrong.push(format!("{credential}, SignedHeaders={list}, {signature}"));
    }
    for signature in [
        "",
        "0",
        "z".repeat(64).as_str(),
        "0".repeat(64).as_str(),
        "0".repeat(63).as_str(),
        "0".repeat(66).as_str(),
    ] {
        wrong.push(format!("{credential}, {headers}, Signature={signature}"));
    }
    assert!(wrong.len() >= 120, "{}", wrong.len());
    let real = signature.trim_start_matches("Signature=");
    for authorization in wrong {
        let refusal = good.clone().set("authorization", &authorization).verified().unwrap_err();
        assert!(!refusal.contains(real) && !refusal.contains(SECRET), "{refusal}");
        let known = ["IncompleteSignature", "InvalidSignature", "UnrecognizedClient"];
        assert!(known.iter().any(|known| refusal.starts_with(known)), "{authorization}: {refusal}");
    }
}

#[test]
fn a_presigned_url_is_good_for_as_long_as_it_says() {
    // Made with botocore's SigV4QueryAuth for these keys, at NOW_MS, for a minute; see `tests/clients/sigv4_vectors.py`.
    let vectors: serde_json::Value = serde_json::from_str(include_str!("vectors.json")).unwrap();
    let mut count = 0;
    for vector in vectors.as_array().unwrap() {
        let text = |member: &str| vector[member].as_str().unwrap().to_owned();
        let mut headers = HeaderMap::new();
        for pair in vector["headers"].as_array().unwrap() {
            let [name, value] = [0, 1].map(|at| pair[at].as_str().unwrap());
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let method = text("method").parse().unwrap();
        let sent = Sent { method, uri: text("uri"), headers, body: text("body").into_bytes() };
        let token = vector["token"].as_str();
        assert_eq!(sent.verified_at(NOW_MS, token), Ok(KEY.to_owned()), "{vector:#}");
        if sent.uri.contains("X-Amz-Expires=60") {
            assert!(sent.verified_at(NOW_MS + 60_000, token).is_ok());
            let late = sent.verified_at(NOW_MS + 61_000, token).unwrap_err();
            assert!(
                late.contains("Signature expired: 20150830T123700Z is now earlier than 20150830T123701Z"),
                "{late}"
            );
            let longer = Sent { uri: sent.uri.replace("Expires=60", "Expires=61"), ..sent.clone() };
            assert!(longer.verified_at(NOW_MS, token).unwrap_err().starts_with(MISMATCH));
            for wrong in ["0", "-1", "604801", "x", "1&X-Amz-Expires=60"] {
                let uri = sent.uri.replace("Expires=60", &format!("Expires={wrong}"));
                let refusal = Sent { uri, ..sent.clone() }.verified_at(NOW_MS, token).unwrap_err();
                assert!(refusal.starts_with("IncompleteSignatureException"), "{refusal}");
            }
        }
        count += 1;
    }
    assert!(count >= 12, "{count}");
}

proptest::proptest! {
    /// Whoever has no key gets a refusal, whatever they send.
    #[test]
    fn nothing_that_is_sent_panics_or_passes(
        authorization in "(AWS4-HMAC-SHA256 )?(Credential=AKIDEXAMPLE/20150830/us-east-1/lambda/aws4_request,? ?)?\\PC{0,80}",
        query in "(X-Amz-[A-Za-z]{1,12}=[%/a-zA-Z0-9+]{0,12}&?){0,8}",
        date in "(20150830T123600Z|[ -~]{0,20})",
        token in "[ -~]{0,20}",
    ) {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "localhost".parse().unwrap());
        for (name, value) in [(AUTHORIZATION, &authorization), (AMZ_DATE, &date), (SECURITY_TOKEN, &token)] {
            if !value.is_empty() && let Ok(value) = http::HeaderValue::from_bytes(value.as_bytes()) {
                headers.insert(name, value);
            }
        }
        let sent = Sent { method: Method::GET, uri: format!("/?{query}"), headers, body: vec![] };
        sent.verified().unwrap_err();
        Sent { headers: HeaderMap::new(), ..sent }.verified().unwrap_err();
    }
}
