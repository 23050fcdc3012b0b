//! The copy of a function that is called in its place: same code, same configuration, another name.
//!
//! It carries a tag that says whose it is. What a run that was killed has left over is removed by the next one.

use std::hash::{BuildHasher as _, RandomState};
use std::io::Write;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use super::TuneError;
use super::owner::{Fate, Owner};
use crate::client::{Client, ClientError, escape};
use crate::deploy::settle;
use crate::functions;

/// What stands between the function's name and what is random.
const MARK: &str = "-hearth-tune-";
/// The tag that says of which function it is a copy.
const TAG: &str = "hearth:tune";
/// The tag that says which process made it.
const OWNER_TAG: &str = "hearth:tune-owner";
/// Longest name of a function.
const NAME_MAX: usize = 64;

/// How long its environments may take to end before its log is left alone: extensions may take 2 s.
const ENDING_LIMIT: Duration = Duration::from_secs(5);
/// Between two looks at them.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// What is copied as it is.
const MEMBERS: &[&str] = &[
    "Runtime",
    "Handler",
    "Role",
    "Timeout",
    "Architectures",
    "EphemeralStorage",
    "TracingConfig",
    "KMSKeyArn",
];

/// The function that is tuned.
#[derive(Debug)]
pub(super) struct Original {
    pub(super) name: String,
    configuration: Value,
    zip: Bytes,
}

impl Original {
    /// Gets everything that a copy needs.
    pub(super) async fn fetch(client: &Client, name: &str) -> anyhow::Result<Self> {
        let mut document: Value = client.get(&function_path(name, "")).await?;
        let configuration = document["Configuration"].take();
        can_be_copied(&configuration)?;
        let location = document["Code"]["Location"].as_str().unwrap_or_default();
        // `http://HOST:PORT/PATH`: the same server.
        let path = location.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap_or_default();
        let zip = client.send(Method::GET, &path, &[], Bytes::new()).await?.body;
        let name = configuration["FunctionName"].as_str().unwrap_or(name).to_owned();
        Ok(Self { name, configuration, zip })
    }

    pub(super) fn is_arm64(&self) -> bool {
        self.configuration["Architectures"][0] == "arm64"
    }

    /// The request that makes a function with its code and its configuration.
    fn request(&self, copy: &Copy<'_>) -> Value {
        let of = &self.configuration;
        let mut request = Map::new();
        let mut put = |member: &str, value: Value| {
            let is_nothing = value.is_null()
                || value.as_str().is_some_and(str::is_empty)
                || value.as_array().is_some_and(Vec::is_empty);
            if !is_nothing {
                request.insert(member.to_owned(), value);
            }
        };
        for member in MEMBERS {
            put(member, of[*member].clone());
        }
        if of["Environment"]["Variables"].is_object() {
            put("Environment", json!({ "Variables": of["Environment"]["Variables"] }));
        }
        let layers = of["Layers"].as_array().map(Vec::as_slice).unwrap_or_default();
        put("Layers", layers.iter().map(|layer| layer["Arn"].clone()).collect());
        let subnets = &of["VpcConfig"]["SubnetIds"];
        if subnets.as_array().is_some_and(|subnets| !subnets.is_empty()) {
            let groups = &of["VpcConfig"]["SecurityGroupIds"];
            put("VpcConfig", json!({ "SubnetIds": subnets, "SecurityGroupIds": groups }));
        }
        put("FileSystemConfigs", of["FileSystemConfigs"].clone());
        // Not its log group: the user's log is the user's.
        let logging = ["LogFormat", "ApplicationLogLevel", "SystemLogLevel"]
            .into_iter()
            .filter_map(|member| Some((member.to_owned(), of["LoggingConfig"].get(member)?.clone())));
        let logging: Map<String, Value> = logging.filter(|(_, value)| !value.is_null()).collect();
        if !logging.is_empty() {
            put("LoggingConfig", Value::Object(logging));
        }
        put("FunctionName", copy.name.as_str().into());
        put("Description", format!("Temporary copy of {} made by hearth tune", self.name).into());
        put("Code", json!({ "ZipFile": STANDARD.encode(&self.zip) }));
        put("Tags", json!({ (TAG): self.name, (OWNER_TAG): copy.owner.to_string() }));
        Value::Object(request)
    }
}

