//! Exposes the content of a file to other components, and keeps up with its changes.

use std::{
    io::Read,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
};
use syntax::OptionalSecret;
use tokio_util::sync::CancellationToken;

use crate::{
    components::watch::{Detector, Watch},
    graph::{self, Health, Site},
};

/// Largest file exposed: secrets, target lists and configurations are far below, and each change
/// is evaluated in memory.
const CONTENT_BYTES_MAX: u64 = 8 << 20;

/// The file, and how to see its changes.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct Arguments {
    /// How changes are noticed: `fsnotify` listens to the file system and polls besides, `poll`
    /// only polls.
    #[attr(default = Detector::FileSystem)]
    detector: Detector,
    /// Path of the file.
    #[attr(file)]
    filename: String,
    /// Whether the content is a secret, which is never shown and only fits where secrets do.
    #[attr(default = false)]
    is_secret: bool,
    /// How often to look whether the file has changed.
    #[attr(default = "1m")]
    poll_frequency: Duration,
}

impl Arguments {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if self.poll_frequency.is_zero() {
            return Err(("poll_frequency", "must be above zero".to_owned()));
        }
        Ok(())
    }
}

/// What can be referred to.
#[derive(syntax::Exports, Clone, Debug)]
pub struct Exports {
    /// The content as it was read last.
    #[attr]
    content: OptionalSecret,
}

/// Reads the file again and again.
#[derive(Debug)]
pub struct Component {
    arguments: Arguments,
    site: Site,
    content: Mutex<String>,
    accessed: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    component_id: String,
}

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = Exports;

    fn build(arguments: Arguments, site: Site) -> Result<Self, String> {
        let content = Mutex::new(read(Path::new(&arguments.filename))?);
        let family: Family<Labels, Gauge> = site.services().metrics().family(
            "local_file_timestamp_last_accessed_unix_seconds",
            "When the file was last read with success",
        );
        let labels = Labels {
            component_id: site.id().to_string(),
        };
        let accessed = family.get_or_create(&labels).clone();
        Ok(Self {
            arguments,
            site,
            content,
            accessed,
        })
    }

    fn exports(&self) -> Exports {
        let content = self
            .content
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let is_secret = self.arguments.is_secret;
        let secret = if is_secret {
            OptionalSecret::secret
        } else {
            OptionalSecret::plain
        };
        Exports {
            content: secret(content),
        }
    }

    async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), String> {
        let Arguments {
            detector,
            poll_frequency,
            ..
        } = self.arguments;
        let path = Path::new(&self.arguments.filename);
        let mut watch = Watch::new(self.site.id(), path, detector, poll_frequency);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = watch.changed() => self.refresh().await,
            }
        }
    }
}

impl Component {
    async fn refresh(&self) {
        let path = PathBuf::from(&self.arguments.filename);
        let result = tokio::task::spawn_blocking(move || read(&path)).await;
        match result.unwrap_or_else(|error| Err(format!("reading the file failed: {error}"))) {
            Ok(text) => {
                let now = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default();
                self.accessed
                    .set(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
                self.site.report(Health::healthy("file was read"));
                if self.replace(text) {
                    self.site.publish(&graph::Component::exports(self));
                }
            }
            Err(message) => {
                tracing::error!(component = %self.site.id(), "{message}");
                self.site.report(Health::unhealthy(message));
            }
        }
    }

    /// Whether the text is another than before.
    fn replace(&self, text: String) -> bool {
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = *content != text;
        *content = text;
        changed
    }
}

fn read(path: &Path) -> Result<String, String> {
    let failed = |error| format!("cannot read {}: {error}", path.display());
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(CONTENT_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > CONTENT_BYTES_MAX {
        return Err(format!(
            "{} is larger than {CONTENT_BYTES_MAX} bytes",
            path.display()
        ));
    }
    String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8 text", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_of_a_sane_size_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert!(read(&path).unwrap_err().contains("cannot read"));
        std::fs::write(&path, "text\n").unwrap();
        assert_eq!(read(&path).as_deref(), Ok("text\n"));
        std::fs::write(&path, [0xff]).unwrap();
        assert!(read(&path).unwrap_err().contains("not UTF-8"));
        std::fs::File::create(&path)
            .unwrap()
            .set_len(CONTENT_BYTES_MAX + 1)
            .unwrap();
        assert!(read(&path).unwrap_err().contains("larger than"));
    }
}
