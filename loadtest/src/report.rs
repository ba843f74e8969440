//! The count at the end of a test, and whether it proves anything.

use std::{fmt, time::Duration};

use crate::{
    Signal, Usage, Verdict,
    act::{Act, Done},
    backend::Counts,
    ledger::{Account, Imbalance},
    load::Sent,
    oracle::Tally,
    verdict::ACKED_MIN,
};

/// One signal at one destination.
#[derive(Clone, Debug)]
pub struct Row {
    /// The signal.
    pub signal: Signal,
    /// The backend.
    pub destination: String,
    /// What the applications did; the same for each destination.
    pub sent: Sent,
    /// How the first request that was refused for good was refused, if any was.
    pub refusal: Option<String>,
    /// What the oracle says of this destination.
    pub tally: Tally,
    /// What the system itself says of it, if it keeps a ledger.
    pub account: Option<Account>,
}

/// A test's result.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// A row for each signal and destination.
    pub rows: Vec<Row>,
    /// The oracle's verdict on each destination.
    pub verdicts: Vec<Verdict>,
    /// The system's own accounts that do not balance.
    pub imbalances: Vec<Imbalance>,
    /// What was to be done to the system and its backends.
    pub planned: Vec<Act>,
    /// What was done to the system.
    pub done: Done,
    /// What the backends counted, together.
    pub counts: Counts,
    /// For how long not all backends were healthy.
    pub outage: Duration,
    /// Whether a fresh item of each signal still came through in the end.
    pub alive: bool,
    /// Whether the system ended with success when asked to, and how it ended; none if it was left
    /// running.
    pub ended: Option<(bool, String)>,
    /// The system's costs over all of its lives.
    pub usage: Usage,
    /// How long all of it took.
    pub took: Duration,
}

impl Report {
    /// Whether the promise was kept, the ledger balances and the test means something.
    pub fn passed(&self) -> bool {
        self.failures().is_empty()
    }

    /// Why it did not pass, a sentence for each reason.
    pub fn failures(&self) -> Vec<String> {
        let mut failures = self.broken_promises();
        failures.extend(self.ledger_failures());
        failures.extend(self.vacuities());
        failures
    }

    fn broken_promises(&self) -> Vec<String> {
        let mut broken = Vec::new();
        for verdict in self.verdicts.iter().filter(|verdict| !verdict.clean()) {
            let total = verdict.total();
            broken.push(format!(
                "the {} backend misses {} acknowledged items, got {} damaged, {} that nobody sent, \
                 {} under another tenant and {} requests that do not decode",
                verdict.destination,
                total.missing,
                total.corrupted,
                total.invented,
                total.misdelivered,
                verdict.undecodable
            ));
        }
        for row in self
            .rows_by_signal()
            .filter(|row| turned_away(&row.sent) > 0)
        {
            broken.push(format!(
                "{} good {} were refused for good or for too long (the first for good: {})",
                turned_away(&row.sent),
                row.signal,
                row.refusal.as_deref().unwrap_or("none")
            ));
        }
        if !self.alive {
            broken.push("a fresh request did not come through in the end".into());
        }
        if let Some((false, status)) = &self.ended {
            broken.push(format!("it did not end with success on SIGTERM: {status}"));
        }
        broken
    }

    fn ledger_failures(&self) -> Vec<String> {
        let imbalances = self.imbalances.iter();
        let mut failures: Vec<_> = imbalances
            .map(|one| format!("the ledger does not balance: {one}"))
            .collect();
        for row in &self.rows {
            let Some(account) = &row.account else {
                continue;
            };
            let (signal, destination, tally) = (row.signal, &row.destination, &row.tally);
            // Every acknowledged item was accepted; one whose answer was lost may have been too.
            if account.accepted < tally.acked {
                failures.push(format!(
                    "the ledger has {} {signal} accepted for {destination}, fewer than the {} \
                     acknowledged",
                    account.accepted, tally.acked
                ));
            }
            if account.queued > 0 {
                let queued = account.queued;
                failures.push(format!(
                    "the ledger has {queued} {signal} queued for {destination} in the end"
                ));
            }
            if account.dropped() > tally.excused {
                failures.push(format!(
                    "the ledger has {} {signal} dropped for {destination}, which refused only {}",
                    account.dropped(),
                    tally.excused
                ));
            }
        }
        failures
    }

    /// What did not happen although it should have: without it the result means nothing.
    fn vacuities(&self) -> Vec<String> {
        let mut vacuities = Vec::new();
        for act in self
            .planned
            .iter()
            .filter(|act| !act.happened(&self.done, &self.counts))
        {
            vacuities.push(format!("planned, but without any effect: {act}"));
        }
        if self.rows.is_empty() {
            vacuities.push("nothing was sent".into());
        }
        for row in self
            .rows_by_signal()
            .filter(|row| row.tally.acked < ACKED_MIN)
        {
            vacuities.push(format!(
                "only {} {} were acknowledged, fewer than {ACKED_MIN} prove nothing",
                row.tally.acked, row.signal
            ));
        }
        vacuities
    }

    /// One row of each signal, for what does not depend on the destination.
    fn rows_by_signal(&self) -> impl Iterator<Item = &Row> {
        let first = self.rows.first().map(|row| &row.destination);
        self.rows
            .iter()
            .filter(move |row| Some(&row.destination) == first)
    }

