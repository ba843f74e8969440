//! The `output` block: where a component hands its batches on.

use syntax::{FromValue, Value, ValueError};

use crate::{
    batch::{Batch, ConsumeFuture, Consumer, Signal},
    graph::{ConsumerHandle, Fanout, Site},
};

/// Where telemetry goes. A receiver refuses a signal without a consumer.
#[derive(syntax::Arguments, Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// Consumers of logs.
    #[attr(default)]
    pub logs: Vec<ConsumerHandle>,
    /// Consumers of metrics.
    #[attr(default)]
    pub metrics: Vec<ConsumerHandle>,
    /// Consumers of traces.
    #[attr(default)]
    pub traces: Vec<ConsumerHandle>,
}

impl Output {
    /// The ways out of the component that stands here, for each signal its own.
    pub fn outputs(&self, site: &Site) -> Outputs {
        let fanout = |handles: &[ConsumerHandle]| {
            Fanout::new(handles.iter().map(|handle| handle.0.clone())).of(site)
        };
        Outputs {
            logs: fanout(&self.logs),
            metrics: fanout(&self.metrics),
            traces: fanout(&self.traces),
        }
    }
}

/// A consumer that leads each signal its own way.
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    logs: Fanout,
    metrics: Fanout,
    traces: Fanout,
}

impl Outputs {
    /// The consumers of one signal.
    pub fn of(&self, signal: Signal) -> &Fanout {
        match signal {
            Signal::Logs => &self.logs,
            Signal::Metrics => &self.metrics,
            Signal::Traces => &self.traces,
        }
    }
}

impl Consumer for Outputs {
    fn consume(&self, batch: Batch) -> ConsumeFuture<'_> {
        self.of(batch.signal()).consume(batch)
    }
}

impl FromValue for ConsumerHandle {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        syntax::value::from_capsule::<Self>(value, "otelcol.Consumer").cloned()
    }

    fn type_name() -> String {
        "capsule(otelcol.Consumer)".to_owned()
    }
}
