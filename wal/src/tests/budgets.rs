//! Budgets of queues and of the log: who is refused, what is dropped, and that it is counted.

use std::time::{Duration, SystemTime};

use super::{append, drain, fill, folder, next, number, options, queue};
use crate::{COMMIT_BYTES_MAX, CommitError, Log, Outcome, Policy, QueueLimits};

fn full(name: &str) -> Result<(), CommitError> {
    Err(CommitError::QueueFull {
        queue: name.to_owned(),
    })
}

#[tokio::test]
async fn a_full_queue_refuses_the_whole_commit_until_there_is_room() {
    let limits = [
        QueueLimits {
            records: Some(3),
            ..QueueLimits::default()
        },
        QueueLimits {
            bytes: Some(3500),
            ..QueueLimits::default()
        },
        QueueLimits {
            items: Some(1 + 2 + 3),
            ..QueueLimits::default()
        },
    ];
    for limits in limits {
        let folder = folder();
        let log = Log::open(options(folder.path())).unwrap();
        let (a, b) = (log.queue("a", limits).unwrap(), queue(&log, "b"));
        fill(&log, &[&a], 0..3, 1000).await;
        let commit = vec![append(&[&b], 100, 1000), append(&[&a], 3, 1000)];
        assert_eq!(log.commit(commit.clone()).await, full("a"), "{limits:?}");
        assert_eq!(b.stats().unwrap().accepted, 0, "all or nothing");

        let mut reader = a.reader().unwrap();
        for _ in 0..3 {
            let entry = next(&mut reader).await;
            a.settle(entry.position, Outcome::Delivered);
        }
        assert_eq!(log.commit(commit).await, Ok(()), "{limits:?}");
        assert_eq!(drain(&b).await, [100]);
    }
}

#[tokio::test]
async fn what_never_fits_is_said_to_be_too_large() {
    let folder = folder();
    let mut options = options(folder.path());
    options.budget_bytes = Some(50_000);
    let log = Log::open(options).unwrap();
    let limits = QueueLimits {
        bytes: Some(5000),
        ..QueueLimits::default()
    };
    let (a, b) = (log.queue("a", limits).unwrap(), queue(&log, "b"));
    for (append, limit) in [
        (append(&[&a], 1, 6000), 5000),
        (append(&[&b], 1, 60_000), 50_000),
    ] {
        let error = log.commit(vec![append]).await.unwrap_err();
        assert_eq!(error, CommitError::TooLarge { limit });
        assert!(!error.is_retryable());
    }
    let half = append(&[&b], 1, COMMIT_BYTES_MAX / 2);
    let error = log.commit(vec![half.clone(), half]).await.unwrap_err();
    assert_eq!(
        error,
        CommitError::TooLarge {
            limit: COMMIT_BYTES_MAX as u64
        }
    );
}

#[tokio::test]
async fn what_waits_for_the_disk_is_bounded() {
    let folder = folder();
    let mut options = options(folder.path());
    options.waiting_bytes_max = 1_000_000;
    let log = Log::open(options).unwrap();
    let a = queue(&log, "a");
    let commits: Vec<_> = (0..100)
        .map(|n| log.commit(vec![append(&[&a], n, 400_000)]))
        .collect();
    let (mut done, mut refused) = (0, 0);
    for commit in commits {
        match commit.await {
            Ok(()) => done += 1,
            Err(error) => {
                assert!(matches!(error, CommitError::Unavailable(_)) && error.is_retryable());
                refused += 1;
            }
        }
    }
    assert!(done >= 2 && refused > 0, "{done} done, {refused} refused");
    let large = log.commit(vec![append(&[&a], 100, 2_000_000)]);
    assert_eq!(
        large.await,
        Ok(()),
        "one that is larger than that still fits alone"
    );
    assert_eq!(a.stats().unwrap().records, done + 1);
}

#[tokio::test]
async fn the_oldest_is_dropped_where_the_operator_says_so() {
    let folder = folder();
    let mut options = options(folder.path());
    // The reader is behind for the second half of the way.
    options.tail_bytes = 50_000;
    let log = Log::open(options).unwrap();
    let limits = QueueLimits {
        records: Some(100),
        policy: Policy::DropOldest,
        ..QueueLimits::default()
    };
    let a = log.queue("a", limits).unwrap();
    let mut reader = a.reader().unwrap();
    fill(&log, &[&a], 0..10, 1000).await;
    let first = next(&mut reader).await;
    fill(&log, &[&a], 10..500, 1000).await;
    let stats = a.stats().unwrap();
    assert!(stats.balances(), "{stats:?}");
    assert!(
        stats.records <= 100 && stats.dropped["budget"] > 0,
        "{stats:?}"
    );
    assert!(
        a.settle(first.position, Outcome::Delivered),
        "what is handed out is not dropped"
    );
    drop(reader);
    let rest = drain(&a).await;
    assert_eq!(rest.last(), Some(&499), "the newest stays");
    assert!(rest.is_sorted());
    let stats = a.stats().unwrap();
    assert!(stats.balances(), "{stats:?}");
    assert!(!stats.dropped.contains_key("damaged"), "{stats:?}");
}

#[tokio::test]
async fn the_log_has_a_budget_of_its_own() {
    for policy in [Policy::Refuse, Policy::DropOldest] {
        let folder = folder();
        let mut options = options(folder.path());
        (options.budget_bytes, options.policy) = (Some(100_000), policy);
        let log = Log::open(options).unwrap();
        let (a, b) = (queue(&log, "a"), queue(&log, "b"));
        fill(&log, &[&a], 0..80, 1000).await;
        fill(&log, &[&b], 80..90, 1000).await;
        let mut refused = 0;
        for n in 90..190 {
            match log.commit(vec![append(&[&b], n, 1000)]).await {
                Ok(()) => {}
                Err(error) => {
                    assert_eq!(error, CommitError::LogFull);
                    refused += 1;
                }
            }
            assert!(log.stats().owed_bytes <= 100_000);
        }
        assert_eq!(refused > 0, policy == Policy::Refuse);
        let dropped = a.stats().unwrap().dropped.contains_key("budget");
        assert_eq!(dropped, policy == Policy::DropOldest, "the slowest pays");
        assert!(a.stats().unwrap().balances() && b.stats().unwrap().balances());
    }
}

#[tokio::test]
async fn age_is_a_budget_too() {
    let folder = folder();
    let log = Log::open(options(folder.path())).unwrap();
    let age = Some(Duration::from_secs(60));
    let refuses = QueueLimits {
        age,
        ..QueueLimits::default()
    };
    let drops = QueueLimits {
        age,
        policy: Policy::DropOldest,
        ..QueueLimits::default()
    };
    let (a, b) = (
        log.queue("a", refuses).unwrap(),
        log.queue("b", drops).unwrap(),
    );
    let mut old = append(&[&a, &b], 1, 100);
    old.record.accepted_at = SystemTime::now() - Duration::from_secs(61);
    log.commit(vec![old]).await.unwrap();
    assert_eq!(log.commit(vec![append(&[&a], 2, 100)]).await, full("a"));
    log.commit(vec![append(&[&b], 2, 100)]).await.unwrap();
    let waited = async {
        while b.stats().unwrap().dropped.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), waited)
        .await
        .unwrap();
    let mut reader = b.reader().unwrap();
    assert_eq!(number(&next(&mut reader).await), 2);
    assert_eq!(b.stats().unwrap().dropped["age"], 2);
    assert!(b.stats().unwrap().balances());
}
