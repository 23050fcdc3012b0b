//! SIGKILL in the middle of changes of what stands around functions: URLs, aliases, versions, event invoke configs,
//! concurrency, permissions, tags, layers, objects of S3. What was answered is there; what was not is wholly there or
//! wholly absent.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::Arc;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hearth_tests::{
    Folder, LIMIT, Package, Random, Response, Server, Settings, eventually, python, rounds, try_http,
    try_within,
};
use serde_json::{Value, json};

/// How many fault points are passed before the server dies, at most. A start passes a few, a change about five.
const PASSINGS_MAX: u64 = 60;
const FUNCTION: &str = "/2015-03-31/functions/f";
const OF_LAYER: &str = "/2018-10-31/layers/l/versions";
const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";
/// Without keys nobody verifies it, but it says which service is meant.
const FOR_S3: (&str, &str) = (
    "Authorization",
    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00",
);

/// What is kept beside a function's code and configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Url,
    Alias,
    Version,
    EventInvokeConfig,
    Reserved,
    Provisioned,
    Permission,
    Tag,
    Layer,
    Object,
}

const KINDS: [Kind; 10] = [
    Kind::Url,
    Kind::Alias,
    Kind::Version,
    Kind::EventInvokeConfig,
    Kind::Reserved,
    Kind::Provisioned,
    Kind::Permission,
    Kind::Tag,
    Kind::Layer,
    Kind::Object,
];

/// The values that are there of a kind, the newest last. Of versions there are several, of most others one or none.
type Values = Vec<u64>;

struct Request {
    method: &'static str,
    path: String,
    body: String,
}

fn request(method: &'static str, path: impl Into<String>, body: &Value) -> Request {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    Request { method, path: path.into(), body }
}

impl Kind {
    /// Where it is read, and changed if nothing else is said.
    fn path(self) -> String {
        match self {
            Self::Url => "/2021-10-31/functions/f/url".to_owned(),
            Self::Alias => format!("{FUNCTION}/aliases/live"),
            Self::Version => format!("{FUNCTION}/versions"),
            Self::EventInvokeConfig => "/2019-09-25/functions/f/event-invoke-config".to_owned(),
            Self::Reserved => "/2019-09-30/functions/f/concurrency".to_owned(),
            Self::Provisioned => "/2019-09-30/functions/f/provisioned-concurrency?Qualifier=1".to_owned(),
            Self::Permission => format!("{FUNCTION}/policy"),
            Self::Tag => format!("/2017-03-31/tags/{}", hearth_tests::encode(ARN)),
            Self::Layer => OF_LAYER.to_owned(),
            Self::Object => "/bucket/key".to_owned(),
        }
    }

    /// Reads the values out of an answer.
    fn values(self, answer: &Response) -> Values {
        if answer.status == 404 {
            return Values::new();
        }
        assert_eq!(answer.status, 200, "{self:?}: {}", answer.text());
        let body = if answer.body.is_empty() { Value::Null } else { answer.json() };
        let described = |list: &Value| -> Values {
            list.as_array().unwrap().iter().filter_map(|one| number(&one["Description"])).collect()
        };
        match self {
            Self::Url => number(&body["Cors"]["MaxAge"]).into_iter().collect(),
            Self::Alias => number(&body["Description"]).into_iter().collect(),
            // The first in the list is `$LATEST`.
            Self::Version => described(&body["Versions"]).split_off(1),
            Self::EventInvokeConfig => number(&body["MaximumEventAgeInSeconds"]).into_iter().collect(),
            Self::Reserved => number(&body["ReservedConcurrentExecutions"]).into_iter().collect(),
            Self::Provisioned => {
                number(&body["RequestedProvisionedConcurrentExecutions"]).into_iter().collect()
            }
            Self::Permission => {
                let policy: Value = serde_json::from_str(body["Policy"].as_str().unwrap()).unwrap();
                let accounts = policy["Statement"].as_array().unwrap().iter();
                accounts
                    .filter_map(|one| number(&one["Condition"]["StringEquals"]["AWS:SourceAccount"]))
                    .collect()
            }
            Self::Tag => number(&body["Tags"]["value"]).into_iter().collect(),
            // Its newest version is the first in the list.
            Self::Layer => described(&body["LayerVersions"]).into_iter().rev().collect(),
            Self::Object => number(&body).into_iter().collect(),
        }
    }

