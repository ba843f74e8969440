//! A gateway in this process with its admin server, and a client that speaks HTTP by hand.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use corten::{
    admin,
    app::App,
    batch::MemoryBudget,
    graph::Stability,
    net::{
        Address,
        server::{Limits, Server, Versions},
        tls::ClientTls,
    },
    services::Services,
    telemetry::Logs,
};
use syntax::SourceFile;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

/// How long anything may take: far more than it needs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running gateway.
pub(crate) struct Gateway {
    pub(crate) app: Arc<App>,
    pub(crate) admin: SocketAddr,
    text: Arc<Mutex<String>>,
    _folder: tempfile::TempDir,
}

impl Gateway {
    /// One that has not loaded anything yet.
    pub(crate) async fn unconfigured() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let services = Services::new(MemoryBudget::new(64 << 20), Logs::start());
        services.open(wal::Log::open(wal::Options::new(folder.path())).unwrap());
        let text = Arc::new(Mutex::new(String::new()));
        let sources = text.clone();
        let read = move || {
            Ok(vec![SourceFile::new(
                "test.alloy",
                &*sources.lock().unwrap(),
            )])
        };
        let app = Arc::new(App::new(services, Stability::Experimental, Box::new(read)));
        let anywhere = Address::new("tcp", "127.0.0.1:0").unwrap();
        let listener = app.services().listeners().open(&anywhere).await.unwrap();
        let admin = listener.local_address().unwrap();
        let server = Server {
            limits: Limits::default(),
            versions: Versions::All,
            tls: app.services().gate().encryption(),
        };
        let router = admin::router(app.clone(), admin);
        tokio::spawn(server.serve(listener, router, CancellationToken::new()));
        tokio::spawn({
            let app = app.clone();
            async move { app.engine().follow().await }
        });
        Self {
            app,
            admin,
            text,
            _folder: folder,
        }
    }

    pub(crate) async fn start(text: &str) -> Self {
        let gateway = Self::unconfigured().await;
        gateway.load(text).await.unwrap();
        gateway
    }

    /// Runs another configuration in place of the present one.
    pub(crate) async fn load(&self, text: &str) -> Result<(), String> {
        *self.text.lock().unwrap() = text.to_owned();
        self.app.load().await.map_err(|error| error.to_string())
    }

    /// The status and the text of an answer to a GET with these header lines.
    pub(crate) async fn get(&self, path: &str, headers: &[&str]) -> (u16, String) {
        let stream = TcpStream::connect(self.admin).await.unwrap();
        ask(stream, path, headers).await.unwrap()
    }

    /// The same over TLS; an error is one of the handshake or of the connection.
    pub(crate) async fn get_over(
        &self,
        tls: &ClientTls,
        path: &str,
    ) -> std::io::Result<(u16, String)> {
        let stream = TcpStream::connect(self.admin).await?;
        let connector = TlsConnector::from(tls.config());
        let name = "localhost".try_into().unwrap();
        ask(connector.connect(name, stream).await?, path, &[]).await
    }
}

async fn ask<S>(mut stream: S, path: &str, headers: &[&str]) -> std::io::Result<(u16, String)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for header in headers {
        request.push_str(&format!("{header}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other(answer.clone()))?;
    Ok((status, answer))
}
