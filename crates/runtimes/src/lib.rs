//! STUB
#![allow(missing_docs, dead_code, unused)]
use std::{collections::BTreeMap, ffi::OsString, path::{Path, PathBuf}};
use hearth_types::*;
pub struct Credentials;
pub struct BootRequest<'a> { pub runtime: Runtime, pub code_root: &'a Path, pub handler: &'a str, pub user_variables: Option<&'a BTreeMap<String,String>>, pub function_name: &'a FunctionName, pub version: Version, pub memory: MemoryMb, pub log_group: &'a LogGroupName, pub log_stream: &'a LogStreamName, pub region: &'a Region, pub runtime_api: &'a str, pub initialization_type: InitializationType, pub log_format: LogFormat, pub log_level: Option<LogLevel>, pub credentials: Option<&'a Credentials>, pub log_fd: Option<i32> }
pub struct BootCommand { pub program: PathBuf, pub args: Vec<OsString>, pub environment: Vec<(OsString, OsString)>, pub working_directory: PathBuf }
pub struct BootError { pub error_type: String, pub message: String }
pub struct RuntimeVersion { pub name: String }
impl RuntimeVersion { pub fn arn(&self, r: &Region) -> String { String::new() } }
pub struct Runtimes;
impl Runtimes { pub fn command(&self, r: &BootRequest<'_>) -> Result<BootCommand, BootError> { todo!() } pub fn runtime_version(&self, r: Runtime) -> Option<RuntimeVersion> { None } }
