//! `loadtest bench`

use std::{io::stdout, path::PathBuf, time::Duration};

use clap::Args;
use loadtest::{
    Encoding, Error, Signal,
    bench::{self, Kind, System},
    units,
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Our gateway's executable: measured as `pass-through` and as `durable`.
    #[arg(long)]
    gateway: Option<PathBuf>,
    /// Another system, as name=command with {grpc}, {backend_grpc} and so on filled in; may be
    /// repeated.
    #[arg(long, value_parser = system)]
    sut: Vec<System>,
    /// Leave the bare tonic server out.
    #[arg(long)]
    no_tonic: bool,
    /// Signals.
    #[arg(long, value_delimiter = ',', default_value = "logs,traces")]
    signals: Vec<Signal>,
    /// Items in a request.
    #[arg(long, value_delimiter = ',', default_value = "512,10", value_parser = units::count)]
    items: Vec<usize>,
    /// Encodings.
    #[arg(long, value_delimiter = ',', default_value = "none,gzip")]
    encodings: Vec<Encoding>,
    /// How often each figure is taken; the table has medians.
    #[arg(long, default_value_t = 3, value_parser = units::count)]
    repeats: usize,
    /// How long each load lasts.
    #[arg(long, default_value = "5s", value_parser = units::duration)]
    duration: Duration,
    /// Connections.
    #[arg(long, default_value_t = 4, value_parser = units::count)]
    connections: usize,
    /// Requests in flight on each connection.
    #[arg(long, default_value_t = 8, value_parser = units::count)]
    in_flight: usize,
    /// Write every sample to this file, as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn system(text: &str) -> Result<System, Error> {
    let (name, command) = text
        .split_once('=')
        .ok_or_else(|| Error::new(format!("{text:?} is not a name and a command")))?;
    Ok(System {
        name: name.into(),
        kind: Kind::Command(command.parse()?),
    })
}

impl Arguments {
    pub(crate) async fn run(self) -> Result<bool, Error> {
        let mut systems = self.sut;
        if let Some(program) = self.gateway {
            for (name, durable) in [("pass-through", false), ("durable", true)] {
                let kind = Kind::Gateway {
                    program: program.clone(),
                    durable,
                };
                systems.push(System {
                    name: name.into(),
                    kind,
                });
            }
        }
        if !self.no_tonic {
            let program = std::env::current_exe()
                .map_err(|error| Error::new(format!("find this program: {error}")))?;
            systems.push(System {
                name: "tonic".into(),
                kind: Kind::TonicServer { program },
            });
        }
        let options = bench::Options {
            systems,
            signals: self.signals,
            items: self.items,
            encodings: self.encodings,
            repeats: self.repeats,
            duration: self.duration,
            connections: self.connections,
            in_flight: self.in_flight,
        };
        let table = bench::run(&options, &mut stdout()).await?;
        super::print(&format!("\n{}", table.to_markdown()))?;
        if let Some(file) = self.json {
            std::fs::write(&file, format!("{:#}\n", table.to_json()))
                .map_err(|error| Error::new(format!("write {}: {error}", file.display())))?;
        }
        Ok(table.lost() == 0)
    }
}
