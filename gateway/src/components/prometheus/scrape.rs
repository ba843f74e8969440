//! Asks targets for their metrics at intervals, and hands the series on.
//!
//! Each target has a loop of its own and a cache of the series it had. A change of the targets makes a
//! new instance of the component; the caches of targets that stay are left to it, so that nothing is
//! parsed anew and no series is said to have ended that goes on.

mod cache;
mod collect;
mod exchange;
mod job;
mod limits;
mod protocol;
mod target;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    components::{
        blocks::http_client::{HttpClient, HttpClientArguments},
        prometheus::{MetricsReceiver, fanout},
    },
    discovery::Target,
    graph::{self, Health, Site},
};
use job::{Job, Pool};
use limits::{Limits, Validation};
use protocol::Protocol;

/// Whom to ask, and how.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct Arguments {
    /// Who takes the series.
    #[attr]
    forward_to: Vec<MetricsReceiver>,
    /// Whom to ask: `__address__` says where.
    #[attr]
    targets: Vec<Target>,
    #[squash]
    client: HttpClientArguments,
    /// Bytes that an answer may have once it is decompressed; 0 is no bound.
    #[attr(default = 0)]
    body_size_limit: u64,
    /// Whether targets are shared out in a cluster. This version has none: each node scrapes all of
    /// its targets, and says so when this is enabled.
    #[block]
    clustering: Option<Clustering>,
    /// Whether classic histograms become native ones. Not supported, so it must stay false.
    #[attr(default = false)]
    convert_classic_histograms_to_nhcb: bool,
    /// Whether answers may be compressed with gzip.
    #[attr(default = true)]
    enable_compression: bool,
    /// The old name for asking for protobuf first, and for native histograms.
    #[attr(default = false)]
    enable_protobuf_negotiation: bool,
    /// Whether types and units become labels. Not supported, so it must stay false.
    #[attr(default = false)]
    enable_type_and_unit_labels: bool,
    /// Whether each target also has `scrape_timeout_seconds`, `scrape_sample_limit` and
    /// `scrape_body_size_bytes`.
    #[attr(default = false)]
    extra_metrics: bool,
    /// Whether labels of a series win over labels of its target of the same name. Otherwise those of
    /// the series are called `exported_...`.
    #[attr(default = false)]
    honor_labels: bool,
    /// Whether descriptions of families are handed on. Not supported, so it must stay false.
    #[attr(default = false)]
    honor_metadata: bool,
    /// Whether times that targets write count, instead of the time at which they were asked.
    #[attr(default = true)]
    honor_timestamps: bool,
    /// Value of the label `job` where a target has none; the component's name if empty.
    #[attr(default)]
    job_name: String,
    /// Labels that a series may have; 0 is no bound.
    #[attr(default = 0)]
    label_limit: u64,
    /// Bytes that the name of a label may have; 0 is no bound.
    #[attr(default = 0)]
    label_name_length_limit: u64,
    /// Bytes that the value of a label may have; 0 is no bound.
    #[attr(default = 0)]
    label_value_length_limit: u64,
    /// How targets are asked to write names that old Prometheus does not take: `allow-utf-8`,
    /// `underscores`, `dots` or `values`.
    #[attr(default)]
    metric_name_escaping_scheme: String,
    /// Which names are taken: `legacy` or `utf8`.
    #[attr(default = Validation::Legacy)]
    metric_name_validation_scheme: Validation,
    /// Path on the target.
    #[attr(default = "/metrics")]
    metrics_path: String,
    /// Buckets of a native histogram. Not supported, so it must stay 0.
    #[attr(default = 0)]
    native_histogram_bucket_limit: u64,
    /// Growth of buckets of a native histogram. Not supported, so it must stay 0.
    #[attr(default = 0.0)]
    native_histogram_min_bucket_factor: f64,
    /// Parameters of the request.
    #[attr(default)]
    params: BTreeMap<String, Vec<String>>,
    /// Samples that an answer may have; 0 is no bound.
    #[attr(default = 0)]
    sample_limit: u64,
    /// `http` or `https`.
    #[attr(default = "http")]
    scheme: String,
    /// Whether the classic buckets of native histograms are taken too.
    #[attr(default = false)]
    scrape_classic_histograms: bool,
    /// File for failures. Not supported, so it must stay empty: they are in Corten's log.
    #[attr(file, default)]
    scrape_failure_log_file: String,
    /// How an answer is read that does not say what it is.
    #[attr(default = Protocol::Text0)]
    scrape_fallback_protocol: Protocol,
    /// How often each target is asked.
    #[attr(default = "60s")]
    scrape_interval: Duration,
    /// Whether native histograms are taken, which only protobuf has.
    #[attr(default = false)]
    scrape_native_histograms: bool,
    /// Forms in which answers are wanted, best first.
    #[attr(default = ["OpenMetricsText1.0.0", "OpenMetricsText0.0.1", "PrometheusText1.0.0", "PrometheusText0.0.4"])]
    scrape_protocols: Vec<Protocol>,
    /// How long a target may take to answer.
    #[attr(default = "10s")]
    scrape_timeout: Duration,
    /// Whether a zero is added where counting began. Not supported, so it must stay false.
    #[attr(default = false)]
    start_timestamp_zero_ingestion: bool,
    /// Targets that there may be; with more, no target is asked. 0 is no bound.
    #[attr(default = 0)]
    target_limit: u64,
    /// Whether series with times of their own are said to have ended when they are gone.
    #[attr(default = false)]
    track_timestamps_staleness: bool,
}

