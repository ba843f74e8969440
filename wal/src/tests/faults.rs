//! Disks that are full or fail: nothing acknowledged is lost, and writing resumes by itself.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{append, copy, drain, folder, options, queue};
use crate::{CommitError, Error, Log, PROGRESS_DELAY};

/// A small file system of its own, if this user may mount one.
struct Small<'a>(&'a Path);

impl<'a> Small<'a> {
    fn mount(path: &'a Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"])
            .arg(path);
        mount
            .output()
            .is_ok_and(|output| output.status.success())
            .then_some(Self(path))
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        // A mount that stays is in the way of nothing but the removal of the directory.
        let _ = Command::new("umount").arg("-l").arg(self.0).output();
    }
}

/// Commits until it works again.
async fn resume(log: &Log, queue: &crate::Queue, number: u64) {
    let again = async {
        while log
            .commit(vec![append(&[queue], number, 1000)])
            .await
            .is_err()
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let resumed = tokio::time::timeout(Duration::from_secs(10), again).await;
    assert!(
        resumed.is_ok(),
        "writing should resume: {:?}",
        log.stats().health
    );
}

#[tokio::test]
async fn a_disk_that_runs_full_refuses_and_recovers() {
    let folder = folder();
    let Some(small) = Small::mount(folder.path()) else {
        println!("cannot mount a small file system; the reserve is tested instead");
        return;
    };
    let log = Log::open(options(&small.0.join("log"))).unwrap();
    let a = queue(&log, "a");
    let (mut number, mut acknowledged) = (0, Vec::new());
    for _ in 0..3 {
        let mut filler = File::create(small.0.join("filler")).unwrap();
        while filler.write_all(&[0; 1 << 16]).is_ok() {}
        drop(filler);
        let mut failed = 0;
        while failed < 3 {
            match log.commit(vec![append(&[&a], number, 100_000)]).await {
                Ok(()) => acknowledged.push(number),
                Err(error) => {
                    assert!(error.is_retryable(), "{error}");
                    failed += 1;
                }
            }
            number += 1;
            assert!(number < 10_000, "the disk does not run full");
        }
        assert!(log.stats().health.is_some());
        fs::remove_file(small.0.join("filler")).unwrap();
        resume(&log, &a, number).await;
        acknowledged.push(number);
        number += 1;
        assert_eq!(log.stats().health, None);
        // What was refused may have reached the disk all the same; nothing else may come.
        let drained = drain(&a).await;
        assert!(acknowledged.iter().all(|number| drained.contains(number)));
        assert!(drained.is_sorted_by(|a, b| a < b), "nothing comes twice");
        acknowledged.clear();
        assert!(a.stats().unwrap().balances());
    }
    assert!(log.stats().reopened >= 1, "the disk never ran full");
    log.close();
    drop(small);
}

#[tokio::test]
async fn a_queue_whose_removal_failed_is_there_again() {
    let folder = folder();
    let Some(small) = Small::mount(folder.path()) else {
        println!("cannot mount a small file system; a failed removal is not tested");
        return;
    };
    let log = Log::open(options(&small.0.join("log"))).unwrap();
    let (a, b) = (queue(&log, "a"), queue(&log, "b"));
    for n in 0..10 {
        log.commit(vec![append(&[&a, &b], n, 5000)]).await.unwrap();
    }
    let mut filler = File::create(small.0.join("filler")).unwrap();
    while filler.write_all(&[0; 1 << 12]).is_ok() {}
    drop(filler);
    // RocksDB has room reserved in its log file; a commit that fails has used that up.
    while log.commit(vec![append(&[&b], 100, 500_000)]).await.is_ok() {}
    let failed = log.remove_queue("a");
    assert!(matches!(failed, Err(Error::Store(_))), "{failed:?}");
    fs::remove_file(small.0.join("filler")).unwrap();
    resume(&log, &b, 101).await;
    let a = queue(&log, "a");
    assert_eq!(drain(&a).await, (0..10).collect::<Vec<_>>());
    assert!(a.stats().unwrap().balances());
    log.commit(vec![append(&[&a, &b], 102, 100)]).await.unwrap();
    assert_eq!(drain(&a).await, [102]);
    assert_eq!(drain(&b).await.last(), Some(&102));
    log.close();
    drop(small);
}

#[tokio::test]
async fn the_reserve_refuses_before_the_disk_does() {
    let folder = folder();
    let mut options = options(folder.path());
    options.disk_reserve_bytes = u64::MAX;
    let refused = Log::open(options.clone())
        .unwrap()
        .queue("a", crate::QueueLimits::default());
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("disk of the log is full")
    );

    options.disk_reserve_bytes = 0;
    let log = Log::open(options.clone()).unwrap();
    let a = queue(&log, "a");
    log.commit(vec![append(&[&a], 1, 100)]).await.unwrap();
    log.close();
    options.disk_reserve_bytes = u64::MAX;
    let log = Log::open(options).unwrap();
    let a = queue(&log, "a");
    let refused = log.commit(vec![append(&[&a], 2, 100)]).await;
    assert_eq!(refused, Err(CommitError::DiskFull));
    assert_eq!(drain(&a).await, [1], "queues go on draining");
    let refused = log.commit(vec![append(&[&a], 3, 100)]).await;
    assert_eq!(refused, Err(CommitError::DiskFull));
    // Progress is written all the same, also without a proper end.
    tokio::time::sleep(PROGRESS_DELAY * 20).await;
    let copied = folder.path().join("copied");
    copy(folder.path(), &copied);
    let log = Log::open(super::options(&copied)).unwrap();
    assert_eq!(queue(&log, "a").stats().unwrap().records, 0);
}
