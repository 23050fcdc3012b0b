//! The settings of a server: flags, then `HEARTH_*` variables (both by Clap), then `hearth.toml`, then the
//! server's own defaults.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hearth_server::{Collector, CollectorError, Endpoint, EndpointError, Keys, Right, RightError, Settings};
use hearth_types::{AccountId, FunctionName, Region, Runtime};
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::arguments::{Isolation, KeepAlive, Network, OnOff, PassThrough, Recording, ServeArguments};

/// The file that is read when it is there.
const FILE_DEFAULT: &str = "hearth.toml";
/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("cannot read the settings in `{}`", file.display())]
    Unreadable { file: PathBuf, source: io::Error },
    #[error("`{}`, line {line}: {message}", file.display())]
    File { file: PathBuf, line: usize, message: String },
    #[error("account `{0}` is not 12 digits")]
    Account(String),
    #[error("region `{0}` is not a name like `us-east-1`")]
    Region(String),
    #[error("{0} must be at least 1")]
    Zero(&'static str),
    #[error("{0}")]
    SdkClient(String),
    #[error("{0}")]
    Right(#[from] RightError),
    #[error("{0}")]
    Endpoint(#[from] EndpointError),
    #[error("{0}")]
    Collector(#[from] CollectorError),
    #[error("`aws-endpoint`, `aws-access-key-id` and `aws-secret-access-key` go together")]
    EndpointKeys,
    #[error("isolation `process` cannot keep functions from the network")]
    NetworkWithoutWalls,
    #[error("there is no place for the data: neither XDG_DATA_HOME nor HOME is set")]
    NoHome,
}

impl SettingsError {
    /// What the operator can do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoHome => Some("name a folder with --data-dir"),
            Self::NetworkWithoutWalls => {
                Some("use `--isolation namespaces`, or leave the network at `internet`")
            }
            Self::File { .. } => Some("the keys are the names of the flags, see `hearth serve --help`"),
            Self::SdkClient(_) => {
                Some("name clients such as client-s3 or lib-storage, with commas between them")
            }
            Self::Right(_) => Some("rights are actions of lambda and logs; `none` alone allows nothing"),
            Self::EndpointKeys => Some(
                "an endpoint that looks at no keys, such as one for tests, takes any: set them to `test`",
            ),
            Self::Unreadable { .. }
            | Self::Account(_)
            | Self::Region(_)
            | Self::Endpoint(_)
            | Self::Collector(_)
            | Self::Zero(_) => None,
        }
    }
}

/// `hearth.toml`. Its keys are the flags of `hearth serve`, except for the tables of interpreters and functions.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct File {
    listen: Option<SocketAddr>,
    data_dir: Option<PathBuf>,
    isolation: Option<Isolation>,
    network: Option<Network>,
    region: Option<String>,
    account: Option<String>,
    concurrency: Option<u32>,
    requests_per_concurrency: Option<u32>,
    environments_per_10_s: Option<u32>,
    code_storage_mb: Option<u64>,
    idle_timeout_s: Option<u64>,
    keep_alive: Option<KeepAlive>,
    environments_memory_mb: Option<u64>,
    wait_for_processors: Option<OnOff>,
    cold_starts_max: Option<usize>,
    threads: Option<usize>,
    preboot: Option<usize>,
    log_retention_days: Option<u64>,
    journal_retention_days: Option<u64>,
    journal_mb: Option<u64>,
    log_cold_starts: Option<bool>,
    ignore_snap_start: Option<bool>,
    prices: Option<PathBuf>,
    log_group_mb: Option<u64>,
    otlp_endpoint: Option<String>,
    otlp_headers: Option<String>,
    otlp_pass_through: Option<PassThrough>,
    node_code_cache: Option<bool>,
    node_sdk_clients: Option<Vec<String>>,
    function_rights: Option<Vec<String>>,
    allow_unauthenticated: Option<bool>,
    allow_fault_injection: Option<bool>,
    aws_endpoint: Option<String>,
    aws_region: Option<String>,
    aws_access_key_id: Option<String>,
    aws_secret_access_key: Option<String>,
    #[serde(default)]
    interpreter: BTreeMap<RuntimeId, PathBuf>,
    #[serde(default)]
    function: BTreeMap<FunctionKey, Function>,
}

