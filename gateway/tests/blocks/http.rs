//! The `http` block: who may ask the admin server, and over what.

use std::{fs, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use corten::net::tls::{ClientTls, Pem, Settings};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::gateway::{Gateway, PATIENCE};

fn authorization(user: &str) -> String {
    format!("Authorization: Basic {}", BASE64_STANDARD.encode(user))
}

#[tokio::test]
async fn a_user_is_asked_for_and_no_reload_opens_the_door() {
    let locked = "http {
        auth {
            basic {
                username = \"ann\"
                password = \"secret\"
            }
        }
    }";
    let gateway = Gateway::unconfigured().await;
    let (status, answer) = gateway.get("/metrics", &[]).await;
    assert_eq!(status, 503);
    assert!(answer.contains("first configuration"), "{answer}");
    assert_eq!(gateway.get("/-/healthy", &[]).await.0, 200);

    gateway.load(locked).await.unwrap();
    let (status, answer) = gateway.get("/metrics", &[]).await;
    assert_eq!(status, 401);
    assert!(
        answer.contains("www-authenticate: Basic realm=\"Restricted\""),
        "{answer}"
    );
    let (ann, bob) = (authorization("ann:secret"), authorization("bob:secret"));
    assert_eq!(gateway.get("/metrics", &[&ann]).await.0, 200);
    assert_eq!(gateway.get("/metrics", &[&bob]).await.0, 401);

    // A configuration that is refused changes nothing, one with another user does.
    gateway.load("http {\ntls { }\n}").await.unwrap_err();
    assert_eq!(gateway.get("/metrics", &[]).await.0, 401);
    gateway.load(&locked.replace("ann", "bob")).await.unwrap();
    assert_eq!(gateway.get("/metrics", &[&ann]).await.0, 401);
    assert_eq!(gateway.get("/metrics", &[&bob]).await.0, 200);

    let filtered = "filter {\npaths = [\"/-/\"]\nauthenticate_matching_paths = false\n}\n}\n}";
    let filtered = locked.replace("}\n        }\n    }", &format!("}}\n{filtered}"));
    gateway.load(&filtered).await.unwrap();
    assert_eq!(gateway.get("/-/ready", &[]).await.0, 200);
    assert_eq!(gateway.get("/api/v0/web/components", &[]).await.0, 401);

    gateway.load(locked).await.unwrap();
    gateway.app.drain().await;
    assert_eq!(
        gateway.get("/metrics", &[]).await.0,
        401,
        "locked to the end"
    );
}

#[tokio::test]
async fn without_its_block_the_door_is_open_again() {
    let gateway =
        Gateway::start("http {\nauth {\nbasic {\nusername = \"a\"\npassword = \"b\"\n}\n}\n}")
            .await;
    assert_eq!(gateway.get("/metrics", &[]).await.0, 401);
    gateway.load("").await.unwrap();
    tokio::time::timeout(PATIENCE, async {
        while gateway.get("/metrics", &[]).await.0 == 401 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
}

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
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// A client that trusts this authority and shows that certificate.
    fn client(&self, identity: Option<(String, String)>) -> ClientTls {
        let (certificate, key) = identity.unzip();
        let settings = Settings {
            ca: Some(Pem::Text(self.pem())),
            certificate: certificate.map(Pem::Text),
            key: key.map(Pem::Text),
            ..Settings::default()
        };
        ClientTls::new(settings, false, &["http/1.1"]).unwrap()
    }
}

/// Whether a client gets an answer. Under TLS 1.3 it learns only then that it was refused.
async fn is_answered(gateway: &Gateway, client: &ClientTls) -> bool {
    matches!(gateway.get_over(client, "/-/ready").await, Ok((200, _)))
}

#[tokio::test]
async fn each_kind_of_client_certificate_lets_its_clients_in() {
    let (ours, others) = (Arc::new(Authority::new()), Authority::new());
    let (certificate, key) = ours.issue("localhost");
    let ca = ours.pem();
    let with = |kind: &str, ca: &str| {
        format!(
            "http {{\ntls {{\ncert_pem = `{certificate}`\nkey_pem = `{key}`\n\
             client_auth_type = \"{kind}\"\n{ca}\n}}\n}}"
        )
    };
    let ca = format!("client_ca_pem = `{ca}`");
    let nobody = ours.client(None);
    let friend = ours.client(Some(ours.issue("friend")));
    let stranger = ours.client(Some(others.issue("stranger")));
    let gateway = Gateway::start(&with("NoClientCert", "")).await;
    assert!(is_answered(&gateway, &nobody).await);
    assert!(
        !is_answered(&gateway, &others.client(None)).await,
        "not our authority"
    );
    for (kind, ca, answered) in [
        ("RequestClientCert", "", [true, true, true]),
        ("RequireAnyClientCert", &*ca, [false, true, true]),
        ("VerifyClientCertIfGiven", &*ca, [true, true, false]),
        ("RequireAndVerifyClientCert", &*ca, [false, true, false]),
    ] {
        gateway.load(&with(kind, ca)).await.unwrap();
        for (number, client) in [&nobody, &friend, &stranger].into_iter().enumerate() {
            let found = is_answered(&gateway, client).await;
            assert_eq!(found, answered[number], "{kind}, client {number}");
        }
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_without_a_reload() {
    let (first, second) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("cert"), folder.path().join("key"));
    let write = |authority: &Authority| {
        let (certificate_pem, key_pem) = authority.issue("localhost");
        fs::write(&certificate, certificate_pem).unwrap();
        fs::write(&key, key_pem).unwrap();
    };
    write(&first);
    let gateway = Gateway::start(&format!(
        "http {{\ntls {{\ncert_file = \"{}\"\nkey_file = \"{}\"\nmin_version = \"TLS13\"\n\
         cipher_suites = [\"TLS_AES_128_GCM_SHA256\"]\ncurve_preferences = [\"CurveP256\"]\n}}\n}}",
        certificate.display(),
        key.display()
    ))
    .await;
    assert!(is_answered(&gateway, &first.client(None)).await);
    write(&second);
    let renewed = second.client(None);
    tokio::time::timeout(PATIENCE, async {
        while !is_answered(&gateway, &renewed).await {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await
    .unwrap();
}
