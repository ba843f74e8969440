//! Exposes the content of a file to other components, and keeps up with its changes.
//!
//! Besides the file its folder is watched, because files are rarely rewritten: editors and
//! Kubernetes put a new one in their place, which a watch on the old one does not see. Of what
//! happens in the folder only the names count that lead to the file: others may be busy there.

use std::{
    collections::HashSet,
    ffi::OsString,
    io::Read,
    path::{Component as Step, Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
};
use syntax::OptionalSecret;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::graph::{self, Health, Site};

/// Largest file exposed: secrets, target lists and configurations are far below, and each change
/// is evaluated in memory.
const CONTENT_BYTES_MAX: u64 = 8 << 20;

/// Pause between an event and reading, so that a file that is being written is read once and whole.
const SETTLE: Duration = Duration::from_millis(30);

/// Links that are followed from the file's name: as many as the kernel follows.
const LINKS_MAX: usize = 40;

/// The file, and how to see its changes.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct Arguments {
    /// How changes are noticed: `fsnotify` listens to the file system and polls besides, `poll`
    /// only polls.
    #[attr(default = Detector::FileSystem)]
    detector: Detector,
    /// Path of the file.
    #[attr]
    filename: String,
    /// Whether the content is a secret, which is never shown and only fits where secrets do.
    #[attr(default = false)]
    is_secret: bool,
    /// How often to look whether the file has changed.
    #[attr(default = "1m")]
    poll_frequency: Duration,
}

/// How changes are noticed.
#[derive(syntax::Keyword, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detector {
    /// By events of the file system.
    #[keyword("fsnotify")]
    FileSystem,
    /// By looking.
    #[keyword("poll")]
    Poll,
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
        let (sender, mut events) = mpsc::channel(1);
        let mut watch = None;
        let mut poll = tokio::time::interval(self.arguments.poll_frequency);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = poll.tick() => {}
                _ = events.recv() => tokio::time::sleep(SETTLE).await,
            }
            // What was watched may have been replaced, so the watch is made anew each time, and
            // before reading: nothing that happens in between is missed.
            if self.arguments.detector == Detector::FileSystem {
                watch = self.watch(&sender).or(watch);
            }
            self.refresh().await;
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

    fn watch(&self, sender: &mpsc::Sender<()>) -> Option<RecommendedWatcher> {
        let path = Path::new(&self.arguments.filename);
        let watched = watch(path, sender.clone());
        if let Err(error) = &watched {
            let id = self.site.id();
            tracing::warn!(component = %id, %error, "cannot watch the file, polling it");
        }
        watched.ok()
    }
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// The names in the file's folder over which its content is reached: its own, and where that is a
/// link within the folder the next one, as `..data` in a volume of Kubernetes.
fn names(path: &Path) -> HashSet<OsString> {
    let folder = folder_of(path);
    let mut names = HashSet::new();
    let mut next = path.file_name().map(OsString::from);
    while let Some(name) = next.take()
        && names.len() < LINKS_MAX
    {
        let target = std::fs::read_link(folder.join(&name)).unwrap_or_default();
        let target = target.strip_prefix(folder).unwrap_or(&target);
        let mut steps = target.components().filter(|step| *step != Step::CurDir);
        if let Some(Step::Normal(step)) = steps.next()
            && !names.contains(step)
        {
            next = Some(step.to_owned());
        }
        names.insert(name);
    }
    names
}

/// Sends a word at each change of the file, or of what leads to it in its folder.
fn watch(path: &Path, sender: mpsc::Sender<()>) -> notify::Result<RecommendedWatcher> {
    let (folder, names) = (folder_of(path).to_owned(), names(path));
    let ours = move |event: &Event| {
        // An event without a path says that others were lost.
        let known = |path: &PathBuf| {
            *path == folder || path.file_name().is_some_and(|name| names.contains(name))
        };
        event.paths.is_empty() || event.paths.iter().any(known)
    };
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // Reading is an event too, and must not be a reason to read.
        let written = AccessKind::Close(AccessMode::Write);
        let changed = |kind: EventKind| !kind.is_access() || kind == EventKind::Access(written);
        if event.is_ok_and(|event| changed(event.kind) && ours(&event)) {
            // A word that is waiting stands for this one too.
            let _ = sender.try_send(());
        }
    })?;
    watcher.watch(folder_of(path), RecursiveMode::NonRecursive)?;
    // Through a link the file is elsewhere. Without one this adds nothing.
    let _ = watcher.watch(path, RecursiveMode::NonRecursive);
    Ok(watcher)
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

    #[tokio::test]
    async fn the_link_of_a_volume_is_noticed_and_a_neighbour_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (version, text) in [("..1", "one"), ("..2", "two")] {
            std::fs::create_dir(at(version)).unwrap();
            std::fs::write(at(version).join("file"), text).unwrap();
        }
        std::os::unix::fs::symlink("..1", at("..data")).unwrap();
        std::os::unix::fs::symlink("..data/file", at("file")).unwrap();
        let expected = ["file", "..data", "..1"].map(OsString::from);
        assert_eq!(names(&at("file")), HashSet::from(expected));
        let (sender, mut events) = mpsc::channel(1);
        let _watcher = watch(&at("file"), sender).unwrap();
        std::fs::write(at("neighbour"), "x").unwrap();
        std::fs::rename(at("neighbour"), at("other")).unwrap();
        std::fs::remove_file(at("other")).unwrap();
        let quiet = tokio::time::timeout(Duration::from_millis(50), events.recv()).await;
        assert!(quiet.is_err(), "a neighbour was noticed");
        std::os::unix::fs::symlink("..2", at("..data_tmp")).unwrap();
        std::fs::rename(at("..data_tmp"), at("..data")).unwrap();
        let event = tokio::time::timeout(Duration::from_secs(5), events.recv()).await;
        assert_eq!(event, Ok(Some(())));
        assert_eq!(read(&at("file")).as_deref(), Ok("two"));
    }

    #[test]
    fn links_in_a_circle_end() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::os::unix::fs::symlink("b", at("a")).unwrap();
        std::os::unix::fs::symlink(at("a"), at("b")).unwrap();
        assert_eq!(names(&at("a")).len(), 2);
        assert_eq!(names(&at("absent")).len(), 1);
    }

    #[tokio::test]
    async fn writing_replacing_and_linking_are_noticed_and_reading_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("file"), folder.path().join("other"));
        std::fs::write(&path, "one").unwrap();
        let (sender, mut events) = mpsc::channel(1);
        let _watcher = watch(&path, sender).unwrap();
        read(&path).unwrap();
        let quiet = tokio::time::timeout(Duration::from_millis(50), events.recv()).await;
        assert!(quiet.is_err(), "reading was noticed");
        let mut noticed = async || {
            let event = tokio::time::timeout(Duration::from_secs(5), events.recv()).await;
            assert_eq!(event, Ok(Some(())));
            // One change makes several events.
            tokio::time::sleep(SETTLE).await;
            while events.try_recv().is_ok() {}
        };
        std::fs::write(&path, "two").unwrap();
        noticed().await;
        std::fs::write(&other, "three").unwrap();
        std::fs::rename(&other, &path).unwrap();
        noticed().await;
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        noticed().await;
    }
}
