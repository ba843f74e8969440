//! The backend's tests: every fault as a plain client sees it, and counted as having happened.

use std::time::Duration;

use super::*;
use crate::{
    Encoding, Number, Oracle, Signal,
    client::{Answer, Client, Prepared, Target},
    generate::{Generator, HEADROOM, Profile},
    oracle::Tally,
};

const ITEMS: u64 = 10;

const PROTOCOLS: [Protocol; 2] = [Protocol::Grpc, Protocol::Http];

/// A backend, a client of it, and the oracle over both.
struct Scene {
    backend: Backend,
    client: Client,
    oracle: Arc<Oracle>,
    stream: crate::oracle::Stream,
    generator: Generator,
}

impl Scene {
    async fn new(protocol: Protocol) -> Self {
        let oracle = Oracle::new(1, &["backend"]);
        let address = crate::ports::free(1).unwrap()[0];
        let options = Options {
            protocol,
            address,
            check: Check::Verify,
            destination: oracle.destination("backend"),
        };
        let target = Target {
            timeout: Duration::from_secs(2),
            ..Target::new(protocol, address.to_string())
        };
        Self {
            backend: Backend::start(options).await.unwrap(),
            client: Client::new(target.as_tenant(Some("red"))),
            stream: oracle.open_stream(Signal::Logs, Some("red")),
            generator: Generator::new(Profile::new(Signal::Logs, ITEMS as usize)),
            oracle,
        }
    }

    fn request(&self) -> (Number, Prepared) {
        let first = self.stream.claim(ITEMS);
        let body = self.generator.request(first, 1_800_000_000_000_000_000);
        (
            first,
            Prepared::new(Signal::Logs, Encoding::Identity, body).unwrap(),
        )
    }

    /// Sends a new request; its numbers are owed if it is acknowledged in full.
    async fn send(&self) -> Answer {
        let (first, request) = self.request();
        let answer = self.client.send(&request).await;
        if answer == (Answer::Acked { rejected: 0 }) {
            self.stream.acknowledged(first, ITEMS);
        }
        answer
    }

    fn total(&self) -> Tally {
        self.oracle.verdicts()[0].total()
    }
}

fn acked() -> Answer {
    Answer::Acked { rejected: 0 }
}

#[tokio::test]
async fn every_signal_and_encoding_arrives_whole() {
    for protocol in PROTOCOLS {
        let scene = Scene::new(protocol).await;
        for signal in Signal::ALL {
            let generator = Generator::new(Profile::new(signal, 20));
            let stream = scene.oracle.open_stream(signal, Some("red"));
            for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Zstd] {
                let first = stream.claim(20);
                let body = generator.request(first, 0);
                let request = Prepared::new(signal, encoding, body).unwrap();
                assert_eq!(
                    scene.client.send(&request).await,
                    acked(),
                    "{protocol} {encoding}"
                );
                stream.acknowledged(first, 20);
            }
        }
        let total = scene.total();
        assert_eq!((total.acked, total.delivered, total.missing), (180, 180, 0));
        assert!(scene.oracle.verdicts()[0].clean());
        assert_eq!(scene.backend.counts().compressed, 6);
    }
}

#[tokio::test]
async fn refusals_are_seen_with_their_delays_and_counted() {
    let second = Some(Duration::from_secs(1));
    let cases = [
        (Refusal::unavailable(Hint::None), (true, None), (true, None)),
        (
            Refusal::unavailable(Hint::Seconds(0.5)),
            (true, second),
            (true, Some(Duration::from_millis(500))),
        ),
        (
            Refusal::throttled(Hint::Seconds(1.0)),
            (true, second),
            (true, second),
        ),
        (Refusal::throttled(Hint::None), (true, None), (false, None)),
        (
            Refusal::unavailable(Hint::Seconds(1e10)),
            (true, Some(Duration::from_secs(3600))),
            (true, Some(Duration::from_secs(3600))),
        ),
        (
            Refusal::unavailable(Hint::Text("soon".into())),
            (true, None),
            (true, None),
        ),
        (
            Refusal::of_http(400, Hint::None),
            (false, None),
            (false, None),
        ),
        (
            Refusal::of_http(401, Hint::None),
            (false, None),
            (false, None),
        ),
        (
            Refusal::of_http(404, Hint::None),
            (false, None),
            (false, None),
        ),
        (
            Refusal::of_http(413, Hint::None),
            (false, None),
            (false, None),
        ),
        (
            Refusal::of_http(500, Hint::None),
            (false, None),
            (false, None),
        ),
    ];
    for protocol in PROTOCOLS {
        let scene = Scene::new(protocol).await;
        for (index, (refusal, http, grpc)) in cases.iter().enumerate() {
            let expected = if protocol == Protocol::Http {
                http
            } else {
                grpc
            };
            scene
                .backend
                .inject_times(Fault::Refuse(refusal.clone()), 1)
                .await
                .unwrap();
            let found = match scene.send().await {
                Answer::Retryable {
                    delay, sent: true, ..
                } => (true, delay),
                Answer::Refused { .. } => (false, None),
                other => panic!("{protocol} {refusal:?}: {other:?}"),
            };
            assert_eq!(found, *expected, "{protocol} {refusal:?}");
            assert_eq!(scene.backend.counts().refused, index as u64 + 1);
            assert_eq!(scene.send().await, acked(), "healthy after one request");
        }
    }
}

