//! Names that are looked up on loopback.

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
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
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
