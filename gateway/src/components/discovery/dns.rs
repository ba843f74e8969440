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
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

    use hickory_resolver::{
        config::{ConnectionConfig, NameServerConfig, ResolverConfig},
        proto::{
            op::{Message, OpCode, ResponseCode},
            rr::{
                Name, Record,
                rdata::{A, AAAA, CNAME, MX, NS, SRV},
            },
        },
    };
    use tokio::net::UdpSocket;

    use super::*;
    use crate::{batch::MemoryBudget, services::Services, telemetry::Logs};

    /// What the server below answers for each name; a name that is not there has no records.
    type Zone = Arc<Mutex<BTreeMap<String, Result<Vec<RData>, ResponseCode>>>>;

    /// A DNS server on loopback that ends with the test's runtime.
    async fn serve(zone: Zone) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            loop {
                let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
                let asked = Message::from_vec(&buffer[..length]).unwrap();
                let query = asked.queries[0].clone();
                let mut answer = Message::response(asked.metadata.id, OpCode::Query);
                answer.add_query(query.clone());
                match zone.lock().unwrap().get(&query.name().to_string()) {
                    Some(Ok(records)) => {
                        for data in records {
                            let name = query.name().clone();
                            answer.add_answer(Record::from_rdata(name, 1, data.clone()));
                        }
                    }
                    Some(Err(code)) => answer.metadata.response_code = *code,
                    None => answer.metadata.response_code = ResponseCode::NXDomain,
                }
                socket
                    .send_to(&answer.to_vec().unwrap(), client)
                    .await
                    .unwrap();
            }
        });
        address
    }

    /// A resolver that asks only that server, once.
    fn resolver_of(server: SocketAddr) -> TokioResolver {
        let mut connection = ConnectionConfig::udp();
        connection.port = server.port();
        let server = NameServerConfig::new(server.ip(), true, vec![connection]);
        let config = ResolverConfig::from_name_servers(vec![server]);
        let mut builder =
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.cache_size = 0;
        options.attempts = 0;
        builder.build().unwrap()
    }

    #[tokio::test]
    async fn a_name_that_cannot_be_looked_up_keeps_its_targets() {
        let address = |last| RData::A(A(Ipv4Addr::new(10, 0, 0, last)));
        let zone: Zone = Arc::default();
        let set = |name: &str, answer| {
            zone.lock().unwrap().insert(name.to_owned(), answer);
        };
        set("a.test.", Ok(vec![address(1), address(2)]));
        set("b.test.", Ok(vec![address(3)]));
        let resolver = resolver_of(serve(zone.clone()).await);
        let arguments = Arguments {
            names: ["a.test.", "b.test.", "gone.test."]
                .map(str::to_owned)
                .to_vec(),
            port: 80,
            refresh_interval: Duration::from_secs(30),
            kind: "a".to_owned(),
        };
        let services = Services::new(MemoryBudget::new(1 << 20), Logs::start());
        let site = Site::alone("discovery.dns.x", services);
        let component = <Component as graph::Component>::build(arguments, site).unwrap();
        let found = || -> Vec<String> {
            let targets = component.refresh.targets();
            let place = |target: &Target| target.get("__address__").unwrap_or_default().to_owned();
            targets.iter().map(place).collect()
        };
        component.look_with(&resolver).await;
        assert_eq!(found(), ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]);
        assert_eq!(component.failures.get(), 0);
        // One name fails, the other changes.
        set("a.test.", Err(ResponseCode::ServFail));
        set("b.test.", Ok(vec![address(4)]));
        component.look_with(&resolver).await;
        assert_eq!(found(), ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.4:80"]);
        assert_eq!((component.failures.get(), component.lookups.get()), (1, 6));
        // A name that no longer exists has no targets.
        zone.lock().unwrap().remove("a.test.");
        component.look_with(&resolver).await;
        assert_eq!(found(), ["10.0.0.4:80"]);
    }

    #[test]
    fn each_record_has_its_labels() {
        let name = || Name::from_ascii("host.example.com.").unwrap();
        let meta = |label: &'static str, address: &'static str| {
            let mut labels = vec![("__meta_dns_name", "n"), ("__address__", address)];
            if !label.is_empty() {
                labels.push((label, "host.example.com."));
            }
            Target::new(labels)
        };
        let srv = Target::new([
            ("__meta_dns_name", "n"),
            ("__address__", "host.example.com:9100"),
            ("__meta_dns_srv_record_target", "host.example.com."),
            ("__meta_dns_srv_record_port", "9100"),
        ]);
        let table = [
            (
                RData::A(A(Ipv4Addr::new(10, 0, 0, 1))),
                Some(meta("", "10.0.0.1:80")),
            ),
            (
                RData::AAAA(AAAA(Ipv6Addr::LOCALHOST)),
                Some(meta("", "[::1]:80")),
            ),
            (RData::SRV(SRV::new(1, 2, 9100, name())), Some(srv)),
            (
                RData::MX(MX::new(1, name())),
                Some(meta("__meta_dns_mx_record_target", "host.example.com:80")),
            ),
            (
                RData::NS(NS(name())),
                Some(meta("__meta_dns_ns_record_target", "host.example.com:80")),
            ),
            (RData::CNAME(CNAME(name())), None),
        ];
        for (data, expected) in table {
            assert_eq!(target("n", &data, 80), expected, "{data:?}");
        }
    }
}
