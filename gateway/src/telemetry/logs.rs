//! Corten's own logs, on standard error, in logfmt or JSON; level and format follow the `logging`
//! block without a restart.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::{Map, Value};
use syntax::Keyword;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    filter::{FilterExt, filter_fn},
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::Writer,
        time::{FormatTime, SystemTime},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
    reload,
    util::SubscriberInitExt,
};

use super::{
    Spans,
    lines::{Lines, Pen},
};

/// The longest value of a field, in bytes: what a backend or a client says is cut here.
const VALUE_LENGTH_MAX: usize = 512;

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Keyword)]
pub enum Level {
    /// Only what went wrong.
    #[keyword("error")]
    Error,
    /// And what may go wrong.
    #[keyword("warn")]
    Warn,
    /// And what happens rarely.
    #[default]
    #[keyword("info")]
    Info,
    /// And what happens often.
    #[keyword("debug")]
    Debug,
}

/// How a line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Keyword)]
pub enum Format {
    /// `ts=... level=info msg="..." key=value`
    #[default]
    #[keyword("logfmt")]
    Logfmt,
    /// One object a line.
    #[keyword("json")]
    Json,
}

/// What the `logging` block sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogSettings {
    /// How much is logged.
    pub level: Level,
    /// How it is written.
    pub format: Format,
}

/// The target of lines whose very purpose is to show telemetry. They are written, and never become
/// telemetry themselves: it would be shown again, and so on for ever.
pub const SHOWN: &str = "corten::shown";

type Layers = Vec<Box<dyn Layer<Registry> + Send + Sync>>;

/// A handle to the process's logs.
#[derive(Clone, Debug)]
pub struct Logs {
    filter: reload::Handle<EnvFilter, Registry>,
    is_json: Arc<AtomicBool>,
    lines: Lines,
    spans: Spans,
}

impl Logs {
    /// Starts logging. Called by `main`; a second call gives the same logs, so that tests may share
    /// a process.
    pub fn start() -> Self {
        static STARTED: OnceLock<Logs> = OnceLock::new();
        let start = || {
            let (logs, layers) = Self::made();
            let _ = tracing_subscriber::registry().with(layers).try_init();
            logs
        };
        STARTED.get_or_init(start).clone()
    }

    /// A handle to logs that nobody writes, for where a configuration is only checked.
    pub fn unstarted() -> Self {
        Self::made().0
    }

    fn made() -> (Self, Layers) {
        let settings = LogSettings::default();
        let (filter, handle) = reload::Layer::new(filter(settings.level));
        let is_json = Arc::new(AtomicBool::new(settings.format == Format::Json));
        let lines = Lines::default();
        let line = Line {
            is_json: is_json.clone(),
        };
        let writer = tracing_subscriber::fmt::layer()
            .with_writer(Pen::new(lines.clone()))
            .event_format(line)
            // Lines do not name spans, so none is made for them.
            .with_filter(filter.and(filter_fn(|metadata| metadata.is_event())));
        let (spans, span_layer) = Spans::new();
        let logs = Self {
            filter: handle,
            is_json,
            lines,
            spans,
        };
        (logs, vec![writer.boxed(), span_layer])
    }

    /// Applies the settings of a `logging` block.
    pub fn apply(&self, settings: LogSettings) {
        let is_json = settings.format == Format::Json;
        self.is_json.store(is_json, Ordering::Relaxed);
        // It fails only when the subscriber is gone, and then nobody logs.
        let _ = self.filter.reload(filter(settings.level));
    }

    /// The lines themselves, for those who want to have them.
    pub fn lines(&self) -> &Lines {
        &self.lines
    }

    /// The process's own spans.
    pub fn spans(&self) -> &Spans {
        &self.spans
    }
}

fn filter(level: Level) -> EnvFilter {
    let (ours, others) = match level {
        Level::Error => ("error", "error"),
        Level::Warn => ("warn", "warn"),
        Level::Info => ("info", "warn"),
        Level::Debug => ("debug", "info"),
    };
    EnvFilter::new(format!("{others},corten={ours},wal={ours},loadtest={ours}"))
}

/// The formatter of a line.
#[derive(Debug)]
struct Line {
    is_json: Arc<AtomicBool>,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let mut fields = Fields {
            map: Map::new(),
            whole: event.metadata().target() == SHOWN,
        };
        fields.map.insert("ts".into(), time.into());
        fields
            .map
            .insert("level".into(), level_word(*event.metadata().level()).into());
        fields.map.insert("msg".into(), "".into());
        event.record(&mut fields);
        if self.is_json.load(Ordering::Relaxed) {
            return writeln!(writer, "{}", Value::Object(fields.map));
        }
        for (number, (name, value)) in fields.map.iter().enumerate() {
            let space = if number == 0 { "" } else { " " };
            write!(writer, "{space}{name}={}", logfmt(value))?;
        }
        writeln!(writer)
    }
}

fn level_word(level: tracing::Level) -> &'static str {
    match level {
        tracing::Level::ERROR => "error",
        tracing::Level::WARN => "warn",
        tracing::Level::INFO => "info",
        _ => "debug",
    }
}

/// A value in logfmt: bare where it can be, quoted with control characters escaped where it must,
/// so that nobody's data can forge a line.
fn logfmt(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let bare = |c: char| !c.is_control() && !c.is_whitespace() && c != '"' && c != '=';
            if !text.is_empty() && text.chars().all(bare) {
                text.clone()
            } else {
                value.to_string()
            }
        }
        other => other.to_string(),
    }
}

struct Fields {
    map: Map<String, Value>,
    /// Whether values are shown whole, however long they are.
    whole: bool,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        let name = if field.name() == "message" {
            "msg"
        } else {
            field.name()
        };
        self.map.insert(name.to_owned(), value);
    }

    fn put_text(&mut self, field: &Field, mut text: String) {
        if text.len() > VALUE_LENGTH_MAX && field.name() != "message" && !self.whole {
            text.truncate(text.floor_char_boundary(VALUE_LENGTH_MAX));
            text.push_str("...");
        }
        self.put(field, text.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put_text(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_text(field, value.to_owned());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_can_forge_a_line() {
        let cases = [
            ("plain", "plain"),
            ("", "\"\""),
            ("two words", "\"two words\""),
            ("a\nlevel=error", "\"a\\nlevel=error\""),
            ("say \"hi\"", "\"say \\\"hi\\\"\""),
            ("\u{1b}[31m", "\"\\u001b[31m\""),
        ];
        for (text, shown) in cases {
            assert_eq!(logfmt(&Value::from(text)), shown);
        }
    }
}
