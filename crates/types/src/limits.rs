//! Limits of the service, with their units in their names.
//!
//! Source, unless a line says otherwise: Lambda Developer Guide, "Lambda quotas", and the service model, read 2026-11.

use std::time::Duration;

/// Largest body of a synchronous invocation.
pub const SYNC_PAYLOAD_BYTES_MAX: usize = 6_291_456;
/// Largest body of an asynchronous invocation. It was 256 KB until late 2025.
pub const ASYNC_PAYLOAD_BYTES_MAX: usize = 1_048_576;
/// Largest buffered response a runtime may post: 6 MiB and 100 bytes.
pub const RESPONSE_PAYLOAD_BYTES_MAX: usize = 6_291_556;
/// Largest response a runtime may stream. It was 20 MB until 2025; the units are those of the quota's text, "200 MB", which
/// for other payloads means MiB.
pub const STREAMED_RESPONSE_BYTES_MAX: usize = 209_715_200;
/// Largest error report a runtime may post. AWS documents 1 MiB for managed instances; we take it for all.
pub const ERROR_PAYLOAD_BYTES_MAX: usize = 1_048_576;
/// Largest `X-Amz-Client-Context` header, in bytes of base64.
pub const CLIENT_CONTEXT_BYTES_MAX: usize = 3_583;
/// Largest zip that may be sent inline.
pub const ZIP_BYTES_MAX: usize = 52_428_800;
/// Largest request body of the control plane (a base64 zip and its JSON around it).
pub const REQUEST_BYTES_MAX: usize = 70_167_211;
/// Largest unpacked deployment package, layers included.
pub const UNZIPPED_BYTES_MAX: u64 = 262_144_000;
/// Packages of all functions, their versions and layers of an account together, as they were sent.
/// Source: `TotalCodeSize` of a new account's `GetAccountSettings`, read 2026-11.
pub const TOTAL_CODE_BYTES_MAX: u64 = 80_530_636_800;
/// How many tags a function may have. Source: Lambda Developer Guide, "Using tags on Lambda functions", read 2026-11.
pub const TAGS_MAX: usize = 50;
/// How many layers a function may have.
pub const LAYERS_MAX: usize = 5;
/// How many layers, or versions of one, a list returns on a page. Source: `MaxLayerListItems` of the service model.
pub const LIST_LAYERS_PAGE: usize = 50;
/// Largest resource policy, as text. Source: the text of `PolicyLengthExceededException`, read 2026-11.
pub const POLICY_BYTES_MAX: usize = 20_480;
/// Largest sum of environment variables, measured on their compact JSON.
pub const ENVIRONMENT_VARIABLES_BYTES_MAX: usize = 4_096;
/// How long the Init phase of an on-demand environment may take, all its steps together.
pub const INIT_LIMIT_ON_DEMAND: Duration = Duration::from_secs(10);
/// How long it may take to restore a function from a snapshot, with its hooks. Source: Lambda Developer Guide, "Lambda
/// SnapStart runtime hooks", read 2026-11.
pub const RESTORE_LIMIT: Duration = Duration::from_secs(10);
/// How many extensions an environment may have, external and internal together.
pub const EXTENSIONS_MAX: usize = 10;
/// How long the Shutdown phase may take when only internal extensions are registered. Without any it takes no time.
pub const SHUTDOWN_LIMIT_INTERNAL: Duration = Duration::from_millis(500);
/// How long the Shutdown phase may take when an external extension is registered.
pub const SHUTDOWN_LIMIT_EXTERNAL: Duration = Duration::from_millis(2_000);
/// How much of [`SHUTDOWN_LIMIT_EXTERNAL`] the runtime has between `SIGTERM` and `SIGKILL`. Source: Lambda Developer Guide,
/// "Shutdown phase", read 2026-11; AWS's open emulator gives it 600 ms.
pub const SHUTDOWN_LIMIT_RUNTIME: Duration = Duration::from_millis(300);
/// How many bytes of log `LogType: Tail` returns.
pub const LOG_TAIL_BYTES: usize = 4_096;
/// Largest single log event. Longer lines are split.
pub const LOG_EVENT_BYTES_MAX: usize = 262_144;
/// Concurrent executions of an account in a region, unless the settings say otherwise.
pub const ACCOUNT_CONCURRENCY_DEFAULT: u32 = 1_000;
/// How many of them must stay unreserved. Source: Lambda Developer Guide, "Configuring reserved concurrency", read 2026-11.
pub const UNRESERVED_CONCURRENCY_MIN: u32 = 100;
/// How many requests a second a function takes for each unit of its concurrency.
pub const REQUESTS_PER_CONCURRENCY_DEFAULT: u32 = 10;
/// How many new environments a function may have in ten seconds. Source: Lambda Developer Guide, "Lambda scaling behavior",
/// read 2026-11.
pub const ENVIRONMENTS_PER_10_S_DEFAULT: u32 = 1_000;
/// How long the Init phase of a provisioned environment may take at least; a function with a longer time-out has that.
pub const INIT_LIMIT_PROVISIONED_MIN: Duration = Duration::from_secs(130);
/// Open files of one execution environment.
pub const OPEN_FILES_MAX: u64 = 1_024;
/// Processes and threads of one execution environment.
pub const PROCESSES_MAX: u64 = 1_024;
/// How many functions `ListFunctions` returns on a page, whatever larger number is asked for.
pub const LIST_FUNCTIONS_PAGE: usize = 50;
