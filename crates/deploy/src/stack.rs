//! What a template means, resolved: the functions and layers as they are to be.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value};

use crate::finding::Finding;

/// Everything that a template asks for.
#[derive(Debug, Clone, Default)]
pub struct Stack {
    /// Layers, in the order of the template.
    pub layers: Vec<Layer>,
    /// Functions, in the order of the template.
    pub functions: Vec<Function>,
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
