//! `hearth credentials`: the keys of those who may call the server of a data folder. Works on the folder itself, whether a
//! server runs there or not; a running one notices within a second.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use clap::Parser as _;
use hearth_server::{CredentialsFile, KeyOwner, KnownKey};
use hearth_types::AccountId;
use serde_json::json;

use crate::arguments::{Arguments, Command, CredentialsArguments, CredentialsCommand, OutputFormat};
use crate::exit_code::ExitCode;
use crate::settings::{Surroundings, settings};
use crate::table::{Column, Table};

/// Makes, shows or removes keys.
pub(crate) fn run(arguments: &CredentialsArguments, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        CredentialsCommand::Add { name, policy, account, organization_id, place } => {
            let file = file(place.data_dir.as_ref())?;
            let now_ms =
                SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
            let owner = KeyOwner {
                name: name.clone(),
                policy: (*policy).into(),
                account: account.as_deref().map(AccountId::new).transpose().context("cannot add a key")?,
                organization_id: organization_id.clone(),
            };
            let (key, secret) = file.add(owner, now_ms).context("cannot add a key")?;
            match place.output {
                OutputFormat::Json => {
                    let mut document = document(&key);
                    document["SecretAccessKey"] = secret.expose().into();
                    writeln!(out, "{document:#}")?;
                }
                OutputFormat::Text => {
                    writeln!(out, "AWS_ACCESS_KEY_ID={}", key.access_key_id)?;
                    writeln!(out, "AWS_SECRET_ACCESS_KEY={}", secret.expose())?;
                    eprintln!("keep the secret: it is not shown again");
                }
            }
        }
        CredentialsCommand::List { place } => {
            let keys = file(place.data_dir.as_ref())?.list().context("cannot list the keys")?;
            match place.output {
                OutputFormat::Json => {
                    let keys: Vec<_> = keys.iter().map(document).collect();
                    writeln!(out, "{:#}", json!({ "AccessKeys": keys }))?;
                }
                OutputFormat::Text if keys.is_empty() => eprintln!("there are no keys yet"),
                OutputFormat::Text => out.write_all(table(&keys).as_bytes())?,
            }
        }
        CredentialsCommand::Remove { access_key_id, place } => {
            file(place.data_dir.as_ref())?.remove(access_key_id).context("cannot remove the key")?;
        }
    }
    out.flush()?;
    Ok(ExitCode::Success)
}

/// The keys of the folder that was named, or of the one in which `hearth serve` would keep its data here.
fn file(data_dir: Option<&std::path::PathBuf>) -> anyhow::Result<CredentialsFile> {
    let mut line = vec!["hearth".into(), "serve".into()];
    if let Some(data_dir) = data_dir {
        line.extend(["--data-dir".into(), data_dir.clone().into_os_string()]);
    }
    let Command::Serve(serve) = Arguments::try_parse_from(line).unwrap_or_else(|error| error.exit()).command
    else {
        anyhow::bail!("`hearth serve` is not a server");
    };
    let settings = settings(&serve, &Surroundings::of_this_process())?;
    Ok(CredentialsFile::of(&settings.data_dir))
}

fn document(key: &KnownKey) -> serde_json::Value {
    let mut document = json!({
        "AccessKeyId": key.access_key_id, "UserName": key.name, "Policy": key.policy.to_string(),
        "CreateDate": created(key),
    });
    for (name, value) in [("Account", &key.account), ("OrganizationId", &key.organization_id)] {
        if let Some(value) = value {
            document[name] = value.as_str().into();
        }
    }
    document
}

fn created(key: &KnownKey) -> String {
    jiff::Timestamp::from_millisecond(key.created_at_ms).map(|at| at.to_string()).unwrap_or_default()
}

fn table(keys: &[KnownKey]) -> String {
    let mut table = Table::new([
        Column::Left("Access Key Id"),
        Column::Left("Name"),
        Column::Left("Policy"),
        Column::Left("Account"),
        Column::Left("Created"),
    ]);
    for key in keys {
        let account = key.account.clone().unwrap_or_else(|| "(server's)".to_owned());
        table.row([
            key.access_key_id.clone(),
            key.name.clone(),
            key.policy.to_string(),
            account,
            created(key),
        ]);
    }
    table.render()
}