/// What can be said of a single function, whether it exists or not.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Function {
    network: Option<Network>,
    preboot: Option<bool>,
}

/// A key of the table of functions.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct FunctionKey(FunctionName);

impl TryFrom<String> for FunctionKey {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        FunctionName::new(&name).map(Self).map_err(|_| format!("`{name}` is not the name of a function"))
    }
}

/// A key of the table of interpreters.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct RuntimeId(Runtime);

impl TryFrom<String> for RuntimeId {
    type Error = hearth_types::UnknownRuntime;

    fn try_from(id: String) -> Result<Self, Self::Error> {
        Runtime::parse(&id).map(Self)
    }
}

/// What the settings depend on besides the command line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    pub(crate) path: OsString,
    pub(crate) home: Option<PathBuf>,
    pub(crate) xdg_data_home: Option<PathBuf>,
    /// What OpenTelemetry's own variables say: an endpoint, and headers for it.
    pub(crate) otel: (Option<String>, Option<String>),
}

impl Surroundings {
    /// Looks at this process.
    pub(crate) fn of_this_process() -> Self {
        let path = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let text = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            otel: (text("OTEL_EXPORTER_OTLP_ENDPOINT"), text("OTEL_EXPORTER_OTLP_HEADERS")),
            path: std::env::var_os("PATH").unwrap_or_default(),
            home: path("HOME"),
            // A relative one is to be ignored, says the XDG Base Directory Specification.
            xdg_data_home: path("XDG_DATA_HOME").filter(|path| path.is_absolute()),
        }
    }
}

/// Puts the settings together.
pub(crate) fn settings(
    arguments: &ServeArguments,
    surroundings: &Surroundings,
) -> Result<Settings, SettingsError> {
    put_together(arguments, file(arguments.config.as_deref())?, surroundings)
}

/// The same with the text of a file that is not on disk.
pub(crate) fn of_text(
    arguments: &ServeArguments,
    toml: &str,
    surroundings: &Surroundings,
) -> Result<Settings, SettingsError> {
    put_together(arguments, parse(Path::new(FILE_DEFAULT), toml)?, surroundings)
}

