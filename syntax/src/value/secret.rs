//! Texts that are never shown.

use std::fmt;

/// A text that is never shown: not by `Debug`, not in messages, not on the status page. There is
/// no `Display`, so that it cannot slip into a format string.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Secret(String);

/// A text that may be a secret, such as the content of a file.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OptionalSecret {
    text: String,
    /// Whether it must not be shown.
    pub is_secret: bool,
}

// === impl Secret ===

impl Secret {
    /// Makes a secret of a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that must have it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

// === impl OptionalSecret ===

impl OptionalSecret {
    /// A text that may be shown.
    pub fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            is_secret: false,
        }
    }

    /// A text that must not be shown.
    pub fn secret(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            is_secret: true,
        }
    }

    /// The text itself, secret or not.
    pub fn expose(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for OptionalSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_secret {
            true => f.write_str("(secret)"),
            false => write!(f, "{:?}", self.text),
        }
    }
}

impl From<&str> for OptionalSecret {
    fn from(text: &str) -> Self {
        Self::plain(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let values = [
            format!("{:?}", Secret::new("s3cret")),
            format!("{:?}", OptionalSecret::secret("s3cret")),
            format!("{:?}", crate::Value::Secret(Secret::new("s3cret"))),
            format!(
                "{}",
                crate::Value::OptionalSecret(OptionalSecret::secret("s3cret"))
            ),
        ];
        assert!(values.iter().all(|shown| shown == "(secret)"), "{values:?}");
        assert_eq!(format!("{:?}", OptionalSecret::plain("x")), "\"x\"");
    }
}
