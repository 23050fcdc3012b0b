//! AWS's Lambda Web Adapter, unmodified: an extension that asks for the runtime's events, too, and passes them on to an
//! ordinary web server.

use std::net::TcpListener;

use hearth_tests::{NewFunction, Package, Server, lines_of, web_adapter};
use serde_json::json;

/// A web server that knows nothing of Lambda. It is what a function has as `bootstrap`.
const WEB_SERVER: &str = r#"#!/usr/bin/env python3
import http.server, json, os
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        text = json.dumps({"method": self.command, "path": self.path, "body": body, "pid": os.getpid()})
        self.send_response(200 if "missing" not in self.path else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
    do_GET = do_POST = answer
    def log_message(self, format, *arguments): print("web:", format % arguments, flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["AWS_LWA_PORT"])), Handler).serve_forever()
"#;

/// A port that nobody has now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What an HTTP API or a function URL sends.
fn http_event(method: &str, path: &str, body: &str) -> String {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "a=1",
        "headers": { "host": "example.org", "content-type": "text/plain" },
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "api",
            "domainName": "example.org",
            "domainPrefix": "api",
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "test" },
            "requestId": "id",
            "routeKey": "$default",
            "stage": "$default",
            "time": "25/Nov/2026:11:00:00 +0000",
            "timeEpoch": 1_795_600_800_000_u64,
        },
        "body": body,
        "isBase64Encoded": false,
    })
    .to_string()
}

/// What the adapter's own layer has as wrapper, in our words: start what the handler names instead of the runtime.
const WRAPPER: &str = "#!/bin/bash\nexec -- \"$LAMBDA_TASK_ROOT/$_HANDLER\"\n";

/// Calls the web server of a function and checks what comes back.
fn check(server: &Server, new: NewFunction) {
    let adapter =
        Package::new().program("extensions/lambda-adapter", web_adapter()).program("bootstrap", WRAPPER);
    let layer = server.publish_layer("adapter", &adapter);
    let variables = json!({
        "AWS_LWA_PORT": free_port().to_string(),
        "AWS_LWA_READINESS_CHECK_PATH": "/ready",
        "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap",
    });
    let new = new.with("Layers", json!([layer])).with("Environment", json!({ "Variables": variables }));
    let function = server.create(new.timeout(20));

    let page = function.invoke(http_event("POST", "/page", "text")).success();
    assert_eq!(page["statusCode"], 200, "{page:#}");
    let seen: serde_json::Value = serde_json::from_str(page["body"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&seen["method"], &seen["path"], &seen["body"]),
        (&json!("POST"), &json!("/page?a=1"), &json!("text"))
    );
    function.wait_until_all_are_ready();
    let missing = function.invoke(http_event("GET", "/missing", "")).success();
    assert_eq!(missing["statusCode"], 404, "{missing:#}");
    // Any other event is posted to `/events`, and the answer is the function's.
    function.wait_until_all_are_ready();
    let other = function.invoke(r#"{"any": "event"}"#).success();
    assert_eq!(
        (&other["method"], &other["path"], &other["pid"]),
        (&json!("POST"), &json!("/events"), &seen["pid"])
    );

    let events = function.logs_with_reports(3);
    assert_eq!(
        lines_of(&events, "EXTENSION"),
        ["EXTENSION\tName: lambda-adapter\tState: Ready\tEvents: []\n"]
    );
    assert_eq!(lines_of(&events, "web: \"GET /ready HTTP/1.1\" 200").len(), 1, "{events:#?}");
}

#[test]
fn the_lambda_web_adapter_serves_a_web_server_that_is_the_functions_bootstrap() {
    let server = Server::start();
    let package = Package::new().program("bootstrap", WEB_SERVER);
    check(&server, NewFunction::new("web", "provided.al2023", "main", package));
}

#[test]
fn the_lambda_web_adapter_serves_a_web_server_that_its_wrapper_starts_instead_of_a_runtime() {
    let server = Server::start();
    let package = Package::new().program("run.py", WEB_SERVER);
    check(&server, NewFunction::new("web", "python3.11", "run.py", package));
}
