//! Wire types from the AWS service model: which operations there are, the shapes of those that Hearth implements, and
//! for every operation where its input stands in a request and which constraints the model puts on it.
//!
//! The model is the one that the Python package `botocore` carries, in the version that `tests/clients/requirements.txt`
//! names. The generated files are checked in; `cargo xtask test` says when they are not current.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::{command, output, run, workspace};
use crate::python;

/// The operations whose shapes are generated.
const IMPLEMENTED: &[&str] = &[
    "AddLayerVersionPermission",
    "AddPermission",
    "CheckpointDurableExecution",
    "CreateAlias",
    "CreateCodeSigningConfig",
    "CreateEventSourceMapping",
    "CreateFunction",
    "CreateFunctionUrlConfig",
    "DeleteAlias",
    "DeleteCodeSigningConfig",
    "DeleteDurableExecution",
    "DeleteEventSourceMapping",
    "DeleteFunction",
    "DeleteFunctionCodeSigningConfig",
    "DeleteFunctionConcurrency",
    "DeleteFunctionEventInvokeConfig",
    "DeleteFunctionUrlConfig",
    "DeleteLayerVersion",
    "DeleteProvisionedConcurrencyConfig",
    "DeleteResourcePolicy",
    "GetAccountSettings",
    "GetAlias",
    "GetCodeSigningConfig",
    "GetDurableExecution",
    "GetDurableExecutionHistory",
    "GetDurableExecutionState",
    "GetEventSourceMapping",
    "GetFunction",
    "GetFunctionCodeSigningConfig",
    "GetFunctionConcurrency",
    "GetFunctionConfiguration",
    "GetFunctionEventInvokeConfig",
    "GetFunctionRecursionConfig",
    "GetFunctionUrlConfig",
    "GetLayerVersion",
    "GetLayerVersionByArn",
    "GetLayerVersionPolicy",
    "GetPolicy",
    "GetProvisionedConcurrencyConfig",
    "GetResourcePolicy",
    "GetRuntimeManagementConfig",
    "Invoke",
    "ListAliases",
    "ListCodeSigningConfigs",
    "ListDurableExecutionsByFunction",
    "ListEventSourceMappings",
    "ListFunctionEventInvokeConfigs",
    "ListFunctionUrlConfigs",
    "ListFunctions",
    "ListFunctionsByCodeSigningConfig",
    "ListLayerVersions",
    "ListLayers",
    "ListProvisionedConcurrencyConfigs",
    "ListTags",
    "ListVersionsByFunction",
    "PauseDurableExecution",
    "PublishLayerVersion",
    "PublishVersion",
    "PutFunctionCodeSigningConfig",
    "PutFunctionConcurrency",
    "PutFunctionEventInvokeConfig",
    "PutFunctionRecursionConfig",
    "PutProvisionedConcurrencyConfig",
    "PutResourcePolicy",
    "PutRuntimeManagementConfig",
    "RemoveLayerVersionPermission",
    "RemovePermission",
    "ResumeDurableExecution",
    "SendDurableExecutionCallbackFailure",
    "SendDurableExecutionCallbackHeartbeat",
    "SendDurableExecutionCallbackSuccess",
    "StopDurableExecution",
    "TagResource",
    "UntagResource",
    "UpdateAlias",
    "UpdateCodeSigningConfig",
    "UpdateEventSourceMapping",
    "UpdateFunctionCode",
    "UpdateFunctionConfiguration",
    "UpdateFunctionEventInvokeConfig",
    "UpdateFunctionUrlConfig",
];

/// The shape of timestamps in bodies.
const DATE: &str = "Date";

/// Enumerations that the service checks itself, with a text of its own, and not the framework in front of it.
const CHECKED_BY_THE_SERVICE: &[&str] = &["Runtime"];

