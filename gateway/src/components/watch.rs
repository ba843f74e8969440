//! Notices that a file, or what is in a folder, has changed.
//!
//! Besides a file its folder is watched, because files are rarely rewritten: editors and
//! Kubernetes put a new one in their place, which a watch on the old one does not see. Of what
//! happens in the folder only the names count that lead to the file: others may be busy there.

use std::{
    collections::HashSet,
    ffi::OsString,
    path::{Component as Step, Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use tokio::{
    sync::mpsc,
    time::{Interval, MissedTickBehavior},
};

/// Pause between an event and reading, so that a file that is being written is read once and whole.
const SETTLE: Duration = Duration::from_millis(30);

/// Links that are followed from the file's name: as many as the kernel follows.
const LINKS_MAX: usize = 40;

/// How changes are noticed.
#[derive(syntax::Keyword, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detector {
    /// By events of the file system.
    #[keyword("fsnotify")]
    FileSystem,
    /// By looking.
    #[keyword("poll")]
    Poll,
}

/// A file or a folder that is watched, polled, or both.
#[derive(Debug)]
pub(super) struct Watch {
    id: Arc<str>,
    path: PathBuf,
    detector: Detector,
    poll: Interval,
    sender: mpsc::Sender<()>,
    events: mpsc::Receiver<()>,
    watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Watches for the component of this id. The first change is reported at once.
    pub(super) fn new(id: &Arc<str>, path: &Path, detector: Detector, every: Duration) -> Self {
        let (sender, events) = mpsc::channel(1);
        let mut poll = tokio::time::interval(every);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            id: id.clone(),
            path: path.to_owned(),
            detector,
            poll,
            sender,
            events,
            watcher: None,
        }
    }

    /// Waits until it is time to look: something has happened, or nothing was seen for a while.
    pub(super) async fn changed(&mut self) {
        tokio::select! {
            _ = self.poll.tick() => {}
            _ = self.events.recv() => tokio::time::sleep(SETTLE).await,
        }
        // What was watched may have been replaced, so the watch is made anew each time, and
        // before reading: nothing that happens in between is missed.
        if self.detector == Detector::FileSystem {
            match watch(&self.path, self.sender.clone()) {
                Ok(watcher) => self.watcher = Some(watcher),
                Err(error) => {
                    let (component, path) = (&*self.id, self.path.display());
                    tracing::warn!(component, %path, %error, "cannot watch, only polling");
                }
            }
        }
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
    // In a folder everything counts: what leads to its files may have any name.
    let whole = path.is_dir();
    let folder = match whole {
        true => path.to_owned(),
        false => folder_of(path).to_owned(),
    };
    let names = names(path);
    let watched = folder.clone();
    let ours = move |event: &Event| {
        // An event without a path says that others were lost.
        let known = |path: &PathBuf| {
            *path == folder || path.file_name().is_some_and(|name| names.contains(name))
        };
        whole || event.paths.is_empty() || event.paths.iter().any(known)
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
    watcher.watch(&watched, RecursiveMode::NonRecursive)?;
    // Through a link the file is elsewhere. Without one this adds nothing.
    let _ = watcher.watch(path, RecursiveMode::NonRecursive);
    Ok(watcher)
}

#[cfg(test)]
mod tests {
    use std::fs::read_to_string;

    use super::*;

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
        assert_eq!(read_to_string(at("file")).unwrap(), "two");
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
        read_to_string(&path).unwrap();
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

    #[tokio::test]
    async fn all_files_of_a_folder_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (sender, mut events) = mpsc::channel(1);
        let _watcher = watch(folder.path(), sender).unwrap();
        std::fs::write(folder.path().join("any"), "x").unwrap();
        let event = tokio::time::timeout(Duration::from_secs(5), events.recv()).await;
        assert_eq!(event, Ok(Some(())));
    }
}
