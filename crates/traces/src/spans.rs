//! From an invocation to its spans: the invocation itself, and below it what it waited for, what it did, and what came after.
//!
//! Attributes have the names of OpenTelemetry's semantic conventions where those have one (FaaS, cloud, AWS; read 2026-11);
//! the others begin with `hearth.`.

use std::time::{Duration, Instant};

use hearth_telemetry::timeline::{self, ExtensionPhase, ExtensionSpan, SpanPhase};
use hearth_telemetry::{EnvironmentFacts, FinishedInvocation, LifecycleEvent, PhaseStatus};
use hearth_types::{AccountId, FunctionArn, InitializationType, Qualifier, Region, SpanId};

use crate::otlp::{
    InstrumentationScope, KeyValue, Resource, ResourceSpans, ScopeSpans, Span, SpanKind, Status, StatusCode,
    attribute,
};

/// The bit of a span's flags that says that its trace is kept.
const SAMPLED: u32 = 1;

/// Whose functions they are.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The region.
    pub region: Region,
    /// The account.
    pub account: AccountId,
}

/// The spans of one invocation while they are gathered.
struct Gathering<'a> {
    invocation: &'a FinishedInvocation,
    trace_id: Vec<u8>,
    root: SpanId,
    spans: Vec<Span>,
}

