//! The faults that somebody wants: which, how often, and how often they have happened. Kept in memory only; they are gone
//! with the server.
//!
//! This module does not know what a fault does to an environment; that is in `environment/src/injected_fault.rs`. A
//! throttled call has no environment: it is counted here and logged, and nowhere else.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hearth_environment::{FaultPoint, Faults};
use hearth_invoke::InjectedThrottles;
use hearth_types::{ExtensionName, FaultDeed, FaultPhase, FunctionName, Version};

/// How many faults are kept at most, those included that have happened as often as they were to.
pub const FAULTS_MAX: usize = 256;

/// A fault that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedFault {
    /// In whose environments.
    pub function: FunctionName,
    /// Only of this version; `None`: of any.
    pub version: Option<Version>,
    /// When.
    pub phase: FaultPhase,
    /// What.
    pub deed: FaultDeed,
    /// To which extension; `None`: to whom the phase is about.
    pub extension: Option<ExtensionName>,
    /// How often.
    pub times: u32,
}

/// A fault that was added, and how often it has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedFault {
    /// Its number.
    pub id: u64,
    /// What was wanted.
    pub wanted: WantedFault,
    /// How often it has happened.
    pub happened: u32,
}

impl AddedFault {
    fn is_over(&self) -> bool {
        self.happened >= self.wanted.times
    }
}

/// There are [`FAULTS_MAX`] faults, all of which are still to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are {FAULTS_MAX} faults already, all of which are still to happen")]
pub struct TooManyFaults;

/// All of them.
#[derive(Default)]
pub struct InjectedFaults {
    list: Mutex<List>,
    /// How many are still to happen: calls look here first.
    ahead: AtomicUsize,
}

#[derive(Default)]
struct List {
    faults: Vec<AddedFault>,
    last_id: u64,
}

impl InjectedFaults {
    /// Adds a fault. When there are too many, the oldest that is over makes room.
    pub fn add(&self, wanted: WantedFault) -> Result<AddedFault, TooManyFaults> {
        let mut list = self.lock();
        if list.faults.len() >= FAULTS_MAX {
            let over = list.faults.iter().position(AddedFault::is_over).ok_or(TooManyFaults)?;
            list.faults.remove(over);
        }
        list.last_id += 1;
        let fault = AddedFault { id: list.last_id, wanted, happened: 0 };
        list.faults.push(fault.clone());
        self.count(&list);
        Ok(fault)
    }

    /// Returns all of them, in the order in which they were added.
    pub fn list(&self) -> Vec<AddedFault> {
        self.lock().faults.clone()
    }

    /// Removes those that `choose` picks, and returns them. What has begun goes on.
    pub fn remove(&self, choose: impl Fn(&AddedFault) -> bool) -> Vec<AddedFault> {
        let mut list = self.lock();
        let (removed, kept) = std::mem::take(&mut list.faults).into_iter().partition(|fault| choose(fault));
        list.faults = kept;
        self.count(&list);
        removed
    }

    /// Takes the first fault that is meant, and counts it.
    fn take(
        &self,
        function: &FunctionName,
        version: Version,
        is_meant: impl Fn(&WantedFault) -> bool,
    ) -> Option<FaultDeed> {
        if self.ahead.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut list = self.lock();
        let fault = list.faults.iter_mut().find(|fault| {
            let wanted = &fault.wanted;
            !fault.is_over()
                && wanted.function == *function
                && wanted.version.is_none_or(|wanted| wanted == version)
                && is_meant(wanted)
        })?;
        fault.happened += 1;
        let (id, deed, phase) = (fault.id, fault.wanted.deed, fault.wanted.phase);
        self.count(&list);
        drop(list);
        tracing::info!(%function, id, %phase, %deed, "fault injected");
        Some(deed)
    }

