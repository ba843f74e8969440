//! Random histories of commits, reads, settlements, restarts, kills and power cuts, compared with
//! what a list would do.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::{append, copy, drain, folder, number, open, options, queue, store_files};
use crate::{Entry, Log, Outcome, Queue, Reader};

/// Queues in a history.
const QUEUES: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    /// One record for each set of queues, of so many bytes.
    Commit(Vec<(u8, u16)>),
    Read(usize),
    /// Settles one of the open records; the last number chooses the outcome.
    Settle(usize, prop::sample::Index, u8),
    NewReader(usize),
    Flush,
    Restart,
    Kill,
    /// Loses this share of what was not synced.
    PowerCut(f64),
}

fn step() -> impl Strategy<Value = Step> {
    let append = (1u8..8, 0u16..20_000);
    prop_oneof![
        6 => prop::collection::vec(append, 1..4).prop_map(Step::Commit),
        8 => (0..QUEUES).prop_map(Step::Read),
        6 => (0..QUEUES, any::<prop::sample::Index>(), 0u8..3)
            .prop_map(|(queue, which, how)| Step::Settle(queue, which, how)),
        1 => (0..QUEUES).prop_map(Step::NewReader),
        1 => Just(Step::Flush),
        1 => Just(Step::Restart),
        1 => Just(Step::Kill),
        1 => (0.0..1.0).prop_map(Step::PowerCut),
    ]
}

/// What a queue should be: every record it was ever given, and which of them are settled.
#[derive(Default)]
struct Expected {
    given: Vec<u64>,
    settled: Vec<u64>,
    open: Vec<(u64, Entry)>,
    /// The last number handed out by the present reader.
    last: Option<u64>,
}

struct History {
    runtime: Runtime,
    folder: tempfile::TempDir,
    lives: usize,
    log: Option<Log>,
    queues: Vec<Queue>,
    readers: Vec<Option<Reader>>,
    expected: Vec<Expected>,
    numbers: u64,
    /// The lengths of RocksDB's log files at the last acknowledgement.
    acknowledged: BTreeMap<PathBuf, u64>,
}

impl History {
    fn new() -> Self {
        let folder = folder();
        let mut history = Self {
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap(),
            folder,
            lives: 0,
            log: None,
            queues: Vec::new(),
            readers: Vec::new(),
            expected: (0..QUEUES).map(|_| Expected::default()).collect(),
            numbers: 0,
            acknowledged: BTreeMap::new(),
        };
        history.start();
        history
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(self.lives.to_string())
    }

    fn start(&mut self) {
        let mut options = options(&self.path());
        options.bulk_bytes_min = 15_000;
        let log = Log::open(options).unwrap();
        assert!(!log.recovery().is_damaged(), "{:?}", log.recovery());
        self.queues = (0..QUEUES)
            .map(|n| queue(&log, &format!("queue {n}")))
            .collect();
        self.readers = self
            .queues
            .iter()
            .map(|queue| queue.reader().ok())
            .collect();
        for expected in &mut self.expected {
            (expected.open, expected.last) = (Vec::new(), None);
        }
        self.log = Some(log);
        self.acknowledge();
    }

    fn acknowledge(&mut self) {
        let files = store_files(&self.path(), "log");
        let sizes = files
            .into_iter()
            .map(|file| (file.clone(), fs::metadata(file).unwrap().len()));
        self.acknowledged = sizes.collect();
    }

    /// Ends this life as a kill would, or a power cut that keeps this share of unsynced bytes.
    fn crash(&mut self, kept: f64) {
        let (old, acknowledged) = (self.path(), std::mem::take(&mut self.acknowledged));
        self.lives += 1;
        copy(&old, &self.path());
        if let Some(newest) = store_files(&self.path(), "log").last() {
            let length = fs::metadata(newest).unwrap().len();
            let synced = acknowledged.get(&old.join("store").join(newest.file_name().unwrap()));
            let synced = synced.copied().unwrap_or(0).min(length);
            let cut = synced + ((length - synced) as f64 * kept) as u64;
            File::options()
                .write(true)
                .open(newest)
                .unwrap()
                .set_len(cut)
                .unwrap();
        }
        self.stop();
        fs::remove_dir_all(old).unwrap();
        self.start();
    }

