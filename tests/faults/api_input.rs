//! Wrong input to the Lambda API: a clear answer in AWS's shape, and nothing stored. Whole tables of it, text by text,
//! stand in `crates/lambda-api/tests/wrong_inputs`; here are the cases as a client of a real server sees them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use hearth_tests::{
    Answer, Call, Folder, Function, NewFunction, Package, Response, Server, Settings, bootstrap, encode,
    eventually, http, python, rounds,
};
use serde_json::{Value, json};

const FUNCTIONS: &str = "/2015-03-31/functions";
const HELLO: &str = "def handler(event, context): return 'hello'\n";

/// A refusal has everything that clients look at: type, request id, JSON with a text. Returns its type and text.
fn refused(what: &str, response: &Response) -> (String, String) {
    assert!((400..500).contains(&response.status), "{what}: {} {}", response.status, response.text());
    assert_eq!(response.header("content-type"), Some("application/json"), "{what}");
    let id = response.header("x-amzn-requestid").unwrap_or_else(|| panic!("{what}: no request id"));
    assert_eq!(id.len(), 36, "{what}: {id}");
    let (kind, status, message) = Answer(response.clone()).exception();
    assert!(!kind.is_empty() && !message.is_empty(), "{what}: {status} {}", response.text());
    (kind, message)
}

