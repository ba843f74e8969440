//! The standard library: what every expression can use.

mod array;

use std::sync::Arc;

use crate::function::{Arguments, Function, FunctionError};
use crate::value::{Object, Secret, Value};

/// What the library asks of the machine it runs on.
pub trait Environment: Send + Sync {
    /// The value of an environment variable.
    fn variable(&self, name: &str) -> Option<String>;

    /// The name of this host, if it has one.
    fn hostname(&self) -> Option<String>;
}

/// The real machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

/// The names of the standard library.
#[derive(Clone, Debug)]
pub struct Library {
    names: Object,
}

type Call = Result<Value, FunctionError>;

// === impl System ===

impl Environment for System {
    fn variable(&self, name: &str) -> Option<String> {
        // A name with `=` or NUL in it makes the system call panic.
        if name.is_empty() || name.contains(['=', '\0']) {
            return None;
        }
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }

    fn hostname(&self) -> Option<String> {
        hostname::get()
            .ok()
            .map(|name| name.to_string_lossy().into_owned())
    }
}

// === impl Library ===

impl Library {
    /// Makes the library for a machine and a version of the program (`constants.version`).
    pub fn new(environment: Arc<dyn Environment>, version: &str) -> Self {
        let mut names = Object::default();
        names.insert("constants", constants(environment.as_ref(), version));
        let env = Function::new("sys.env", 1, move |arguments: &Arguments<'_>| {
            let name: String = arguments.get(0)?;
            arguments.text(environment.variable(&name).unwrap_or_default())
        });
        names.insert("sys", namespace([("env", env)]));
        names.insert("convert", namespace([("nonsensitive", nonsensitive())]));
        names.insert("array", array::namespace());
        names.insert("coalesce", Value::Function(array::coalesce()));
        Self { names }
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.names.get(name)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys()
    }
}

fn namespace<const N: usize>(functions: [(&str, Function); N]) -> Value {
    Value::object(functions.map(|(name, function)| (name, Value::Function(function))))
}

fn nonsensitive() -> Function {
    Function::new("convert.nonsensitive", 1, |arguments| {
        let secret: Secret = arguments.get(0)?;
        arguments.text(secret.expose().to_owned())
    })
}

fn constants(environment: &dyn Environment, version: &str) -> Value {
    let os = match std::env::consts::OS {
        "macos" => "darwin",
        os => os,
    };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "powerpc64" => "ppc64le",
        arch => arch,
    };
    let version = match version.trim() {
        "" => "v0.0.0".to_owned(),
        version if version.starts_with(|ch: char| ch.is_ascii_digit()) => format!("v{version}"),
        version => version.to_owned(),
    };
    Value::object([
        (
            "hostname",
            environment.hostname().unwrap_or_default().into(),
        ),
        ("os", os.into()),
        ("arch", arch.into()),
        ("version", version.into()),
    ])
}
