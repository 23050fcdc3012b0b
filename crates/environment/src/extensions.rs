//! The extensions of an environment: who they are, how far each is, and what each may do now.
//!
//! *External* extensions are programs in `/opt/extensions`, started before the runtime. *Internal* ones are code in the
//! runtime's process: whoever registers with a name that no program has.
//!
//! ```text
//!   Started ──register──> Registered ──event/next──> Ready ──an event──> Running
//!                          │                          ^                     │
//!                          └─init/error─> InitError   └─────event/next──────┘       exit/error ─> ExitError
//! ```
//!
//! Source of states, transitions and texts: Lambda Developer Guide, "Extensions API", and the state machine of AWS's open
//! runtime interface emulator, read 2026-11.

use std::fmt;

use hearth_sandbox::ExitStatus;
use hearth_telemetry::{LifecycleEvent, SubscriptionApi};
use hearth_types::{ExtensionEvents, ExtensionId, ExtensionName, ExtensionState, limits};

use crate::fatal_error::FatalError;

/// Why a request of an extension is refused. Prints AWS's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExtensionRejection {
    /// It registers for an event that does not exist.
    UnknownEvent(String),
    /// An internal extension cannot hear of the end: it ends with the runtime, before that.
    NoShutdownForInternal,
    /// It registers after the runtime's first `/next`.
    RegistrationClosed,
    /// An internal one with this name has registered.
    AlreadyRegistered,
    /// There are as many as there may be.
    TooMany,
    /// No extension has this id.
    Unknown(ExtensionId),
    /// It may not do that now.
    InvalidStateTransition {
        /// Who.
        name: ExtensionName,
        /// Where it is.
        from: ExtensionState,
        /// Where it wanted to go.
        to: ExtensionState,
    },
    /// It subscribes to telemetry after Init.
    SubscriptionClosed(SubscriptionApi),
    /// It has subscribed by the other of the two interfaces.
    OtherApiInUse {
        /// Who.
        name: ExtensionName,
        /// The one that it asks for now.
        api: SubscriptionApi,
    },
}

impl ExtensionRejection {
    /// Returns the error type, as AWS spells it.
    pub const fn error_type(&self) -> &'static str {
        match self {
            Self::UnknownEvent(_) | Self::NoShutdownForInternal => "Extension.InvalidEventType",
            Self::RegistrationClosed => "Extension.RegistrationClosed",
            Self::AlreadyRegistered | Self::InvalidStateTransition { .. } => {
                "Extension.InvalidExtensionState"
            }
            Self::TooMany => "Extension.TooManyExtensions",
            Self::Unknown(_) => "Extension.UnknownExtensionIdentifier",
            Self::SubscriptionClosed(SubscriptionApi::Telemetry) => "Telemetry.SubscriptionClosed",
            Self::SubscriptionClosed(SubscriptionApi::Logs) => "Logs.SubscriptionClosed",
            // Source: texts seen on AWS, second-hand; the documentation only says that an extension cannot use both.
            Self::OtherApiInUse { api: SubscriptionApi::Telemetry, .. } => "Telemetry.AccessDenied",
            Self::OtherApiInUse { api: SubscriptionApi::Logs, .. } => "Logs.AccessDenied",
        }
    }
}

impl fmt::Display for ExtensionRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownEvent(event) => write!(f, "{event}: ErrorInvalidEventType"),
            Self::NoShutdownForInternal => {
                f.write_str("SHUTDOWN: ShutdownEventNotSupportedForInternalExtension")
            }
            Self::RegistrationClosed => f.write_str("Extension registration closed already"),
            Self::AlreadyRegistered => f.write_str("Extension with this name already registered"),
            Self::TooMany => write!(f, "Extension limit ({}) reached", limits::EXTENSIONS_MAX),
            Self::Unknown(id) => write!(f, "Unknown extension {id}"),
            Self::InvalidStateTransition { name, from, to } => write!(
                f,
                "State transition from {from} to {to} failed for extension {name}. \
                 Error: State transition is not allowed"
            ),
            Self::SubscriptionClosed(api) => write!(f, "{} subscription is closed", api_name(*api)),
            Self::OtherApiInUse { name, api } => {
                let other = match api {
                    SubscriptionApi::Telemetry => "LogsAPI",
                    SubscriptionApi::Logs => "TelemetryAPI",
                };
                write!(
                    f,
                    "The extension {name} is already subscribed to the {other}. \
                     You must either subscribe to the LogsAPI or the TelemetryAPI"
                )
            }
        }
    }
}

