//! What a template means, resolved: the functions and layers as they are to be.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::event_sources;
use crate::finding::Finding;

/// Everything that a template asks for.
#[derive(Debug, Clone, Default)]
pub struct Stack {
    /// Layers, in the order of the template.
    pub layers: Vec<Layer>,
    /// Functions, in the order of the template.
    pub functions: Vec<Function>,
    /// Schedules that call functions, in the order of the template.
    pub schedules: Vec<Schedule>,
    /// Queues and streams that functions are fed from, in the order of the template.
    pub event_source_mappings: Vec<EventSourceMapping>,
    /// What Hearth cannot do: without it the functions would not be what the template says.
    pub unsupported: Vec<Finding>,
    /// What has no effect, and changes nothing about what functions do.
    pub notes: Vec<Finding>,
    /// Outputs that could be resolved.
    pub outputs: BTreeMap<String, String>,
}

/// Where something stands in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The name of its resource in the template.
    pub logical_id: String,
    /// The line, counted from 1.
    pub line: usize,
}

/// Where a deployment package comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// A folder or a file.
    Path {
        /// Where it is; relative paths are of the template's folder already.
        path: PathBuf,
        /// The line that names it.
        line: usize,
    },
    /// An object in a bucket of the server.
    Bucket {
        /// The bucket.
        bucket: String,
        /// The key of the object.
        key: String,
        /// Its version, if one is named.
        version: Option<String>,
        /// The line that names it.
        line: usize,
    },
    /// One file, whose text stands in the template.
    Inline {
        /// The name of the file.
        file_name: &'static str,
        /// Its text.
        text: String,
    },
}

/// A layer that is to be there.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Its resource.
    pub place: Place,
    /// Its name.
    pub name: String,
    /// Members of PublishLayerVersion without `Content`: `Description`, `CompatibleRuntimes`, …
    pub request: Map<String, Value>,
    /// Its package.
    pub code: Code,
}

/// A function that is to be there.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its resource.
    pub place: Place,
    /// Its name.
    pub name: String,
    /// Members of CreateFunction without `Code`, `Tags` and `Publish`; all that have a default have it.
    pub request: Map<String, Value>,
    /// Its package.
    pub code: Code,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The alias that is moved to what is deployed.
    pub alias: Option<Alias>,
    /// Members of PutFunctionEventInvokeConfig, and their line.
    pub event_invoke_config: Option<(usize, Map<String, Value>)>,
    /// Reserved concurrency, and its line.
    pub reserved_concurrency: Option<(usize, u64)>,
    /// Provisioned concurrency of the alias, and its line.
    pub provisioned_concurrency: Option<(usize, u64)>,
    /// `Allow` or `Terminate`, and its line.
    pub recursive_loop: Option<(usize, String)>,
    /// Its function URL.
    pub url: Option<Url>,
}

/// `AutoPublishAlias`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// Its line.
    pub line: usize,
    /// Its name.
    pub name: String,
    /// The description of versions that are published for it.
    pub version_description: Option<String>,
}

/// `FunctionUrlConfig`.
#[derive(Debug, Clone, PartialEq)]
pub struct Url {
    /// Its line.
    pub line: usize,
    /// Members of CreateFunctionUrlConfig.
    pub request: Map<String, Value>,
}

/// A schedule that is to be there.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Its resource, or the function's with the name of its event; and the line of its expression.
    pub place: Place,
    /// The group that it is in.
    pub group: String,
    /// Whether that is the stack's own group, which is made when it is missing.
    pub is_own_group: bool,
    /// Its name.
    pub name: String,
    /// Members of CreateSchedule without `GroupName`; all that have a default have it.
    pub request: Map<String, Value>,
}

/// A queue or a stream that a function is to be fed from.
#[derive(Debug, Clone, PartialEq)]
pub struct EventSourceMapping {
    /// Its resource, or the function's with the name of its event.
    pub place: Place,
    /// The function, with the alias if there is one.
    pub function_arn: String,
    /// The queue or the stream.
    pub source_arn: String,
    /// `StartingPosition` and `StartingPositionTimestamp` of a stream; they can be said only of a new mapping.
    pub starting: Map<String, Value>,
    /// Members of UpdateEventSourceMapping without `FunctionName`; all that have a default have it.
    pub request: Map<String, Value>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl EventSourceMapping {
    /// Returns the members that such a mapping has when nobody says anything of it.
    pub fn defaults(&self) -> Map<String, Value> {
        event_sources::defaults(&self.source_arn)
    }
}
