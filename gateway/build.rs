//! Takes the `//!` comment of each component's file into the program, for its reference page: the
//! compiler gives a module's own comment to nobody.

use std::{
    env,
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let root = Path::new("src/components");
    let mut files = Vec::new();
    find(root, &mut files)?;
    files.sort();
    let mut rows = String::new();
    for file in files {
        let source = fs::read_to_string(&file)?;
        if !source.contains("impl graph::Component for") {
            continue;
        }
        // Writing to a string cannot fail.
        let _ = writeln!(
            rows,
            "    ({:?}, {:?}),",
            name(root, &file),
            comment(&source)
        );
    }
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(
        PathBuf::from(out).join("comments.rs"),
        format!("pub(super) const COMMENTS: &[(&str, &str)] = &[\n{rows}];\n"),
    )?;
    let mut cargo = io::stdout();
    writeln!(cargo, "cargo::rerun-if-changed=src/components")?;
    writeln!(cargo, "cargo::rerun-if-changed=build.rs")
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// The component's name, which is its file's path; that of a folder's `mod.rs` is the folder's.
fn name(root: &Path, file: &Path) -> String {
    let path = file.strip_prefix(root).unwrap_or(file).with_extension("");
    let path = match path.file_name().is_some_and(|name| name == "mod") {
        true => path.parent().unwrap_or(&path).to_owned(),
        false => path,
    };
    let steps = path.iter().map(|step| step.to_string_lossy());
    steps.collect::<Vec<_>>().join(".")
}

/// The comment at the head of a file, without its marks.
fn comment(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}
