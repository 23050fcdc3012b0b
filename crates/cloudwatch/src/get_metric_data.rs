//! GetMetricData: several questions at once, of metrics and of what is calculated from them.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use crate::CloudWatch;
use crate::error::ApiError;
use crate::expression::{Evaluated, Expression, ExpressionError, Queries};
use crate::input::Input;
use crate::label::{About, filled};
use crate::points::{NAME_MAX, Named, Range, Values, read_period, rounded_start};
use crate::statistic::{NoStatistic, Statistic};
use crate::wire::Output;

/// Source of these: API reference of GetMetricData, read 2026-11.
const QUERIES_MAX: usize = 500;
const DATAPOINTS_MAX: i64 = 100_800;
const EXPRESSION_MAX: usize = 2_048;
const LABEL_MAX: usize = 1_024;
/// Over how many expressions an expression may reach. Ours.
const DEPTH_MAX: usize = 10;
/// How many periods may be filled. Ours: as many as a page has.
const PERIODS_MAX: i64 = DATAPOINTS_MAX;

struct Query {
    id: String,
    source: Source,
    label: Option<String>,
    returns: bool,
}

enum Source {
    Metric { metric: Named, unit: Option<String>, statistic: Statistic, stat: String, period: i64 },
    Expression(Expression),
}

/// Answers the operation.
pub(crate) fn answer(api: &CloudWatch, mut input: Input) -> Result<Output, ApiError> {
    let queries = input.list("MetricDataQueries")?.ok_or_else(|| ApiError::missing("MetricDataQueries"))?;
    if queries.is_empty() || queries.len() > QUERIES_MAX {
        return Err(ApiError::validation(format!(
            "The collection MetricDataQueries must have a size between 1 and {QUERIES_MAX}."
        )));
    }
    let (start, end) = (input.required_time("StartTime")?, input.required_time("EndTime")?);
    if start >= end {
        let message = "The parameter StartTime must be less than the parameter EndTime.";
        return Err(ApiError::validation(message));
    }
    let is_ascending = match input.text("ScanBy", 64)?.as_deref() {
        None | Some("TimestampDescending") => false,
        Some("TimestampAscending") => true,
        Some(_) => {
            let message = "The parameter ScanBy must be a value in the set [ TimestampDescending, TimestampAscending ].";
            return Err(ApiError::validation(message));
        }
    };
    let most = input.integer("MaxDatapoints")?.unwrap_or(DATAPOINTS_MAX);
    if !(1..=DATAPOINTS_MAX).contains(&most) {
        return Err(ApiError::validation(format!(
            "The parameter MaxDatapoints must be between 1 and {DATAPOINTS_MAX}."
        )));
    }
    let place = input.text("NextToken", NAME_MAX)?.map(|token| Place::parse(&token)).transpose()?;
    let queries = queries.into_iter().map(|query| read(api, query)).collect::<Result<Vec<_>, _>>()?;
    check(&queries)?;
    api.metrics.catch_up()?;
    let start = rounded_start(start, api.clock.epoch_ms() / 1_000);
    let mut answering =
        Answering { api, queries: &queries, range: (start, end), known: HashMap::new(), depth: 0 };
    let page = answering.page(place.unwrap_or_default(), is_ascending, most as usize)?;
    let mut members = vec![("MetricDataResults", Output::List(page.results))];
    if let Some(next) = page.next {
        members.push(("NextToken", Output::Text(next.to_token())));
    }
    members.push(("Messages", Output::List(Vec::new())));
    Ok(Output::Members(members))
}

fn read(api: &CloudWatch, mut input: Input) -> Result<Query, ApiError> {
    let path = input.path("Id");
    let id = input.required_text("Id", NAME_MAX)?;
    let is_of_id = |character: char| character.is_ascii_alphanumeric() || character == '_';
    if !id.starts_with(|first: char| first.is_ascii_lowercase()) || !id.chars().all(is_of_id) {
        return Err(ApiError::validation(format!(
            "The value {id} for parameter {path} is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$."
        )));
    }
    if input.text("AccountId", NAME_MAX)?.is_some_and(|account| account != api.account.as_str()) {
        return Err(ApiError::not_implemented("metrics of other accounts"));
    }
    let (label, returns) = (input.text("Label", LABEL_MAX)?, input.boolean("ReturnData")?.unwrap_or(true));
    let stat_path = input.path("MetricStat");
    let source = match (input.inside("MetricStat")?, input.text("Expression", EXPRESSION_MAX)?) {
        (None, None) => {
            return Err(ApiError::validation(format!("The parameter {stat_path} is required.\n")));
        }
        (Some(_), Some(_)) => {
            return Err(ApiError::validation(format!(
                "The parameters {stat_path} and {} are mutually exclusive and you have specified both.",
                input.path("Expression")
            )));
        }
        (Some(stat), None) => read_stat(stat)?,
        (None, Some(text)) => {
            let expression = Expression::parse(&text).map_err(|error| of_expression(&id, error))?;
            Source::Expression(expression)
        }
    };
    Ok(Query { id, source, label, returns })
}

