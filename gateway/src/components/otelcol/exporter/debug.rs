//! Writes what arrives to the log or to a console, for a person to read.
//!
//! It shows and forgets: what it was given counts as delivered once it is written, and it has no
//! queue in which anything could wait. What cannot be written is dropped and counted; the client
//! hears nothing of it, for a console is nobody's backend. At `basic` verbosity the telemetry is
//! counted without being decoded.

mod detailed;
mod metrics;
mod normal;
mod outputs;
mod sampler;
mod text;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use protos::Signal;

use self::{outputs::Outputs, sampler::Sampler};
use super::super::DebugMetrics;
use crate::{
    batch::{Batch, ConsumeFuture, Consumer, Otlp, Refusal, Staged},
    graph::{self, ConsumerHandle, Health, Site},
    ledger::Outcome,
    telemetry::SHOWN,
};

/// Above this many bytes a request is not shown to people who watch, only counted: nobody reads that
/// much, and its text is several times as long.
const DESCRIBED_BYTES_MAX: u64 = 1 << 20;

/// A request in words, as at `detailed` verbosity.
pub fn describe(otlp: &Otlp) -> String {
    let (signal, items, length) = (otlp.signal(), otlp.items(), otlp.frame().plain_length);
    if length > DESCRIBED_BYTES_MAX {
        return format!("{items} items of {signal} in {length} bytes: too large to be shown\n");
    }
    let text = otlp
        .bytes()
        .map_err(|error| error.to_string())
        .and_then(|body| detailed::text(signal, &body).map_err(|error| error.to_string()));
    text.unwrap_or_else(|error| {
        format!("{items} items of {signal} that cannot be shown: {error}\n")
    })
}

/// How much is shown, how often and where.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct Arguments {
    /// Where to write when `use_internal_logger` is `false`: `stdout`, `stderr` or paths of files,
    /// which are appended to. Only `stdout` when empty.
    #[attr(default)]
    pub output_paths: Vec<String>,
    /// Messages of each kind that are written in each second, before sampling begins.
    #[attr(default = 2)]
    pub sampling_initial: u64,
    /// After those, every how-many-eth message of the same second is written; 0 is none.
    #[attr(default = 1)]
    pub sampling_thereafter: u64,
    /// Whether to write to Corten's own log, which names the component.
    #[attr(default = true)]
    pub use_internal_logger: bool,
    /// `basic` counts, `normal` adds a line for each item, `detailed` adds all that is in them.
    #[attr(default = "basic")]
    pub verbosity: String,
    /// Metrics of the exporter about itself.
    #[block(default)]
    pub debug_metrics: DebugMetrics,
}

/// What others can refer to.
#[derive(syntax::Exports, Clone, Debug)]
pub struct Exports {
    /// Takes logs, metrics and traces.
    #[attr]
    pub input: ConsumerHandle,
}

/// A writer of what arrives.
pub struct Component {
    printer: Arc<Printer>,
    site: Site,
    is_failing: AtomicBool,
}

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = Exports;

    fn build(arguments: Arguments, site: Site) -> Result<Self, String> {
        Ok(Self {
            printer: Arc::new(Printer::new(&arguments, site.id().clone())?),
            site,
            is_failing: AtomicBool::new(false),
        })
    }

    fn exports(&self) -> Exports {
        Exports {
            input: ConsumerHandle(self.site.input()),
        }
    }

    fn consumer(self: &Arc<Self>) -> Option<Arc<dyn Consumer>> {
        Some(self.clone())
    }
}

impl Component {
    /// Shows a batch, and counts what became of it. One that cannot be shown is not tried again:
    /// what is sent elsewhere at the same time must not wait for a console.
    async fn show(&self, batch: Batch) -> Result<Staged, Refusal> {
        let otlp = batch.payload.otlp()?;
        let (signal, items) = (otlp.signal(), otlp.items());
        let body = otlp
            .bytes()
            .map_err(|error| Refusal::invalid("malformed", error.to_string()))?;
        let printer = self.printer.clone();
        // Decoding takes its time, and a console may be slow to take what is written.
        let shown = tokio::task::spawn_blocking(move || printer.print(signal, items, &body)).await;
        let shown = shown.unwrap_or_else(|error| Err(error.to_string()));
        let has_failed = self.is_failing.swap(shown.is_err(), Ordering::Relaxed);
        let outcome = match shown {
            Ok(()) => {
                if has_failed {
                    self.site.report(Health::healthy("writes"));
                }
                Outcome::Delivered
            }
            Err(message) => {
                self.site.report(Health::unhealthy(message));
                Outcome::Dropped("not_written")
            }
        };
        let (ledger, tenant) = (self.site.services().ledger(), &batch.context.tenant);
        for outcome in [Outcome::Accepted, outcome] {
            ledger.count(self.site.id(), signal, tenant, outcome, items);
        }
        Ok(Staged::nothing())
    }
}

