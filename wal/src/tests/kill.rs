//! SIGKILL of a process that commits, again and again on the same log.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{append, drain, next, number, options, queue};
use crate::{Log, Outcome};

/// Names the directory of the log to the process that is to be killed.
const PATH: &str = "WAL_KILL_PATH";

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
    options.bulk_bytes_min = 150_000;
    let log = Log::open(options).unwrap();
    assert!(!log.recovery().is_damaged(), "{:?}", log.recovery());
    let (a, b) = (queue(&log, "a"), queue(&log, "b"));
    let start = a.stats().unwrap().accepted + 1_000_000 * u64::from(std::process::id());
    runtime.spawn({
        let a = a.clone();
        async move {
            let mut reader = a.reader().unwrap();
            loop {
                let entry = next(&mut reader).await;
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
                done.await.unwrap();
                println!("acknowledged {n}");
            }
        });
    }
    std::thread::sleep(Duration::from_secs(60));
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_to_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let (mut acknowledged, mut settled) = (Vec::new(), Vec::new());
    for life in 0..6u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::kill::victim", "--nocapture"])
            .env(PATH, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let reading = std::thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>());
        std::thread::sleep(Duration::from_millis(150 + 90 * life));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert!(
            !status.success() && status.code().is_none(),
            "it died by itself: {status}"
        );
        for line in reading.join().unwrap() {
            if let Some(number) = line.strip_prefix("acknowledged ") {
                acknowledged.extend(number.parse::<u64>());
            } else if let Some(number) = line.strip_prefix("settled ") {
                settled.extend(number.parse::<u64>());
            }
        }
    }
    assert!(
        acknowledged.len() > 100,
        "only {} commits",
        acknowledged.len()
    );
    let log = Log::open(options(folder.path())).unwrap();
    assert!(
        !log.recovery().clean && !log.recovery().is_damaged(),
        "{:?}",
        log.recovery()
    );
    let (a, b) = (queue(&log, "a"), queue(&log, "b"));
    assert!(a.stats().unwrap().balances() && b.stats().unwrap().balances());
    let (in_a, in_b) = (drain(&a).await, drain(&b).await);
    for number in &acknowledged {
        assert!(
            in_b.contains(number),
            "{number} was acknowledged and is lost"
        );
        let copies = in_a.iter().filter(|found| *found == number).count();
        let settled = settled.iter().filter(|found| *found == number).count();
        assert!(
            copies + settled >= 2,
            "{number} was acknowledged and is lost"
        );
    }
}
