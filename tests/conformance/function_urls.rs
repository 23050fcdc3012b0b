//! Function URLs: made with boto3, reached by host name and by path, with events and responses of payload format 2.0.

use std::io::Read as _;

use expect_test::expect;
use hearth_tests::{
    Call, Function, Gate, Server, Settings, Streamed, begin_http, eventually, hearth_with, needs_node, node,
    python, run_python, run_python_with_key, streaming_bootstrap,
};
use serde_json::{Value, json};

/// Answers what the body, or the query, asks for; or the event.
const SOURCE: &str = "
import json, time
def handler(event, context):
    asked = json.loads(event['body']) if event.get('body') and not event['isBase64Encoded'] else None
    if asked is None:
        return {'event': event, 'arn': context.invoked_function_arn}
    if asked == 'raise':
        raise ValueError('no')
    if asked == 'sleep':
        time.sleep(60)
    return asked
";

/// The URL of a function.
struct Url<'server> {
    server: &'server Server,
    host: String,
    id: String,
}

/// Gives a function a URL.
fn url<'server>(function: &Function<'server>, config: &Value) -> Url<'server> {
    let server = function.server();
    let path = format!("/2021-10-31/functions/{}/url", function.name());
    let answer = server.http("POST", &path, config.to_string().as_bytes());
    assert_eq!(answer.status, 201, "{}", answer.text());
    let shown = answer.json();
    let host = shown["FunctionUrl"].as_str().unwrap().strip_prefix("http://").unwrap().trim_end_matches('/');
    let id = host.split('.').next().unwrap().to_owned();
    Url { server, host: host.to_owned(), id }
}

impl Url<'_> {
    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Streamed {
        begin_http(self.server.address(), &self.host, method, path, headers, body)
    }

    /// Posts JSON and returns the whole answer: status, headers that matter, body.
    fn post(&self, body: &Value) -> String {
        let mut answer =
            self.send("POST", "/", &[("Content-Type", "application/json")], body.to_string().as_bytes());
        let text = answer.text();
        let header = |name: &str| answer.header(name).unwrap_or("-").to_owned();
        format!("{} {} {text}", answer.status, header("content-type"))
    }
}

