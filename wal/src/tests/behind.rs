//! Readers that fall behind and catch up, and the space that is given back.

use std::time::Duration;

use tokio::time::Instant;

use super::{append, drain, fill, folder, next, nothing, number, open, options, queue};
use crate::{Log, Outcome, QueueLimits};

#[tokio::test]
async fn a_reader_changes_between_memory_and_disk_without_gap_or_repeat() {
    let folder = folder();
    let mut options = options(folder.path());
    options.tail_bytes = 20_000;
    let log = Log::open(options).unwrap();
    let (a, b) = (queue(&log, "a"), queue(&log, "b"));
    let mut reader = a.reader().unwrap();
    let (mut written, mut read) = (0, 0);
    // Lags of 1 to 40 records; the tail holds about 18.
    for lag in [1, 5, 40, 3, 17, 30, 1, 25, 40, 2] {
        for set in 0..lag {
            let to: &[_] = if set % 3 == 0 { &[&a, &b] } else { &[&a] };
            log.commit(vec![append(to, written, 1000)]).await.unwrap();
            written += 1;
        }
        // Leaves some unread now and then, so that both kinds of record wait at once.
        let until = if lag % 2 == 0 { written } else { written - 1 };
        while read < until {
            let entry = next(&mut reader).await;
            assert_eq!(number(&entry), read);
            assert!(a.settle(entry.position, Outcome::Delivered));
            read += 1;
        }
    }
    assert_eq!(read, written);
    nothing(&mut reader).await;
    let stats = log.stats();
    assert!(stats.disk_reads > 0, "the reader was never behind");
    let before = stats.disk_reads;
    fill(&log, &[&a], written..written + 5, 100).await;
    for n in written..written + 5 {
        assert_eq!(number(&next(&mut reader).await), n);
    }
    assert_eq!(log.stats().disk_reads, before, "the reader had caught up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_catches_up_under_load() {
    let folder = folder();
    let mut options = options(folder.path());
    options.tail_bytes = 200_000;
    let log = Log::open(options).unwrap();
    let a = queue(&log, "a");
    let mut reader = a.reader().unwrap();
    let writer = tokio::spawn({
        let (log, a) = (log.clone(), a.clone());
        async move { fill(&log, &[&a], 0..3000, 3000).await }
    });
    for n in 0..3000 {
        if n % 1000 == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let entry = next(&mut reader).await;
        assert_eq!(number(&entry), n);
        assert!(a.settle(entry.position, Outcome::Delivered));
    }
    writer.await.unwrap();
    assert!(log.stats().disk_reads > 0, "the reader was never behind");
    assert!(a.stats().unwrap().balances());
}

#[tokio::test]
async fn memory_is_bounded_when_nobody_reads() {
    let folder = folder();
    let mut options = options(folder.path());
    (options.tail_bytes, options.tails_bytes) = (40_000, 60_000);
    let log = Log::open(options).unwrap();
    let queues: Vec<_> = (0..4).map(|n| queue(&log, &n.to_string())).collect();
    for n in 0..100 {
        let of = &queues[n as usize % 4];
        log.commit(vec![append(&[of], n, 2000)]).await.unwrap();
        assert!(log.stats().tail_bytes <= 60_000);
    }
    for (index, queue) in queues.iter().enumerate() {
        let expected: Vec<u64> = (0..100).filter(|n| n % 4 == index as u64).collect();
        assert_eq!(drain(queue).await, expected);
    }
    assert_eq!(log.stats().tail_bytes, 0);
}

#[tokio::test]
async fn a_dead_destination_holds_only_its_own_data() {
    let folder = folder();
    let log = open(folder.path());
    let (dead, alive) = (queue(&log, "dead"), queue(&log, "alive"));
    fill(&log, &[&dead, &alive], 0..10, 10_000).await;
    for round in 1..100 {
        fill(&log, &[&alive], round * 10..round * 10 + 10, 10_000).await;
        drain(&alive).await;
    }
    assert!(log.stats().owed_bytes < 110_000);
    log.close();
    let log = open(folder.path());
    // Everything is in files now, and what was settled before its memtable was flushed is not.
    let disk = log.stats().disk_bytes;
    assert!(disk < 1_500_000, "{disk} bytes on the disk for 100 kB owed");
    assert_eq!(
        drain(&queue(&log, "dead")).await,
        (0..10).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_drained_backlog_gives_its_files_back() {
    let folder = folder();
    let log = open(folder.path());
    let a = queue(&log, "a");
    for n in 0..200 {
        let appends = (0..4)
            .map(|part| append(&[&a], n * 4 + part, 250_000))
            .collect();
        log.commit(appends).await.unwrap();
    }
    log.flush();
    let full = log.stats().disk_bytes;
    assert!(full > 190_000_000, "the backlog is not on the disk: {full}");
    assert_eq!(drain(&a).await.len(), 800);
    let began = Instant::now();
    while log.stats().disk_bytes > 100_000_000 {
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{} left",
            log.stats().disk_bytes
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn opening_does_not_read_the_backlog() {
    let folder = folder();
    let log = open(folder.path());
    let a = queue(&log, "a");
    for n in 0..300 {
        let appends = (0..4)
            .map(|part| append(&[&a], n * 4 + part, 250_000))
            .collect();
        log.commit(appends).await.unwrap();
    }
    log.close();
    let began = Instant::now();
    let log = open(folder.path());
    let took = began.elapsed();
    let stats = queue(&log, "a").stats().unwrap();
    assert_eq!((stats.records, stats.opened), (1200, true));
    assert!(
        took < Duration::from_secs(1),
        "300 MB took {took:?} to open"
    );
    let limits = QueueLimits::default();
    let mut reader = log.queue("a", limits).unwrap().reader().unwrap();
    assert_eq!(number(&next(&mut reader).await), 0);
}