/// Whether targets are shared out in a cluster.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct Clustering {
    /// Whether they are.
    #[attr]
    enabled: bool,
}

impl Arguments {
    fn check(&self) -> Result<(), (&'static str, String)> {
        let unsupported = [
            (
                "convert_classic_histograms_to_nhcb",
                self.convert_classic_histograms_to_nhcb,
            ),
            (
                "enable_type_and_unit_labels",
                self.enable_type_and_unit_labels,
            ),
            ("honor_metadata", self.honor_metadata),
            (
                "native_histogram_bucket_limit",
                self.native_histogram_bucket_limit > 0,
            ),
            (
                "native_histogram_min_bucket_factor",
                self.native_histogram_min_bucket_factor != 0.0,
            ),
            (
                "scrape_failure_log_file",
                !self.scrape_failure_log_file.is_empty(),
            ),
            (
                "start_timestamp_zero_ingestion",
                self.start_timestamp_zero_ingestion,
            ),
        ];
        if let Some((argument, _)) = unsupported.iter().find(|(_, is_given)| *is_given) {
            return Err((argument, "is not supported, leave it out".to_owned()));
        }
        if self.scrape_interval.is_zero() {
            return Err(("scrape_interval", "must be above zero".to_owned()));
        }
        if self.scrape_timeout.is_zero() || self.scrape_timeout > self.scrape_interval {
            let why = "must be above zero and not above scrape_interval";
            return Err(("scrape_timeout", why.to_owned()));
        }
        if !matches!(self.scheme.as_str(), "http" | "https") {
            return Err(("scheme", "must be \"http\" or \"https\"".to_owned()));
        }
        if self.enable_protobuf_negotiation && self.scrape_protocols != Protocol::DEFAULT {
            let why = "and scrape_protocols are both set, keep scrape_protocols";
            return Err(("enable_protobuf_negotiation", why.to_owned()));
        }
        if !self.wants_native() && self.scrape_classic_histograms {
            let why = "has no effect without scrape_native_histograms";
            return Err(("scrape_classic_histograms", why.to_owned()));
        }
        self.check_protocols()?;
        self.check_escaping()
    }

