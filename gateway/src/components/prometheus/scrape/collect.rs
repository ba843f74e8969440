//! What becomes of an answer: samples of series that are known, labels for those that are new, the end
//! of those that are gone, and the report on the target.
//!
//! Nothing here asks anybody or looks at a clock.

use std::collections::HashMap;
use std::sync::Arc;

use protos::prometheus::{
    LabelSet, NAME, STALE_NAN, SeriesWriter, Written,
    exposition::{Entry, Exemplar, Sample, Series},
};
use xxhash_rust::xxh64::xxh64;

use super::{cache::Cache, limits::Limits};

/// How far in the future a time may be that a target writes, in milliseconds: as far as Prometheus
/// lets it be.
const AHEAD_MILLISECONDS: i64 = 10 * 60 * 1000;

/// A native histogram that says that its series has ended, as it does by its sum.
const STALE_HISTOGRAM: [u8; 13] = {
    let bits = STALE_NAN.to_le_bytes();
    [
        0x08, 0, 0x19, bits[0], bits[1], bits[2], bits[3], bits[4], bits[5], bits[6], bits[7],
        0x30, 0,
    ]
};

/// How series of a target are read.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Labels that each of its series gets.
    pub(super) target: Arc<[(String, String)]>,
    pub(super) honor_labels: bool,
    pub(super) honor_timestamps: bool,
    /// Whether the end of series with times of their own is said.
    pub(super) track_timestamps: bool,
    pub(super) limits: Limits,
}

/// Collects what a target says, scrape after scrape.
#[derive(Debug)]
pub(super) struct Collector {
    settings: Settings,
    cache: Cache,
    writer: SeriesWriter,
    /// The number of the scrape, from 1.
    scrape: u32,
    /// When it was, in milliseconds since 1970.
    time: i64,
    counts: Counts,
    set: LabelSet,
    scratch: Vec<u8>,
    /// Time and hash of the last exemplar of each series that has one: targets show them again and
    /// again.
    exemplars: HashMap<u32, (i64, u64)>,
    /// The encoded labels of the report's series, by their names.
    reports: HashMap<&'static str, Vec<u8>>,
}

/// How much was in an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Samples that the target exposed.
    pub(super) scraped: u64,
    /// Samples that are handed on.
    pub(super) kept: u64,
    /// Series that were not there in the last scrape.
    pub(super) added: u64,
    /// Samples that are not handed on: too far ahead, or there twice.
    pub(super) refused: u64,
}

/// What is known of a scrape beside its samples.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Report {
    pub(super) is_up: bool,
    pub(super) seconds: f64,
    /// Only where more is wanted than the five usual series.
    pub(super) extra: Option<Extra>,
}

/// What more is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extra {
    pub(super) timeout_seconds: f64,
    pub(super) sample_limit: u64,
    /// Bytes of the answer; -1 if they were too many.
    pub(super) body_bytes: f64,
}

