//! Imports of modules: files of `declare` and `import` blocks, from this machine and from elsewhere.

pub mod file;
pub mod git;
pub mod http;
pub mod string;

use std::{
    fs,
    io::Read,
    path::Path,
    sync::{Mutex, PoisonError},
};

use syntax::SourceFile;

use crate::graph::{Health, Module, Site};

/// Files that are read of a folder. The engine has the same limit for all modules together, and
/// says so; here it keeps a wrong folder from being read.
const FOLDER_FILES_MAX: usize = 257;

/// Bytes of a file that are read: one more than the parser takes, which refuses the file then.
const FILE_BYTES_MAX: u64 = syntax::FILE_BYTES_MAX as u64 + 1;

/// The module that an import has at this moment.
#[derive(Debug)]
struct Held {
    site: Site,
    module: Mutex<Module>,
}

impl Held {
    fn new(site: Site) -> Self {
        let module = Mutex::default();
        Self { site, module }
    }

    fn module(&self) -> Module {
        let module = self.module.lock();
        module.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps a module; whether it is another than before.
    fn replace(&self, new: Module) -> bool {
        let mut module = self.module.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = *module != new;
        *module = new;
        changed
    }

    /// Keeps what came of fetching the module again, and tells the engine of it.
    fn take(&self, fetched: Result<Module, String>) {
        match fetched {
            Ok(module) => {
                self.site.report(Health::healthy("module was read"));
                if self.replace(module) {
                    self.site.publish(&self.module());
                }
            }
            Err(reason) => {
                tracing::error!(component = %self.site.id(), "{reason}");
                let message = format!("{reason}; the module that was read before goes on");
                self.site.report(Health::unhealthy(message));
            }
        }
    }
}

/// Reads a module: a file, or all `*.alloy` files of a folder, under the names that `shown` gives.
fn read(path: &Path, shown: impl Fn(&Path) -> String) -> Result<Vec<SourceFile>, String> {
    let unreadable = |error| format!("cannot read {}: {error}", shown(path));
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![read_file(path, shown(path))?]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        let is_source = file.extension().is_some_and(|end| end == "alloy");
        if is_source && file.is_file() {
            files.push(file);
        }
        if files.len() >= FOLDER_FILES_MAX {
            break;
        }
    }
    files.sort();
    let read = |file: &std::path::PathBuf| read_file(file, shown(file));
    files.iter().map(read).collect()
}

fn read_file(path: &Path, name: String) -> Result<SourceFile, String> {
    let unreadable = |error| format!("cannot read {name}: {error}");
    let file = fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    let read = file.take(FILE_BYTES_MAX).read_to_end(&mut bytes);
    read.map_err(unreadable)?;
    Ok(SourceFile::from_bytes(name, &bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_its_alloy_files_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.alloy", "a.alloy", "c.txt"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        fs::create_dir(folder.path().join("d.alloy")).unwrap();
        let shown = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        let files = read(folder.path(), shown).unwrap();
        let names: Vec<&str> = files.iter().map(SourceFile::name).collect();
        assert_eq!(names, ["a.alloy", "b.alloy"]);
        let one = read(&folder.path().join("c.txt"), shown).unwrap();
        assert_eq!(one[0].text(), "c.txt");
        assert!(read(&folder.path().join("absent"), shown).is_err());
    }
}