const fn api_name(api: SubscriptionApi) -> &'static str {
    match api {
        SubscriptionApi::Telemetry => "Telemetry API",
        SubscriptionApi::Logs => "Logs API",
    }
}

/// With which of its two calls an extension reports an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtensionReport {
    /// `init/error`: its Init failed.
    InitError,
    /// `exit/error`: it is going to exit.
    ExitError,
}

impl ExtensionReport {
    fn state(self) -> ExtensionState {
        match self {
            Self::InitError => ExtensionState::InitError,
            Self::ExitError => ExtensionState::ExitError,
        }
    }

    /// Returns the error type of a report that has none of its own.
    pub const fn generic_error_type(self) -> &'static str {
        match self {
            Self::InitError => "Extension.InitError",
            Self::ExitError => "Extension.ExitError",
        }
    }
}

/// The number of an external extension's program: its place in the list of names.
pub type ProgramNumber = usize;

/// One extension.
#[derive(Debug, Clone)]
pub(crate) struct Extension {
    pub(crate) name: ExtensionName,
    /// `None` for an internal one.
    pub(crate) program: Option<ProgramNumber>,
    pub(crate) id: Option<ExtensionId>,
    pub(crate) state: ExtensionState,
    pub(crate) events: ExtensionEvents,
    /// Whether its process runs, as far as is known. Internal ones have none.
    pub(crate) is_alive: bool,
    /// Whether the record has that its process runs.
    is_start_recorded: bool,
    /// Whether it was killed in a shutdown or reset.
    pub(crate) was_killed: bool,
    pub(crate) error_type: Option<String>,
    /// By which interface it has subscribed to telemetry.
    pub(crate) subscribed: Option<SubscriptionApi>,
}

/// What a poll for an event means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Poll {
    /// It is ready for the first time.
    FirstReady(ExtensionName),
    /// It is done with its event.
    Done(ExtensionName),
    /// It asks again.
    Again,
}

/// All extensions of an environment.
#[derive(Debug, Default)]
pub(crate) struct Extensions {
    /// The programs in `/opt/extensions`, by name.
    programs: Vec<ExtensionName>,
    all: Vec<Extension>,
    is_registration_open: bool,
}

impl Extensions {
    /// Knows of the programs; none runs.
    pub(crate) fn new(programs: Vec<ExtensionName>) -> Self {
        Self { programs, all: Vec::new(), is_registration_open: false }
    }

    /// Init begins: every program has to be started. Returns the numbers of those that may be.
    pub(crate) fn begin(&mut self) -> Vec<ProgramNumber> {
        self.is_registration_open = true;
        let extension = |(program, name): (ProgramNumber, &ExtensionName)| Extension {
            name: name.clone(),
            program: Some(program),
            id: None,
            state: ExtensionState::Started,
            events: ExtensionEvents::default(),
            is_alive: program < limits::EXTENSIONS_MAX,
            is_start_recorded: false,
            was_killed: false,
            error_type: None,
            subscribed: None,
        };
        self.all = self.programs.iter().enumerate().map(extension).collect();
        (0..self.programs.len().min(limits::EXTENSIONS_MAX)).collect()
    }

    /// Returns the error of a function that has more programs than may be started, and notes it.
    pub(crate) fn refuse_surplus(&mut self) -> Option<FatalError> {
        let surplus = self.all.get_mut(limits::EXTENSIONS_MAX..).unwrap_or_default();
        for extension in surplus.iter_mut() {
            extension.state = ExtensionState::LaunchError;
            extension.error_type = Some("TooManyExtensions".to_owned());
        }
        surplus.first().map(|_| FatalError::too_many_extensions())
    }

    /// Everything is gone.
    pub(crate) fn forget(&mut self) {
        self.is_registration_open = false;
        self.all.clear();
    }

    /// The runtime has asked for its first event.
    pub(crate) fn close_registration(&mut self) {
        self.is_registration_open = false;
    }

    /// Whether every program has registered: the runtime may start.
    pub(crate) fn have_registered(&self) -> bool {
        self.all.iter().all(|extension| extension.state != ExtensionState::Started)
    }

    /// Whether every extension waits for an event.
    pub(crate) fn are_ready(&self) -> bool {
        self.all.iter().all(|extension| extension.state == ExtensionState::Ready)
    }

