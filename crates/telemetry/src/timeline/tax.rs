//! The extension tax: what each extension takes in Init and after calls, and how much of that is billed because of it.
//!
//! An extension is charged with what would not have been billed without it. Of two that keep a ready runtime waiting for
//! 80 and 100 ms, one after the other, the second is charged with 20 ms and the first with nothing; together they are
//! charged with 100 ms.

use std::time::{Duration, Instant};

use hearth_types::{ExtensionName, ProcessUsage};

use super::Step;
use super::extensions::{ExtensionLane, extensions};
use crate::record::{InitPhase, LifecycleEvent, PhaseStatus};

/// What one extension has taken in one environment, as far as the record goes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtensionTax {
    /// Its name.
    pub name: ExtensionName,
    /// Whether it is a process of its own; `None` where the record no longer says.
    pub is_external: Option<bool>,
    /// How many Inits it came well out of.
    pub inits: u32,
    /// How long those took in all, from the start of Init, or its registration for an internal one, until it was ready.
    pub init: Duration,
    /// How many calls it heard of that have ended.
    pub calls: u32,
    /// How long it worked in all after the runtime was done with them.
    pub after_call: Duration,
    /// What would not have been billed without it.
    pub billed: Duration,
    /// What its processes that have ended used: the sum of their time, and the most memory of any.
    pub ended: Option<ProcessUsage>,
}

/// What all extensions of an environment have taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvironmentTax {
    /// Each of them, in the order of their lanes.
    pub extensions: Vec<ExtensionTax>,
    /// What would not have been billed without any of them.
    pub billed: Duration,
}

/// Reads what extensions have taken from the steps of an environment.
pub fn tax(steps: &[Step]) -> EnvironmentTax {
    let lanes = extensions(steps);
    let mut reader = Reader {
        tax: EnvironmentTax {
            extensions: lanes.iter().map(ExtensionTax::of).collect(),
            billed: Duration::ZERO,
        },
        init: InitMoments::default(),
        charged: None,
        runtime_done: None,
    };
    for step in steps {
        reader.take(step, &lanes);
    }
    reader.tax
}

impl ExtensionTax {
    fn of(lane: &ExtensionLane) -> Self {
        Self {
            name: lane.name.clone(),
            is_external: lane.is_external,
            inits: 0,
            init: Duration::ZERO,
            calls: 0,
            after_call: Duration::ZERO,
            billed: Duration::ZERO,
            ended: None,
        }
    }
}

struct Reader {
    tax: EnvironmentTax,
    init: InitMoments,
    /// What the last Init is charged with, until the invocation that it is billed with has ended.
    charged: Option<Charge>,
    runtime_done: Option<Instant>,
}

/// The moments of an Init, by the place of each extension.
#[derive(Default)]
struct InitMoments {
    started: Option<Instant>,
    registered: Vec<(usize, Instant, bool)>,
    ready: Vec<(usize, Instant)>,
    runtime_done: Option<Instant>,
}

/// What an Init is charged with.
struct Charge {
    phase: InitPhase,
    each: Vec<(usize, Duration)>,
    together: Duration,
}

impl Reader {
    fn take(&mut self, (at, event, report): &Step, lanes: &[ExtensionLane]) {
        let place = |name: &ExtensionName| lanes.iter().position(|lane| lane.name == *name);
        match event {
            LifecycleEvent::InitStarted { .. } => {
                self.init = InitMoments { started: Some(*at), ..InitMoments::default() };
                self.charged = None;
            }
            LifecycleEvent::ExtensionRegistered { extension, is_external, .. } => {
                self.init.registered.extend(place(extension).map(|place| (place, *at, *is_external)));
            }
            LifecycleEvent::ExtensionReady { extension } => {
                if let Some(place) = place(extension) {
                    self.init.ready.push((place, *at));
                    self.count_init(place, *at);
                }
            }
            LifecycleEvent::RuntimeInitDone { .. } => self.init.runtime_done = Some(*at),
            LifecycleEvent::InitDone { phase, status: PhaseStatus::Success } => {
                self.charged = self.init.charge(*phase);
            }
            LifecycleEvent::InvokeStarted { .. } => self.runtime_done = None,
            LifecycleEvent::RuntimeDone { .. } => self.runtime_done = Some(*at),
            LifecycleEvent::InvokeDone { request_id, .. } => {
                let after_call: Vec<(usize, Duration)> = lanes
                    .iter()
                    .enumerate()
                    .filter_map(|(place, lane)| Some((place, lane.after_call(*request_id)?)))
                    .collect();
                for (place, took) in &after_call {
                    let extension = &mut self.tax.extensions[*place];
                    extension.calls += 1;
                    extension.after_call += *took;
                }
                self.add(&alone(&after_call));
                let done = self.runtime_done.take().unwrap_or(*at);
                self.tax.billed += at.saturating_duration_since(done);
                // That of a provisioned environment is billed apart, whatever extensions do.
                let billed_init = report.as_ref().is_some_and(|report| report.init_duration.is_some());
                if let Some(charge) = self.charged.take()
                    && (billed_init || charge.phase == InitPhase::Invoke)
                {
                    self.add(&charge.each);
                    self.tax.billed += charge.together;
                }
            }
            LifecycleEvent::ExtensionUsed { extension, usage } => {
                if let Some(place) = place(extension) {
                    let ended = self.tax.extensions[place].ended.get_or_insert_default();
                    ended.cpu += usage.cpu;
                    ended.memory_bytes_max = ended.memory_bytes_max.max(usage.memory_bytes_max);
                }
            }
            _ => {}
        }
    }

