//! Bringing the server to the template, one change after the other; and back to what it was, when one of them fails.

mod event_sources;
mod taking_back;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hearth_deploy::{Function, Layer};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use self::taking_back::{Back, Settles, Undo};
use super::plan::{self, Action, Change};
use super::schedules::{SchedulePlan, group_requests};
use super::server::{
    Companion, Known, KnownFunction, Request, function_path, layer_path, package_members, tags_path,
};
use crate::client::{Client, ClientError, escape};

/// How long a function may take to become Active, or its update to become Successful.
pub(super) const SETTLE_LIMIT: Duration = Duration::from_secs(300);
/// How often it is looked at: at first, and at last.
pub(super) const LOOK_PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));
/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("it is {state}: {reason}")]
    Failed { state: String, reason: String },
    #[error("it is not settled after {} s", SETTLE_LIMIT.as_secs())]
    Unsettled,
    #[error("interrupted")]
    Interrupted,
    #[error("{0}")]
    Resolve(String),
}

/// Changes that are being made.
pub(super) struct Applying<'client> {
    client: &'client Client,
    undo: Vec<Undo>,
    interrupted: Arc<AtomicBool>,
    /// Something was done that cannot be taken back.
    is_final: bool,
}

impl<'client> Applying<'client> {
    /// Begins. From now on an interruption ends the work between two changes, and takes back what was done.
    pub(super) fn new(client: &'client Client) -> Self {
        let interrupted = Arc::new(AtomicBool::new(false));
        let flag = interrupted.clone();
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                flag.store(true, Ordering::Relaxed);
            }
        });
        Self { client, undo: Vec::new(), interrupted, is_final: false }
    }

    pub(super) fn client(&self) -> &'client Client {
        self.client
    }

    /// Whether something was done that cannot be taken back: then nothing is.
    pub(super) fn is_final(&self) -> bool {
        self.is_final
    }

    fn check_interrupted(&self) -> Result<(), ApplyError> {
        if self.interrupted.load(Ordering::Relaxed) { Err(ApplyError::Interrupted) } else { Ok(()) }
    }

    fn undo(&mut self, what: String, back: impl Into<Back>, settles: Settles) {
        self.undo.push(Undo { what, back: back.into(), settles });
    }

    /// Makes a change that `back` takes back. When the connection breaks nobody knows whether it was made: then it is taken
    /// back, too, which does no harm to what is as it was.
    async fn change(
        &mut self,
        request: &Request,
        what: String,
        back: impl Into<Back>,
        settles: Settles,
    ) -> Result<(), ApplyError> {
        let done = request.send(self.client).await;
        if matches!(done, Ok(_) | Err(ClientError::Broken { .. })) {
            self.undo(what, back, settles);
        }
        done?;
        Ok(())
    }

    /// Waits until a function is as it was told to be.
    async fn settle(&self, name: &str) -> Result<(), ApplyError> {
        wait(self.client, name, Some(&self.interrupted)).await
    }

    /// Publishes a version of a layer, and returns its ARN.
    pub(super) async fn publish_layer(&mut self, layer: &Layer, zip: &[u8]) -> Result<String, ApplyError> {
        self.check_interrupted()?;
        let mut body = layer.request.clone();
        body.retain(|_, value| {
            !value.as_array().is_some_and(Vec::is_empty) && !value.as_str().is_some_and(str::is_empty)
        });
        body.insert("Content".to_owned(), package_members(&layer.code, zip).into());
        let request = Request::new(Method::POST, layer_path(&layer.name, ""), Some(Value::Object(body)));
        let published = request.ask(self.client).await?;
        let version = published["Version"].as_u64().unwrap_or_default();
        let path = layer_path(&layer.name, &format!("/{version}"));
        self.undo(
            format!("version {version} of layer `{}`", layer.name),
            Request::delete(path),
            Settles::Nothing,
        );
        Ok(published["LayerVersionArn"].as_str().unwrap_or_default().to_owned())
    }

    /// Makes the changes of a function.
    pub(super) async fn function(
        &mut self,
        function: &Function,
        zip: &[u8],
        stack: &str,
        known: &Known,
        changes: &[Change],
    ) -> Result<(), ApplyError> {
        let name = &function.name;
        // What is told of a new function is gone with it.
        let there = known.function.as_ref();
        let mut revision = there.map(|there| there.configuration["RevisionId"].clone());
        for change in changes {
            self.check_interrupted()?;
            match change {
                Change::Create => self.create(function, zip, stack).await?,
                Change::Code { architectures } => {
                    let Some(there) = there else { continue };
                    let package = package_members(&function.code, zip);
                    self.update_code(name, package, architectures.as_ref(), there, revision.take()).await?;
                }
                Change::Configuration { to, from } => {
                    self.update_configuration(name, to, from, revision.take()).await?;
                }
                Change::Tags { set, remove } => {
                    let Some(there) = there else { continue };
                    let arn = there.configuration["FunctionArn"].as_str().unwrap_or_default();
                    self.tag(&format!("`{name}`"), arn, set, remove, &there.tags).await?;
                }
                Change::Publish => self.publish(function, there).await?,
                Change::Companion { companion, to, from } => {
                    self.companion(function, *companion, to.as_ref(), from.as_ref(), there.is_none()).await?;
                }
            }
        }
        Ok(())
    }

    async fn create(&mut self, function: &Function, zip: &[u8], stack: &str) -> Result<(), ApplyError> {
        let name = &function.name;
        let mut body = function.request.clone();
        // These say nothing of a new function, and would be shown of it.
        body.retain(|member, value| match member.as_str() {
            "VpcConfig" => value["SubnetIds"] != json!([]) || value["SecurityGroupIds"] != json!([]),
            "FileSystemConfigs" => *value != json!([]),
            _ => true,
        });
        body.insert("Code".to_owned(), package_members(&function.code, zip).into());
        body.insert("Tags".to_owned(), json!(plan::tags(function, stack)));
        let path = "/2015-03-31/functions".to_owned();
        let create = Request::new(Method::POST, path, Some(Value::Object(body)));
        let delete = Request::delete(function_path(name, ""));
        self.change(&create, format!("function `{name}`, which was new"), delete, Settles::Nothing).await?;
        self.settle(name).await
    }

    async fn update_code(
        &mut self,
        name: &str,
        package: Map<String, Value>,
        architectures: Option<&Value>,
        there: &KnownFunction,
        revision: Option<Value>,
    ) -> Result<(), ApplyError> {
        let location = &there.code_location;
        // `http://HOST:PORT/PATH`: the same server.
        let path = location.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap_or_default();
        let old = self.client.send(Method::GET, &path, &[], Bytes::new()).await?.body;
        let old = Map::from_iter([("ZipFile".to_owned(), STANDARD.encode(old).into())]);
        let body = |package: Map<String, Value>, architectures: Option<&Value>, revision: Option<Value>| {
            let mut body = Value::Object(package);
            if let Some(architectures) = architectures {
                body["Architectures"] = architectures.clone();
            }
            if let Some(revision) = revision {
                body["RevisionId"] = revision;
            }
            Some(body)
        };
        let path = function_path(name, "/code");
        let update = Request::new(Method::PUT, path.clone(), body(package, architectures, revision));
        let old_architectures = architectures.map(|_| &there.configuration["Architectures"]);
        let back = Request::new(Method::PUT, path, body(old, old_architectures, None));
        self.change(&update, format!("code of `{name}`"), back, Settles::function(name)).await?;
        self.settle(name).await
    }

    async fn update_configuration(
        &mut self,
        name: &str,
        to: &Map<String, Value>,
        from: &Map<String, Value>,
        revision: Option<Value>,
    ) -> Result<(), ApplyError> {
        let path = function_path(name, "/configuration");
        let mut body = to.clone();
        if let Some(revision) = revision {
            body.insert("RevisionId".to_owned(), revision);
        }
        let update = Request::new(Method::PUT, path.clone(), Some(Value::Object(body)));
        let back = Request::new(Method::PUT, path, Some(Value::Object(from.clone())));
        self.change(&update, format!("configuration of `{name}`"), back, Settles::function(name)).await?;
        self.settle(name).await
    }

    async fn tag(
        &mut self,
        whose: &str,
        arn: &str,
        set: &BTreeMap<String, String>,
        remove: &[String],
        before: &BTreeMap<String, String>,
    ) -> Result<(), ApplyError> {
        let path = tags_path(arn);
        let tag = |tags: Value| Request::new(Method::POST, path.clone(), Some(json!({ "Tags": tags })));
        let untag = |keys: &[&String]| {
            let keys: Vec<String> = keys.iter().map(|key| format!("tagKeys={}", escape(key))).collect();
            Request::delete(format!("{path}?{}", keys.join("&")))
        };
        // Those that go first: there may not be room for all.
        if !remove.is_empty() {
            untag(&remove.iter().collect::<Vec<_>>()).send(self.client).await?;
            let old: Map<String, Value> =
                remove.iter().filter_map(|key| Some((key.clone(), json!(before.get(key)?)))).collect();
            self.undo(format!("tags of {whose}"), tag(Value::Object(old)), Settles::Nothing);
        }
        if !set.is_empty() {
            tag(json!(set)).send(self.client).await?;
            let old: Map<String, Value> =
                set.keys().filter_map(|key| Some((key.clone(), json!(before.get(key)?)))).collect();
            let new: Vec<&String> = set.keys().filter(|key| !before.contains_key(*key)).collect();
            if !old.is_empty() {
                self.undo(format!("tags of {whose}"), tag(Value::Object(old)), Settles::Nothing);
            }
            if !new.is_empty() {
                self.undo(format!("new tags of {whose}"), untag(&new), Settles::Nothing);
            }
        }
        Ok(())
    }

    /// Publishes a version and has the alias lead to it.
    async fn publish(
        &mut self,
        function: &Function,
        there: Option<&KnownFunction>,
    ) -> Result<(), ApplyError> {
        let (name, Some(alias)) = (&function.name, &function.alias) else { return Ok(()) };
        let before = versions(self.client, name).await?;
        let body = alias.version_description.as_ref().map(|text| json!({ "Description": text }));
        let request =
            Request::new(Method::POST, function_path(name, "/versions"), Some(body.unwrap_or(json!({}))));
        let published = request.ask(self.client).await?;
        let version = published["Version"].as_str().unwrap_or_default().to_owned();
        // What has not changed since the last version is that version.
        if there.is_some() && !before.contains(&version) {
            let path = function_path(name, &format!("?Qualifier={}", escape(&version)));
            self.undo(
                format!("version {version} of `{name}`"),
                Request::delete(path),
                Settles::function(name),
            );
        }
        self.settle(&format!("{name}:{version}")).await?;
        let aliases = function_path(name, "/aliases");
        let path = format!("{aliases}/{}", escape(&alias.name));
        let what = format!("alias {} of `{name}`", alias.name);
        match there.and_then(|there| there.alias.as_ref()) {
            None => {
                let body = json!({ "Name": alias.name, "FunctionVersion": version });
                let create = Request::new(Method::POST, aliases, Some(body));
                if there.is_some() {
                    self.change(&create, what, Request::delete(path), Settles::Nothing).await?;
                } else {
                    create.send(self.client).await?;
                }
            }
            Some((old, _)) => {
                let weights = |weights: Value| json!({ "AdditionalVersionWeights": weights });
                let body = json!({ "FunctionVersion": version, "RoutingConfig": weights(json!({})) });
                let update = Request::new(Method::PUT, path.clone(), Some(body));
                let old_weights = &old["RoutingConfig"]["AdditionalVersionWeights"];
                let old_weights = if old_weights.is_object() { old_weights.clone() } else { json!({}) };
                let body = json!({
                    "FunctionVersion": old["FunctionVersion"],
                    "RoutingConfig": weights(old_weights),
                });
                self.change(&update, what, Request::new(Method::PUT, path, Some(body)), Settles::Nothing)
                    .await?;
            }
        }
        Ok(())
    }

    async fn companion(
        &mut self,
        function: &Function,
        companion: Companion,
        to: Option<&Map<String, Value>>,
        from: Option<&Map<String, Value>>,
        is_new: bool,
    ) -> Result<(), ApplyError> {
        let name = &function.name;
        let alias = function.alias.as_ref().map(|alias| alias.name.as_str());
        let put = |members: &Map<String, Value>, is_there| {
            companion.put(name, alias, Value::Object(members.clone()), is_there)
        };
        let delete = || {
            companion
                .delete(name, alias)
                .unwrap_or_else(|| companion.put(name, alias, json!({ "RecursiveLoop": "Terminate" }), true))
        };
        let request = match to {
            Some(members) => put(members, from.is_some()),
            None => delete(),
        };
        if is_new {
            request.send(self.client).await?;
        } else {
            let back = match from {
                Some(members) => put(members, to.is_some()),
                None => delete(),
            };
            self.change(&request, format!("{} of `{name}`", companion.property()), back, Settles::Nothing)
                .await?;
        }
        if companion == Companion::ProvisionedConcurrency && to.is_some() {
            self.wait_until_provisioned(name, alias).await?;
        }
        Ok(())
    }

    /// Makes the changes of a stack's schedules. Fails with what was being done.
    pub(super) async fn schedules(&mut self, plan: &SchedulePlan) -> Result<(), (String, ApplyError)> {
        if let Some(group) = &plan.new_group {
            let (request, back) = group_requests(group);
            let what = format!("group of schedules `{group}`");
            let made = self.change(&request, what.clone(), back, Settles::Nothing).await;
            made.map_err(|error| (format!("create the {what}"), error))?;
        }
        for change in &plan.changes {
            if matches!(change.action, Action::Keep | Action::Leave) {
                continue;
            }
            let (request, back) = change.requests();
            let what = format!("schedule `{}`", change.name);
            let doing = format!("{} {what}", change.action.word());
            self.check_interrupted().map_err(|error| (doing.clone(), error))?;
            let made = self.change(&request, what, back, Settles::Nothing).await;
            made.map_err(|error| (doing, error))?;
        }
        Ok(())
    }

    /// Waits until the environments that were asked for are initialised.
    async fn wait_until_provisioned(&self, name: &str, alias: Option<&str>) -> Result<(), ApplyError> {
        let started = Instant::now();
        let (mut pause, longest) = LOOK_PAUSES;
        loop {
            let config: Value = Companion::ProvisionedConcurrency.get(self.client, name, alias).await?;
            match config["Status"].as_str().unwrap_or_default() {
                "READY" => return Ok(()),
                state @ "FAILED" => {
                    let reason = config["StatusReason"].as_str().unwrap_or("no reason is given").to_owned();
                    return Err(ApplyError::Failed { state: state.to_owned(), reason });
                }
                _ => {}
            }
            self.check_interrupted()?;
            if started.elapsed() > SETTLE_LIMIT {
                return Err(ApplyError::Unsettled);
            }
            sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// Deletes a function. It cannot be taken back, and so comes after everything that can fail.
    pub(super) async fn delete(&mut self, name: &str) -> Result<(), ApplyError> {
        self.check_interrupted()?;
        match Request::delete(function_path(name, "")).send(self.client).await {
            Ok(_) | Err(ClientError::Refused { status: StatusCode::NOT_FOUND, .. }) => {
                // What was done before goes with it: it is what the template says.
                self.undo.clear();
                self.is_final = true;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

async fn versions(client: &Client, name: &str) -> Result<Vec<String>, ClientError> {
    let (mut versions, mut marker) = (Vec::new(), String::new());
    loop {
        let page: Value = client.get(&function_path(name, &format!("/versions{marker}"))).await?;
        let numbers = page["Versions"].as_array().into_iter().flatten();
        versions.extend(numbers.filter_map(|version| version["Version"].as_str().map(str::to_owned)));
        match page["NextMarker"].as_str().filter(|marker| !marker.is_empty()) {
            None => return Ok(versions),
            Some(next) => marker = format!("?Marker={}", escape(next)),
        }
    }
}

/// Waits until a function, or a version of it, is Active and nothing of it is being updated.
pub(crate) async fn settle(client: &Client, name: &str) -> Result<(), ApplyError> {
    wait(client, name, None).await
}

async fn wait(client: &Client, name: &str, interrupted: Option<&AtomicBool>) -> Result<(), ApplyError> {
    let started = Instant::now();
    let (mut pause, longest) = LOOK_PAUSES;
    loop {
        let configuration: Value = client.get(&function_path(name, "/configuration")).await?;
        let word = |member: &str| configuration[member].as_str().unwrap_or_default();
        for (member, reason) in [("State", "StateReason"), ("LastUpdateStatus", "LastUpdateStatusReason")] {
            if word(member) == "Failed" {
                return Err(ApplyError::Failed {
                    state: "Failed".to_owned(),
                    reason: word(reason).to_owned(),
                });
            }
        }
        if word("State") != "Pending" && word("LastUpdateStatus") != "InProgress" {
            return Ok(());
        }
        if interrupted.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
            return Err(ApplyError::Interrupted);
        }
        if started.elapsed() > SETTLE_LIMIT {
            return Err(ApplyError::Unsettled);
        }
        sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}

#[cfg(test)]
mod tests {
    use hearth_deploy::{Surroundings, Template};

    use super::*;
    use crate::client::tests::{run, scripted};

    #[test]
    fn an_interruption_takes_back_what_was_done() {
        let answers = &[("201 Created", "{}"), ("200 OK", r#"{"State":"Pending"}"#), ("204 No Content", "")];
        let (client, server) = scripted(answers);
        let template = "
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: f, Runtime: python3.11, Handler: h, CodeUri: src}
";
        let stack = Template::read(template).unwrap().resolve(&Surroundings::default()).unwrap();
        run(async {
            let mut applying = Applying::new(&client);
            applying.interrupted.store(true, Ordering::Relaxed);
            let done = applying.create(&stack.functions[0], b"zip", "shop").await;
            assert!(matches!(done, Err(ApplyError::Interrupted)), "{done:?}");
            assert_eq!(applying.take_back().await.undone, ["function `f`, which was new"]);
        });
        let asked = server.join().unwrap();
        let asked: Vec<&str> = asked.iter().map(|line| line.split(" HTTP").next().unwrap()).collect();
        assert_eq!(
            asked,
            [
                "POST /2015-03-31/functions",
                "GET /2015-03-31/functions/f/configuration",
                "DELETE /2015-03-31/functions/f"
            ]
        );
    }

    #[test]
    fn what_may_have_been_done_when_the_connection_broke_is_taken_back_too() {
        // An answer that is shorter than it says: nobody knows what became of the request.
        let answers = &[("201 Created\r\nContent-Length: 99", "{}"), ("404 Not Found", "{}")];
        let (client, server) = scripted(answers);
        run(async {
            let mut applying = Applying::new(&client);
            let (change, back) =
                (Request::new(Method::POST, "/a".into(), None), Request::delete("/a".into()));
            let done = applying.change(&change, "a".to_owned(), back, Settles::Nothing).await;
            assert!(matches!(done, Err(ApplyError::Client(ClientError::Broken { .. }))), "{done:?}");
            let undone = applying.take_back().await;
            assert_eq!((undone.undone, undone.left), (vec!["a".to_owned()], vec![]));
        });
        server.join().unwrap();
    }
}