#[tokio::test]
async fn a_date_to_come_back_at_is_understood() {
    let scene = Scene::new(Protocol::Http).await;
    let hint = Hint::Date(Duration::from_secs(100));
    scene
        .backend
        .inject(Fault::Refuse(Refusal::unavailable(hint)))
        .await
        .unwrap();
    let Answer::Retryable {
        delay: Some(delay), ..
    } = scene.send().await
    else {
        panic!()
    };
    assert!((95..=100).contains(&delay.as_secs()), "{delay:?}");
}

#[tokio::test]
async fn a_backend_that_is_down_cannot_be_reached_and_comes_back() {
    for protocol in PROTOCOLS {
        let scene = Scene::new(protocol).await;
        assert_eq!(scene.send().await, acked());
        scene.backend.inject(Fault::Down).await.unwrap();
        let mut answers = [scene.send().await, scene.send().await];
        answers.sort_by_key(|answer| matches!(answer, Answer::Lost { .. }));
        assert!(
            matches!(answers[0], Answer::Retryable { sent: false, .. }),
            "{answers:?}"
        );
        assert_eq!(scene.backend.counts().connections_reset, 1);

        scene
            .backend
            .inject(Fault::RefuseConnections)
            .await
            .unwrap();
        assert_ne!(scene.send().await, acked());
        assert!(scene.backend.counts().connections_refused >= 1);

        scene.backend.inject(Fault::Healthy).await.unwrap();
        while scene.send().await != acked() {}
        let total = scene.total();
        assert_eq!((total.acked, total.delivered, total.missing), (20, 20, 0));
    }
}

#[tokio::test]
async fn lost_answers_leave_what_was_taken() {
    for protocol in PROTOCOLS {
        for (fault, taken) in [
            (Fault::Reset, 0),
            (Fault::LoseResponse, ITEMS),
            (Fault::ResetMidResponse, ITEMS),
        ] {
            let scene = Scene::new(protocol).await;
            scene.backend.inject_times(fault.clone(), 1).await.unwrap();
            let (first, request) = scene.request();
            let answer = scene.client.send(&request).await;
            assert!(
                matches!(answer, Answer::Lost { .. }),
                "{protocol} {fault:?}: {answer:?}"
            );
            assert_eq!(scene.total().delivered, taken, "{protocol} {fault:?}");
            assert_eq!(scene.total().missing, 0, "nothing was acknowledged");

            assert_eq!(
                scene.client.send(&request).await,
                acked(),
                "{protocol} {fault:?}"
            );
            scene.stream.acknowledged(first, ITEMS);
            let total = scene.total();
            assert_eq!((total.delivered, total.duplicates), (ITEMS, taken));
            let counts = scene.backend.counts();
            assert_eq!((counts.connections_reset, counts.connections), (1, 2));
            assert_eq!(counts.responses_lost, u64::from(taken > 0));
        }
    }
}

#[tokio::test]
async fn hanging_and_slow_backends_take_their_time() {
    for protocol in PROTOCOLS {
        let mut scene = Scene::new(protocol).await;
        scene.client = Client::new(Target {
            timeout: Duration::from_millis(300),
            ..Target::new(protocol, scene.backend.address().to_string())
        });
        scene.stream = scene.oracle.open_stream(Signal::Logs, None);
        scene.backend.inject_times(Fault::Hang, 1).await.unwrap();
        assert!(matches!(scene.send().await, Answer::Lost { .. }));
        assert_eq!(scene.backend.counts().hung, 1);

        let before = tokio::time::Instant::now();
        scene
            .backend
            .inject_times(Fault::Slow(Duration::from_millis(60)), 1)
            .await
            .unwrap();
        assert_eq!(scene.send().await, acked());
        assert!(before.elapsed() >= Duration::from_millis(60));
        assert_eq!(scene.backend.counts().slowed, 1);
        let times = scene.backend.recent_requests();
        assert!(times.len() == 2 && times[1] - times[0] >= Duration::from_millis(300));
    }
}

#[tokio::test]
async fn a_partial_success_excuses_only_what_it_rejects() {
    for protocol in PROTOCOLS {
        let scene = Scene::new(protocol).await;
        scene
            .backend
            .inject_times(Fault::PartialSuccess { rejected: 3 }, 1)
            .await
            .unwrap();
        let (first, request) = scene.request();
        assert_eq!(
            scene.client.send(&request).await,
            Answer::Acked { rejected: 3 }
        );
        // A gateway would have acknowledged the whole request before.
        scene.stream.acknowledged(first, ITEMS);
        let total = scene.total();
        assert_eq!((total.delivered, total.excused, total.missing), (7, 3, 0));
        assert_eq!(scene.backend.counts().partial, 1);
    }
}

#[tokio::test]
async fn what_does_not_decode_is_refused_and_reported() {
    for protocol in PROTOCOLS {
        let scene = Scene::new(protocol).await;
        let (_, request) = scene.request();
        let mut damaged = vec![0; HEADROOM];
        damaged.extend_from_slice(b"\x0a\xff\xff\xff\x7fnot a request");
        let damaged = Prepared::new(Signal::Logs, Encoding::Identity, damaged).unwrap();
        assert!(matches!(
            scene.client.send(&damaged).await,
            Answer::Refused { .. }
        ));
        assert_eq!(scene.client.send(&request).await, acked(), "{protocol}");
        assert!(!scene.oracle.verdicts()[0].clean());
        assert_eq!(scene.backend.counts().undecodable, 1);
    }
}
