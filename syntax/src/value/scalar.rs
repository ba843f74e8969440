//! Texts, booleans, numbers and secrets into Rust types and back.

use super::{FromValue, Number, OptionalSecret, Secret, ToValue, Value, ValueError};

impl FromValue for Value {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        match value {
            Self::Unknown => Err(ValueError::expected("a value", value)),
            value => Ok(value.clone()),
        }
    }

    fn type_name() -> String {
        "any".to_owned()
    }
}

impl FromValue for String {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        match value {
            Value::Null => Ok(Self::new()),
            Value::String(text) => Ok(text.to_string()),
            Value::Number(number) => Ok(number.to_string()),
            Value::OptionalSecret(secret) if !secret.is_secret => Ok(secret.expose().to_owned()),
            Value::Secret(_) | Value::OptionalSecret(_) => Err(ValueError::new(
                "is a secret, which may not become a plain string (convert.nonsensitive does it \
                 on purpose)",
            )),
            other => Err(ValueError::expected("string", other)),
        }
    }

    fn type_name() -> String {
        "string".to_owned()
    }
}

impl FromValue for bool {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        match value {
            Value::Null => Ok(false),
            Value::Bool(value) => Ok(*value),
            other => Err(ValueError::expected("bool", other)),
        }
    }

    fn type_name() -> String {
        "bool".to_owned()
    }
}

impl FromValue for Secret {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        match value {
            Value::Null => Ok(Self::default()),
            Value::String(text) => Ok(Self::new(&**text)),
            Value::Secret(secret) => Ok(secret.clone()),
            Value::OptionalSecret(secret) => Ok(Self::new(secret.expose())),
            other => Err(ValueError::expected("secret or string", other)),
        }
    }

    fn type_name() -> String {
        "secret".to_owned()
    }

    fn shown(value: &Value) -> Value {
        match value {
            Value::Null | Value::Unknown => value.clone(),
            _ => Value::Secret(Self::default()),
        }
    }
}

impl FromValue for OptionalSecret {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        match value {
            Value::Null => Ok(Self::default()),
            Value::String(text) => Ok(Self::plain(&**text)),
            Value::Secret(secret) => Ok(Self::secret(secret.expose())),
            Value::OptionalSecret(secret) => Ok(secret.clone()),
            other => Err(ValueError::expected("secret or string", other)),
        }
    }

    fn type_name() -> String {
        "secret or string".to_owned()
    }

    fn shown(value: &Value) -> Value {
        Self::from_value(value).map_or_else(|_| value.clone(), Value::OptionalSecret)
    }
}

// === numbers ===

impl FromValue for Number {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        let text: &str = match value {
            Value::Null => return Ok(Self::Int(0)),
            Value::Number(number) => return Ok(*number),
            Value::String(text) => text,
            Value::OptionalSecret(secret) if !secret.is_secret => secret.expose(),
            other => return Err(ValueError::expected("number", other)),
        };
        let number = if text.starts_with('-') {
            text.parse().ok().map(Self::Int)
        } else if text.contains(['.', 'e', 'E']) {
            let float = text.parse().ok().filter(|float: &f64| float.is_finite());
            float.map(Self::Float)
        } else if text.starts_with('+') {
            None
        } else {
            text.parse().ok().map(Self::Uint)
        };
        number.ok_or_else(|| ValueError::new("should be number, got a string that is none"))
    }

    fn type_name() -> String {
        "number".to_owned()
    }
}

macro_rules! whole_numbers {
    ($($type:ty),*) => {$(
        impl FromValue for $type {
            fn from_value(value: &Value) -> Result<Self, ValueError> {
                let number = Number::from_value(value)?;
                number.whole().and_then(|whole| Self::try_from(whole).ok()).ok_or_else(|| {
                    let (min, max) = (Self::MIN, Self::MAX);
                    ValueError::new(format!("should be from {min} to {max}, got {number}"))
                })
            }

            fn type_name() -> String {
                "number".to_owned()
            }
        }

        impl ToValue for $type {
            fn to_value(&self) -> Value {
                match i64::try_from(*self) {
                    Ok(value) => value.into(),
                    // Only what is beyond the signed numbers comes here.
                    Err(_) => (*self as u64).into(),
                }
            }
        }
    )*};
}

whole_numbers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

impl FromValue for f64 {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        Number::from_value(value).map(Number::to_f64)
    }

    fn type_name() -> String {
        "number".to_owned()
    }
}

impl FromValue for f32 {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        Number::from_value(value).map(|number| number.to_f64() as Self)
    }

    fn type_name() -> String {
        "number".to_owned()
    }
}

impl ToValue for Value {
    fn to_value(&self) -> Value {
        self.clone()
    }
}

impl ToValue for str {
    fn to_value(&self) -> Value {
        self.into()
    }
}

impl ToValue for String {
    fn to_value(&self) -> Value {
        self.as_str().into()
    }
}

impl ToValue for bool {
    fn to_value(&self) -> Value {
        (*self).into()
    }
}

impl ToValue for f64 {
    fn to_value(&self) -> Value {
        (*self).into()
    }
}

impl ToValue for f32 {
    fn to_value(&self) -> Value {
        f64::from(*self).into()
    }
}

impl ToValue for Number {
    fn to_value(&self) -> Value {
        Value::Number(*self)
    }
}

impl ToValue for Secret {
    fn to_value(&self) -> Value {
        Value::Secret(self.clone())
    }
}

impl ToValue for OptionalSecret {
    fn to_value(&self) -> Value {
        Value::OptionalSecret(self.clone())
    }
}
