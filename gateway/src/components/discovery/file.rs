//! Reads targets from files, and keeps up with their changes.
//!
//! The folders of the files are watched, because files are rarely rewritten in place; besides, all is
//! read again at each interval. A file that cannot be read keeps the targets that it had; one that is
//! gone has none.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::{Path, PathBuf, absolute},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use prometheus_client::metrics::counter::Counter;
use tokio_util::sync::CancellationToken;

use super::{Exports, counter};
use crate::{
    components::watch::{Detector, Watch},
    discovery::{Refresh, SOURCE_BYTES_MAX, Source, TARGETS_MAX, Target, parse_json},
    graph::{self, Health, Site},
};

/// Files that one component reads.
const FILES_MAX: usize = 10_000;

/// The files.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct Arguments {
    /// Paths of files with target groups. The last part of a path may have one `*`, which stands for any
    /// letters.
    #[attr]
    files: Vec<String>,
    /// How often the files are read even if nothing was seen to change.
    #[attr(default = "5m")]
    refresh_interval: Duration,
}

impl Arguments {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if self.refresh_interval.is_zero() {
            return Err(("refresh_interval", "must be above zero".to_owned()));
        }
        for file in &self.files {
            Pattern::new(file).map_err(|why| ("files", format!("has {file:?}, {why}")))?;
        }
        Ok(())
    }
}

/// A path, or those that match one.
#[derive(Clone, Debug)]
struct Pattern {
    folder: PathBuf,
    /// The name before and behind the star; without one, the whole name and nothing.
    before: String,
    behind: Option<String>,
}

impl Pattern {
    fn new(text: &str) -> Result<Self, &'static str> {
        let (folder, name) = text.rsplit_once('/').unwrap_or((".", text));
        let folder = if text.starts_with('/') && folder.is_empty() {
            "/"
        } else {
            folder
        };
        if folder.contains('*') {
            return Err("of which only the last part may have a *");
        }
        let lower = name.to_ascii_lowercase();
        if lower.ends_with(".yml") || lower.ends_with(".yaml") {
            return Err("which is YAML: only JSON is supported, in a file that ends with .json");
        }
        if !lower.ends_with(".json") {
            return Err("which does not end with .json");
        }
        let (before, behind) = match name.split_once('*') {
            Some((_, behind)) if behind.contains('*') => return Err("which has more than one *"),
            Some((before, behind)) => (before, Some(behind.to_owned())),
            None => (name, None),
        };
        Ok(Self {
            folder: PathBuf::from(folder),
            before: before.to_owned(),
            behind,
        })
    }

    /// Whether a file of that name is meant.
    fn matches(&self, name: &str) -> bool {
        match &self.behind {
            None => name == self.before,
            Some(behind) => {
                name.len() >= self.before.len() + behind.len()
                    && name.starts_with(&self.before)
                    && name.ends_with(behind.as_str())
            }
        }
    }

    /// Adds the files that there are.
    fn expand(&self, paths: &mut BTreeSet<PathBuf>) -> Result<(), String> {
        if self.behind.is_none() {
            let path = self.folder.join(&self.before);
            if path.exists() {
                paths.insert(path);
            }
            return Ok(());
        }
        let failed = |error| format!("cannot list {}: {error}", self.folder.display());
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            if name.to_str().is_some_and(|name| self.matches(name)) {
                paths.insert(self.folder.join(name));
            }
            if paths.len() > FILES_MAX {
                return Err(format!("more than {FILES_MAX} files are meant"));
            }
        }
        Ok(())
    }
}

/// Keeps the targets that each file was last found to have.
#[derive(Debug)]
pub struct Component {
    arguments: Arguments,
    patterns: Vec<Pattern>,
    found: Mutex<BTreeMap<PathBuf, Vec<Target>>>,
    refresh: Refresh,
    errors: Counter,
    site: Site,
}

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = Exports;

    fn build(arguments: Arguments, site: Site) -> Result<Self, String> {
        let patterns: Result<Vec<Pattern>, &str> = arguments
            .files
            .iter()
            .map(|file| Pattern::new(file))
            .collect();
        Ok(Self {
            patterns: patterns.map_err(|why| format!("files: a path {why}"))?,
            found: Mutex::default(),
            refresh: Refresh::default(),
            errors: counter(
                &site,
                "prometheus_sd_file_read_errors",
                "Files with targets that could not be read",
            ),
            arguments,
            site,
        })
    }

    fn exports(&self) -> Exports {
        Exports {
            targets: self.refresh.targets(),
        }
    }

    async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), String> {
        let interval = self.arguments.refresh_interval;
        let folders: BTreeSet<&Path> = self.patterns.iter().map(|one| &*one.folder).collect();
        let watch =
            |folder: &Path| Watch::new(self.site.id(), folder, Detector::FileSystem, interval);
        let mut watches: Vec<Watch> = folders.into_iter().map(watch).collect();
        loop {
            let this = self.clone();
            let read = tokio::task::spawn_blocking(move || this.read()).await;
            self.take(read.unwrap_or_else(|error| vec![format!("reading failed: {error}")]));
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = any_changed(&mut watches) => {}
            }
        }
    }
}

