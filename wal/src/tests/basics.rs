//! Committing, reading, settling, and coming back after a restart.

use super::{append, drain, folder, next, nothing, number, open, options, queue};
use crate::{CommitError, Error, Log, OpenError, Outcome, QueueLimits};

#[tokio::test]
async fn each_queue_gets_its_records_in_order_and_only_its_own() {
    let folder = folder();
    let log = open(folder.path());
    let (a, b) = (queue(&log, "a"), queue(&log, "b"));
    let (mut reads_a, mut reads_b) = (a.reader().unwrap(), b.reader().unwrap());
    for n in 0..30 {
        let to: &[_] = match n % 3 {
            0 => &[&a],
            1 => &[&b],
            _ => &[&a, &b],
        };
        log.commit(vec![append(to, n, 100)]).await.unwrap();
    }
    for n in (0..30).filter(|n| n % 3 != 1) {
        assert_eq!(number(&next(&mut reads_a).await), n);
    }
    for n in (0..30).filter(|n| n % 3 != 0) {
        assert_eq!(number(&next(&mut reads_b).await), n);
    }
    nothing(&mut reads_a).await;
    nothing(&mut reads_b).await;
    assert_eq!(
        log.stats().disk_reads,
        0,
        "a reader that keeps up never reads the disk"
    );
}

#[tokio::test]
async fn what_was_not_settled_comes_again_after_a_restart() {
    let folder = folder();
    let log = open(folder.path());
    let a = queue(&log, "a");
    let mut reader = a.reader().unwrap();
    for n in 0..10 {
        log.commit(vec![append(&[&a], n, 100)]).await.unwrap();
    }
    for n in 0..6 {
        let entry = next(&mut reader).await;
        assert_eq!(number(&entry), n);
        if n != 4 {
            assert!(a.settle(entry.position, Outcome::Delivered));
            assert!(
                !a.settle(entry.position, Outcome::Delivered),
                "only the first word counts"
            );
        }
    }
    drop(reader);
    log.close();

    let log = open(folder.path());
    assert!(log.recovery().clean);
    let a = queue(&log, "a");
    let mut reader = a.reader().unwrap();
    let entry = next(&mut reader).await;
    assert_eq!((number(&entry), entry.replayed), (4, true));
    let entry = next(&mut reader).await;
    assert_eq!(
        (number(&entry), entry.replayed),
        (5, true),
        "settled above the cursor"
    );
    let entry = next(&mut reader).await;
    assert_eq!((number(&entry), entry.replayed), (6, false));
    let stats = a.stats().unwrap();
    assert!(stats.balances(), "{stats:?}");
    assert_eq!(stats.replayed, 5 + 6, "the items of records 4 and 5");
}

#[tokio::test]
async fn a_new_reader_takes_over_what_the_old_one_left() {
    let folder = folder();
    let log = open(folder.path());
    let a = queue(&log, "a");
    for n in 0..5 {
        log.commit(vec![append(&[&a], n, 100)]).await.unwrap();
    }
    let mut reader = a.reader().unwrap();
    assert_eq!(
        a.reader().unwrap_err(),
        Error::ReaderTaken {
            queue: "a".to_owned()
        }
    );
    assert_eq!(number(&next(&mut reader).await), 0);
    let second = next(&mut reader).await;
    assert!(a.settle(second.position, Outcome::Delivered));
    drop(reader);

    let mut reader = a.reader().unwrap();
    for n in [0, 2, 3, 4] {
        assert_eq!(number(&next(&mut reader).await), n);
    }
    nothing(&mut reader).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_share_syncs_and_every_commit_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let (a, b) = (queue(&log, "a"), queue(&log, "b"));
    let mut callers = Vec::new();
    for caller in 0..32 {
        let (log, a, b) = (log.clone(), a.clone(), b.clone());
        callers.push(tokio::spawn(async move {
            for n in 0..20 {
                let n = caller * 1000 + n * 2;
                let commit = vec![append(&[&a], n, 100), append(&[&b, &a], n + 1, 100)];
                log.commit(commit).await.unwrap();
            }
        }));
    }
    for caller in callers {
        caller.await.unwrap();
    }
    let stats = log.stats();
    assert_eq!((stats.commits, stats.records), (640, 1280));
    assert!(
        stats.groups < 320,
        "{} groups for 640 commits",
        stats.groups
    );
    let (in_a, in_b) = (drain(&a).await, drain(&b).await);
    assert_eq!((in_a.len(), in_b.len()), (1280, 640));
    for pair in in_a.chunks(2) {
        assert_eq!(
            pair[0] + 1,
            pair[1],
            "the records of a commit stay together"
        );
    }
    for caller in 0..32 {
        let mine = in_b.iter().filter(|n| **n / 1000 == caller);
        assert!(mine.is_sorted(), "the commits of one caller stay in order");
    }
}

