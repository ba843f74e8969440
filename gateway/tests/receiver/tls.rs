//! Encrypted servers, and those that ask for the client's certificate.

use std::{fs, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use corten::{
    batch::Signal,
    net::{
        grpc::{Message, frame},
        tls::{ClientTls, Pem, Settings},
    },
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    bodies::request,
    clients::{call_over, method},
    gateway::{Gateway, Setup},
};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.as_ref().pem()
    }

    /// A certificate for a name, and its key.
    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (
            params.signed_by(&key, &self.0).unwrap().pem(),
            key.serialize_pem(),
        )
    }
}

/// What a client trusts and shows.
fn client(ca: &Authority, identity: Option<(String, String)>) -> ClientTls {
    let (certificate, key) = identity.unzip();
    let settings = Settings {
        ca: Some(Pem::Text(ca.pem())),
        certificate: certificate.map(Pem::Text),
        key: key.map(Pem::Text),
        ..Settings::default()
    };
    ClientTls::new(settings, false, &["h2"]).unwrap()
}

async fn connect(address: SocketAddr, tls: &ClientTls) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = TlsConnector::from(tls.config());
    connector
        .connect("localhost".try_into().unwrap(), stream)
        .await
}

/// Whether a request gets through. Under TLS 1.3 a client learns only then that it was refused.
async fn sends(address: SocketAddr, tls: &ClientTls) -> bool {
    let Ok(stream) = connect(address, tls).await else {
        return false;
    };
    let bytes = Bytes::from(request(Signal::Logs, 1));
    let framed = frame(&Message {
        compressed: false,
        bytes,
    });
    call_over(stream, method(Signal::Logs), &[], framed)
        .await
        .is_ok()
}

#[tokio::test]
async fn certificates_are_shown_and_asked_for() {
    let (ours, others) = (Arc::new(Authority::new()), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (certificate, key) = ours.issue("localhost");
    fs::write(path("cert"), certificate).unwrap();
    fs::write(path("key"), key).unwrap();
    fs::write(path("ca"), ours.pem()).unwrap();

    let tls = format!(
        "cert_file = \"{}\"\nkey_file = \"{}\"",
        path("cert"),
        path("key")
    );
    let grpc = format!("tls {{\n{tls}\n}}");
    let gateway = Gateway::start(
        "tls",
        Setup {
            grpc: &grpc,
            ..Setup::default()
        },
    )
    .await;
    assert!(sends(gateway.grpc, &client(&ours, None)).await);
    assert!(
        !sends(gateway.grpc, &client(&others, None)).await,
        "an unknown authority"
    );
    let plain = TcpStream::connect(gateway.grpc).await.unwrap();
    assert!(
        call_over(plain, method(Signal::Logs), &[], "")
            .await
            .is_err(),
        "not encrypted"
    );

    let mutual = format!("tls {{\n{tls}\nclient_ca_file = \"{}\"\n}}", path("ca"));
    gateway
        .load(Setup {
            grpc: &mutual,
            ..Setup::default()
        })
        .await
        .unwrap();
    assert!(sends(gateway.grpc, &client(&ours, Some(ours.issue("client")))).await);
    assert!(
        !sends(gateway.grpc, &client(&ours, None)).await,
        "no certificate"
    );
    let stranger = client(&ours, Some(others.issue("client")));
    assert!(
        !sends(gateway.grpc, &stranger).await,
        "a stranger's certificate"
    );
}

#[tokio::test]
async fn what_cannot_be_encrypted_is_refused_with_its_reason() {
    let gateway = Gateway::start("tls_errors", Setup::default()).await;
    for (block, expected) in [
        (
            "cert_file = \"/nowhere\"\nkey_file = \"/nowhere\"",
            "cannot read /nowhere",
        ),
        ("min_version = \"1.0\"", "TLS 1.0 and 1.1 are broken"),
        ("cert_pem = \"a\"\ncert_file = \"b\"", "both set"),
        ("tpm { enabled = true }", "not supported"),
        ("include_insecure_cipher_suites = true", "must be false"),
        ("", "needs a certificate"),
    ] {
        let grpc = format!("tls {{\n{block}\n}}");
        let refused = gateway
            .load(Setup {
                grpc: &grpc,
                ..Setup::default()
            })
            .await
            .unwrap_err();
        assert!(refused.contains(expected), "{refused}");
    }
}
