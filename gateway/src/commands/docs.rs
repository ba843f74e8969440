//! `corten docs`: the reference, on a machine that has only the program.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use syntax::did_you_mean;

use super::fail;
use crate::{
    cli::DocsOptions,
    components::{TABLE, VOCABULARY},
    reference,
};

/// Prints a page, or writes all of them into a folder.
pub fn docs(options: &DocsOptions) -> ExitCode {
    let done = match (&options.name, &options.output) {
        (_, Some(folder)) => write_all(folder),
        (Some(name), None) => page(name).and_then(|page| print(&page)),
        (None, None) => print(&names()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => fail(reason),
    }
}

fn print(text: &str) -> Result<(), String> {
    let written = std::io::stdout().write_all(text.as_bytes());
    written.map_err(|error| format!("cannot write: {error}"))
}

/// The page of a component, or the one for the command line.
fn page(name: &str) -> Result<String, String> {
    let file = format!("{name}.md");
    let mut pages = reference::pages();
    if let Some(at) = pages.iter().position(|(other, _)| *other == file) {
        return Ok(pages.swap_remove(at).1);
    }
    if VOCABULARY.has(name) {
        let what = "is part of the language and has no page of its own; see docs/modules.md";
        return Err(format!("{name} {what}"));
    }
    if VOCABULARY.known(name).is_some() {
        return Err(format!(
            "{name} exists in Alloy; Corten does not have it yet"
        ));
    }
    let names = TABLE.iter().map(|definition| definition.name);
    let help = did_you_mean(name, names).map_or_else(
        || "`corten docs` lists the names".to_owned(),
        |help| help.replace("help: ", ""),
    );
    Err(format!("there is no component {name:?}; {help}"))
}

/// A line for each page.
fn names() -> String {
    let width = TABLE.iter().map(|definition| definition.name.len()).max();
    let width = width.unwrap_or_default();
    let line = |definition: &crate::graph::Definition| {
        format!(
            "{:width$}  {}\n",
            definition.name,
            reference::summary(definition)
        )
    };
    let cli = format!("{:width$}  The command line.\n", "cli");
    TABLE.iter().map(line).chain([cli]).collect()
}

fn write_all(folder: &Path) -> Result<(), String> {
    let failed = |path: &Path, error| format!("cannot write {}: {error}", path.display());
    fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    let pages = reference::pages();
    for (name, text) in &pages {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| failed(&path, error))?;
    }
    for stale in stale(folder, &pages) {
        fs::remove_file(&stale).map_err(|error| failed(&stale, error))?;
    }
    Ok(())
}

/// Pages that were written once and have no component any more. Other files are let alone.
fn stale(folder: &Path, pages: &[(String, String)]) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_stale = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        !pages.iter().any(|(page, _)| *page == name)
            && fs::read_to_string(path).is_ok_and(|text| text.ends_with(reference::MARK))
    };
    files.map(|file| file.path()).filter(is_stale).collect()
}
