//! `loki.LogsReceiver`: what components export that take Loki's streams.

use std::{
    any::Any,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use syntax::{Capsule, CapsuleValue, FromValue, ToValue, Value, ValueError};

use crate::graph::{Fanout, Port};

/// A component's input for streams of log lines, as a value of the language.
#[derive(Clone, Debug)]
pub struct LogsReceiver(pub Arc<Port>);

/// The way out to these receivers.
pub fn fanout(receivers: &[LogsReceiver]) -> Fanout {
    Fanout::new(receivers.iter().map(|receiver| receiver.0.clone()))
}

impl PartialEq for LogsReceiver {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl CapsuleValue for LogsReceiver {
    fn type_name(&self) -> &'static str {
        "loki.LogsReceiver"
    }

    fn equals(&self, other: &dyn CapsuleValue) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl ToValue for LogsReceiver {
    fn to_value(&self) -> Value {
        Value::Capsule(Capsule::new(Arc::new(self.clone())))
    }
}

impl FromValue for LogsReceiver {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        syntax::value::from_capsule::<Self>(value, "loki.LogsReceiver").cloned()
    }

    fn type_name() -> String {
        "capsule(loki.LogsReceiver)".to_owned()
    }
}

/// What every component exports that takes streams and nothing else.
#[derive(syntax::Exports, Clone, Debug)]
pub struct ReceiverExports {
    /// Takes streams of log lines.
    #[attr]
    pub receiver: LogsReceiver,
}

/// A time for people.
pub(super) fn time(nanoseconds: i64) -> String {
    match u64::try_from(nanoseconds) {
        Ok(nanoseconds) => {
            let time = UNIX_EPOCH + Duration::from_nanos(nanoseconds);
            humantime::format_rfc3339_nanos(time).to_string()
        }
        // Before 1970 there is no form for it.
        Err(_) => format!("{nanoseconds} ns"),
    }
}

/// Structured metadata as JSON.
pub(super) fn metadata(pairs: &[(String, String)]) -> String {
    let pairs = pairs
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into()));
    serde_json::Value::Object(pairs.collect()).to_string()
}
