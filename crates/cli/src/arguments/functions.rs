//! What can be said to `hearth functions`: the AWS CLI's words for the same.

use clap::{Args, Subcommand};

use super::{FunctionArgument, ListArguments, parameter_override};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct FunctionsArguments {
    #[command(subcommand)]
    pub(crate) command: Option<FunctionsCommand>,
    #[command(flatten)]
    pub(crate) list: ListArguments,
}

impl FunctionsArguments {
    /// Returns which server is asked and in which form it is told, wherever on the command line that was said.
    pub(crate) fn list(&self) -> &ListArguments {
        match &self.command {
            None => &self.list,
            Some(FunctionsCommand::List(list)) => list,
            Some(FunctionsCommand::Create(arguments)) => &arguments.list,
            Some(FunctionsCommand::Get(arguments) | FunctionsCommand::Delete(arguments)) => &arguments.list,
            Some(FunctionsCommand::UpdateCode(arguments)) => &arguments.list,
            Some(FunctionsCommand::UpdateConfiguration(arguments)) => &arguments.list,
            Some(FunctionsCommand::PublishVersion(arguments)) => &arguments.list,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum FunctionsCommand {
    /// List the functions
    List(ListArguments),
    /// Show a function
    Get(OneFunctionArguments),
    /// Create a function and wait until it is Active
    Create(CreateArguments),
    /// Delete a function, or with --qualifier a version of it
    Delete(OneFunctionArguments),
    /// Replace the code of a function and wait until that is done
    UpdateCode(UpdateCodeArguments),
    /// Change the configuration of a function and wait until that is done
    UpdateConfiguration(UpdateConfigurationArguments),
    /// Publish what $LATEST is now as a version
    PublishVersion(PublishVersionArguments),
}

#[derive(Debug, Args)]
pub(crate) struct OneFunctionArguments {
    #[command(flatten)]
    pub(crate) function: FunctionArgument,
    /// A version or an alias
    #[arg(long, value_name = "VERSION|ALIAS")]
    pub(crate) qualifier: Option<String>,
    #[command(flatten)]
    pub(crate) list: ListArguments,
}

#[derive(Debug, Args)]
pub(crate) struct CreateArguments {
    #[command(flatten)]
    pub(crate) function: FunctionArgument,
    /// A zip, a file or a folder, which is zipped
    #[arg(long, value_name = "PATH")]
    pub(crate) zip_file: String,
    /// Tags, such as team=web,stage=test
    #[arg(long, value_name = "KEY=VALUE,…", value_delimiter = ',', value_parser = parameter_override)]
    pub(crate) tags: Vec<(String, String)>,
    /// arm64 or x86_64 [default: this host's]
    #[arg(long, value_name = "NAME")]
    pub(crate) architectures: Option<String>,
    /// Publish a version, too
    #[arg(long)]
    pub(crate) publish: bool,
    #[command(flatten)]
    pub(crate) configuration: ConfigurationArguments,
    #[command(flatten)]
    pub(crate) list: ListArguments,
}

#[derive(Debug, Args)]
pub(crate) struct UpdateCodeArguments {
    #[command(flatten)]
    pub(crate) function: FunctionArgument,
    /// A zip, a file or a folder, which is zipped
    #[arg(long, value_name = "PATH")]
    pub(crate) zip_file: String,
    /// Publish a version, too
    #[arg(long)]
    pub(crate) publish: bool,
    /// Only check whether it could be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) list: ListArguments,
}

#[derive(Debug, Args)]
pub(crate) struct UpdateConfigurationArguments {
    #[command(flatten)]
    pub(crate) function: FunctionArgument,
    #[command(flatten)]
    pub(crate) configuration: ConfigurationArguments,
    #[command(flatten)]
    pub(crate) list: ListArguments,
}

#[derive(Debug, Args)]
pub(crate) struct PublishVersionArguments {
    #[command(flatten)]
    pub(crate) function: FunctionArgument,
    /// What the version is
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Publish only if the code has this hash
    #[arg(long, value_name = "SHA256")]
    pub(crate) code_sha256: Option<String>,
    #[command(flatten)]
    pub(crate) list: ListArguments,
}

/// What a function can be configured with.
#[derive(Debug, Args)]
pub(crate) struct ConfigurationArguments {
    /// Such as nodejs22.x, python3.11 or provided.al2023
    #[arg(long, value_name = "RUNTIME")]
    pub(crate) runtime: Option<String>,
    /// Such as app.handler
    #[arg(long, value_name = "HANDLER")]
    pub(crate) handler: Option<String>,
    /// The ARN of the role; a new function has one without it
    #[arg(long, value_name = "ARN")]
    pub(crate) role: Option<String>,
    /// What the function does
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Seconds
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u32>,
    /// Megabytes
    #[arg(long, value_name = "MB")]
    pub(crate) memory_size: Option<u32>,
    /// Environment variables: Variables={KEY=VALUE,…}, or JSON
    #[arg(long, value_name = "VARIABLES", value_parser = environment)]
    pub(crate) environment: Option<serde_json::Value>,
    /// ARNs of layer versions, the lowest first
    #[arg(long, value_name = "ARN", num_args = 0..)]
    pub(crate) layers: Option<Vec<String>>,
}

/// Reads `Variables={KEY=VALUE,…}` as the AWS CLI does, or JSON.
fn environment(text: &str) -> Result<serde_json::Value, String> {
    let wrong =
        || "expected Variables={KEY=VALUE,…} or JSON such as {\"Variables\":{\"KEY\":\"VALUE\"}}".to_owned();
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|_| wrong());
    }
    let inner = text.strip_prefix("Variables={").and_then(|rest| rest.strip_suffix('}')).ok_or_else(wrong)?;
    let mut variables = serde_json::Map::new();
    for pair in inner.split(',').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
        variables.insert(name.trim().to_owned(), value.into());
    }
    Ok(serde_json::json!({ "Variables": variables }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_said_as_to_the_aws_cli() {
        let wanted = serde_json::json!({ "Variables": { "A": "1", "B": "x=y" } });
        assert_eq!(environment("Variables={A=1,B=x=y}").as_ref(), Ok(&wanted));
        assert_eq!(environment(r#"{"Variables":{"A":"1","B":"x=y"}}"#).as_ref(), Ok(&wanted));
        assert!(environment("A=1").is_err() && environment("{").is_err());
    }
}
