//! `corten fmt`: the canonical form of a file, as `alloy fmt` prints it.

use std::{fs, io::Write, path::Path, process::ExitCode};

use super::{fail, sources::Sources};
use crate::cli::FmtOptions;

/// Prints the file, writes it back, or tests whether it is in its canonical form.
pub fn fmt(options: &FmtOptions) -> ExitCode {
    let standard_input = options.path == Path::new("-");
    if standard_input && options.write {
        return fail("cannot write back to standard input");
    }
    if options.path.is_dir() {
        return fail(format!(
            "{} is a folder; name its files",
            options.path.display()
        ));
    }
    let files = match Sources::new(Some(options.path.clone())).read() {
        Ok(files) => files,
        Err(reason) => return fail(reason),
    };
    let (file, diagnostics) = syntax::parse(&files[0]);
    if diagnostics.has_errors() {
        return fail(diagnostics.render());
    }
    let printed = syntax::print(&file);
    let unchanged = printed == files[0].text();
    if options.test {
        return if unchanged {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    let written = match options.write {
        true if unchanged => Ok(()),
        true => replace(&options.path, &printed),
        false => std::io::stdout().write_all(printed.as_bytes()),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(format!("cannot write {}: {error}", options.path.display())),
    }
}

/// Replaces a file's contents in one step, keeping its permissions.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let target = fs::canonicalize(path)?;
    let mut beside = target.clone().into_os_string();
    beside.push(".formatting");
    fs::write(&beside, text)?;
    fs::set_permissions(&beside, fs::metadata(&target)?.permissions())?;
    fs::rename(&beside, &target)
}
