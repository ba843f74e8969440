//! Stories of a batch between its source and its backend, on a real log.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use protos::{
    Signal,
    otlp::{
        ExportLogsServiceRequest, Message,
        logs::v1::{LogRecord, ResourceLogs, ScopeLogs},
    },
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    DeadLetters, Destination, Intake, Letter, Moved, QueueSettings, QueueSize, Request, Retry,
    Selection, SendFuture, Sender, Settings, Verdict,
};
use crate::{
    batch::{
        Batch, Codec, Context, MemoryBudget, Merging, Otlp, Payload, Refusal, RefusalKind, Tenant,
    },
    graph::Site,
    services::Services,
    telemetry::Logs,
};

/// A backend that answers as it was told, and remembers what it took.
#[derive(Default)]
struct Backend {
    answers: Mutex<VecDeque<Verdict>>,
    /// Bodies of more items than this are too large; 0 is no bound.
    items_max: u64,
    /// A tenant who is always told to come back.
    refuses: &'static str,
    /// Records for which a whole request is refused.
    bad: Vec<u64>,
    requests: Mutex<Vec<Request>>,
    under_way: AtomicUsize,
    under_way_max: AtomicUsize,
}

impl Backend {
    fn answering(answers: impl IntoIterator<Item = Verdict>) -> Arc<Self> {
        let answers = Mutex::new(answers.into_iter().collect());
        Arc::new(Self {
            answers,
            ..Self::default()
        })
    }

    /// All attempts, as (tenant, times of the records).
    fn attempts(&self) -> Vec<(String, Vec<u64>)> {
        let requests = self.requests.lock().unwrap();
        requests
            .iter()
            .map(|request| (request.tenant.to_string(), numbers(request)))
            .collect()
    }
}

impl Destination for Backend {
    fn send(&self, request: Request) -> SendFuture<'_> {
        Box::pin(async move {
            let now = self.under_way.fetch_add(1, Ordering::Relaxed) + 1;
            self.under_way_max.fetch_max(now, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(1)).await;
            self.under_way.fetch_sub(1, Ordering::Relaxed);
            let refused = !self.refuses.is_empty() && request.tenant.as_str() == self.refuses;
            let too_large = self.items_max > 0 && request.items > self.items_max;
            let is_bad = numbers(&request)
                .iter()
                .any(|number| self.bad.contains(number));
            self.requests.lock().unwrap().push(request);
            if is_bad {
                return Verdict::Refused {
                    reason: "invalid",
                    message: "something in it\nis bad".into(),
                };
            }
            if refused {
                return later();
            }
            if too_large {
                return Verdict::TooLarge {
                    message: "too large".into(),
                };
            }
            self.answers
                .lock()
                .unwrap()
                .pop_front()
                .unwrap_or(Verdict::Delivered)
        })
    }
}

/// The numbers of the records in a request, which are their times.
fn numbers(request: &Request) -> Vec<u64> {
    let plain = request
        .frame
        .codec
        .decompress(&request.frame.bytes, 1 << 20)
        .unwrap();
    numbers_in(&plain)
}

fn numbers_in(plain: &Bytes) -> Vec<u64> {
    let message = ExportLogsServiceRequest::decode(plain.clone()).unwrap();
    let scopes = message
        .resource_logs
        .into_iter()
        .flat_map(|resource| resource.scope_logs);
    scopes
        .flat_map(|scope| scope.log_records)
        .map(|record| record.time_unix_nano)
        .collect()
}

fn logs(numbers: impl IntoIterator<Item = u64>) -> Bytes {
    let record = |number| LogRecord {
        time_unix_nano: number,
        ..LogRecord::default()
    };
    let log_records = numbers.into_iter().map(record).collect();
    let scope_logs = vec![ScopeLogs {
        log_records,
        ..ScopeLogs::default()
    }];
    let resource_logs = vec![ResourceLogs {
        scope_logs,
        ..ResourceLogs::default()
    }];
    ExportLogsServiceRequest { resource_logs }
        .encode_to_vec()
        .into()
}

struct Rig {
    folder: tempfile::TempDir,
    services: Services,
    site: Site,
    sender: Arc<Sender>,
    stop: CancellationToken,
    running: Option<JoinHandle<Result<(), String>>>,
}