/// Returns the spans of an invocation with the environment that they are of; `None` when its trace is not kept.
pub(crate) fn spans_of(invocation: &FinishedInvocation, origin: &Origin) -> Option<ResourceSpans> {
    let header = invocation.trace.as_ref()?;
    let root = invocation.summary.request_id.span_id();
    let trace_id = header.trace_id().or_else(random)?.to_vec();
    let mut gathering = Gathering { invocation, trace_id, root, spans: Vec::new() };
    // A trace that begins here has the invocation itself for a parent, so that the function goes on below it.
    gathering.add_root(header.parent_id().filter(|parent| *parent != root));
    gathering.add_waiting_and_init();
    gathering.add_invoke();
    gathering.add_extensions();
    let scope = InstrumentationScope {
        name: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    Some(ResourceSpans {
        resource: Some(Resource { attributes: resource(&invocation.environment.facts, origin) }),
        scope_spans: vec![ScopeSpans { scope: Some(scope), spans: gathering.spans }],
    })
}

fn resource(facts: &EnvironmentFacts, origin: &Origin) -> Vec<KeyValue> {
    let (region, account) = (origin.region.clone(), origin.account.clone());
    let qualifier = Some(Qualifier::Version(facts.version));
    let arn = FunctionArn { region, account, name: facts.function.clone(), qualifier };
    vec![
        attribute("service.name", facts.function.as_str()),
        attribute("cloud.provider", "aws"),
        attribute("cloud.platform", "aws_lambda"),
        attribute("cloud.region", origin.region.as_str()),
        attribute("cloud.account.id", origin.account.as_str()),
        attribute("cloud.resource_id", arn.to_string().as_str()),
        attribute("faas.name", facts.function.as_str()),
        attribute("faas.version", facts.version.to_string().as_str()),
        attribute("faas.instance", facts.log_stream.as_str()),
        attribute("faas.max_memory", u64::from(facts.memory_size_mb) << 20),
        attribute("host.arch", if facts.architecture.as_str() == "arm64" { "arm64" } else { "amd64" }),
        attribute("aws.log.group.names", [facts.log_group.as_str()]),
        attribute("aws.log.stream.names", [facts.log_stream.as_str()]),
    ]
}

impl Gathering<'_> {
    fn add_root(&mut self, parent: Option<SpanId>) {
        let FinishedInvocation { environment, summary, arrived, ended, .. } = self.invocation;
        let (facts, report) = (&environment.facts, &summary.report);
        let initialization_type = match facts.initialization_type {
            InitializationType::OnDemand => "on-demand",
            InitializationType::ProvisionedConcurrency => "provisioned-concurrency",
            InitializationType::SnapStart => "snap-start",
        };
        let mut attributes = vec![
            attribute("faas.invocation_id", summary.request_id.to_string().as_str()),
            attribute("faas.coldstart", summary.why_cold.is_some()),
            attribute("hearth.billed_duration_ms", report.billed_ms),
            attribute("hearth.max_memory_used_mb", report.max_memory_used_mb),
            attribute("hearth.initialization_type", initialization_type),
        ];
        attributes.extend(summary.why_cold.map(|why| attribute("hearth.why_cold", why.as_str())));
        let error = error_type(&report.status);
        attributes.extend(error.map(|error| attribute("error.type", error)));
        self.spans.push(Span {
            trace_id: self.trace_id.clone(),
            span_id: self.root.to_vec(),
            parent_span_id: parent.map(|parent| parent.to_vec()).unwrap_or_default(),
            name: facts.function.as_str().to_owned(),
            kind: SpanKind::Server.into(),
            start_time_unix_nano: self.nanoseconds(*arrived),
            end_time_unix_nano: self.nanoseconds(*ended),
            attributes,
            status: status(&report.status),
            flags: SAMPLED,
        });
    }

    /// What the invocation waited for: its turn, and an Init.
    fn add_waiting_and_init(&mut self) {
        let FinishedInvocation { summary, arrived, steps, .. } = self.invocation;
        // An Init that was over before belongs to whoever waited for it.
        let init: Vec<timeline::Span> = timeline::spans(steps)
            .into_iter()
            .filter(|span| span.start >= *arrived && span.start < summary.start && is_of_init(span.phase))
            .collect();
        let waited_until = init.first().map_or(summary.start, |span| span.start);
        if waited_until > *arrived {
            self.add("queueing", self.root, *arrived, waited_until, None);
        }
        for span in init {
            let end = span.end.unwrap_or(summary.start);
            self.add(span.phase.as_str(), self.root, span.start, end, span.status.as_ref());
        }
    }

    /// The call, its response, what extensions took after it; and an Init that was repeated within the call.
    fn add_invoke(&mut self) {
        let FinishedInvocation { summary, ended, steps, .. } = self.invocation;
        let within = timeline::spans(steps).into_iter().filter(|span| span.start >= summary.start);
        let mut invoke = self.root;
        for span in within {
            let end = span.end.unwrap_or(*ended);
            if span.phase == SpanPhase::Invoke {
                invoke = self.add(span.phase.as_str(), self.root, span.start, end, span.status.as_ref());
            } else if is_of_init(span.phase) || span.phase == SpanPhase::ExtensionOverhead {
                self.add(span.phase.as_str(), self.root, span.start, end, span.status.as_ref());
            }
        }
        for (at, event, _) in steps {
            if let LifecycleEvent::ResponseSent { began, bytes } = event {
                self.add("response", invoke, *began, *at, None);
                if let Some(response) = self.spans.last_mut() {
                    response.attributes.push(attribute("hearth.response_bytes", *bytes as u64));
                }
            }
        }
    }

    /// What each extension did meanwhile: its Init, and its work on the call until it was done.
    fn add_extensions(&mut self) {
        let FinishedInvocation { arrived, ended, steps, .. } = self.invocation;
        for lane in timeline::extensions(steps) {
            let mut add_all = |name: &str, phases: [ExtensionPhase; 2]| {
                let is_here = |span: &&ExtensionSpan| span.start >= *arrived && phases.contains(&span.phase);
                let here: Vec<&ExtensionSpan> = lane.spans.iter().filter(is_here).collect();
                let (Some(first), Some(last)) = (here.first(), here.last()) else { return };
                let failure = here.iter().find_map(|span| span.failure.as_ref());
                let name = format!("{name} {}", lane.name.as_str());
                self.add(&name, self.root, first.start, last.end.unwrap_or(*ended), failure);
            };
            add_all("extension-init", [ExtensionPhase::Registration, ExtensionPhase::Init]);
            add_all("extension", [ExtensionPhase::Invoke, ExtensionPhase::AfterCall]);
        }
    }

    fn add(
        &mut self,
        name: &str,
        parent: SpanId,
        start: Instant,
        end: Instant,
        ended: Option<&PhaseStatus>,
    ) -> SpanId {
        // Without a random number there is no span, rather than two with one id.
        let Some(id) = random::<8>() else { return parent };
        let error = ended.and_then(error_type);
        self.spans.push(Span {
            trace_id: self.trace_id.clone(),
            span_id: id.to_vec(),
            parent_span_id: parent.to_vec(),
            name: name.to_owned(),
            kind: SpanKind::Internal.into(),
            start_time_unix_nano: self.nanoseconds(start),
            end_time_unix_nano: self.nanoseconds(end.max(start)),
            attributes: error.map(|error| attribute("error.type", error)).into_iter().collect(),
            status: ended.and_then(status),
            flags: SAMPLED,
        });
        id
    }

    /// All times of a trace are counted from one reading of the wall clock, so that they keep their order.
    fn nanoseconds(&self, at: Instant) -> u64 {
        let FinishedInvocation { summary, started_epoch_ms, .. } = self.invocation;
        let started = Duration::from_millis(u64::try_from(*started_epoch_ms).unwrap_or(0));
        let after = at.saturating_duration_since(summary.start);
        let before = summary.start.saturating_duration_since(at);
        u64::try_from((started + after).saturating_sub(before).as_nanos()).unwrap_or(u64::MAX)
    }
}

fn is_of_init(phase: SpanPhase) -> bool {
    match phase {
        SpanPhase::ExtensionInit
        | SpanPhase::RuntimeInit
        | SpanPhase::FunctionInit
        | SpanPhase::Init
        | SpanPhase::ExtensionWait => true,
        SpanPhase::Invoke
        | SpanPhase::ExtensionOverhead
        | SpanPhase::Idle
        | SpanPhase::Frozen
        | SpanPhase::Reset
        | SpanPhase::Shutdown
        | SpanPhase::RuntimeShutdown
        | SpanPhase::ExtensionShutdown => false,
    }
}

/// The error type of a phase that did not end as it should.
fn error_type(status: &PhaseStatus) -> Option<&str> {
    match status {
        PhaseStatus::Success => None,
        PhaseStatus::Timeout | PhaseStatus::Failure => Some(status.as_str()),
        PhaseStatus::Error { error_type } => Some(error_type),
    }
}

fn status(status: &PhaseStatus) -> Option<Status> {
    let message = error_type(status)?.to_owned();
    Some(Status { message, code: StatusCode::Error.into() })
}

/// Returns bytes that are not all zero: an id.
fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).ok()?;
    bytes.iter().any(|byte| *byte != 0).then_some(bytes)
}