fn read_stat(mut input: Input) -> Result<Source, ApiError> {
    let metric_path = input.path("Metric");
    let mut metric = input.inside("Metric")?.ok_or_else(|| ApiError::missing(&metric_path))?;
    let metric = Named::read(&mut metric)?;
    let period = read_period(&mut input)?;
    let unit = input.text("Unit", NAME_MAX)?;
    let path = input.path("Stat");
    let stat = input.required_text("Stat", NAME_MAX)?;
    let statistic = Statistic::parse(&stat).map_err(|why| no_statistic(why, &stat, &path))?;
    Ok(Source::Metric { metric, unit, statistic, stat, period })
}

/// A text that is no statistic.
pub(crate) fn no_statistic(why: NoStatistic, text: &str, path: &str) -> ApiError {
    let text: String = text.chars().take(64).collect();
    match why {
        NoStatistic::NotImplemented => ApiError::not_implemented(&format!("the statistic {text}")),
        NoStatistic::Unknown => {
            ApiError::validation(format!("The value {text} for parameter {path} is not a valid statistic."))
        }
    }
}

fn of_expression(id: &str, error: ExpressionError) -> ApiError {
    match error {
        ExpressionError::NotImplemented(what) => ApiError::not_implemented(&what),
        ExpressionError::Wrong(what) => ApiError::validation(format!("Error in expression '{id}': {what}")),
    }
}

/// Checks what queries are together.
fn check(queries: &[Query]) -> Result<(), ApiError> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (at, query) in queries.iter().enumerate() {
        if seen.insert(&query.id, at).is_some() {
            let id = &query.id;
            return Err(ApiError::validation(format!(
                "The values for parameter id in MetricDataQueries are not unique: {id}."
            )));
        }
    }
    for query in queries {
        let Source::Expression(expression) = &query.source else { continue };
        if let Some(unknown) = expression.ids().into_iter().find(|id| !seen.contains_key(id)) {
            let why = ExpressionError::Wrong(format!("Metric '{unknown}' is not defined"));
            return Err(of_expression(&query.id, why));
        }
    }
    Ok(())
}

/// Where a page begins: at a query, behind one of its values.
#[derive(Default)]
struct Place {
    query: usize,
    behind: Option<i64>,
}

impl Place {
    fn parse(token: &str) -> Result<Self, ApiError> {
        let text = BASE64.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let read = |text: String| {
            let (query, behind) = text.split_once(' ')?;
            let behind = if behind.is_empty() { None } else { Some(behind.parse().ok()?) };
            Some(Self { query: query.parse().ok()?, behind })
        };
        text.and_then(read).ok_or_else(ApiError::next_token)
    }

    fn to_token(&self) -> String {
        let behind = self.behind.map(|behind| behind.to_string()).unwrap_or_default();
        BASE64.encode(format!("{} {behind}", self.query))
    }
}

struct Page {
    results: Vec<Output>,
    next: Option<Place>,
}

/// Answering one request.
struct Answering<'a> {
    api: &'a CloudWatch,
    queries: &'a [Query],
    range: (i64, i64),
    /// What expressions have asked for.
    known: HashMap<usize, Values>,
    depth: usize,
}

