//! The systems that a benchmark compares.

use std::path::PathBuf;

use crate::{
    Encoding, Error,
    error::Context,
    process::{Command, Ready},
    sut::{Template, Wiring},
};

/// A system under test.
#[derive(Clone, Debug)]
pub struct System {
    /// Its name in the table.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// What a system under test is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Any command; see [`Template`].
    Command(Template),
    /// Our gateway, from OTLP/gRPC to OTLP/gRPC.
    Gateway {
        /// Its executable.
        program: PathBuf,
        /// Whether it answers when the data are in its log, or when the backend has answered.
        durable: bool,
    },
    /// The bare server: this program's own `tonic-server`.
    TonicServer {
        /// This program's executable.
        program: PathBuf,
    },
}

impl System {
    /// Whether what it takes arrives at the sink.
    pub fn delivers(&self) -> bool {
        !matches!(self.kind, Kind::TonicServer { .. })
    }

    /// Whether it takes bodies in this encoding: tonic is built without compression here.
    pub fn accepts(&self, encoding: Encoding) -> bool {
        self.delivers() || encoding == Encoding::Identity
    }

    /// The command that starts it, and how it shows that it is ready.
    pub fn prepare(&self, wiring: &Wiring, encoding: Encoding) -> Result<(Command, Ready), Error> {
        let directory = wiring.storage.parent().unwrap_or(&wiring.storage);
        let log = directory.join("system.log");
        let ready = Ready::Tcp(wiring.grpc.to_string());
        match &self.kind {
            Kind::Command(template) => Ok((template.fill(wiring, &log), ready)),
            Kind::TonicServer { program } => {
                let arguments = vec!["tonic-server".into(), wiring.grpc.to_string().into()];
                let program = program.clone();
                Ok((
                    Command {
                        program,
                        arguments,
                        environment: Vec::new(),
                        log,
                    },
                    ready,
                ))
            }
            Kind::Gateway { program, durable } => {
                let file = directory.join("config.alloy");
                std::fs::write(&file, config(wiring, encoding, *durable))
                    .context(|| format!("write {}", file.display()))?;
                let arguments = vec![
                    "run".into(),
                    file.into(),
                    format!("--server.http.listen-addr={}", wiring.admin).into(),
                    format!("--storage.path={}", wiring.storage.display()).into(),
                ];
                let program = program.clone();
                let command = Command {
                    program,
                    arguments,
                    environment: Vec::new(),
                    log,
                };
                let address = wiring.admin.to_string();
                Ok((
                    command,
                    Ready::Http {
                        address,
                        path: "/-/ready".into(),
                    },
                ))
            }
        }
    }
}

/// The gateway's configuration: it sends on in the encoding that it gets.
fn config(wiring: &Wiring, encoding: Encoding, durable: bool) -> String {
    let compression = match encoding {
        Encoding::Identity => "none",
        other => other.as_str(),
    };
    format!(
        r#"logging {{
	level = "warn"
}}

otelcol.receiver.otlp "in" {{
	grpc {{
		endpoint = "{grpc}"
	}}

	output {{
		logs    = [otelcol.exporter.otlp.out.input]
		metrics = [otelcol.exporter.otlp.out.input]
		traces  = [otelcol.exporter.otlp.out.input]
	}}
}}

otelcol.exporter.otlp "out" {{
	client {{
		endpoint    = "{backend}"
		compression = "{compression}"

		tls {{
			insecure = true
		}}
	}}

	sending_queue {{
		enabled = {durable}
	}}
}}
"#,
        grpc = wiring.grpc,
        backend = wiring.backend_grpc,
    )
}
