//! Components of Loki's family: streams of log lines.

pub mod echo;
mod receiver;

pub use receiver::{LogsReceiver, ReceiverExports, fanout};

use std::fmt::Write;

use crate::batch::Loki;

/// Lines of one batch that are shown to people who watch.
const DESCRIBED_LINES_MAX: usize = 1000;

/// Streams in words, for people who watch what flows.
pub(super) fn describe(loki: &Loki) -> String {
    let mut text = String::new();
    let lines = loki.streams().iter().flat_map(|stream| {
        let labels = stream.labels.to_string();
        stream
            .entries
            .iter()
            .map(move |entry| (labels.clone(), entry))
    });
    for (labels, entry) in lines.take(DESCRIBED_LINES_MAX) {
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            text,
            "ts: {}, labels: {labels}, line: {:?}, structured_metadata: {}",
            receiver::time(entry.timestamp_nanoseconds),
            entry.line,
            receiver::metadata(&entry.metadata),
        );
    }
    let hidden = loki.entries().saturating_sub(DESCRIBED_LINES_MAX as u64);
    if hidden > 0 {
        let _ = writeln!(text, "and {hidden} more");
    }
    text
}
