//! How a destination's queues are named in the log.

use super::{Signal, Tenant};

/// Whose records a queue holds, beside its destination: each signal of each tenant has its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QueueKey {
    /// The signal.
    pub signal: Signal,
    /// The tenant.
    pub tenant: Tenant,
}

impl QueueKey {
    /// The name of a component's queue. Neither a signal nor a tenant can have a slash.
    pub fn queue_name(&self, component: &str) -> String {
        format!("{component}/{}/{}", self.signal.as_str(), self.tenant)
    }

    /// The component and the key in a queue's name.
    pub fn parse(name: &str) -> Option<(&str, Self)> {
        let (rest, tenant) = name.rsplit_once('/')?;
        let (component, signal) = rest.rsplit_once('/')?;
        let tenant = Tenant::new(tenant).ok()?;
        Some((
            component,
            Self {
                signal: signal.parse().ok()?,
                tenant,
            },
        ))
    }
}

/// What the names of queues for dead letters begin with.
const DEAD_LETTERS: &str = "dead-letters/";

/// The name of the queue that holds what a component's backend refused for good.
pub fn dead_letters_name(component: &str) -> String {
    format!("{DEAD_LETTERS}{component}")
}

/// The component whose dead letters a queue of this name holds.
pub fn dead_letters_of(name: &str) -> Option<&str> {
    name.strip_prefix(DEAD_LETTERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_name_says_whose_it_is() {
        for tenant in ["", "team-a"] {
            let key = QueueKey {
                signal: Signal::Logs,
                tenant: Tenant::new(tenant).unwrap(),
            };
            let name = key.queue_name("module.x/otelcol.exporter.otlp.y");
            let parsed = QueueKey::parse(&name).unwrap();
            assert_eq!(parsed, ("module.x/otelcol.exporter.otlp.y", key));
        }
        assert!(QueueKey::parse("nothing").is_none());
    }

    #[test]
    fn dead_letters_are_no_queue_for_delivery() {
        for component in [
            "otelcol.exporter.otlp.y",
            "module.x/otelcol.exporter.otlp.y",
        ] {
            let name = dead_letters_name(component);
            assert_eq!(dead_letters_of(&name), Some(component));
            assert!(QueueKey::parse(&name).is_none(), "{name}");
        }
        assert_eq!(dead_letters_of("otelcol.exporter.otlp.y/logs/a"), None);
    }
}
