//! Imports a module from a text, most often one that another component exports.

use syntax::{OptionalSecret, SourceFile};

use super::Held;
use crate::graph::{self, Module, Site};

/// The module.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct Arguments {
    /// The text of the module. If it is a secret, not a line of it is shown where it is wrong.
    #[attr]
    content: OptionalSecret,
}

impl Arguments {
    fn module(&self, name: &str) -> Module {
        Module {
            files: vec![SourceFile::new(name, self.content.expose())],
            secret: self.content.is_secret,
            ..Module::default()
        }
    }
}

/// Has the module.
#[derive(Debug)]
pub struct Component {
    held: Held,
}

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = Module;

    fn build(arguments: Arguments, site: Site) -> Result<Self, String> {
        let held = Held::new(site);
        held.replace(arguments.module(held.site.id()));
        Ok(Self { held })
    }

    fn exports(&self) -> Module {
        self.held.module()
    }
}

impl graph::Import for Component {
    fn read(arguments: &Arguments, name: &str) -> Option<Result<Module, String>> {
        Some(Ok(arguments.module(name)))
    }

    async fn fetch(&self) -> Result<(), String> {
        Ok(())
    }
}
