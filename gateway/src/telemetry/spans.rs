//! Corten's own spans, on their way from where they are made into a bounded queue.
//!
//! The OpenTelemetry SDK is in place from the start of the process, for a subscriber takes no layers
//! later; but until somebody wants spans their call sites are switched off, and cost a comparison.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanKind, TraceId, TraceState, TracerProvider},
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    resource::{EnvResourceDetector, TelemetryResourceDetector},
    trace::{
        Sampler, SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample, Span, SpanData,
        SpanProcessor,
    },
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::counter::ConstCounter,
};
use tokio::sync::mpsc;
use tracing::Metadata;
use tracing_subscriber::{
    Layer, Registry,
    filter::{LevelFilter, filter_fn},
    layer::Filter,
    reload,
};

/// Spans that may wait to be sent. A pipeline makes a handful for each request, and who fetches them
/// does so every second.
const QUEUE_SPANS_MAX: usize = 8192;

/// The name under which Corten's telemetry about itself is known.
pub const SERVICE_NAME: &str = "corten";

/// Decides by its identifier and by the name of its first span whether a trace is kept.
pub type Sampling = dyn Fn(TraceId, &str) -> bool + Send + Sync;

type Choice = Box<dyn Filter<Registry> + Send + Sync>;

/// A handle to the process's spans. Cheap to clone.
#[derive(Clone)]
pub struct Spans {
    shared: Arc<Shared>,
    filter: reload::Handle<Choice, Registry>,
}

#[derive(Default)]
struct Shared {
    queue: ArcSwapOption<mpsc::Sender<SpanData>>,
    sampling: ArcSwapOption<Box<Sampling>>,
    lost: AtomicU64,
    /// Who wants spans at present; a predecessor that ends later must not switch them off.
    wanted_by: Mutex<u64>,
}

/// The spans that somebody wants, until this is dropped.
pub struct Wanted {
    queue: mpsc::Receiver<SpanData>,
    spans: Spans,
    number: u64,
}

impl Spans {
    /// The spans of the process, and the layer that makes them.
    pub(super) fn new() -> (Self, Box<dyn Layer<Registry> + Send + Sync>) {
        let shared = Arc::new(Shared::default());
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(Roots(shared.clone()))))
            .with_span_processor(Relay(shared.clone()))
            .build();
        let (filter, handle) = reload::Layer::new(choice(LevelFilter::OFF));
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer(SERVICE_NAME))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_filter(filter);
        let spans = Self {
            shared,
            filter: handle,
        };
        (spans, layer.boxed())
    }

    /// Makes spans from now on, of the traces that the sampling keeps. Whoever wanted them before
    /// gets no more.
    pub fn want(&self, sampling: Box<Sampling>) -> Wanted {
        let (sender, queue) = mpsc::channel(QUEUE_SPANS_MAX);
        let mut wanted_by = self.wanted_by();
        *wanted_by += 1;
        self.shared.sampling.store(Some(Arc::new(sampling)));
        self.shared.queue.store(Some(Arc::new(sender)));
        self.switch(LevelFilter::DEBUG);
        Wanted {
            queue,
            spans: self.clone(),
            number: *wanted_by,
        }
    }

    /// Counts spans that were made and could not be handed on.
    pub fn lose(&self, spans: u64) {
        self.shared.lost.fetch_add(spans, Ordering::Relaxed);
    }

    /// The count of spans that were lost, for `/metrics`.
    pub fn collector(&self) -> Box<dyn Collector> {
        Box::new(Lost(self.shared.clone()))
    }

    fn switch(&self, level: LevelFilter) {
        // It fails only when the subscriber is gone, and then nobody makes spans.
        let _ = self.filter.reload(choice(level));
    }

    fn wanted_by(&self) -> std::sync::MutexGuard<'_, u64> {
        let number = &self.shared.wanted_by;
        number.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Spans {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Spans")
    }
}

impl Wanted {
    /// Waits for spans and takes up to this many; for ever if somebody else wants them now.
    pub async fn take(&mut self, spans: &mut Vec<SpanData>, most: usize) {
        if self.queue.recv_many(spans, most).await == 0 {
            std::future::pending::<()>().await;
        }
    }

