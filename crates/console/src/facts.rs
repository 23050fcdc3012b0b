//! What the APIs answer, read as far as the pages need it. A member that is missing or of another kind is nothing, never an
//! error: servers of other releases may say more or less.

use serde_json::Value;

use crate::ask::{Api, Problem};
use crate::text::encoded;

/// Most functions that the console lists.
const FUNCTIONS_MAX: usize = 1_000;
/// Most invocations that a page counts.
pub(crate) const CALLS_MAX: usize = 100_000;

/// Reads all functions, by name.
pub(crate) async fn functions(api: &Api<'_>) -> Result<Vec<Value>, Problem> {
    let mut functions = Vec::new();
    let mut marker = String::new();
    while functions.len() < FUNCTIONS_MAX {
        let page = api.get(&format!("/2015-03-31/functions/?MaxItems=50{marker}")).await?;
        functions.extend(page["Functions"].as_array().cloned().unwrap_or_default());
        match page["NextMarker"].as_str().filter(|next| !next.is_empty()) {
            Some(next) => marker = format!("&Marker={}", encoded(next)),
            None => break,
        }
    }
    functions.sort_by(|one, other| text(one, "FunctionName").cmp(text(other, "FunctionName")));
    Ok(functions)
}

/// How many functions are asked for one by one.
const STATES_MAX: usize = 200;

/// Adds to listed functions what a list does not say, as on AWS: their states.
pub(crate) async fn add_states(api: &Api<'_>, functions: &mut [Value]) {
    for function in functions.iter_mut().take(STATES_MAX) {
        let path = format!("/2015-03-31/functions/{}/configuration", encoded(text(function, "FunctionName")));
        if let Ok(whole) = api.get(&path).await {
            *function = whole;
        }
    }
}

/// Reads the invocations of a function, or of all, that began in a span of time; the latest if there are too many.
pub(crate) async fn calls(
    api: &Api<'_>,
    function: Option<&str>,
    (from_ms, to_ms): (i64, Option<i64>),
) -> Result<Vec<Call>, Problem> {
    let mut path = format!("/_hearth/invocations?limit={CALLS_MAX}&from_ms={}", from_ms.max(0));
    if let Some(to_ms) = to_ms {
        path += &format!("&to_ms={}", to_ms.max(0));
    }
    if let Some(function) = function {
        path += &format!("&function={}", encoded(function));
    }
    let answer = api.get(&path).await?;
    Ok(answer["invocations"].as_array().map(|all| all.iter().map(Call::of).collect()).unwrap_or_default())
}

/// Returns a member that is text; empty if there is none.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or("")
}

/// An invocation that has ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Call {
    pub(crate) request_id: String,
    pub(crate) function: String,
    pub(crate) version: String,
    pub(crate) environment: String,
    pub(crate) initialization_type: String,
    pub(crate) log_group: String,
    pub(crate) log_stream: String,
    pub(crate) architecture: String,
    pub(crate) memory_size_mb: i64,
    pub(crate) max_memory_used_mb: i64,
    pub(crate) started_ms: i64,
    pub(crate) waited_ms: f64,
    pub(crate) duration_ms: f64,
    pub(crate) billed_ms: f64,
    pub(crate) init_ms: Option<f64>,
    /// Its parts, by what they are called on pages, where they are known.
    pub(crate) init_parts: Vec<(&'static str, &'static str, f64)>,
    pub(crate) overhead_ms: Option<f64>,
    pub(crate) extensions: Vec<(String, f64)>,
    pub(crate) why_cold: Option<String>,
    /// The same in few words, for tables.
    pub(crate) why_cold_short: Option<String>,
    pub(crate) status: String,
    pub(crate) error_type: Option<String>,
    /// What it cost, where the server can say.
    pub(crate) cost_usd: Option<String>,
}

/// The parts of an Init in their order: member, name, and class of colour.
const INIT_PARTS: [(&str, &str, &str); 4] = [
    ("extension_init_ms", "Extension init", "extension-init"),
    ("runtime_init_ms", "Runtime init", "runtime-init"),
    ("function_init_ms", "Function init", "function-init"),
    ("extension_wait_ms", "Wait for extensions", "extension-wait"),
];