/// A server with one function, `plain`, that goes on whatever a test does.
fn with_plain_function(test: impl FnOnce(&Server, &Function<'_>)) {
    let server = Server::start();
    let plain = server.create(python("plain", HELLO));
    let before = plain.configuration();
    test(&server, &plain);
    assert_eq!(plain.invoke("{}").success(), "hello", "a plain call still works");
    assert_eq!(plain.configuration(), before, "nothing changed");
    assert_eq!(names(&server), ["plain"], "nothing was made");
}

/// The names of all functions of a server that has less than a page of them.
fn names(server: &Server) -> Vec<String> {
    let list = server.http("GET", FUNCTIONS, b"").json();
    let functions = list["Functions"].as_array().unwrap().iter();
    functions.map(|function| function["FunctionName"].as_str().unwrap().to_owned()).collect()
}

fn create(server: &Server, change: Value) -> Response {
    let mut body = python("new", HELLO).body();
    for (member, value) in change.as_object().unwrap() {
        body[member] = value.clone();
    }
    server.http("POST", FUNCTIONS, body.to_string().as_bytes())
}

#[test]
fn case_001_002_requests_that_are_none_are_refused() {
    with_plain_function(|server, _| {
        for (method, path, body, expected) in [
            ("POST", FUNCTIONS, &b"xyz"[..], (400, "SerializationException")),
            ("POST", FUNCTIONS, b"\xff\x00", (400, "SerializationException")),
            ("POST", FUNCTIONS, b"{\"MemorySize\": \"big\"}", (400, "SerializationException")),
            ("POST", FUNCTIONS, b"", (400, "SerializationException")),
            ("POST", FUNCTIONS, b"{}", (400, "ValidationException")),
            (
                "PUT",
                "/2015-03-31/functions/plain/configuration",
                b"{\"Timeout\": NaN}",
                (400, "SerializationException"),
            ),
            ("PUT", "/2015-03-31/functions/plain/code", b"[]", (400, "SerializationException")),
            (
                "POST",
                "/2015-03-31/functions/plain/invocations",
                b"xyz",
                (400, "InvalidRequestContentException"),
            ),
            ("GET", "/nowhere", b"", (404, "UnknownOperationException")),
            ("POST", "/2015-03-31/functions/plain/unknown", b"{}", (404, "UnknownOperationException")),
            ("POST", "/", b"", (404, "UnknownOperationException")),
            ("PATCH", "/2015-03-31/functions/plain", b"", (405, "MethodNotAllowedException")),
            ("GET", "/2015-03-31/functions/plain/invocations", b"", (405, "MethodNotAllowedException")),
        ] {
            let response = server.http(method, path, body);
            let (kind, _) = refused(path, &response);
            assert_eq!((response.status, kind.as_str()), expected, "{method} {path}");
        }
    });
}

#[test]
fn case_003_004_005_006_007_functions_with_wrong_members_are_not_made() {
    with_plain_function(|server, _| {
        let variables = |name: &str, value: &str| json!({ "Environment": { "Variables": { name: value } } });
        let (invalid, validation) = ("InvalidParameterValueException", "ValidationException");
        let too_long = "Value 'xxxxx";
        let unable = "Lambda was unable to configure your environment variables because";
        for (change, kind, part) in [
            (json!({ "FunctionName": "x".repeat(65) }), invalid, too_long),
            (json!({ "FunctionName": "x".repeat(141) }), validation, too_long),
            (json!({ "FunctionName": "a b" }), validation, "'functionName'"),
            (json!({ "FunctionName": "a/b" }), validation, "'functionName'"),
            (json!({ "FunctionName": "ä" }), validation, "'functionName'"),
            (json!({ "FunctionName": "" }), validation, "'functionName'"),
            (json!({ "Runtime": "python9.9" }), invalid, "Value python9.9 at 'runtime' failed"),
            (json!({ "Runtime": "PYTHON3.9" }), invalid, "Value PYTHON3.9 at 'runtime' failed"),
            (json!({ "Runtime": "python3.7" }), invalid, "python3.7 is no longer supported"),
            (json!({ "MemorySize": -1 }), validation, "'memorySize'"),
            (json!({ "MemorySize": 0 }), validation, "'memorySize'"),
            (json!({ "MemorySize": 127 }), validation, "greater than or equal to 128"),
            (json!({ "MemorySize": 10_241 }), validation, "less than or equal to 10240"),
            (json!({ "MemorySize": 9_223_372_036_854_775_808_u64 }), validation, "'memorySize'"),
            (json!({ "Timeout": 0 }), validation, "'timeout'"),
            (json!({ "Timeout": 901 }), validation, "less than or equal to 900"),
            (json!({ "EphemeralStorage": { "Size": 511 } }), validation, "'ephemeralStorage.size'"),
            (json!({ "EphemeralStorage": { "Size": 10_241 } }), validation, "less than or equal to 10240"),
            (variables("KEY", &"x".repeat(4_087)), invalid, unable),
            (variables("AWS_REGION", "moon"), invalid, unable),
            (variables("AB", "a\0b"), invalid, unable),
            (variables("_HANDLER", "x"), validation, "Value at 'environment.variables'"),
            (variables("A=B", "x"), validation, "Map keys must satisfy constraint"),
        ] {
            let what = change.to_string();
            let (seen, message) = refused(&what, &create(server, change));
            assert!(seen == kind && message.contains(part), "{what}: {seen}: {message}");
        }
    });
}

#[test]
fn case_008_the_values_of_variables_reach_the_function_byte_for_byte() {
    let values = [
        "two\nlines\r\n",
        "a=b=c",
        "'\"`",
        "🔥 ü 日本",
        "$(id) `id` ${HOME} $HOME",
        "trailing  \t ",
        " leading",
        "\\n\\",
        "%s %n",
        "*?[a-z]~",
        ";|&<>(){}!#",
        "\u{1b}[31mred\u{1b}[0m",
        "\u{1}\u{7f}",
        "",
        "--flag",
        "\u{10ffff}",
    ];
    let variables: serde_json::Map<String, Value> = values
        .iter()
        .enumerate()
        .map(|(number, value)| (format!("VALUE_{number}"), Value::from(*value)))
        .collect();
    let source = "import os\ndef handler(event, context):\n    \
                  return [os.environb[b'VALUE_%d' % number].hex() for number in range(event)]\n";
    let server = Server::start();
    let environment = json!({ "Variables": variables });
    let function = server.create(python("variables", source).with("Environment", environment.clone()));
    let expected: Vec<String> = values
        .iter()
        .map(|value| value.bytes().map(|byte| format!("{byte:02x}")).collect::<String>())
        .collect();
    assert_eq!(function.invoke(values.len().to_string()).success(), json!(expected));
    let shown = &function.configuration()["Environment"]["Variables"];
    assert_eq!(shown, &environment["Variables"], "and are shown as they were given");
}

#[test]
fn case_009_a_handler_that_is_a_path_reads_nothing_outside() {
    let outside = Folder::new();
    let witness = outside.path().join("witness");
    let stolen = format!("open({witness:?}, 'w').close()\ndef x(event, context): return 'stolen'\n");
    let file = outside.write("outside.py", stolen);
    with_plain_function(|server, _| {
        for handler in ["x".repeat(129), "a b.c".to_owned(), "a.b\n".to_owned(), "\t".to_owned()] {
            let (kind, message) = refused(&handler, &create(server, json!({ "Handler": handler })));
            assert!(kind == "ValidationException" && message.contains("at 'handler'"), "{kind}: {message}");
        }
        let absolute = file.with_extension("");
        let handlers = [
            "../../etc/passwd.x".to_owned(),
            "/etc/passwd.x".to_owned(),
            format!("{}.x", absolute.display()),
            format!("{}{}.x", "../".repeat(20), absolute.display()),
        ];
        for handler in handlers.iter().filter(|handler| handler.len() <= 128) {
            let function = server.create(python("outside", HELLO).with("Handler", handler.as_str()));
            let error = function.invoke("{}").function_error();
            // As with AWS's own client: slashes become dots, and a name that begins with one is a relative import, which
            // Python refuses before it looks for anything.
            let refused = error.contains("Runtime.ImportModuleError") || error.contains("\"TypeError\"");
            assert!(refused, "{handler}: {error}");
            assert!(!error.contains("root:"), "{handler}: {error}");
            function.delete();
        }
        assert!(!witness.exists(), "no file outside was run");
    });
}

#[test]
fn case_010_011_012_functions_that_are_there_already_missing_or_elsewhere() {
    with_plain_function(|server, plain| {
        let (kind, message) = refused("a taken name", &create(server, json!({ "FunctionName": "plain" })));
        assert_eq!((&*kind, &*message), ("ResourceConflictException", "Function already exist: plain"));

        let zip = json!({ "ZipFile": python("g", HELLO).body()["Code"]["ZipFile"] }).to_string();
        let (timeout, nothing) = (json!({ "Timeout": 9 }).to_string(), String::new());
        let arn = |region: &str, account: &str, name: &str| {
            format!("arn:aws:lambda:{region}:{account}:function:{name}")
        };
        let missing = arn("us-east-1", "000000000000", "gone");
        for (method, end, body) in [
            ("GET", "", &nothing),
            ("GET", "/configuration", &nothing),
            ("PUT", "/configuration", &timeout),
            ("PUT", "/code", &zip),
            ("POST", "/invocations", &nothing),
            ("DELETE", "", &nothing),
        ] {
            for (reference, expected) in [
                ("gone".to_owned(), ("ResourceNotFoundException", format!("Function not found: {missing}"))),
                (missing.clone(), ("ResourceNotFoundException", format!("Function not found: {missing}"))),
                (
                    arn("eu-west-1", "000000000000", "plain"),
                    (
                        "ResourceNotFoundException",
                        "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"
                            .to_owned(),
                    ),
                ),
                (arn("us-east-1", "123456789012", "plain"), ("AccessDeniedException", String::new())),
            ] {
                let path = format!("{FUNCTIONS}/{}{end}", encode(&reference));
                let (kind, message) = refused(&path, &server.http(method, &path, body.as_bytes()));
                assert_eq!(kind, expected.0, "{method} {path}: {message}");
                assert!(message.contains(&expected.1), "{method} {path}: {message}");
            }
        }
        assert!(plain.environments().is_empty(), "nothing ran");
    });
}

#[test]
fn case_013_an_old_revision_changes_nothing() {
    let server = Server::start();
    let function = server.create(python("revised", HELLO));
    let old = function.configuration()["RevisionId"].clone();
    function.update_configuration(&json!({ "Timeout": 4, "RevisionId": old }));
    let before = function.configuration();
    let zip =
        python("other", "def handler(event, context): return 'other'\n").body()["Code"]["ZipFile"].clone();
    for (end, body) in [
        ("configuration", json!({ "Timeout": 9, "RevisionId": old })),
        ("code", json!({ "ZipFile": zip, "RevisionId": old })),
    ] {
        let path = format!("{FUNCTIONS}/revised/{end}");
        let response = server.http("PUT", &path, body.to_string().as_bytes());
        let (kind, message) = refused(end, &response);
        assert_eq!((response.status, &*kind), (412, "PreconditionFailedException"), "{message}");
    }
    assert_eq!(function.configuration(), before);
    assert_eq!(function.invoke("{}").success(), "hello");
}

#[test]
fn case_014_a_second_update_while_one_is_in_progress_is_refused() {
    let server = Server::start();
    let function = server.create(python("busy", HELLO));
    let path = format!("{FUNCTIONS}/busy/configuration");
    let (server, path) = (&server, &path);
    // An update is in progress for a moment only: many at once, until one comes in that moment.
    eventually("an update comes while another is in progress", || {
        function.wait_until("LastUpdateStatus", "Successful");
        let responses: Vec<Response> = thread::scope(|scope| {
            let updates: Vec<_> = (1..=8)
                .map(|number| {
                    let body = json!({ "Description": format!("by {number}") }).to_string();
                    scope.spawn(move || server.http("PUT", path, body.as_bytes()))
                })
                .collect();
            updates.into_iter().map(|update| update.join().unwrap()).collect()
        });
        assert!(responses.iter().any(|response| response.status == 200), "one is made");
        let refusals: Vec<_> = responses.iter().filter(|response| response.status != 200).collect();
        for response in &refusals {
            let (kind, message) = refused("an update", response);
            assert_eq!((response.status, &*kind), (409, "ResourceConflictException"), "{message}");
            let arn = "arn:aws:lambda:us-east-1:000000000000:function:busy";
            let text =
                "The operation cannot be performed at this time. An update is in progress for resource:";
            assert_eq!(message, format!("{text} {arn}"));
        }
        (!refusals.is_empty()).then_some(())
    });
    function.wait_until("LastUpdateStatus", "Successful");
    assert_eq!(function.invoke("{}").success(), "hello");
}

/// Lists all functions, page by page.
fn pages(server: &Server, max_items: usize) -> Vec<String> {
    let mut names = Vec::new();
    let mut query = format!("MaxItems={max_items}");
    loop {
        let response = server.http("GET", &format!("{FUNCTIONS}?{query}"), b"");
        assert_eq!(response.status, 200, "{}", response.text());
        let page = response.json();
        let functions = page["Functions"].as_array().unwrap();
        assert!(functions.len() <= max_items.min(50), "{} on a page", functions.len());
        names.extend(functions.iter().map(|function| function["FunctionName"].as_str().unwrap().to_owned()));
        match page["NextMarker"].as_str() {
            Some(marker) => query = format!("MaxItems={max_items}&Marker={}", encode(marker)),
            None => return names,
        }
    }
}

#[test]
fn case_016_every_function_is_listed_once_while_others_come_and_go() {
    let server = Server::start();
    let server = &server;
    for query in ["Marker=garbage", "Marker=%00", "MaxItems=0", "MaxItems=-1", "MaxItems=1000000000"] {
        refused(query, &server.http("GET", &format!("{FUNCTIONS}?{query}"), b""));
    }
    let staying = rounds(400, 1_000);
    let make = |name: &str| {
        let body = bootstrap(name, "#!/bin/sh\n").body().to_string();
        let response = server.http("POST", FUNCTIONS, body.as_bytes());
        assert_eq!(response.status, 201, "{}", response.text());
    };
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if number >= staying {
                        break;
                    }
                    make(&format!("f-{number:04}-stays"));
                }
            });
        }
    });
    let (done, gone) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let churn = scope.spawn(|| {
            // Before, between and behind those that stay.
            for number in (0..staying).step_by(7).cycle() {
                if done.load(Ordering::SeqCst) {
                    break;
                }
                let name = format!("f-{number:04}-{}", if number % 2 == 0 { "comes" } else { "visits" });
                make(&name);
                server.function(&name).delete();
                gone.fetch_add(1, Ordering::SeqCst);
            }
        });
        let paging = scope.spawn(|| {
            for max_items in [1, 7, 50, 10_000].into_iter().cycle().take(rounds(4, 200)) {
                let begun = gone.load(Ordering::SeqCst);
                let seen = pages(server, max_items);
                assert!(seen.is_sorted(), "in order");
                let unique: BTreeSet<&String> = seen.iter().collect();
                assert_eq!(unique.len(), seen.len(), "nothing twice");
                let stay = seen.iter().filter(|name| name.ends_with("-stays")).count();
                assert_eq!(stay, staying, "{max_items} on a page");
                eventually("others come and go", || (gone.load(Ordering::SeqCst) > begun).then_some(()));
            }
        });
        let paged = paging.join();
        done.store(true, Ordering::SeqCst);
        churn.join().unwrap();
        paged.unwrap();
    });
    assert_eq!(pages(server, 50).len(), staying);
}

