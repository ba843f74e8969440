//! Sources that change, fail, talk rubbish and come back.

use std::sync::{Arc, Mutex};

use axum::{body::Body, http::Response};

use crate::graph::{Graph, Server, given, json, status, until, until_given};

/// A server of which the answer can be changed.
async fn changing(first: &str) -> (Server, Arc<Mutex<(u16, String)>>) {
    let answer = Arc::new(Mutex::new((200, first.to_owned())));
    let script = answer.clone();
    let server = Server::start(move |_| match &*script.lock().unwrap() {
        (200, body) => json(body.clone()),
        (0, body) => Response::new(Body::from(body.clone())),
        (code, _) => status(*code),
    })
    .await;
    (server, answer)
}

#[tokio::test]
async fn a_server_s_targets_are_relabelled_and_stay_while_it_fails() {
    let (server, answer) =
        changing(r#"[{"targets": ["b:1", "a:1"], "labels": {"__meta_zone": "eu", "role": "db"}}]"#)
            .await;
    let graph = Graph::run(&format!(
        r#"
        discovery.http "story" {{
            url              = "{}/targets"
            refresh_interval = "20ms"
        }}
        discovery.relabel "story" {{
            targets = discovery.http.story.targets
            rule {{
                source_labels = ["__meta_zone"]
                target_label  = "zone"
            }}
            rule {{
                source_labels = ["__address__"]
                regex         = "c:.*"
                action        = "drop"
            }}
        }}
        test.sink "http" {{
            targets = discovery.relabel.story.output
        }}
        "#,
        server.url
    ))
    .await;
    until_given("http", "__address__", &["a:1", "b:1"]).await;
    let target = &given("http")[0];
    assert_eq!(target["zone"], "eu");
    assert_eq!(target["role"], "db");
    assert_eq!(target["__meta_url"], format!("{}/targets", server.url));
    let asked = &server.asked()[0];
    assert_eq!(
        asked.header("x-prometheus-refresh-interval-seconds"),
        "0.02"
    );
    assert!(asked.header("user-agent").starts_with("Corten/"));

    for bad in [
        (500, String::new()),
        (200, "[{".to_owned()),
        (200, r#"[{"targts": []}]"#.to_owned()),
        (0, "[]".to_owned()),
    ] {
        let failures = || graph.metrics("prometheus_sd_http_failures_total");
        let before = failures();
        *answer.lock().unwrap() = bad;
        until(async || failures() != before).await;
        until(async || !graph.health("discovery.http.story").await.0).await;
        assert_eq!(given("http").len(), 2);
    }
    *answer.lock().unwrap() = (200, r#"[{"targets": ["c:1", "d:1"]}]"#.to_owned());
    until_given("http", "__address__", &["d:1"]).await;
    until(async || graph.health("discovery.http.story").await.0).await;
    *answer.lock().unwrap() = (200, "[]".to_owned());
    until_given("http", "__address__", &[]).await;
}

#[tokio::test]
async fn files_come_change_break_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let write = |name: &str, text: &str| {
        std::fs::write(path("new"), text).unwrap();
        std::fs::rename(path("new"), path(name)).unwrap();
    };
    write(
        "a_1.json",
        r#"[{"targets": ["a:1"], "labels": {"job": "x"}}]"#,
    );
    // The interval is long: what is seen, is seen because the folder is watched.
    let graph = Graph::run(&format!(
        r#"
        discovery.file "story" {{
            files            = ["{0}/a_*.json", "{0}/other.json"]
            refresh_interval = "1h"
        }}
        test.sink "file" {{
            targets = discovery.file.story.targets
        }}
        "#,
        folder.path().display()
    ))
    .await;
    until_given("file", "__address__", &["a:1"]).await;
    let first = given("file")[0].clone();
    assert_eq!(first["job"], "x");
    assert_eq!(
        first["__meta_filepath"],
        path("a_1.json").display().to_string()
    );
    write("other.json", r#"[{"targets": ["o:1"]}]"#);
    until_given("file", "__address__", &["a:1", "o:1"]).await;
    std::fs::write(path("a_1.json"), r#"[{"targets": ["a:2"]}]"#).unwrap();
    until_given("file", "__address__", &["a:2", "o:1"]).await;
    // A broken file keeps its targets, and costs others nothing.
    write("a_1.json", "[{");
    until(async || !graph.health("discovery.file.story").await.0).await;
    write("other.json", r#"[{"targets": ["o:2"]}]"#);
    until_given("file", "__address__", &["a:2", "o:2"]).await;
    assert!(
        !graph
            .metrics("prometheus_sd_file_read_errors_total")
            .ends_with(" 0")
    );
    std::fs::remove_file(path("a_1.json")).unwrap();
    until_given("file", "__address__", &["o:2"]).await;
    until(async || graph.health("discovery.file.story").await.0).await;
}

#[tokio::test]
async fn targets_are_maps_in_expressions() {
    let _graph = Graph::run(
        r#"
        discovery.relabel "values" {
            targets = array.concat([{"__address__" = "a:1", "port" = 80}], [{"__address__" = "b:1"}])
        }
        test.sink "values" {
            targets = [
                {"x" = discovery.relabel.values.output[0]["__address__"]},
                {"x" = discovery.relabel.values.output[0].port},
                discovery.relabel.values.output[1],
            ]
        }
        "#,
    )
    .await;
    let values = given("values");
    assert_eq!(
        (values[0]["x"].as_str(), values[1]["x"].as_str()),
        ("a:1", "80")
    );
    assert_eq!(values[2]["__address__"], "b:1");
}

#[tokio::test]
async fn arguments_without_sense_are_refused_by_name() {
    let table = [
        (
            r#"discovery.http "x" { url = "ftp://h" }"#,
            "url must begin with http",
        ),
        (
            r#"discovery.http "x" { url = "http://u:p@h" }"#,
            "belongs into basic_auth",
        ),
        (
            "discovery.http \"x\" {\n url = \"http://h\"\n refresh_interval = \"0s\"\n}",
            "refresh_interval must be above zero",
        ),
        (
            "discovery.http \"x\" {\n url = \"http://h\"\n bearer_token = \"a\"\n basic_auth { }\n}",
            "both set",
        ),
        (
            "discovery.http \"x\" {\n url = \"http://h\"\n no_proxy = \"a\"\n}",
            "no_proxy has no effect without proxy_url",
        ),
        (
            "discovery.http \"x\" {\n url = \"http://h\"\n http_headers = {\"Authorization\" = [\"a\"]}\n}",
            "use the blocks for it",
        ),
        (
            "discovery.http \"x\" {\n url = \"http://h\"\n tls_config { min_version = \"TLS10\" }\n}",
            "write TLS12",
        ),
        (
            "discovery.http \"x\" {\n url = \"http://h\"\n oauth2 { client_id = \"a\" }\n}",
            "client_secret is required",
        ),
        (
            r#"discovery.file "x" { files = ["a/*/b.json"] }"#,
            "only the last part",
        ),
        (
            "discovery.dns \"x\" {\n names = [\"a\"]\n type = \"TXT\"\n}",
            "must be SRV",
        ),
        (
            "discovery.dns \"x\" {\n names = [\"a\"]\n type = \"a\"\n}",
            "port is required",
        ),
        (
            "discovery.relabel \"x\" {\n targets = []\n rule { regex = \"(\" \n target_label = \"a\" }\n}",
            "not a regular expression",
        ),
        (
            "discovery.relabel \"x\" {\n targets = []\n rule { action = \"hashmod\" \n target_label = \"a\" }\n}",
            "modulus must be above 0",
        ),
        (
            "discovery.relabel \"x\" {\n targets = []\n rule { action = \"Keep\" }\n}",
            "should be one of",
        ),
    ];
    for (text, expected) in table {
        let refused = Graph::refuse(text).await;
        assert!(refused.contains(expected), "{refused}\nnot: {expected}");
    }
}
