//! How a component is: the worst of what evaluation, running and the component itself say.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

/// One of Alloy's four states, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HealthState {
    /// Works as it should.
    Healthy,
    /// Nothing is known yet.
    Unknown,
    /// Something is wrong; the message says what.
    Unhealthy,
    /// It ended, and will not start again by itself.
    Exited,
}

impl HealthState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Healthy, Self::Unknown, Self::Unhealthy, Self::Exited];

    /// The word in Alloy's API and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unknown => "unknown",
            Self::Unhealthy => "unhealthy",
            Self::Exited => "exited",
        }
    }
}

/// A state with the reason for it and the time since when it holds.
#[derive(Clone, Debug)]
pub struct Health {
    /// The state.
    pub state: HealthState,
    /// A sentence for a person.
    pub message: String,
    /// When it was found.
    pub updated: SystemTime,
}

impl Health {
    /// A state as of now.
    pub fn new(state: HealthState, message: impl Into<String>) -> Self {
        Self {
            state,
            message: message.into(),
            updated: SystemTime::now(),
        }
    }

    /// All is well.
    pub fn healthy(message: impl Into<String>) -> Self {
        Self::new(HealthState::Healthy, message)
    }

    /// Something is wrong.
    pub fn unhealthy(message: impl Into<String>) -> Self {
        Self::new(HealthState::Unhealthy, message)
    }
}

/// Where the health of one component is gathered; shared by everyone who has a say in it.
#[derive(Clone, Debug)]
pub struct HealthReport {
    said: Arc<Mutex<Said>>,
}

#[derive(Debug)]
struct Said {
    evaluated: Health,
    running: Health,
    reported: Option<Health>,
}

impl HealthReport {
    /// The report of a component that was just made.
    pub(super) fn new() -> Self {
        let unknown = || Health::new(HealthState::Unknown, "component created");
        let said = Said {
            evaluated: unknown(),
            running: unknown(),
            reported: None,
        };
        Self {
            said: Arc::new(Mutex::new(said)),
        }
    }

    /// What the component says of itself.
    pub fn set(&self, health: Health) {
        self.with(|said| said.reported = Some(health));
    }

    /// What came of evaluating its block.
    pub(super) fn evaluated(&self, health: Health) {
        self.with(|said| said.evaluated = health);
    }

    /// What its task does; a new start forgets what the last run said of itself.
    pub(super) fn running(&self, health: Health) {
        self.with(|said| {
            said.reported = None;
            said.running = health;
        });
    }

    /// The worst of all that was said.
    pub fn get(&self) -> Health {
        self.with(|said| {
            let all = [
                Some(&said.evaluated),
                Some(&said.running),
                said.reported.as_ref(),
            ];
            let worst = all.into_iter().flatten().max_by_key(|health| health.state);
            worst.cloned().unwrap_or_else(|| said.running.clone())
        })
    }

    fn with<T>(&self, action: impl FnOnce(&mut Said) -> T) -> T {
        // A panic elsewhere cannot leave a health half written.
        action(&mut self.said.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_word_counts() {
        let report = HealthReport::new();
        assert_eq!(report.get().state, HealthState::Unknown);
        report.evaluated(Health::healthy("evaluated"));
        report.running(Health::healthy("started"));
        assert_eq!(report.get().state, HealthState::Healthy);
        report.set(Health::unhealthy("backend refuses our password"));
        assert_eq!(report.get().message, "backend refuses our password");
        report.running(Health::healthy("started again"));
        assert_eq!(report.get().state, HealthState::Healthy);
    }
}
