//! Go's text forms of quantities as Rust types: durations, byte sizes.

use std::time::Duration;

use super::{FromValue, ToValue, Value, ValueError};
use crate::duration;
use crate::size::ByteSize;

impl FromValue for Duration {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        if matches!(value, Value::Null) {
            return Ok(Self::ZERO);
        }
        let text = String::from_value(value)?;
        duration::parse(&text).map_err(ValueError::new)
    }

    fn type_name() -> String {
        "duration".to_owned()
    }
}

impl ToValue for Duration {
    fn to_value(&self) -> Value {
        duration::format(*self).into()
    }
}

impl FromValue for ByteSize {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        match value {
            Value::Null => Ok(Self::default()),
            value => String::from_value(value)?.parse().map_err(ValueError::new),
        }
    }

    fn type_name() -> String {
        "bytes".to_owned()
    }
}

impl ToValue for ByteSize {
    fn to_value(&self) -> Value {
        self.to_string().into()
    }
}
