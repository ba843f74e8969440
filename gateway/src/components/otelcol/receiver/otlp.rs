//! Receives OTLP over gRPC and HTTP, and answers when the data is on disk.

mod admission;
mod arguments;
mod grpc;
mod http;
mod identity;

use std::{str::FromStr, sync::Arc};

use ::http::HeaderName;
use tokio_util::sync::CancellationToken;

use self::{admission::Admission, grpc::GrpcService, http::HttpService, identity::Identification};
use super::super::Handler;
use crate::{
    delivery::Intake,
    graph::{self, Site},
    net::{Address, Listener, Listeners, Server},
};

pub use arguments::{Arguments, Cors, Grpc, Http, Keepalive, Tenant};

/// Nothing can be referred to.
#[derive(syntax::Exports, Clone, Debug)]
pub struct Exports {}

/// Up to two servers in front of one pipeline.
#[derive(Debug)]
pub struct Component {
    arguments: Arguments,
    site: Site,
}

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = Exports;

    fn build(arguments: Arguments, site: Site) -> Result<Self, String> {
        let component = Self { arguments, site };
        // Certificates, handlers and names are tried here, so that a bad one changes nothing.
        component.grpc()?;
        component.http()?;
        Ok(component)
    }

    fn exports(&self) -> Exports {
        Exports {}
    }

    async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), String> {
        let listeners = self.site.services().listeners();
        let grpc = open(listeners, self.grpc()?).await?;
        let http = open(listeners, self.http()?).await?;
        let serve_grpc = async {
            if let Some((listener, server, service)) = grpc {
                server
                    .serve(listener, service.into_service(), stop.clone())
                    .await;
            }
        };
        let serve_http = async {
            if let Some((listener, server, service)) = http {
                server
                    .serve(listener, service.into_service(), stop.clone())
                    .await;
            }
        };
        tokio::join!(serve_grpc, serve_http);
        Ok(())
    }
}

/// A server that is ready to listen.
type Ready<S> = (Address, Server, S);

async fn open<S>(
    listeners: &Listeners,
    ready: Option<Ready<S>>,
) -> Result<Option<(Listener, Server, S)>, String> {
    let Some((address, server, service)) = ready else {
        return Ok(None);
    };
    Ok(Some((listeners.open(&address).await?, server, service)))
}

impl Component {
    fn grpc(&self) -> Result<Option<Ready<GrpcService>>, String> {
        let Some(grpc) = &self.arguments.grpc else {
            return Ok(None);
        };
        let tls = grpc
            .tls
            .as_ref()
            .map(|tls| tls.server(Grpc::VERSIONS))
            .transpose();
        let tls = tls.map_err(|error| format!("grpc: {error}"))?;
        let server = Server {
            limits: grpc.limits(),
            versions: Grpc::VERSIONS,
            tls: tls.into(),
        };
        let service = GrpcService {
            admission: self.admission(),
            identification: self.identification(grpc.auth.as_ref(), grpc.include_metadata)?,
            message_max: grpc.message_max(),
            plain_max: grpc.plain_max(),
        };
        Ok(Some((grpc.address()?, server, service)))
    }

    fn http(&self) -> Result<Option<Ready<HttpService>>, String> {
        let Some(http) = &self.arguments.http else {
            return Ok(None);
        };
        let tls = http
            .tls
            .as_ref()
            .map(|tls| tls.server(Http::VERSIONS))
            .transpose();
        let tls = tls.map_err(|error| format!("http: {error}"))?;
        let server = Server {
            limits: http.limits(),
            versions: Http::VERSIONS,
            tls: tls.into(),
        };
        let identification = self.identification(http.auth.as_ref(), http.include_metadata)?;
        let service = HttpService::new(http, self.admission(), identification)?;
        Ok(Some((http.address()?, server, service)))
    }

    fn admission(&self) -> Admission {
        Admission {
            intake: Intake::new(&self.site),
            outputs: self.arguments.output.outputs(&self.site),
            memory: self.site.services().memory().clone(),
        }
    }

    fn identification(
        &self,
        auth: Option<&Handler>,
        include_metadata: bool,
    ) -> Result<Identification, String> {
        let auth = auth.map(Handler::server).transpose()?;
        let tenant = match &self.arguments.tenant {
            Some(Tenant { header }) => Some(
                HeaderName::from_str(header)
                    .map_err(|_| format!("tenant: {header:?} is not the name of a header"))?,
            ),
            // Where client metadata is declared trusted, so is its tenant.
            None => include_metadata.then_some(identity::TENANT_HEADER),
        };
        Ok(Identification {
            auth,
            include_metadata,
            tenant,
        })
    }
}
