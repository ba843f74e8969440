//! Both exporters over TLS, through proxies, and with credentials.

use std::sync::Arc;

use corten::{
    batch::{Codec, Metadata},
    components::otelcol::{
        ClientAuth, Handler,
        exporter::{otlp, otlphttp},
    },
    delivery::{Destination, Request, Verdict},
    net::{
        client_certificates::ClientCertificates,
        tls::{Pem, ServerTls, Settings},
    },
};
use http::{HeaderMap, Version};
use protos::Signal;
use syntax::{Object, ToValue};

use super::{
    backend::{Answer, Backend, Seen, Tunnels, grpc_ok, http},
    decode, decode_in, message, request, word,
};

/// A certificate with its key.
struct Identity {
    certificate: String,
    key: String,
}

impl Identity {
    fn of(name: &str) -> Self {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        Self {
            certificate: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
        }
    }

    /// TLS of a server that shows this, and trusts that client if there is one.
    fn serve(&self, client: Option<&Self>) -> Arc<rustls::ServerConfig> {
        let settings = Settings {
            certificate: Some(Pem::Text(self.certificate.clone())),
            key: Some(Pem::Text(self.key.clone())),
            ..Settings::default()
        };
        let clients = match client {
            None => ClientCertificates::Unasked,
            Some(client) => ClientCertificates::Checked {
                required: true,
                authorities: Some(Pem::Text(client.certificate.clone())),
            },
        };
        ServerTls::new(settings, clients, &["h2", "http/1.1"])
            .unwrap()
            .config()
    }

    /// The arguments with which a client shows this.
    fn shown(&self) -> String {
        format!(
            "cert_pem = `{}`\n key_pem = `{}`",
            self.certificate, self.key
        )
    }
}

/// The arguments with which a client trusts a server.
fn trusting(server: &Identity) -> String {
    format!("ca_pem = `{}`", server.certificate)
}

fn ok(_: &Seen) -> Answer {
    http(200, &[], "")
}

async fn send_grpc(endpoint: &str, tls: &str) -> Verdict {
    let text = format!("client {{ endpoint = \"{endpoint}\"\n tls {{ {tls} }} }}");
    let backend = otlp::Backend::new(&decode(&text).unwrap()).unwrap();
    backend.send(request(Signal::Logs, Codec::Gzip)).await
}

async fn send_http(endpoint: &str, client: &str, tls: &str) -> Verdict {
    let text =
        format!("client {{ endpoint = \"https://{endpoint}\"\n{client}\n tls {{ {tls} }} }}");
    let backend = otlphttp::Backend::new(&decode(&text).unwrap()).unwrap();
    backend.send(request(Signal::Logs, Codec::Gzip)).await
}

#[tokio::test]
async fn a_trusted_server_gets_the_data_and_no_other() {
    let (server, other) = (Identity::of("127.0.0.1"), Identity::of("127.0.0.1"));
    let grpc = Backend::secure(server.serve(None), grpc_ok).await;
    let plain = Backend::secure(server.serve(None), ok).await;
    let (grpc_at, plain_at) = (grpc.address.to_string(), plain.address.to_string());
    for (tls, is_trusted) in [
        (trusting(&server), true),
        (trusting(&other), false),
        ("insecure_skip_verify = true".to_owned(), true),
        (
            format!("{}\n server_name = \"other.example\"", trusting(&server)),
            false,
        ),
        (
            format!("{}\n min_version = \"TLS 1.3\"", trusting(&server)),
            true,
        ),
    ] {
        for verdict in [
            send_grpc(&grpc_at, &tls).await,
            send_http(&plain_at, "", &tls).await,
        ] {
            if is_trusted {
                assert_eq!(verdict, Verdict::Delivered, "{tls}");
            } else {
                assert_eq!(word(&verdict), "retry", "{tls}");
                assert!(message(&verdict).contains("TLS handshake"), "{verdict:?}");
            }
        }
    }
    assert!(
        grpc.seen()
            .iter()
            .all(|seen| seen.version == Version::HTTP_2)
    );
    assert_eq!((grpc.seen().len(), plain.seen().len()), (3, 3));
}

#[tokio::test]
async fn the_certificates_name_is_that_of_the_endpoint_unless_another_is_set() {
    let server = Identity::of("tempo.example");
    let backend = Backend::secure(server.serve(None), grpc_ok).await;
    let address = backend.address.to_string();
    let tls = trusting(&server);
    assert_eq!(word(&send_grpc(&address, &tls).await), "retry");
    let named = format!("{tls}\n server_name = \"tempo.example\"");
    assert_eq!(send_grpc(&address, &named).await, Verdict::Delivered);
}

#[tokio::test]
async fn a_client_shows_its_certificate() {
    let (server, client) = (Identity::of("127.0.0.1"), Identity::of("client"));
    let backend = Backend::secure(server.serve(Some(&client)), grpc_ok).await;
    let address = backend.address.to_string();
    let tls = trusting(&server);
    assert_eq!(word(&send_grpc(&address, &tls).await), "retry");
    let known = format!("{tls}\n{}", client.shown());
    assert_eq!(send_grpc(&address, &known).await, Verdict::Delivered);
    let stranger = format!("{tls}\n{}", Identity::of("client").shown());
    assert_eq!(word(&send_grpc(&address, &stranger).await), "retry");
}

