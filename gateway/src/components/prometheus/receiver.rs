//! `MetricsReceiver`: what components export that take Prometheus series.

use std::{any::Any, sync::Arc};

use syntax::{CapsuleValue, FromValue, ToValue, Value, ValueError, value::from_capsule};

use crate::graph::{Fanout, Port};

/// A component's input for series, as a value of the language.
#[derive(Clone, Debug)]
pub struct MetricsReceiver(pub Arc<Port>);

/// The way out to these receivers.
pub fn fanout(receivers: &[MetricsReceiver]) -> Fanout {
    Fanout::new(receivers.iter().map(|receiver| receiver.0.clone()))
}

impl PartialEq for MetricsReceiver {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl CapsuleValue for MetricsReceiver {
    fn type_name(&self) -> &'static str {
        "MetricsReceiver"
    }

    fn equals(&self, other: &dyn CapsuleValue) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl ToValue for MetricsReceiver {
    fn to_value(&self) -> Value {
        Value::capsule(self.clone())
    }
}

impl FromValue for MetricsReceiver {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        from_capsule::<Self>(value, "MetricsReceiver").cloned()
    }

    fn type_name() -> String {
        "capsule(MetricsReceiver)".to_owned()
    }
}

/// What every component exports that takes series and nothing else.
#[derive(syntax::Exports, Clone, Debug)]
pub struct ReceiverExports {
    /// Takes series and their samples.
    #[attr]
    pub receiver: MetricsReceiver,
}
