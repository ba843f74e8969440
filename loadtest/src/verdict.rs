//! The verdict on one destination: what became of what was sent, by signal and tenant.

use std::{collections::BTreeMap, fmt};

use crate::{Signal, oracle::Tally};

/// How many obligations a run must have before its verdict means anything.
pub const ACKED_MIN: u64 = 100;

/// What one destination got, against what it was owed.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The destination.
    pub destination: String,
    /// A row for each signal and tenant.
    pub rows: BTreeMap<(Signal, Option<String>), Tally>,
    /// Requests that the destination could not decode.
    pub undecodable: u64,
}

impl Verdict {
    pub(crate) fn new(destination: &str) -> Self {
        Self {
            destination: destination.into(),
            rows: BTreeMap::new(),
            undecodable: 0,
        }
    }

    pub(crate) fn add(&mut self, signal: Signal, tenant: Option<&str>, tally: &Tally) {
        self.rows
            .entry((signal, tenant.map(Into::into)))
            .or_default()
            .add(tally);
    }

    /// All rows together.
    pub fn total(&self) -> Tally {
        self.sum(|_| true)
    }

    /// All tenants of one signal together.
    pub fn of_signal(&self, signal: Signal) -> Tally {
        self.sum(|row| row == signal)
    }

    /// Whether the promise was kept: nothing missing, damaged, invented or misdelivered.
    /// Duplicates and order are for the reader to judge: at-least-once allows both.
    pub fn clean(&self) -> bool {
        let total = self.total();
        let broken = total.missing + total.corrupted + total.invented + total.misdelivered;
        broken + self.undecodable == 0
    }

    /// Why a clean verdict would mean nothing, if so: too little was asked.
    pub fn vacuous(&self) -> Option<String> {
        let acked = self.total().acked;
        (acked < ACKED_MIN).then(|| {
            format!("only {acked} items were acknowledged, fewer than {ACKED_MIN} prove nothing")
        })
    }

    fn sum(&self, wanted: impl Fn(Signal) -> bool) -> Tally {
        let mut total = Tally::default();
        for ((signal, _), tally) in &self.rows {
            if wanted(*signal) {
                total.add(tally);
            }
        }
        total
    }
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.issued += other.issued;
        self.acked += other.acked;
        self.delivered += other.delivered;
        self.excused += other.excused;
        self.missing += other.missing;
        self.duplicates += other.duplicates;
        self.reordered += other.reordered;
        self.misdelivered += other.misdelivered;
        self.corrupted += other.corrupted;
        self.invented += other.invented;
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "{:<8} {:<10} {:>10} {:>10} {:>10} {:>8} {:>8} {:>9} {:>8} {:>8} {:>8}",
            self.destination,
            "tenant",
            "issued",
            "acked",
            "delivered",
            "excused",
            "repeats",
            "reordered",
            "damaged",
            "invented",
            "lost"
        )?;
        for ((signal, tenant), row) in &self.rows {
            writeln!(
                out,
                "{:<8} {:<10} {:>10} {:>10} {:>10} {:>8} {:>8} {:>9} {:>8} {:>8} {:>8}",
                signal,
                tenant.as_deref().unwrap_or("-"),
                row.issued,
                row.acked,
                row.delivered,
                row.excused,
                row.duplicates,
                row.reordered,
                row.corrupted,
                row.invented,
                row.missing
            )?;
        }
        let misdelivered = self.total().misdelivered;
        if misdelivered > 0 {
            writeln!(out, "{misdelivered} items arrived under another tenant")?;
        }
        if self.undecodable > 0 {
            writeln!(out, "{} requests did not decode", self.undecodable)?;
        }
        Ok(())
    }
}
