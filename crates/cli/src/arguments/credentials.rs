//! What `hearth credentials` can be told.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::OutputFormat;

#[derive(Debug, Args)]
pub(crate) struct CredentialsArguments {
    #[command(subcommand)]
    pub(crate) command: CredentialsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialsCommand {
    /// Make a key and print it; its secret is never shown again. From the first key on, a server asks everybody for one
    Add {
        /// Who is going to use it
        #[arg(value_name = "NAME")]
        name: String,
        /// What they may do
        #[arg(long, value_enum, default_value_t = Policy::Admin)]
        policy: Policy,
        /// Another account than the server's: of what is there, its keys get to what a resource policy lets them to
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// The organization of that account, for `aws:PrincipalOrgID`
        #[arg(long, value_name = "ID")]
        organization_id: Option<String>,
        #[command(flatten)]
        place: CredentialsPlace,
    },
    /// List the keys, without their secrets
    List {
        #[command(flatten)]
        place: CredentialsPlace,
    },
    /// Remove a key. A running server goes on asking for one, also when none is left
    Remove {
        /// Which one
        #[arg(value_name = "ACCESS_KEY_ID")]
        access_key_id: String,
        #[command(flatten)]
        place: CredentialsPlace,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CredentialsPlace {
    /// The data folder of the server, which may be running [default: that of `hearth serve`]
    #[arg(long, env = "HEARTH_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Text for people, or JSON for programs
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    pub(crate) output: OutputFormat,
}

/// What the owner of a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Policy {
    /// Everything
    Admin,
    /// Call functions
    InvokeOnly,
    /// See everything, change and call nothing
    ReadOnly,
}

impl From<Policy> for hearth_server::Policy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Admin => Self::Admin,
            Policy::InvokeOnly => Self::InvokeOnly,
            Policy::ReadOnly => Self::ReadOnly,
        }
    }
}
