//! Looks targets up in DNS, again and again.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::ResolveHosts,
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::{RData, RecordType},
};
use prometheus_client::metrics::counter::Counter;
use tokio_util::sync::CancellationToken;

use super::{Exports, counter};
use crate::{
    discovery::{Refresh, TARGETS_MAX, Target},
    graph::{self, Health, Site},
};

/// Names that one component may look up: each is asked for at each interval.
const NAMES_MAX: usize = 10_000;

/// Names that are asked for at the same time, so that a resolver is not flooded.
const LOOKUPS_AT_ONCE: usize = 16;

/// What to look up.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct Arguments {
    /// Names to look up.
    #[attr]
    names: Vec<String>,
    /// Port of the targets; SRV records have their own.
    #[attr(default = 0)]
    port: u16,
    /// How often the names are looked up.
    #[attr(default = "30s")]
    refresh_interval: Duration,
    /// Type of the records: `SRV`, `A`, `AAAA`, `MX` or `NS`, in any case.
    #[attr(default = "SRV", name = "type")]
    kind: String,
}

impl Arguments {
    fn check(&self) -> Result<(), (&'static str, String)> {
        let Some(kind) = record_type(&self.kind) else {
            let why = format!("must be SRV, A, AAAA, MX or NS, not {:?}", self.kind);
            return Err(("type", why));
        };
        if kind != RecordType::SRV && self.port == 0 {
            return Err(("port", format!("is required for {kind} records")));
        }
        if self.refresh_interval.is_zero() {
            return Err(("refresh_interval", "must be above zero".to_owned()));
        }
        if self.names.len() > NAMES_MAX {
            return Err(("names", format!("has more than {NAMES_MAX} names")));
        }
        Ok(())
    }
}

fn record_type(word: &str) -> Option<RecordType> {
    match word.to_ascii_uppercase().as_str() {
        "SRV" => Some(RecordType::SRV),
        "A" => Some(RecordType::A),
        "AAAA" => Some(RecordType::AAAA),
        "MX" => Some(RecordType::MX),
        "NS" => Some(RecordType::NS),
        _ => None,
    }
}

/// Keeps what each name was last found to be.
#[derive(Debug)]
pub struct Component {
    arguments: Arguments,
    kind: RecordType,
    /// The targets of each name that was ever answered for.
    found: Mutex<BTreeMap<String, Vec<Target>>>,
    refresh: Refresh,
    lookups: Counter,
    failures: Counter,
    site: Site,
}

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = Exports;

    fn build(arguments: Arguments, site: Site) -> Result<Self, String> {
        let count = |name, help| counter(&site, name, help);
        Ok(Self {
            kind: record_type(&arguments.kind).unwrap_or(RecordType::SRV),
            found: Mutex::default(),
            refresh: Refresh::default(),
            lookups: count("prometheus_sd_dns_lookups", "Names that were looked up"),
            failures: count("prometheus_sd_dns_lookup_failures", "Lookups that failed"),
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
                () = self.look() => {}
            }
        }
    }
}

impl Component {
    async fn look(&self) {
        // The system's resolvers may have changed since the last time.
        match resolver() {
            Ok(resolver) => self.look_with(&resolver).await,
            Err(error) => self.failed(format!("cannot read the system's resolvers: {error}")),
        }
    }

    async fn look_with(&self, resolver: &TokioResolver) {
        let mut problem = None;
        for names in self.arguments.names.chunks(LOOKUPS_AT_ONCE) {
            let asked = names.iter().map(|name| self.look_up(resolver, name));
            for (name, answer) in names.iter().zip(futures::future::join_all(asked).await) {
                match answer {
                    Ok(targets) => {
                        self.lock().insert(name.clone(), targets);
                    }
                    Err(message) => problem = Some(message),
                }
            }
        }
        let targets: Vec<Target> = self.lock().values().flatten().cloned().collect();
        let count = targets.len();
        if count > TARGETS_MAX {
            return self.failed(format!("the names lead to more than {TARGETS_MAX} targets"));
        }
        if self.refresh.take(targets) {
            self.site.publish(&graph::Component::exports(self));
        }
        match problem {
            None => self
                .site
                .report(Health::healthy(format!("found {count} targets"))),
            Some(message) => self.failed(message),
        }
    }

    async fn look_up(&self, resolver: &TokioResolver, name: &str) -> Result<Vec<Target>, String> {
        self.lookups.inc();
        let answer = resolver.lookup(name, self.kind).await;
        match answer {
            Ok(answer) => Ok(answer
                .answers()
                .iter()
                .filter_map(|record| target(name, &record.data, self.arguments.port))
                .collect()),
            // There is no such name, and no target.
            Err(error) if error.is_no_records_found() => Ok(Vec::new()),
            Err(error) => {
                self.failures.inc();
                Err(format!("cannot look up {} {name}: {error}", self.kind))
            }
        }
    }

    fn failed(&self, message: String) {
        tracing::warn!(component = %self.site.id(), "{message}; the last targets stay");
        self.site.report(Health::unhealthy(message));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<Target>>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A resolver that asks as the system says, and each time anew.
fn resolver() -> Result<TokioResolver, NetError> {
    let mut builder = TokioResolver::builder(TokioRuntimeProvider::default())?;
    let options = builder.options_mut();
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    builder.build()
}

/// The target that a record of a name stands for; none for an alias.
fn target(name: &str, data: &RData, port: u16) -> Option<Target> {
    let rooted = |name: &hickory_resolver::proto::rr::Name| {
        let mut text = name.to_string();
        if !text.ends_with('.') {
            text.push('.');
        }
        text
    };
    let host = |name: &str| name.trim_end_matches('.').to_owned();
    let ip = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => format!("{ip}:{port}"),
        IpAddr::V6(ip) => format!("[{ip}]:{port}"),
    };
    let mut labels = vec![("__meta_dns_name", name.to_owned())];
    let address = match data {
        RData::A(address) => ip(address.0.into()),
        RData::AAAA(address) => ip(address.0.into()),
        RData::SRV(record) => {
            let target = rooted(&record.target);
            let address = format!("{}:{}", host(&target), record.port);
            labels.push(("__meta_dns_srv_record_target", target));
            labels.push(("__meta_dns_srv_record_port", record.port.to_string()));
            address
        }
        RData::MX(record) => {
            let target = rooted(&record.exchange);
            let address = format!("{}:{port}", host(&target));
            labels.push(("__meta_dns_mx_record_target", target));
            address
        }
        RData::NS(record) => {
            let target = rooted(&record.0);
            let address = format!("{}:{port}", host(&target));
            labels.push(("__meta_dns_ns_record_target", target));
            address
        }
        _ => return None,
    };
    labels.push(("__address__", address));
    Some(Target::new(labels))
}

#[cfg(test)]
mod tests;
