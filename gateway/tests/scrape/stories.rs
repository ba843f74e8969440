//! Targets that change, fail, lie and vanish.

use std::io::Write;

use axum::{body::Body, response::Response};
use protos::otlp::Message;
use protos::prometheus::messages::client;

use crate::graph::{Exposer, Graph, answer, config, given, last, until};

#[tokio::test]
async fn a_target_is_scraped_fails_and_comes_back() {
    let (exposer, text) = Exposer::changing("a{b=\"c\"} 1\n").await;
    let config = config(
        "life",
        &[exposer.target("\"zone\" = \"eu\", \"__meta_x\" = \"y\",")],
        "",
    );
    let graph = Graph::run(&config).await;
    until(async || last("life", "up") == Some(Some(1.0))).await;
    let sample = given("life", "a").remove(0);
    let expected = [
        ("__name__", "a"),
        ("b", "c"),
        ("instance", exposer.address.as_str()),
        ("job", "prometheus.scrape.life"),
        ("zone", "eu"),
    ];
    let labels: Vec<(&str, &str)> = sample
        .labels
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    assert_eq!(labels, expected);
    let up = given("life", "up").remove(0);
    assert_eq!(up.timestamp, sample.timestamp);
    assert_eq!(up.labels.len(), 4);
    assert_eq!(last("life", "scrape_samples_scraped"), Some(Some(1.0)));
    let asked = exposer.asked().remove(0);
    assert_eq!(asked.path, "/metrics");
    assert_eq!(asked.headers["accept-encoding"], "gzip");

    *text.lock().unwrap() = Some("d 1\n".to_owned());
    until(async || last("life", "a") == Some(None)).await;
    assert_eq!(last("life", "d"), Some(Some(1.0)));
    *text.lock().unwrap() = None;
    until(async || last("life", "up") == Some(Some(0.0))).await;
    assert_eq!(last("life", "d"), Some(None));
    *text.lock().unwrap() = Some("d broken\n".to_owned());
    let downs = given("life", "up").len();
    until(async || given("life", "up").len() > downs + 1).await;
    assert_eq!(last("life", "up"), Some(Some(0.0)));
    *text.lock().unwrap() = Some("d 2\n".to_owned());
    until(async || last("life", "d") == Some(Some(2.0))).await;
    graph.stop().await;
}

#[tokio::test]
async fn every_form_gives_the_same_series() {
    let family = client::MetricFamily {
        name: "a".to_owned(),
        kind: Some(1),
        metric: vec![client::Metric {
            gauge: Some(client::Number { value: 7.0 }),
            ..client::Metric::default()
        }],
        ..client::MetricFamily::default()
    };
    let protobuf = family.encode_length_delimited_to_vec();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"a 7\n").unwrap();
    let gzip = gzip.finish().unwrap();
    let exposer = Exposer::start(move |asked| match asked.path.as_str() {
        "/text" => answer("text/plain", "a 7\n"),
        "/open" => answer(
            "application/openmetrics-text; version=1.0.0",
            "a 7\n# EOF\n",
        ),
        "/proto" => answer(
            "application/vnd.google.protobuf; encoding=delimited",
            protobuf.clone(),
        ),
        "/gzip" => {
            let mut answer = answer("text/plain", gzip.clone());
            let value = "gzip".parse().unwrap();
            answer.headers_mut().insert("content-encoding", value);
            answer
        }
        path => panic!("{path}"),
    })
    .await;
    for (label, path) in [
        ("text", "/text"),
        ("open", "/open"),
        ("proto", "/proto"),
        ("gzip", "/gzip"),
    ] {
        let target = exposer.target(&format!("\"__metrics_path__\" = \"{path}\","));
        let graph = Graph::run(&config(label, &[target], "")).await;
        until(async || last(label, "a") == Some(Some(7.0))).await;
        graph.stop().await;
    }
}

#[tokio::test]
async fn targets_that_stay_keep_their_series_and_those_that_go_end() {
    let (stays, _) = Exposer::changing("a 1\n").await;
    let (goes, _) = Exposer::changing("b 1\n").await;
    let both = config("change", &[stays.target(""), goes.target("")], "");
    let graph = Graph::run(&both).await;
    until(async || last("change", "a").is_some() && last("change", "b").is_some()).await;
    graph.load(&config("change", &[stays.target("")], "")).await;
    until(async || last("change", "b") == Some(None)).await;
    let count = given("change", "a").len();
    until(async || given("change", "a").len() > count + 2).await;
    assert!(
        given("change", "a")
            .iter()
            .all(|sample| sample.value.is_some())
    );
    let ends = given("change", "up")
        .into_iter()
        .filter(|up| up.value.is_none());
    let ends: Vec<String> = ends.map(|up| up.labels["instance"].clone()).collect();
    assert_eq!(ends, [goes.address.as_str()]);
    // Only the first scrape of a target adds series.
    let added: f64 = given("change", "scrape_series_added")
        .iter()
        .filter(|sample| sample.labels["instance"] == stays.address)
        .filter_map(|sample| sample.value)
        .sum();
    assert_eq!(added, 1.0);
    graph.stop().await;
}