/// Structures of which AWS writes every member, `null` for what is not set. Source: recorded answers, read 2026-11.
const WITH_NULLS: &[&str] =
    &["EnvironmentResponse", "FunctionConfiguration", "LoggingConfig", "RuntimeVersionConfig"];

/// Enumerations whose words AWS lists in another order than the model. Source: recorded answers, read 2026-11.
const RECORDED_ORDERS: &[(&str, &[&str])] = &[
    ("EventSourcePosition", &["LATEST", "AT_TIMESTAMP", "TRIM_HORIZON"]),
    ("InvokeMode", &["RESPONSE_STREAM", "BUFFERED"]),
    ("RecursiveLoop", &["Terminate", "Allow"]),
];

/// Members keep the model's order, in which AWS reports what is wrong with them: a JSON object here would sort them.
const MODEL: &str = "
import botocore.loaders, json, botocore
model = botocore.loaders.Loader().load_service_model('lambda', 'service-2', '2015-03-31')
for shape in model['shapes'].values():
    shape['memberOrder'] = list(shape.get('members', {}))
json.dump({'version': botocore.__version__, 'model': model}, __import__('sys').stdout)
";

/// Writes the generated files, or checks that they are current.
pub(crate) fn codegen(check: bool) -> Result<()> {
    let text = output(python::python()?.command().args(["-c", MODEL]))?;
    let loaded: Value = serde_json::from_str(&text).context("the service model is no JSON")?;
    let version = loaded["version"].as_str().context("the model has no version")?.to_owned();
    let generator = Generator { model: &loaded["model"], version };
    let folder = workspace().join("crates/lambda-api/src/generated");
    fs::create_dir_all(&folder)?;
    let scratch = workspace().join("target/codegen");
    fs::create_dir_all(&scratch)?;
    for (name, text) in [
        ("operations.rs", generator.operations()?),
        ("shapes.rs", generator.shapes()?),
        ("constraints.rs", generator.constraints()?),
    ] {
        // Formatted aside, so that a check changes nothing and an error leaves the old file.
        let formatted = scratch.join(name);
        fs::write(&formatted, text)?;
        run(command("rustfmt")
            .args(["--edition", "2024", "--config-path"])
            .arg(workspace())
            .arg(&formatted))?;
        let formatted = fs::read_to_string(&formatted)?;
        keep(&folder.join(name), &formatted, check)?;
    }
    let docs = workspace().join("docs");
    fs::create_dir_all(&docs)?;
    keep(&docs.join("operations.md"), &generator.page()?, check)
}

/// Writes a generated file, or checks that it is current.
fn keep(path: &Path, text: &str, check: bool) -> Result<()> {
    let current = fs::read_to_string(path).unwrap_or_default();
    match (text == current, check) {
        (true, _) => Ok(()),
        (false, true) => bail!("`{}` is not current; run `cargo xtask codegen`", path.display()),
        (false, false) => Ok(fs::write(path, text)?),
    }
}

/// Returns the operations that are answered: those that `lambda-api` names where it hands requests out.
fn answered() -> Result<BTreeSet<String>> {
    let path = workspace().join("crates/lambda-api/src/lib.rs");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let (_, rest) = text.split_once("match call.operation.name {").context("no operation is handed out")?;
    let (arms, _) =
        rest.split_once("other =>").context("nothing answers the operations that are not built")?;
    let quoted = arms.split('"').skip(1).step_by(2);
    // Invoke has a route of its own, because it counts.
    Ok(quoted.map(str::to_owned).chain(["Invoke".to_owned()]).collect())
}

struct Generator<'a> {
    model: &'a Value,
    version: String,
}

