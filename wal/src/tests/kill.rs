//! SIGKILL of a process that commits, again and again on the same log.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{append, drain, number, options, queue};
use crate::{Log, Outcome};

/// Names the directory of the log to the process that is to be killed.
const PATH: &str = "WAL_VICTIM_PATH";

/// The process that is killed: commits from several callers, settles some, and says what was
/// acknowledged. Without a path it has nothing to do.
#[test]
fn victim() {
    let Ok(path) = std::env::var(PATH) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_time()
        .build()
        .unwrap();
    let mut options = options(Path::new(&path));
    (options.tail_bytes, options.memtable_bytes) = (100_000, 2 << 20);
    options.bulk_bytes_min = 40_000;
    let log = Log::open(options).unwrap();
    assert!(!log.recovery().is_damaged(), "{:?}", log.recovery());
    let (a, b) = (queue(&log, "a"), queue(&log, "b"));
    let start = a.stats().unwrap().accepted + 1_000_000_000 * u64::from(std::process::id());
    runtime.spawn({
        let a = a.clone();
        async move {
            let mut reader = a.reader().unwrap();
            // It cannot be read any more when the power is gone.
            while let Ok(entry) = reader.next().await {
                println!("settled {}", number(&entry));
                a.settle(entry.position, Outcome::Delivered);
            }
        }
    });
    for caller in 0..4 {
        let (log, a, b) = (log.clone(), a.clone(), b.clone());
        runtime.spawn(async move {
            for n in (start + caller..).step_by(4) {
                let size = (n % 60) as usize * 1000;
                let done = log.commit(vec![append(&[&a], n, size), append(&[&a, &b], n, 50)]);
                if done.await.is_ok() {
                    println!("acknowledged {n}");
                }
            }
        });
    }
    std::thread::sleep(Duration::from_secs(60));
}

/// A running victim, and what it has said.
pub(super) struct Victim {
    child: Child,
    said: Arc<Mutex<Tally>>,
    listener: Option<JoinHandle<()>>,
}

/// What victims have said so far.
#[derive(Clone, Default)]
pub(super) struct Tally {
    acknowledged: Vec<u64>,
    settled: Vec<u64>,
}

impl Victim {
    pub(super) fn start(path: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::kill::victim", "--nocapture"])
            .env(PATH, path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said: Arc<Mutex<Tally>> = Arc::default();
        let listener = std::thread::spawn({
            let said = said.clone();
            move || {
                lines
                    .map_while(Result::ok)
                    .for_each(|line| said.lock().unwrap().hear(&line))
            }
        });
        let listener = Some(listener);
        Self {
            child,
            said,
            listener,
        }
    }

    fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What was acknowledged until now.
    pub(super) fn acknowledged(&self) -> Vec<u64> {
        self.said.lock().unwrap().acknowledged.clone()
    }

    /// Kills it, if it is still there; gives what it had said.
    pub(super) fn kill(mut self) -> Tally {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.listener.take().unwrap().join().unwrap();
        std::mem::take(&mut self.said.lock().unwrap())
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // A test that failed before the kill leaves nobody behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Tally {
    fn hear(&mut self, line: &str) {
        if let Some(number) = line.strip_prefix("acknowledged ") {
            self.acknowledged.extend(number.parse::<u64>());
        } else if let Some(number) = line.strip_prefix("settled ") {
            self.settled.extend(number.parse::<u64>());
        }
    }

    pub(super) fn add(&mut self, acknowledged: Vec<u64>, life: Self) {
        self.acknowledged.extend(acknowledged);
        self.settled.extend(life.settled);
    }

    /// Every acknowledged number is still owed, or was settled.
    pub(super) async fn check(&self, path: &Path) {
        assert!(
            self.acknowledged.len() > 20,
            "only {} commits",
            self.acknowledged.len()
        );
        let log = Log::open(options(path)).unwrap();
        assert!(
            !log.recovery().clean && !log.recovery().is_damaged(),
            "{:?}",
            log.recovery()
        );
        let (a, b) = (queue(&log, "a"), queue(&log, "b"));
        assert!(a.stats().unwrap().balances() && b.stats().unwrap().balances());
        let (in_a, in_b) = (drain(&a).await, drain(&b).await);
        for number in &self.acknowledged {
            assert!(
                in_b.contains(number),
                "{number} was acknowledged and is lost"
            );
            let copies = in_a.iter().filter(|found| *found == number).count();
            let settled = self.settled.iter().filter(|found| *found == number).count();
            assert!(
                copies + settled >= 2,
                "{number} was acknowledged and is lost"
            );
        }
        assert!(a.stats().unwrap().balances() && b.stats().unwrap().balances());
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_to_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut tally = Tally::default();
    for life in 0..6u64 {
        let mut victim = Victim::start(folder.path());
        std::thread::sleep(Duration::from_millis(150 + 90 * life));
        assert!(victim.is_running(), "it ended by itself");
        let life = victim.kill();
        tally.add(life.acknowledged.clone(), life);
    }
    tally.check(folder.path()).await;
}