impl Answering<'_> {
    fn page(&mut self, place: Place, is_ascending: bool, most: usize) -> Result<Page, ApiError> {
        let (mut results, mut left) = (Vec::new(), most);
        for (at, query) in self.queries.iter().enumerate().skip(place.query) {
            if !query.returns {
                continue;
            }
            if left == 0 {
                return Ok(Page { results, next: Some(Place { query: at, behind: None }) });
            }
            let values = self.values(at)?;
            let label = self.label(query, &values)?;
            let behind = place.behind.filter(|_| at == place.query);
            let is_next = |start: i64| match behind {
                None => true,
                Some(behind) if is_ascending => start > behind,
                Some(behind) => start < behind,
            };
            let rest = values.into_iter().filter(|(start, _)| is_next(*start));
            let mut rest: Vec<(i64, f64)> = rest.collect();
            if !is_ascending {
                rest.reverse();
            }
            let is_all = rest.len() <= left;
            rest.truncate(left);
            left -= rest.len();
            let last = rest.last().map(|(start, _)| *start);
            results.push(result(&query.id, label, &rest, is_all));
            if !is_all {
                return Ok(Page { results, next: Some(Place { query: at, behind: last }) });
            }
        }
        Ok(Page { results, next: None })
    }

    fn values(&mut self, at: usize) -> Result<Values, ApiError> {
        if let Some(values) = self.known.get(&at) {
            return Ok(values.clone());
        }
        let query = &self.queries[at];
        match &query.source {
            Source::Metric { metric, unit, statistic, period, .. } => {
                let Some(series) = metric.series(unit.as_deref()) else { return Ok(Values::new()) };
                let (from, to) = self.range;
                let range = Range { from, to, period: *period, origin: 0 };
                range.values(&self.api.metrics, &series, *statistic)
            }
            Source::Expression(expression) => {
                self.depth += 1;
                if self.depth > DEPTH_MAX {
                    let why = "It depends on itself, or on too many others".to_owned();
                    return Err(of_expression(&query.id, ExpressionError::Wrong(why)));
                }
                let evaluated = expression.evaluate(self).map_err(|error| error.of(&query.id))?;
                self.depth -= 1;
                match evaluated {
                    Evaluated::Series(values) => Ok(values),
                    Evaluated::Number(_) => {
                        let why = "The expression must return a time series, and returns a number".to_owned();
                        Err(of_expression(&query.id, ExpressionError::Wrong(why)))
                    }
                    Evaluated::Array(_) => {
                        Err(ApiError::not_implemented("expressions that return several time series"))
                    }
                }
            }
        }
    }

    fn label(&self, query: &Query, values: &Values) -> Result<String, ApiError> {
        let (default, metric) = match &query.source {
            Source::Metric { metric, stat, period, .. } => {
                (metric.name.as_str(), Some((metric, stat.as_str(), *period)))
            }
            Source::Expression(_) => (query.id.as_str(), None),
        };
        let (region, account) = (self.api.region.as_str(), self.api.account.as_str());
        let about = About { default, metric, region, account };
        match &query.label {
            Some(label) => filled(label, &about, values),
            None => Ok(default.to_owned()),
        }
    }
}

/// Why an expression has no value.
enum Failed {
    Expression(ExpressionError),
    Api(ApiError),
}

impl From<ExpressionError> for Failed {
    fn from(error: ExpressionError) -> Self {
        Self::Expression(error)
    }
}

impl Failed {
    fn of(self, id: &str) -> ApiError {
        match self {
            Self::Expression(error) => of_expression(id, error),
            Self::Api(error) => error,
        }
    }
}

impl Queries for Answering<'_> {
    type Error = Failed;

    fn query(&mut self, id: &str) -> Result<Values, Failed> {
        let Some(at) = self.queries.iter().position(|query| query.id == id) else {
            return Err(ExpressionError::Wrong(format!("Metric '{id}' is not defined")).into());
        };
        let values = self.values(at).map_err(Failed::Api)?;
        self.known.insert(at, values.clone());
        Ok(values)
    }

    fn metrics(&mut self) -> Result<Vec<Values>, Failed> {
        let is_metric = |(_, query): &(usize, &Query)| matches!(query.source, Source::Metric { .. });
        let all: Vec<usize> = self.queries.iter().enumerate().filter(is_metric).map(|(at, _)| at).collect();
        all.into_iter().map(|at| self.values(at).map_err(Failed::Api)).collect()
    }

    fn periods(&self) -> Vec<i64> {
        let periods = self.queries.iter().filter_map(|query| match &query.source {
            Source::Metric { period, .. } => Some(*period),
            Source::Expression(_) => None,
        });
        let Some(period) = periods.max() else { return Vec::new() };
        let (from, to) = self.range;
        let range = Range { from, to, period, origin: 0 };
        let first = range.period_of(from);
        let number = ((to - first) / period + 1).min(PERIODS_MAX);
        (0..number).map(|at| first + at * period).filter(|start| *start < to).collect()
    }
}

fn result(id: &str, label: String, values: &[(i64, f64)], is_all: bool) -> Output {
    Output::Members(vec![
        ("Id", Output::text(id)),
        ("Label", Output::Text(label)),
        ("Timestamps", Output::List(values.iter().map(|(start, _)| Output::Time(*start)).collect())),
        ("Values", Output::List(values.iter().map(|(_, value)| Output::Number(*value)).collect())),
        ("StatusCode", Output::text(if is_all { "Complete" } else { "PartialData" })),
    ])
}