    fn check_protocols(&self) -> Result<(), (&'static str, String)> {
        let protocols = &self.scrape_protocols;
        if let Some(twice) =
            (1..protocols.len()).find(|at| protocols[..*at].contains(&protocols[*at]))
        {
            let why = format!("has {:?} twice", protocols[twice].as_str());
            return Err(("scrape_protocols", why));
        }
        if self.wants_native() && !self.protocols().contains(&Protocol::Proto) {
            let why = "has no PrometheusProto, which alone has native histograms";
            return Err(("scrape_protocols", why.to_owned()));
        }
        Ok(())
    }

    fn check_escaping(&self) -> Result<(), (&'static str, String)> {
        const ARGUMENT: &str = "metric_name_escaping_scheme";
        match (self.escaping(), self.metric_name_validation_scheme) {
            ("underscores" | "dots" | "values", _) | ("allow-utf-8", Validation::Utf8) => Ok(()),
            ("allow-utf-8", Validation::Legacy) => {
                let why =
                    "is \"allow-utf-8\", which needs metric_name_validation_scheme = \"utf8\"";
                Err((ARGUMENT, why.to_owned()))
            }
            _ => {
                let why = "must be \"allow-utf-8\", \"underscores\", \"dots\" or \"values\"";
                Err((ARGUMENT, why.to_owned()))
            }
        }
    }

    fn escaping(&self) -> &str {
        match (
            self.metric_name_escaping_scheme.as_str(),
            self.metric_name_validation_scheme,
        ) {
            ("", Validation::Legacy) => "underscores",
            ("", Validation::Utf8) => "allow-utf-8",
            (scheme, _) => scheme,
        }
    }

    fn wants_native(&self) -> bool {
        self.scrape_native_histograms || self.enable_protobuf_negotiation
    }

    fn protocols(&self) -> Vec<Protocol> {
        match self.wants_native() && self.scrape_protocols == Protocol::DEFAULT {
            true => Protocol::NATIVE.to_vec(),
            false => self.scrape_protocols.clone(),
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            samples: self.sample_limit,
            labels: self.label_limit,
            name_bytes: self.label_name_length_limit,
            value_bytes: self.label_value_length_limit,
            validation: self.metric_name_validation_scheme,
        }
    }
}

/// It exports nothing.
#[derive(syntax::Exports, Clone, Debug)]
pub struct Exports {}

/// The targets of one configuration.
#[derive(Debug)]
pub struct Component {
    arguments: Arguments,
    client: HttpClient,
    site: Site,
}

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = Exports;

    fn build(arguments: Arguments, site: Site) -> Result<Self, String> {
        Ok(Self {
            client: HttpClient::new(&arguments.client)?,
            arguments,
            site,
        })
    }

    fn exports(&self) -> Exports {
        Exports {}
    }

    async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), String> {
        let job = Arc::new(Job::new(
            &self.arguments,
            self.client.clone(),
            fanout(&self.arguments.forward_to).of(&self.site),
            &self.site,
        ));
        if self
            .arguments
            .clustering
            .as_ref()
            .is_some_and(|clustering| clustering.enabled)
        {
            tracing::warn!(
                component = %self.site.id(),
                "clustering is enabled, and this version has no cluster: this node scrapes all \
                 targets, and so does every other node with this configuration"
            );
        }
        let pool: Arc<Pool> = self.site.keepsake();
        let (targets, faults) = target::resolve(&self.arguments, self.site.id());
        for fault in &faults {
            tracing::error!(component = %self.site.id(), "a target is left out: {fault}");
        }
        let limit = self.arguments.target_limit;
        let is_over = limit > 0 && targets.len() as u64 > limit;
        match (is_over, faults.first()) {
            (true, _) => self.site.report(Health::unhealthy(format!(
                "there are {} targets and target_limit is {limit}: none is asked",
                targets.len()
            ))),
            (false, Some(fault)) => self.site.report(Health::unhealthy(fault.clone())),
            (false, None) => {}
        }
        job::run(job, targets, is_over, pool, stop).await;
        Ok(())
    }
}
