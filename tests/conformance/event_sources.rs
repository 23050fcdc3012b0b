//! Queues and streams that are polled, one module a part of it. The sources are those of a moto server.

mod mappings;
mod on_failure;
mod outages;
mod queues;
mod streams;

use hearth_tests::{
    Moto, NewFunction, Notes, PYTHON_NOTES, Server, Settings, eventually, python, run_python,
};
use serde_json::{Value, json};

/// Tells each event, and does what the records ask for: a body or data of `{"fails": …}` fails.
const WORKER: &str = "
import base64, json
def texts(event):
    for record in event['Records']:
        if 'body' in record: yield record['messageId'], record['body']
        elif 'kinesis' in record:
            data = record['kinesis']
            yield data['sequenceNumber'], base64.b64decode(data['data']).decode()
        else: yield record['dynamodb']['SequenceNumber'], record['dynamodb']['Keys']['id']['S']
";

fn worker(notes: &Notes, handler: &str) -> NewFunction {
    let number = notes.number();
    let source = format!("{PYTHON_NOTES}\n{WORKER}\nnote = notes_of({number})\n{handler}");
    python("worker", &source).timeout(10)
}

/// Tells the whole event.
const TELLS: &str = "
def handler(event, context):
    note(json.dumps(event))
";

/// Tells what the texts are, in one line, and fails on `bad`.
const FAILS_ON_BAD: &str = "
def handler(event, context):
    found = [text for _, text in texts(event)]
    note(' '.join(found))
    if 'bad' in found: raise Exception('on purpose')
";

/// Tells what the texts are, and reports those that are `bad`.
const REPORTS_BAD: &str = "
def handler(event, context):
    found = list(texts(event))
    note(' '.join(text for _, text in found))
    return {'batchItemFailures': [{'itemIdentifier': id} for id, text in found if text == 'bad']}
";

struct Bench {
    moto: Moto,
    server: Server,
    notes: Notes,
}

impl Bench {
    fn start(handler: &str) -> Self {
        let (moto, notes) = (Moto::start(), Notes::new());
        let server = Settings::new().aws_endpoint(&moto.url()).start();
        server.create(worker(&notes, handler));
        Self { moto, server, notes }
    }

    fn at(&self, arguments: &[&str]) -> Value {
        run_python(&self.server, "event_sources.py", &[&[self.moto.url().as_str()], arguments].concat())
            .json()
    }

    /// Makes a source, and returns its ARN.
    fn make(&self, arguments: &[&str]) -> String {
        self.at(arguments).as_str().unwrap().to_owned()
    }

    /// Makes a mapping of a source to the worker, and returns it when it is polled.
    fn map(&self, source: &str, more: Value) -> Value {
        let mut mapping = json!({ "FunctionName": "worker", "EventSourceArn": source });
        mapping.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.at(&["map", &mapping.to_string()])
    }

    /// Sends texts as messages.
    fn send(&self, queue: &str, texts: &[&str]) {
        let entries: Vec<Value> = texts.iter().map(|text| json!({ "MessageBody": text })).collect();
        self.at(&["send", queue, &json!(entries).to_string()]);
    }

    /// Puts pairs of a key and a text.
    fn put(&self, stream: &str, records: &[(&str, &str)]) {
        self.at(&["put", stream, &json!(records).to_string()]);
    }

    /// Waits until so many lines have been told, and returns them all.
    fn told(&self, number: usize) -> Vec<String> {
        eventually(&format!("{number} lines"), || {
            let lines = self.notes.lines();
            (lines.len() >= number).then_some(lines)
        })
    }

    fn until_empty(&self, queue: &str) {
        eventually("the queue is empty", || (self.at(&["left", queue]) == json!([0, 0])).then_some(()));
    }

    fn read(&self, queue: &str, number: usize) -> Vec<Value> {
        let arguments = [&self.moto.url(), "read", queue, &number.to_string()];
        run_python(&self.server, "destinations.py", &arguments).json().as_array().unwrap().clone()
    }
}

/// Takes out of an event what differs each time, having looked at it.
fn steady(mut event: Value) -> Value {
    for record in event["Records"].as_array_mut().unwrap() {
        for member in ["messageId", "receiptHandle", "eventID"] {
            if let Some(value) = record.get_mut(member) {
                assert!(value.as_str().unwrap().len() > 10, "{value}");
                *value = json!("…");
            }
        }
        for (group, members) in [
            ("attributes", &["SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"][..]),
            ("attributes", &["SequenceNumber", "MessageDeduplicationId"][..]),
            ("kinesis", &["approximateArrivalTimestamp"][..]),
            ("dynamodb", &["ApproximateCreationDateTime"][..]),
        ] {
            for member in members {
                if let Some(value) = record.get_mut(group).and_then(|group| group.get_mut(member)) {
                    *value = json!("…");
                }
            }
        }
    }
    event
}
