//! What imports are to the engine: components whose exports are modules.

use std::{any::Any, future::Future, pin::Pin, sync::Arc, sync::LazyLock};

use syntax::{CapsuleValue, Schema, SourceFile, Value};

use super::{
    Component, Site,
    definition::{self, Arguments, Built, Instance},
};

/// A component that brings a module. When it publishes another one, the engine puts all that is
/// made of it in the place of what was made of the one before, or leaves that as it is.
pub trait Import: Component<Exports = Module> {
    /// Reads the module without the network, to check what is made of it. None where only a
    /// gateway that runs fetches it. The name is for a module that has none of its own.
    fn read(arguments: &Self::Arguments, name: &str) -> Option<Result<Module, String>>;

    /// Fetches the module for the first time, before there is anything that is made of it.
    ///
    /// # Errors
    /// Why there is no module; what uses it cannot be loaded then.
    fn fetch(&self) -> impl Future<Output = Result<(), String>> + Send;
}

/// The content of a module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Module {
    /// Its files, which are read as one.
    pub files: Vec<SourceFile>,
    /// Where its files are: `module_path`. None where they are wherever who imports it is.
    pub path: Option<String>,
    /// Whether it comes from a web server; then it cannot import files of this machine.
    pub remote: bool,
    /// Whether it must not be shown, not even a line of it in an error.
    pub secret: bool,
}

impl Module {
    /// The module in an import's exports.
    pub(super) fn of(exports: &Value) -> Option<Self> {
        match exports {
            Value::Capsule(capsule) => capsule.downcast_ref::<Self>().cloned(),
            _ => None,
        }
    }
}

impl CapsuleValue for Module {
    fn type_name(&self) -> &'static str {
        "module"
    }

    fn equals(&self, other: &dyn CapsuleValue) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Expressions cannot refer to it; it is what blocks are named after.
impl syntax::Exports for Module {
    fn schema() -> &'static Schema {
        static NOTHING: LazyLock<Schema> = LazyLock::new(|| Schema {
            doc: "Nothing that an expression could refer to.",
            fields: Vec::new(),
        });
        &NOTHING
    }

    fn to_object(&self) -> Value {
        Value::capsule(self.clone())
    }
}

/// The functions of a kind of import, without its type.
#[derive(Clone, Copy)]
pub(super) struct Functions {
    pub(super) read: fn(&dyn Arguments, &str) -> Option<Result<Module, String>>,
    pub(super) open: fn(&dyn Arguments, Site) -> Opened,
}

/// An import that is being made and fetches its module for the first time.
pub(super) type Opened = Pin<Box<dyn Future<Output = Result<Arc<dyn Instance>, String>> + Send>>;

impl Functions {
    pub(super) const fn of<C: Import>() -> Self {
        Self {
            read: read::<C>,
            open: open::<C>,
        }
    }
}

fn read<C: Import>(arguments: &dyn Arguments, name: &str) -> Option<Result<Module, String>> {
    C::read(definition::decoded::<C>(arguments)?, name)
}

fn open<C: Import>(arguments: &dyn Arguments, site: Site) -> Opened {
    let built = definition::decoded::<C>(arguments)
        .ok_or_else(|| "the arguments are of another kind of import".to_owned())
        .and_then(|arguments| C::build(arguments.clone(), site));
    Box::pin(async move {
        let component = Arc::new(built?);
        component.fetch().await?;
        Ok(Arc::new(Built(component)) as Arc<dyn Instance>)
    })
}