    fn stop(&mut self) {
        (self.queues, self.readers) = (Vec::new(), Vec::new());
        self.log.take().unwrap().close();
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Commit(appends) => self.commit(&appends),
            Step::Read(index) => self.read(index),
            Step::Settle(index, which, how) => self.settle(index, which, how),
            Step::NewReader(index) => {
                self.readers[index] = None;
                self.readers[index] = Some(self.queues[index].reader().unwrap());
                self.expected[index].open.clear();
                self.expected[index].last = None;
            }
            Step::Flush => self.log.as_ref().unwrap().flush(),
            Step::Restart => {
                self.stop();
                self.start();
                self.check_restart();
            }
            Step::Kill => self.crash(1.0),
            Step::PowerCut(kept) => self.crash(kept),
        }
        self.check();
    }

    fn commit(&mut self, appends: &[(u8, u16)]) {
        let mut commit = Vec::new();
        for (set, size) in appends {
            let members = (0..QUEUES).filter(|index| set & 1 << index != 0);
            let queues: Vec<_> = members.clone().map(|index| &self.queues[index]).collect();
            commit.push(append(&queues, self.numbers, usize::from(*size)));
            for index in members {
                self.expected[index].given.push(self.numbers);
            }
            self.numbers += 1;
        }
        let done = self.log.as_ref().unwrap().commit(commit);
        self.runtime.block_on(done).unwrap();
        self.acknowledge();
    }

    fn read(&mut self, index: usize) {
        let expected = &mut self.expected[index];
        let reader = self.readers[index].as_mut().unwrap();
        let next = match expected.last {
            Some(last) => expected.given.iter().find(|given| **given > last),
            // After a start, anything up to the first one that is not settled.
            None => expected
                .given
                .iter()
                .find(|given| !expected.settled.contains(given)),
        };
        let Some(&next) = next.filter(|next| !expected.settled.contains(next)) else {
            return;
        };
        let wait = std::time::Duration::from_secs(10);
        let entry = self
            .runtime
            .block_on(async { tokio::time::timeout(wait, reader.next()).await });
        let entry = entry.expect("a record is owed").unwrap();
        let found = number(&entry);
        assert!(
            found <= next,
            "queue {index} left out {next} and gave {found}"
        );
        assert!(
            expected.given.contains(&found),
            "queue {index} was never given {found}"
        );
        assert!(
            expected.last.is_none_or(|last| last < found),
            "{found} came twice"
        );
        expected.last = Some(found);
        expected.open.push((found, entry));
    }

    fn settle(&mut self, index: usize, which: prop::sample::Index, how: u8) {
        let expected = &mut self.expected[index];
        if expected.open.is_empty() {
            return;
        }
        let (number, entry) = expected.open.remove(which.index(expected.open.len()));
        let outcome = match how {
            0 => Outcome::Delivered,
            1 => Outcome::Dropped { reason: "refused" },
            _ => Outcome::Partial {
                delivered: entry.record.items - 1,
                dropped: 1,
                reason: "part",
            },
        };
        assert!(self.queues[index].settle(entry.position, outcome));
        if !expected.settled.contains(&number) {
            expected.settled.push(number);
        }
    }

    fn check(&self) {
        for (queue, expected) in self.queues.iter().zip(&self.expected) {
            let stats = queue.stats().unwrap();
            assert!(stats.balances(), "{stats:?}");
            let items: u64 = expected.given.iter().map(|number| number % 7 + 1).sum();
            assert_eq!(
                stats.accepted, items,
                "everything acknowledged is accounted for"
            );
            assert!(stats.records >= (expected.given.len() - expected.settled.len()) as u64);
        }
    }

    /// A proper restart repeats nothing below the first record that was not settled. (After a crash
    /// more may come again: progress is not synced by itself.)
    fn check_restart(&self) {
        if self.lives > 0 {
            return;
        }
        for (queue, expected) in self.queues.iter().zip(&self.expected) {
            let first = expected
                .given
                .iter()
                .position(|given| !expected.settled.contains(given));
            let owed = first.map_or(0, |first| expected.given.len() - first);
            assert_eq!(queue.stats().unwrap().records, owed as u64);
        }
    }

    /// Everything that was not settled is there, in order; nothing is there that was not given.
    fn finish(mut self) {
        self.readers.clear();
        for (queue, expected) in self.queues.iter().zip(&self.expected) {
            let drained = self.runtime.block_on(drain(queue));
            assert!(drained.is_sorted_by(|a, b| a < b), "{drained:?}");
            assert!(drained.iter().all(|number| expected.given.contains(number)));
            for number in expected
                .given
                .iter()
                .filter(|given| !expected.settled.contains(given))
            {
                assert!(drained.contains(number), "{number} is lost");
            }
        }
        assert_eq!(self.log.as_ref().unwrap().stats().owed_bytes, 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn any_history_ends_as_a_list_would(steps in prop::collection::vec(step(), 1..60)) {
        let mut history = History::new();
        for step in steps {
            history.run(step);
        }
        history.finish();
    }
}

#[test]
fn a_copy_is_what_a_kill_leaves() {
    let folder = folder();
    let (from, to): (&Path, &Path) = (&folder.path().join("from"), &folder.path().join("to"));
    let log = open(from);
    let a = queue(&log, "a");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime
        .block_on(log.commit(vec![append(&[&a], 1, 10)]))
        .unwrap();
    copy(from, to);
    let copied = open(to);
    assert!(!copied.recovery().clean, "it was not closed");
    assert_eq!(queue(&copied, "a").stats().unwrap().records, 1);
}