    /// The request that adds a value, or replaces the one that is there; and the values afterwards.
    fn put(self, fresh: u64, now: &Values) -> (Request, Values) {
        let value = match self {
            Self::EventInvokeConfig => 60 + fresh % 20_000,
            // No fewer than can be provisioned.
            Self::Reserved => 5 + fresh % 50,
            Self::Provisioned => 1 + fresh % 2,
            Self::Permission => 100_000_000_000 + fresh,
            _ => fresh,
        };
        let change = if now.is_empty() { "POST" } else { "PUT" };
        let request = match self {
            Self::Url => {
                request(change, self.path(), &json!({ "AuthType": "NONE", "Cors": { "MaxAge": value } }))
            }
            Self::Alias => {
                let path = if now.is_empty() { format!("{FUNCTION}/aliases") } else { self.path() };
                let body =
                    json!({ "Name": "live", "FunctionVersion": "1", "Description": value.to_string() });
                request(change, path, &body)
            }
            Self::Version => request("POST", self.path(), &json!({ "Description": value.to_string() })),
            Self::EventInvokeConfig => {
                request("PUT", self.path(), &json!({ "MaximumEventAgeInSeconds": value }))
            }
            Self::Reserved => {
                let path = "/2017-10-31/functions/f/concurrency";
                request("PUT", path, &json!({ "ReservedConcurrentExecutions": value }))
            }
            Self::Provisioned => {
                request("PUT", self.path(), &json!({ "ProvisionedConcurrentExecutions": value }))
            }
            Self::Permission => {
                let body = json!({
                    "StatementId": format!("s{value}"), "Action": "lambda:InvokeFunction",
                    "Principal": "s3.amazonaws.com", "SourceAccount": value.to_string(),
                });
                request("POST", self.path(), &body)
            }
            Self::Tag => request("POST", self.path(), &json!({ "Tags": { "value": value.to_string() } })),
            Self::Layer => {
                let zip = Package::new().file("value", value.to_string()).zip();
                let body =
                    json!({ "Description": value.to_string(), "Content": { "ZipFile": BASE64.encode(zip) } });
                request("POST", self.path(), &body)
            }
            // As large as several pieces of a body.
            Self::Object => {
                Request { method: "PUT", path: self.path(), body: " ".repeat(300_000) + &value.to_string() }
            }
        };
        let mut after = if self.has_several() { now.clone() } else { Values::new() };
        after.push(value);
        (request, after)
    }

    /// The request that removes the newest value; `newest` is its number, where it has one.
    fn remove(self, newest: u64, now: &Values) -> (Request, Values) {
        let last = now.last().unwrap();
        let path = match self {
            Self::Version => format!("{FUNCTION}?Qualifier={newest}"),
            Self::Layer => format!("{OF_LAYER}/{newest}"),
            Self::Reserved => "/2017-10-31/functions/f/concurrency".to_owned(),
            Self::Permission => format!("{}/s{last}", self.path()),
            Self::Tag => format!("{}?tagKeys=value", self.path()),
            _ => self.path(),
        };
        (request("DELETE", path, &Value::Null), now[..now.len() - 1].to_vec())
    }

    fn has_several(self) -> bool {
        matches!(self, Self::Version | Self::Permission | Self::Layer)
    }
}

/// A number, or one in digits.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// Sends a request. `None` when the server has died instead of answering.
fn send(server: &Server, kind: Kind, request: &Request) -> Option<Response> {
    let Request { method, path, body } = request;
    let headers =
        if kind == Kind::Object { vec![FOR_S3] } else { vec![("Content-Type", "application/json")] };
    let answer = try_http(server.address(), method, path, &headers, body.as_bytes()).ok()?;
    assert!(answer.status < 500, "{method} {path}: {} {}", answer.status, answer.text());
    Some(answer)
}

fn read(server: &Server, kind: Kind) -> Option<Response> {
    send(server, kind, &request("GET", kind.path(), &Value::Null))
}

/// What clients know: what was answered, and what may or may not have happened when the answer stayed away.
struct History {
    data: Arc<Folder>,
    random: Random,
    known: BTreeMap<Kind, Values>,
    in_flight: Option<(Kind, Values)>,
    fresh: u64,
    changes: BTreeMap<Kind, usize>,
}

impl History {
    fn new(half: u64) -> Self {
        let data = Arc::new(Folder::new());
        let server = Settings::new().data_dir(&data).start();
        server.create(
            python("f", "def handler(event, context): return 1\n")
                .with("Publish", true)
                .with("Description", "0"),
        );
        let bucket = Request { method: "PUT", path: "/bucket".to_owned(), body: String::new() };
        assert_eq!(send(&server, Kind::Object, &bucket).unwrap().status, 200);
        server.stop();
        let mut known: BTreeMap<Kind, Values> = KINDS.iter().map(|&kind| (kind, Values::new())).collect();
        known.insert(Kind::Version, vec![0]);
        Self { data, random: Random::new(half), known, in_flight: None, fresh: 0, changes: BTreeMap::new() }
    }

