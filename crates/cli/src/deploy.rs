//! `hearth deploy`: brings a server to what a SAM or CloudFormation template says.
//!
//! First everything is read and checked, here and against the server; then what will change is shown; then it is done. If a change
//! fails, those before it are taken back.

mod apply;
mod event_sources;
mod plan;
mod report;
mod schedules;
mod server;

use std::collections::BTreeMap;
use std::io::{BufRead as _, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use hearth_deploy::{Code, Finding, Function, Stack, Surroundings, Template, package};

use self::apply::Applying;
pub(crate) use self::apply::{ApplyError, settle};
use self::event_sources::MappingPlan;
use self::plan::{Action, Change};
use self::report::{Planned, Report, write_outputs};
use self::schedules::SchedulePlan;
use self::server::{Known, STACK_TAG};
use crate::arguments::{DeployArguments, OutputFormat};
use crate::client::Client;
use crate::exit_code::ExitCode;

/// Templates that are looked for when none is named, as SAM does: what `sam build` made comes first.
const TEMPLATES: &[&str] =
    &[".aws-sam/build/template.yaml", "template.yaml", "template.yml", "template.json"];

/// Why nothing was deployed, although the server was not asked to change anything yet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeployError {
    /// The findings have been told one by one.
    #[error("`{template}` is not deployed, and nothing has changed: {count} to correct, see above")]
    Wrong { template: String, count: usize },
    #[error("`{template}` is not deployed, and nothing has changed: {count} not supported, see above")]
    Unsupported { template: String, count: usize },
    #[error("nothing has changed: somebody has to agree")]
    NotAgreed,
    #[error("nothing has changed: you did not agree")]
    Declined,
}

impl DeployError {
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Wrong { .. } | Self::Declined => None,
            Self::Unsupported { .. } => Some("--skip-unsupported deploys the rest without them"),
            Self::NotAgreed => Some("--yes agrees, --dry-run only shows what would change"),
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::NotAgreed => ExitCode::Usage,
            _ => ExitCode::Failure,
        }
    }
}