fn put_together(
    arguments: &ServeArguments,
    file: File,
    surroundings: &Surroundings,
) -> Result<Settings, SettingsError> {
    let data_dir = match arguments.data_dir.clone().or(file.data_dir) {
        Some(data_dir) => data_dir,
        None => data_dir_default(surroundings)?,
    };
    let mut settings = Settings::new(data_dir, surroundings.path.clone());
    set(&mut settings.isolation, arguments.isolation.or(file.isolation).map(Into::into));
    set(&mut settings.networks.default, arguments.network.or(file.network).map(Into::into));
    let is_off = |function: &Function| function.preboot == Some(false);
    let off = file.function.iter().filter(|(_, function)| is_off(function));
    settings.not_prebooted = off.map(|(name, _)| name.0.clone()).collect();
    let of_functions = file.function.into_iter();
    settings.networks.by_function =
        of_functions.filter_map(|(name, function)| Some((name.0, function.network?.into()))).collect();
    set(&mut settings.listen, arguments.listen.or(file.listen));
    set(&mut settings.region, arguments.region.clone().or(file.region));
    set(&mut settings.account, arguments.account.clone().or(file.account));
    set(&mut settings.account_concurrency, arguments.concurrency.or(file.concurrency));
    let requests_per_concurrency = arguments.requests_per_concurrency.or(file.requests_per_concurrency);
    set(&mut settings.requests_per_concurrency, requests_per_concurrency);
    let environments_per_10_s = arguments.environments_per_10_s.or(file.environments_per_10_s);
    set(&mut settings.environments_per_10_s, environments_per_10_s);
    set(&mut settings.code_storage_mb, arguments.code_storage_mb.or(file.code_storage_mb));
    let idle_timeout_s = arguments.idle_timeout_s.or(file.idle_timeout_s);
    set(&mut settings.idle_timeout, idle_timeout_s.map(Duration::from_secs));
    set(&mut settings.keep_alive, arguments.keep_alive.or(file.keep_alive).map(Into::into));
    settings.environments_memory_mb = arguments.environments_memory_mb.or(file.environments_memory_mb);
    let wait_for_processors = arguments.wait_for_processors.or(file.wait_for_processors);
    settings.waits_for_processors = wait_for_processors != Some(OnOff::Off);
    let cold_starts_max = arguments.cold_starts_max.or(file.cold_starts_max);
    // More than a semaphore can count is as good as that.
    set(&mut settings.cold_starts_max, cold_starts_max.map(|max| max.min(Semaphore::MAX_PERMITS)));
    settings.threads = arguments.threads.or(file.threads);
    set(&mut settings.preboot, arguments.preboot.or(file.preboot));
    let log_retention_days = arguments.log_retention_days.or(file.log_retention_days);
    let days = |days: u64| Duration::from_secs(days.saturating_mul(24 * 60 * 60));
    set(&mut settings.log_retention, log_retention_days.map(days));
    let journal_retention_days = arguments.journal_retention_days.or(file.journal_retention_days);
    set(&mut settings.journal_retention, journal_retention_days.map(days));
    set(&mut settings.journal_mb, arguments.journal_mb.or(file.journal_mb));
    set(&mut settings.node_code_cache, arguments.node_code_cache.or(file.node_code_cache));
    settings.log_cold_starts = arguments.log_cold_starts || file.log_cold_starts.unwrap_or_default();
    settings.snap_start = !(arguments.ignore_snap_start || file.ignore_snap_start.unwrap_or_default());
    settings.prices = arguments.prices.clone().or(file.prices);
    set(&mut settings.log_group_mb, arguments.log_group_mb.or(file.log_group_mb));
    let otlp_endpoint = arguments.otlp_endpoint.clone().or(file.otlp_endpoint);
    if let Some(url) = otlp_endpoint.or_else(|| surroundings.otel.0.clone()) {
        let headers = arguments.otlp_headers.clone().or(file.otlp_headers);
        let headers = headers.or_else(|| surroundings.otel.1.clone()).unwrap_or_default();
        settings.collector = Some(Collector::parse(&url, &headers)?);
        let pass_through = arguments.otlp_pass_through.or(file.otlp_pass_through);
        settings.keep_passed_through_traces = pass_through != Some(PassThrough::None);
    }
    settings.recording = arguments.recording != Some(Recording::Off);
    let named = Some(arguments.node_sdk_clients.clone()).filter(|clients| !clients.is_empty());
    set(&mut settings.node_sdk_clients, named.or(file.node_sdk_clients));
    settings.allow_unauthenticated =
        arguments.allow_unauthenticated || file.allow_unauthenticated.unwrap_or_default();
    settings.allow_fault_injection =
        arguments.allow_fault_injection || file.allow_fault_injection.unwrap_or_default();
    let rights = Some(&arguments.function_rights).filter(|rights| !rights.is_empty());
    if let Some(rights) = rights.or(file.function_rights.as_ref()) {
        settings.function_rights = function_rights(rights)?;
    }
    let named = |flag: &Option<String>, file: Option<String>| flag.clone().or(file);
    let aws_region = named(&arguments.aws_region, file.aws_region);
    let keys = (
        named(&arguments.aws_access_key_id, file.aws_access_key_id),
        named(&arguments.aws_secret_access_key, file.aws_secret_access_key),
    );
    let aws_endpoint = named(&arguments.aws_endpoint, file.aws_endpoint);
    settings.aws_endpoint = endpoint(aws_endpoint, aws_region, keys, &settings.region)?;
    let from_file = file.interpreter.into_iter().map(|(id, path)| (id.0.to_string(), path));
    settings.interpreters = from_file.chain(arguments.interpreter.iter().cloned()).collect();
    check(settings)
}

