//! Corten's own log lines on their way to standard error and into a bounded buffer, from which
//! whoever wants them takes them.
//!
//! A line that comes of handling lines must not become one more to be handled. So what is logged while
//! a task handles them quietly is written and not buffered, and so is what only shows telemetry.

use std::{
    collections::VecDeque,
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter},
};
use tokio::sync::Notify;
use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

use super::logs::SHOWN;

/// Lines that wait: what a busy minute at level `info` makes.
const LINES_MAX: usize = 4096;

/// Bytes that they may have together.
const BYTES_MAX: usize = 4 << 20;

tokio::task_local! {
    static QUIET: ();
}

/// Runs a future whose own lines are not buffered.
pub async fn quietly<F: Future>(future: F) -> F::Output {
    QUIET.scope((), future).await
}

/// A line as it was written, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnLine {
    /// When, in nanoseconds since 1970.
    pub time_nanoseconds: i64,
    /// What.
    pub text: String,
}

/// The buffer. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    buffer: Mutex<Buffer>,
    more: Notify,
}

#[derive(Debug)]
struct Buffer {
    lines: VecDeque<OwnLine>,
    bytes: usize,
    lost: u64,
    /// Whether anything is kept: at first, because the configuration may want the lines of the
    /// start; later if it does.
    is_open: bool,
    /// Who wants lines at present, by number; zero is nobody yet.
    wanted_by: u64,
}

impl Default for Buffer {
    fn default() -> Self {
        Self {
            lines: VecDeque::new(),
            bytes: 0,
            lost: 0,
            is_open: true,
            wanted_by: 0,
        }
    }
}

impl Buffer {
    fn push(&mut self, line: OwnLine) {
        self.bytes += line.text.len();
        self.lines.push_back(line);
        while self.lines.len() > LINES_MAX || self.bytes > BYTES_MAX {
            let Some(oldest) = self.lines.pop_front() else {
                break;
            };
            self.bytes -= oldest.text.len();
            self.lost += u64::from(self.wanted_by > 0);
        }
    }

    fn close(&mut self) {
        self.is_open = false;
        self.lines.clear();
        self.bytes = 0;
    }
}

impl Lines {
    /// Keeps lines for who asks here, from now on and those that wait already. Whoever wanted them
    /// before gets no more.
    pub fn want(&self) -> WantedLines {
        let mut buffer = self.shared.buffer();
        buffer.wanted_by += 1;
        buffer.is_open = true;
        WantedLines {
            shared: self.shared.clone(),
            number: buffer.wanted_by,
        }
    }

    /// A configuration runs: if it does not want the lines, none are kept.
    pub fn configured(&self) {
        let mut buffer = self.shared.buffer();
        if buffer.wanted_by == 0 {
            buffer.close();
        }
    }

    /// The count of lines that were lost, for `/metrics`.
    pub fn collector(&self) -> Box<dyn Collector> {
        Box::new(Lost(self.shared.clone()))
    }
}

/// The lines that somebody wants, until this is dropped.
#[derive(Debug)]
pub struct WantedLines {
    shared: Arc<Shared>,
    number: u64,
}

impl WantedLines {
    /// Waits for lines and takes up to this many, oldest first; none once somebody else wants them.
    pub async fn take(&self, most: usize) -> Vec<OwnLine> {
        loop {
            let more = self.shared.more.notified();
            {
                let mut buffer = self.shared.buffer();
                if buffer.wanted_by != self.number {
                    return Vec::new();
                }
                if !buffer.lines.is_empty() {
                    return take(&mut buffer, most);
                }
            }
            more.await;
        }
    }

    /// Takes what waits, without waiting for more.
    pub fn rest(&self) -> Vec<OwnLine> {
        let mut buffer = self.shared.buffer();
        match buffer.wanted_by == self.number {
            true => take(&mut buffer, LINES_MAX),
            false => Vec::new(),
        }
    }

    /// Counts lines that were taken and could not be handed on.
    pub fn lose(&self, lines: usize) {
        self.shared.buffer().lost += lines as u64;
    }
}

impl Drop for WantedLines {
    fn drop(&mut self) {
        let mut buffer = self.shared.buffer();
        if buffer.wanted_by == self.number {
            buffer.close();
        }
    }
}

