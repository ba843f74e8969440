//! Sets the level and the format of Corten's own logs, and where they go besides standard error.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{
    loki::{LogsReceiver, fanout},
    own::Own,
};
use crate::{
    batch::{Entry, Labels, Loki, Payload, Stream},
    graph::{self, Site},
    telemetry::{Format, Level, LogSettings, OwnLine, SERVICE_NAME, WantedLines},
};

/// Lines that are handed on together.
const LINES_AT_ONCE: usize = 512;

/// The label that tells whose lines these are.
const LABEL: &str = "component";

/// The `logging` block.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct Arguments {
    /// The least severe lines that are written.
    #[attr(default = "info")]
    level: Level,
    /// How a line is written.
    #[attr(default = "logfmt")]
    format: Format,
    /// Where the lines go first; `stderr` is the only place there is, for Corten does not run on
    /// Windows and so knows no `windows_event_log`.
    #[attr(default = "stderr")]
    destination: Destination,
    /// Who gets the lines besides, as a stream with the label `component="corten"`.
    #[attr(default)]
    write_to: Vec<LogsReceiver>,
}

#[derive(syntax::Keyword, Clone, Copy, Debug, PartialEq)]
enum Destination {
    #[keyword("stderr")]
    StandardError,
}

/// Nothing can be referred to.
#[derive(syntax::Exports, Clone, Debug)]
pub struct Exports {}

/// The settings, applied when it runs.
#[derive(Debug)]
pub struct Component {
    settings: LogSettings,
    site: Site,
    own: Own,
}

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = Exports;

    fn build(arguments: Arguments, site: Site) -> Result<Self, String> {
        let Arguments {
            level,
            format,
            destination: Destination::StandardError,
            write_to,
        } = arguments;
        Ok(Self {
            settings: LogSettings { level, format },
            own: Own::new(&site, fanout(&write_to).of(&site)),
            site,
        })
    }

    fn exports(&self) -> Exports {
        Exports {}
    }

    async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), String> {
        let logs = self.site.services().logs();
        logs.apply(self.settings);
        if self.own.is_empty() {
            stop.cancelled().await;
        } else {
            self.hand_on(&logs.lines().want(), &stop).await;
        }
        logs.apply(LogSettings::default());
        Ok(())
    }
}

impl Component {
    /// Hands the lines on until told to stop, and then what waits still.
    async fn hand_on(&self, wanted: &WantedLines, stop: &CancellationToken) {
        loop {
            let lines = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                lines = wanted.take(LINES_AT_ONCE) => lines,
            };
            if lines.is_empty() {
                // Somebody else has them now.
                return stop.cancelled().await;
            }
            self.hand_on_once(wanted, lines, stop).await;
        }
        let rest = wanted.rest();
        if !rest.is_empty() {
            self.hand_on_once(wanted, rest, stop).await;
        }
    }

    async fn hand_on_once(
        &self,
        wanted: &WantedLines,
        lines: Vec<OwnLine>,
        stop: &CancellationToken,
    ) {
        let count = lines.len();
        if !self.own.hand_on(payload(lines), stop).await {
            wanted.lose(count);
        }
    }
}

fn payload(lines: Vec<OwnLine>) -> Payload {
    let entry = |line: OwnLine| Entry {
        timestamp_nanoseconds: line.time_nanoseconds,
        line: line.text,
        metadata: Vec::new(),
    };
    Payload::Loki(Loki::new(vec![Stream {
        labels: Labels::from_iter([(LABEL, SERVICE_NAME)]),
        entries: lines.into_iter().map(entry).collect(),
    }]))
}
