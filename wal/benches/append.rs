//! How fast 64 callers can commit, each waiting for its sync, with a reader that keeps up; beside
//! it the limit: a plain file of fixed size, overwritten in groups of 1 MiB with fdatasync.
//!
//! After each size a line says what a benchmark of time alone hides: CPU seconds for each GB, bytes
//! written to the disk for each byte of payload, and the latency of the sync.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::Runtime;
use tokio::time::Instant;
use wal::{Append, Log, Options, Outcome, QueueLimits, QueueSet, Record};

/// Callers that commit at the same time.
const CALLERS: usize = 64;

/// Sizes of a record: a small request, a merged one, and 512 log lines of the usual size.
const SIZES: [usize; 3] = [4 << 10, 64 << 10, 360 << 10];

fn options(path: &std::path::Path) -> Options {
    let mut options = Options::new(path);
    options.disk_reserve_bytes = 0;
    options
}

/// Commits `records` records of `size` bytes by all callers together; returns how long it took.
fn commit_all(runtime: &Runtime, log: &Log, set: &QueueSet, size: usize, records: u64) -> Duration {
    let payload = Bytes::from(vec![7; size]);
    let began = Instant::now();
    runtime.block_on(async {
        let mut callers = Vec::new();
        for caller in 0..CALLERS as u64 {
            let (log, set, payload) = (log.clone(), set.clone(), payload.clone());
            let mine = records / CALLERS as u64 + u64::from(caller < records % CALLERS as u64);
            callers.push(tokio::spawn(async move {
                for _ in 0..mine {
                    let record = Record {
                        payload: payload.clone(),
                        attributes: Bytes::from_static(b"logs"),
                        items: 512,
                        accepted_at: SystemTime::now(),
                    };
                    let append = Append {
                        queues: set.clone(),
                        record,
                    };
                    log.commit(vec![append])
                        .await
                        .expect("the commit should succeed");
                }
            }));
        }
        for caller in callers {
            caller.await.expect("a caller should not panic");
        }
    });
    began.elapsed()
}

fn bench_log(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("log");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500));
    group.measurement_time(Duration::from_secs(5));
    for size in SIZES {
        let folder = tempfile::tempdir().expect("a directory");
        let log = Log::open(options(folder.path())).expect("the log should open");
        let queue = log.queue("bench", QueueLimits::default()).expect("a queue");
        let mut reader = queue.reader().expect("the reader");
        let drain = runtime.spawn({
            let queue = queue.clone();
            async move {
                while let Ok(entry) = reader.next().await {
                    queue.settle(entry.position, Outcome::Delivered);
                }
            }
        });
        let before = Usage::now();
        let set = QueueSet::from(&queue);
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter_custom(|records| commit_all(&runtime, &log, &set, size, records));
        });
        let stats = log.stats();
        before.report(size, &stats);
        drain.abort();
    }
    group.finish();
}

fn bench_file(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("file");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500));
    group.measurement_time(Duration::from_secs(3));
    let folder = tempfile::tempdir().expect("a directory");
    let mut file = File::create_new(folder.path().join("file")).expect("a file");
    let data = vec![7; 1 << 20];
    for _ in 0..64 {
        file.write_all(&data)
            .expect("the file should take its bytes");
    }
    file.sync_all().expect("the file should be synced");
    let mut at = 0;
    group.throughput(Throughput::Bytes(1 << 20));
    group.bench_function("1 MiB groups", |bencher| {
        bencher.iter(|| {
            file.write_all_at(&data, at % (64 << 20))
                .expect("the file should take its bytes");
            file.sync_data().expect("the file should be synced");
            at += 1 << 20;
        });
    });
    group.finish();
}

/// What the process used until now.
struct Usage {
    cpu: Duration,
    written: u64,
}

impl Usage {
    fn now() -> Self {
        let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let cpu = Duration::new(cpu.tv_sec as u64, cpu.tv_nsec as u32);
        let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
        let written = io
            .lines()
            .find_map(|line| line.strip_prefix("write_bytes: "));
        Self {
            cpu,
            written: written.and_then(|bytes| bytes.parse().ok()).unwrap_or(0),
        }
    }

    fn report(&self, size: usize, stats: &wal::LogStats) {
        let now = Self::now();
        let gigabytes = stats.bytes as f64 / 1e9;
        let mut out = std::io::stdout().lock();
        // The figures are for a reader; without one there is nothing to do about it.
        let _ = writeln!(
            out,
            "log/{size}: {:.2} cpu-s/GB, {:.2} bytes written a byte, {:.0} records a group, \
             sync p50 {:?} p99 {:?}, {} disk reads",
            (now.cpu - self.cpu).as_secs_f64() / gigabytes,
            (now.written - self.written) as f64 / stats.bytes as f64,
            stats.records as f64 / stats.groups as f64,
            stats.sync.quantile(0.5),
            stats.sync.quantile(0.99),
            stats.disk_reads,
        );
    }
}

criterion_group!(benches, bench_log, bench_file);
criterion_main!(benches);
