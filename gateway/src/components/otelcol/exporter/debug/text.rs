//! Values as the Collector's debug exporter writes them.

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use protos::otlp::common::v1::{AnyValue, KeyValue, any_value::Value};
use serde_json::json;

/// A value with the name of its type: `Str(a)`, `Map({"a":1})`.
pub(super) fn typed(value: Option<&AnyValue>) -> String {
    let kind = match value.and_then(|value| value.value.as_ref()) {
        None => return "Empty()".to_owned(),
        Some(Value::StringValue(_) | Value::StringValueStrindex(_)) => "Str",
        Some(Value::BoolValue(_)) => "Bool",
        Some(Value::IntValue(_)) => "Int",
        Some(Value::DoubleValue(_)) => "Double",
        Some(Value::ArrayValue(_)) => "Slice",
        Some(Value::KvlistValue(_)) => "Map",
        Some(Value::BytesValue(_)) => "Bytes",
    };
    format!("{kind}({})", plain(value))
}

/// A value alone; lists and maps as JSON.
pub(super) fn plain(value: Option<&AnyValue>) -> String {
    match json_value(value) {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

fn json_value(value: Option<&AnyValue>) -> serde_json::Value {
    match value.and_then(|value| value.value.as_ref()) {
        None => serde_json::Value::Null,
        Some(Value::StringValue(text)) => json!(text),
        Some(Value::BoolValue(value)) => json!(value),
        Some(Value::IntValue(value)) => json!(value),
        // JSON has no words for infinity.
        Some(Value::DoubleValue(value)) if !value.is_finite() => json!(value.to_string()),
        Some(Value::DoubleValue(value)) => json!(value),
        Some(Value::ArrayValue(list)) => list
            .values
            .iter()
            .map(|value| json_value(Some(value)))
            .collect(),
        Some(Value::KvlistValue(map)) => map
            .values
            .iter()
            .map(|pair| (pair.key.clone(), json_value(pair.value.as_ref())))
            .collect(),
        Some(Value::BytesValue(bytes)) => json!(STANDARD.encode(bytes)),
        Some(Value::StringValueStrindex(index)) => json!(format!("#{index}")),
    }
}

/// `a=1 b=2`, behind a space if there is anything.
pub(super) fn pairs(attributes: &[KeyValue]) -> String {
    attributes.iter().fold(String::new(), |mut text, pair| {
        let _ = write!(text, " {}={}", pair.key, plain(pair.value.as_ref()));
        text
    })
}

/// An identifier, empty where there is none.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// A time as Go writes it: `2023-11-11 04:49:03.50935117 +0000 UTC`.
pub(super) fn time(unix_nanoseconds: u64) -> String {
    let (seconds, nanoseconds) = (
        unix_nanoseconds / 1_000_000_000,
        unix_nanoseconds % 1_000_000_000,
    );
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let mut text = format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    );
    if nanoseconds > 0 {
        let fraction = format!("{nanoseconds:09}");
        let _ = write!(text, ".{}", fraction.trim_end_matches('0'));
    }
    text + " +0000 UTC"
}

/// The date of a day after 1 January 1970, counted in years that begin in March, so that the leap
/// day is the last of its year.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_OF_400_YEARS: u64 = 146_097;
    const DAYS_BEFORE_1970: u64 = 719_468;
    let days = days + DAYS_BEFORE_1970;
    let (era, day) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + next_year, month, day)
}

#[cfg(test)]
mod tests {
    use protos::otlp::common::v1::{ArrayValue, KeyValueList};

    use super::*;

    fn value(value: Value) -> AnyValue {
        AnyValue { value: Some(value) }
    }

    #[test]
    fn values_carry_the_name_of_their_type() {
        let pair = |key: &str, inner| KeyValue {
            key: key.to_owned(),
            value: Some(value(inner)),
            ..KeyValue::default()
        };
        let list = ArrayValue {
            values: vec![value(Value::IntValue(1)), AnyValue::default()],
        };
        let map = KeyValueList {
            values: vec![pair("a", Value::DoubleValue(1.5))],
        };
        for (inner, expected) in [
            (Value::StringValue("a b".into()), "Str(a b)"),
            (Value::BoolValue(true), "Bool(true)"),
            (Value::IntValue(-3), "Int(-3)"),
            (Value::DoubleValue(1.5), "Double(1.5)"),
            (Value::DoubleValue(f64::INFINITY), "Double(inf)"),
            (Value::BytesValue(vec![0, 255]), "Bytes(AP8=)"),
            (Value::ArrayValue(list), "Slice([1,null])"),
            (Value::KvlistValue(map), "Map({\"a\":1.5})"),
        ] {
            assert_eq!(typed(Some(&value(inner))), expected);
        }
        assert_eq!(typed(None), "Empty()");
        assert_eq!(
            pairs(&[
                pair("a", Value::IntValue(1)),
                pair("b", Value::BoolValue(false))
            ]),
            " a=1 b=false"
        );
    }

    #[test]
    fn times_are_written_as_go_does() {
        for (nanoseconds, expected) in [
            (0, "1970-01-01 00:00:00 +0000 UTC"),
            (951_782_400_000_000_000, "2000-02-29 00:00:00 +0000 UTC"),
            (
                1_699_678_143_509_351_170,
                "2023-11-11 04:49:03.50935117 +0000 UTC",
            ),
            (
                4_107_542_399_000_000_001,
                "2100-02-28 23:59:59.000000001 +0000 UTC",
            ),
            (4_107_542_400_000_000_000, "2100-03-01 00:00:00 +0000 UTC"),
            (u64::MAX, "2554-07-21 23:34:33.709551615 +0000 UTC"),
        ] {
            assert_eq!(time(nanoseconds), expected);
        }
    }
}
