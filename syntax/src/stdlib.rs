//! The standard library: what every expression can use.

mod array;
mod encoding;
mod format;
mod json;
mod json_path;
mod path;
mod strings;
mod yaml;

use std::sync::Arc;

use crate::function::{Arguments, Function, FunctionError};
use crate::value::{Object, Secret, Value};

/// What the library asks of the machine it runs on.
pub trait Environment: Send + Sync {
    /// The value of an environment variable.
    fn variable(&self, name: &str) -> Option<String>;

    /// The name of this host, if it has one.
    fn hostname(&self) -> Option<String>;

    /// What a variable that is not set stands for.
    fn unset(&self) -> Value {
        Value::from("")
    }
}

/// The real machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct System;

/// This machine, where a configuration is checked that may run on another: a variable that is not
/// set here may be set there, so what it stands for is unknown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Elsewhere;

/// The names of the standard library.
#[derive(Clone, Debug)]
pub struct Library {
    names: Object,
}

/// Names from before there were namespaces, and what they stand for.
const DEPRECATED: [(&str, (&str, &str)); 16] = [
    ("env", ("sys", "env")),
    ("nonsensitive", ("convert", "nonsensitive")),
    ("concat", ("array", "concat")),
    ("json_decode", ("encoding", "from_json")),
    ("yaml_decode", ("encoding", "from_yaml")),
    ("base64_decode", ("encoding", "from_base64")),
    ("format", ("string", "format")),
    ("join", ("string", "join")),
    ("replace", ("string", "replace")),
    ("split", ("string", "split")),
    ("to_lower", ("string", "to_lower")),
    ("to_upper", ("string", "to_upper")),
    ("trim", ("string", "trim")),
    ("trim_prefix", ("string", "trim_prefix")),
    ("trim_suffix", ("string", "trim_suffix")),
    ("trim_space", ("string", "trim_space")),
];

/// How deep the arrays and objects of decoded data may nest. Each level recurses, there and wherever
/// a value is walked.
const DATA_NESTING_MAX: usize = 128;

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

// === impl Elsewhere ===

impl Environment for Elsewhere {
    fn variable(&self, name: &str) -> Option<String> {
        System.variable(name)
    }

    fn hostname(&self) -> Option<String> {
        System.hostname()
    }

    fn unset(&self) -> Value {
        Value::Unknown
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
            match environment.variable(&name) {
                Some(value) => arguments.text(value),
                None => Ok(environment.unset()),
            }
        });
        names.insert("sys", namespace([("env", env)]));
        names.insert("convert", namespace([("nonsensitive", nonsensitive())]));
        names.insert("array", array::namespace());
        names.insert("encoding", encoding::namespace());
        names.insert("file", path::namespace());
        names.insert("string", strings::namespace());
        names.insert("coalesce", Value::Function(array::coalesce()));
        let json_path = Function::new("json_path", 2, json_path::json_path);
        names.insert("json_path", Value::Function(json_path));
        for (alias, (namespace, name)) in DEPRECATED {
            let function = names
                .get(namespace)
                .and_then(|names| names.as_object()?.get(name).cloned());
            names.insert(
                alias,
                function.expect("an alias is of a function that exists"),
            );
        }
        Self { names }
    }

    /// What stands in for a name that should no longer be used: `string.format` for `format`.
    pub fn replacement(name: &str) -> Option<String> {
        let found = DEPRECATED.iter().find(|(alias, _)| *alias == name);
        found.map(|(_, (namespace, name))| format!("{namespace}.{name}"))
    }

    /// Whether a function may still change: Alloy has it behind a stability level.
    pub fn is_experimental(full_name: &str) -> bool {
        matches!(full_name, "array.combine_maps" | "array.group_by")
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
