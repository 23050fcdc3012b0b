//! Who gets into the console, and what other sites can make a browser do there: nothing.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use expect_test::expect;
use hearth_tests::{
    Folder, Response, Server, eventually, hearth_with, http, needs_browser, python, run_browser,
};
use serde_json::json;

const CONSOLE: &str = "/_hearth/console";
const ECHO: &str = "def handler(event, context):\n    return event\n";

/// Makes a key in the data folder of a server: id and secret.
fn key(folder: &Folder, policy: &str) -> (String, String) {
    let data_dir = folder.path().to_str().unwrap();
    let arguments =
        ["credentials", "add", policy, "--policy", policy, "--data-dir", data_dir, "--output", "json"];
    let added = hearth_with(&[], &arguments).json();
    let text = |member: &str| added[member].as_str().unwrap().to_owned();
    (text("AccessKeyId"), text("SecretAccessKey"))
}

/// The cookie of an answer, as a browser sends it back.
fn cookie(response: &Response) -> String {
    response.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

/// The token in the first form of a page.
fn token(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"token\" value=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

fn post(server: &Server, path: &str, headers: &[(&str, &str)], form: &str) -> Response {
    let mut all = vec![("Content-Type", "application/x-www-form-urlencoded")];
    all.extend(headers);
    http(server.address(), "POST", &format!("{CONSOLE}{path}"), &all, form.as_bytes())
}

#[test]
fn a_form_that_was_not_sent_from_our_own_page_changes_nothing() {
    let server = Server::start();
    let function = server.create(python("echo", ECHO));
    let page = server.http("GET", &format!("{CONSOLE}/functions/echo/delete"), b"");
    let (cookie, token) = (cookie(&page), token(&page.text()));
    let origin = server.url();
    let ours = [("Cookie", cookie.as_str()), ("Origin", origin.as_str())];
    let form = format!("token={token}");
    let other_cookie = format!("hearth_console={}", "0".repeat(64));
    for (what, headers, form) in [
        ("no origin", vec![ours[0]], form.as_str()),
        ("another origin", vec![ours[0], ("Origin", "http://evil.example")], &form),
        ("another port", vec![ours[0], ("Origin", "http://127.0.0.1:1")], &form),
        ("an origin that is hidden", vec![ours[0], ("Origin", "null")], &form),
        ("another site", vec![ours[0], ours[1], ("Sec-Fetch-Site", "cross-site")], &form),
        ("no token", ours.to_vec(), ""),
        ("a wrong token", ours.to_vec(), "token=0000"),
        ("no cookie", vec![ours[1]], &form),
        ("another cookie", vec![("Cookie", &other_cookie), ours[1]], &form),
    ] {
        let refused = post(&server, "/functions/echo/delete", &headers, form);
        assert_eq!(refused.status, 403, "{what}: {}", refused.text());
    }
    function.invoke("{}").success();
    // A page of another site can make a browser send GET: that changes nothing.
    assert_eq!(server.http("GET", &format!("{CONSOLE}/functions/echo/invoke"), b"").status, 404);
    let deleted = post(&server, "/functions/echo/delete", &ours, &form);
    assert_eq!((deleted.status, deleted.header("location")), (303, Some(CONSOLE)), "{}", deleted.text());
    assert_eq!(server.http("GET", "/2015-03-31/functions/echo", b"").status, 404);
}

#[test]
fn a_name_that_others_can_point_here_is_not_answered_while_there_are_no_keys() {
    let server = Server::start();
    for (host, status) in [("evil.example", "421"), ("localhost", "200"), ("127.0.0.1:4566", "200")] {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let request = format!("GET {CONSOLE} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {answer}");
    }
}

#[test]
fn pages_of_other_sites_call_nothing_while_there_are_no_keys() {
    let server = Server::start();
    let function = server.create(python("echo", ECHO));
    let invoke = |headers: &[(&str, &str)]| {
        http(server.address(), "POST", "/2015-03-31/functions/echo/invocations", headers, b"1")
    };
    for headers in [[("Origin", "http://evil.example")], [("Origin", "null")]] {
        let refused = invoke(&headers);
        assert_eq!(refused.status, 403, "{headers:?}: {}", refused.text());
        assert!(refused.text().contains("a web page of another site"), "{}", refused.text());
    }
    assert!(function.environments().is_empty());
    // Programs say of no page that it sent them.
    assert_eq!(invoke(&[]).status, 200);
}

#[test]
fn pages_run_nothing_but_our_own_scripts_and_are_shown_in_no_frame() {
    let server = Server::start();
    server.create(python("echo", ECHO));
    for path in
        ["", "/functions/echo", "/lifecycle", "/cost", "/tail", "/login", "/nothing", "/functions/none"]
    {
        let page = server.http("GET", &format!("{CONSOLE}{path}"), b"");
        let text = page.text();
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("x-frame-options"), Some("DENY"));
        for forbidden in [" style=", " onclick=", "<style", "javascript:", "http://", "https://"] {
            assert!(!text.contains(forbidden), "{path} has `{forbidden}`");
        }
        let has_scripts_of_its_own =
            text.match_indices("<script").all(|(at, _)| text[at..].contains(" src=\"/"));
        assert!(has_scripts_of_its_own, "{path}");
    }
    for path in
        ["/../../etc/passwd", "/assets/..%2f..%2fCargo.toml", "/assets/%ff", "/live/nothing", "/data/nothing"]
    {
        assert_eq!(server.http("GET", &format!("{CONSOLE}{path}"), b"").status, 404, "{path}");
    }
    assert_eq!(server.http("PUT", CONSOLE, b"").status, 405);
}

#[test]
fn without_a_key_a_server_with_keys_shows_nothing_and_says_where_to_sign_in() {
    let server = Server::start();
    server.create(python("echo", ECHO));
    let (id, secret) = key(server.data_dir(), "admin");
    eventually("the server asks for a key", || {
        (server.http("GET", "/2015-03-31/functions/", b"").status == 403).then_some(())
    });
    let mut table = String::new();
    for path in
        ["", "/functions/echo", "/lifecycle?function=echo", "/data/lanes", "/live/logs", "/assets/style.css"]
    {
        let answer = server.http("GET", &format!("{CONSOLE}{path}"), b"");
        assert!(!answer.text().contains("python3.11"), "{path}");
        table += &format!("{path} {} {}\n", answer.status, answer.header("location").unwrap_or("-"));
    }
    expect![[r#"
         303 /_hearth/console/login?next=
        /functions/echo 303 /_hearth/console/login?next=%2Ffunctions%2Fecho
        /lifecycle?function=echo 303 /_hearth/console/login?next=%2Flifecycle%3Ffunction%3Decho
        /data/lanes 401 -
        /live/logs 401 -
        /assets/style.css 200 -
    "#]]
    .assert_eq(&table);

    // A key that is taken away takes its sessions along.
    let page = server.http("GET", &format!("{CONSOLE}/login?next=//evil.example"), b"");
    let origin = server.url();
    let before = cookie(&page);
    let form = format!(
        "token={}&next=//evil.example&access_key_id={id}&secret_access_key={}",
        token(&page.text()),
        hearth_tests::encode(&secret)
    );
    let entered = post(&server, "/login", &[("Cookie", &before), ("Origin", &origin)], &form);
    assert_eq!((entered.status, entered.header("location")), (303, Some(CONSOLE)), "{}", entered.text());
    let session = cookie(&entered);
    assert_ne!(session, before, "whoever knew the cookie from before is not signed in");
    let attributes = entered.header("set-cookie").unwrap();
    assert!(attributes.ends_with("; Path=/_hearth/console; HttpOnly; SameSite=Strict"), "{attributes}");
    let look = || http(server.address(), "GET", CONSOLE, &[("Cookie", &session)], b"");
    assert!(look().text().contains("python3.11"));
    let data_dir = server.data_dir().path().to_str().unwrap();
    hearth_with(&[], &["credentials", "remove", &id, "--data-dir", data_dir]).success();
    eventually("the session is over", || (look().status == 303).then_some(()));
}

/// Opens a stream, and reads it to its end. Says when its first event is there.
fn follow(address: SocketAddr, path: &str) -> (mpsc::Receiver<()>, JoinHandle<String>) {
    let (heard, hears) = mpsc::channel();
    let request = format!("GET {CONSOLE}{path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let reading = thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let (mut seen, mut piece) = (Vec::new(), [0; 4_096]);
        loop {
            let bytes = stream.read(&mut piece).unwrap();
            seen.extend_from_slice(&piece[..bytes]);
            if String::from_utf8_lossy(&seen).contains("event: ") {
                let _ = heard.send(());
            }
            if bytes == 0 || seen.ends_with(b"0\r\n\r\n") {
                return String::from_utf8_lossy(&seen).into_owned();
            }
        }
    });
    (hears, reading)
}

#[test]
fn a_live_stream_ends_with_the_server_and_when_keys_are_asked_for() {
    let server = Server::start();
    server.create(python("echo", ECHO));
    let (hears, reading) = follow(server.address(), "/live/functions");
    hears.recv().unwrap();
    key(server.data_dir(), "admin");
    let seen = reading.join().unwrap();
    assert!(seen.contains("content-type: text/event-stream") && seen.contains("event: part"), "{seen}");
    assert!(seen.ends_with("0\r\n\r\n"), "it ends in order: {seen}");

    let server = Server::start();
    let (hears, reading) = follow(server.address(), "/live/changes");
    hears.recv().unwrap();
    server.stop();
    assert!(reading.join().unwrap().ends_with("0\r\n\r\n"));
}

#[test]
fn over_tls_the_cookie_is_for_tls_alone() {
    let server = Server::start();
    let path = format!("{CONSOLE}/tail");
    let page = http(server.address(), "GET", &path, &[("X-Forwarded-Proto", "https")], b"");
    assert!(page.header("set-cookie").unwrap().ends_with("; SameSite=Strict; Secure"));
}

#[test]
fn who_signs_in_may_do_what_their_key_may_and_nothing_else() {
    if !needs_browser() {
        return;
    }
    let server = Server::start();
    server.create(python("echo", ECHO));
    let (id, secret) = key(server.data_dir(), "read-only");
    let (admin_id, admin_secret) = key(server.data_dir(), "admin");
    eventually("the server asks for a key", || {
        (server.http("GET", "/2015-03-31/functions/", b"").status == 403).then_some(())
    });
    let seen = run_browser(&server, "sign_in.js", &[&id, &secret, &admin_id, &admin_secret, "echo"]).json();
    assert_eq!(seen["askedAt"], "/_hearth/console/login");
    assert_eq!(seen["barriers"], json!([]));
    assert_eq!(seen["wrong"], "There is no such key, or its secret is another.");
    assert_eq!(seen["backAt"], "/_hearth/console/functions/echo");
    assert_eq!(seen["owner"], "read-only");
    assert_eq!(seen["cookie"], json!({ "httpOnly": true, "sameSite": "Strict", "path": "/_hearth/console" }));
    for (form, action) in [("invoke", "lambda:InvokeFunction"), ("delete", "lambda:DeleteFunction")] {
        let said = seen[form].as_str().unwrap();
        assert!(said.starts_with("Your key may not see or do this.") && said.contains(action), "{said}");
    }
    assert_eq!(seen["afterLeaving"], "/_hearth/console/login");
    assert!(seen["left"].as_str().unwrap().contains("There is no function yet."), "{seen:#}");
}
