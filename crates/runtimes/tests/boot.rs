//! What is started, and with which environment variables.
#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};
use hearth_runtimes::{BootCommand, BootError, BootRequest, Credentials, Paths, Runtimes, Settings};
use hearth_types::{
    FunctionName, InitializationType, LogFormat, LogGroupName, LogLevel, LogStreamName, MemoryMb, Region,
    Runtime, Version,
};

/// A host whose only interpreters are scripts that give the right answers.
struct Host {
    folder: PathBuf,
    runtimes: Runtimes,
}

impl Host {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("hearth-boot-{name}-{}", std::process::id()));
        let (bin, task) = (folder.join("bin"), folder.join("task"));
        fs::create_dir_all(&bin).unwrap();
        fs::create_dir_all(&task).unwrap();
        let node = format!("echo hearth; echo {}/node; echo 20.19.2; echo true", bin.display());
        // Asked for a compilation, it makes the file that is looked for.
        let python = format!(
            "if [ \"$1\" = -I ]; then touch \"$5/bootstrap.pyc\"; exit; fi\n\
             echo hearth; echo {}/python3.11; echo 3.11.7; echo False; echo /site",
            bin.display()
        );
        for (name, script) in [("node", node), ("python3.11", python)] {
            program(&bin.join(name), &format!("#!/bin/sh\n{script}\n"), 0o755);
        }
        let settings =
            Settings { data_dir: folder.join("data"), path: bin.into(), interpreters: BTreeMap::new() };
        Self { folder, runtimes: Runtimes::new(settings) }
    }

    fn command(&self, runtime: &str, user: &[(&str, &str)]) -> Result<BootCommand, BootError> {
        self.request(runtime, user, |_| {})
    }

    fn request(
        &self,
        runtime: &str,
        user: &[(&str, &str)],
        change: impl FnOnce(&mut BootRequest<'_>),
    ) -> Result<BootCommand, BootError> {
        let user = user.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let credentials = Credentials {
            access_key_id: "ASIAEXAMPLE".to_owned(),
            secret_access_key: "secret".to_owned(),
            session_token: "token".to_owned(),
            endpoint_url: Some("http://127.0.0.2:9002".to_owned()),
        };
        let mut request = BootRequest {
            runtime: Runtime::parse(runtime).unwrap(),
            code_root: &self.folder.join("task"),
            layers_root: None,
            paths: Paths::Host,
            handler: "index.handler",
            user_variables: Some(&user),
            function_name: &FunctionName::new("greet").unwrap(),
            version: Version::Latest,
            memory: MemoryMb::DEFAULT,
            log_group: &LogGroupName::new("/aws/lambda/greet").unwrap(),
            log_stream: &LogStreamName::new("2026/01/31/[$LATEST]0f3c").unwrap(),
            region: &Region::new("eu-west-1").unwrap(),
            runtime_api: "127.0.0.1:9001",
            initialization_type: InitializationType::OnDemand,
            log_format: LogFormat::Text,
            log_level: None,
            credentials: Some(&credentials),
            log_fd: Some(62),
        };
        change(&mut request);
        self.runtimes.command(&request)
    }

    fn check(&self, command: &BootCommand, expected: Expect) {
        let mut text = format!("program {}\n", command.program.display());
        for argument in &command.args {
            text += &format!("argument {}\n", argument.to_string_lossy());
        }
        text += &format!("in {}\n", command.working_directory.display());
        for (name, value) in &command.environment {
            text += &format!("{}={}\n", name.to_string_lossy(), value.to_string_lossy());
        }
        // Clients are in folders with a digest in their name.
        let clients = self.folder.join("data/runtimes");
        for entry in fs::read_dir(clients).into_iter().flatten() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let language = name.split('-').next().unwrap().to_owned();
            text = text.replace(&name, &language);
        }
        expected.assert_eq(&text.replace(self.folder.to_str().unwrap(), "HOST"));
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn program(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn value(command: &BootCommand, name: &str) -> Option<String> {
    let found = command.environment.iter().find(|(known, _)| known.to_str() == Some(name));
    found.map(|(_, value)| value.to_string_lossy().into_owned())
}

#[test]
fn a_python_function_starts_in_its_code_with_the_variables_of_lambda() {
    let host = Host::new("python");
    host.check(
        &host.command("python3.11", &[("TABLE", "orders")]).unwrap(),
        expect![[r#"
        program HOST/bin/python3.11
        argument -S
        argument -B
        argument HOST/data/runtimes/python/bootstrap.pyc
        argument /site
        in HOST/task
        AWS_ACCESS_KEY_ID=ASIAEXAMPLE
        AWS_DEFAULT_REGION=eu-west-1
        AWS_ENDPOINT_URL=http://127.0.0.2:9002
        AWS_EXECUTION_ENV=AWS_Lambda_python3.11
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128
        AWS_LAMBDA_FUNCTION_NAME=greet
        AWS_LAMBDA_FUNCTION_VERSION=$LATEST
        AWS_LAMBDA_INITIALIZATION_TYPE=on-demand
        AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/greet
        AWS_LAMBDA_LOG_STREAM_NAME=2026/01/31/[$LATEST]0f3c
        AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001
        AWS_REGION=eu-west-1
        AWS_SECRET_ACCESS_KEY=secret
        AWS_SESSION_TOKEN=token
        AWS_XRAY_CONTEXT_MISSING=LOG_ERROR
        AWS_XRAY_DAEMON_ADDRESS=169.254.100.1:2000
        LAMBDA_RUNTIME_DIR=HOST/data/runtimes/python
        LAMBDA_TASK_ROOT=HOST/task
        LANG=en_US.UTF-8
        LD_LIBRARY_PATH=HOST/task:HOST/task/lib:/opt/lib
        PATH=HOST/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin
        PWD=HOST/task
        PYTHONPATH=/var/runtime
        SHLVL=0
        TABLE=orders
        TZ=:UTC
        _AWS_XRAY_DAEMON_ADDRESS=169.254.100.1
        _AWS_XRAY_DAEMON_PORT=2000
        _HANDLER=index.handler
        _LAMBDA_TELEMETRY_LOG_FD=62
    "#]],
    );
}

#[test]
fn a_node_function_starts_in_its_code_with_the_variables_of_lambda() {
    let host = Host::new("node");
    host.check(&host.command("nodejs20.x", &[]).unwrap(), expect![[r#"
        program HOST/bin/node
        argument --no-experimental-require-module
        argument --no-experimental-detect-module
        argument HOST/data/runtimes/nodejs/bootstrap.cjs
        in HOST/task
        AWS_ACCESS_KEY_ID=ASIAEXAMPLE
        AWS_DEFAULT_REGION=eu-west-1
        AWS_ENDPOINT_URL=http://127.0.0.2:9002
        AWS_EXECUTION_ENV=AWS_Lambda_nodejs20.x
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128
        AWS_LAMBDA_FUNCTION_NAME=greet
        AWS_LAMBDA_FUNCTION_VERSION=$LATEST
        AWS_LAMBDA_INITIALIZATION_TYPE=on-demand
        AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/greet
        AWS_LAMBDA_LOG_STREAM_NAME=2026/01/31/[$LATEST]0f3c
        AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001
        AWS_REGION=eu-west-1
        AWS_SECRET_ACCESS_KEY=secret
        AWS_SESSION_TOKEN=token
        AWS_XRAY_CONTEXT_MISSING=LOG_ERROR
        AWS_XRAY_DAEMON_ADDRESS=169.254.100.1:2000
        LAMBDA_RUNTIME_DIR=HOST/data/runtimes/nodejs
        LAMBDA_TASK_ROOT=HOST/task
        LANG=en_US.UTF-8
        LD_LIBRARY_PATH=HOST/task:HOST/task/lib:/opt/lib
        NODE_PATH=/opt/nodejs/node20/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:HOST/task
        PATH=HOST/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin
        PWD=HOST/task
        SHLVL=0
        TZ=:UTC
        _AWS_XRAY_DAEMON_ADDRESS=169.254.100.1
        _AWS_XRAY_DAEMON_PORT=2000
        _HANDLER=index.handler
        _LAMBDA_TELEMETRY_LOG_FD=62
    "#]]);
}

#[test]
fn an_os_only_function_is_its_bootstrap() {
    let host = Host::new("provided");
    program(&host.folder.join("task/bootstrap"), "", 0o755);
    host.check(
        &host.command("provided.al2023", &[]).unwrap(),
        expect![[r#"
        program HOST/task/bootstrap
        in HOST/task
        AWS_ACCESS_KEY_ID=ASIAEXAMPLE
        AWS_DEFAULT_REGION=eu-west-1
        AWS_ENDPOINT_URL=http://127.0.0.2:9002
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128
        AWS_LAMBDA_FUNCTION_NAME=greet
        AWS_LAMBDA_FUNCTION_VERSION=$LATEST
        AWS_LAMBDA_INITIALIZATION_TYPE=on-demand
        AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/greet
        AWS_LAMBDA_LOG_STREAM_NAME=2026/01/31/[$LATEST]0f3c
        AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001
        AWS_REGION=eu-west-1
        AWS_SECRET_ACCESS_KEY=secret
        AWS_SESSION_TOKEN=token
        AWS_XRAY_CONTEXT_MISSING=LOG_ERROR
        AWS_XRAY_DAEMON_ADDRESS=169.254.100.1:2000
        LAMBDA_RUNTIME_DIR=/var/runtime
        LAMBDA_TASK_ROOT=HOST/task
        LANG=en_US.UTF-8
        LD_LIBRARY_PATH=HOST/task:HOST/task/lib:/opt/lib
        PATH=/usr/local/bin:/usr/bin/:/bin:/opt/bin:HOST/bin
        PWD=HOST/task
        SHLVL=0
        TZ=:UTC
        _AWS_XRAY_DAEMON_ADDRESS=169.254.100.1
        _AWS_XRAY_DAEMON_PORT=2000
        _HANDLER=index.handler
        _LAMBDA_TELEMETRY_LOG_FD=62
    "#]],
    );
}

#[test]
fn without_a_bootstrap_the_error_is_that_of_lambda() {
    let host = Host::new("missing");
    let error = host.command("provided.al2023", &[]).unwrap_err();
    assert_eq!(error.error_type, "Runtime.InvalidEntrypoint");
    assert_eq!(error.message, "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]");

    program(&host.folder.join("task/bootstrap"), "", 0o644);
    let error = host.command("provided.al2023", &[]).unwrap_err();
    assert_eq!(error.error_type, "Runtime.InvalidEntrypoint");
    assert_eq!(error.message, "fork/exec /var/task/bootstrap: permission denied");
}

#[test]
fn defaults_can_be_overridden_and_reserved_variables_cannot() {
    let host = Host::new("override");
    let user = [
        ("TZ", "Europe/Berlin"),
        ("PATH", "/mine"),
        ("AWS_REGION", "mars-1"),
        ("LAMBDA_TASK_ROOT", "/etc"),
        ("_HANDLER", "other"),
        ("_SECRET", "dropped"),
    ];
    let command = host.command("python3.11", &user).unwrap();
    assert_eq!(value(&command, "TZ").unwrap(), "Europe/Berlin");
    assert_eq!(value(&command, "PATH").unwrap(), "/mine");
    assert_eq!(value(&command, "AWS_REGION").unwrap(), "eu-west-1");
    assert_eq!(value(&command, "LAMBDA_TASK_ROOT").unwrap(), host.folder.join("task").to_str().unwrap());
    assert_eq!(value(&command, "_HANDLER").unwrap(), "index.handler");
    assert_eq!(value(&command, "_SECRET"), None);
}

#[test]
fn json_logs_and_missing_credentials_show_in_the_variables() {
    let host = Host::new("json");
    let json = host.request("nodejs20.x", &[], |request| {
        request.log_format = LogFormat::Json;
        request.log_level = Some(LogLevel::Debug);
        request.credentials = None;
        request.log_fd = None;
    });
    let json = json.unwrap();
    assert_eq!(value(&json, "AWS_LAMBDA_LOG_FORMAT").unwrap(), "JSON");
    assert_eq!(value(&json, "AWS_LAMBDA_LOG_LEVEL").unwrap(), "DEBUG");
    assert_eq!(value(&json, "_LAMBDA_TELEMETRY_LOG_FD"), None);
    // As long as real ones, for those who check.
    assert_eq!(value(&json, "AWS_ACCESS_KEY_ID").unwrap().len(), 20);
    assert_eq!(value(&json, "AWS_SECRET_ACCESS_KEY").unwrap().len(), 40);
}

#[test]
fn the_users_own_log_format_and_level_win() {
    let host = Host::new("own-log-format");
    let user = [("AWS_LAMBDA_LOG_FORMAT", "Text"), ("AWS_LAMBDA_LOG_LEVEL", "WARN")];
    let command = host.request("nodejs20.x", &user, |request| {
        request.log_format = LogFormat::Json;
        request.log_level = Some(LogLevel::Debug);
    });
    let command = command.unwrap();
    assert_eq!(value(&command, "AWS_LAMBDA_LOG_FORMAT").unwrap(), "Text");
    assert_eq!(value(&command, "AWS_LAMBDA_LOG_LEVEL").unwrap(), "WARN");
    let text = host.command("nodejs20.x", &[]).unwrap();
    assert_eq!((value(&text, "AWS_LAMBDA_LOG_FORMAT"), value(&text, "AWS_LAMBDA_LOG_LEVEL")), (None, None));
}

#[test]
fn the_user_decides_about_modules_in_node_options() {
    let host = Host::new("options");
    let options = |user: &[(&str, &str)]| host.command("nodejs20.x", user).unwrap().args.len();
    assert_eq!(options(&[]), 3);
    assert_eq!(options(&[("NODE_OPTIONS", "--experimental-require-module")]), 2);
}

#[test]
fn an_unavailable_runtime_is_an_error_of_the_start() {
    let host = Host::new("unavailable");
    let error = host.command("nodejs22.x", &[]).unwrap_err();
    assert_eq!(error.error_type, "Runtime.InvalidEntrypoint");
    assert!(error.message.contains("run `hearth runtimes install nodejs22.x`, or name one"), "{error}");
    assert!(host.runtimes.prepare(Runtime::parse("nodejs20.x").unwrap()).is_ok());
    let version = host.runtimes.runtime_version(Runtime::parse("nodejs20.x").unwrap()).unwrap();
    assert_eq!(version.name, "nodejs:20.v19");
    let arn = version.arn(&Region::new("eu-west-1").unwrap());
    assert!(arn.starts_with("arn:aws:lambda:eu-west-1::runtime:"), "{arn}");
    assert_eq!(arn.rsplit(':').next().unwrap().len(), 64);
    let provided = host.runtimes.runtime_version(Runtime::parse("provided.al2023").unwrap()).unwrap();
    assert_eq!(provided.name, "provided:al2023.v1");
    assert_eq!(host.runtimes.runtime_version(Runtime::parse("python3.11").unwrap()), None, "not made ready");
}

#[test]
fn an_external_extension_has_the_keys_of_the_environment_and_the_endpoint_that_takes_them() {
    let host = Host::new("keys");
    let mut seen = Vec::new();
    let own = [("AWS_ENDPOINT_URL_S3", "http://elsewhere:9000")];
    let _ = host.request("provided.al2023", &own, |request| {
        seen = host.runtimes.extension_variables(request);
    });
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SESSION_TOKEN", "token"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.2:9002"),
        ("AWS_ENDPOINT_URL_S3", "http://elsewhere:9000"),
    ] {
        assert!(seen.contains(&(name.into(), value.into())), "{name}: {seen:?}");
    }
    // Who names another endpoint keeps it.
    let own = [("AWS_ENDPOINT_URL", "http://elsewhere:1")];
    let _ = host.request("provided.al2023", &own, |request| {
        seen = host.runtimes.extension_variables(request);
    });
    assert!(seen.contains(&("AWS_ENDPOINT_URL".into(), "http://elsewhere:1".into())), "{seen:?}");
}