impl Rig {
    fn new(backend: &Arc<Backend>, settings: Settings) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), backend, settings)
    }

    fn in_folder(folder: tempfile::TempDir, backend: &Arc<Backend>, settings: Settings) -> Self {
        let services = Services::new(MemoryBudget::new(1 << 30), Logs::start());
        services.open(wal::Log::open(wal::Options::new(folder.path())).unwrap());
        let site = Site::alone("otelcol.exporter.otlp.x", services.clone());
        let sender = Arc::new(Sender::new(site.clone(), settings, backend.clone()));
        Self {
            folder,
            services,
            site,
            sender,
            stop: CancellationToken::new(),
            running: None,
        }
    }

    fn run(&mut self) {
        let (sender, stop) = (self.sender.clone(), self.stop.clone());
        self.running = Some(tokio::spawn(async move { sender.run(stop).await }));
    }

    async fn submit(&self, tenant: &str, body: Bytes, items: u64) -> Result<(), Refusal> {
        self.submit_with(Context::default(), tenant, body, items)
            .await
    }

    async fn submit_with(
        &self,
        context: Context,
        tenant: &str,
        body: Bytes,
        items: u64,
    ) -> Result<(), Refusal> {
        let context = Context {
            tenant: Tenant::new(tenant).unwrap(),
            ..context
        };
        let payload = Payload::Otlp(Otlp::plain(Signal::Logs, items, body));
        let batch = Batch { context, payload };
        Intake::new(&self.site)
            .submit(&*self.sender, batch)
            .await
            .map(|_| ())
    }

    fn stats(&self, tenant: &str) -> wal::QueueStats {
        let name = format!("otelcol.exporter.otlp.x/logs/{tenant}");
        let all = self.services.log().queues();
        let stats = all.into_iter().find(|stats| stats.name == name).unwrap();
        assert!(stats.balances(), "{stats:?}");
        stats
    }

    /// Waits until nothing is owed, in the clock of the test.
    async fn drained(&self, tenant: &str) -> wal::QueueStats {
        for _ in 0..100_000 {
            let stats = self.stats(tenant);
            if stats.items == 0 {
                return stats;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("not drained: {:?}", self.stats(tenant));
    }

    /// Stops the sender and closes the log; gives back where it was.
    async fn end(mut self) -> tempfile::TempDir {
        self.stop.cancel();
        if let Some(running) = self.running.take() {
            running.await.unwrap().unwrap();
        }
        self.services.log().clone().close();
        self.folder
    }
}

fn settings() -> Settings {
    Settings {
        queue: Some(QueueSettings {
            size: QueueSize::Unbounded,
            consumers: 4,
            block_on_overflow: false,
            merging: None,
        }),
        retry: Retry {
            enabled: true,
            initial: Duration::from_secs(5),
            max: Duration::from_secs(30),
            multiplier: 1.5,
            randomization: 0.5,
            max_elapsed: None,
        },
        codec: Codec::Identity,
        context_keys: Vec::new(),
    }
}

fn later() -> Verdict {
    Verdict::Retry {
        after: None,
        message: "unavailable".into(),
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_merged_and_arrives_in_order() {
    let backend = Backend::answering([]);
    let mut rig = Rig::new(&backend, settings());
    for number in 0..10 {
        rig.submit("a", logs([2 * number, 2 * number + 1]), 2)
            .await
            .unwrap();
    }
    rig.run();
    let stats = rig.drained("a").await;
    assert_eq!((stats.accepted, stats.delivered), (20, 20));
    let attempts = backend.attempts();
    assert!(
        attempts.len() < 10,
        "requests were not merged: {attempts:?}"
    );
    let all: Vec<u64> = attempts
        .into_iter()
        .flat_map(|(_, numbers)| numbers)
        .collect();
    assert_eq!(all, (0..20).collect::<Vec<_>>());
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_failed_is_sent_again_as_it_was_and_first_as_a_probe() {
    let backend = Backend::answering([later(), later(), later(), later(), later()]);
    let merging = Some(Merging {
        items: 2,
        items_max: 2,
        wait_milliseconds: 0,
    });
    let mut rig = Rig::new(&backend, settings());
    for number in 0..8 {
        let context = Context {
            merging,
            ..Context::default()
        };
        rig.submit_with(context, "a", logs([number]), 1)
            .await
            .unwrap();
    }
    rig.run();
    let stats = rig.drained("a").await;
    assert_eq!(stats.delivered, 8);
    let attempts = backend.attempts();
    // Four at once fail, one probe fails, and then each of the four goes through once.
    assert_eq!(attempts.len(), 9, "{attempts:?}");
    let mut bounds: Vec<_> = attempts
        .iter()
        .map(|(_, numbers)| numbers.clone())
        .collect();
    assert_eq!(
        bounds[4], bounds[5],
        "the probe is the first request, again"
    );
    bounds.sort();
    bounds.dedup();
    assert_eq!(
        bounds,
        [[0, 1], [2, 3], [4, 5], [6, 7]],
        "bounds never change"
    );
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_pause_that_a_backend_asks_for_is_kept() {
    let wait = Duration::from_secs(300);
    let busy = Verdict::Retry {
        after: Some(wait),
        message: "busy".into(),
    };
    let backend = Backend::answering([busy]);
    let mut rig = Rig::new(&backend, settings());
    rig.submit("", logs([1]), 1).await.unwrap();
    let started = tokio::time::Instant::now();
    rig.run();
    rig.drained("").await;
    assert!(started.elapsed() >= wait);
    assert_eq!(backend.attempts().len(), 2);
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_is_cut_until_it_fits_and_only_what_never_fits_is_dropped() {
    let backend = Arc::new(Backend {
        items_max: 3,
        ..Backend::default()
    });
    let mut rig = Rig::new(&backend, settings());
    rig.submit("", logs(0..10), 10).await.unwrap();
    rig.run();
    let stats = rig.drained("").await;
    assert_eq!((stats.delivered, stats.dropped.len()), (10, 0));
    let taken = backend.attempts().into_iter().map(|(_, numbers)| numbers);
    let taken: Vec<u64> = taken
        .filter(|numbers| numbers.len() <= 3)
        .flatten()
        .collect();
    assert_eq!(taken, (0..10).collect::<Vec<_>>());
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn pieces_that_arrived_are_not_sent_again() {
    let large = Verdict::TooLarge {
        message: String::new(),
    };
    let backend = Backend::answering([large, Verdict::Delivered, later()]);
    let mut rig = Rig::new(&backend, settings());
    rig.submit("", logs(0..100), 100).await.unwrap();
    rig.run();
    assert_eq!(rig.drained("").await.delivered, 100);
    let attempts: Vec<_> = backend
        .attempts()
        .into_iter()
        .map(|(_, numbers)| numbers)
        .collect();
    assert_eq!(attempts.len(), 4, "{attempts:?}");
    assert_eq!(attempts[2], attempts[3]);
    let all = [&attempts[1][..], &attempts[2]].concat();
    assert_eq!(all, (0..100).collect::<Vec<_>>());
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_good_is_counted_by_reason() {
    let invalid = || Verdict::Refused {
        reason: "invalid",
        message: "bad".into(),
    };
    let backend = Backend::answering([
        invalid(),
        Verdict::Partial {
            rejected: 1,
            message: "one is bad".into(),
        },
        Verdict::TooLarge {
            message: "too large".into(),
        },
    ]);
    let mut rig = Rig::new(&backend, settings());
    rig.run();
    for items in [1, 3, 1] {
        rig.submit("", logs(0..items), items).await.unwrap();
        rig.drained("").await;
    }
    let stats = rig.stats("");
    assert_eq!((stats.accepted, stats.delivered), (5, 2));
    let dropped: Vec<_> = stats
        .dropped
        .iter()
        .map(|(reason, n)| (reason.as_str(), *n))
        .collect();
    let expected = [
        ("dead_lettered:invalid", 1),
        ("dead_lettered:too_large", 1),
        ("partial_success", 1),
    ];
    assert_eq!(dropped, expected);
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn one_clients_bad_data_does_not_cost_anothers() {
    let backend = Arc::new(Backend {
        bad: vec![11],
        ..Backend::default()
    });
    let mut rig = Rig::new(&backend, settings());
    for number in 0..4 {
        let records = [10 * number, 10 * number + 1, 10 * number + 2];
        rig.submit("", logs(records), 3).await.unwrap();
    }
    rig.run();
    let stats = rig.drained("").await;
    let dead = stats.dropped.get("dead_lettered:invalid");
    assert_eq!((stats.delivered, dead), (11, Some(&1)));
    let attempts: Vec<_> = backend
        .attempts()
        .into_iter()
        .map(|(_, numbers)| numbers)
        .collect();
    let expected = [
        // All four records of the log, then the first two, then each of these, ...
        vec![0, 1, 2, 10, 11, 12, 20, 21, 22, 30, 31, 32],
        vec![0, 1, 2, 10, 11, 12],
        vec![0, 1, 2],
        // ... then the items of the one that must be bad, and what was not looked at yet.
        vec![10],
        vec![11],
        vec![12],
        vec![20, 21, 22, 30, 31, 32],
    ];
    assert_eq!(attempts, expected);
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn only_the_bad_items_become_dead_letters_and_replay_delivers_them_once() {
    let bad = vec![5, 77, 78];
    let backend = Arc::new(Backend {
        bad: bad.clone(),
        ..Backend::default()
    });
    let mut gzip = settings();
    gzip.codec = Codec::Gzip;
    let mut rig = Rig::new(&backend, gzip.clone());
    rig.submit("a", logs(0..50), 50).await.unwrap();
    rig.submit("a", logs(50..100), 50).await.unwrap();
    rig.submit("b", logs(0..5), 5).await.unwrap();
    rig.run();
    let stats = rig.drained("a").await;
    rig.drained("b").await;
    let dead = stats.dropped.get("dead_lettered:invalid");
    assert_eq!((stats.delivered, dead), (97, Some(&3)));
    assert!(
        backend.attempts().len() < 40,
        "{}",
        backend.attempts().len()
    );

    let letters = DeadLetters::new(rig.services.log().clone());
    let all = Selection::default();
    let kept = letters.list(&all).await.unwrap();
    assert_eq!(
        (kept.len(), &*kept[0].component),
        (1, "otelcol.exporter.otlp.x")
    );
    let items: u64 = kept[0].letters.iter().map(|letter| letter.items).sum();
    let mut found = Vec::new();
    for letter in &kept[0].letters {
        let words = "something in it\\nis bad";
        assert_eq!((&*letter.reason, &*letter.words), ("invalid", words));
        assert_eq!(letter.key.tenant.as_str(), "a");
        found.extend(numbers_in(&letter.plain().unwrap()));
    }
    assert_eq!((items, found), (3, bad));

    // The backend has mended its ways; the letters outlive the process, and go once.
    let folder = rig.end().await;
    let backend = Backend::answering([]);
    let mut rig = Rig::in_folder(folder, &backend, gzip);
    rig.run();
    let letters = DeadLetters::new(rig.services.log().clone());
    let other = Selection {
        tenant: Some("b".to_owned()),
        ..Selection::default()
    };
    assert_eq!(letters.replay(&other).await.unwrap(), Moved::default());
    let one = letters.list(&all).await.unwrap()[0].letters[1].id();
    let one = Selection {
        ids: [one].into(),
        ..Selection::default()
    };
    let (first, again) = (letters.replay(&one).await, letters.replay(&one).await);
    assert!(first.unwrap().letters == 1 && again.unwrap().letters == 0);
    letters.replay(&all).await.unwrap();
    let stats = rig.drained("a").await;
    assert_eq!((stats.accepted, stats.delivered), (103, 100));
    let mut sent: Vec<u64> = backend
        .attempts()
        .into_iter()
        .flat_map(|(_, n)| n)
        .collect();
    sent.sort_unstable();
    assert_eq!(sent, [5, 77, 78]);
    assert!(letters.list(&all).await.unwrap().is_empty());
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn dead_letters_are_removed_one_by_one_and_stay_removed() {
    let backend = Arc::new(Backend {
        bad: (0..6).collect(),
        ..Backend::default()
    });
    let mut rig = Rig::new(&backend, settings());
    for number in 0..6 {
        rig.submit("a", logs([number]), 1).await.unwrap();
    }
    rig.run();
    rig.drained("a").await;
    let letters = DeadLetters::new(rig.services.log().clone());
    let kept = letters.list(&Selection::default()).await.unwrap();
    let ids: Vec<_> = kept[0].letters.iter().map(Letter::id).collect();
    assert_eq!(ids.len(), 6);
    let some = Selection {
        ids: [ids[1].clone(), ids[4].clone()].into(),
        ..Selection::default()
    };
    let moved = Moved {
        letters: 2,
        items: 2,
    };
    assert_eq!(letters.remove(&some).await.unwrap(), moved);
    let folder = rig.end().await;
    let rig = Rig::in_folder(folder, &backend, settings());
    let letters = DeadLetters::new(rig.services.log().clone());
    let kept = letters.list(&Selection::default()).await.unwrap();
    let mut left: Vec<_> = kept[0].letters.iter().map(Letter::id).collect();
    let mut expected = [&ids[0], &ids[2], &ids[3], &ids[5]].map(String::clone);
    left.sort();
    expected.sort();
    assert_eq!(left, expected);
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_left_after_a_setback_is_looked_through_all_the_same() {
    let invalid = || Verdict::Refused {
        reason: "invalid",
        message: "bad".into(),
    };
    // The whole is refused; its first half is taken; the second has to wait, and is bad throughout.
    let backend =
        Backend::answering([invalid(), Verdict::Delivered, later(), invalid(), invalid()]);
    let mut rig = Rig::new(&backend, settings());
    rig.submit("", logs(0..4), 4).await.unwrap();
    rig.run();
    let stats = rig.drained("").await;
    let dead = stats.dropped.get("dead_lettered:invalid");
    assert_eq!((stats.delivered, dead), (2, Some(&2)));
    let attempts: Vec<_> = backend.attempts().into_iter().map(|(_, n)| n).collect();
    let expected = [vec![0, 1, 2, 3], vec![0, 1], vec![2], vec![2], vec![3]];
    assert_eq!(attempts, expected);
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn wrong_credentials_never_drop_data() {
    let refused = || Verdict::Pause {
        message: "who are you?".into(),
    };
    let backend = Backend::answering(std::iter::repeat_with(refused).take(10));
    let mut bounded = settings();
    bounded.retry.max_elapsed = Some(Duration::from_secs(60));
    let mut rig = Rig::new(&backend, bounded);
    rig.submit("", logs([1]), 1).await.unwrap();
    rig.run();
    let stats = rig.drained("").await;
    assert_eq!((stats.delivered, stats.dropped.len()), (1, 0));
    assert_eq!(backend.attempts().len(), 11);
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_configuration_queued_is_sent_without_a_queue_too() {
    let mut rig = Rig::new(&Backend::answering([]), settings());
    rig.submit("a", logs([1]), 1).await.unwrap();
    let folder = {
        rig.run();
        rig.stop.cancel();
        rig.end().await
    };
    let backend = Backend::answering([]);
    let mut direct = settings();
    direct.queue = None;
    let mut rig = Rig::in_folder(folder, &backend, direct);
    rig.run();
    rig.drained("a").await;
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn data_is_given_up_only_when_the_operator_says_so() {
    let endless = || Backend::answering(std::iter::repeat_with(later).take(10_000));
    let mut bounded = settings();
    bounded.retry.max_elapsed = Some(Duration::from_secs(60));
    let mut once = settings();
    once.retry.enabled = false;
    for (settings, reason) in [(bounded, "max_elapsed_time"), (once, "retry_disabled")] {
        let mut rig = Rig::new(&endless(), settings);
        rig.submit("", logs([1]), 1).await.unwrap();
        rig.run();
        let stats = rig.drained("").await;
        assert_eq!(stats.dropped.get(reason), Some(&1), "{stats:?}");
        rig.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_tenants_trouble_is_no_other_tenants() {
    let backend = Arc::new(Backend {
        refuses: "noisy",
        ..Backend::default()
    });
    let mut rig = Rig::new(&backend, settings());
    rig.run();
    rig.submit("noisy", logs([1]), 1).await.unwrap();
    while backend.attempts().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for number in 0..5 {
        rig.submit("quiet", logs([number]), 1).await.unwrap();
    }
    rig.drained("quiet").await;
    assert_eq!(rig.stats("noisy").items, 1);
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_owed_outlives_the_sender() {
    let backend = Backend::answering(std::iter::repeat_with(later).take(1000));
    let mut rig = Rig::new(&backend, settings());
    rig.run();
    rig.submit("a", logs([7, 8]), 2).await.unwrap();
    while backend.attempts().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let folder = rig.end().await;
    let backend = Backend::answering([]);
    let mut rig = Rig::in_folder(folder, &backend, settings());
    assert_eq!(rig.stats("a").items, 2);
    rig.run();
    rig.drained("a").await;
    assert_eq!(backend.attempts(), [("a".to_owned(), vec![7, 8])]);
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_sends_the_client_away_and_loses_nothing() {
    let mut bounded = settings();
    bounded.queue.as_mut().unwrap().size = QueueSize::Requests(2);
    let mut rig = Rig::new(&Backend::answering([]), bounded);
    for number in 0..2 {
        rig.submit("", logs([number]), 1).await.unwrap();
    }
    let refusal = rig.submit("", logs([2]), 1).await.unwrap_err();
    assert!(refusal.is_retryable());
    assert_eq!(refusal.reason, "queue_full");
    rig.run();
    rig.drained("").await;
    rig.submit("", logs([2]), 1).await.unwrap();
    assert_eq!(rig.drained("").await.delivered, 3);
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_queue_the_client_hears_the_backend() {
    let wait = Duration::from_secs(9);
    let backend = Backend::answering([
        Verdict::Delivered,
        Verdict::Retry {
            after: Some(wait),
            message: "busy".into(),
        },
        Verdict::Refused {
            reason: "invalid",
            message: "bad".into(),
        },
    ]);
    let mut direct = settings();
    direct.queue = None;
    direct.codec = Codec::Gzip;
    let rig = Rig::new(&backend, direct);
    rig.submit("", logs([1]), 1).await.unwrap();
    let busy = rig.submit("", logs([2]), 1).await.unwrap_err();
    assert_eq!(busy.kind, RefusalKind::Unavailable { retry_after: wait });
    let bad = rig.submit("", logs([3]), 1).await.unwrap_err();
    assert_eq!((bad.kind, &*bad.message), (RefusalKind::Invalid, "bad"));
    let requests = backend.requests.lock().unwrap().clone();
    assert!(
        requests
            .iter()
            .all(|request| request.frame.codec == Codec::Gzip)
    );
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_frame_in_the_destinations_codec_is_passed_on_untouched() {
    let mut gzip = settings();
    gzip.codec = Codec::Gzip;
    let backend = Backend::answering([]);
    let mut rig = Rig::new(&backend, gzip);
    let plain = logs(0..5);
    let bytes = Codec::Gzip.compress_at(&plain, 9);
    let frame = crate::batch::Frame {
        codec: Codec::Gzip,
        bytes,
        plain_length: plain.len() as u64,
    };
    let payload = Payload::Otlp(Otlp::new(Signal::Logs, 5, frame.clone(), None));
    let batch = Batch {
        context: Context::default(),
        payload,
    };
    Intake::new(&rig.site)
        .submit(&*rig.sender, batch)
        .await
        .unwrap();
    rig.run();
    rig.drained("").await;
    assert_eq!(backend.requests.lock().unwrap()[0].frame, frame);
    rig.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_waits_for_its_turn_forgets_nothing() {
    // Three lanes share two places at the backend, and no request may be merged with the one after
    // it: so gathering is interrupted with a record in hand, again and again.
    let backend = Backend::answering([]);
    let mut narrow = settings();
    narrow.queue.as_mut().unwrap().consumers = 2;
    let mut rig = Rig::new(&backend, narrow);
    let tenants = ["a", "b", "c"];
    for number in 0..300 {
        let merging = Some(Merging {
            items: 9,
            items_max: 1,
            wait_milliseconds: 0,
        });
        let context = Context {
            merging,
            ..Context::default()
        };
        let tenant = tenants[number as usize % 3];
        rig.submit_with(context, tenant, logs([number]), 1)
            .await
            .unwrap();
    }
    rig.run();
    for tenant in tenants {
        let stats = rig.drained(tenant).await;
        assert_eq!((stats.accepted, stats.delivered), (100, 100));
    }
    rig.end().await;
}

#[tokio::test]
async fn invented_tenants_find_an_end_and_harm_no_real_one() {
    let rig = Rig::new(&Backend::answering([]), settings());
    rig.submit("real", logs([1]), 1).await.unwrap();
    rig.sender.fill(&Tenant::new("invented").unwrap());
    let refusal = rig.submit("new", logs([2]), 1).await.unwrap_err();
    assert_eq!(
        (refusal.reason, refusal.is_retryable()),
        ("too_many_tenants", true)
    );
    rig.submit("real", logs([3]), 1).await.unwrap();
    rig.end().await;
}