impl Collector {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            cache: Cache::default(),
            writer: SeriesWriter::new(),
            scrape: 0,
            time: 0,
            counts: Counts::default(),
            set: LabelSet::new(),
            scratch: Vec::new(),
            exemplars: HashMap::new(),
            reports: HashMap::new(),
        }
    }

    /// Whether series have the same labels with other settings.
    pub(super) fn writes_as(&self, settings: &Settings) -> bool {
        self.settings.honor_labels == settings.honor_labels
            && self.settings.target == settings.target
    }

    /// Goes on with other settings.
    pub(super) fn resume(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Begins a scrape.
    pub(super) fn begin(&mut self, time: i64) {
        self.scrape += 1;
        self.time = time;
        self.counts = Counts::default();
        self.cache.rewind();
        self.writer.take();
    }

    /// The series that is likely to come next.
    pub(super) fn expected(&self) -> &[u8] {
        self.cache.expected()
    }

    /// Takes an entry of the answer.
    ///
    /// # Errors
    /// A sentence, if the answer cannot be taken: a limit, or two labels of one name.
    pub(super) fn take(&mut self, entry: &Entry<'_>) -> Result<(), String> {
        match entry {
            Entry::Sample(sample) => self.sample(sample),
            Entry::Histogram(histogram) => {
                let Some((place, time)) = self.place(histogram.series, histogram.timestamp)? else {
                    return Ok(());
                };
                self.cache.entry(place).histogram = true;
                let entry = *self.cache.entry(place);
                let mut fresh = Vec::new();
                for exemplar in histogram.exemplars.clone() {
                    fresh.extend(self.encode(exemplar, time));
                }
                // They are taken in the order of their times only.
                fresh.sort_by_key(|exemplar| exemplar.time);
                fresh.retain(|exemplar| self.is_new(place, exemplar));
                let mut parts = self.writer.begin(self.cache.labels(&entry));
                parts = parts.histogram(histogram.encoded, time, histogram.start);
                for exemplar in &fresh {
                    let time = exemplar.time.unwrap_or(time);
                    parts = parts.exemplar(&exemplar.labels, exemplar.value, time);
                }
                parts.finish();
                Ok(())
            }
            Entry::Help { .. } | Entry::Kind { .. } | Entry::Unit { .. } => Ok(()),
        }
    }

    fn sample(&mut self, sample: &Sample<'_>) -> Result<(), String> {
        let Some((place, time)) = self.place(sample.series, sample.timestamp)? else {
            return Ok(());
        };
        let entry = *self.cache.entry(place);
        let exemplar = sample
            .exemplar
            .and_then(|exemplar| self.encode(exemplar, time));
        let exemplar = exemplar.filter(|exemplar| self.is_new(place, exemplar));
        let labels = self.cache.labels(&entry);
        match exemplar {
            None => self.writer.sample(labels, sample.value, time, sample.start),
            Some(exemplar) => self
                .writer
                .begin(labels)
                .sample(sample.value, time, sample.start)
                .exemplar(
                    &exemplar.labels,
                    exemplar.value,
                    exemplar.time.unwrap_or(time),
                )
                .finish(),
        }
        Ok(())
    }

    /// The place of a series, and the time of its sample; none if the sample is left out.
    fn place(
        &mut self,
        series: Series<'_>,
        timestamp: Option<i64>,
    ) -> Result<Option<(u32, i64)>, String> {
        self.counts.scraped += 1;
        let place = match self.cache.find(series.raw()) {
            Some(place) => place,
            None => self.add(series)?,
        };
        let timestamp = timestamp.filter(|_| self.settings.honor_timestamps);
        let time = timestamp.unwrap_or(self.time);
        let entry = self.cache.entry(place);
        let is_again = entry.seen == self.scrape && !entry.stamped && timestamp.is_none();
        if time > self.time + AHEAD_MILLISECONDS || is_again {
            self.counts.refused += 1;
            return Ok(None);
        }
        if entry.seen != self.scrape && entry.seen + 1 != self.scrape {
            self.counts.added += 1;
        }
        entry.seen = self.scrape;
        entry.stamped = timestamp.is_some() && !self.settings.track_timestamps;
        self.counts.kept += 1;
        let limit = self.settings.limits.samples;
        if limit > 0 && self.counts.kept > limit {
            return Err(format!(
                "there are more samples than sample_limit = {limit}"
            ));
        }
        Ok(Some((place, time)))
    }

    /// Makes labels for a series that is new.
    fn add(&mut self, series: Series<'_>) -> Result<u32, String> {
        series.labels(&mut self.set).map_err(|problem| {
            let raw = String::from_utf8_lossy(series.raw());
            format!("{problem} in {:.100}", raw)
        })?;
        merge(
            &mut self.set,
            &self.settings.target,
            self.settings.honor_labels,
        );
        self.settings.limits.check(&self.set)?;
        self.scratch.clear();
        self.set
            .encode(&mut self.scratch)
            .map_err(|duplicate| duplicate.to_string())?;
        let place = self.cache.insert(series.raw(), &self.scratch)?;
        // A series that is new has not been seen for longer than ever.
        self.cache.entry(place).seen = 0;
        if self.scrape == 1 {
            self.counts.added += 1;
        }
        Ok(place)
    }

    fn encode(&mut self, exemplar: Exemplar<'_>, time: i64) -> Option<Encoded> {
        exemplar.labels(&mut self.set).ok()?;
        let mut labels = Vec::new();
        self.set.encode(&mut labels).ok()?;
        let is_late = exemplar
            .timestamp
            .is_some_and(|at| at > time + AHEAD_MILLISECONDS);
        (!is_late).then_some(Encoded {
            labels,
            value: exemplar.value,
            time: exemplar.timestamp,
        })
    }

    /// Whether an exemplar is later than the last one of its series; if it has no time, whether it is
    /// another.
    fn is_new(&mut self, place: u32, exemplar: &Encoded) -> bool {
        let hash = xxh64(&exemplar.labels, exemplar.value.to_bits());
        let last = self.exemplars.get(&place).copied();
        let is_new = match (last, exemplar.time) {
            (None, _) => true,
            (Some((last, _)), Some(time)) => time > last,
            (Some((_, last)), None) => hash != last,
        };
        if is_new {
            let time = exemplar.time.or(last.map(|(time, _)| time));
            self.exemplars
                .insert(place, (time.unwrap_or(i64::MIN), hash));
        }
        is_new
    }

    /// Ends a scrape that went well: says the end of the series that are gone.
    pub(super) fn succeed(&mut self) -> Counts {
        let scrape = self.scrape;
        self.end(|seen| seen != scrape);
        for entry in self.cache.entries() {
            if entry.seen == scrape {
                entry.live = !entry.stamped;
            }
        }
        let before = self.cache.len();
        self.cache.forget(scrape);
        if self.cache.len() != before {
            // The places have changed; an exemplar that is written once more does no harm.
            self.exemplars.clear();
        }
        self.counts
    }

    /// Ends a scrape that failed: nothing of it counts, and every series has ended.
    pub(super) fn fail(&mut self) -> Counts {
        self.writer.take();
        self.end(|_| true);
        Counts {
            scraped: self.counts.scraped,
            ..Counts::default()
        }
    }

    /// Writes the end of the live series of which `is_gone` says so.
    fn end(&mut self, is_gone: impl Fn(u32) -> bool) {
        let mut ended = Vec::new();
        for entry in self.cache.entries() {
            if entry.live && is_gone(entry.seen) {
                entry.live = false;
                ended.push(*entry);
            }
        }
        for entry in ended {
            let labels = self.cache.labels(&entry);
            match entry.histogram {
                false => self
                    .writer
                    .sample(labels, f64::from_bits(STALE_NAN), self.time, None),
                true => self
                    .writer
                    .begin(labels)
                    .histogram(&STALE_HISTOGRAM, self.time, None)
                    .finish(),
            }
        }
    }

    /// Writes the report on a scrape.
    pub(super) fn report(&mut self, report: &Report, counts: &Counts) {
        let mut series = vec![
            ("up", f64::from(u8::from(report.is_up))),
            ("scrape_duration_seconds", report.seconds),
            ("scrape_samples_scraped", counts.scraped as f64),
            ("scrape_samples_post_metric_relabeling", counts.kept as f64),
            ("scrape_series_added", counts.added as f64),
        ];
        if let Some(extra) = &report.extra {
            series.push(("scrape_timeout_seconds", extra.timeout_seconds));
            series.push(("scrape_sample_limit", extra.sample_limit as f64));
            series.push(("scrape_body_size_bytes", extra.body_bytes));
        }
        for (name, value) in series {
            self.write_report(name, value);
        }
    }

    /// Ends everything: the target is gone.
    pub(super) fn leave(&mut self, time: i64) -> (Vec<u8>, Written) {
        self.begin(time);
        self.end(|_| true);
        let mut names: Vec<&'static str> = self.reports.keys().copied().collect();
        names.sort_unstable();
        for name in names {
            self.write_report(name, f64::from_bits(STALE_NAN));
        }
        self.writer.take()
    }

    /// Bytes of what is to be handed on so far.
    pub(super) fn written_bytes(&self) -> usize {
        self.writer.len()
    }

    /// What is to be handed on, as a request.
    pub(super) fn written(&mut self) -> (Vec<u8>, Written) {
        self.writer.take()
    }

    fn write_report(&mut self, name: &'static str, value: f64) {
        if !self.reports.contains_key(name) {
            self.set.clear();
            for (label, value) in self.settings.target.iter() {
                self.set.push(label, value);
            }
            self.set.set(NAME, name);
            let mut labels = Vec::new();
            // The labels of a target are there once each.
            let _ = self.set.encode(&mut labels);
            self.reports.insert(name, labels);
        }
        if let Some(labels) = self.reports.get(name) {
            self.writer.sample(labels, value, self.time, None);
        }
    }
}

/// An exemplar with encoded labels.
struct Encoded {
    labels: Vec<u8>,
    value: f64,
    time: Option<i64>,
}

/// Adds the labels of a target to those of a series. Where both have one, the series' wins, or is
/// called `exported_...` from now on.
fn merge(set: &mut LabelSet, target: &[(String, String)], honor_labels: bool) {
    let mut exported: Vec<(String, String)> = Vec::new();
    for (name, value) in target {
        if honor_labels {
            if !set.contains(name) {
                set.push(name, value);
            }
            continue;
        }
        let own = set.get(name);
        if !own.is_empty() {
            exported.push((name.clone(), own.to_owned()));
        }
        set.set(name, value);
    }
    exported.sort_by_key(|(name, _)| name.len());
    for (name, value) in exported {
        let mut name = format!("exported_{name}");
        while !set.get(&name).is_empty() {
            name.insert_str(0, "exported_");
        }
        set.set(&name, &value);
    }
}

#[cfg(test)]
mod tests;