#[test]
fn boto3_drives_the_life_of_urls() {
    let server = Server::start();
    server.create(python("urls", SOURCE));
    let seen = run_python(&server, "function_urls.py", &[]).json();
    expect![[r#"
        {
          "a function that is not there": "404 ResourceNotFoundException: Function does not exist",
          "a long age": "400 ValidationException: 1 validation error detected: Value '86401' at 'cors.maxAge' failed to satisfy constraint: Member must have value less than or equal to 86400",
          "a version": "400 ValidationException: 1 validation error detected: Value '1' at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: ((?!^\\d+$)^[0-9a-z",
          "a wrong auth type": "400 ValidationException: 1 validation error detected: Value 'ALL' at 'authType' failed to satisfy constraint: Member must satisfy enum value set: [NONE, AWS_IAM]",
          "a wrong method": "400 ValidationException: 1 validation error detected: Value '[FETCHALL]' at 'cors.allowMethods' failed to satisfy constraint: Member must satisfy constraint: [Member must have",
          "a wrong mode": "400 ValidationException: 1 validation error detected: Value 'SLOW' at 'invokeMode' failed to satisfy constraint: Member must satisfy enum value set: [RESPONSE_STREAM, BUFFERED",
          "another one": true,
          "cleared": false,
          "created": {
            "AuthType": "NONE",
            "CreationTime": "<time>",
            "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:urls",
            "FunctionUrl": "http://<id>.lambda-url.us-east-1.localhost:<port>/"
          },
          "deleted": "404 ResourceNotFoundException: The resource you requested does not exist.",
          "gone with its alias": "404 ResourceNotFoundException: The resource you requested does not exist.",
          "its mode": "RESPONSE_STREAM",
          "last page": false,
          "listed": [
            "arn:aws:lambda:us-east-1:000000000000:function:urls",
            "arn:aws:lambda:us-east-1:000000000000:function:urls:live"
          ],
          "none yet": "404 ResourceNotFoundException: The resource you requested does not exist.",
          "of an alias": {
            "AuthType": "AWS_IAM",
            "Cors": {
              "AllowCredentials": true,
              "AllowHeaders": [
                "x-a"
              ],
              "AllowMethods": [
                "GET",
                "POST"
              ],
              "AllowOrigins": [
                "https://example.org"
              ],
              "ExposeHeaders": [
                "x-b"
              ],
              "MaxAge": 60
            },
            "CreationTime": "<time>",
            "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:urls:live",
            "FunctionUrl": "http://<id>.lambda-url.us-east-1.localhost:<port>/",
            "InvokeMode": "RESPONSE_STREAM"
          },
          "of an alias that is not there": "404 ResourceNotFoundException: Function does not exist",
          "paged": [
            "arn:aws:lambda:us-east-1:000000000000:function:urls",
            "arn:aws:lambda:us-east-1:000000000000:function:urls:live"
          ],
          "shown": {
            "AuthType": "NONE",
            "CreationTime": "<time>",
            "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:urls",
            "FunctionUrl": "http://<id>.lambda-url.us-east-1.localhost:<port>/",
            "InvokeMode": "BUFFERED",
            "LastModifiedTime": "<time>"
          },
          "the latest version": "400 ValidationException: 1 validation error detected: Value '$LATEST' at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: ((?!^\\d+$)^[",
          "twice": "409 ResourceConflictException: Failed to create function url config for [functionArn = arn:aws:lambda:us-east-1:000000000000:function:urls]. Error message:  FunctionUrlConfig exists",
          "updated": {
            "AuthType": "NONE",
            "Cors": {
              "AllowCredentials": true,
              "AllowHeaders": [
                "x-a"
              ],
              "AllowMethods": [
                "GET",
                "POST"
              ],
              "AllowOrigins": [
                "https://example.org"
              ],
              "ExposeHeaders": [
                "x-b"
              ],
              "MaxAge": 60
            },
            "CreationTime": "<time>",
            "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:urls",
            "FunctionUrl": "http://<id>.lambda-url.us-east-1.localhost:<port>/",
            "LastModifiedTime": "<time>"
          }
        }
    "#]].assert_eq(&format!("{seen:#}\n"));
}

#[test]
fn a_url_is_reached_by_its_host_and_by_a_path() {
    let server = Server::start();
    let function = server.create(python("reached", SOURCE));
    let url = url(&function, &json!({ "AuthType": "NONE" }));
    let headers = [("X-Twice", "1"), ("X-Twice", "2"), ("Cookie", "a=1; b=2"), ("User-Agent", "tester")];
    let mut answer = url.send("GET", "/p%20/a?k=1&k=2&e", &headers, b"");
    let mut by_host: Value = serde_json::from_str(&answer.text()).unwrap();
    assert!(answer.header("x-amzn-requestid").is_some() && answer.header("x-amzn-trace-id").is_some());
    let path = format!("/_hearth/url/{}/p%20/a?k=1&k=2&e", url.id);
    let address = server.address().to_string();
    let mut answer = begin_http(server.address(), &address, "GET", &path, &headers, b"");
    let mut by_path: Value = serde_json::from_str(&answer.text()).unwrap();
    assert_eq!(by_path["event"]["headers"]["host"], address);
    for seen in [&mut by_host, &mut by_path] {
        let event = &mut seen["event"];
        for (member, length) in [("requestId", 36), ("time", 26)] {
            assert_eq!(event["requestContext"][member].as_str().unwrap().len(), length);
            event["requestContext"][member] = json!("<>");
        }
        assert!(event["requestContext"]["timeEpoch"].as_i64().unwrap() > 1_700_000_000_000);
        event["requestContext"]["timeEpoch"] = json!("<>");
        for header in ["host", "x-amzn-trace-id", "x-forwarded-port"] {
            assert!(event["headers"][header].is_string());
            event["headers"][header] = json!("<>");
        }
    }
    assert_eq!(by_host, by_path);
    let shown = format!("{by_host:#}\n").replace(&url.id, "<id>");
    expect![[r#"
        {
          "arn": "arn:aws:lambda:us-east-1:000000000000:function:reached",
          "event": {
            "cookies": [
              "a=1",
              "b=2"
            ],
            "headers": {
              "content-length": "0",
              "host": "<>",
              "user-agent": "tester",
              "x-amzn-trace-id": "<>",
              "x-forwarded-for": "127.0.0.1",
              "x-forwarded-port": "<>",
              "x-forwarded-proto": "http",
              "x-twice": "1,2"
            },
            "isBase64Encoded": false,
            "queryStringParameters": {
              "e": "",
              "k": "1,2"
            },
            "rawPath": "/p%20/a",
            "rawQueryString": "k=1&k=2&e",
            "requestContext": {
              "accountId": "anonymous",
              "apiId": "<id>",
              "domainName": "<id>.lambda-url.us-east-1.localhost",
              "domainPrefix": "<id>",
              "http": {
                "method": "GET",
                "path": "/p%20/a",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "tester"
              },
              "requestId": "<>",
              "routeKey": "$default",
              "stage": "$default",
              "time": "<>",
              "timeEpoch": "<>"
            },
            "routeKey": "$default",
            "version": "2.0"
          }
        }
    "#]]
    .assert_eq(&shown);
    // Nothing but the function is behind its host.
    let mut answer = url.send("GET", "/2015-03-31/functions", &[], b"");
    assert_eq!(
        serde_json::from_str::<Value>(&answer.text()).unwrap()["event"]["rawPath"],
        "/2015-03-31/functions"
    );
}

#[test]
fn responses_are_those_of_payload_format_2() {
    let server = Server::start();
    let function = server.create(python("answers", SOURCE).timeout(1));
    let url = url(&function, &json!({ "AuthType": "NONE" }));
    let mut seen = String::new();
    for asked in [
        json!({ "statusCode": 404, "headers": { "Content-Type": "text/plain" }, "body": "gone" }),
        json!({ "statusCode": 200, "body": "aGk=", "isBase64Encoded": true }),
        json!({ "any": "thing" }),
        json!("a text"),
        json!(7),
        json!({ "statusCode": "200" }),
        json!({ "statusCode": 200, "headers": { "a": "b\r\nc: d" } }),
        json!("raise"),
        json!("sleep"),
    ] {
        seen.push_str(&format!("{asked}: {}\n", url.post(&asked)));
        function.wait_until_all_are_ready();
    }
    expect![[r#"
        {"body":"gone","headers":{"Content-Type":"text/plain"},"statusCode":404}: 404 text/plain gone
        {"body":"aGk=","isBase64Encoded":true,"statusCode":200}: 200 application/json hi
        {"any":"thing"}: 200 application/json {"any": "thing"}
        "a text": 200 application/json a text
        7: 200 application/json 7
        {"statusCode":"200"}: 502 text/plain Internal Server Error
        {"headers":{"a":"b\r\nc: d"},"statusCode":200}: 502 text/plain Internal Server Error
        "raise": 502 text/plain Internal Server Error
        "sleep": 504 text/plain Gateway Timeout
    "#]]
    .assert_eq(&seen);
    let asked =
        json!({ "statusCode": 200, "cookies": ["a=1; Secure", "b=2"], "headers": { "Connection": "x" } });
    let json = [("Content-Type", "application/json")];
    let answer = url.send("POST", "/", &json, asked.to_string().as_bytes());
    let cookies: Vec<&str> = answer
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(cookies, ["a=1; Secure", "b=2"]);
    assert_eq!(answer.header("x-amzn-remapped-connection"), Some("x"));
}

#[test]
fn bytes_come_and_go_as_base64_and_six_megabytes_are_the_limit() {
    let server = Server::start();
    let source = "
import base64
def handler(event, context):
    body = base64.b64decode(event['body']) if event['isBase64Encoded'] else event['body'].encode()
    if len(body) > 1000:
        return len(body)
    return {'statusCode': 200, 'headers': {'content-type': 'image/png'}, 'isBase64Encoded': True,
            'body': base64.b64encode(body[::-1]).decode()}
";
    let function = server.create(python("bytes", source));
    let url = url(&function, &json!({ "AuthType": "NONE" }));
    let mut answer = url.send("PUT", "/", &[("Content-Type", "application/octet-stream")], b"\x00\xff\x01");
    let mut bytes = Vec::new();
    answer.read_to_end(&mut bytes).unwrap();
    assert_eq!((answer.header("content-type"), &bytes[..]), (Some("image/png"), &b"\x01\xff\x00"[..]));
    let text = [("Content-Type", "text/plain")];
    let mut answer = url.send("POST", "/", &text, &vec![b'x'; 6_291_456]);
    assert_eq!((answer.status, answer.text().as_str()), (200, "6291456"));
    let answer = url.send("POST", "/", &text, &vec![b'x'; 6_291_457]);
    assert_eq!(
        (answer.status, answer.header("x-amzn-errortype")),
        (413, Some("RequestEntityTooLargeException"))
    );
}

#[test]
fn cors_is_answered_by_the_service_and_overrides_the_function() {
    let server = Server::start();
    let function = server.create(python("cors", SOURCE));
    let cors = json!({ "AllowOrigins": ["https://a.example"], "AllowMethods": ["GET"], "MaxAge": 9 });
    let url = url(&function, &json!({ "AuthType": "NONE", "Cors": cors }));
    let allowed = [("Origin", "https://a.example"), ("Access-Control-Request-Method", "GET")];
    let mut answer = url.send("OPTIONS", "/x", &allowed, b"");
    assert_eq!((answer.status, answer.text().as_str()), (200, ""));
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://a.example"));
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET"));
    assert_eq!(answer.header("access-control-max-age"), Some("9"));
    assert!(function.environments().is_empty(), "the function was not asked");
    let answer = url.send("OPTIONS", "/x", &[("Origin", "https://evil.example")], b"");
    assert_eq!(answer.header("access-control-allow-origin"), None);
    let asked = json!({ "statusCode": 200, "headers": { "Access-Control-Allow-Origin": "https://other" } });
    let headers = [("Origin", "https://a.example"), ("Content-Type", "application/json")];
    let answer = url.send("POST", "/", &headers, asked.to_string().as_bytes());
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://a.example"));
    // Without a configuration it is the function's to answer.
    let function = server.create(python("no-cors", SOURCE));
    let url = self::url(&function, &json!({ "AuthType": "NONE" }));
    let mut answer = url.send("OPTIONS", "/", &allowed, b"");
    let event: Value = serde_json::from_str(&answer.text()).unwrap();
    assert_eq!(event["event"]["requestContext"]["http"]["method"], "OPTIONS");
}

#[test]
fn a_url_stays_over_a_restart_and_goes_with_its_function() {
    let server = Server::start();
    let function = server.create(python("kept", SOURCE));
    server.http("POST", "/2015-03-31/functions/kept/versions", b"{}");
    let alias = json!({ "Name": "live", "FunctionVersion": "1" }).to_string();
    server.http("POST", "/2015-03-31/functions/kept/aliases", alias.as_bytes());
    let answer =
        server.http("POST", "/2021-10-31/functions/kept/url?Qualifier=live", b"{\"AuthType\": \"NONE\"}");
    assert_eq!(answer.status, 201, "{}", answer.text());
    let id = answer.json()["FunctionUrl"].as_str().unwrap()["http://".len()..]
        .split('.')
        .next()
        .unwrap()
        .to_owned();
    let path = format!("/_hearth/url/{id}");
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:kept:live";
    assert_eq!(server.http("GET", &path, b"").json()["arn"], arn);
    // Another change of the function keeps it.
    function.update_configuration(&json!({ "Description": "changed" }));
    let folder = server.data_dir().clone();
    server.kill();
    let server = Settings::new().data_dir(&folder).start();
    assert_eq!(server.http("GET", &path, b"").json()["arn"], arn);
    server.function("kept").delete();
    let gone = server.http("GET", &path, b"");
    assert_eq!((gone.status, gone.text().as_str()), (404, "{\"Message\":null}"));
    let function = server.create(python("kept", SOURCE));
    assert_eq!(server.http("GET", &path, b"").status, 404);
    assert_eq!(server.http("GET", "/2021-10-31/functions/kept/url", b"").status, 404);
    let answer = function.call(&Call { payload: b"{}", ..Call::default() });
    assert_eq!(answer.status(), 200);
}

#[test]
fn a_url_for_signed_requests_refuses_everybody_while_no_keys_are_known() {
    let server = Server::start();
    let function = server.create(python("signed", SOURCE));
    let url = url(&function, &json!({ "AuthType": "AWS_IAM" }));
    let mut answer = url.send("GET", "/", &[], b"");
    assert_eq!((answer.status, answer.text().as_str()), (403, "{\"Message\":\"Forbidden\"}"));
    assert_eq!(answer.header("x-amzn-errortype"), Some("AccessDeniedException"));
    assert!(function.environments().is_empty());
}

/// Makes a key, and waits until the server asks for one. Returns its id and its secret.
fn add_key(server: &Server, policy: &str) -> [String; 2] {
    let data_dir = server.data_dir().path().to_str().unwrap();
    let arguments = ["credentials", "add", policy, "--policy", policy, "--data-dir", data_dir];
    let added = hearth_with(&[], &[&arguments[..], &["--output", "json"]].concat()).json();
    eventually("the server asks for a key", || {
        (server.http("GET", "/2015-03-31/functions/", b"").status == 403).then_some(())
    });
    ["AccessKeyId", "SecretAccessKey"].map(|member| added[member].as_str().unwrap().to_owned())
}

#[test]
fn from_the_first_key_on_urls_ask_for_a_signature_or_for_a_policy() {
    let server = Server::start();
    let function = server.create(python("signed", SOURCE));
    let signed = url(&function, &json!({ "AuthType": "AWS_IAM" }));
    let function = server.create(python("open", SOURCE));
    let open = url(&function, &json!({ "AuthType": "NONE" }));
    assert_eq!(open.send("GET", "/", &[], b"").status, 200);
    let [id, secret] = add_key(&server, "admin");
    let [reader, readers_secret] = add_key(&server, "read-only");
    let [caller, callers_secret] = add_key(&server, "invoke-only");
    let keys = [&id, &secret, &reader, &readers_secret, &caller, &callers_secret].map(String::as_str);
    let arguments = [&[&*signed.host, &*signed.id, &*open.host][..], &keys[..]].concat();
    let seen = run_python_with_key(&server, (&id, &secret), "signed_urls.py", &arguments).json();
    expect![[r#"
        {
          "by an unknown key": [
            403,
            "Forbidden"
          ],
          "by its path": [
            200,
            "000000000000"
          ],
          "by who may only call": [
            200,
            "000000000000"
          ],
          "by who may only look": [
            403,
            "Forbidden"
          ],
          "for another service": [
            403,
            "Forbidden"
          ],
          "for everybody": [
            200,
            "anonymous"
          ],
          "for everybody, with a policy for somebody": [
            403,
            "Forbidden"
          ],
          "for everybody, without a policy": [
            403,
            "Forbidden"
          ],
          "for nobody again": [
            403,
            "Forbidden"
          ],
          "of an alias, with its own policy": [
            200,
            "anonymous"
          ],
          "of an alias, with the function's policy": [
            403,
            "Forbidden"
          ],
          "signed": [
            200,
            "000000000000",
            [
              "accessKey",
              "accountId",
              "callerId",
              "cognitoIdentity",
              "principalOrgId",
              "userArn",
              "userId"
            ],
            "arn:aws:iam::000000000000:user/admin"
          ],
          "unsigned": [
            403,
            "Forbidden"
          ],
          "with a wrong secret": [
            403,
            "Forbidden"
          ],
          "with another body": [
            403,
            "Forbidden"
          ]
        }
    "#]]
    .assert_eq(&format!("{seen:#}\n"));
}

#[test]
fn a_url_streams_the_first_byte_before_the_last_is_produced() {
    let server = Server::start();
    let function = server.create(streaming_bootstrap("stream").timeout(2));
    let url = url(&function, &json!({ "AuthType": "NONE", "InvokeMode": "RESPONSE_STREAM" }));
    let call = |event: &Value| {
        url.send("POST", "/", &[("Content-Type", "application/json")], event.to_string().as_bytes())
    };
    let gate = Gate::new();
    let prelude = json!({ "statusCode": 201, "headers": { "X-A": "b" }, "cookies": ["c=d"] });
    let with_prelude = json!({
        "type": "application/vnd.awslambda.http-integration-response",
        "steps": [["say", prelude.to_string()], ["zeros", 8], ["say", "first"], ["wait", gate.number()], ["say", "last"]],
    });
    let mut answer = call(&with_prelude);
    assert_eq!(
        (answer.status, answer.header("x-a"), answer.header("set-cookie")),
        (201, Some("b"), Some("c=d"))
    );
    assert_eq!(answer.text_of(5), "first");
    gate.wait_for(1);
    gate.open();
    assert_eq!(answer.text(), "last");
    let mut answer = call(&json!({ "steps": [["say", "as it is"]], "type": "text/plain" }));
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/plain")));
    assert_eq!(answer.text(), "as it is");

    // What breaks off never looks whole.
    for broken in
        [json!(["exit", 1]), json!(["break"]), json!(["fail", "Function.X", {}]), json!(["sleep", 60])]
    {
        let gate = Gate::new();
        let mut answer = call(&json!({ "steps": [["say", "half"], ["wait", gate.number()], broken] }));
        assert_eq!((answer.status, answer.text_of(4).as_str()), (200, "half"));
        gate.wait_for(1);
        gate.open();
        let cut_off = answer.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(cut_off.kind(), std::io::ErrorKind::UnexpectedEof, "{broken}");
        function.wait_until_all_are_ready();
    }
    // Before the head there is still a status to tell it with.
    for (event, status) in [
        (json!({ "error": {} }), 502),
        (json!({ "steps": [["exit", 1]], "type": with_prelude["type"] }), 502),
        (json!({ "steps": [["say", "{}"]], "type": with_prelude["type"] }), 502),
        (json!({ "steps": [["say", "[]"], ["zeros", 8]], "type": with_prelude["type"] }), 502),
        (json!({ "steps": [["sleep", 60]], "type": with_prelude["type"] }), 504),
    ] {
        assert_eq!(call(&event).status, status, "{event}");
        function.wait_until_all_are_ready();
    }
    // A URL that does not stream collects what the function streams.
    let buffered = "/2021-10-31/functions/stream/url";
    let answer = server.http("PUT", buffered, b"{\"InvokeMode\": \"BUFFERED\"}");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut answer = call(&with_prelude);
    assert_eq!((answer.status, answer.text().as_str()), (201, "firstlast"));
    assert_eq!(answer.header("content-length"), Some("9"));
    assert_eq!(call(&json!({ "steps": [["say", "half"], ["fail", "Function.X", {}]] })).status, 502);
    assert_eq!(call(&json!({ "steps": [["flood", 7]] })).status, 502);
}

#[test]
fn a_node_function_streams_a_page_with_status_and_headers() {
    if !needs_node() {
        return;
    }
    let server = Server::start();
    let source = "
export const handler = awslambda.streamifyResponse(async (event, stream) => {
  stream = awslambda.HttpResponseStream.from(stream, { statusCode: 203, headers: { 'Content-Type': 'text/html' } });
  for (let part = 0; part < 3; part++) stream.write(`<p>${event.rawPath} ${part}</p>`);
  stream.end();
});
";
    let function = server.create(node("page", source));
    let url = url(&function, &json!({ "AuthType": "NONE", "InvokeMode": "RESPONSE_STREAM" }));
    let mut answer = url.send("GET", "/x", &[], b"");
    assert_eq!((answer.status, answer.header("content-type")), (203, Some("text/html")));
    assert_eq!(answer.text(), "<p>/x 0</p><p>/x 1</p><p>/x 2</p>");
}