    /// Whether one has an event and is not done with it.
    pub(crate) fn is_one_running(&self) -> bool {
        self.all.iter().any(|extension| extension.state == ExtensionState::Running)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(crate) fn has_external(&self) -> bool {
        self.all.iter().any(|extension| extension.program.is_some())
    }

    /// Whether the process of an external extension runs.
    pub(crate) fn is_one_alive(&self) -> bool {
        self.all.iter().any(|extension| extension.is_alive)
    }

    /// Returns the programs whose processes run, as far as is known.
    pub(crate) fn alive(&self) -> Vec<ProgramNumber> {
        self.all
            .iter()
            .filter(|extension| extension.is_alive)
            .filter_map(|extension| extension.program)
            .collect()
    }

    /// Returns the first of them.
    pub(crate) fn first_alive(&self) -> Option<ProgramNumber> {
        self.all.iter().filter(|extension| extension.is_alive).find_map(|extension| extension.program)
    }

    /// Returns those of them that hear of invocations.
    pub(crate) fn hear_of_invocations(&self) -> Vec<ProgramNumber> {
        let hears = |extension: &&Extension| extension.is_alive && extension.events.invoke;
        self.all.iter().filter(hears).filter_map(|extension| extension.program).collect()
    }

    /// An extension works on an invocation again, if it was done with it. Returns whether it was.
    pub(crate) fn is_running_again(&mut self, program: ProgramNumber) -> bool {
        match self.of_program(program) {
            Some(extension) if extension.state == ExtensionState::Ready => {
                extension.state = ExtensionState::Running;
                true
            }
            Some(_) | None => false,
        }
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Extension> {
        self.all.iter_mut()
    }

    pub(crate) fn of_program(&mut self, program: ProgramNumber) -> Option<&mut Extension> {
        self.all.iter_mut().find(|extension| extension.program == Some(program))
    }

    pub(crate) fn of_id(&mut self, id: ExtensionId) -> Result<&mut Extension, ExtensionRejection> {
        let found = self.all.iter_mut().find(|extension| extension.id == Some(id));
        found.ok_or(ExtensionRejection::Unknown(id))
    }

    /// An extension registers. A program's comes first by its name; any other name is an internal one's.
    pub(crate) fn register(
        &mut self,
        name: &ExtensionName,
        id: ExtensionId,
        events: &[String],
    ) -> Result<&mut Extension, ExtensionRejection> {
        let known = self.all.iter().position(|extension| extension.name == *name);
        let at = match known {
            Some(at) if self.all[at].program.is_none() => return Err(ExtensionRejection::AlreadyRegistered),
            // In the words of AWS's emulator, which knows programs before they register.
            Some(at) if self.all[at].state != ExtensionState::Started => {
                return Err(self.all[at].reject(ExtensionState::Registered));
            }
            Some(at) => {
                self.all[at].events = wanted(events, true)?;
                at
            }
            None if !self.is_registration_open => return Err(ExtensionRejection::RegistrationClosed),
            None if self.all.len() >= limits::EXTENSIONS_MAX => return Err(ExtensionRejection::TooMany),
            None => {
                let events = wanted(events, false)?;
                self.all.push(Extension {
                    name: name.clone(),
                    program: None,
                    id: None,
                    state: ExtensionState::Started,
                    events,
                    is_alive: false,
                    is_start_recorded: false,
                    was_killed: false,
                    error_type: None,
                    subscribed: None,
                });
                self.all.len() - 1
            }
        };
        let extension = &mut self.all[at];
        extension.id = Some(id);
        extension.state = ExtensionState::Registered;
        Ok(extension)
    }

    /// An extension subscribes to telemetry. A later subscription takes the place of its former one.
    pub(crate) fn subscribe(
        &mut self,
        id: ExtensionId,
        api: SubscriptionApi,
    ) -> Result<ExtensionName, ExtensionRejection> {
        self.may_subscribe(id, api)?;
        let extension = self.of_id(id)?;
        extension.subscribed = Some(api);
        Ok(extension.name.clone())
    }

    /// Whether an extension may subscribe through this interface.
    pub(crate) fn may_subscribe(
        &mut self,
        id: ExtensionId,
        api: SubscriptionApi,
    ) -> Result<(), ExtensionRejection> {
        let extension = self.of_id(id)?;
        if extension.subscribed.is_some_and(|subscribed| subscribed != api) {
            let name = extension.name.clone();
            return Err(ExtensionRejection::OtherApiInUse { name, api });
        }
        Ok(())
    }

    /// An extension asks for an event.
    pub(crate) fn poll(&mut self, id: ExtensionId) -> Result<Poll, ExtensionRejection> {
        let extension = self.of_id(id)?;
        let poll = match extension.state {
            ExtensionState::Registered => Poll::FirstReady(extension.name.clone()),
            ExtensionState::Running => Poll::Done(extension.name.clone()),
            // Its connection broke, or its client gave up waiting: it may ask again.
            ExtensionState::Ready => Poll::Again,
            ExtensionState::Started
            | ExtensionState::InitError
            | ExtensionState::ExitError
            | ExtensionState::LaunchError
            | ExtensionState::ShutdownFailed
            | ExtensionState::Exited => return Err(extension.reject(ExtensionState::Ready)),
        };
        extension.state = ExtensionState::Ready;
        Ok(poll)
    }

    /// An extension reports an error. `false`: it has said so before.
    pub(crate) fn report(
        &mut self,
        id: ExtensionId,
        report: ExtensionReport,
        error_type: &str,
    ) -> Result<bool, ExtensionRejection> {
        let extension = self.of_id(id)?;
        let to = report.state();
        match (report, extension.state) {
            (_, from) if from == to => return Ok(false),
            (ExtensionReport::InitError, ExtensionState::Registered)
            | (
                ExtensionReport::ExitError,
                ExtensionState::Registered | ExtensionState::Ready | ExtensionState::Running,
            ) => {}
            _ => return Err(extension.reject(to)),
        }
        extension.state = to;
        extension.error_type = Some(error_type.to_owned());
        Ok(true)
    }

    /// An invocation begins. Returns who hears of it.
    pub(crate) fn begin_invoke(&mut self) -> Vec<ExtensionId> {
        let mut notified = Vec::new();
        for extension in self.all.iter_mut().filter(|extension| extension.events.invoke) {
            extension.state = ExtensionState::Running;
            notified.extend(extension.id);
        }
        notified
    }

    /// Returns the records of how each came out of Init.
    pub(crate) fn reports(&self) -> impl Iterator<Item = LifecycleEvent> {
        self.all.iter().map(|extension| LifecycleEvent::ExtensionReported {
            extension: extension.name.clone(),
            state: extension.state,
            events: extension.events,
            error_type: extension.error_type.clone(),
        })
    }
}

impl Extension {
    /// Returns what to record when its process is known to run: nothing the second time, and nothing for an internal one.
    ///
    /// A quick one registers before the sandbox has told that it was started.
    pub(crate) fn start(&mut self) -> Option<LifecycleEvent> {
        let is_news = self.program.is_some() && !std::mem::replace(&mut self.is_start_recorded, true);
        is_news.then(|| LifecycleEvent::ExtensionStarted { extension: self.name.clone() })
    }

    fn reject(&self, to: ExtensionState) -> ExtensionRejection {
        ExtensionRejection::InvalidStateTransition { name: self.name.clone(), from: self.state, to }
    }

    /// Whether it is told of the end, and has time for it.
    pub(crate) fn hears_of_shutdown(&self) -> bool {
        self.is_alive && self.events.shutdown && self.id.is_some()
    }

    /// Its process ended, and nobody had asked it to.
    pub(crate) fn crash(&mut self, status: ExitStatus, was_out_of_memory: bool) -> FatalError {
        let error = FatalError::extension_exited(status).because_out_of_memory(was_out_of_memory);
        self.is_alive = false;
        if self.error_type.is_none() {
            self.state = ExtensionState::Exited;
            self.error_type = Some(error.error_type.clone());
        }
        error
    }

    /// Its program could not be started.
    pub(crate) fn fail_to_launch(&mut self, errno: i32) -> FatalError {
        self.is_alive = false;
        self.state = ExtensionState::LaunchError;
        let error_type = if errno == 13 { "PermissionDenied" } else { "UnknownError" };
        self.error_type = Some(error_type.to_owned());
        FatalError::cannot_launch_extension(&self.name, errno)
    }
}

/// Reads which events an extension wants.
fn wanted(names: &[String], is_external: bool) -> Result<ExtensionEvents, ExtensionRejection> {
    let mut events = ExtensionEvents::default();
    for name in names {
        match name.as_str() {
            "INVOKE" => events.invoke = true,
            "SHUTDOWN" if is_external => events.shutdown = true,
            "SHUTDOWN" => return Err(ExtensionRejection::NoShutdownForInternal),
            unknown => return Err(ExtensionRejection::UnknownEvent(unknown.to_owned())),
        }
    }
    Ok(events)
}
