//! What a server has now of what a template asks for, and the requests that ask it.

use std::collections::BTreeMap;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hearth_deploy::{Code, Function};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::client::{Answer, Client, ClientError, escape};

/// The tag that says which stack a function is of. Names that begin with `aws:` are AWS's own.
pub(super) const STACK_TAG: &str = "hearth:stack";

/// A request that changes something.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<Value>,
}

impl Request {
    pub(super) fn new(method: Method, path: String, body: Option<Value>) -> Self {
        Self { method, path, body }
    }

    pub(super) fn delete(path: String) -> Self {
        Self::new(Method::DELETE, path, None)
    }

    pub(super) async fn send(&self, client: &Client) -> Result<Answer, ClientError> {
        let body = self.body.as_ref().map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        client.send(self.method.clone(), &self.path, &[], body).await
    }

    /// Sends it and reads the document that comes back.
    pub(super) async fn ask(&self, client: &Client) -> Result<Value, ClientError> {
        client.read(&self.send(client).await?.body)
    }
}

/// The path of a function, or of something of it.
pub(super) fn function_path(name: &str, rest: &str) -> String {
    format!("/2015-03-31/functions/{}{rest}", escape(name))
}

pub(super) fn tags_path(arn: &str) -> String {
    format!("/2017-03-31/tags/{}", escape(arn))
}

pub(super) fn layer_path(name: &str, rest: &str) -> String {
    format!("/2018-10-31/layers/{}/versions{rest}", escape(name))
}

fn with_qualifier(path: String, alias: Option<&str>) -> String {
    alias.map_or_else(|| path.clone(), |alias| format!("{path}?Qualifier={}", escape(alias)))
}

/// Something that a function has beside its configuration: each is one document behind operations of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Companion {
    ReservedConcurrency,
    EventInvokeConfig,
    ProvisionedConcurrency,
    RecursionConfig,
    /// A URL of `AuthType` NONE is open by itself: it needs no statement in a resource policy.
    Url,
}

impl Companion {
    pub(super) const ALL: [Self; 5] = [
        Self::ReservedConcurrency,
        Self::RecursionConfig,
        Self::EventInvokeConfig,
        Self::ProvisionedConcurrency,
        Self::Url,
    ];

    /// How templates call it.
    pub(super) fn property(self) -> &'static str {
        match self {
            Self::ReservedConcurrency => "ReservedConcurrentExecutions",
            Self::EventInvokeConfig => "EventInvokeConfig",
            Self::ProvisionedConcurrency => "ProvisionedConcurrencyConfig",
            Self::RecursionConfig => "RecursiveLoop",
            Self::Url => "FunctionUrlConfig",
        }
    }

    /// Whether it is of the alias, if the function has one, and not of the function.
    pub(super) fn is_of_alias(self) -> bool {
        matches!(self, Self::EventInvokeConfig | Self::ProvisionedConcurrency | Self::Url)
    }

    fn path(self, name: &str, alias: Option<&str>, method: &Method) -> String {
        let name = escape(name);
        let alias = alias.filter(|_| self.is_of_alias());
        match self {
            // The three operations have two dates.
            Self::ReservedConcurrency if method == Method::GET => {
                format!("/2019-09-30/functions/{name}/concurrency")
            }
            Self::ReservedConcurrency => format!("/2017-10-31/functions/{name}/concurrency"),
            Self::EventInvokeConfig => {
                with_qualifier(format!("/2019-09-25/functions/{name}/event-invoke-config"), alias)
            }
            Self::ProvisionedConcurrency => {
                with_qualifier(format!("/2019-09-30/functions/{name}/provisioned-concurrency"), alias)
            }
            Self::RecursionConfig => format!("/2024-08-31/functions/{name}/recursion-config"),
            Self::Url => with_qualifier(format!("/2021-10-31/functions/{name}/url"), alias),
        }
    }

    /// The request that makes it so. A URL that is there is changed by another method than a new one is made.
    pub(super) fn put(self, name: &str, alias: Option<&str>, body: Value, is_there: bool) -> Request {
        let method = if self == Self::Url && !is_there { Method::POST } else { Method::PUT };
        Request::new(method.clone(), self.path(name, alias, &method), Some(body))
    }

    pub(super) fn delete(self, name: &str, alias: Option<&str>) -> Option<Request> {
        match self {
            // It cannot be taken away: what is said of nobody is the default.
            Self::RecursionConfig => None,
            _ => Some(Request::delete(self.path(name, alias, &Method::DELETE))),
        }
    }

    /// Asks for the whole document.
    pub(super) async fn get(
        self,
        client: &Client,
        name: &str,
        alias: Option<&str>,
    ) -> Result<Value, ClientError> {
        client.get(&self.path(name, alias, &Method::GET)).await
    }

    /// Reads it: only the members that can be set, and nothing where nothing is set.
    async fn read(self, client: &Client, name: &str, alias: Option<&str>) -> Result<Found, ClientError> {
        let document = match self.get(client, name, alias).await {
            Ok(document) => document,
            Err(ClientError::Refused { status: StatusCode::NOT_FOUND, .. }) => return Ok(Found::Nothing),
            Err(ClientError::Refused { status: StatusCode::NOT_IMPLEMENTED, .. }) => {
                return Ok(Found::NotImplemented);
            }
            Err(error) => return Err(error),
        };
        let mut members = Map::new();
        let settable: &[(&str, &str)] = match self {
            Self::ReservedConcurrency => &[("ReservedConcurrentExecutions", "ReservedConcurrentExecutions")],
            Self::EventInvokeConfig => &[
                ("MaximumEventAgeInSeconds", "MaximumEventAgeInSeconds"),
                ("MaximumRetryAttempts", "MaximumRetryAttempts"),
                ("DestinationConfig", "DestinationConfig"),
            ],
            // What was asked for is told under another name than it is asked under.
            Self::ProvisionedConcurrency => {
                &[("RequestedProvisionedConcurrentExecutions", "ProvisionedConcurrentExecutions")]
            }
            Self::RecursionConfig => &[("RecursiveLoop", "RecursiveLoop")],
            Self::Url => &[("AuthType", "AuthType"), ("Cors", "Cors"), ("InvokeMode", "InvokeMode")],
        };
        for (told, asked) in settable {
            let value = without_nothing(&document[*told]);
            if !value.is_null() {
                members.insert((*asked).to_owned(), value);
            }
        }
        if members.is_empty() { Ok(Found::Nothing) } else { Ok(Found::There(members)) }
    }
}

