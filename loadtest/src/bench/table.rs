//! What a benchmark found: medians as a table for people, and every sample as JSON for machines.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    time::Duration,
};

use serde_json::{Value, json};

use super::Sample;
use crate::{Encoding, Signal};

/// Which measurement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// The signal.
    pub signal: Signal,
    /// Items in a request.
    pub items: usize,
    /// The encoding.
    pub encoding: Encoding,
    /// The system.
    pub system: String,
}

impl fmt::Display for Cell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} x{} {} {}",
            self.signal, self.items, self.encoding, self.system
        )
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{:.0} items/s, {:.0} for each core, p99 {:.1?}, {} MiB, {} lost",
            self.rate(),
            self.rate_per_core(),
            self.p99,
            self.resident_peak >> 20,
            self.lost
        )
    }
}

/// All samples.
#[derive(Clone, Debug, Default)]
pub struct Table {
    samples: BTreeMap<Cell, Vec<Sample>>,
}

impl Table {
    /// Adds a sample to a cell.
    pub fn add(&mut self, cell: Cell, sample: Sample) {
        self.samples.entry(cell).or_default().push(sample);
    }

    /// Items lost in all samples together; any makes its row void.
    pub fn lost(&self) -> u64 {
        self.samples
            .values()
            .flatten()
            .map(|sample| sample.lost)
            .sum()
    }

    /// The medians, in Markdown.
    pub fn to_markdown(&self) -> String {
        let mut text = String::from(
            "| signal | items/request | encoding | system | items/s | items/s/core | (spread) | \
             MB/s | harness cores | p50 ms | p99 ms | idle MiB | peak MiB | written/sent |\n\
             |---|--:|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        );
        for (cell, samples) in &self.samples {
            let lost: u64 = samples.iter().map(|sample| sample.lost).sum();
            let Cell {
                signal,
                items,
                encoding,
                system,
            } = cell;
            let line = if lost > 0 {
                format!("| {signal} | {items} | {encoding} | {system} | void: {lost} lost |")
            } else {
                format!(
                    "| {signal} | {items} | {encoding} | {system} | {} |",
                    row(samples)
                )
            };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{line}");
        }
        text
    }

    /// Every sample, as JSON.
    pub fn to_json(&self) -> Value {
        let cells = self.samples.iter().map(|(cell, samples)| {
            json!({
                "signal": cell.signal.as_str(),
                "items_per_request": cell.items,
                "encoding": cell.encoding.as_str(),
                "system": cell.system,
                "samples": samples.iter().map(sample_json).collect::<Vec<_>>(),
            })
        });
        Value::Array(cells.collect())
    }
}

fn row(samples: &[Sample]) -> String {
    let per_core = |sample: &Sample| sample.rate_per_core();
    let least = samples.iter().map(per_core).fold(f64::INFINITY, f64::min);
    let most = samples.iter().map(per_core).fold(0.0, f64::max);
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let seconds = |sample: &Sample| sample.wall.as_secs_f64();
    format!(
        "{:.0} | {:.0} | {least:.0}..{most:.0} | {:.0} | {:.2} | {:.2} | {:.2} | {:.0} | {:.0} | \
         {:.2}",
        median(samples, Sample::rate),
        median(samples, Sample::rate_per_core),
        median(samples, |sample| sample.bytes as f64
            / 1e6
            / seconds(sample)),
        median(samples, |sample| sample.harness_cpu.as_secs_f64()
            / seconds(sample)),
        median(samples, |sample| millis(sample.p50)),
        median(samples, |sample| millis(sample.p99)),
        median(samples, |sample| mebibytes(sample.resident_idle)),
        median(samples, |sample| mebibytes(sample.resident_peak)),
        median(samples, |sample| sample.written as f64
            / sample.bytes.max(1) as f64),
    )
}

fn sample_json(sample: &Sample) -> Value {
    json!({
        "items": sample.items,
        "bytes": sample.bytes,
        "wall_seconds": sample.wall.as_secs_f64(),
        "cpu_seconds": sample.cpu.as_secs_f64(),
        "harness_cpu_seconds": sample.harness_cpu.as_secs_f64(),
        "resident_idle_bytes": sample.resident_idle,
        "resident_peak_bytes": sample.resident_peak,
        "written_bytes": sample.written,
        "p50_seconds": sample.p50.as_secs_f64(),
        "p99_seconds": sample.p99.as_secs_f64(),
        "lost": sample.lost,
    })
}

/// The middle value, or the mean of the two in the middle.
fn median(samples: &[Sample], value: impl Fn(&Sample) -> f64) -> f64 {
    let mut values: Vec<_> = samples.iter().map(value).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(system: &str) -> Cell {
        Cell {
            signal: Signal::Logs,
            items: 512,
            encoding: Encoding::Gzip,
            system: system.into(),
        }
    }

    fn sample(items: u64) -> Sample {
        let (wall, cpu) = (Duration::from_secs(2), Duration::from_secs(1));
        Sample {
            items,
            wall,
            cpu,
            ..Sample::default()
        }
    }

    #[test]
    fn the_table_has_medians_and_voids_what_lost_something() {
        let mut table = Table::default();
        for items in [500, 100, 300] {
            table.add(cell("a"), sample(items));
        }
        table.add(cell("b"), sample(400));
        table.add(
            cell("b"),
            Sample {
                lost: 7,
                ..sample(400)
            },
        );
        let text = table.to_markdown();
        assert!(
            text.contains("| logs | 512 | gzip | a | 150 | 300 | 100..500 |"),
            "{text}"
        );
        assert!(
            text.contains("| logs | 512 | gzip | b | void: 7 lost |"),
            "{text}"
        );
        assert_eq!(table.lost(), 7);
        assert_eq!(table.to_json()[0]["samples"][2]["items"], 300);
    }

    #[test]
    fn a_median_is_in_the_middle() {
        let median = |items: &[u64]| {
            let samples: Vec<_> = items.iter().map(|items| sample(*items)).collect();
            median(&samples, |sample| sample.items as f64)
        };
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[3]), 3.0);
        assert_eq!(median(&[9, 1]), 5.0);
        assert_eq!(median(&[9, 1, 2]), 2.0);
    }
}