impl Generator<'_> {
    fn head(&self, what: &str) -> String {
        format!(
            "//! {what}\n//!\n//! Generated by `cargo xtask codegen` from the AWS service model of Lambda (2015-03-31) in botocore \
             {}. Do not edit.\n\n",
            self.version
        )
    }

    fn operations(&self) -> Result<String> {
        let mut text = self.head("Every operation of the Lambda API, implemented or not.");
        text.push_str("use super::{Operation, constraints};\n\n");
        text.push_str("/// In alphabetical order.\npub(crate) static OPERATIONS: &[Operation] = &[\n");
        let operations = self.model["operations"].as_object().context("the model has no operations")?;
        for (name, operation) in operations {
            let http = &operation["http"];
            let uri = text_of(&http["requestUri"])?;
            let (path, query) = uri.split_once('?').map_or((uri, None), |(path, query)| (path, Some(query)));
            writeln!(
                text,
                "Operation {{ name: {name:?}, method: {:?}, path: {path:?}, query: {query:?}, input: &constraints::{} }},",
                text_of(&http["method"])?,
                constant(text_of(&operation["input"]["shape"])?)
            )?;
        }
        text.push_str("];\n");
        Ok(text)
    }

    /// The page that says which operations there are.
    fn page(&self) -> Result<String> {
        let operations = self.model["operations"].as_object().context("the model has no operations")?;
        let answered = answered()?;
        let unknown: Vec<&String> = answered.iter().filter(|name| !operations.contains_key(*name)).collect();
        if !unknown.is_empty() {
            bail!("the model has no {unknown:?}");
        }
        let mut text = format!(
            "<!-- Generated by `cargo xtask codegen`. Do not edit. -->\n\n# Operations\n\nThe Lambda API has {} operations \
             (service model 2015-03-31 in botocore {}). Hearth answers {} of them. Each of the others is routed, too, and is \
             refused with status 501 and a `NotImplementedException` that names it; SDKs do not try again.\n\n\
             | operation | request | Hearth |\n|---|---|---|\n",
            operations.len(),
            self.version,
            answered.len()
        );
        for (name, operation) in operations {
            let http = &operation["http"];
            let state = if answered.contains(name) { "yes" } else { "not yet" };
            let (method, uri) = (text_of(&http["method"])?, text_of(&http["requestUri"])?);
            writeln!(text, "| {name} | `{method} {uri}` | {state} |")?;
        }
        Ok(text)
    }

    fn shape(&self, name: &str) -> Result<&Value> {
        self.model["shapes"].get(name).with_context(|| format!("the model has no shape `{name}`"))
    }

    /// The structures that the implemented operations read and write.
    fn structures(&self) -> Result<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        for operation in IMPLEMENTED {
            for side in ["input", "output"] {
                if let Some(name) = self.model["operations"][operation][side]["shape"].as_str() {
                    self.collect(name, &mut found)?;
                }
            }
        }
        Ok(found)
    }

    fn collect(&self, name: &str, found: &mut BTreeSet<String>) -> Result<()> {
        let shape = self.shape(name)?;
        if shape["type"] == "structure" && !found.insert(name.to_owned()) {
            return Ok(());
        }
        for member in members(shape) {
            self.collect(text_of(&member.1["shape"])?, found)?;
        }
        for part in ["member", "key", "value"] {
            if let Some(part) = shape[part]["shape"].as_str() {
                self.collect(part, found)?;
            }
        }
        Ok(())
    }

    fn shapes(&self) -> Result<String> {
        let mut text =
            self.head("The shapes that the implemented operations read and write, as they are in JSON.");
        text.push_str("use std::collections::BTreeMap;\n\nuse serde::{Deserialize, Serialize};\n\n");
        for name in self.structures()? {
            let shape = self.shape(&name)?;
            writeln!(text, "/// `{name}` of the model.")?;
            text.push_str("#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]\n");
            writeln!(text, "#[serde(default)]\npub(crate) struct {name} {{")?;
            for (member, member_shape) in members(shape) {
                let wire = member_shape["locationName"].as_str().unwrap_or(member);
                // Members that are not in the body keep their own name.
                let wire = if member_shape.get("location").is_some() { member } else { wire };
                if WITH_NULLS.contains(&&*name) {
                    writeln!(text, "#[serde(rename = {wire:?})]")?;
                } else {
                    writeln!(text, "#[serde(rename = {wire:?}, skip_serializing_if = \"Option::is_none\")]")?;
                }
                let kind = self.rust_type(text_of(&member_shape["shape"])?)?;
                writeln!(text, "pub(crate) {}: Option<{kind}>,", field(member))?;
            }
            text.push_str("}\n\n");
        }
        Ok(text)
    }

    fn rust_type(&self, name: &str) -> Result<String> {
        let shape = self.shape(name)?;
        Ok(match text_of(&shape["type"])? {
            // Dates stand in bodies, as seconds since 1970.
            "timestamp" if name == DATE => "f64".to_owned(),
            "string" | "blob" | "timestamp" => "String".to_owned(),
            "integer" | "long" => "i64".to_owned(),
            "float" | "double" => "f64".to_owned(),
            "boolean" => "bool".to_owned(),
            "list" => format!("Vec<{}>", self.rust_type(text_of(&shape["member"]["shape"])?)?),
            "map" => format!("BTreeMap<String, {}>", self.rust_type(text_of(&shape["value"]["shape"])?)?),
            "structure" => name.to_owned(),
            other => bail!("the shape `{name}` has the unknown type `{other}`"),
        })
    }

    fn constraints(&self) -> Result<String> {
        let mut text = self.head("What the model asks of the input of every operation, implemented or not.");
        text.push_str("use super::{Location, Member, Shape};\n\n");
        let mut inputs = BTreeSet::new();
        let mut all = BTreeSet::new();
        for operation in self.model["operations"].as_object().context("the model has no operations")?.values()
        {
            let name = text_of(&operation["input"]["shape"])?;
            inputs.insert(name.to_owned());
            self.collect_all(name, &mut all)?;
        }
        for name in &all {
            let visibility = if inputs.contains(name) { "pub(crate) " } else { "" };
            let kind = self.constraint(name)?;
            writeln!(text, "{visibility}static {}: Shape = {kind};", constant(name))?;
        }
        Ok(text)
    }

    fn collect_all(&self, name: &str, found: &mut BTreeSet<String>) -> Result<()> {
        if !found.insert(name.to_owned()) {
            return Ok(());
        }
        let shape = self.shape(name)?;
        for member in members(shape) {
            self.collect_all(text_of(&member.1["shape"])?, found)?;
        }
        for part in ["member", "key", "value"] {
            if let Some(part) = shape[part]["shape"].as_str() {
                self.collect_all(part, found)?;
            }
        }
        Ok(())
    }

    /// The words of an enumeration, in the order in which AWS lists them.
    fn words<'b>(&self, name: &str, shape: &'b Value) -> Vec<&'b str> {
        if CHECKED_BY_THE_SERVICE.contains(&name) {
            return Vec::new();
        }
        let words = shape["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut words: Vec<&str> = words.collect();
        if let Some((_, recorded)) = RECORDED_ORDERS.iter().find(|(of, _)| *of == name) {
            // A word that was added since then comes last.
            words.sort_by_key(|word| {
                recorded.iter().position(|known| known == word).unwrap_or(recorded.len())
            });
        }
        words
    }

    /// Whether values of a shape are not shown. Members of structures are asked for themselves.
    fn is_sensitive(&self, name: &str) -> Result<bool> {
        let shape = self.shape(name)?;
        let mut sensitive = shape["sensitive"] == true;
        for part in ["member", "key", "value"] {
            if let Some(part) = shape[part]["shape"].as_str() {
                sensitive |= self.is_sensitive(part)?;
            }
        }
        Ok(sensitive)
    }

    fn constraint(&self, name: &str) -> Result<String> {
        let shape = self.shape(name)?;
        let number = |key: &str| format!("{:?}", shape[key].as_i64());
        let real = |key: &str| format!("{:?}", shape[key].as_f64());
        let reference =
            |part: &str| -> Result<String> { Ok(format!("&{}", constant(text_of(&shape[part]["shape"])?))) };
        Ok(match text_of(&shape["type"])? {
            "timestamp" if name == DATE => "Shape::Double { min: None, max: None }".to_owned(),
            "string" | "timestamp" => {
                let pattern = shape["pattern"].as_str();
                let words = self.words(name, shape);
                format!(
                    "Shape::String {{ min: {}, max: {}, pattern: {pattern:?}, words: &{words:?} }}",
                    number("min"),
                    number("max")
                )
            }
            "blob" => "Shape::Blob".to_owned(),
            "integer" | "long" => {
                format!("Shape::Integer {{ min: {}, max: {} }}", number("min"), number("max"))
            }
            "float" | "double" => format!("Shape::Double {{ min: {}, max: {} }}", real("min"), real("max")),
            "boolean" => "Shape::Boolean".to_owned(),
            "list" => format!(
                "Shape::List {{ min: {}, max: {}, member: {} }}",
                number("min"),
                number("max"),
                reference("member")?
            ),
            "map" => format!(
                "Shape::Map {{ min: {}, max: {}, key: {}, value: {} }}",
                number("min"),
                number("max"),
                reference("key")?,
                reference("value")?
            ),
            "structure" => {
                let required: Vec<&str> =
                    shape["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                let mut text = "Shape::Structure(&[".to_owned();
                for (member, member_shape) in members(shape) {
                    write!(
                        text,
                        "Member {{ name: {member:?}, required: {}, sensitive: {}, location: {}, shape: &{} }},",
                        required.contains(&member),
                        self.is_sensitive(text_of(&member_shape["shape"])?)?,
                        location(shape, member, member_shape)?,
                        constant(text_of(&member_shape["shape"])?)
                    )?;
                }
                text + "])"
            }
            other => bail!("the shape `{name}` has the unknown type `{other}`"),
        })
    }
}

/// Where a member stands in a request.
fn location(shape: &Value, member: &str, member_shape: &Value) -> Result<String> {
    let name = member_shape["locationName"].as_str().unwrap_or(member);
    Ok(match member_shape["location"].as_str() {
        Some("uri") => "Location::Path".to_owned(),
        Some("querystring") => format!("Location::Query({name:?})"),
        // As the `http` crate spells the names of headers.
        Some("header") => format!("Location::Header({:?})", name.to_lowercase()),
        None if shape["payload"] == member => "Location::Payload".to_owned(),
        None if name == member => "Location::Body".to_owned(),
        other => bail!("the member `{member}` is at `{name}` of the unknown place {other:?}"),
    })
}

/// The members of a structure, in the order of the model.
fn members(shape: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let order = shape["memberOrder"].as_array().into_iter().flatten().filter_map(Value::as_str);
    order.map(|name| (name, &shape["members"][name]))
}

fn text_of(value: &Value) -> Result<&str> {
    value.as_str().with_context(|| format!("the model has `{value}` where a text should be"))
}

/// `KMSKeyArn` -> `kms_key_arn`.
/// The name of a field: a word of Rust's own has to be marked.
fn field(member: &str) -> String {
    let name = snake_case(member);
    if name == "type" { format!("r#{name}") } else { name }
}

fn snake_case(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    let mut text = String::new();
    for (at, character) in characters.iter().enumerate() {
        let after_small = at > 0 && !characters[at - 1].is_uppercase();
        let before_small = at > 0 && characters.get(at + 1).is_some_and(|next| next.is_lowercase());
        if character.is_uppercase() && (after_small || before_small) {
            text.push('_');
        }
        text.extend(character.to_lowercase());
    }
    if text == "type" { "r#type".to_owned() } else { text }
}

/// `KMSKeyArn` -> `KMS_KEY_ARN`.
fn constant(name: &str) -> String {
    snake_case(name).to_uppercase()
}
