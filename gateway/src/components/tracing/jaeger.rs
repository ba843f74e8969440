//! Which traces are kept as a server says that speaks Jaeger's sampling protocol: HTTP and JSON.

use std::{
    collections::HashMap,
    convert::Infallible,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use opentelemetry::trace::TraceId;
use serde::Deserialize;
use tokio::time::Instant;

use crate::{
    net::{
        client::{Client, Settings},
        dial,
        proxy::Proxy,
        tls::{self, ClientTls},
    },
    telemetry::{SERVICE_NAME, is_sampled},
};

/// How long the server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The server that is asked.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct JaegerRemote {
    /// Where the strategies are, without the parameter `service=corten`, which is added.
    #[attr(default = "http://127.0.0.1:5778/sampling")]
    url: String,
    /// Span names that may have a rule of their own; further ones go by the default rule.
    #[attr(default = 256)]
    max_operations: u32,
    /// How often to ask.
    #[attr(default = "1m")]
    refresh_interval: Duration,
}

impl JaegerRemote {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if self.refresh_interval.is_zero() {
            return Err(("refresh_interval", "must be above zero".to_owned()));
        }
        self.uri().map(|_| ()).map_err(|error| ("url", error))
    }

    /// The address that is asked.
    ///
    /// # Errors
    /// If `url` is none.
    pub(super) fn uri(&self) -> Result<Uri, String> {
        let separator = if self.url.contains('?') { '&' } else { '?' };
        let address = format!("{}{separator}service={SERVICE_NAME}", self.url);
        let uri: Uri = address
            .parse()
            .map_err(|error| format!("{:?} is not a URL: {error}", self.url))?;
        match uri.scheme_str() {
            Some("http" | "https") => Ok(uri),
            _ => Err(format!(
                "{:?} does not begin with http:// or https://",
                self.url
            )),
        }
    }

    /// Strategies that keep this share of all traces until the server has answered.
    ///
    /// # Errors
    /// As [`JaegerRemote::uri`], or if the system has no certificate authorities.
    pub(super) fn strategies(&self, fraction: f64) -> Result<Arc<Strategies>, String> {
        let uri = self.uri()?;
        let encrypts = uri.scheme_str() == Some("https");
        let tls = || ClientTls::new(tls::Settings::default(), false, &["h2", "http/1.1"]);
        let dial = dial::Settings {
            tls: encrypts.then(tls).transpose()?.map(Arc::new),
            proxy: Some(Proxy::from_environment()),
            ..dial::Settings::default()
        };
        Ok(Arc::new(Strategies {
            client: Client::new(Settings {
                dial,
                idle_per_host: 1,
                idle_timeout: Some(self.refresh_interval * 2),
                ping_interval: None,
                ping_timeout: TIMEOUT,
                cookies: false,
            }),
            uri,
            refresh_interval: self.refresh_interval,
            operations_max: self.max_operations as usize,
            current: ArcSwap::from_pointee(Strategy::Fraction(fraction)),
        }))
    }
}

/// The rules of the moment.
pub(super) struct Strategies {
    client: Client,
    uri: Uri,
    refresh_interval: Duration,
    operations_max: usize,
    current: ArcSwap<Strategy>,
}

impl fmt::Debug for Strategies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Strategies({})", self.uri)
    }
}

impl Strategies {
    /// Whether a trace is kept whose first span has this name.
    pub(super) fn keeps(&self, trace: TraceId, name: &str) -> bool {
        self.current.load().keeps(trace, name)
    }

    /// Asks the server for new rules, again and again. While it does not answer the last ones stay.
    pub(super) async fn follow(&self) -> Infallible {
        let mut last = None;
        let mut is_silent = false;
        loop {
            match self.ask().await {
                Ok(answer) => {
                    is_silent = false;
                    if last.as_ref() != Some(&answer) {
                        let strategy = Strategy::new(&answer, self.operations_max);
                        self.current.store(Arc::new(strategy));
                        last = Some(answer);
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_silent, true) {
                        let url = self.uri.to_string();
                        tracing::warn!(url, "no sampling strategies, the last ones stay: {error}");
                    }
                }
            }
            tokio::time::sleep(self.refresh_interval).await;
        }
    }

    async fn ask(&self) -> Result<Answer, String> {
        let request = Request::get(self.uri.clone())
            .body(Full::new(Bytes::new()))
            .map_err(|error| error.to_string())?;
        let answer = self.client.send(request, TIMEOUT).await;
        let answer = answer.map_err(|error| error.to_string())?;
        if !answer.status.is_success() {
            return Err(format!("the server answered {}", answer.status));
        }
        let answer: Answer = serde_json::from_slice(&answer.body)
            .map_err(|error| format!("the answer is not what Jaeger's protocol says: {error}"))?;
        if answer == Answer::default() {
            return Err("the answer holds no strategy".to_owned());
        }
        Ok(answer)
    }
}

// === the answer ===

