//! A system under test as a command line, and the addresses that it is told.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

use crate::{Error, ports, process::Command};

/// Where everything in a test listens, and where the system under test may store.
#[derive(Clone, Debug)]
pub struct Wiring {
    /// The system's OTLP/gRPC receiver.
    pub grpc: SocketAddr,
    /// The system's OTLP/HTTP receiver.
    pub http: SocketAddr,
    /// The system's own HTTP interface.
    pub admin: SocketAddr,
    /// The backend that speaks gRPC.
    pub backend_grpc: SocketAddr,
    /// The backend that speaks HTTP.
    pub backend_http: SocketAddr,
    /// A directory of its own.
    pub storage: PathBuf,
}

impl Wiring {
    /// Free loopback addresses, and a directory that need not exist yet.
    pub fn new(storage: PathBuf) -> Result<Self, Error> {
        let ports = ports::free(5)?;
        Ok(Self {
            grpc: ports[0],
            http: ports[1],
            admin: ports[2],
            backend_grpc: ports[3],
            backend_http: ports[4],
            storage,
        })
    }

    /// The names under which commands know all of it, with their values.
    fn names(&self) -> [(&'static str, String); 6] {
        [
            ("grpc", self.grpc.to_string()),
            ("http", self.http.to_string()),
            ("admin", self.admin.to_string()),
            ("backend_grpc", self.backend_grpc.to_string()),
            ("backend_http", self.backend_http.to_string()),
            ("storage", self.storage.display().to_string()),
        ]
    }
}

/// A command line with places to fill in: `{grpc}`, `{http}`, `{admin}`, `{backend_grpc}`,
/// `{backend_http}` and `{storage}`. The command also finds each in its environment, as
/// `LOADTEST_GRPC` and so on, for configuration files to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    words: Vec<String>,
}

impl FromStr for Template {
    type Err = Error;

    /// Splits at white space; there is no quoting.
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::new(text.split_whitespace().map(String::from).collect())
    }
}

impl Template {
    /// A template of words, the first of which is the program.
    pub fn new(words: Vec<String>) -> Result<Self, Error> {
        if words.is_empty() {
            return Err(Error::new("the command of the system under test is empty"));
        }
        Ok(Self { words })
    }

    /// The command with its places filled in.
    pub fn fill(&self, wiring: &Wiring, log: &Path) -> Command {
        let names = wiring.names();
        let mut words = self.words.iter().map(|word| {
            names.iter().fold(word.clone(), |word, (name, value)| {
                word.replace(&format!("{{{name}}}"), value)
            })
        });
        Command {
            program: words.next().unwrap_or_default().into(),
            arguments: words.map(Into::into).collect(),
            environment: names
                .iter()
                .map(|(name, value)| {
                    (
                        format!("LOADTEST_{}", name.to_uppercase()),
                        value.clone().into(),
                    )
                })
                .collect(),
            log: log.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_in() {
        let wiring = Wiring::new("/data".into()).unwrap();
        let template: Template = "relay --in={grpc} {storage}/x {other}".parse().unwrap();
        let command = template.fill(&wiring, Path::new("log"));
        assert_eq!(command.program, Path::new("relay"));
        let listen = format!("--in={}", wiring.grpc);
        assert_eq!(command.arguments, [&*listen, "/data/x", "{other}"]);
        let backend = command
            .environment
            .iter()
            .find(|(name, _)| name == "LOADTEST_BACKEND_HTTP");
        assert_eq!(backend.unwrap().1, *wiring.backend_http.to_string());
        assert!(" ".parse::<Template>().is_err());
    }
}