/// Refuses what a copy would not behave like.
fn can_be_copied(configuration: &Value) -> Result<(), TuneError> {
    let (what, why) = if configuration["PackageType"] == "Image" {
        ("a container image", "its code is no zip package that can be copied")
    } else if configuration["DurableConfig"].is_object() {
        ("durable executions", "its calls go on after their answer")
    } else if configuration["TenancyConfig"].is_object() {
        ("isolated tenants", "each call needs one")
    } else {
        return Ok(());
    };
    Err(TuneError::Unsupported { what, why })
}

/// The copy.
#[derive(Debug)]
pub(super) struct Copy<'original> {
    original: &'original Original,
    pub(super) name: String,
    owner: Owner,
}

impl<'original> Copy<'original> {
    /// Names one. It is not made yet.
    pub(super) fn of(original: &'original Original) -> Self {
        let random = RandomState::new().hash_one(std::process::id());
        let suffix = format!("{MARK}{:08x}", random as u32);
        // Names of functions are ASCII.
        let beginning: String = original.name.chars().take(NAME_MAX - suffix.len()).collect();
        Self { original, name: format!("{beginning}{suffix}"), owner: Owner::this() }
    }

    /// How long a call may take, in seconds.
    pub(super) fn timeout_s(&self) -> u64 {
        self.original.configuration["Timeout"].as_u64().unwrap_or(3)
    }

    /// Makes it, and waits until it can be called.
    pub(super) async fn create(&self, client: &Client) -> anyhow::Result<()> {
        let body = self.original.request(self).to_string();
        client.send(Method::POST, "/2015-03-31/functions", &[], body.into()).await?;
        Ok(settle(client, &self.name).await?)
    }

    /// Gives it another size of memory. Its next call is cold, also when the size stays as it is.
    pub(super) async fn configure(&self, client: &Client, memory_mb: u32, round: u32) -> anyhow::Result<()> {
        let description =
            format!("Temporary copy of {} made by hearth tune, round {round}", self.original.name);
        let body = json!({ "MemorySize": memory_mb, "Description": description });
        let path = function_path(&self.name, "/configuration");
        client.send(Method::PUT, &path, &[], body.to_string().into()).await?;
        Ok(settle(client, &self.name).await?)
    }

    /// Removes it and its log.
    pub(super) async fn remove(&self, client: &Client, notes: &mut dyn Write) -> anyhow::Result<()> {
        remove(client, &self.name, notes).await
    }
}

/// Removes a copy and its log. It is no failure when it is gone already.
async fn remove(client: &Client, name: &str, notes: &mut dyn Write) -> anyhow::Result<()> {
    let deleted = client.send(Method::DELETE, &function_path(name, ""), &[], Bytes::new()).await;
    gone(deleted.map(drop))?;
    // An environment that still runs would write to the log, and so make it again.
    if !has_ended(client, name).await? {
        writeln!(notes, "a call of `{name}` still runs, to its end or its time-out; its log group stays")?;
        return Ok(());
    }
    let group = json!({ "logGroupName": format!("/aws/lambda/{name}") });
    match client.logs("DeleteLogGroup", &group).await {
        // It has not written anything.
        Err(ClientError::Refused { message, .. }) if message.contains("ResourceNotFound") => Ok(()),
        deleted => Ok(deleted.map(drop)?),
    }
}

/// Waits a little until a function that is deleted has no environment any more.
async fn has_ended(client: &Client, name: &str) -> Result<bool, ClientError> {
    let path = format!("/_hearth/environments?function={}", escape(name));
    let started = Instant::now();
    loop {
        let document: Value = client.get(&path).await?;
        if document["environments"].as_array().is_some_and(Vec::is_empty) {
            return Ok(true);
        }
        if started.elapsed() > ENDING_LIMIT {
            return Ok(false);
        }
        sleep(LOOK_PAUSE).await;
    }
}

