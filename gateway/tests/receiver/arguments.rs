//! What the receiver's block may say, and what it hears when it may not.

use crate::gateway::{Gateway, Setup};

#[tokio::test]
async fn everything_in_the_reference_is_understood() {
    let grpc = "transport = \"tcp\"\nmax_recv_msg_size = \"8MiB\"\nmax_concurrent_streams = 16\n\
                read_buffer_size = \"64KiB\"\nwrite_buffer_size = \"64KiB\"\ninclude_metadata = true\n\
                keepalive {\nserver_parameters {\nmax_connection_idle = \"1h\"\n\
                max_connection_age = \"1h\"\nmax_connection_age_grace = \"1m\"\ntime = \"1m\"\n\
                timeout = \"5s\"\n}\n\
                enforcement_policy {\nmin_time = \"10s\"\npermit_without_stream = true\n}\n}";
    let http = "include_metadata = true\nmax_request_body_size = \"8MiB\"\n\
                compression_algorithms = [\"\", \"gzip\"]\nkeep_alives_enabled = true\n\
                idle_timeout = \"30s\"\nread_timeout = \"30s\"\nread_header_timeout = \"5s\"\n\
                write_timeout = \"10s\"\ntraces_url_path = \"/t\"\nmetrics_url_path = \"/m\"\n\
                logs_url_path = \"/l\"\n\
                cors {\nallowed_origins = [\"https://a.example\"]\nallowed_headers = [\"*\"]\n\
                exposed_headers = [\"X-A\"]\nmax_age = 5\n}";
    let receiver = "tenant { header = \"X-Tenant\" }\ndebug_metrics { level = \"detailed\" }";
    let levels =
        ["none", "basic", "normal"].map(|level| format!("debug_metrics {{ level = \"{level}\" }}"));
    let gateway = Gateway::start(
        "arguments",
        Setup {
            grpc,
            http,
            receiver,
            ..Setup::default()
        },
    )
    .await;
    for receiver in &levels {
        let loaded = gateway.load(Setup {
            receiver,
            ..Setup::default()
        });
        assert_eq!(loaded.await, Ok(()), "{receiver}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn what_cannot_be_honoured_is_refused_with_its_reason() {
    let gateway = Gateway::start("refused_arguments", Setup::default()).await;
    let components =
        "otelcol.auth.headers \"{name}\" {\nheader {\nkey = \"a\"\nvalue = \"b\"\n}\n}";
    let auth = "auth = otelcol.auth.headers.refused_arguments.handler";
    let cases = [
        ("transport = \"udp\"", "", "", "\"udp\" is not supported"),
        ("max_recv_msg_size = \"much\"", "", "", "size in bytes"),
        (auth, "", "", "does not support server authentication"),
        (
            "",
            "compression_algorithms = [\"br\"]",
            "",
            "\"br\" is not supported",
        ),
        ("", "logs_url_path = \"\"", "", "is not a path"),
        (
            "",
            "logs_url_path = \"v1/traces\"",
            "",
            "path of another signal",
        ),
        (
            "",
            "cors { exposed_headers = [\"a b\"] }",
            "",
            "not the name of a header",
        ),
        (
            "",
            "",
            "tenant { header = \"a b\" }",
            "not the name of a header",
        ),
        ("", "", "debug_metrics { level = \"some\" }", "\"detailed\""),
        (
            "",
            "",
            "debug_metrics { disable_high_cardinality_metrics = false }",
            "must be true",
        ),
        ("", "endpiont = \"x\"", "", "unknown attribute"),
    ];
    for (grpc, http, receiver, expected) in cases {
        let setup = Setup {
            grpc,
            http,
            receiver,
            components,
            ..Setup::default()
        };
        let refused = gateway.load(setup).await.unwrap_err();
        assert!(
            refused.contains(expected),
            "{refused} does not say {expected:?}"
        );
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_and_shows_as_health() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut gateway = Gateway::start("taken", Setup::default()).await;
    gateway.http = taken.local_addr().unwrap();
    gateway.load(Setup::default()).await.unwrap();
    let message = gateway.unhealthy().await;
    let address = gateway.http.to_string();
    assert!(
        message.contains(&address) && message.contains("another process has it"),
        "{message}"
    );
}
