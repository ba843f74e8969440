//! Receives OTLP over gRPC and HTTP, and answers when the data is on disk.

mod admission;
mod arguments;
mod grpc;
mod http;
mod identity;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use self::{admission::Admission, grpc::GrpcService, http::HttpService};
use crate::{
    delivery::Intake,
    graph::{self, Site},
    net::{Address, Server},
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
        // Certificates, handlers and names are tried here, so that a bad one is found at the check.
        component.grpc()?;
        component.http()?;
        Ok(component)
    }

    fn exports(&self) -> Exports {
        Exports {}
    }

    async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), String> {
        let grpc = async {
            let Some((address, server, service)) = self.grpc()? else { return Ok(()) };
            let listener = self.site.services().listeners().open(&address).await?;
            server.serve(listener, service, stop.clone()).await;
            Ok(())
        };
        let http = async {
            let Some((address, server, service)) = self.http()? else { return Ok(()) };
            let listener = self.site.services().listeners().open(&address).await?;
            server.serve(listener, service, stop.clone()).await;
            Ok(())
        };
        // A server that cannot start takes the other one along: half a receiver looks healthy.
        let (Ok(()) | Err(())) = Ok::<(), ()>(());
        tokio::try_join!(grpc, http).map(|_: ((), ())| stop.is_cancelled()).and_then(|stopped| {
            if stopped { Ok(()) } else { Ok(()) }
        })
    }
}
