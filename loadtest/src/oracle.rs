//! The oracle: it issues every number that is sent, and says in the end what became of each.
//!
//! An acknowledged number is an obligation: it must arrive at every destination. A number whose
//! answer was lost may arrive. A number that was never issued must not. What a destination itself
//! refused for good is excused, for that destination and only while it never accepted it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::{Signal, bitmap::Bitmap, delivery::Delivery, number::Number, verdict::Verdict};

/// Issues numbers and keeps obligations and arrivals.
pub struct Oracle {
    run: u32,
    streams: RwLock<Vec<Arc<Ledger>>>,
    destinations: Vec<Mutex<Strays>>,
    names: Vec<String>,
}

/// What arrived at a destination and belongs to no stream.
#[derive(Clone, Copy, Debug, Default)]
struct Strays {
    invented: [u64; 3],
    corrupted: [u64; 3],
    undecodable: u64,
}

/// One stream's account.
struct Ledger {
    signal: Signal,
    tenant: Option<String>,
    account: Mutex<Account>,
}

#[derive(Default)]
struct Account {
    issued: u64,
    acked: Bitmap,
    arrivals: Vec<Arrivals>,
}

/// What one destination got of one stream.
#[derive(Default)]
struct Arrivals {
    seen: Bitmap,
    excused: Bitmap,
    duplicates: u64,
    reordered: u64,
    misdelivered: u64,
    /// One more than the highest sequence seen.
    next: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every critical section here leaves the account whole, so a panic elsewhere spoils nothing.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What became of the numbers of one signal and tenant, at one destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Numbers handed out.
    pub issued: u64,
    /// Numbers acknowledged: obligations.
    pub acked: u64,
    /// Numbers that arrived, each counted once.
    pub delivered: u64,
    /// Acknowledged numbers that the destination itself refused for good.
    pub excused: u64,
    /// Acknowledged numbers that did not arrive.
    pub missing: u64,
    /// Arrivals beyond the first of a number.
    pub duplicates: u64,
    /// First arrivals behind a later number of their stream.
    pub reordered: u64,
    /// Arrivals under another tenant than the sender's.
    pub misdelivered: u64,
    /// Arrivals of items that are not what was sent.
    pub corrupted: u64,
    /// Arrivals of items that nobody sent.
    pub invented: u64,
}

impl Oracle {
    /// An oracle of the run numbered `run`, which must not be 0, for what goes to `destinations`.
    pub fn new(run: u32, destinations: &[&str]) -> Arc<Self> {
        Arc::new(Self {
            run: run.max(1),
            streams: RwLock::default(),
            destinations: destinations.iter().map(|_| Mutex::default()).collect(),
            names: destinations.iter().map(ToString::to_string).collect(),
        })
    }

    /// Opens a stream of numbers for what one lane sends as `tenant`.
    pub fn open_stream(self: &Arc<Self>, signal: Signal, tenant: Option<&str>) -> Stream {
        let arrivals = self.names.iter().map(|_| Arrivals::default()).collect();
        let ledger = Arc::new(Ledger {
            signal,
            tenant: tenant.map(Into::into),
            account: Mutex::new(Account {
                arrivals,
                ..Account::default()
            }),
        });
        let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
        streams.push(Arc::clone(&ledger));
        Stream {
            run: self.run,
            index: (streams.len() - 1) as u32,
            ledger,
        }
    }

    /// The place where the backend of the destination named `name` reports arrivals.
    pub fn destination(self: &Arc<Self>, name: &str) -> Option<Destination> {
        let index = self.names.iter().position(|known| known == name)?;
        Some(Destination {
            oracle: Arc::clone(self),
            index,
            check_tenant: true,
        })
    }

    /// How many obligations have not arrived at the destination named `name` yet.
    pub fn outstanding(&self, name: &str) -> u64 {
        let Some(index) = self.names.iter().position(|known| known == name) else {
            return 0;
        };
        self.streams()
            .iter()
            .map(|stream| stream.tally(index).missing)
            .sum()
    }

    /// What became of everything at each destination.
    pub fn verdicts(&self) -> Vec<Verdict> {
        (0..self.names.len())
            .map(|index| self.verdict(index))
            .collect()
    }

    fn verdict(&self, index: usize) -> Verdict {
        let mut verdict = Verdict::new(&self.names[index]);
        for stream in self.streams() {
            verdict.add(
                stream.signal,
                stream.tenant.as_deref(),
                &stream.tally(index),
            );
        }
        let strays = *lock(&self.destinations[index]);
        verdict.undecodable = strays.undecodable;
        for signal in Signal::ALL {
            let (invented, corrupted) = (
                strays.invented[signal as usize],
                strays.corrupted[signal as usize],
            );
            if invented + corrupted > 0 {
                verdict.add(
                    signal,
                    None,
                    &Tally {
                        invented,
                        corrupted,
                        ..Tally::default()
                    },
                );
            }
        }
        verdict
    }

