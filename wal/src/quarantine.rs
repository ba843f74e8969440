//! Keeping damaged log files. RocksDB deletes its log files once it has recovered from them, also when
//! it could not read them to the end; a link to each is kept until the log is known to be whole.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::recovery::store_path;

/// Links RocksDB's log files into a directory of their own.
pub(crate) fn put_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = path.join("quarantine").join("pending");
    let Ok(entries) = fs::read_dir(store_path(path)) else {
        return Ok(aside);
    };
    for entry in entries {
        let entry = entry?;
        if entry
            .path()
            .extension()
            .is_none_or(|extension| extension != "log")
        {
            continue;
        }
        fs::create_dir_all(&aside)?;
        match fs::hard_link(entry.path(), aside.join(entry.file_name())) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    Ok(aside)
}

/// Keeps the files put aside when the log was damaged, and forgets them otherwise.
pub(crate) fn keep(path: &Path, aside: &Path, damaged: bool) -> Option<PathBuf> {
    if !aside.exists() {
        return None;
    }
    if !damaged {
        if let Err(error) = fs::remove_dir_all(path.join("quarantine").join("pending")) {
            tracing::warn!(%error, "cannot remove the links to the log files");
        }
        // Fails, as it should, while older damage is kept in there.
        let _ = fs::remove_dir(path.join("quarantine"));
        return None;
    }
    let kept = (1..)
        .map(|number: u32| path.join("quarantine").join(format!("damage-{number}")))
        .find(|kept| !kept.exists())?;
    match fs::rename(aside, &kept) {
        Ok(()) => Some(kept),
        Err(error) => {
            tracing::warn!(%error, "cannot keep the damaged log files");
            None
        }
    }
}
