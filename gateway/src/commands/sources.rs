//! Where configurations come from: a file, a folder, standard input, or the binary itself.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use syntax::SourceFile;

/// The configuration of a gateway that was told nothing.
const DEFAULT: &str = include_str!("../../../examples/default.alloy");

/// Files that a folder may have; more is a wrong folder.
const FILES_MAX: usize = 256;

/// Bytes of a file that are read; the parser refuses what is longer than it takes, and says so.
const BYTES_READ_MAX: u64 = 4 << 20;

/// A place that can be read again and again. Standard input has an end: what was read of it is
/// kept, and every later reading is given the same text.
#[derive(Debug)]
pub(super) struct Sources {
    path: Option<PathBuf>,
    input: Mutex<Option<SourceFile>>,
}

impl Sources {
    /// The files at a path; without one, the embedded default.
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        let input = Mutex::default();
        Self { path, input }
    }

    /// Reads all of it.
    pub(super) fn read(&self) -> Result<Vec<SourceFile>, String> {
        let Some(path) = &self.path else {
            return Ok(vec![SourceFile::new("default.alloy", DEFAULT)]);
        };
        if path == Path::new("-") {
            return Ok(vec![self.read_once(std::io::stdin().lock())?]);
        }
        if !path.is_dir() {
            return Ok(vec![read_file(path)?]);
        }
        let unreadable = |error| format!("cannot read folder {}: {error}", path.display());
        let mut files = Vec::new();
        for entry in fs::read_dir(path).map_err(unreadable)? {
            let file = entry.map_err(unreadable)?.path();
            if file
                .extension()
                .is_some_and(|extension| extension == "alloy")
                && file.is_file()
            {
                files.push(file);
            }
        }
        if files.is_empty() {
            return Err(format!("no *.alloy files in folder {}", path.display()));
        }
        if files.len() > FILES_MAX {
            let folder = path.display();
            return Err(format!(
                "more than {FILES_MAX} *.alloy files in folder {folder}"
            ));
        }
        files.sort();
        files.iter().map(|file| read_file(file)).collect()
    }

    fn read_once(&self, input: impl Read) -> Result<SourceFile, String> {
        let mut kept = self.input.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &*kept {
            return Ok(file.clone());
        }
        let file = read_from(input, "standard input".to_owned())?;
        *kept = Some(file.clone());
        Ok(file)
    }
}

pub(super) fn read_file(path: &Path) -> Result<SourceFile, String> {
    let name = path.display().to_string();
    let file = fs::File::open(path).map_err(|error| format!("cannot read {name}: {error}"))?;
    read_from(file, name)
}

fn read_from(reader: impl Read, name: String) -> Result<SourceFile, String> {
    let mut bytes = Vec::new();
    let read = reader.take(BYTES_READ_MAX).read_to_end(&mut bytes);
    read.map_err(|error| format!("cannot read {name}: {error}"))?;
    Ok(SourceFile::from_bytes(name, &bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_input_is_read_once() {
        let sources = Sources::new(Some("-".into()));
        for input in ["logging { }", ""] {
            let file = sources.read_once(input.as_bytes()).unwrap();
            assert_eq!(file.text(), "logging { }");
        }
    }

    #[test]
    fn a_folder_is_its_alloy_files_by_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.alloy", "a.alloy", "c.txt"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let files = Sources::new(Some(folder.path().to_owned())).read().unwrap();
        let names: Vec<_> = files
            .iter()
            .map(|file| file.name().rsplit('/').next())
            .collect();
        assert_eq!(names, [Some("a.alloy"), Some("b.alloy")]);
        let empty = tempfile::tempdir().unwrap();
        assert!(Sources::new(Some(empty.path().to_owned())).read().is_err());
    }
}