#[test]
fn case_017_texts_come_back_as_they_were_and_break_no_header_and_no_log_line() {
    let server = Settings::new().variable("HEARTH_LOG", "trace").start();
    let hostile =
        "first\r\nX-Forged: 1\r\n\r\nERROR forged \u{1b}[31mred\u{1b}[0m \u{7}\u{202e} \"quoted\" \\";
    let texts = [hostile.to_owned(), "🔥".repeat(128), "a\u{2028}b\u{85}c\td".to_owned()];
    let tag = json!({ "k.ü": "日本 = +-@" });
    let function = server
        .create(python("spoken", HELLO).with("Description", texts[0].as_str()).with("Tags", tag.clone()));
    for text in &texts {
        function.update_configuration(&json!({ "Description": text }));
        assert_eq!(function.configuration()["Description"], text.as_str());
        let got = server.http("GET", &format!("{FUNCTIONS}/spoken"), b"");
        assert_eq!((&got.json()["Tags"], got.header("x-forged")), (&tag, None));
    }
    let mut forged = Vec::new();
    for (change, path) in [
        (json!({ "Description": "🔥".repeat(10_000) }), "'description'"),
        (json!({ "Description": format!("{hostile}{}", "x".repeat(256)) }), "'description'"),
        (json!({ "Tags": { "k": hostile } }), "'tags'"),
        (json!({ "Tags": { hostile: "v" } }), "'tags'"),
        (json!({ "FunctionName": hostile }), "'functionName'"),
        (json!({ "Handler": hostile }), "'handler'"),
        (json!({ "Runtime": hostile }), "'runtime'"),
    ] {
        let response = create(&server, change);
        let (kind, message) = refused(path, &response);
        assert!(message.contains(path), "{kind}: {message}");
        forged.extend(response.headers);
    }
    // What a package is refused for names what is in it.
    let zip = NewFunction::new(
        "new",
        "python3.11",
        "app.handler",
        Package::new().file(&format!("../{hostile}"), "x"),
    );
    let response = server.http("POST", FUNCTIONS, zip.body().to_string().as_bytes());
    let (kind, _) = refused("a hostile package", &response);
    assert_eq!(kind, "InvalidParameterValueException");
    forged.extend(response.headers);
    for (name, value) in &forged {
        assert!(!name.eq_ignore_ascii_case("x-forged") && !value.contains("forged"), "{name}: {value}");
        assert!(
            value.chars().all(|character| character.is_ascii_graphic() || character == ' '),
            "{name}: {value}"
        );
    }
    assert_eq!(function.invoke("{}").success(), "hello");
    assert_eq!(names(&server), ["spoken"]);

    let log = server.stop();
    // It is there, and says in an escaped form what the package was refused for.
    assert!(log.contains("a package was refused") && log.contains(r"\\r\\nX-Forged: 1\\r\\n"), "{log:?}");
    let control = |character: char| character.is_control() && character != '\n';
    assert!(!log.contains(control), "{log:?}");
    assert!(!log.contains('\u{202e}'), "{log:?}");
    for line in log.lines() {
        assert!(!line.starts_with("ERROR forged") && !line.starts_with("X-Forged"), "{line:?}");
    }
}

