//! Counters that go with commits and outlive the process.

use super::*;

#[tokio::test]
async fn a_count_goes_with_its_commit_and_survives() {
    let folder = folder();
    let log = open(folder.path());
    let (taken, refused) = (log.tally("taken").unwrap(), log.tally("refused").unwrap());
    let a = queue(&log, "a");
    let counts = vec![(taken.clone(), 3)];
    log.commit_counting(vec![append(&[&a], 1, 100)], counts)
        .await
        .unwrap();
    refused.add(2);
    assert_eq!((taken.get(), log.tally("taken").unwrap().get()), (3, 3));
    log.close();
    let log = open(folder.path());
    let mut counts: Vec<_> = log
        .tallies()
        .iter()
        .map(|tally| (tally.name().to_owned(), tally.get()))
        .collect();
    counts.sort();
    assert_eq!(counts, [("refused".to_owned(), 2), ("taken".to_owned(), 3)]);
    let taken = log.tally("taken").unwrap();
    taken.add(1);
    assert_eq!(taken.get(), 4);
}

#[tokio::test]
async fn what_was_committed_when_the_process_died_was_counted() {
    let folder = folder();
    let log = open(folder.path());
    let (taken, a) = (log.tally("taken").unwrap(), queue(&log, "a"));
    for number in 0..20 {
        log.commit_counting(vec![append(&[&a], number, 10)], vec![(taken.clone(), 1)])
            .await
            .unwrap();
        let copied = super::folder();
        super::copy(folder.path(), copied.path());
        let found = open(copied.path());
        let queued = found.queues()[0].records;
        assert_eq!(
            found.tally("taken").unwrap().get(),
            queued,
            "after {number}"
        );
    }
}

#[tokio::test]
async fn a_refused_commit_counts_nothing() {
    let folder = folder();
    let log = open(folder.path());
    let limits = QueueLimits {
        records: Some(1),
        ..QueueLimits::default()
    };
    let a = log.queue("a", limits).unwrap();
    let taken = log.tally("taken").unwrap();
    for number in 0..3 {
        let _ = log
            .commit_counting(vec![append(&[&a], number, 10)], vec![(taken.clone(), 1)])
            .await;
    }
    assert_eq!(taken.get(), 1);
}
