//! Who may send, and whose data it then is.

use corten::batch::{Batch, Signal};
use tonic::Code;

use crate::{
    bodies::request,
    clients::{call, code, post},
    gateway::{Gateway, Setup},
};

const BASIC: &str = "otelcol.auth.basic \"{name}\" {\nhtpasswd { inline = \"bob:sesame\" }\n}";
const BEARER: &str = "otelcol.auth.bearer \"{name}\" { token = \"sesame\" }";

#[tokio::test]
async fn only_those_who_are_known_get_in() {
    for (name, kind, components, good, challenge) in [
        (
            "basic",
            "basic",
            BASIC,
            "Basic Ym9iOnNlc2FtZQ==",
            "Basic realm=\"corten\", charset=\"UTF-8\"",
        ),
        ("bearer", "bearer", BEARER, "Bearer sesame", "Bearer"),
    ] {
        let auth = format!("auth = otelcol.auth.{kind}.{name}.handler");
        let (grpc, http) = (&*auth, &*auth);
        let gateway = Gateway::start(
            name,
            Setup {
                grpc,
                http,
                components,
                ..Setup::default()
            },
        )
        .await;
        let body = request(Signal::Logs, 1);
        for (authorization, known) in [(good, true), ("Bearer no", false), ("", false)] {
            let headers = [("authorization", authorization)];
            let answer = post(gateway.http, "/v1/logs", &headers, body.clone()).await;
            assert_eq!(
                answer.status,
                if known { 200 } else { 401 },
                "{authorization}"
            );
            assert_eq!(
                answer.header("www-authenticate"),
                (!known).then_some(challenge)
            );
            let result = call(gateway.grpc, Signal::Logs, &headers, false, body.clone()).await;
            let expected = if known {
                Code::Ok
            } else {
                Code::Unauthenticated
            };
            assert_eq!(code(&result), expected, "{authorization}");
        }
        let arrived = gateway.arrived();
        assert_eq!(arrived.len(), 2);
        let users = metadata(&arrived[0], ":auth.username");
        assert_eq!(users, if kind == "basic" { vec!["bob"] } else { vec![] });
    }
}

fn metadata(batch: &Batch, name: &'static str) -> Vec<String> {
    batch
        .context
        .metadata
        .values(name)
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn a_tenant_is_named_where_clients_are_trusted_to() {
    let headers = [
        ("x-scope-orgid", "team-a"),
        ("x-tenant", "team-b"),
        ("x-other", "o"),
    ];
    let trusting = "include_metadata = true";
    let own = "tenant { header = \"X-Tenant\" }";
    for (include, receiver, tenant, other) in [
        ("", "", "", 0),
        (trusting, "", "team-a", 1),
        ("", own, "team-b", 0),
        (trusting, own, "team-b", 1),
    ] {
        let setup = Setup {
            grpc: include,
            http: include,
            receiver,
            ..Setup::default()
        };
        let gateway = Gateway::start("tenants", setup).await;
        let body = request(Signal::Logs, 1);
        assert_eq!(
            post(gateway.http, "/v1/logs", &headers, body.clone())
                .await
                .status,
            200
        );
        assert_eq!(
            code(&call(gateway.grpc, Signal::Logs, &headers, false, body).await),
            Code::Ok
        );
        let arrived = gateway.arrived();
        assert_eq!(arrived.len(), 2);
        for batch in arrived {
            assert_eq!(batch.context.tenant.as_str(), tenant);
            assert_eq!(metadata(&batch, "x-other").len(), other);
        }
        gateway.stop().await;
    }
}

#[tokio::test]
async fn an_invalid_tenant_is_refused() {
    let receiver = "tenant { }";
    let gateway = Gateway::start(
        "tenant_names",
        Setup {
            receiver,
            ..Setup::default()
        },
    )
    .await;
    for name in ["a/../b", "..", "a|b"] {
        let headers = [("x-scope-orgid", name)];
        let answer = post(gateway.http, "/v1/logs", &headers, request(Signal::Logs, 1)).await;
        assert_eq!(answer.status, 400);
        let result = call(
            gateway.grpc,
            Signal::Logs,
            &headers,
            false,
            request(Signal::Logs, 1),
        )
        .await;
        assert_eq!(code(&result), Code::InvalidArgument);
    }
    assert!(gateway.arrived().is_empty());
}
