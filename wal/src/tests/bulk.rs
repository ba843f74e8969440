//! Large groups, which are written as files: they are read as any other, count only with their
//! notes, and are given back.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::{
    append, copy, drain, fill, folder, next, number, open, options, queue, record, store_files,
};
use crate::counts::Counts;
use crate::record::{Draft, Place, Stored};
use crate::store::{Care, Store};
use crate::{Log, recovery};

fn with_files(path: &Path) -> Log {
    let mut options = options(path);
    options.bulk_bytes_min = 10_000;
    Log::open(options).unwrap()
}

#[tokio::test]
async fn files_and_batches_are_read_as_one_queue() {
    let folder = folder();
    let log = with_files(folder.path());
    let (a, b) = (queue(&log, "a"), queue(&log, "b"));
    let mut reader = a.reader().unwrap();
    for n in 0..60 {
        let size = if n % 3 == 0 { 12_000 } else { 500 };
        let to: &[_] = if n % 2 == 0 { &[&a] } else { &[&a, &b] };
        log.commit(vec![append(to, n, size)]).await.unwrap();
        assert_eq!(number(&next(&mut reader).await), n);
    }
    let stats = log.stats();
    assert!(stats.bulk_bytes > 20 * 12_000 && stats.bulk_bytes < stats.bytes);
    drop(reader);
    log.close();
    let log = with_files(folder.path());
    assert!(!log.recovery().is_damaged(), "{:?}", log.recovery());
    assert_eq!(drain(&queue(&log, "a")).await, (0..60).collect::<Vec<_>>());
    let odd: Vec<u64> = (0..60).filter(|n| n % 2 == 1).collect();
    assert_eq!(drain(&queue(&log, "b")).await, odd);
    assert!(log.stats().disk_reads > 0);
}

#[tokio::test]
async fn files_are_given_back_when_everything_in_them_is_settled() {
    let folder = folder();
    let log = with_files(folder.path());
    let a = queue(&log, "a");
    for round in 0..3 {
        fill(&log, &[&a], round * 20..round * 20 + 20, 3_000_000).await;
        assert!(log.stats().disk_bytes > 60_000_000);
        assert_eq!(drain(&a).await.len(), 20);
        let began = Instant::now();
        // Less than 32 MiB of files is not worth looking through.
        while log.stats().disk_bytes > 40_000_000 {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "{:?}",
                log.stats()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn a_file_without_its_notes_does_not_count() {
    let folder = folder();
    let log = with_files(folder.path());
    let a = queue(&log, "a");
    fill(&log, &[&a], 0..5, 12_000).await;
    log.close();
    // The next two sequences, handed over as a crash before the batch would leave them: in the
    // queue's own stream, and in one that was to be new.
    let orphan = |stream: u32, sequence: u64| -> Stored {
        let draft = Draft::new(&record(666, 12_000));
        draft.seal(Place { stream, sequence }, 0, Counts::default())
    };
    let path = recovery::store_path(folder.path());
    let store = Store::open(&path, &options(folder.path()), Care::Strict).unwrap();
    store.ingest(&[orphan(1, 6), orphan(1, 7)]).unwrap();
    store.ingest(&[orphan(2, 8)]).unwrap();
    drop(store);

    for life in 0..2 {
        let log = with_files(folder.path());
        assert!(!log.recovery().is_damaged(), "{:?}", log.recovery());
        let (a, b) = (queue(&log, "a"), queue(&log, "b"));
        fill(&log, &[&a, &b], 10 + life..11 + life, 12_000).await;
        fill(&log, &[&a], 20 + life..21 + life, 12_000).await;
        if life == 1 {
            assert_eq!(drain(&a).await, [0, 1, 2, 3, 4, 10, 20, 11, 21]);
            assert_eq!(drain(&b).await, [10, 11]);
        }
        log.close();
    }
}

#[tokio::test]
async fn a_damaged_file_costs_what_it_held_and_no_more() {
    let folder = folder();
    let base = folder.path().join("base");
    let log = with_files(&base);
    let a = queue(&log, "a");
    fill(&log, &[&a], 0..10, 20_000).await;
    // A small record between those of the damaged file and the next one.
    fill(&log, &[&a], 10..11, 100).await;
    fill(&log, &[&a], 11..13, 20_000).await;
    log.close();
    let files = store_files(&base, "sst");
    let files: Vec<_> = files
        .iter()
        .filter(|file| fs::metadata(file).unwrap().len() > 20_000)
        .collect();
    assert_eq!(files.len(), 12);
    for (index, lost) in [(0, 0), (9, 9), (11, 12)] {
        let name = Path::new(files[index].file_name().unwrap());
        let length = fs::metadata(files[index]).unwrap().len();
        // In the record, in the index and in the footer; or all of it is gone.
        for at in [10_000, length - 600, length - 20, length] {
            let path = folder.path().join(format!("{index} {at}"));
            copy(&base, &path);
            let file = path.join("store").join(name);
            if at == length {
                fs::remove_file(file).unwrap();
            } else {
                super::damage::flip(&file, at);
            }
            let log = with_files(&path);
            let a = queue(&log, "a");
            let drained = drain(&a).await;
            for n in (0..13).filter(|n| *n != lost) {
                assert!(
                    drained.contains(&n),
                    "{n} is lost with file {index} at {at}: {drained:?}"
                );
            }
            assert!(a.stats().unwrap().balances());
            fill(&log, &[&a], 20..21, 20_000).await;
            assert_eq!(drain(&a).await, [20]);
        }
    }
}

#[tokio::test]
async fn a_repair_keeps_the_files() {
    let folder = folder();
    let log = with_files(folder.path());
    let a = queue(&log, "a");
    fill(&log, &[&a], 0..3, 20_000).await;
    fill(&log, &[&a], 3..5, 100).await;
    log.flush();
    log.close();
    fs::remove_file(folder.path().join("store").join("CURRENT")).unwrap();
    for life in 0..2 {
        let log = with_files(folder.path());
        assert_eq!(log.recovery().repaired, life == 0, "{:?}", log.recovery());
        let a = queue(&log, "a");
        fill(&log, &[&a], 10 + life..11 + life, 20_000).await;
        if life == 1 {
            assert_eq!(drain(&a).await, [0, 1, 2, 3, 4, 10, 11]);
            assert!(a.stats().unwrap().balances());
        }
    }
}

#[tokio::test]
async fn acknowledged_files_outlive_a_damaged_log_file() {
    let folder = folder();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    let log = with_files(&from);
    let a = queue(&log, "a");
    fill(&log, &[&a], 0..3, 500).await;
    let newest = store_files(&from, "log").pop().unwrap();
    let length = fs::metadata(&newest).unwrap().len();
    fill(&log, &[&a], 3..6, 500).await;
    fill(&log, &[&a], 6..9, 12_000).await;
    copy(&from, &to);
    let newest = store_files(&to, "log").pop().unwrap();
    File::options()
        .write(true)
        .open(newest)
        .unwrap()
        .set_len(length)
        .unwrap();

    let log = open(&to);
    assert!(log.recovery().missing > 0 && log.recovery().quarantined.is_some());
    let a = queue(&log, "a");
    assert_eq!(drain(&a).await, [0, 1, 2, 6, 7, 8]);
    let stats = a.stats().unwrap();
    assert!(stats.balances(), "{stats:?}");
    assert_eq!(
        stats.dropped["damaged"],
        (3..6).map(|n| n % 7 + 1).sum::<u64>()
    );
}