#[tokio::test]
async fn a_queue_belongs_to_its_log() {
    let folder = folder();
    let (one, two) = (
        open(&folder.path().join("1")),
        open(&folder.path().join("2")),
    );
    let foreign = queue(&one, "a");
    queue(&two, "a");
    let refused = two.commit(vec![append(&[&foreign], 1, 10)]).await;
    assert!(matches!(refused, Err(CommitError::Unavailable(_))));
    assert_eq!(
        two.commit(vec![append(&[], 1, 10)]).await,
        Ok(()),
        "nobody is to have it"
    );
    assert_eq!(one.stats().records + two.stats().records, 0);
    for name in ["", &"x".repeat(crate::NAME_BYTES_MAX + 1)] {
        let refused = one.queue(name, QueueLimits::default());
        assert!(matches!(refused, Err(Error::BadName { .. })));
    }
}

#[tokio::test]
async fn peeking_shows_the_next_record_and_leaves_it() {
    let folder = folder();
    let log = open(folder.path());
    let a = queue(&log, "a");
    for n in 0..3 {
        log.commit(vec![append(&[&a], n, 100)]).await.unwrap();
    }
    let mut reader = a.reader().unwrap();
    for n in 0..3 {
        let seen = reader.peek().unwrap().unwrap();
        let entry = next(&mut reader).await;
        assert_eq!((seen, number(&entry)), (entry.record.clone(), n));
    }
    assert_eq!(reader.peek(), Ok(None));
}

#[tokio::test]
async fn a_log_is_opened_by_one_at_a_time_and_closed_to_those_who_stay() {
    let folder = folder();
    let log = open(folder.path());
    let a = queue(&log, "a");
    let mut reader = a.reader().unwrap();
    let locked = Log::open(options(folder.path())).unwrap_err();
    assert_eq!(
        locked,
        OpenError::Locked {
            path: folder.path().to_owned()
        }
    );
    let other = log.clone();
    log.close();
    assert_eq!(reader.next().await, Err(Error::Closed));
    let refused = other.commit(vec![append(&[&a], 1, 100)]).await;
    assert!(matches!(refused, Err(CommitError::Unavailable(_))));
    let unknown = other.queue("b", QueueLimits::default());
    assert_eq!(unknown.unwrap_err(), Error::Closed);
    drop(open(folder.path()));
}

#[tokio::test]
async fn a_removed_queue_gives_its_space_back_and_accounts_for_it() {
    let folder = folder();
    let log = open(folder.path());
    let (a, b) = (queue(&log, "a"), queue(&log, "b"));
    log.commit(vec![append(&[&a, &b], 1, 1000), append(&[&a], 2, 1000)])
        .await
        .unwrap();
    let stats = log.remove_queue("a").unwrap();
    assert!(stats.balances(), "{stats:?}");
    assert_eq!(stats.dropped["removed"], 2 + 3);
    assert!(log.stats().owed_bytes < 1200, "b still owes one record");
    let refused = log.commit(vec![append(&[&a], 3, 10)]).await.unwrap_err();
    assert!(matches!(refused, CommitError::QueueRemoved { .. }));

    let again = queue(&log, "a");
    assert_eq!(
        again.stats().unwrap().accepted,
        0,
        "a queue of the same name is another queue"
    );
    log.commit(vec![append(&[&again, &b], 4, 10)])
        .await
        .unwrap();
    log.close();
    let log = open(folder.path());
    let names: Vec<_> = log.queues().into_iter().map(|stats| stats.name).collect();
    assert_eq!(names, ["b", "a"]);
    let mut reader = queue(&log, "b").reader().unwrap();
    assert_eq!(number(&next(&mut reader).await), 1);
    assert_eq!(number(&next(&mut reader).await), 4);
}
