//! The documents that are open in the editor, and the files that belong to the same configuration.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use lsp_types::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use syntax::{FILE_BYTES_MAX, SourceFile};

/// What may stand in the path of an address as it is.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Files of a folder that are read: as many as a configuration may have.
const FILES_MAX: usize = 256;

/// What is open, by its address.
#[derive(Debug, Default)]
pub(super) struct Documents {
    open: BTreeMap<Uri, SourceFile>,
}

/// A file of a configuration.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) uri: Uri,
    pub(super) source: SourceFile,
}

/// The files that are one configuration; the one that was asked about is the first.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub(super) files: Vec<File>,
}

impl Documents {
    pub(super) fn set(&mut self, uri: &Uri, text: String) {
        let name = path(uri).map_or_else(|| uri.to_string(), |path| path.display().to_string());
        self.open.insert(uri.clone(), SourceFile::new(name, text));
    }

    pub(super) fn remove(&mut self, uri: &Uri) {
        self.open.remove(uri);
    }

    pub(super) fn has(&self, uri: &Uri) -> bool {
        self.open.contains_key(uri)
    }

    pub(super) fn get(&self, uri: &Uri) -> Result<&SourceFile, String> {
        let found = self.open.get(uri);
        found.ok_or_else(|| format!("{} is not open", uri.as_str()))
    }

    /// The configuration that an open document belongs to.
    pub(super) fn unit(&self, uri: &Uri, folder: bool) -> Unit {
        let mut files: Vec<File> = Vec::new();
        if let Some(source) = self.open.get(uri) {
            let (uri, source) = (uri.clone(), source.clone());
            files.push(File { uri, source });
        }
        if folder && let Some(asked) = path(uri) {
            let beside = siblings(&asked).into_iter().filter(|path| *path != asked);
            files.extend(beside.filter_map(|path| self.file(&path)));
        }
        Unit { files }
    }

    /// A file as the editor has it, or as it is on disk.
    fn file(&self, at: &Path) -> Option<File> {
        let open = self
            .open
            .iter()
            .find(|(uri, _)| path(uri).as_deref() == Some(at));
        if let Some((uri, source)) = open {
            let (uri, source) = (uri.clone(), source.clone());
            return Some(File { uri, source });
        }
        let mut bytes = Vec::new();
        let file = fs::File::open(at).ok()?;
        // One byte more than a file may have, so that one that is too long is refused.
        file.take(FILE_BYTES_MAX as u64 + 1)
            .read_to_end(&mut bytes)
            .ok()?;
        let source = SourceFile::from_bytes(at.display().to_string(), &bytes);
        let uri = format!("file://{}", utf8_percent_encode(at.to_str()?, KEPT));
        Some(File {
            uri: uri.parse().ok()?,
            source,
        })
    }
}

/// The path of a document that is a file.
fn path(uri: &Uri) -> Option<PathBuf> {
    let path = uri.as_str().strip_prefix("file://")?;
    let path = percent_decode_str(path).decode_utf8().ok()?;
    Some(PathBuf::from(&*path))
}

/// The configuration files in the folder of a file, by name.
fn siblings(file: &Path) -> Vec<PathBuf> {
    let folder = file.parent().unwrap_or(Path::new("/"));
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let alloy = |path: &PathBuf| {
        path.extension()
            .is_some_and(|extension| extension == "alloy")
    };
    let mut found: Vec<_> = entries.map(|entry| entry.path()).filter(alloy).collect();
    found.sort();
    found.truncate(FILES_MAX);
    found
}

impl Unit {
    /// The document that was asked about.
    pub(super) fn document(&self) -> Option<&SourceFile> {
        self.files.first().map(|file| &file.source)
    }
}