/// Puts together where other services are. All of it, or nothing.
fn endpoint(
    url: Option<String>,
    region: Option<String>,
    keys: (Option<String>, Option<String>),
    region_default: &str,
) -> Result<Option<Endpoint>, SettingsError> {
    let (url, keys) = match (url, keys) {
        (None, (None, None)) if region.is_none() => return Ok(None),
        (Some(url), (Some(access_key_id), Some(secret_access_key))) => {
            (url, Keys { access_key_id, secret_access_key })
        }
        _ => return Err(SettingsError::EndpointKeys),
    };
    let region = region.unwrap_or_else(|| region_default.to_owned());
    if Region::new(&region).is_err() {
        return Err(SettingsError::Region(region));
    }
    Ok(Some(Endpoint::parse(&url, region, keys)?))
}

/// Reads the rights of functions. `none` stands for no right at all, which a variable or a flag could not say.
fn function_rights(rights: &[String]) -> Result<Arc<[Right]>, SettingsError> {
    match rights {
        [none] if none == "none" => Ok(Arc::default()),
        rights => Ok(rights.iter().map(|right| right.parse()).collect::<Result<_, RightError>>()?),
    }
}

fn set<T>(setting: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *setting = value;
    }
}

fn check(settings: Settings) -> Result<Settings, SettingsError> {
    let Settings { account, region, .. } = &settings;
    if settings.isolation == hearth_server::Isolation::Process && settings.networks.restrict() {
        return Err(SettingsError::NetworkWithoutWalls);
    }
    if AccountId::new(account).is_err() {
        return Err(SettingsError::Account(account.clone()));
    }
    if Region::new(region).is_err() {
        return Err(SettingsError::Region(region.clone()));
    }
    hearth_server::node_sdk_clients(&settings.node_sdk_clients)
        .map_err(|error| SettingsError::SdkClient(error.to_string()))?;
    for (name, is_zero) in [
        ("concurrency", settings.account_concurrency == 0),
        ("requests-per-concurrency", settings.requests_per_concurrency == 0),
        ("environments-per-10-s", settings.environments_per_10_s == 0),
        ("code-storage-mb", settings.code_storage_mb == 0),
        ("idle-timeout-s", settings.idle_timeout.is_zero()),
        ("cold-starts-max", settings.cold_starts_max == 0),
        ("threads", settings.threads == Some(0)),
        ("log-retention-days", settings.log_retention.is_zero()),
        ("journal-retention-days", settings.journal_retention.is_zero()),
        ("journal-mb", settings.journal_mb == 0),
        ("log-group-mb", settings.log_group_mb == 0),
    ] {
        if is_zero {
            return Err(SettingsError::Zero(name));
        }
    }
    Ok(settings)
}

fn data_dir_default(surroundings: &Surroundings) -> Result<PathBuf, SettingsError> {
    let data_home = || surroundings.home.as_ref().map(|home| home.join(".local/share"));
    let data_home = surroundings.xdg_data_home.clone().or_else(data_home).ok_or(SettingsError::NoHome)?;
    Ok(data_home.join("hearth"))
}

/// Reads the file that was named, or the default one if it is there.
fn file(named: Option<&Path>) -> Result<File, SettingsError> {
    let file = named.unwrap_or(Path::new(FILE_DEFAULT));
    match std::fs::read_to_string(file) {
        Ok(text) => parse(file, &text),
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => Ok(File::default()),
        Err(source) => Err(SettingsError::Unreadable { file: file.to_owned(), source }),
    }
}