    fn count_init(&mut self, place: usize, ready: Instant) {
        let registered = self.init.registered.iter().find(|(of, ..)| *of == place);
        let began = registered.and_then(|(_, at, is_external)| match is_external {
            true => self.init.started,
            false => Some(*at),
        });
        if let Some(began) = began {
            let extension = &mut self.tax.extensions[place];
            extension.inits += 1;
            extension.init += ready.saturating_duration_since(began);
        }
    }

    fn add(&mut self, charges: &[(usize, Duration)]) {
        for (place, charge) in charges {
            self.tax.extensions[*place].billed += *charge;
        }
    }
}

impl InitMoments {
    /// The runtime waits for the registration of external ones before it starts, and for all of them when it is ready.
    fn charge(&self, phase: InitPhase) -> Option<Charge> {
        let (started, runtime_done) = (self.started?, self.runtime_done?);
        let external = self.registered.iter().filter(|(.., is_external)| *is_external);
        let registrations: Vec<(usize, Duration)> =
            external.map(|(place, at, _)| (*place, at.saturating_duration_since(started))).collect();
        let ready = self.ready.iter().map(|(place, at)| (*place, at.saturating_duration_since(runtime_done)));
        let waits: Vec<(usize, Duration)> = ready.collect();
        let longest =
            |times: &[(usize, Duration)]| times.iter().map(|(_, took)| *took).max().unwrap_or_default();
        Some(Charge {
            phase,
            each: [alone(&registrations), alone(&waits)].concat(),
            together: longest(&registrations) + longest(&waits),
        })
    }
}

/// Of times that run side by side, returns the longest, as far as it is longer than all others.
fn alone(times: &[(usize, Duration)]) -> Vec<(usize, Duration)> {
    let Some((longest, took)) = times.iter().max_by_key(|(_, took)| *took) else { return vec![] };
    let others = times.iter().filter(|(place, _)| place != longest).map(|(_, took)| *took);
    vec![(*longest, took.saturating_sub(others.max().unwrap_or_default()))]
}

#[cfg(test)]
mod tests {
    use hearth_types::{ExtensionEvents, RequestId};

    use super::*;
    use crate::record::Report;

    fn name(name: &str) -> ExtensionName {
        ExtensionName::new(name).unwrap()
    }

    #[test]
    fn an_extension_is_charged_with_what_would_not_have_been_billed_without_it() {
        let zero = Instant::now();
        let ms = Duration::from_millis;
        let at = |after: u64, event: LifecycleEvent| (zero + ms(after), event, None);
        let request_id = RequestId::parse("11111111-2222-4333-8444-555555555555").unwrap();
        let events = ExtensionEvents { invoke: true, shutdown: false };
        let registered =
            |of: &str| LifecycleEvent::ExtensionRegistered { extension: name(of), is_external: true, events };
        let (phase, success) = (InitPhase::Init, PhaseStatus::Success);
        let mut steps = vec![
            at(0, LifecycleEvent::InitStarted { phase }),
            at(1, LifecycleEvent::ExtensionStarted { extension: name("quick") }),
            at(1, LifecycleEvent::ExtensionStarted { extension: name("slow") }),
            at(10, registered("quick")),
            at(30, registered("slow")),
            at(31, LifecycleEvent::RuntimeStarted),
            at(40, LifecycleEvent::ExtensionReady { extension: name("quick") }),
            at(90, LifecycleEvent::RuntimeInitDone { phase, status: success.clone() }),
            at(95, LifecycleEvent::ExtensionReady { extension: name("slow") }),
            at(95, LifecycleEvent::InitDone { phase, status: success.clone() }),
            at(
                95,
                LifecycleEvent::InvokeStarted {
                    request_id,
                    why_cold: None,
                    particulars: None,
                    trace: None,
                    arrived: zero,
                },
            ),
            at(100, LifecycleEvent::RuntimeDone { request_id, status: success.clone() }),
            at(180, LifecycleEvent::ExtensionDone { extension: name("quick") }),
            at(200, LifecycleEvent::ExtensionDone { extension: name("slow") }),
            at(200, LifecycleEvent::InvokeDone { request_id, status: success.clone(), memory_bytes_max: 0 }),
        ];
        steps[14].2 = Some(Report {
            duration: ms(105),
            billed_ms: 200,
            memory_size_mb: 128,
            max_memory_used_mb: 40,
            init_duration: Some(ms(95)),
            restore: None,
            status: success,
        });
        for cpu_ms in [5, 7] {
            let usage = ProcessUsage { cpu: ms(cpu_ms), memory_bytes_max: cpu_ms << 20 };
            steps.push(at(300, LifecycleEvent::ExtensionUsed { extension: name("slow"), usage }));
        }
        let EnvironmentTax { extensions, billed } = tax(&steps);
        // 30 ms until all had registered, 5 ms until all were ready, 100 ms after the call.
        assert_eq!(billed, ms(135));
        let [quick, slow] = &extensions[..] else { panic!("{extensions:?}") };
        assert_eq!((quick.inits, quick.init, quick.calls, quick.after_call), (1, ms(40), 1, ms(80)));
        assert_eq!((slow.inits, slow.init, slow.calls, slow.after_call), (1, ms(95), 1, ms(100)));
        // 20 of 30, 5 of 5, 20 of 100.
        assert_eq!((quick.billed, slow.billed), (ms(0), ms(45)));
        assert_eq!(slow.ended, Some(ProcessUsage { cpu: ms(12), memory_bytes_max: 7 << 20 }));
        assert_eq!(quick.ended, None);
    }
}