impl Consumer for Component {
    fn consume(&self, batch: Batch) -> ConsumeFuture<'_> {
        Box::pin(self.show(batch))
    }
}

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verbosity {
    Basic,
    Normal,
    Detailed,
}

impl Arguments {
    /// In any case of letters, as in Alloy.
    fn level(&self) -> Result<Verbosity, String> {
        match self.verbosity.to_ascii_lowercase().as_str() {
            "basic" => Ok(Verbosity::Basic),
            "normal" => Ok(Verbosity::Normal),
            "detailed" => Ok(Verbosity::Detailed),
            _ => Err(format!(
                "must be \"basic\", \"normal\" or \"detailed\", and is {:?}",
                self.verbosity
            )),
        }
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        if self.use_internal_logger && !self.output_paths.is_empty() {
            let reason = "can only be set with use_internal_logger = false";
            return Err(("output_paths", reason.to_owned()));
        }
        self.level()
            .map(|_| ())
            .map_err(|reason| ("verbosity", reason))
    }
}

/// What turns telemetry into text.
struct Printer {
    component: Arc<str>,
    verbosity: Verbosity,
    sampler: Sampler,
    /// None for Corten's own log.
    outputs: Option<Outputs>,
}

impl Printer {
    fn new(arguments: &Arguments, component: Arc<str>) -> Result<Self, String> {
        let outputs = match arguments.use_internal_logger {
            true => None,
            false => Some(Outputs::new(&arguments.output_paths)),
        };
        Ok(Self {
            component,
            verbosity: arguments.level()?,
            sampler: Sampler::new(arguments.sampling_initial, arguments.sampling_thereafter),
            outputs,
        })
    }

    fn print(&self, signal: Signal, items: u64, body: &Bytes) -> Result<(), String> {
        if self.sampler.allows(signal, false) {
            self.summarise(&Summary::of(signal, items, body))?;
        }
        if self.verbosity == Verbosity::Basic || !self.sampler.allows(signal, true) {
            return Ok(());
        }
        let text = match self.verbosity {
            Verbosity::Detailed => detailed::text(signal, body),
            _ => normal::text(signal, body),
        };
        let text = text.map_err(|error| format!("cannot decode what arrived: {error}"))?;
        let text = text.trim_end_matches('\n');
        match &self.outputs {
            Some(outputs) => outputs.write(text),
            None => {
                tracing::info!(target: SHOWN, component_id = %self.component, "{text}");
                Ok(())
            }
        }
    }

    fn summarise(&self, summary: &Summary) -> Result<(), String> {
        let Summary {
            signal,
            resources,
            metrics,
            items,
        } = *summary;
        let id = &self.component;
        let Some(outputs) = &self.outputs else {
            match signal {
                Signal::Logs => tracing::info!(
                    target: SHOWN,
                    component_id = %id, resource_logs = resources, log_records = items, "Logs"
                ),
                Signal::Metrics => tracing::info!(
                    target: SHOWN,
                    component_id = %id, resource_metrics = resources, metrics,
                    data_points = items, "Metrics"
                ),
                Signal::Traces => tracing::info!(
                    target: SHOWN,
                    component_id = %id, resource_spans = resources, spans = items, "Traces"
                ),
            }
            return Ok(());
        };
        outputs.write(&summary.to_string())
    }
}

/// What is counted of a request.
struct Summary {
    signal: Signal,
    resources: u64,
    metrics: u64,
    items: u64,
}

impl Summary {
    fn of(signal: Signal, items: u64, body: &[u8]) -> Self {
        let (mut resources, mut metrics) = (0, 0);
        for resource in protos::resources(body) {
            resources += 1;
            if signal == Signal::Metrics {
                metrics += resource
                    .scopes()
                    .map(|scope| scope.entries().count() as u64)
                    .sum::<u64>();
            }
        }
        Self {
            signal,
            resources,
            metrics,
            items,
        }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            signal,
            resources,
            metrics,
            items,
        } = self;
        match signal {
            Signal::Logs => write!(
                formatter,
                "Logs\t{{\"resource logs\": {resources}, \"log records\": {items}}}"
            ),
            Signal::Metrics => write!(
                formatter,
                "Metrics\t{{\"resource metrics\": {resources}, \"metrics\": {metrics}, \
                 \"data points\": {items}}}"
            ),
            Signal::Traces => {
                write!(
                    formatter,
                    "Traces\t{{\"resource spans\": {resources}, \"spans\": {items}}}"
                )
            }
        }
    }
}
