//! Sets which of Corten's own traces are kept, and where they go.

mod endpoint;
mod jaeger;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use opentelemetry_proto::transform::{
    common::tonic::ResourceAttributesWithSchema, trace::tonic::group_spans_by_resource_and_scope,
};
use opentelemetry_sdk::trace::SpanData;
use protos::otlp::{ExportTraceServiceRequest, Message};
use tokio_util::sync::CancellationToken;

use self::endpoint::Endpoint;
pub use self::jaeger::JaegerRemote;
use super::own::Own;
use crate::{
    batch::{Otlp, Payload, Signal},
    graph::{self, ConsumerHandle, Fanout, Site},
    telemetry::{Sampling, is_sampled, resource},
};

/// Spans that are handed on together.
const SPANS_AT_ONCE: usize = 2048;

/// How long the first of them waits for others.
const GATHER: Duration = Duration::from_secs(1);

/// The `tracing` block.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct Arguments {
    /// The share of traces that are kept: all from 1 on, none at 0.
    #[attr(default = 0.1)]
    sampling_fraction: f64,
    /// Whether requests to other services carry `traceparent`. Refused when `true`: Corten sends
    /// from its log, when the trace of the request that brought the data has long ended.
    #[attr(default = false)]
    send_traceparent: bool,
    /// Who gets the spans.
    #[attr(default)]
    write_to: Vec<ConsumerHandle>,
    /// Decides instead of `sampling_fraction` which traces are kept.
    #[block]
    sampler: Option<Sampler>,
}

/// Decides which traces are kept.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct Sampler {
    /// As a server says that speaks Jaeger's protocol for it.
    #[block]
    jaeger_remote: Option<JaegerRemote>,
}

impl Arguments {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if self.send_traceparent {
            let reason = "must be false: requests are sent from the log, when the trace that \
                          brought the data has ended";
            return Err(("send_traceparent", reason.to_owned()));
        }
        Ok(())
    }
}

/// Nothing can be referred to.
#[derive(syntax::Exports, Clone, Debug)]
pub struct Exports {}

/// The settings, applied when it runs.
#[derive(Debug)]
pub struct Component {
    arguments: Arguments,
    site: Site,
    own: Own,
    endpoint: Option<Endpoint>,
}

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = Exports;

    fn build(arguments: Arguments, site: Site) -> Result<Self, String> {
        let ports = arguments.write_to.iter().map(|handle| handle.0.clone());
        if let Some(remote) = arguments.jaeger_remote() {
            remote.uri()?;
        }
        Ok(Self {
            own: Own::new(&site, Fanout::new(ports).of(&site)),
            endpoint: Endpoint::from_environment()?,
            arguments,
            site,
        })
    }

    fn exports(&self) -> Exports {
        Exports {}
    }

    async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), String> {
        if self.own.is_empty() && self.endpoint.is_none() {
            // Nobody wants them, so none are made.
            stop.cancelled().await;
            return Ok(());
        }
        match self.arguments.jaeger_remote() {
            None => {
                let fraction = self.arguments.sampling_fraction;
                let sampling = Box::new(move |trace, _: &str| is_sampled(trace, fraction));
                self.hand_on(sampling, &stop).await;
            }
            Some(remote) => {
                let strategies = remote.strategies(self.arguments.sampling_fraction)?;
                let kept = strategies.clone();
                let sampling = Box::new(move |trace, name: &str| kept.keeps(trace, name));
                tokio::select! {
                    () = self.hand_on(sampling, &stop) => {}
                    never = strategies.follow() => match never {},
                }
            }
        }
        Ok(())
    }
}

impl Arguments {
    fn jaeger_remote(&self) -> Option<&JaegerRemote> {
        self.sampler.as_ref()?.jaeger_remote.as_ref()
    }
}

impl Component {
    /// Makes spans and hands them on until told to stop, and then what waits still.
    async fn hand_on(&self, sampling: Box<Sampling>, stop: &CancellationToken) {
        let spans = self.site.services().logs().spans();
        let mut wanted = spans.want(sampling);
        let mut taken = Vec::new();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = wanted.take(&mut taken, SPANS_AT_ONCE) => {}
            }
            let full = async {
                while taken.len() < SPANS_AT_ONCE {
                    let room = SPANS_AT_ONCE - taken.len();
                    wanted.take(&mut taken, room).await;
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = full => {}
                () = tokio::time::sleep(GATHER) => {}
            }
            self.hand_on_once(std::mem::take(&mut taken), stop).await;
        }
        wanted.end();
        taken.append(&mut wanted.rest());
        self.hand_on_once(taken, stop).await;
    }

    async fn hand_on_once(&self, spans: Vec<SpanData>, stop: &CancellationToken) {
        let count = spans.len() as u64;
        if count == 0 {
            return;
        }
        let elsewhere = async {
            match &self.endpoint {
                None => true,
                Some(endpoint) => endpoint.send(spans.clone()).await,
            }
        };
        let here =
            async { self.own.is_empty() || self.own.hand_on(payload(spans.clone()), stop).await };
        let (elsewhere, here) = tokio::join!(elsewhere, here);
        if !elsewhere || !here {
            self.site.services().logs().spans().lose(count);
        }
    }
}

fn payload(spans: Vec<SpanData>) -> Payload {
    let count = spans.len() as u64;
    let resource = ResourceAttributesWithSchema::from(&resource());
    let request = ExportTraceServiceRequest {
        resource_spans: group_spans_by_resource_and_scope(spans, &resource),
    };
    let bytes = Bytes::from(request.encode_to_vec());
    Payload::Otlp(Otlp::plain(Signal::Traces, count, bytes))
}
