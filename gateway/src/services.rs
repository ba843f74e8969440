//! What the process offers to all components: the log, the memory budget, the listeners, metrics.

use std::sync::{Arc, OnceLock};

use crate::{
    batch::MemoryBudget,
    ledger::Ledger,
    net::{Gate, Listeners},
    telemetry::{LiveDebugging, Logs, Metrics},
};

/// Handles to what exists once in the process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Services {
    shared: Arc<Shared>,
    metrics: Metrics,
}

#[derive(Debug)]
struct Shared {
    log: OnceLock<wal::Log>,
    memory: MemoryBudget,
    listeners: Listeners,
    gate: Gate,
    ledger: Ledger,
    live_debugging: LiveDebugging,
    logs: Logs,
}

impl Services {
    /// Services around a memory budget; the log is opened later, and never where a configuration
    /// is only checked.
    pub fn new(memory: MemoryBudget, logs: Logs) -> Self {
        let metrics = Metrics::default();
        metrics.collect(logs.lines().collector());
        metrics.collect(logs.spans().collector());
        let shared = Shared {
            log: OnceLock::new(),
            memory,
            listeners: Listeners::default(),
            gate: Gate::default(),
            ledger: Ledger::new(&metrics),
            live_debugging: LiveDebugging::default(),
            logs,
        };
        Self {
            shared: Arc::new(shared),
            metrics,
        }
    }

    /// The same services for components whose own metrics nobody wants to see. What they are
    /// accountable for is shown all the same: the ledger is another matter.
    #[must_use]
    pub fn unmeasured(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            metrics: Metrics::default(),
        }
    }

    /// Gives the components their log.
    pub fn open(&self, log: wal::Log) {
        self.shared.ledger.follow(log.clone());
        let already = self.shared.log.set(log).is_err();
        debug_assert!(!already, "the log is opened once");
    }

    /// The log of the process.
    ///
    /// # Panics
    /// Before `open`: components touch the log only when they run.
    pub fn log(&self) -> &wal::Log {
        self.shared
            .log
            .get()
            .expect("components run only after the log was opened")
    }

    /// The budget from which everything in flight is reserved.
    pub fn memory(&self) -> &MemoryBudget {
        &self.shared.memory
    }

    /// The sockets on which the process listens, kept open across reloads.
    pub fn listeners(&self) -> &Listeners {
        &self.shared.listeners
    }

    /// How the admin server encrypts and whom it lets in.
    pub fn gate(&self) -> &Gate {
        &self.shared.gate
    }

    /// What was accepted, refused, delivered and dropped.
    pub fn ledger(&self) -> &Ledger {
        &self.shared.ledger
    }

    /// Whether people may watch what flows.
    pub fn live_debugging(&self) -> &LiveDebugging {
        &self.shared.live_debugging
    }

    /// The process's own logs.
    pub fn logs(&self) -> &Logs {
        &self.shared.logs
    }

    /// The registry behind `/metrics`.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}
