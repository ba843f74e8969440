//! A secret that stands in the configuration, or in a file that is read whenever it is needed.

use std::path::PathBuf;

use syntax::Secret;

/// Bytes of a file with a secret: tokens are some kilobytes at most, and each request reads it.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Credential {
    Text(Secret),
    File(PathBuf),
}

impl Credential {
    /// The secret of an argument and of the one that names a file; empty if neither is given.
    pub(super) fn new(text: Option<&Secret>, file: &str) -> Self {
        match (text, file) {
            (None, file) if !file.is_empty() => Self::File(PathBuf::from(file)),
            (text, _) => Self::Text(text.cloned().unwrap_or_default()),
        }
    }

    /// The secret as it is now.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(super) async fn read(&self) -> Result<Secret, String> {
        let path = match self {
            Self::Text(secret) => return Ok(secret.clone()),
            Self::File(path) => path,
        };
        let failed = |why: String| format!("cannot read {}: {why}", path.display());
        let length = tokio::fs::metadata(path)
            .await
            .map_err(|error| failed(error.to_string()))?
            .len();
        if length > FILE_BYTES_MAX {
            return Err(failed(format!("it has more than {FILE_BYTES_MAX} bytes")));
        }
        let text = tokio::fs::read_to_string(path)
            .await
            .map_err(|error| failed(error.to_string()))?;
        Ok(Secret::new(text.trim()))
    }
}

/// That an argument and the one for a file are not both given.
pub(super) fn once(
    argument: &'static str,
    text: Option<&Secret>,
    file: &str,
) -> Result<(), (&'static str, String)> {
    match text.is_some() && !file.is_empty() {
        true => {
            let why = format!("and {argument}_file are both set, keep one of them");
            Err((argument, why))
        }
        false => Ok(()),
    }
}