#[tokio::test]
async fn parameters_paths_and_credentials_are_sent() {
    let (exposer, _) = Exposer::changing("a 1\n").await;
    let target = exposer.target("\"__param_module\" = \"x y\",");
    let arguments = "params = {\"module\" = [\"http\", \"more\"], \"t\" = [\"1\"]}\n\
                     metrics_path = \"/probe\"\n job_name = \"mine\"\n\
                     basic_auth {\n username = \"me\"\n password = \"p\"\n}";
    let graph = Graph::run(&config("sent", &[target], arguments)).await;
    until(async || last("sent", "a").is_some()).await;
    let asked = exposer.asked().remove(0);
    assert_eq!(asked.path, "/probe?module=x%20y&module=more&t=1");
    assert_eq!(asked.headers["authorization"], "Basic bWU6cA==");
    let accept = asked.headers["accept"].to_str().unwrap();
    assert!(
        accept
            .starts_with("application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.6,")
    );
    let seconds = asked.headers["x-prometheus-scrape-timeout-seconds"]
        .to_str()
        .unwrap();
    assert_eq!(seconds, "0.05");
    assert_eq!(given("sent", "a")[0].labels["job"], "mine");
    graph.stop().await;
}

#[tokio::test]
async fn hostile_answers_are_refused() {
    let bomb = {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        for _ in 0..2000 {
            gzip.write_all(&b"# a comment\n".repeat(1000)).unwrap();
        }
        gzip.finish().unwrap()
    };
    let exposer = Exposer::start(move |asked| match asked.path.as_str() {
        "/bomb" => {
            let mut answer = answer("text/plain", bomb.clone());
            answer
                .headers_mut()
                .insert("content-encoding", "gzip".parse().unwrap());
            answer
        }
        "/long" => answer(
            "text/plain",
            format!("a{{b=\"{}\"}} 1\n", "x".repeat(2 << 20)),
        ),
        "/redirect" => Response::builder()
            .status(302)
            .header("location", "/redirect")
            .body(Body::empty())
            .unwrap(),
        "/many" => answer("text/plain", "a 1\nb 1\nc 1\n"),
        _ => answer("text/plain", "a 1 # no exemplars here\n"),
    })
    .await;
    let cases = [
        ("bomb", "/bomb", "body_size_limit = 1000000", -1.0),
        ("long", "/long", "", 0.0),
        ("redirect", "/redirect", "", 0.0),
        ("many", "/many", "sample_limit = 2", 0.0),
        ("comment", "/comment", "", 0.0),
    ];
    for (label, path, arguments, size) in cases {
        let target = exposer.target(&format!("\"__metrics_path__\" = \"{path}\", \"__scrape_interval__\" = \"500ms\", \"__scrape_timeout__\" = \"490ms\","));
        let arguments = format!("{arguments}\n extra_metrics = true");
        let graph = Graph::run(&config(label, &[target], &arguments)).await;
        until(async || last(label, "up").is_some()).await;
        assert_eq!(last(label, "up"), Some(Some(0.0)), "{label}");
        assert_eq!(
            last(label, "scrape_body_size_bytes"),
            Some(Some(size)),
            "{label}"
        );
        assert_eq!(last(label, "a"), None, "{label}");
        graph.stop().await;
    }
}

#[tokio::test]
async fn samples_that_are_refused_are_offered_again() {
    let (exposer, _) = Exposer::changing("a 1\n").await;
    let target =
        exposer.target("\"__scrape_interval__\" = \"5s\", \"__scrape_timeout__\" = \"5s\",");
    let config = config("again", &[target], "").replace(
        "test.sink \"again\" { }",
        "test.sink \"again\" {\n refusals = 2\n}",
    );
    let graph = Graph::run(&config).await;
    until(async || last("again", "a").is_some()).await;
    assert_eq!(
        exposer.asked().len(),
        1,
        "the samples are those of the first scrape"
    );
    graph.stop().await;
}

#[tokio::test]
async fn too_many_targets_are_not_asked() {
    let (exposer, _) = Exposer::changing("a 1\n").await;
    let targets = [
        exposer.target("\"n\" = \"1\","),
        exposer.target("\"n\" = \"2\","),
    ];
    let graph = Graph::run(&config("over", &targets, "target_limit = 1")).await;
    until(async || given("over", "up").len() > 1).await;
    assert_eq!(last("over", "up"), Some(Some(0.0)));
    assert!(exposer.asked().is_empty());
    graph.stop().await;
}

#[tokio::test]
async fn arguments_without_sense_are_refused_by_name() {
    let table = [
        ("honor_metadata = true", "honor_metadata is not supported"),
        (
            "native_histogram_bucket_limit = 1",
            "native_histogram_bucket_limit is not supported",
        ),
        (
            "scrape_failure_log_file = \"x\"",
            "scrape_failure_log_file is not supported",
        ),
        ("scheme = \"ftp\"", "must be \"http\" or \"https\""),
        ("scrape_protocols = [\"Text\"]", "should be one of"),
        (
            "scrape_protocols = [\"PrometheusText0.0.4\", \"PrometheusText0.0.4\"]",
            "twice",
        ),
        (
            "scrape_native_histograms = true\n scrape_protocols = [\"PrometheusText0.0.4\"]",
            "PrometheusProto",
        ),
        (
            "metric_name_escaping_scheme = \"x\"",
            "must be \"allow-utf-8\"",
        ),
        (
            "metric_name_escaping_scheme = \"allow-utf-8\"",
            "metric_name_validation_scheme",
        ),
        (
            "scrape_classic_histograms = true",
            "no effect without scrape_native_histograms",
        ),
    ];
    for (arguments, expected) in table {
        let refused = Graph::refuse(&config("refused", &[], arguments)).await;
        assert!(refused.contains(expected), "{refused}\nnot: {expected}");
    }
}
