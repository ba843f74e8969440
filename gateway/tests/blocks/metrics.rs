//! What Corten says of its configuration and its components, under Alloy's names.

use crate::gateway::Gateway;

/// Whether there is a sample that begins so and has this value.
fn has(metrics: &str, begins: &str, value: &str) -> bool {
    metrics
        .lines()
        .any(|line| line.starts_with(begins) && line.ends_with(&format!(" {value}")))
}

#[tokio::test]
async fn loads_and_components_are_counted_under_alloys_names() {
    let gateway = Gateway::start(
        "livedebugging { }
        otelcol.exporter.debug \"a\" { }
        otelcol.exporter.debug \"b\" { }",
    )
    .await;
    let (_, metrics) = gateway.get("/metrics", &[]).await;
    let controller = "controller_path=\"/\",controller_id=\"\"";
    let running = format!(
        "corten_component_controller_running_components{{{controller},health_type=\"healthy\"}}"
    );
    let version = env!("CARGO_PKG_VERSION");
    let evaluated = format!("corten_component_evaluation_seconds_count{{{controller}}}");
    for (begins, value) in [
        ("corten_config_hash{cluster_name=\"\",sha256=\"", "1"),
        ("corten_config_last_load_successful", "1.0"),
        ("corten_config_load_failures_total", "0"),
        ("corten_build_info{goarch=\"", "1"),
        (&*running, "2"),
        (&*evaluated, "3"),
        (
            &*format!("corten_component_controller_evaluating{{{controller}}}"),
            "0",
        ),
        (
            &*format!("corten_component_evaluation_queue_size{{{controller}}}"),
            "0",
        ),
        (
            &*format!("corten_component_dependencies_wait_seconds_count{{{controller}}}"),
            "0",
        ),
    ] {
        assert!(has(&metrics, begins, value), "{begins} {value}\n{metrics}");
    }
    assert!(metrics.contains(&format!("version=\"{version}\"")));
    let since = |metrics: &str| {
        let name = "corten_config_last_load_success_timestamp_seconds";
        let line = metrics.lines().find(|line| line.starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    assert!(since(&metrics) > 1.6e9);

    gateway.load("nonsense \"x\" { }").await.unwrap_err();
    let (_, metrics) = gateway.get("/metrics", &[]).await;
    for (begins, value) in [
        ("corten_config_last_load_successful", "0.0"),
        ("corten_config_load_failures_total", "1"),
        (&*running, "2"),
    ] {
        assert!(has(&metrics, begins, value), "{begins} {value}\n{metrics}");
    }
    gateway.load("").await.unwrap();
    let (_, metrics) = gateway.get("/metrics", &[]).await;
    assert!(!metrics.contains("health_type="), "{metrics}");
}
