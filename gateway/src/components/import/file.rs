//! Imports a module from a file or a folder, and keeps up with its changes.

use std::{path::Path, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::Held;
use crate::{
    components::watch::{Detector, Watch},
    graph::{self, Module, Site},
};

/// The file, and how to see its changes.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct Arguments {
    /// How changes are noticed: `fsnotify` listens to the file system and polls besides, `poll`
    /// only polls.
    #[attr(default = Detector::FileSystem)]
    detector: Detector,
    /// Path of the file, or of a folder whose `*.alloy` files are one module.
    #[attr(file)]
    filename: String,
    /// How often to look whether something has changed.
    #[attr(default = "1m")]
    poll_frequency: Duration,
}

impl Arguments {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if self.poll_frequency.is_zero() {
            return Err(("poll_frequency", "must be above zero".to_owned()));
        }
        Ok(())
    }

    fn module(&self) -> Result<Module, String> {
        let path = Path::new(&self.filename);
        let files = super::read(path, |path| path.display().to_string())?;
        let folder = match path.is_dir() {
            true => path,
            false => path.parent().unwrap_or(path),
        };
        let folder = match folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => folder,
        };
        Ok(Module {
            files,
            path: Some(folder.display().to_string()),
            ..Module::default()
        })
    }
}

/// Reads the module again and again.
#[derive(Debug)]
pub struct Component {
    arguments: Arguments,
    held: Held,
}

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = Module;

    fn build(arguments: Arguments, site: Site) -> Result<Self, String> {
        let held = Held::new(site);
        Ok(Self { arguments, held })
    }

    fn exports(&self) -> Module {
        self.held.module()
    }

    async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), String> {
        let Arguments {
            detector,
            poll_frequency,
            ..
        } = self.arguments;
        let path = Path::new(&self.arguments.filename);
        let mut watch = Watch::new(self.held.site.id(), path, detector, poll_frequency);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = watch.changed() => self.held.take(self.read().await),
            }
        }
    }
}

impl graph::Import for Component {
    fn read(arguments: &Arguments, _: &str) -> Option<Result<Module, String>> {
        Some(arguments.module())
    }

    async fn fetch(&self) -> Result<(), String> {
        self.held.replace(self.read().await?);
        Ok(())
    }
}

impl Component {
    async fn read(&self) -> Result<Module, String> {
        let arguments = self.arguments.clone();
        let read = tokio::task::spawn_blocking(move || arguments.module()).await;
        read.unwrap_or_else(|error| Err(format!("reading the module failed: {error}")))
    }
}
