//! Refuses modules from git repositories by name: this version does not fetch them.

use std::time::Duration;

use syntax::Secret;

use crate::graph::{self, Module, Site};

/// What to do instead.
const REFUSAL: &str = "cannot be imported: this version fetches nothing from git; let git-sync or a \
                       timer pull it into a folder and use import.file, or use import.http with the \
                       address of the file itself";

/// Alloy's arguments, so that the one thing that is wrong is said and nothing else.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct Arguments {
    /// The path in the repository.
    #[attr]
    path: String,
    /// How often to pull.
    #[attr(default = "1m")]
    pull_frequency: Duration,
    /// The repository. Not supported.
    #[attr]
    repository: String,
    /// A tag, a branch or a commit.
    #[attr(default = "main")]
    revision: String,
    /// Name and password.
    #[block]
    basic_auth: Option<BasicAuth>,
    /// A key for SSH.
    #[block]
    ssh_key: Option<SshKey>,
}

/// Name and password.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct BasicAuth {
    /// The password.
    #[attr]
    password: Secret,
    /// The name.
    #[attr]
    username: String,
}

/// A key for SSH.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct SshKey {
    /// The key.
    #[attr]
    key: Option<Secret>,
    /// Path of the key.
    #[attr(file, default)]
    key_file: String,
    /// What the key is locked with.
    #[attr]
    passphrase: Option<Secret>,
    /// The name.
    #[attr]
    username: String,
}

impl Arguments {
    fn check(&self) -> Result<(), (&'static str, String)> {
        Err(("repository", REFUSAL.to_owned()))
    }
}

/// There is none: no arguments are taken.
#[derive(Debug)]
pub struct Component;

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = Module;

    fn build(_: Arguments, _: Site) -> Result<Self, String> {
        Err(format!("a repository {REFUSAL}"))
    }

    fn exports(&self) -> Module {
        Module::default()
    }
}

impl graph::Import for Component {
    fn read(_: &Arguments, _: &str) -> Option<Result<Module, String>> {
        None
    }

    async fn fetch(&self) -> Result<(), String> {
        Err(format!("a repository {REFUSAL}"))
    }
}