    /// Starts a server that is to die, looks at what is there, and changes things until it dies.
    fn round(&mut self) {
        let last = 1 + self.random.below(PASSINGS_MAX);
        let status = match Settings::new().data_dir(&self.data).faults(&format!("*=kill({last})")).try_start()
        {
            Err(ended) => ended.status,
            Ok(server) => {
                if self.look(&server).is_some() {
                    while self.change(&server).is_some() {}
                }
                server.ended().status
            }
        };
        assert_eq!(status.signal(), Some(9), "after {last} passings it ended with {status}");
    }

    /// Compares what the server has with what is known. `None` when it has died.
    fn look(&mut self, server: &Server) -> Option<()> {
        for kind in KINDS {
            let found = kind.values(&read(server, kind)?);
            if let Some((_, after)) = self.in_flight.take_if(|(in_flight, _)| *in_flight == kind) {
                let before = &self.known[&kind];
                assert!(
                    found == after || found == *before,
                    "{kind:?}: {found:?}, neither {before:?} nor {after:?}"
                );
                self.known.insert(kind, found);
            } else {
                assert_eq!(found, self.known[&kind], "{kind:?}");
            }
        }
        Some(())
    }

    /// Makes one change. `None` when the server has died of it.
    fn change(&mut self, server: &Server) -> Option<()> {
        let kind = KINDS[self.random.below(KINDS.len() as u64) as usize];
        let now = self.known[&kind].clone();
        // The first version is what an alias and provisioned concurrency are of.
        let can_go = if kind == Kind::Version { now.len() > 1 } else { !now.is_empty() };
        let (request, after) = if can_go && self.random.below(3) == 0 {
            kind.remove(newest(server, kind)?, &now)
        } else {
            self.fresh += 1;
            if kind == Kind::Version {
                // Without a change there would be no further version.
                update(server, self.fresh)?;
            }
            kind.put(self.fresh, &now)
        };
        self.in_flight = Some((kind, after.clone()));
        let answer = send(server, kind, &request)?;
        let (status, text) = (answer.status, answer.text());
        assert!(
            (200..300).contains(&status),
            "{kind:?}, {} {}: {status} {text}",
            request.method,
            request.path
        );
        self.in_flight = None;
        self.known.insert(kind, after);
        *self.changes.entry(kind).or_default() += 1;
        Some(())
    }

    /// A last start without a fault: everything that is known is there, the function works, and no package is left over.
    fn end(&mut self) {
        let server = Settings::new().data_dir(&self.data).start();
        self.look(&server).expect("nobody kills this server");
        assert_eq!(server.function("f").invoke("{}").success(), 1);
        // One package for the function, and one for each version of the layer.
        let packages = 1 + self.known[&Kind::Layer].len();
        for (folder, expected) in
            [("trees", packages), ("objects", packages), ("s3/objects", self.known[&Kind::Object].len())]
        {
            let names = || -> BTreeSet<String> {
                let entries = fs::read_dir(self.data.path().join(folder)).unwrap().flatten();
                entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
            };
            let settled = try_within(LIMIT, || (names().len() == expected).then_some(()));
            assert!(settled.is_some(), "{folder}: {expected} expected, found {:#?}", names());
        }
        server.stop();
        eprintln!("answered changes: {:?}", self.changes);
    }
}

/// Returns the number of the newest version; 0 for what has none.
fn newest(server: &Server, kind: Kind) -> Option<u64> {
    let listed = |member: &str, answer: &Response| -> Option<u64> {
        answer.json()[member].as_array().unwrap().iter().filter_map(|one| number(&one["Version"])).max()
    };
    match kind {
        Kind::Version => listed("Versions", &read(server, kind)?),
        Kind::Layer => listed("LayerVersions", &read(server, kind)?),
        _ => Some(0),
    }
}

/// Changes the function, and waits until that is done. `None` when the server has died.
fn update(server: &Server, fresh: u64) -> Option<()> {
    let path = format!("{FUNCTION}/configuration");
    let body = json!({ "Environment": { "Variables": { "FRESH": fresh.to_string() } } });
    let answer = send(server, Kind::Version, &request("PUT", &*path, &body))?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    eventually("the function has settled, or the server has died", || {
        let Some(now) = send(server, Kind::Version, &request("GET", &*path, &Value::Null)) else {
            return Some(None);
        };
        (now.json()["LastUpdateStatus"] == "Successful").then_some(Some(()))
    })
}

#[test]
fn case_110_what_stands_around_functions_is_kept_wherever_the_server_was_killed() {
    // Two folders at once: the machine has two processors, and a round is mostly waiting.
    thread::scope(|scope| {
        for half in 1..=2 {
            scope.spawn(move || {
                let mut history = History::new(half);
                for _ in 0..rounds(40, 4_000) / 2 {
                    history.round();
                }
                history.end();
            });
        }
    });
}
