//! Asks a web server for targets, again and again.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use prometheus_client::metrics::counter::Counter;
use tokio_util::sync::CancellationToken;

use super::{Exports, counter};
use crate::{
    components::blocks::http_client::{HttpClient, HttpClientArguments, url},
    discovery::{Refresh, SOURCE_BYTES_MAX, Source, Target, parse_json},
    graph::{self, Health, Site},
};

/// Tells the server how often it will be asked, as Prometheus does.
const INTERVAL_HEADER: HeaderName =
    HeaderName::from_static("x-prometheus-refresh-interval-seconds");

/// Where targets are listed.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct Arguments {
    #[squash]
    client: HttpClientArguments,
    /// How often the server is asked.
    #[attr(default = "60s")]
    refresh_interval: Duration,
    /// Where it is asked; the answer is a list of target groups in JSON.
    #[attr]
    url: String,
}

impl Arguments {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if self.refresh_interval.is_zero() {
            return Err(("refresh_interval", "must be above zero".to_owned()));
        }
        url(&self.url).map(drop).map_err(|why| ("url", why))
    }
}

/// Keeps the targets of the last good answer.
#[derive(Debug)]
pub struct Component {
    arguments: Arguments,
    url: Uri,
    client: HttpClient,
    refresh: Refresh,
    failures: Counter,
    site: Site,
}

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = Exports;

    fn build(arguments: Arguments, site: Site) -> Result<Self, String> {
        Ok(Self {
            url: url(&arguments.url).map_err(|why| format!("url {why}"))?,
            client: HttpClient::new(&arguments.client)?,
            refresh: Refresh::default(),
            failures: counter(
                &site,
                "prometheus_sd_http_failures",
                "Refreshes of targets that failed",
            ),
            arguments,
            site,
        })
    }

    fn exports(&self) -> Exports {
        Exports {
            targets: self.refresh.targets(),
        }
    }

    async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), String> {
        let mut timer = tokio::time::interval(self.arguments.refresh_interval);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = timer.tick() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                result = self.ask() => self.take(result),
            }
        }
    }
}

impl Component {
    async fn ask(&self) -> Result<Vec<Target>, String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let seconds = self.arguments.refresh_interval.as_secs_f64().to_string();
        if let Ok(value) = HeaderValue::from_str(&seconds) {
            headers.insert(INTERVAL_HEADER, value);
        }
        let limit = self.arguments.refresh_interval;
        let answer = self
            .client
            .get_whole(&self.url, &headers, limit, SOURCE_BYTES_MAX)
            .await?;
        if answer.status() != StatusCode::OK {
            return Err(format!("{} answered {}", self.url, answer.status()));
        }
        let kind = answer.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !is_json(kind) {
            return Err(format!(
                "{} answered with {kind:?} and not with application/json",
                self.url
            ));
        }
        let source = Source {
            label: "__meta_url",
            value: &self.arguments.url,
        };
        parse_json(answer.body(), source)
            .map_err(|error| format!("the answer of {}: {error}", self.url))
    }

    fn take(&self, result: Result<Vec<Target>, String>) {
        match result {
            Ok(targets) => {
                let count = targets.len();
                if self.refresh.take(targets) {
                    self.site.publish(&graph::Component::exports(self));
                }
                let words = format!("found {count} targets");
                self.site.report(Health::healthy(words));
            }
            Err(message) => {
                self.failures.inc();
                tracing::warn!(component = %self.site.id(), "{message}; the last targets stay");
                self.site.report(Health::unhealthy(message));
            }
        }
    }
}

/// Whether a content type is JSON, in UTF-8 if it says so.
fn is_json(kind: &str) -> bool {
    let mut parts = kind.split(';').map(|part| part.trim().to_ascii_lowercase());
    parts.next().as_deref() == Some("application/json")
        && parts.all(|part| matches!(part.as_str(), "" | "charset=utf-8" | "charset=\"utf-8\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_is_read() {
        for kind in [
            "application/json",
            "application/JSON; charset=UTF-8",
            "application/json;",
        ] {
            assert!(is_json(kind), "{kind}");
        }
        for kind in [
            "",
            "text/html",
            "application/json; charset=latin1",
            "application/jsonp",
        ] {
            assert!(!is_json(kind), "{kind}");
        }
    }
}