/// Of several strategies in one answer the most detailed counts, as with Jaeger's own clients.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Answer {
    operation_sampling: Option<OperationSampling>,
    probabilistic_sampling: Option<ProbabilisticSampling>,
    rate_limiting_sampling: Option<RateLimitingSampling>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ProbabilisticSampling {
    sampling_rate: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RateLimitingSampling {
    max_traces_per_second: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OperationSampling {
    default_sampling_probability: f64,
    default_lower_bound_traces_per_second: f64,
    per_operation_strategies: Vec<OperationStrategy>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OperationStrategy {
    operation: String,
    probabilistic_sampling: ProbabilisticSampling,
}

// === the rules ===

#[derive(Debug)]
enum Strategy {
    /// A share of all traces.
    Fraction(f64),
    /// So many in a second.
    Rate(Bucket),
    /// By the name of the first span.
    Operations(Operations),
}

#[derive(Debug)]
struct Operations {
    fraction: f64,
    lower_bound: f64,
    most: usize,
    rules: Mutex<HashMap<String, Rule>>,
}

/// A share of an operation's traces, and so many in a second at least.
#[derive(Debug)]
struct Rule {
    fraction: f64,
    at_least: Bucket,
}

impl Strategy {
    fn new(answer: &Answer, operations_max: usize) -> Self {
        if let Some(sampling) = &answer.operation_sampling {
            let lower_bound = sampling.default_lower_bound_traces_per_second;
            let strategies = sampling.per_operation_strategies.iter();
            let rules = strategies.take(operations_max).map(|strategy| {
                let fraction = strategy.probabilistic_sampling.sampling_rate;
                (strategy.operation.clone(), Rule::new(fraction, lower_bound))
            });
            return Self::Operations(Operations {
                fraction: sampling.default_sampling_probability,
                lower_bound,
                most: operations_max,
                rules: Mutex::new(rules.collect()),
            });
        }
        if let Some(sampling) = &answer.probabilistic_sampling {
            return Self::Fraction(sampling.sampling_rate);
        }
        let rate = answer.rate_limiting_sampling.as_ref();
        Self::Rate(Bucket::new(
            rate.map_or(0.0, |rate| rate.max_traces_per_second),
        ))
    }

    fn keeps(&self, trace: TraceId, name: &str) -> bool {
        match self {
            Self::Fraction(fraction) => is_sampled(trace, *fraction),
            Self::Rate(bucket) => bucket.take(),
            Self::Operations(operations) => operations.keeps(trace, name),
        }
    }
}

impl Operations {
    fn keeps(&self, trace: TraceId, name: &str) -> bool {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rule) = rules.get(name) {
            return rule.keeps(trace);
        }
        if rules.len() >= self.most {
            return is_sampled(trace, self.fraction);
        }
        let rule = Rule::new(self.fraction, self.lower_bound);
        let keeps = rule.keeps(trace);
        rules.insert(name.to_owned(), rule);
        keeps
    }
}

impl Rule {
    fn new(fraction: f64, lower_bound: f64) -> Self {
        Self {
            fraction,
            at_least: Bucket::new(lower_bound),
        }
    }

    fn keeps(&self, trace: TraceId) -> bool {
        // What the share keeps counts for the lower bound, too.
        let within = self.at_least.take();
        is_sampled(trace, self.fraction) || within
    }
}

/// A number of tokens that come back at a rate, one at least when the rate is not zero.
#[derive(Debug)]
struct Bucket {
    per_second: f64,
    state: Mutex<(f64, Instant)>,
}

impl Bucket {
    fn new(per_second: f64) -> Self {
        let state = (Self::most(per_second), Instant::now());
        Self {
            per_second,
            state: Mutex::new(state),
        }
    }

    fn most(per_second: f64) -> f64 {
        if per_second > 0.0 {
            per_second.max(1.0)
        } else {
            0.0
        }
    }

    fn take(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (tokens, since) = *state;
        let now = Instant::now();
        let more = (now - since).as_secs_f64() * self.per_second;
        let tokens = (tokens + more).min(Self::most(self.per_second));
        let takes = tokens >= 1.0;
        *state = (if takes { tokens - 1.0 } else { tokens }, now);
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Traces at the beginning, in the middle and at the end of the range of identifiers.
    fn kept(strategy: &Strategy, name: &str) -> [bool; 3] {
        [0, u64::MAX / 2, u64::MAX]
            .map(|last| strategy.keeps(TraceId::from(u128::from(last)), name))
    }

    fn strategy(text: &str) -> Strategy {
        Strategy::new(&serde_json::from_str(text).unwrap(), 2)
    }

    #[tokio::test(start_paused = true)]
    async fn each_strategy_keeps_what_it_says() {
        let share = strategy(
            r#"{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":0.6}}"#,
        );
        assert_eq!(kept(&share, "a"), [true, true, false]);

        let rate = strategy(
            r#"{"strategyType":"RATE_LIMITING","rateLimitingSampling":{"maxTracesPerSecond":2}}"#,
        );
        assert_eq!(kept(&rate, "a"), [true, true, false]);
        tokio::time::advance(Duration::from_millis(600)).await;
        assert_eq!(kept(&rate, "a"), [true, false, false]);

        let operations = strategy(
            r#"{"operationSampling":{"defaultSamplingProbability":0.0,
                "defaultLowerBoundTracesPerSecond":0.1,
                "perOperationStrategies":[
                    {"operation":"all","probabilisticSampling":{"samplingRate":1}}]}}"#,
        );
        assert_eq!(kept(&operations, "all"), [true, true, true]);
        assert_eq!(kept(&operations, "new"), [true, false, false]);
        // Two names have rules of their own; the third has no lower bound.
        assert_eq!(kept(&operations, "one more"), [false, false, false]);
    }

    #[test]
    fn the_service_is_named_in_the_address() {
        let remote = |url: &str| JaegerRemote {
            url: url.to_owned(),
            max_operations: 1,
            refresh_interval: Duration::from_secs(1),
        };
        for (url, expected) in [
            ("http://a:1/sampling", "http://a:1/sampling?service=corten"),
            ("https://a/s?x=y", "https://a/s?x=y&service=corten"),
        ] {
            assert_eq!(remote(url).uri().unwrap().to_string(), expected);
        }
        for url in ["ftp://a", "nowhere", ""] {
            assert!(remote(url).check().is_err(), "{url:?}");
        }
    }
}
