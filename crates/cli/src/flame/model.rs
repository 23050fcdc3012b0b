//! A profile as the server tells it.

use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(super) struct Flame {
    pub(super) function_name: String,
    pub(super) version: String,
    pub(super) runtime: String,
    pub(super) memory_size_mb: u64,
    pub(super) is_current: bool,
    pub(super) status: String,
    pub(super) error_type: Option<String>,
    pub(super) init: Phases,
    pub(super) unprofiled: Option<Unprofiled>,
    pub(super) overhead_ms: Option<f64>,
    pub(super) runtime_client: Option<RuntimeClient>,
    pub(super) imports: Option<Vec<Import>>,
    pub(super) notes: Vec<String>,
    pub(super) advice: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Phases {
    pub(super) total_ms: f64,
    pub(super) extension_init_ms: Option<f64>,
    pub(super) runtime_init_ms: Option<f64>,
    pub(super) function_init_ms: Option<f64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Unprofiled {
    pub(super) init: Phases,
}

#[derive(Debug, Deserialize)]
pub(super) struct RuntimeClient {
    pub(super) modules: u64,
    pub(super) memory_mb: Option<f64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Import {
    pub(super) parent: Option<usize>,
    pub(super) depth: usize,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) imported_by: Option<String>,
    pub(super) line: Option<u64>,
    pub(super) thread: u64,
    pub(super) total_ms: f64,
    pub(super) self_ms: f64,
    pub(super) memory_mb: Option<f64>,
    pub(super) error: Option<String>,
    pub(super) is_unfinished: bool,
    pub(super) awaited_ms: Option<f64>,
}