fn take(buffer: &mut Buffer, most: usize) -> Vec<OwnLine> {
    let count = buffer.lines.len().min(most);
    let taken: Vec<OwnLine> = buffer.lines.drain(..count).collect();
    buffer.bytes -= taken.iter().map(|line| line.text.len()).sum::<usize>();
    taken
}

impl Shared {
    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        // A panic elsewhere cannot leave the buffer half changed.
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, text: &[u8]) {
        let mut buffer = self.buffer();
        if !buffer.is_open {
            return;
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        buffer.push(OwnLine {
            time_nanoseconds: i64::try_from(now.as_nanos()).unwrap_or(i64::MAX),
            text: String::from_utf8_lossy(text).trim_end().to_owned(),
        });
        drop(buffer);
        self.more.notify_waiters();
    }
}

/// Writes lines to standard error and keeps them.
#[derive(Debug)]
pub(super) struct Pen {
    lines: Lines,
}

impl Pen {
    pub(super) fn new(lines: Lines) -> Self {
        Self { lines }
    }
}

/// Writes one line.
#[derive(Debug)]
pub(super) struct Stroke<'a> {
    keeps: Option<&'a Shared>,
}

impl<'a> MakeWriter<'a> for Pen {
    type Writer = Stroke<'a>;

    fn make_writer(&'a self) -> Stroke<'a> {
        let is_quiet = QUIET.try_with(|()| ()).is_ok();
        Stroke {
            keeps: (!is_quiet).then_some(&*self.lines.shared),
        }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Stroke<'a> {
        match metadata.target() {
            SHOWN => Stroke { keeps: None },
            _ => self.make_writer(),
        }
    }
}

impl io::Write for Stroke<'_> {
    /// The subscriber hands over a line at once.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(shared) = self.keeps {
            shared.keep(line);
        }
        // A standard error that nobody reads any more is no reason to keep nothing.
        let _ = io::stderr().write_all(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Lost(Arc<Shared>);

impl fmt::Debug for Lost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Lost")
    }
}

impl Collector for Lost {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        ConstCounter::new(self.0.buffer().lost).encode(encoder.encode_descriptor(
            "corten_logging_lines_lost",
            "Lines of Corten's own log that the receivers of its write_to did not get",
            None,
            MetricType::Counter,
        )?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: &[OwnLine]) -> Vec<&str> {
        lines.iter().map(|line| &*line.text).collect()
    }

    #[tokio::test]
    async fn the_lines_of_the_start_are_kept_for_who_wants_them() {
        let lines = Lines::default();
        lines.shared.keep(b"starting\n");
        let wanted = lines.want();
        lines.configured();
        lines.shared.keep(b"ready\n");
        assert_eq!(texts(&wanted.take(1).await), ["starting"]);
        assert_eq!(texts(&wanted.take(9).await), ["ready"]);
        // A successor takes over, and the one before it takes nothing away.
        let next = lines.want();
        lines.shared.keep(b"reloaded\n");
        assert!(wanted.take(9).await.is_empty());
        drop(wanted);
        assert_eq!(texts(&next.rest()), ["reloaded"]);
        drop(next);
        lines.shared.keep(b"unwanted\n");
        assert!(lines.want().rest().is_empty());

        let lines = Lines::default();
        lines.shared.keep(b"starting\n");
        lines.configured();
        assert!(lines.want().rest().is_empty());
    }

    #[test]
    fn the_oldest_go_and_are_counted() {
        let lines = Lines::default();
        let wanted = lines.want();
        for number in 0..LINES_MAX + 3 {
            lines.shared.keep(format!("{number}\n").as_bytes());
        }
        let rest = wanted.rest();
        assert_eq!((rest.len(), &*rest[0].text), (LINES_MAX, "3"));
        assert_eq!(lines.shared.buffer().lost, 3);
        let long = vec![b'x'; BYTES_MAX / 2 + 1];
        for _ in 0..3 {
            lines.shared.keep(&long);
        }
        assert_eq!(wanted.rest().len(), 1);
        assert_eq!(lines.shared.buffer().lost, 5);
        assert_eq!(lines.shared.buffer().bytes, 0);
    }

    #[tokio::test]
    async fn what_is_logged_quietly_is_not_kept() {
        let lines = Lines::default();
        let pen = Pen::new(lines.clone());
        assert!(pen.make_writer().keeps.is_some());
        let kept = quietly(async { pen.make_writer().keeps.is_some() }).await;
        assert!(!kept);
    }
}