impl Call {
    fn of(value: &Value) -> Self {
        let own = |name: &str| text(value, name).to_owned();
        let number = |name: &str| value[name].as_f64();
        let whole = |name: &str| value[name].as_i64().unwrap_or(0);
        let extension = |it: &Value| Some((text(it, "name").to_owned(), it["after_call_ms"].as_f64()?));
        Self {
            request_id: own("request_id"),
            function: own("function_name"),
            version: own("version"),
            environment: own("environment_id"),
            initialization_type: own("initialization_type"),
            log_group: own("log_group"),
            log_stream: own("log_stream"),
            architecture: own("architecture"),
            memory_size_mb: whole("memory_size_mb"),
            max_memory_used_mb: whole("max_memory_used_mb"),
            started_ms: whole("started_epoch_ms"),
            waited_ms: number("waited_ms").unwrap_or(0.0),
            duration_ms: number("duration_ms").unwrap_or(0.0),
            billed_ms: number("billed_ms").unwrap_or(0.0),
            init_ms: number("init_ms"),
            init_parts: INIT_PARTS
                .iter()
                .filter_map(|(member, name, class)| Some((*name, *class, number(member)?)))
                .filter(|(_, class, part)| *class != "extension-wait" || *part > 0.0)
                .collect(),
            overhead_ms: number("extension_overhead_ms"),
            extensions: value["extensions"]
                .as_array()
                .map(|all| all.iter().filter_map(extension).collect())
                .unwrap_or_default(),
            why_cold: cold_reason(value),
            why_cold_short: cold_reason(value).map(|why| {
                let word = value["why_cold"].as_str().or_else(|| value["why_cold"]["reason"].as_str());
                word.map_or(why, |word| word.replace('-', " ").replace("invocation", "call"))
            }),
            status: own("status"),
            error_type: value["error_type"].as_str().map(str::to_owned),
            cost_usd: money(&value["cost_usd"]),
        }
    }

    pub(crate) fn is_cold(&self) -> bool {
        self.why_cold.is_some()
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.status != "success"
    }
}

/// Returns why something was cold, in words. Particulars say more than the word alone, where there are any.
fn cold_reason(value: &Value) -> Option<String> {
    let told = ["cold_start", "why_cold_particulars", "why_cold"].iter().find_map(|name| {
        let said = &value[*name];
        let in_words = ["text", "message", "particulars", "explanation", "reason"];
        said.as_str().or_else(|| in_words.iter().find_map(|word| said[*word].as_str())).map(str::to_owned)
    })?;
    Some(reason_in_words(&told))
}

/// Returns the words for a reason that is one word for machines.
pub(crate) fn reason_in_words(reason: &str) -> String {
    match reason {
        "first-invocation" => "first call since the function or the server was there",
        "all-busy" => "every environment was busy",
        "function-updated" => "code or configuration was updated",
        "idle-timeout" => "nobody called for the idle time-out",
        "evicted" => "evicted to make room for another function",
        "runtime-exited" => "the runtime had exited",
        "extension-failed" => "an extension had failed",
        "timed-out" => "the call before timed out",
        "init-failed" => "Init had failed, and is repeated",
        "provisioned" => "made ahead of calls (provisioned)",
        "forced" => "forced",
        other => other,
    }
    .to_owned()
}

/// Returns a sum of US dollars, if it is one.
pub(crate) fn money(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_f64().map(|number| format!("{number:.12}"))?,
        _ => return None,
    };
    let is_a_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !is_a_number {
        return None;
    }
    let trimmed = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    Some(format!("${}", if trimmed.is_empty() { "0" } else { trimmed }))
}

/// Some durations, ordered.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    // The nearest rank: a value that was measured.
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1).min(last)).copied()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_quantile_is_a_value_that_was_measured() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[7.0], 0.99), Some(7.0));
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!([0.5, 0.99, 1.0].map(|share| quantile(&hundred, share)), [50.0, 99.0, 100.0].map(Some));
    }

    #[test]
    fn money_is_shown_only_where_it_is_a_number() {
        for (value, shown) in [
            (json!("0.000002100"), Some("$0.0000021")),
            (json!(0.5), Some("$0.5")),
            (json!("0"), Some("$0")),
            (json!("100"), Some("$100")),
            (json!("<b>"), None),
            (json!(null), None),
        ] {
            assert_eq!(money(&value).as_deref(), shown, "{value}");
        }
    }

    #[test]
    fn an_answer_of_another_release_is_read_as_far_as_it_goes() {
        let call = Call::of(&json!({ "request_id": 7, "why_cold": { "reason": "all-busy" } }));
        assert_eq!(call.request_id, "");
        assert_eq!(call.why_cold.as_deref(), Some("every environment was busy"));
        assert_eq!(Call::of(&json!(null)).duration_ms, 0.0);
    }
}