#[test]
fn case_033_a_payload_of_six_megabytes_passes_and_one_byte_more_does_not() {
    let server = Server::start();
    let function =
        server.create(python("long", "def handler(event, context): return len(event)\n").timeout(30));
    let payload = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    assert_eq!(function.invoke(payload(6_291_456)).success(), 6_291_454);
    let large = payload(6_291_457);
    let refusal = function.call(&Call { payload: large.as_bytes(), ..Call::default() });
    refused("one byte more", &refusal.0);
    let message =
        "6291457 byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)";
    assert_eq!(refusal.exception(), ("RequestTooLargeException".to_owned(), 413, message.to_owned()));
    assert_eq!(function.invoke("\"abc\"").success(), 3);
    assert_eq!(
        function.logs_with_reports(2).iter().filter(|event| event.message.starts_with("REPORT")).count(),
        2
    );
}

#[test]
fn case_035_036_a_call_that_is_wrong_is_refused_and_the_function_not_run() {
    with_plain_function(|server, plain| {
        let head = "Could not parse request body into json: ";
        for payload in
            [&b"xyz"[..], b"{\"open\": ", b"\xff\xfe", b"\"\xed\xa0\x80\"", b"{} {}", b"NaN", b"{'a': 1}"]
        {
            let refusal = plain.call(&Call { payload, ..Call::default() });
            let (kind, message) = refused("a payload", &refusal.0);
            assert_eq!((refusal.status(), &*kind), (400, "InvalidRequestContentException"), "{payload:?}");
            assert!(message.starts_with(head), "{payload:?}: {message}");
        }
        let long = "x".repeat(3_584);
        for (name, value) in [
            ("X-Amz-Client-Context", "no base64!"),
            ("X-Amz-Client-Context", "bm8ganNvbg=="),
            ("X-Amz-Client-Context", long.as_str()),
            ("X-Amz-Invocation-Type", "Nonsense"),
            ("X-Amz-Invocation-Type", "event"),
            ("X-Amz-Log-Type", "Head"),
        ] {
            let path = format!("{FUNCTIONS}/plain/invocations");
            let response = http(server.address(), "POST", &path, &[(name, value)], b"{}");
            refused(name, &response);
            assert_eq!(response.status, 400, "{name}: {value}");
        }
        assert!(plain.environments().is_empty(), "the function did not run");
    });
}