/// Leaves out members that are null or have nothing in them: they mean the same as members that are not there.
pub(super) fn without_nothing(value: &Value) -> Value {
    let Value::Object(members) = value else { return value.clone() };
    let members = members.iter().map(|(name, value)| (name.clone(), without_nothing(value)));
    let members: Map<String, Value> = members
        .filter(|(_, value)| match value {
            Value::Null => false,
            Value::Array(items) => !items.is_empty(),
            Value::Object(members) => !members.is_empty(),
            _ => true,
        })
        .collect();
    if members.is_empty() { Value::Null } else { Value::Object(members) }
}

/// What a server says of something.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found {
    There(Map<String, Value>),
    Nothing,
    NotImplemented,
}

/// A function as it is now.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// `None`: there is no such function.
    pub(super) function: Option<KnownFunction>,
    pub(super) companions: BTreeMap<Companion, Found>,
}

#[derive(Debug, Clone)]
pub(super) struct KnownFunction {
    pub(super) configuration: Value,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) code_location: String,
    /// The alias that is meant, if it is there, and the configuration of the version that it leads to.
    pub(super) alias: Option<(Value, Value)>,
}

/// Asks for a document that need not be there.
pub(super) async fn optional(client: &Client, path: &str) -> Result<Option<Value>, ClientError> {
    match client.get(path).await {
        Ok(document) => Ok(Some(document)),
        Err(ClientError::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn tags(document: &Value) -> BTreeMap<String, String> {
    let tags = document["Tags"].as_object().into_iter().flatten();
    tags.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// Asks for a function and everything beside it.
pub(super) async fn known(client: &Client, name: &str, alias: Option<&str>) -> Result<Known, ClientError> {
    let mut known = Known::default();
    if let Some(document) = optional(client, &function_path(name, "")).await? {
        let mut alias_of = None;
        if let Some(alias) = alias
            && let Some(there) =
                optional(client, &function_path(name, &format!("/aliases/{}", escape(alias)))).await?
        {
            let path = function_path(name, &format!("/configuration?Qualifier={}", escape(alias)));
            alias_of = Some((there, client.get(&path).await?));
        }
        known.function = Some(KnownFunction {
            tags: tags(&document),
            code_location: document["Code"]["Location"].as_str().unwrap_or_default().to_owned(),
            configuration: document["Configuration"].clone(),
            alias: alias_of,
        });
    }
    for companion in Companion::ALL {
        // Without an alias there is nothing that could have provisioned concurrency.
        if companion == Companion::ProvisionedConcurrency && alias.is_none() {
            known.companions.insert(companion, Found::Nothing);
            continue;
        }
        known.companions.insert(companion, companion.read(client, name, alias).await?);
    }
    Ok(known)
}

/// Returns the URL of a function.
pub(super) async fn function_url(
    client: &Client,
    function: &Function,
) -> Result<Option<String>, ClientError> {
    let alias = function.alias.as_ref().map(|alias| alias.name.as_str());
    match Companion::Url.get(client, &function.name, alias).await {
        Ok(config) => Ok(config["FunctionUrl"].as_str().map(str::to_owned)),
        // Nobody insists on it, when what is not implemented is skipped.
        Err(ClientError::Refused { status: StatusCode::NOT_FOUND | StatusCode::NOT_IMPLEMENTED, .. }) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Gets a package from a bucket of the server.
pub(super) async fn object(
    client: &Client,
    bucket: &str,
    key: &str,
    version: Option<&str>,
) -> anyhow::Result<Vec<u8>> {
    let escaped: Vec<String> = key.split('/').map(|part| escape(part).to_string()).collect();
    let version = version.map_or_else(String::new, |version| format!("?versionId={}", escape(version)));
    let path = format!("/{}/{}{version}", escape(bucket), escaped.join("/"));
    let object = client.get_object(&path).await;
    let object = object.with_context(|| format!("cannot get `s3://{bucket}/{key}` from the server"))?;
    Ok(object.to_vec())
}

/// Returns a package as a request names it: with its bytes, or where it is in a bucket.
pub(super) fn package_members(code: &Code, zip: &[u8]) -> Map<String, Value> {
    let members = match code {
        Code::Bucket { bucket, key, version, .. } => {
            json!({ "S3Bucket": bucket, "S3Key": key, "S3ObjectVersion": version })
        }
        Code::Path { .. } | Code::Inline { .. } => json!({ "ZipFile": STANDARD.encode(zip) }),
    };
    let members = members.as_object().into_iter().flatten();
    members.filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Returns the versions of a layer, the newest first; not more than AWS lists on one page.
pub(super) async fn layer_versions(client: &Client, name: &str) -> Result<Vec<Value>, ClientError> {
    let list = optional(client, &layer_path(name, "")).await?.unwrap_or_default();
    let mut versions = Vec::new();
    for listed in list["LayerVersions"].as_array().into_iter().flatten() {
        let Some(version) = listed["Version"].as_u64() else { continue };
        // Deleted by somebody else in the meantime: then it is none.
        versions.extend(optional(client, &layer_path(name, &format!("/{version}"))).await?);
    }
    Ok(versions)
}

/// Returns the functions of a stack, by name with their ARN, apart from those that are named.
pub(super) async fn others_of_stack(
    client: &Client,
    stack: &str,
    named: &[&str],
) -> Result<Vec<String>, ClientError> {
    let mut others = Vec::new();
    for function in crate::functions::list(client).await? {
        let (Some(name), Some(arn)) = (function["FunctionName"].as_str(), function["FunctionArn"].as_str())
        else {
            continue;
        };
        if named.contains(&name) {
            continue;
        }
        // Deleted by somebody else in the meantime: then it is not of the stack any more.
        let Some(document) = optional(client, &tags_path(arn)).await? else { continue };
        if tags(&document).get(STACK_TAG).is_some_and(|of| of == stack) {
            others.push(name.to_owned());
        }
    }
    Ok(others)
}

/// Finds out the region and account of the server: both stand in the ARN of a function, also in AWS's words for one that is not
/// there.
pub(super) async fn region_and_account(
    client: &Client,
    function: &str,
) -> Result<Option<(String, String)>, ClientError> {
    let text = match client.get::<Value>(&function_path(function, "/configuration")).await {
        Ok(document) => document["FunctionArn"].as_str().unwrap_or_default().to_owned(),
        Err(ClientError::Refused { status: StatusCode::NOT_FOUND, message }) => message,
        Err(error) => return Err(error),
    };
    let Some((_, arn)) = text.split_once("arn:aws:lambda:") else { return Ok(None) };
    let mut parts = arn.split(':');
    Ok(parts.next().zip(parts.next()).map(|(region, account)| (region.to_owned(), account.to_owned())))
}