fn gone(deleted: Result<(), ClientError>) -> Result<(), ClientError> {
    match deleted {
        Err(ClientError::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(()),
        deleted => deleted,
    }
}

/// Removes copies whose processes are gone. What is not certain to be one is left alone.
pub(super) async fn remove_leftovers(client: &Client, notes: &mut dyn Write) -> anyhow::Result<()> {
    for function in functions::list(client).await? {
        let (Some(name), Some(arn)) = (function["FunctionName"].as_str(), function["FunctionArn"].as_str())
        else {
            continue;
        };
        if !name.contains(MARK) {
            continue;
        }
        let path = format!("/2017-03-31/tags/{}", escape(arn));
        let tags: Value = match client.get(&path).await {
            Ok(tags) => tags,
            // Another run has just removed it.
            Err(ClientError::Refused { status: StatusCode::NOT_FOUND, .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        let tag = |name: &str| tags["Tags"][name].as_str();
        let (Some(of), Some(owner)) = (tag(TAG), tag(OWNER_TAG).and_then(Owner::parse)) else { continue };
        match owner.fate() {
            Fate::Lives => {}
            Fate::Gone => {
                remove(client, name, notes).await?;
                writeln!(notes, "removed `{name}`, a copy of `{of}` that an earlier run has left over")?;
            }
            Fate::Elsewhere => writeln!(
                notes,
                "`{name}` is a copy of `{of}` that `hearth tune` has made elsewhere; if that does not run any more, remove it \
                 with `hearth functions delete {name}`"
            )?,
        }
    }
    Ok(())
}

fn function_path(name: &str, rest: &str) -> String {
    format!("/2015-03-31/functions/{}{rest}", escape(name))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn original(configuration: Value) -> Original {
        Original { name: "greeter".to_owned(), configuration, zip: Bytes::from_static(b"zip") }
    }

    #[test]
    fn a_copy_has_the_functions_configuration_and_not_its_name_or_log() {
        let original = original(json!({
            "FunctionName": "greeter", "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:greeter",
            "Runtime": "python3.11", "Handler": "app.handler", "Role": "arn:aws:iam::000000000000:role/r", "Timeout": 7,
            "MemorySize": 128, "Description": "", "KMSKeyArn": null, "CodeSize": 3, "State": "Active",
            "Environment": {"Variables": {"A": "b"}}, "Layers": [{"Arn": "arn:layer:1", "CodeSize": 4}],
            "Architectures": ["x86_64"], "EphemeralStorage": {"Size": 1024}, "TracingConfig": {"Mode": "PassThrough"},
            "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": [], "VpcId": ""}, "FileSystemConfigs": [],
            "LoggingConfig": {"LogFormat": "JSON", "LogGroup": "/mine", "SystemLogLevel": "WARN", "ApplicationLogLevel": null},
        }));
        let mut copy = Copy::of(&original);
        assert!(copy.name.starts_with("greeter-hearth-tune-") && copy.name.len() == 28, "{}", copy.name);
        copy.name = "copy".to_owned();
        copy.owner = Owner::parse("place/1/2").unwrap();
        expect![[r#"
            {
              "Architectures": [
                "x86_64"
              ],
              "Code": {
                "ZipFile": "emlw"
              },
              "Description": "Temporary copy of greeter made by hearth tune",
              "Environment": {
                "Variables": {
                  "A": "b"
                }
              },
              "EphemeralStorage": {
                "Size": 1024
              },
              "FunctionName": "copy",
              "Handler": "app.handler",
              "Layers": [
                "arn:layer:1"
              ],
              "LoggingConfig": {
                "LogFormat": "JSON",
                "SystemLogLevel": "WARN"
              },
              "Role": "arn:aws:iam::000000000000:role/r",
              "Runtime": "python3.11",
              "Tags": {
                "hearth:tune": "greeter",
                "hearth:tune-owner": "place/1/2"
              },
              "Timeout": 7,
              "TracingConfig": {
                "Mode": "PassThrough"
              }
            }"#]]
        .assert_eq(&format!("{:#}", original.request(&copy)));
        let long = Original { name: "n".repeat(64), ..original };
        assert_eq!(Copy::of(&long).name.len(), 64);
    }

    #[test]
    fn what_a_copy_would_not_behave_like_is_refused() {
        for configuration in
            [json!({"PackageType": "Image"}), json!({"DurableConfig": {}}), json!({"TenancyConfig": {}})]
        {
            assert!(can_be_copied(&configuration).is_err(), "{configuration}");
        }
        can_be_copied(&json!({"PackageType": "Zip", "DurableConfig": null})).unwrap();
    }
}
