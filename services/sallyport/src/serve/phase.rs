//! What the health endpoints say over a process's life: starting, serving, leaving.

use std::sync::{Arc, PoisonError, RwLock};

use sallyport_telemetry::health::{Probes, Ready};

enum State {
    /// Why it has not started yet.
    Starting(String),
    Serving(Ready),
    Leaving,
}

/// The phase, shared with the admin port.
#[derive(Clone)]
pub(super) struct Phase(Arc<RwLock<State>>);

impl Phase {
    pub(super) fn starting() -> Self {
        Self(Arc::new(RwLock::new(State::Starting("it has just begun".to_owned()))))
    }

    pub(super) fn waiting(&self, reason: String) {
        self.set(State::Starting(reason));
    }

    pub(super) fn serving(&self, ready: Ready) {
        self.set(State::Serving(ready));
    }

    /// Not ready from now on, so that nobody new is sent here; what comes all the same is served.
    pub(super) fn leaving(&self) {
        self.set(State::Leaving);
    }

    fn set(&self, state: State) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// For the admin port.
    pub(super) fn probes(&self) -> Probes {
        let (startup, ready) = (self.clone(), self.clone());
        Probes {
            startup: Arc::new(move || match &*startup.0.read().unwrap_or_else(PoisonError::into_inner) {
                State::Starting(reason) => Err(format!("starting: {reason}")),
                State::Serving(_) | State::Leaving => Ok(()),
            }),
            ready: Arc::new(move || match &*ready.0.read().unwrap_or_else(PoisonError::into_inner) {
                State::Starting(reason) => Err(format!("starting: {reason}")),
                State::Serving(ready) => ready(),
                State::Leaving => Err("leaving".to_owned()),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ready_only_between_its_start_and_its_end() {
        let phase = Phase::starting();
        let probes = phase.probes();
        assert!((probes.startup)().is_err() && (probes.ready)().is_err());
        phase.waiting("the database cannot be used yet".to_owned());
        assert!((probes.ready)().unwrap_err().contains("database"));
        phase.serving(Arc::new(|| Ok(())));
        assert!((probes.startup)().is_ok() && (probes.ready)().is_ok());
        phase.serving(Arc::new(|| Err("the audit spool".to_owned())));
        assert!((probes.startup)().is_ok() && (probes.ready)().is_err());
        phase.leaving();
        assert!((probes.startup)().is_ok() && (probes.ready)().unwrap_err().contains("leaving"));
    }
}