/// Waits until something has changed in one of the folders, or it is time to look again.
async fn any_changed(watches: &mut [Watch]) {
    if watches.is_empty() {
        return std::future::pending().await;
    }
    let all = watches.iter_mut().map(|watch| Box::pin(watch.changed()));
    futures::future::select_all(all).await;
}

impl Component {
    /// Reads all files. What went wrong.
    fn read(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut paths = BTreeSet::new();
        for pattern in &self.patterns {
            problems.extend(pattern.expand(&mut paths).err());
        }
        // Without a list of what is there, nobody can say what is gone.
        let is_complete = problems.is_empty();
        let mut fresh = BTreeMap::new();
        for path in &paths {
            match read(path) {
                Ok(targets) => {
                    fresh.insert(path.clone(), targets);
                }
                Err(message) => problems.push(message),
            }
        }
        self.errors.inc_by(problems.len() as u64);
        let mut found = self.lock();
        if is_complete {
            found.retain(|path, _| paths.contains(path));
        }
        found.extend(fresh);
        problems
    }

    fn take(&self, problems: Vec<String>) {
        let targets: Vec<Target> = self.lock().values().flatten().cloned().collect();
        let count = targets.len();
        let mut problem = problems.into_iter().next();
        if count > TARGETS_MAX {
            problem = Some(format!("the files list more than {TARGETS_MAX} targets"));
        } else if self.refresh.take(targets) {
            self.site.publish(&graph::Component::exports(self));
        }
        match problem {
            None => self
                .site
                .report(Health::healthy(format!("found {count} targets"))),
            Some(message) => {
                tracing::warn!(component = %self.site.id(), "{message}; its last targets stay");
                self.site.report(Health::unhealthy(message));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Vec<Target>>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The targets in a file.
fn read(path: &Path) -> Result<Vec<Target>, String> {
    let failed = |why: String| format!("cannot read targets from {}: {why}", path.display());
    let file = std::fs::File::open(path).map_err(|error| failed(error.to_string()))?;
    let mut text = Vec::new();
    file.take(SOURCE_BYTES_MAX as u64 + 1)
        .read_to_end(&mut text)
        .map_err(|error| failed(error.to_string()))?;
    if text.len() > SOURCE_BYTES_MAX {
        return Err(failed(format!("it has more than {SOURCE_BYTES_MAX} bytes")));
    }
    let place = absolute(path).unwrap_or_else(|_| path.to_owned());
    let source = Source {
        label: "__meta_filepath",
        value: &place.to_string_lossy(),
    };
    parse_json(&text, source).map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_matched_as_prometheus_does() {
        let pattern = Pattern::new("/etc/targets/a_*.json").unwrap();
        assert_eq!(pattern.folder, Path::new("/etc/targets"));
        for (name, matches) in [
            ("a_1.json", true),
            ("a_.json", true),
            ("b_1.json", false),
            ("a_1.yml", false),
            ("a_.jso", false),
        ] {
            assert_eq!(pattern.matches(name), matches, "{name}");
        }
        assert_eq!(Pattern::new("/x.json").unwrap().folder, Path::new("/"));
        assert_eq!(Pattern::new("x.json").unwrap().folder, Path::new("."));
        for bad in ["a*b*.json", "*/a.json", "a.txt", "a", "a.yml"] {
            assert!(Pattern::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_has_targets_or_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.json");
        assert!(read(&path).unwrap_err().contains("t.json"));
        std::fs::write(&path, r#"[{"targets": ["a:1"], "labels": {"x": "y"}}]"#).unwrap();
        let targets = read(&path).unwrap();
        assert_eq!(targets.len(), 1);
        assert_eq!(targets[0].get("__meta_filepath"), path.to_str());
        std::fs::write(&path, "{").unwrap();
        assert!(
            read(&path)
                .unwrap_err()
                .contains("no list of target groups")
        );
    }
}
