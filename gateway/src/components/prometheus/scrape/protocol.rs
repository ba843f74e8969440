//! The forms in which a target can be asked to answer.

use http::HeaderValue;
use protos::prometheus::exposition::Format;

/// A form, by the name that the arguments have for it.
#[derive(syntax::Keyword, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// OpenMetrics, old.
    #[keyword("OpenMetricsText0.0.1")]
    OpenMetrics0,
    /// OpenMetrics.
    #[keyword("OpenMetricsText1.0.0")]
    OpenMetrics1,
    /// Protobuf.
    #[keyword("PrometheusProto")]
    Proto,
    /// Text, old.
    #[keyword("PrometheusText0.0.4")]
    Text0,
    /// Text with UTF-8 names.
    #[keyword("PrometheusText1.0.0")]
    Text1,
}

impl Protocol {
    /// What is asked for by default.
    pub(super) const DEFAULT: [Self; 4] = [
        Self::OpenMetrics1,
        Self::OpenMetrics0,
        Self::Text1,
        Self::Text0,
    ];

    /// What is asked for where native histograms are wanted.
    pub(super) const NATIVE: [Self; 5] = [
        Self::Proto,
        Self::OpenMetrics1,
        Self::OpenMetrics0,
        Self::Text1,
        Self::Text0,
    ];

    fn media_type(self) -> &'static str {
        match self {
            Self::OpenMetrics0 => "application/openmetrics-text;version=0.0.1",
            Self::OpenMetrics1 => "application/openmetrics-text;version=1.0.0",
            Self::Proto => {
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
            }
            Self::Text0 => "text/plain;version=0.0.4",
            Self::Text1 => "text/plain;version=1.0.0",
        }
    }

    fn format(self) -> Format {
        match self {
            Self::OpenMetrics0 | Self::OpenMetrics1 => Format::OpenMetrics,
            Self::Proto => Format::Protobuf,
            Self::Text0 | Self::Text1 => Format::Text,
        }
    }
}

/// The `Accept` header for these forms, best first, with the escaping that is wanted for names.
pub(super) fn accept(protocols: &[Protocol], escaping: &str) -> HeaderValue {
    // Six steps are enough for all five forms and whatever else there is.
    let mut weight = Protocol::NATIVE.len() + 1;
    let mut text = String::new();
    for protocol in protocols {
        text.push_str(protocol.media_type());
        if matches!(protocol, Protocol::Text1 | Protocol::OpenMetrics1) {
            text.push_str(&format!(";escaping={escaping}"));
        }
        text.push_str(&format!(";q=0.{weight},"));
        weight -= 1;
    }
    text.push_str(&format!("*/*;q=0.{weight}"));
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("*/*"))
}

/// The form of an answer with that `Content-Type`.
pub(super) fn format(content_type: &str, fallback: Protocol) -> Format {
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    match media_type.to_ascii_lowercase().as_str() {
        "application/openmetrics-text" => Format::OpenMetrics,
        "application/vnd.google.protobuf" => Format::Protobuf,
        "text/plain" => Format::Text,
        _ => fallback.format(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header that Prometheus 3 sends for the same arguments.
    #[test]
    fn the_best_form_comes_first() {
        let header = accept(&Protocol::DEFAULT, "underscores");
        assert_eq!(
            header,
            "application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,\
             text/plain;version=1.0.0;escaping=underscores;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
        );
        assert!(
            accept(&Protocol::NATIVE, "x")
                .to_str()
                .unwrap()
                .ends_with("*/*;q=0.1")
        );
    }

    #[test]
    fn an_answer_is_what_it_says_or_what_was_stated() {
        for (content_type, expected) in [
            ("text/plain; version=0.0.4; charset=utf-8", Format::Text),
            (
                "application/openmetrics-text; version=1.0.0",
                Format::OpenMetrics,
            ),
            (
                "Application/vnd.google.protobuf; encoding=delimited",
                Format::Protobuf,
            ),
            ("", Format::Text),
            ("text/html", Format::Text),
        ] {
            assert_eq!(
                format(content_type, Protocol::Text0),
                expected,
                "{content_type}"
            );
        }
        assert_eq!(format("", Protocol::OpenMetrics1), Format::OpenMetrics);
    }
}