#[tokio::test]
async fn http_2_is_used_where_it_is_offered_and_wanted() {
    let server = Identity::of("127.0.0.1");
    for (client, version) in [
        ("", Version::HTTP_2),
        ("force_attempt_http2 = false", Version::HTTP_11),
        ("headers = { Host = \"tempo.internal\" }", Version::HTTP_11),
    ] {
        let backend = Backend::secure(server.serve(None), ok).await;
        let verdict = send_http(&backend.address.to_string(), client, &trusting(&server)).await;
        assert_eq!(verdict, Verdict::Delivered, "{client}");
        assert_eq!(backend.only().version, version, "{client}");
    }
}

#[tokio::test]
async fn tls_goes_through_a_proxys_tunnel() {
    let server = Identity::of("127.0.0.1");
    let backend = Backend::secure(server.serve(None), ok).await;
    let proxy = Tunnels::start().await;
    let client = format!("proxy_url = \"http://me:pass@{}\"", proxy.address);
    let address = backend.address.to_string();
    let verdict = send_http(&address, &client, &trusting(&server)).await;
    assert_eq!(verdict, Verdict::Delivered);
    let heads = proxy.heads.lock().unwrap().clone();
    assert_eq!(heads.len(), 1);
    assert!(
        heads[0].starts_with(&format!("CONNECT {address} HTTP/1.1\r\n")),
        "{heads:?}"
    );
    assert!(
        heads[0].contains("Proxy-Authorization: Basic bWU6cGFzcw=="),
        "{heads:?}"
    );
    // The proxy's password is for the proxy.
    assert_eq!(backend.only().header("proxy-authorization"), "");
}

/// Passes a header of the client on.
struct Passing {
    is_secret: bool,
}

impl ClientAuth for Passing {
    fn apply(&self, metadata: &Metadata, headers: &mut HeaderMap) -> Result<(), String> {
        let value = metadata.values("who").next().ok_or("nobody is known")?;
        headers.insert("authorization", value.parse().unwrap());
        Ok(())
    }

    fn context_keys(&self) -> Vec<String> {
        vec!["who".to_owned()]
    }

    fn is_secret(&self) -> bool {
        self.is_secret
    }
}

fn scope(is_secret: bool) -> Object {
    let handler = Handler::auth(&"auth".into(), Some(Arc::new(Passing { is_secret })), None);
    let mut scope = Object::default();
    scope.insert("creds".to_owned(), handler.to_value());
    scope
}

fn from(who: &str) -> Request {
    let metadata = Metadata::new([("who".to_owned(), who.to_owned())]);
    Request {
        metadata,
        ..request(Signal::Logs, Codec::Gzip)
    }
}

#[tokio::test]
async fn credentials_come_from_the_handler_for_each_request() {
    let grpc = Backend::start(grpc_ok).await;
    let text = format!(
        "client {{ endpoint = \"http://{}\"\n auth = creds }}",
        grpc.address
    );
    let arguments = decode_in(&text, &scope(false)).unwrap();
    let to_grpc = otlp::Backend::new(&arguments).unwrap();
    let plain = Backend::start(ok).await;
    let text = format!(
        "client {{ endpoint = \"http://{}\"\n auth = creds }}",
        plain.address
    );
    let to_plain = otlphttp::Backend::new(&decode_in(&text, &scope(true)).unwrap()).unwrap();
    for who in ["a", "b"] {
        assert_eq!(to_grpc.send(from(who)).await, Verdict::Delivered);
        assert_eq!(to_plain.send(from(who)).await, Verdict::Delivered);
    }
    for backend in [&grpc, &plain] {
        let seen = backend.seen();
        assert_eq!(
            [
                seen[0].header("authorization"),
                seen[1].header("authorization")
            ],
            ["a", "b"]
        );
    }
    let unknown = to_grpc.send(request(Signal::Logs, Codec::Gzip)).await;
    assert_eq!(
        (word(&unknown), message(&unknown)),
        ("retry", "nobody is known")
    );
    assert_eq!(grpc.seen().len(), 2, "nothing is sent without credentials");
}

#[test]
fn grpc_sends_no_secret_unencrypted() {
    let text = "client { endpoint = \"a:1\"\n auth = creds\n tls { insecure = true } }";
    let arguments = decode_in(text, &scope(true)).unwrap();
    let refusal = otlp::Backend::new(&arguments).err().unwrap();
    assert!(refusal.contains("unencrypted"), "{refusal}");
    let arguments = decode_in(text, &scope(false)).unwrap();
    assert!(otlp::Backend::new(&arguments).is_ok());
}

#[test]
fn a_storage_is_not_a_credential_and_the_other_way_round() {
    let mut scope = scope(false);
    scope.insert(
        "disk".to_owned(),
        Handler::of_storage(&"disk".into()).to_value(),
    );
    let decode = |text: &str| decode_in::<otlphttp::Arguments>(text, &scope);
    let client = "client { endpoint = \"http://a\" }";
    let queue = |handler: &str| format!("{client}\nsending_queue {{ storage = {handler} }}");
    assert!(decode(&queue("disk")).is_ok());
    let refusal = decode(&queue("creds")).unwrap_err();
    assert!(
        refusal.contains("auth does not support storage"),
        "{refusal}"
    );
    let arguments = decode("client { endpoint = \"http://a\"\n auth = disk }").unwrap();
    let refusal = otlphttp::Backend::new(&arguments).err().unwrap();
    assert!(
        refusal.contains("disk does not support client authentication"),
        "{refusal}"
    );
}
