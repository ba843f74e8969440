//! A load straight into a backend that does everything wrong, one after the other: nothing that it
//! acknowledged may be missing, or either end of the harness is wrong.

use std::{sync::Arc, time::Duration};

use loadtest::{
    Check, Encoding, Oracle, Signal,
    backend::{Backend, Fault, Hint, Options, Refusal},
    client::{Protocol, Target},
    generate::{Generator, Profile},
    load::{Gauge, Load, Retry},
    ports,
};
use tokio::{sync::watch, task::JoinSet, time::sleep};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_between_generator_and_backend() {
    for protocol in [Protocol::Grpc, Protocol::Http] {
        let oracle = Oracle::new(9, &["backend"]);
        let address = ports::free(1).unwrap()[0];
        let destination = oracle.destination("backend");
        let options = Options {
            protocol,
            address,
            check: Check::Verify,
            destination,
        };
        let backend = Backend::start(options).await.unwrap();
        let gauge = Arc::new(Gauge::default());
        let stop = watch::Sender::new(false);
        let mut loads = JoinSet::new();
        for signal in Signal::ALL {
            for (tenant, encoding) in [
                (Some("red"), Encoding::Identity),
                (Some("blue"), Encoding::Gzip),
                (None, Encoding::Zstd),
            ] {
                let target = Target {
                    timeout: Duration::from_millis(250),
                    ..Target::new(protocol, address.to_string()).as_tenant(tenant)
                };
                let load = Load {
                    encoding,
                    in_flight: 2,
                    pace: Some(2000.0),
                    retry: Retry {
                        initial: Duration::from_millis(10),
                        max: Duration::from_millis(50),
                        ..Retry::default()
                    },
                    ..Load::new(target)
                };
                let generator = Arc::new(Generator::new(Profile::new(signal, 20)));
                let (oracle, gauge, stop) =
                    (Arc::clone(&oracle), Arc::clone(&gauge), stop.subscribe());
                loads.spawn(async move { load.run(&generator, &oracle, &gauge, &stop).await });
            }
        }
        let soon = Hint::Seconds(0.02);
        for fault in [
            Fault::Healthy,
            Fault::Refuse(Refusal::unavailable(Hint::None)),
            Fault::LoseResponse,
            Fault::Down,
            Fault::ResetMidResponse,
            Fault::Hang,
            Fault::RefuseConnections,
            Fault::Slow(Duration::from_millis(20)),
            Fault::Reset,
            // HTTP counts its delays in whole seconds, which would last for all of this test.
            Fault::Refuse(Refusal::throttled(if protocol == Protocol::Grpc {
                soon
            } else {
                Hint::None
            })),
            Fault::Healthy,
        ] {
            backend.inject(fault).await.unwrap();
            sleep(Duration::from_millis(150)).await;
        }
        stop.send_replace(true);
        while let Some(load) = loads.join_next().await {
            load.unwrap().unwrap();
        }

        let verdict = &oracle.verdicts()[0];
        let total = verdict.total();
        assert!(verdict.clean(), "{protocol}\n{verdict}");
        assert_eq!(verdict.vacuous(), None);
        assert_eq!(
            verdict.rows.len(),
            9,
            "three signals of three tenants\n{verdict}"
        );
        assert!(
            total.duplicates > 0,
            "answers were lost, so that something came twice\n{verdict}"
        );
        let sent = gauge.sent();
        assert_eq!(
            (sent.acked, sent.refused, sent.abandoned),
            (total.acked, 0, 0)
        );
        assert_eq!(
            sent.acked, sent.items,
            "every request got through in the end"
        );
        let counts = backend.counts();
        for (name, count) in [
            ("refused", counts.refused),
            ("responses_lost", counts.responses_lost),
            ("connections_reset", counts.connections_reset),
            ("connections_refused", counts.connections_refused),
            ("hung", counts.hung),
            ("slowed", counts.slowed),
            ("compressed", counts.compressed),
            ("unreachable", sent.unreachable),
        ] {
            assert!(count > 0, "{protocol}: {name} never happened");
        }
    }
}
