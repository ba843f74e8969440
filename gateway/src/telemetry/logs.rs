//! Corten's own logs, on standard error, in logfmt or JSON; level and format follow the `logging`
//! block without a restart.

use std::fmt;

use serde_json::{Map, Value};
use syntax::Keyword;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter, Registry,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{DefaultFields, Writer},
        time::{FormatTime, SystemTime},
    },
    layer::SubscriberExt,
    registry::LookupSpan,
    reload,
    util::SubscriberInitExt,
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

type Filtered = tracing_subscriber::layer::Layered<reload::Layer<EnvFilter, Registry>, Registry>;
type Lines = tracing_subscriber::fmt::Layer<Filtered, DefaultFields, Line, fn() -> std::io::Stderr>;

/// A handle to the process's logs.
#[derive(Clone, Debug)]
pub struct Logs {
    filter: reload::Handle<EnvFilter, Registry>,
    format: reload::Handle<Lines, Filtered>,
}

impl Logs {
    /// Starts logging. Called once, by `main`; a second call changes nothing but is no error, so
    /// that tests may share a process.
    pub fn start() -> Self {
        let (logs, subscriber) = Self::made();
        let _ = subscriber.try_init();
        logs
    }

    /// A handle to logs that nobody writes, for where a configuration is only checked.
    pub fn unstarted() -> Self {
        Self::made().0
    }

    fn made() -> (Self, impl SubscriberInitExt) {
        let settings = LogSettings::default();
        let (filter, filter_handle) = reload::Layer::new(filter(settings.level));
        let (lines, format_handle) = reload::Layer::new(lines(settings.format));
        let logs = Self {
            filter: filter_handle,
            format: format_handle,
        };
        (
            logs,
            tracing_subscriber::registry().with(filter).with(lines),
        )
    }

    /// Applies the settings of a `logging` block.
    pub fn apply(&self, settings: LogSettings) {
        // Both fail only when the subscriber is gone, and then nobody logs.
        let _ = self.filter.reload(filter(settings.level));
        let _ = self.format.reload(lines(settings.format));
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

fn lines(format: Format) -> Lines {
    let stderr: fn() -> std::io::Stderr = std::io::stderr;
    tracing_subscriber::fmt::layer()
        .with_writer(stderr)
        .event_format(Line { format })
}

/// The formatter of a line.
#[derive(Debug)]
struct Line {
    format: Format,
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
        let mut fields = Fields::default();
        fields.0.insert("ts".into(), time.into());
        fields
            .0
            .insert("level".into(), level_word(*event.metadata().level()).into());
        fields.0.insert("msg".into(), "".into());
        event.record(&mut fields);
        match self.format {
            Format::Json => writeln!(writer, "{}", Value::Object(fields.0)),
            Format::Logfmt => {
                for (number, (name, value)) in fields.0.iter().enumerate() {
                    let space = if number == 0 { "" } else { " " };
                    write!(writer, "{space}{name}={}", logfmt(value))?;
                }
                writeln!(writer)
            }
        }
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

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        let name = if field.name() == "message" {
            "msg"
        } else {
            field.name()
        };
        self.0.insert(name.to_owned(), value);
    }

    fn put_text(&mut self, field: &Field, mut text: String) {
        if text.len() > VALUE_LENGTH_MAX && field.name() != "message" {
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
