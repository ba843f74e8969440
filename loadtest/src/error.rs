//! The crate's one error: a sentence for a person. Nobody branches on it, so it has no variants.

use std::fmt;

/// What could not be done, to what, and why, in lower case and without a full stop.
#[derive(Debug)]
pub struct Error {
    message: String,
}

impl Error {
    /// An error that says `message`.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Puts what was being done in front of what went wrong.
pub(crate) trait Context<T> {
    /// The error becomes `"{doing}: {cause}"`.
    fn context(self, doing: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T, E: fmt::Display> Context<T> for Result<T, E> {
    fn context(self, doing: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|cause| Error::new(format!("{}: {cause}", doing())))
    }
}