    /// Makes no more spans; those that were made can still be taken.
    pub fn end(&self) {
        let wanted_by = self.spans.wanted_by();
        if *wanted_by == self.number {
            self.spans.switch(LevelFilter::OFF);
            self.spans.shared.queue.store(None);
            self.spans.shared.sampling.store(None);
        }
    }

    /// Takes what was made and waits, without waiting for more.
    pub fn rest(&mut self) -> Vec<SpanData> {
        let mut rest = Vec::new();
        while let Ok(span) = self.queue.try_recv() {
            rest.push(span);
        }
        rest
    }
}

impl fmt::Debug for Wanted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Wanted({})", self.number)
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        self.end();
    }
}

/// Lets Corten's own spans of this level through.
fn choice(level: LevelFilter) -> Choice {
    if level == LevelFilter::OFF {
        return Box::new(level);
    }
    let ours =
        |metadata: &Metadata<'_>| metadata.is_span() && metadata.target().starts_with("corten");
    Box::new(filter_fn(ours).with_max_level_hint(level))
}

/// Whether a fraction of all traces contains this one, as every OpenTelemetry SDK decides it: the
/// last 63 bits of its identifier, taken as a fraction of what they can be, must be below.
pub fn is_sampled(trace: TraceId, fraction: f64) -> bool {
    if fraction >= 1.0 {
        return true;
    }
    let [.., a, b, c, d, e, f, g, h] = trace.to_bytes();
    let number = u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1;
    number < (fraction.max(0.0) * (1_u64 << 63) as f64) as u64
}

/// Who Corten is: `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` have the last word.
pub fn resource() -> Resource {
    let ours = [
        KeyValue::new("service.name", SERVICE_NAME),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
    ];
    let name = std::env::var("OTEL_SERVICE_NAME").ok();
    let name = name.filter(|name| !name.is_empty());
    Resource::builder_empty()
        .with_attributes(ours)
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_detector(Box::new(EnvResourceDetector::new()))
        .with_attributes(name.map(|name| KeyValue::new("service.name", name)))
        .build()
}

/// Decides at the first span of a trace.
#[derive(Clone)]
struct Roots(Arc<Shared>);

impl fmt::Debug for Roots {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Roots")
    }
}

impl ShouldSample for Roots {
    fn should_sample(
        &self,
        _: Option<&Context>,
        trace: TraceId,
        name: &str,
        _: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let sampling = self.0.sampling.load();
        let is_kept = sampling.as_ref().is_some_and(|keeps| keeps(trace, name));
        SamplingResult {
            decision: match is_kept {
                true => SamplingDecision::RecordAndSample,
                false => SamplingDecision::Drop,
            },
            attributes: Vec::new(),
            trace_state: TraceState::NONE,
        }
    }
}

/// Puts ended spans into the queue; what does not fit is lost and counted.
struct Relay(Arc<Shared>);

impl fmt::Debug for Relay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Relay")
    }
}

impl SpanProcessor for Relay {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled()
            && let Some(queue) = &*self.0.queue.load()
            && queue.try_send(span).is_err()
        {
            self.0.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

struct Lost(Arc<Shared>);

impl fmt::Debug for Lost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Lost")
    }
}

impl Collector for Lost {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let lost = ConstCounter::new(self.0.lost.load(Ordering::Relaxed));
        lost.encode(encoder.encode_descriptor(
            "corten_tracing_spans_lost",
            "Spans of Corten's own that were made and not handed on",
            None,
            prometheus_client::metrics::MetricType::Counter,
        )?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_of_all_traces_is_kept() {
        let trace = |last: u64| TraceId::from(u128::from(last));
        for (number, fraction, kept) in [
            (0, 0.0, false),
            (0, -1.0, false),
            (u64::MAX, 1.0, true),
            (u64::MAX, 2.0, true),
            (0, 0.1, true),
            (u64::MAX / 10 - 10_000, 0.1, true),
            (u64::MAX / 10 + 10_000, 0.1, false),
            (u64::MAX / 2 + 10_000, 0.5, false),
        ] {
            assert_eq!(
                is_sampled(trace(number), fraction),
                kept,
                "{number} {fraction}"
            );
        }
    }
}