    fn streams(&self) -> Vec<Arc<Ledger>> {
        self.streams
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Ledger {
    fn tally(&self, destination: usize) -> Tally {
        let account = lock(&self.account);
        let arrivals = &account.arrivals[destination];
        let unseen = account.acked.missing_from(&[&arrivals.seen]);
        let missing = account
            .acked
            .missing_from(&[&arrivals.seen, &arrivals.excused]);
        Tally {
            issued: account.issued,
            acked: account.acked.len(),
            delivered: arrivals.seen.len(),
            excused: unseen - missing,
            missing,
            duplicates: arrivals.duplicates,
            reordered: arrivals.reordered,
            misdelivered: arrivals.misdelivered,
            corrupted: 0,
            invented: 0,
        }
    }
}

/// The sender's end of a stream of numbers.
#[derive(Clone)]
pub struct Stream {
    run: u32,
    index: u32,
    ledger: Arc<Ledger>,
}

impl Stream {
    /// Issues the next `count` numbers; the first of them.
    pub fn claim(&self, count: u64) -> Number {
        let mut account = lock(&self.ledger.account);
        let sequence = account.issued;
        account.issued += count;
        Number {
            run: self.run,
            stream: self.index,
            sequence,
        }
    }

    /// Makes obligations of `count` numbers from `first` on: they were acknowledged.
    pub fn acknowledged(&self, first: Number, count: u64) {
        lock(&self.ledger.account)
            .acked
            .insert(first.sequence, count);
    }
}

/// The receiving end: where one destination's backend reports what it got.
#[derive(Clone)]
pub struct Destination {
    oracle: Arc<Oracle>,
    index: usize,
    check_tenant: bool,
}

impl Destination {
    /// The same, but for a backend that is not told the tenant.
    pub fn without_tenants(self) -> Self {
        Self {
            check_tenant: false,
            ..self
        }
    }

    /// The backend took these items, sent as `tenant`.
    pub fn accept(&self, signal: Signal, tenant: Option<&str>, delivery: &Delivery) {
        self.record(signal, delivery, |ledger, arrivals, first, count| {
            let fresh = arrivals.seen.insert(first, count);
            arrivals.duplicates += count - fresh;
            if first < arrivals.next {
                arrivals.reordered += fresh;
            }
            arrivals.next = arrivals.next.max(first + count);
            if self.check_tenant && ledger.tenant.as_deref() != tenant {
                arrivals.misdelivered += count;
            }
        });
    }

    /// The backend refused these items for good, and said so.
    pub fn refuse(&self, signal: Signal, delivery: &Delivery) {
        self.record(signal, delivery, |_, arrivals, first, count| {
            arrivals.excused.insert(first, count);
        });
    }

    /// The backend got a request that does not decode.
    pub fn undecodable(&self) {
        lock(&self.oracle.destinations[self.index]).undecodable += 1;
    }

    fn record(
        &self,
        signal: Signal,
        delivery: &Delivery,
        enter: impl Fn(&Ledger, &mut Arrivals, u64, u64),
    ) {
        let mut invented = delivery.strangers;
        for run in &delivery.runs {
            let ledger = {
                let streams = self
                    .oracle
                    .streams
                    .read()
                    .unwrap_or_else(PoisonError::into_inner);
                streams.get(run.first.stream as usize).cloned()
            };
            let ours = run.first.run == self.oracle.run;
            let Some(ledger) = ledger.filter(|ledger| ours && ledger.signal == signal) else {
                invented += run.count;
                continue;
            };
            let mut account = lock(&ledger.account);
            let first = run.first.sequence;
            let known = account.issued.saturating_sub(first).min(run.count);
            invented += run.count - known;
            enter(&ledger, &mut account.arrivals[self.index], first, known);
        }
        if invented + delivery.corrupted > 0 {
            let mut strays = lock(&self.oracle.destinations[self.index]);
            strays.invented[signal as usize] += invented;
            strays.corrupted[signal as usize] += delivery.corrupted;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Run;

    fn delivery(runs: &[(Number, u64)]) -> Delivery {
        let runs: Vec<Run> = runs
            .iter()
            .map(|(first, count)| Run {
                first: *first,
                count: *count,
            })
            .collect();
        let items = runs.iter().map(|run| run.count).sum();
        Delivery {
            runs,
            items,
            ..Delivery::default()
        }
    }

    /// One stream of 100 numbers, of which the first 80 are acknowledged.
    fn scene() -> (Arc<Oracle>, Number, Destination) {
        let oracle = Oracle::new(5, &["a", "b"]);
        let stream = oracle.open_stream(Signal::Logs, Some("red"));
        let first = stream.claim(100);
        stream.acknowledged(first, 80);
        let destination = oracle.destination("a").unwrap();
        (oracle, first, destination)
    }

    fn total(oracle: &Oracle) -> Tally {
        oracle.verdicts()[0].total()
    }

    #[test]
    fn each_fate_is_told_apart() {
        let at = |first: Number, sequence| Number { sequence, ..first };
        let base = Tally {
            issued: 100,
            acked: 80,
            ..Tally::default()
        };
        type Act = fn(&Destination, Number, &dyn Fn(Number, u64) -> Number);
        let cases: [(&str, Act, Tally); 9] = [
            (
                "nothing",
                |_, _, _| {},
                Tally {
                    missing: 80,
                    ..base
                },
            ),
            (
                "all",
                |to, first, _| to.accept(Signal::Logs, Some("red"), &delivery(&[(first, 80)])),
                Tally {
                    delivered: 80,
                    ..base
                },
            ),
            (
                "unacknowledged too",
                |to, first, _| to.accept(Signal::Logs, Some("red"), &delivery(&[(first, 100)])),
                Tally {
                    delivered: 100,
                    ..base
                },
            ),
            (
                "ten of them twice",
                |to, first, _| {
                    let all = delivery(&[(first, 80), (first, 10)]);
                    to.accept(Signal::Logs, Some("red"), &all);
                },
                Tally {
                    delivered: 80,
                    duplicates: 10,
                    ..base
                },
            ),
            (
                "halves swapped",
                |to, first, at| {
                    let all = delivery(&[(at(first, 40), 40), (first, 40)]);
                    to.accept(Signal::Logs, Some("red"), &all);
                },
                Tally {
                    delivered: 80,
                    reordered: 40,
                    ..base
                },
            ),
            (
                "beyond what was issued",
                |to, first, at| {
                    let all = delivery(&[(first, 80), (at(first, 90), 30)]);
                    to.accept(Signal::Logs, Some("red"), &all);
                },
                Tally {
                    delivered: 90,
                    invented: 20,
                    ..base
                },
            ),
            (
                "as another signal and in another run",
                |to, first, _| {
                    to.accept(Signal::Logs, Some("red"), &delivery(&[(first, 80)]));
                    to.accept(Signal::Traces, Some("red"), &delivery(&[(first, 3)]));
                    let other = Number { run: 6, ..first };
                    to.accept(Signal::Logs, Some("red"), &delivery(&[(other, 4)]));
                },
                Tally {
                    delivered: 80,
                    invented: 7,
                    ..base
                },
            ),
            (
                "under another tenant",
                |to, first, _| to.accept(Signal::Logs, Some("blue"), &delivery(&[(first, 80)])),
                Tally {
                    delivered: 80,
                    misdelivered: 80,
                    ..base
                },
            ),
            (
                "in part refused by the backend, and some of that accepted later",
                |to, first, at| {
                    to.refuse(Signal::Logs, &delivery(&[(first, 30)]));
                    let rest = delivery(&[(at(first, 10), 60)]);
                    to.accept(Signal::Logs, Some("red"), &rest);
                },
                Tally {
                    delivered: 60,
                    excused: 10,
                    missing: 10,
                    ..base
                },
            ),
        ];
        for (name, act, expected) in cases {
            let (oracle, first, destination) = scene();
            act(&destination, first, &at);
            assert_eq!(total(&oracle), expected, "{name}");
            assert_eq!(oracle.outstanding("a"), expected.missing, "{name}");
            assert_eq!(oracle.outstanding("b"), 80, "{name}");
        }
    }

    #[test]
    fn damage_is_counted_by_destination() {
        let (oracle, _, destination) = scene();
        let damaged = Delivery {
            items: 3,
            corrupted: 2,
            strangers: 1,
            ..Delivery::default()
        };
        destination.accept(Signal::Metrics, None, &damaged);
        destination.undecodable();
        let verdicts = oracle.verdicts();
        let total = verdicts[0].total();
        assert_eq!(
            (total.corrupted, total.invented, verdicts[0].undecodable),
            (2, 1, 1)
        );
        assert!(!verdicts[0].clean());
        assert_eq!(verdicts[1].total().corrupted, 0);
    }
}