/// Reads, shows and does it.
pub(crate) async fn run(
    arguments: &DeployArguments,
    client: &Client,
    out: &mut dyn Write,
    notes: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let path = template_path(arguments)?;
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{shown}`"))?;
    let template = Template::read(&text).or_else(|findings| wrong(&shown, &findings, notes))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut surroundings = Surroundings {
        stack_name: stack_name(arguments, folder)?,
        folder: folder.to_owned(),
        parameters: arguments.parameter_overrides.iter().cloned().collect(),
        ..Surroundings::default()
    };
    // Everything that needs no server is checked before one is asked.
    let probe =
        Surroundings { region: "us-east-1".into(), account: "000000000000".into(), ..surroundings.clone() };
    let probed = template.resolve(&probe).or_else(|findings| wrong(&shown, &findings, notes))?;
    let findings = schedules::wrong_expressions(&probed);
    if !findings.is_empty() {
        wrong::<()>(&shown, &findings, notes)?;
    }
    let place = server::region_and_account(client, &surroundings.stack_name).await;
    let place = place.context("cannot ask the server which region it is")?;
    (surroundings.region, surroundings.account) =
        place.context("the server does not say which region it is")?;

    let stack = template.resolve(&surroundings).or_else(|findings| wrong(&shown, &findings, notes))?;
    let packages = packages(client, &stack).await;
    let packages = packages.or_else(|findings| wrong(&shown, &findings, notes))?;
    let (mut layers, mut planned) = (Vec::new(), Vec::new());
    for layer in &stack.layers {
        let versions = server::layer_versions(client, &layer.name).await;
        let versions = versions.with_context(|| format!("cannot ask for layer `{}`", layer.name))?;
        let sha256 = plan::code_sha256(&packages[&layer.place.logical_id]);
        // Not only the newest: two stacks may have layers of one name, and each finds its own again.
        let same =
            versions.iter().find(|&version| plan::layer_changes(layer, &sha256, Some(version)).is_empty());
        let details = plan::layer_changes(layer, &sha256, same.or(versions.first()));
        let action = match same.and_then(|version| version["LayerVersionArn"].as_str()) {
            Some(arn) => {
                surroundings.layer_version_arns.insert(layer.name.clone(), arn.to_owned());
                Action::Keep
            }
            None if versions.is_empty() => Action::Create,
            None => Action::Update,
        };
        if action != Action::Keep {
            layers.push(layer.place.logical_id.clone());
        }
        planned.push(Planned::of_layer(layer, action, details));
    }
    // Now with the ARNs of the layers that stay as they are.
    let stack = template.resolve(&surroundings).or_else(|findings| wrong(&shown, &findings, notes))?;
    let mut known = BTreeMap::new();
    let (mut unsupported, mut cannot) = (stack.unsupported.clone(), Vec::new());
    for function in &stack.functions {
        let alias = function.alias.as_ref().map(|alias| alias.name.as_str());
        let there = server::known(client, &function.name, alias).await;
        let there = there.with_context(|| format!("cannot ask for function `{}`", function.name))?;
        if there
            .companions
            .get(&server::Companion::Url)
            .is_some_and(|url| matches!(url, server::Found::There(_)))
        {
            let url = server::function_url(client, function).await?;
            surroundings.function_urls.extend(url.map(|url| (function.name.clone(), url)));
        }
        unsupported.extend(plan::not_implemented(function, &there));
        cannot.extend(plan::durable_or_not(function, &there));
        if let Some(other) = there.function.as_ref().and_then(|there| there.tags.get(STACK_TAG))
            && *other != surroundings.stack_name
        {
            cannot.push(Finding {
                line: function.place.line,
                message: format!("function `{}` is of the stack `{other}`", function.name),
            });
        }
        known.insert(function.place.logical_id.clone(), there);
    }
    if !cannot.is_empty() {
        wrong::<()>(&shown, &cannot, notes)?;
    }
    // And with the URLs that are there.
    let mut stack = template.resolve(&surroundings).or_else(|findings| wrong(&shown, &findings, notes))?;
    stack.notes.extend(unbuilt(&stack, folder));
    let functions = of_functions(&stack, &surroundings.stack_name, &packages, &known, arguments);
    for (function, (action, _, details)) in stack.functions.iter().zip(&functions) {
        planned.push(Planned::of_function(function, *action, details.clone()));
    }
    let names: Vec<&str> = stack.functions.iter().map(|function| function.name.as_str()).collect();
    let others = server::others_of_stack(client, &surroundings.stack_name, &names).await;
    let others = others.context("cannot ask for the other functions of the stack")?;
    for name in &others {
        let action = if arguments.prune { Action::Delete } else { Action::Leave };
        planned.push(Planned {
            kind: "function",
            name: name.clone(),
            logical_id: String::new(),
            action,
            details: Vec::new(),
        });
    }
    let staying = if arguments.prune { &[][..] } else { &others };
    let schedules = schedules::plan(client, &stack, &surroundings.stack_name, staying).await;
    let schedules = schedules.context("cannot ask for the schedules of the stack")?;
    planned.extend(schedules.changes.iter().map(schedules::ScheduleChange::planned));
    let mappings = event_sources::plan(client, &stack, &surroundings.stack_name, staying).await;
    let mappings = mappings.context("cannot ask for the event source mappings of the stack")?;
    if !mappings.wrong.is_empty() {
        wrong::<()>(&shown, &mappings.wrong, notes)?;
    }
    planned.extend(mappings.changes.iter().map(event_sources::MappingChange::planned));
    unsupported.extend(mappings.unsupported.iter().cloned());

    let changes =
        planned.iter().filter(|planned| !matches!(planned.action, Action::Keep | Action::Leave)).count();
    let mut report = Report { stack: &stack, name: &surroundings.stack_name, planned: &planned, unsupported };
    let text = arguments.list.output == OutputFormat::Text;
    report.unsupported.sort();
    if text {
        report.write(&shown, changes, out)?;
        out.flush()?;
    }
    if !report.unsupported.is_empty() && !arguments.skip_unsupported {
        if !text {
            writeln!(out, "{:#}", report.json(false))?;
            out.flush()?;
        }
        return Err(DeployError::Unsupported { template: shown, count: report.unsupported.len() }.into());
    }
    if changes == 0 || arguments.dry_run {
        if text {
            write_outputs(&stack, out)?;
        } else {
            writeln!(out, "{:#}", report.json(false))?;
        }
        out.flush()?;
        return Ok(ExitCode::Success);
    }
    if !arguments.yes {
        agree(notes)?;
    }

    let mut applying = Applying::new(client);
    let work = Work {
        template: &template,
        packages: &packages,
        layers: &layers,
        known: &known,
        others: if arguments.prune { &others } else { &[] },
        schedules: &schedules,
        mappings: &mappings,
        arguments,
    };
    let mut done = match work.apply(&mut applying, surroundings.clone(), notes).await {
        Ok(done) => done,
        Err((what, error)) if applying.is_final() => {
            let context = format!("cannot {what} (everything else is as the template says)");
            return Err(anyhow::Error::new(error).context(context));
        }
        Err((what, error)) => {
            let undone = applying.take_back().await;
            for what in &undone.undone {
                writeln!(notes, "taken back: {what}")?;
            }
            for (what, why) in &undone.left {
                writeln!(notes, "NOT taken back: {what}: {why}")?;
            }
            let end = if undone.left.is_empty() {
                "what was done before it is taken back"
            } else {
                "not everything that was done before it could be taken back, see above"
            };
            return Err(anyhow::Error::new(error).context(format!("cannot {what} ({end})")));
        }
    };
    if text {
        writeln!(out, "\nDeployed.")?;
        write_outputs(&done, out)?;
    } else {
        done.notes.extend(unbuilt(&done, folder));
        report.stack = &done;
        writeln!(out, "{:#}", report.json(true))?;
    }
    out.flush()?;
    Ok(ExitCode::Success)
}

type Packages = BTreeMap<String, Vec<u8>>;

/// What is to be done, once it is agreed.
struct Work<'work> {
    template: &'work Template,
    packages: &'work Packages,
    /// Logical ids of the layers that get a new version.
    layers: &'work [String],
    known: &'work BTreeMap<String, Known>,
    others: &'work [String],
    schedules: &'work SchedulePlan,
    mappings: &'work MappingPlan,
    arguments: &'work DeployArguments,
}

impl Work<'_> {
    /// Does it, and returns the stack with all that is known of it now. Fails with what was being done.
    async fn apply(
        &self,
        applying: &mut Applying<'_>,
        mut surroundings: Surroundings,
        notes: &mut dyn Write,
    ) -> Result<Stack, (String, ApplyError)> {
        // Layers first: functions need the ARNs of their versions, which are not known before.
        let stack = self.resolve(&surroundings)?;
        for layer in stack.layers.iter().filter(|layer| self.layers.contains(&layer.place.logical_id)) {
            let arn = applying.publish_layer(layer, &self.packages[&layer.place.logical_id]).await;
            let arn = arn.map_err(|error| (format!("publish layer `{}`", layer.name), error))?;
            tell(notes, &format!("published {arn}"));
            surroundings.layer_version_arns.insert(layer.name.clone(), arn);
        }
        let stack = self.resolve(&surroundings)?;
        let changes =
            of_functions(&stack, &surroundings.stack_name, self.packages, self.known, self.arguments);
        for (function, (action, changes, _)) in stack.functions.iter().zip(&changes) {
            if *action == Action::Keep {
                continue;
            }
            let id = &function.place.logical_id;
            let done = applying
                .function(function, &self.packages[id], &surroundings.stack_name, &self.known[id], changes)
                .await;
            done.map_err(|error| (format!("{} function `{}`", action.word(), function.name), error))?;
            tell(notes, &format!("{}d function {}", action.word(), function.name));
        }
        applying.event_source_mappings(self.mappings).await?;
        for change in &self.mappings.changes {
            if matches!(change.action, Action::Create | Action::Update) {
                tell(notes, &format!("{}d event source mapping {}", change.action.word(), change.name()));
            }
        }
        // Before what cannot be taken back.
        applying.schedules(self.schedules).await?;
        for change in &self.schedules.changes {
            if !matches!(change.action, Action::Keep | Action::Leave) {
                tell(notes, &format!("{}d schedule {}", change.action.word(), change.name));
            }
        }
        for change in self.mappings.changes.iter().filter(|change| change.action == Action::Delete) {
            applying.delete_mapping(change).await?;
            tell(notes, &format!("deleted event source mapping {}", change.name()));
        }
        for name in self.others {
            applying.delete(name).await.map_err(|error| (format!("delete function `{name}`"), error))?;
            tell(notes, &format!("deleted function {name}"));
        }
        for function in stack.functions.iter().filter(|function| function.url.is_some()) {
            let url = server::function_url(applying.client(), function).await;
            let url =
                url.map_err(|error| (format!("ask for the URL of `{}`", function.name), error.into()))?;
            surroundings.function_urls.extend(url.map(|url| (function.name.clone(), url)));
        }
        self.resolve(&surroundings)
    }

    /// It could be resolved before; only the ARNs of layers have changed.
    fn resolve(&self, surroundings: &Surroundings) -> Result<Stack, (String, ApplyError)> {
        self.template.resolve(surroundings).map_err(|findings| {
            let findings: Vec<String> = findings.iter().map(Finding::to_string).collect();
            ("resolve the template again".to_owned(), ApplyError::Resolve(findings.join("; ")))
        })
    }
}

/// Progress, which nobody may be reading.
fn tell(notes: &mut dyn Write, what: &str) {
    let _ = writeln!(notes, "{what}");
}

/// Compares the functions of a stack with what is there.
fn of_functions(
    stack: &Stack,
    name: &str,
    packages: &Packages,
    known: &BTreeMap<String, Known>,
    arguments: &DeployArguments,
) -> Vec<(Action, Vec<Change>, Vec<String>)> {
    let compare = |function: &Function| {
        let id = &function.place.logical_id;
        let known = &known[id];
        let sha256 = plan::code_sha256(&packages[id]);
        let (mut changes, details) = plan::function_changes(function, &sha256, name, known);
        if arguments.skip_unsupported {
            changes.retain(|change| match change {
                Change::Companion { companion, .. } => {
                    known.companions.get(companion) != Some(&server::Found::NotImplemented)
                }
                _ => true,
            });
        }
        let action = match (changes.is_empty(), known.function.is_some()) {
            (true, _) => Action::Keep,
            (false, true) => Action::Update,
            (false, false) => Action::Create,
        };
        (action, changes, details)
    };
    stack.functions.iter().map(compare).collect()
}

fn template_path(arguments: &DeployArguments) -> anyhow::Result<PathBuf> {
    if let Some(path) = &arguments.template_file {
        return Ok(path.clone());
    }
    match TEMPLATES.iter().map(PathBuf::from).find(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => bail!("there is no {} here: name a template with --template-file", TEMPLATES[1]),
    }
}

/// The stack's name: what is said, or else what the folder is called.
fn stack_name(arguments: &DeployArguments, folder: &Path) -> anyhow::Result<String> {
    let is_name = |name: &str| {
        name.len() <= 128
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
    };
    if let Some(name) = &arguments.stack_name {
        if !is_name(name) {
            bail!("`{name}` is no name of a stack: a letter, then letters, digits and hyphens, at most 128");
        }
        return Ok(name.clone());
    }
    let folder = folder.canonicalize().with_context(|| format!("cannot read `{}`", folder.display()))?;
    // `.aws-sam/build` is inside of the folder that is meant.
    let folder = if folder.ends_with(".aws-sam/build") { folder.ancestors().nth(2) } else { Some(&*folder) };
    let name = folder.and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    if !is_name(&name) {
        bail!("the folder's name is no name of a stack: give one with --stack-name");
    }
    Ok(name)
}

/// Tells what is wrong, line by line.
fn wrong<T>(template: &str, findings: &[Finding], notes: &mut dyn Write) -> anyhow::Result<T> {
    for Finding { line, message } in findings {
        writeln!(notes, "{template}:{line}: {message}")?;
    }
    Err(DeployError::Wrong { template: template.to_owned(), count: findings.len() }.into())
}

/// Makes all packages, or gets them from their buckets; or tells everything that is wrong with them.
async fn packages(client: &Client, stack: &Stack) -> Result<Packages, Vec<Finding>> {
    let (mut packages, mut findings) = (Packages::new(), Vec::new());
    let layers = stack.layers.iter().map(|layer| (&layer.place, &layer.code));
    let functions = stack.functions.iter().map(|function| (&function.place, &function.code));
    for (place, code) in layers.chain(functions) {
        let made = match code {
            Code::Bucket { bucket, key, version, .. } => {
                server::object(client, bucket, key, version.as_deref()).await
            }
            Code::Path { .. } | Code::Inline { .. } => package(code).map_err(anyhow::Error::new),
        };
        match made {
            Ok(zip) => {
                packages.insert(place.logical_id.clone(), zip);
            }
            Err(error) => {
                let line = match code {
                    Code::Path { line, .. } | Code::Bucket { line, .. } => *line,
                    Code::Inline { .. } => place.line,
                };
                let message = format!("`{}`: {error:#}", place.logical_id);
                findings.push(Finding { line, message });
            }
        }
    }
    if findings.is_empty() { Ok(packages) } else { Err(findings) }
}

/// Notes folders whose dependencies are named, and are not in them: `sam build` would bring them.
fn unbuilt(stack: &Stack, folder: &Path) -> Vec<Finding> {
    if folder.ends_with(".aws-sam/build") {
        return Vec::new();
    }
    let of = |function: &Function| {
        let Code::Path { path, line } = &function.code else { return None };
        let runtime = function.request["Runtime"].as_str().unwrap_or_default();
        let named = match runtime {
            _ if runtime.starts_with("python") => "requirements.txt",
            _ if runtime.starts_with("nodejs") && !path.join("node_modules").exists() => "package.json",
            _ => return None,
        };
        let id = &function.place.logical_id;
        let message = format!(
            "`{id}` has a {named}: Hearth installs nothing; `sam build` does, and its `.aws-sam/build/template.yaml` can be \
             deployed"
        );
        path.join(named).is_file().then_some(Finding { line: *line, message })
    };
    stack.functions.iter().filter_map(of).collect()
}

/// Asks whoever sits there.
fn agree(notes: &mut dyn Write) -> anyhow::Result<()> {
    if !std::io::stdin().is_terminal() {
        return Err(DeployError::NotAgreed.into());
    }
    write!(notes, "\nDeploy this? [y/N] ")?;
    notes.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context("cannot read your answer")?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(DeployError::Declined.into()) }
}