fn parse(file: &Path, text: &str) -> Result<File, SettingsError> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let message = error.message().replace('\n', " ");
        SettingsError::File { file: file.to_owned(), line, message }
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use expect_test::expect;

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn surroundings() -> Surroundings {
        Surroundings { path: "/bin".into(), home: Some("/home/ada".into()), ..Surroundings::default() }
    }

    /// The settings of `hearth serve` with these flags and this file.
    fn of(flags: &[&str], toml: &str) -> Result<Settings, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hearth.toml");
        std::fs::write(&file, toml).unwrap();
        let start = ["hearth", "serve", "--config", file.to_str().unwrap()];
        let Command::Serve(arguments) = Arguments::try_parse_from([&start, flags].concat()).unwrap().command
        else {
            panic!("not `serve`")
        };
        settings(&arguments, &surroundings())
            .map_err(|error| error.to_string().replace(folder.path().to_str().unwrap(), "DIR"))
    }

    #[test]
    fn without_a_word_everything_has_its_default() {
        let settings = of(&[], "").unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:4566");
        assert_eq!(settings.data_dir, Path::new("/home/ada/.local/share/hearth"));
        assert_eq!((settings.region.as_str(), settings.account.as_str()), ("us-east-1", "000000000000"));
        assert_eq!((settings.account_concurrency, settings.cold_starts_max), (1_000, 32));
        assert_eq!(settings.idle_timeout, Duration::from_secs(600));
        assert_eq!((settings.requests_per_concurrency, settings.environments_per_10_s), (10, 1_000));
        assert_eq!(settings.code_storage_mb, 76_800);
        assert_eq!(settings.path, "/bin");
        assert_eq!(settings.threads, None);
        assert_eq!(settings.isolation, hearth_server::Isolation::Namespaces);
        assert!(settings.interpreters.is_empty());
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let toml = r#"
            region = "eu-west-1"
            concurrency = 7
            data-dir = "/srv/hearth"
            isolation = "process"
            [interpreter]
            "python3.11" = "/file/python"
            "nodejs20.x" = "/file/node"
        "#;
        let flags = ["--concurrency", "3", "--interpreter", "nodejs20.x=/flag/node", "--listen", "[::1]:0"];
        let settings = of(&flags, toml).unwrap();
        assert_eq!((settings.region.as_str(), settings.account_concurrency), ("eu-west-1", 3));
        assert_eq!(settings.data_dir, Path::new("/srv/hearth"));
        assert_eq!(settings.isolation, hearth_server::Isolation::Process);
        assert_eq!(settings.listen.to_string(), "[::1]:0");
        let interpreters: Vec<_> = settings.interpreters.into_iter().collect();
        assert_eq!(
            interpreters,
            [
                ("nodejs20.x".to_owned(), "/flag/node".into()),
                ("python3.11".to_owned(), "/file/python".into())
            ]
        );
    }

    #[test]
    fn other_services_are_reached_with_an_endpoint_and_keys_or_not_at_all() {
        assert!(of(&[], "").unwrap().aws_endpoint.is_none());
        let toml = r#"
            aws-endpoint = "http://127.0.0.1:5000"
            aws-access-key-id = "id"
            aws-secret-access-key = "hidden"
        "#;
        let endpoint =
            format!("{:?}", of(&["--aws-region", "eu-west-1"], toml).unwrap().aws_endpoint.unwrap());
        assert!(endpoint.contains("eu-west-1") && !endpoint.contains("hidden"), "{endpoint}");
        assert!(of(&["--aws-endpoint", "ftp://aws"], toml).unwrap_err().contains("is not an endpoint"));
        assert!(of(&["--aws-region", "x y"], toml).unwrap_err().contains("region"));
        for part in ["--aws-endpoint=http://a", "--aws-access-key-id=a", "--aws-region=eu-west-1"] {
            assert!(of(&[part], "").unwrap_err().contains("go together"), "{part}");
        }
    }

    #[test]
    fn traces_go_where_the_flag_says_then_the_file_then_opentelemetrys_own_variables() {
        let from = |flags: &[&str], toml: &str, otel: (Option<&str>, Option<&str>)| {
            let start = ["hearth", "serve"];
            let Command::Serve(arguments) =
                Arguments::try_parse_from([&start, flags].concat()).unwrap().command
            else {
                panic!("not `serve`")
            };
            let otel = (otel.0.map(str::to_owned), otel.1.map(str::to_owned));
            let settings = of_text(&arguments, toml, &Surroundings { otel, ..surroundings() });
            settings.map(|s| (s.collector.map(|to| format!("{to:?}")), s.keep_passed_through_traces))
        };
        let variables = (Some("http://variable:4318"), Some("api-key=secret"));
        let (collector, keeps) = from(&[], "", variables).unwrap();
        let collector = collector.unwrap();
        assert!(collector.contains("variable") && collector.contains("api-key") && keeps, "{collector}");
        assert!(!collector.contains("secret"), "{collector}");
        let toml = "otlp-endpoint = \"http://file\"\notlp-pass-through = \"none\"";
        let (collector, keeps) = from(&[], toml, variables).unwrap();
        assert!(collector.unwrap().contains("file") && !keeps);
        let (collector, _) = from(&["--otlp-endpoint", "http://flag"], toml, variables).unwrap();
        assert!(collector.unwrap().contains("flag"));
        assert_eq!(from(&[], "", (None, None)).unwrap(), (None, false));
        assert!(from(&["--otlp-endpoint", "here"], "", (None, None)).is_err());
        assert!(from(&["--otlp-endpoint", "http://a", "--otlp-headers", "x"], "", (None, None)).is_err());
    }

    #[test]
    fn the_network_is_the_functions_own_then_that_of_all() {
        let toml = r#"
            network = "internet"
            [function.resize]
            network = "none"
            [function.fetch]
            network = "internet"
            [function.other]
        "#;
        let networks = |flags| of(flags, toml).unwrap().networks;
        let closed = networks(&["--isolation", "namespaces", "--network", "none"]);
        let open = networks(&["--isolation", "namespaces"]);
        let name = |name| FunctionName::new(name).unwrap();
        use hearth_server::NetworkPolicy::{Internet, None};
        for (function, if_closed, if_open) in
            [("resize", None, None), ("fetch", Internet, Internet), ("other", None, Internet)]
        {
            assert_eq!(
                (closed.of(&name(function)), open.of(&name(function))),
                (if_closed, if_open),
                "{function}"
            );
        }
        assert_eq!((closed.most(), open.most()), (Internet, Internet));
    }

    #[test]
    fn runtimes_are_booted_ahead_of_all_functions_but_those_that_are_left_out() {
        assert_eq!(of(&[], "").unwrap().preboot, 0);
        let toml = "preboot = 2\n[function.resize]\npreboot = false\n[function.fetch]\npreboot = true\n";
        let settings = of(&[], toml).unwrap();
        let left_out: Vec<&str> = settings.not_prebooted.iter().map(FunctionName::as_str).collect();
        assert_eq!((settings.preboot, left_out), (2, vec!["resize"]));
        assert_eq!(of(&["--preboot", "1"], toml).unwrap().preboot, 1);
    }

    #[test]
    fn a_mistake_is_named_with_its_place() {
        let errors = [
            of(&[], "region = \"us-east-1\"\nidle-timeout = 3\n"),
            of(&[], "concurrency = \"many\""),
            of(&[], "[interpreter]\nnode = \"/bin/node\""),
            of(&[], "listen"),
            of(&[], "[function.\"a b\"]\nnetwork = \"none\""),
            of(&[], "[function.resize]\nmemory = 128"),
            of(&["--isolation", "process", "--network", "none"], ""),
            of(&["--isolation", "process"], "[function.resize]\nnetwork = \"none\""),
            of(&["--account", "1234"], ""),
            of(&["--region", "../.."], ""),
            of(&["--cold-starts-max", "0"], ""),
            of(&["--threads", "0"], "threads = 2"),
            of(&["--requests-per-concurrency", "0"], ""),
            of(&[], "environments-per-10-s = 0"),
            of(&["--node-sdk-clients", "client-s3,left-pad@1"], ""),
            of(&[], "function-rights = [\"lambda:InvokeFunction on all\"]"),
            of(&["--function-rights", "none,lambda:InvokeFunction"], ""),
        ];
        let errors: Vec<String> = errors.into_iter().map(|settings| settings.unwrap_err()).collect();
        expect![[r#"
            `DIR/hearth.toml`, line 2: unknown field `idle-timeout`, expected one of `listen`, `data-dir`, `isolation`, `network`, `region`, `account`, `concurrency`, `requests-per-concurrency`, `environments-per-10-s`, `code-storage-mb`, `idle-timeout-s`, `keep-alive`, `environments-memory-mb`, `wait-for-processors`, `cold-starts-max`, `threads`, `preboot`, `log-retention-days`, `journal-retention-days`, `journal-mb`, `log-cold-starts`, `ignore-snap-start`, `prices`, `log-group-mb`, `otlp-endpoint`, `otlp-headers`, `otlp-pass-through`, `node-code-cache`, `node-sdk-clients`, `function-rights`, `allow-unauthenticated`, `allow-fault-injection`, `aws-endpoint`, `aws-region`, `aws-access-key-id`, `aws-secret-access-key`, `interpreter`, `function`
            `DIR/hearth.toml`, line 1: invalid type: string "many", expected u32
            `DIR/hearth.toml`, line 2: `node` is not a runtime identifier
            `DIR/hearth.toml`, line 1: key with no value, expected `=`
            `DIR/hearth.toml`, line 1: `a b` is not the name of a function
            `DIR/hearth.toml`, line 2: unknown field `memory`, expected `network` or `preboot`
            isolation `process` cannot keep functions from the network
            isolation `process` cannot keep functions from the network
            account `1234` is not 12 digits
            region `../..` is not a name like `us-east-1`
            cold-starts-max must be at least 1
            threads must be at least 1
            requests-per-concurrency must be at least 1
            environments-per-10-s must be at least 1
            `left-pad@1` is not the name of a package of the AWS SDK for JavaScript
            `lambda:InvokeFunction on all` is not a right such as `lambda:InvokeFunction`, `lambda:Get*` or `logs:PutLogEvents on own`
            `none` is not a right such as `lambda:InvokeFunction`, `lambda:Get*` or `logs:PutLogEvents on own`"#]].assert_eq(&errors.join("\n"));
    }

    #[test]
    fn rights_of_functions_are_what_the_setting_says_and_no_more() {
        let rights = |flags: &[&str], toml: &str| -> Vec<String> {
            of(flags, toml).unwrap().function_rights.iter().map(ToString::to_string).collect()
        };
        let default = [
            "lambda:invokefunction",
            "lambda:checkpointdurableexecution on own",
            "lambda:getdurableexecutionstate on own",
            "logs:createlogstream on own",
            "logs:putlogevents on own",
        ];
        assert_eq!(rights(&[], ""), default);
        let toml = "function-rights = [\"lambda:Get*\", \"logs:* on own\"]";
        assert_eq!(rights(&[], toml), ["lambda:get*", "logs:* on own"]);
        assert_eq!(rights(&["--function-rights", "lambda:List*"], toml), ["lambda:list*"]);
        assert!(rights(&["--function-rights", "none"], toml).is_empty());
        assert!(!of(&[], "").unwrap().allow_unauthenticated);
        assert!(of(&[], "allow-unauthenticated = true").unwrap().allow_unauthenticated);
    }

    #[test]
    fn a_region_is_what_the_server_takes_for_one() {
        let longest = "x".repeat(32);
        assert_eq!(of(&["--region", &longest], "").unwrap().region, longest);
        let error = of(&["--region", &(longest + "x")], "").unwrap_err();
        assert!(error.ends_with("is not a name like `us-east-1`"), "{error}");
    }

    #[test]
    fn numbers_that_are_larger_than_anything_are_no_limit() {
        let most = u64::MAX.to_string();
        let flags = ["--cold-starts-max", &most, "--log-retention-days", &most, "--idle-timeout-s", &most];
        let settings = of(&flags, "").unwrap();
        assert_eq!(settings.cold_starts_max, Semaphore::MAX_PERMITS);
        assert_eq!(settings.log_retention, Duration::from_secs(u64::MAX));
        assert_eq!(settings.idle_timeout, Duration::from_secs(u64::MAX));
    }

    #[test]
    fn the_data_goes_where_the_xdg_specification_says() {
        let xdg = Surroundings { xdg_data_home: Some("/data".into()), ..surroundings() };
        assert_eq!(data_dir_default(&xdg).unwrap(), Path::new("/data/hearth"));
        let homeless = Surroundings { home: None, ..surroundings() };
        let error = data_dir_default(&homeless).unwrap_err();
        assert!(error.hint().unwrap().contains("--data-dir"));
    }
}
