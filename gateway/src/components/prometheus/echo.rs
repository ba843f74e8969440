//! Writes the samples that arrive to standard output, for a person to read.

use std::{fmt::Write as _, io::Write as _, sync::Arc};

use protos::prometheus::{Labels, NAME, SeriesView, series};

use super::{MetricsReceiver, ReceiverExports};
use crate::{
    batch::{Batch, ConsumeFuture, Consumer, Refusal, Staged},
    graph::{self, Health, Site},
    ledger::Outcome,
};

/// How samples are written.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct Arguments {
    /// `text` or `openmetrics`.
    #[attr(default = Format::Text)]
    format: Format,
}

/// A form of text.
#[derive(syntax::Keyword, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus's, with times in milliseconds.
    #[keyword("text")]
    Text,
    /// OpenMetrics, with times in seconds, and exemplars.
    #[keyword("openmetrics")]
    OpenMetrics,
}

/// A writer of what arrives.
#[derive(Debug)]
pub struct Component {
    format: Format,
    site: Site,
}

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = ReceiverExports;

    fn build(arguments: Arguments, site: Site) -> Result<Self, String> {
        Ok(Self {
            format: arguments.format,
            site,
        })
    }

    fn exports(&self) -> ReceiverExports {
        ReceiverExports {
            receiver: MetricsReceiver(self.site.input()),
        }
    }

    fn consumer(self: &Arc<Self>) -> Option<Arc<dyn Consumer>> {
        Some(self.clone())
    }
}

impl Consumer for Component {
    fn consume(&self, batch: Batch) -> ConsumeFuture<'_> {
        Box::pin(self.show(batch))
    }
}

impl Component {
    /// Shows a batch, and counts what became of it. What cannot be shown is not tried again: what is
    /// sent elsewhere at the same time must not wait for a console.
    async fn show(&self, batch: Batch) -> Result<Staged, Refusal> {
        let requested = batch.payload.prometheus()?;
        let (body, items, format) = (requested.body().clone(), requested.items(), self.format);
        let shown = tokio::task::spawn_blocking(move || {
            let text = render(&body, format);
            let mut console = std::io::stdout().lock();
            console.write_all(text.as_bytes())?;
            console.flush()
        });
        let outcome = match shown.await {
            Ok(Ok(())) => Outcome::Delivered,
            Ok(Err(error)) => {
                let words = format!("cannot write to standard output: {error}");
                self.site.report(Health::unhealthy(words));
                Outcome::Dropped("not_written")
            }
            Err(_) => Outcome::Dropped("not_written"),
        };
        let (ledger, tenant) = (self.site.services().ledger(), &batch.context.tenant);
        for outcome in [Outcome::Accepted, outcome] {
            ledger.count(self.site.id(), batch.signal(), tenant, outcome, items);
        }
        Ok(Staged::nothing())
    }
}

/// Samples of one batch that are shown to people who watch.
const DESCRIBED_SERIES_MAX: usize = 1000;

/// The first samples of a request, for people who watch what flows.
pub(super) fn describe(body: &[u8]) -> String {
    let mut text = String::new();
    let mut all = series(body);
    for series in all.by_ref().take(DESCRIBED_SERIES_MAX) {
        line(&mut text, series, Format::Text);
    }
    match all.count() {
        0 => {}
        // Writing to a String cannot fail.
        hidden => drop(writeln!(text, "and {hidden} series more")),
    }
    text
}

/// The samples of a request, one a line.
fn render(body: &[u8], format: Format) -> String {
    let mut text = String::new();
    for series in series(body) {
        line(&mut text, series, format);
    }
    if format == Format::OpenMetrics {
        text.push_str("# EOF\n");
    }
    text
}

fn line(out: &mut String, series: SeriesView<'_>, format: Format) {
    let mut name = String::new();
    write_labels(&mut name, series.labels());
    let time = |milliseconds: i64| match format {
        Format::Text => milliseconds.to_string(),
        Format::OpenMetrics => (milliseconds as f64 / 1000.0).to_string(),
    };
    let mut exemplars = series.exemplars();
    // Writing to a String cannot fail.
    for sample in series.samples() {
        let _ = write!(
            out,
            "{name} {} {}",
            number(sample.value),
            time(sample.timestamp)
        );
        if let (Format::OpenMetrics, Some(exemplar)) = (format, exemplars.next()) {
            let mut labels = String::new();
            pairs(&mut labels, exemplar.labels());
            let (value, at) = (number(exemplar.value()), time(exemplar.timestamp()));
            let _ = write!(out, " # {{{labels}}} {value} {at}");
        }
        out.push('\n');
    }
    for histogram in series.histograms() {
        let (count, sum) = (number(histogram.count()), number(histogram.sum()));
        let at = time(histogram.timestamp());
        let _ = writeln!(
            out,
            "# native histogram {name} count {count} sum {sum} {at}"
        );
    }
}

fn number(value: f64) -> String {
    match value {
        value if value.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    }
}

fn write_labels(out: &mut String, labels: Labels<'_>) {
    let name = labels.get(NAME);
    let is_plain = !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "_:".contains(letter));
    let mut others = String::new();
    pairs(&mut others, labels.iter().filter(|(name, _)| *name != NAME));
    let _ = match (is_plain, others.is_empty()) {
        (true, true) => write!(out, "{name}"),
        (true, false) => write!(out, "{name}{{{others}}}"),
        (false, true) => write!(out, "{{\"{}\"}}", escape(name)),
        (false, false) => write!(out, "{{\"{}\",{others}}}", escape(name)),
    };
}

fn pairs<'a>(out: &mut String, labels: impl Iterator<Item = (&'a str, &'a str)>) {
    for (index, (name, value)) in labels.enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let is_plain = !name.starts_with(|first: char| first.is_ascii_digit())
            && name
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        let _ = match is_plain {
            true => write!(out, "{comma}{name}=\"{}\"", escape(value)),
            false => write!(out, "{comma}\"{}\"=\"{}\"", escape(name), escape(value)),
        };
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use protos::prometheus::{LabelSet, SeriesWriter, exposition};

    use super::*;

    #[test]
    fn what_is_written_can_be_read_again() {
        let mut writer = SeriesWriter::new();
        let encode = |labels: &[(&str, &str)]| {
            let mut set: LabelSet = labels.iter().copied().collect();
            let mut encoded = Vec::new();
            set.encode(&mut encoded).unwrap();
            encoded
        };
        writer.sample(&encode(&[(NAME, "up")]), 1.0, 1500, None);
        writer
            .begin(&encode(&[(NAME, "a.b"), ("c d", "e\"\\\n")]))
            .sample(f64::INFINITY, 2000, None)
            .exemplar(&encode(&[("trace_id", "x")]), 0.5, 1000)
            .finish();
        let (body, _) = writer.take();
        let text = render(&body, Format::Text);
        assert_eq!(
            text,
            "up 1 1500\n{\"a.b\",\"c d\"=\"e\\\"\\\\\\n\"} +Inf 2000\n"
        );
        let open = render(&body, Format::OpenMetrics);
        assert!(
            open.contains("up 1 1.5\n") && open.contains(" # {trace_id=\"x\"} 0.5 1\n"),
            "{open}"
        );
        for (text, format) in [
            (text, exposition::Format::Text),
            (open, exposition::Format::OpenMetrics),
        ] {
            let mut parser = exposition::Parser::new(format, exposition::Options::default());
            parser.feed(text.as_bytes());
            parser.finish();
            let mut entries = 0;
            while parser.next().unwrap().is_some() {
                entries += 1;
            }
            assert_eq!(entries, 2);
        }
    }
}
