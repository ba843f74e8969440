//! A whole scenario against a real process: this package's own relay, which keeps nothing and
//! answers only when both backends have. It must pass; and a system that answers without passing
//! anything on must not.

use std::time::Duration;

use loadtest::{
    Check, Encoding, Error, Signal,
    act::Act,
    client::Protocol,
    process::Ready,
    report::Report,
    scenario::Scenario,
    stage::Stage,
    sut::{Template, Wiring},
    traffic::{Sender, Traffic},
};

fn scenario(script: &[&str]) -> Scenario {
    let sender = |protocol, encoding| Sender {
        protocol,
        tenant: Some("red".into()),
        encoding,
    };
    Scenario {
        traffic: Traffic {
            signals: Signal::ALL.into(),
            senders: vec![
                sender(Protocol::Grpc, Encoding::Gzip),
                sender(Protocol::Http, Encoding::Identity),
            ],
            items: 10,
            rate: 400.0,
            in_flight: 2,
            seed: 5,
        },
        duration: Duration::from_secs(4),
        script: script.iter().filter_map(|due| due.parse().ok()).collect(),
        drain: Duration::from_millis(300),
        ledger: Vec::new(),
        keep: false,
    }
}

async fn play(command: &str, script: &[&str]) -> Result<(Report, String), Error> {
    let command = command.replace("loadtest", env!("CARGO_BIN_EXE_loadtest"));
    let template: Template = command.parse()?;
    let prepare = |wiring: &Wiring| {
        let log = wiring.storage.with_extension("log");
        Ok((
            template.fill(wiring, &log),
            Ready::Tcp(wiring.grpc.to_string()),
        ))
    };
    let destinations = [Protocol::Grpc, Protocol::Http];
    let mut stage = Stage::set(5, &destinations, Check::Verify, prepare).await?;
    let mut progress = Vec::new();
    let report = scenario(script).play(&mut stage, &mut progress).await?;
    Ok((report, String::from_utf8_lossy(&progress).into_owned()))
}

const RELAY: &str = "loadtest relay --listen {grpc} --listen {http} --to-grpc {backend_grpc} \
                     --to-http {backend_http}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_waits_for_its_backends_loses_nothing() {
    let script = [
        "400ms=kill",
        "1700ms=http=down",
        "1900ms=http=refuse-connections",
        "2100ms=http=healthy",
        "2300ms=pause:200ms",
        "2700ms=grpc=503",
        "2900ms=grpc=healthy",
        "3100ms=restart",
    ];
    let (report, progress) = play(RELAY, &script).await.unwrap();
    assert!(report.passed(), "{progress}\n{report}");
    assert_eq!(report.planned.len(), script.len());
    assert_eq!(report.rows.len(), 6);
    assert!(
        report.rows.iter().all(|row| row.tally.delivered >= 300),
        "{report}"
    );
    assert!(report.rows[0].sent.unreachable > 0, "{report}");
    assert!(report.outage >= Duration::from_millis(500), "{report}");
    assert!(report.usage.cpu > Duration::ZERO && report.usage.resident_peak > 0);
    assert!(
        progress.contains("acknowledged") && progress.contains("SIGKILL"),
        "{progress}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_that_swallows_everything_fails() {
    let swallow = "loadtest backend --grpc {grpc} --http {http}";
    let (report, progress) = play(swallow, &["500ms=http=503"]).await.unwrap();
    let failures = report.failures();
    let found = |text: &str| failures.iter().any(|failure| failure.contains(text));
    assert!(found("the grpc backend misses"), "{progress}\n{report}");
    assert!(found("a fresh request did not come through"), "{report}");
    // Nothing came to the backend that was told to refuse it.
    assert!(matches!(report.planned[..], [Act::Fault(..)]));
    assert!(
        found("planned, but without any effect: the http backend"),
        "{report}"
    );
    assert!(
        report
            .rows
            .iter()
            .all(|row| row.tally.missing == row.tally.acked),
        "{report}"
    );
}
