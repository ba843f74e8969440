//! Damaged files: what can be read is delivered, nothing corrupt ever is, and what is gone is
//! counted and reported.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::{append, copy, drain, fill, folder, open, options, queue, store_files};
use crate::notes::{FORMAT, Key};
use crate::store::{Care, Changes, Store};
use crate::{Log, OpenError, Outcome, recovery};

/// Turns one bit of a file around.
pub(super) fn flip(path: &Path, at: u64) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

/// A log at rest that was not closed, with 40 records in RocksDB's log file; and the length of that
/// file after each of them was acknowledged.
async fn unclosed(path: &Path) -> Vec<u64> {
    let folder = folder();
    let log = open(folder.path());
    let a = queue(&log, "a");
    let mut lengths = Vec::new();
    for n in 0..40 {
        log.commit(vec![append(&[&a], n, 200)]).await.unwrap();
        let newest = store_files(folder.path(), "log").pop().unwrap();
        lengths.push(fs::metadata(newest).unwrap().len());
    }
    copy(folder.path(), path);
    lengths
}

#[tokio::test]
async fn a_log_file_cut_anywhere_keeps_what_lies_before_the_cut() {
    let folder = folder();
    let base = folder.path().join("base");
    let lengths = unclosed(&base).await;
    let first = lengths[0] - (lengths[1] - lengths[0]);
    for cut in (first..=lengths[39]).step_by(101).chain([lengths[39]]) {
        let path = folder.path().join(cut.to_string());
        copy(&base, &path);
        let newest = store_files(&path, "log").pop().unwrap();
        File::options()
            .write(true)
            .open(newest)
            .unwrap()
            .set_len(cut)
            .unwrap();

        let log = open(&path);
        let whole = lengths.iter().filter(|length| **length <= cut).count() as u64;
        assert_eq!(log.recovery().missing, 40 - whole, "cut at {cut}");
        assert_eq!(
            log.recovery().quarantined.is_some(),
            whole < 40,
            "cut at {cut}"
        );
        let a = queue(&log, "a");
        fill(&log, &[&a], 100..101, 200).await;
        let expected: Vec<u64> = (0..whole).chain([100]).collect();
        assert_eq!(drain(&a).await, expected, "cut at {cut}");
        assert!(a.stats().unwrap().balances());
        log.close();
        assert!(
            !open(&path).recovery().is_damaged(),
            "damage is reported once"
        );
        fs::remove_dir_all(path).unwrap();
    }
}

#[tokio::test]
async fn a_flipped_bit_in_a_log_file_is_never_delivered_and_never_silent() {
    let folder = folder();
    let base = folder.path().join("base");
    let lengths = unclosed(&base).await;
    let mut noticed = 0;
    for at in (lengths[0]..lengths[39]).step_by(211) {
        let path = folder.path().join(at.to_string());
        copy(&base, &path);
        flip(&store_files(&path, "log").pop().unwrap(), at);
        let log = open(&path);
        let a = queue(&log, "a");
        let drained = drain(&a).await;
        let missing = 40 - drained.len() as u64;
        assert_eq!(drained, (0..40 - missing).collect::<Vec<_>>());
        assert_eq!(log.recovery().missing, missing, "bit at {at}");
        assert!(a.stats().unwrap().balances());
        noticed += u64::from(missing > 0);
        drop(log);
        fs::remove_dir_all(path).unwrap();
    }
    assert!(noticed > 10, "the bits were not in the records");
}

/// A closed log with 30 records of 40 kB in one data file.
async fn in_a_file(path: &Path) {
    let log = open(path);
    let a = queue(&log, "a");
    fill(&log, &[&a], 0..30, 40_000).await;
    log.flush();
    log.close();
    // The largest is the one with the records; another one has the notes.
    assert!(!store_files(path, "sst").is_empty());
}

fn largest(path: &Path) -> std::path::PathBuf {
    let files = store_files(path, "sst");
    files
        .into_iter()
        .max_by_key(|file| fs::metadata(file).unwrap().len())
        .unwrap()
}

