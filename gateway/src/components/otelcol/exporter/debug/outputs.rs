//! Where the debug exporter writes when not to Corten's own log.

use std::{
    fs::File,
    io::{self, Write},
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

/// Consoles and files, opened when there is something to write.
#[derive(Debug)]
pub(super) struct Outputs(Mutex<Vec<Output>>);

#[derive(Debug)]
enum Output {
    Stdout,
    Stderr,
    File(PathBuf, Option<File>),
}

impl Outputs {
    /// The outputs named, standard output if none is.
    pub(super) fn new(paths: &[String]) -> Self {
        let output = |path: &String| match path.as_str() {
            "stdout" => Output::Stdout,
            "stderr" => Output::Stderr,
            path => Output::File(path.strip_prefix("file://").unwrap_or(path).into(), None),
        };
        let mut outputs: Vec<_> = paths.iter().map(output).collect();
        if outputs.is_empty() {
            outputs.push(Output::Stdout);
        }
        Self(Mutex::new(outputs))
    }

    /// Writes the text and an end of line to all of them.
    pub(super) fn write(&self, text: &str) -> Result<(), String> {
        let text = format!("{text}\n");
        // A panic elsewhere cannot leave an output half written.
        let mut outputs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut fault = Ok(());
        for output in outputs.iter_mut() {
            if let Err(error) = output.write(text.as_bytes()) {
                fault = Err(format!("cannot write to {}: {error}", output.name()));
            }
        }
        fault
    }
}

impl Output {
    fn name(&self) -> String {
        match self {
            Self::Stdout => "standard output".to_owned(),
            Self::Stderr => "standard error".to_owned(),
            Self::File(path, _) => path.display().to_string(),
        }
    }

    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => io::stdout().write_all(text),
            Self::Stderr => io::stderr().write_all(text),
            Self::File(_, Some(file)) => file.write_all(text),
            Self::File(path, none) => {
                let file = File::options().create(true).append(true).open(path)?;
                none.insert(file).write_all(text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_appended_to_and_a_bad_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        std::fs::write(&path, "before\n").unwrap();
        let good = format!("file://{}", path.display());
        let bad = folder.path().join("absent/out").display().to_string();
        let outputs = Outputs::new(&[bad.clone(), good]);
        for text in ["one", "two"] {
            assert!(outputs.write(text).unwrap_err().contains(&bad));
        }
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "before\none\ntwo\n"
        );
    }
}