    fn table(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "{:<8} {:<5} {:>10} {:>13} {:>10} {:>8} {:>8} {:>9} {:>11} {:>6}",
            "signal",
            "to",
            "sent",
            "acknowledged",
            "delivered",
            "queued",
            "refused",
            "rejected",
            "duplicates",
            "lost"
        )?;
        for row in &self.rows {
            let queued = row
                .account
                .as_ref()
                .map(|account| account.queued.to_string());
            writeln!(
                out,
                "{:<8} {:<5} {:>10} {:>13} {:>10} {:>8} {:>8} {:>9} {:>11} {:>6}",
                row.signal,
                row.destination,
                row.tally.issued,
                row.tally.acked,
                row.tally.delivered,
                queued.as_deref().unwrap_or("-"),
                turned_away(&row.sent),
                row.tally.excused,
                row.tally.duplicates,
                row.tally.missing
            )?;
        }
        Ok(())
    }

    fn story(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (done, counts) = (&self.done, &self.counts);
        writeln!(
            out,
            "\nkilled {} times, restarted {}, paused {}; backends were faulty for {:.0?}: they cut \
             {} connections,\nrefused {} connections and {} requests, left {} unanswered and lost \
             {} answers",
            done.kills,
            done.restarts,
            done.pauses,
            self.outage,
            counts.connections_reset,
            counts.connections_refused,
            counts.refused,
            counts.hung,
            counts.responses_lost
        )?;
        let (mut refusals, mut lost) = (0, 0);
        for row in self.rows_by_signal() {
            refusals += row.sent.refusals + row.sent.unreachable;
            lost += row.sent.responses_lost;
        }
        writeln!(
            out,
            "applications were put off or not answered {} times, and each time sent again",
            refusals + lost
        )?;
        let duplicates: u64 = self.verdicts.iter().map(|one| one.total().duplicates).sum();
        match duplicates {
            0 => writeln!(
                out,
                "no duplicates: nothing had arrived of what was sent again"
            )?,
            count => writeln!(
                out,
                "{count} duplicates: what was cut off half way was sent again"
            )?,
        }
        writeln!(
            out,
            "{:.1?} of CPU time, {} MiB of memory at most, {} of {} requests to backends \
             compressed, in {:.0?}",
            self.usage.cpu,
            self.usage.resident_peak >> 20,
            counts.compressed,
            counts.requests,
            self.took
        )
    }
}

/// Items that the applications could not get rid of.
fn turned_away(sent: &Sent) -> u64 {
    sent.refused + sent.rejected + sent.abandoned
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table(out)?;
        self.story(out)?;
        let failures = self.failures();
        if failures.is_empty() {
            let ledger = self.rows.iter().any(|row| row.account.is_some());
            let ledger = if ledger {
                ", and its own ledger balances"
            } else {
                ""
            };
            let excused: u64 = self.rows.iter().map(|row| row.tally.excused).sum();
            let but = match excused {
                0 => String::new(),
                items => format!(", but for {items} items that it rejected itself"),
            };
            return write!(
                out,
                "\npassed: everything acknowledged arrived at every backend{but}{ledger}"
            );
        }
        write!(out, "\nFAILED")?;
        for failure in failures {
            write!(out, "\n  - {failure}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Fault;
    use crate::client::Protocol;

    /// A report in which all is well.
    fn good() -> Report {
        let tally = Tally {
            issued: 500,
            acked: 500,
            delivered: 500,
            ..Tally::default()
        };
        let account = Account {
            accepted: 500,
            delivered: 500,
            ..Account::default()
        };
        let mut verdict = Verdict::new("grpc");
        verdict.add(Signal::Logs, Some("red"), &tally);
        Report {
            rows: vec![Row {
                signal: Signal::Logs,
                destination: "grpc".into(),
                sent: Sent {
                    items: 500,
                    acked: 500,
                    ..Sent::default()
                },
                refusal: None,
                tally,
                account: Some(account),
            }],
            verdicts: vec![verdict],
            planned: vec![Act::Kill, Act::Fault(Protocol::Grpc, Fault::Down)],
            done: Done {
                kills: 1,
                ..Done::default()
            },
            counts: Counts {
                connections_reset: 1,
                ..Counts::default()
            },
            alive: true,
            ended: Some((true, "exit status: 0".into())),
            ..Report::default()
        }
    }

    #[test]
    fn each_flaw_alone_fails_it() {
        assert_eq!(good().failures(), Vec::<String>::new());
        type Spoil = fn(&mut Report);
        let cases: [(Spoil, &str); 12] = [
            (
                |report| {
                    let lost = Tally {
                        missing: 1,
                        ..Tally::default()
                    };
                    report.verdicts[0].add(Signal::Logs, None, &lost);
                },
                "misses 1 acknowledged items",
            ),
            (
                |report| report.verdicts[0].undecodable = 2,
                "2 requests that do not decode",
            ),
            (
                |report| report.rows[0].sent.abandoned = 3,
                "3 good logs were refused",
            ),
            (|report| report.alive = false, "fresh request"),
            (
                |report| report.ended = Some((false, "signal: 6".into())),
                "signal: 6",
            ),
            (
                |report| report.rows[0].account.as_mut().unwrap().accepted = 499,
                "fewer than the 500",
            ),
            (
                |report| report.rows[0].account.as_mut().unwrap().queued = 4,
                "4 logs queued",
            ),
            (
                |report| {
                    let account = report.rows[0].account.as_mut().unwrap();
                    account.dropped.insert("http 400".into(), 5);
                },
                "5 logs dropped for grpc, which refused only 0",
            ),
            (|report| report.done.kills = 0, "without any effect: kill"),
            (
                |report| report.counts.connections_reset = 0,
                "the grpc backend is down",
            ),
            (|report| report.rows[0].tally.acked = 99, "only 99 logs"),
            (|report| report.rows.clear(), "nothing was sent"),
        ];
        for (spoil, expected) in cases {
            let mut report = good();
            spoil(&mut report);
            let failures = report.failures();
            assert!(
                failures.len() == 1 && failures[0].contains(expected),
                "{failures:?}"
            );
            assert!(report.to_string().contains("FAILED"));
        }
    }
}