#[tokio::test]
async fn damage_in_a_data_file_costs_the_records_it_hit() {
    let folder = folder();
    let base = folder.path().join("base");
    in_a_file(&base).await;
    // Inside the first, a middle and the last record.
    for (at, lost) in [
        (20_000, 0),
        (20_000 + 40_100 * 14, 14),
        (20_000 + 40_100 * 29, 29),
    ] {
        let path = folder.path().join(at.to_string());
        copy(&base, &path);
        flip(&largest(&path), at);
        let log = open(&path);
        assert_eq!(log.recovery().broken_streams, u64::from(lost == 29));
        let a = queue(&log, "a");
        let expected: Vec<u64> = (0..30).filter(|n| *n != lost).collect();
        assert_eq!(drain(&a).await, expected);
        let stats = a.stats().unwrap();
        assert_eq!(
            stats.dropped["damaged"],
            lost % 7 + 1,
            "exactly what the record held"
        );
        assert!(stats.balances(), "{stats:?}");
        assert!(log.stats().damaged > 0);
    }
}

#[tokio::test]
async fn whatever_file_is_missing_or_broken_the_log_opens() {
    let folder = folder();
    let base = folder.path().join("base");
    in_a_file(&base).await;
    let largest = largest(&base);
    let length = fs::metadata(&largest).unwrap().len();
    let name = largest.file_name().unwrap().to_owned();
    let name = Path::new(&name);
    type Harm<'a> = (&'a str, &'a dyn Fn(&Path));
    let harms: [Harm<'_>; 5] = [
        ("no data file", &|store| {
            fs::remove_file(store.join(name)).unwrap()
        }),
        ("empty data file", &|store| {
            fs::write(store.join(name), b"").unwrap()
        }),
        ("broken end of a data file", &|store| {
            flip(&store.join(name), length - 20)
        }),
        ("no CURRENT", &|store| {
            fs::remove_file(store.join("CURRENT")).unwrap()
        }),
        ("empty CURRENT", &|store| {
            fs::write(store.join("CURRENT"), b"").unwrap()
        }),
    ];
    for (what, harm) in harms {
        let path = folder.path().join(what);
        copy(&base, &path);
        harm(&path.join("store"));
        let log = Log::open(options(&path)).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(log.recovery().is_damaged(), "{what}");
        let a = queue(&log, "a");
        fill(&log, &[&a], 100..101, 200).await;
        assert_eq!(drain(&a).await.last(), Some(&100), "{what}");
        let stats = a.stats().unwrap();
        assert!(stats.balances(), "{what}: {stats:?}");
    }
}

#[tokio::test]
async fn foreign_files_do_no_harm() {
    let folder = folder();
    in_a_file(folder.path()).await;
    for name in [
        "store/notes.txt",
        "store/999999.tmp",
        "lost+found",
        "mark.bak",
    ] {
        fs::write(folder.path().join(name), b"not ours").unwrap();
    }
    let log = open(folder.path());
    assert!(!log.recovery().is_damaged());
    assert_eq!(drain(&queue(&log, "a")).await.len(), 30);
}

#[tokio::test]
async fn a_newer_format_is_refused_and_left_alone() {
    let folder = folder();
    drop(open(folder.path()));
    let options = options(folder.path());
    let store = Store::open(&recovery::store_path(folder.path()), &options, Care::Strict).unwrap();
    let notes = vec![(Key::Format, (FORMAT + 1).to_le_bytes().to_vec())];
    store
        .write(
            &Changes {
                notes,
                ..Changes::default()
            },
            true,
        )
        .unwrap();
    drop(store);
    for _ in 0..2 {
        let error = Log::open(options.clone()).unwrap_err();
        assert_eq!(
            error,
            OpenError::NewerFormat {
                found: FORMAT + 1,
                supported: FORMAT
            }
        );
        assert!(error.to_string().contains("run the newer version"));
    }
}

#[tokio::test]
async fn ledgers_survive_any_number_of_restarts() {
    let folder = folder();
    let mut accepted = 0;
    for life in 0..5u64 {
        let log = open(folder.path());
        let a = queue(&log, "a");
        fill(&log, &[&a], life * 10..life * 10 + 10, 100).await;
        accepted += (life * 10..life * 10 + 10).map(|n| n % 7 + 1).sum::<u64>();
        let mut reader = a.reader().unwrap();
        for turn in 0..7 {
            let entry = reader.next().await.unwrap();
            let outcome = match turn % 2 {
                0 => Outcome::Delivered,
                _ => Outcome::Dropped { reason: "refused" },
            };
            a.settle(entry.position, outcome);
        }
        let stats = a.stats().unwrap();
        assert!(stats.balances(), "{stats:?}");
        assert_eq!((stats.accepted, stats.records), (accepted, (life + 1) * 3));
    }
}