    fn count(&self, list: &List) {
        let ahead = list.faults.iter().filter(|fault| !fault.is_over()).count();
        self.ahead.store(ahead, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InjectedThrottles for InjectedFaults {
    fn take(&self, function: &FunctionName, version: Version) -> bool {
        self.take(function, version, |wanted| wanted.deed == FaultDeed::Throttle).is_some()
    }
}

/// Those for one environment.
pub(crate) struct FaultsOf {
    pub(crate) faults: Arc<InjectedFaults>,
    pub(crate) function: FunctionName,
    pub(crate) version: Version,
}

impl Faults for FaultsOf {
    fn take(&self, point: FaultPoint<'_>) -> Option<FaultDeed> {
        self.faults.take(&self.function, self.version, |wanted| {
            let hits = match &wanted.extension {
                Some(named) => point.extension == Some(named),
                None => point.is_default,
            };
            wanted.phase == point.phase && wanted.deed != FaultDeed::Throttle && hits
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(name: &str, deed: FaultDeed, times: u32) -> WantedFault {
        WantedFault {
            function: FunctionName::new(name).unwrap(),
            version: None,
            phase: FaultPhase::Invoke,
            deed,
            extension: None,
            times,
        }
    }

    fn of(faults: &Arc<InjectedFaults>, name: &str, version: Version) -> FaultsOf {
        FaultsOf { faults: faults.clone(), function: FunctionName::new(name).unwrap(), version }
    }

    const INVOKE: FaultPoint<'static> =
        FaultPoint { phase: FaultPhase::Invoke, extension: None, is_default: true };

    #[test]
    fn a_fault_happens_as_often_as_it_was_wanted_however_many_ask_at_once() {
        let faults = Arc::new(InjectedFaults::default());
        faults.add(wanted("f", FaultDeed::Kill, 50)).unwrap();
        let ask = || {
            let environment = of(&faults, "f", Version::Latest);
            (0..100).filter(|_| Faults::take(&environment, INVOKE).is_some()).count()
        };
        let taken: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!((taken, faults.list()[0].happened), (50, 50));
    }

    #[test]
    fn a_fault_is_for_its_function_version_phase_and_extension_only() {
        let faults = Arc::new(InjectedFaults::default());
        let agent = ExtensionName::new("agent").unwrap();
        let version = Some(Version::Number(2));
        let extension = Some(agent.clone());
        faults.add(WantedFault { version, extension, ..wanted("f", FaultDeed::Hang, 1) }).unwrap();
        let named = FaultPoint { extension: Some(&agent), is_default: false, ..INVOKE };
        assert_eq!(Faults::take(&of(&faults, "g", Version::Number(2)), named), None);
        assert_eq!(Faults::take(&of(&faults, "f", Version::Latest), named), None);
        let right = of(&faults, "f", Version::Number(2));
        assert_eq!(Faults::take(&right, INVOKE), None);
        assert_eq!(Faults::take(&right, FaultPoint { phase: FaultPhase::Shutdown, ..named }), None);
        assert_eq!(Faults::take(&right, named), Some(FaultDeed::Hang));
        assert_eq!(Faults::take(&right, named), None);
    }

    #[test]
    fn throttles_are_for_calls_and_everything_else_is_for_environments() {
        let faults = Arc::new(InjectedFaults::default());
        faults.add(wanted("f", FaultDeed::Throttle, 1)).unwrap();
        let environment = of(&faults, "f", Version::Latest);
        assert_eq!(Faults::take(&environment, INVOKE), None);
        assert!(InjectedThrottles::take(&*faults, &environment.function, Version::Latest));
        assert!(!InjectedThrottles::take(&*faults, &environment.function, Version::Latest));
    }

    #[test]
    fn what_is_over_makes_room_and_what_is_not_does_not() {
        let faults = Arc::new(InjectedFaults::default());
        for _ in 0..FAULTS_MAX {
            faults.add(wanted("f", FaultDeed::Kill, 1)).unwrap();
        }
        assert_eq!(faults.add(wanted("f", FaultDeed::Kill, 1)), Err(TooManyFaults));
        Faults::take(&of(&faults, "f", Version::Latest), INVOKE);
        assert_eq!(faults.add(wanted("f", FaultDeed::Kill, 1)).unwrap().id, FAULTS_MAX as u64 + 1);
        assert_eq!(faults.remove(|_| true).len(), FAULTS_MAX);
        assert_eq!(Faults::take(&of(&faults, "f", Version::Latest), INVOKE), None);
    }
}
