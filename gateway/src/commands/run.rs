//! `corten run`: load, build, run, drain.

use std::{process::ExitCode, sync::Arc, time::Duration};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{fail, sources::Sources};
use crate::{
    admin,
    app::App,
    batch::MemoryBudget,
    cli::RunOptions,
    net::{
        Address,
        server::{Limits, Server, Versions},
    },
    services::Services,
    telemetry::Logs,
};

/// How long an admin request may take to end when the process does.
const ADMIN_GRACE: Duration = Duration::from_secs(1);

/// Runs until SIGTERM or SIGINT; SIGHUP reloads.
pub fn run(options: RunOptions) -> ExitCode {
    let logs = Logs::start();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(format!("cannot start threads: {error}")),
    };
    let ended = runtime.block_on(gateway(options, logs));
    runtime.shutdown_timeout(Duration::from_secs(1));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => fail(reason),
    }
}

async fn gateway(options: RunOptions, logs: Logs) -> Result<(), String> {
    let services = Services::new(MemoryBudget::new(options.memory_budget), logs);
    let mut storage = wal::Options::new(&options.storage);
    storage.budget_bytes = options.storage_budget;
    let opened = tokio::task::spawn_blocking(move || wal::Log::open(storage)).await;
    let log = opened
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())?;
    services.open(log);

    let sources = Sources::new(options.path);
    let stability = options.config.stability.into();
    let app = Arc::new(App::new(
        services,
        stability,
        Box::new(move || sources.read()),
    ));

    let address = Address::Tcp(options.listen.to_string());
    let listener = app
        .services()
        .listeners()
        .open(&address)
        .await
        .map_err(|error| {
            format!("{error}; this is the admin server (--server.http.listen-addr)")
        })?;
    let router = admin::router(app.clone(), options.listen);
    let stop_admin = CancellationToken::new();
    let server = Server {
        limits: Limits::default(),
        versions: Versions::All,
        tls: None,
    };
    let admin = tokio::spawn(server.serve(listener, router, stop_admin.clone()));
    app.load().await.map_err(|error| error.to_string())?;
    tokio::spawn({
        let app = app.clone();
        async move { app.engine().follow().await }
    });
    tracing::info!(admin = %options.listen, storage = %options.storage.display(), "corten is ready");
    serve(&app).await?;

    tracing::info!("stopping: no new data is taken, what is owed stays in the log");
    if tokio::time::timeout(options.shutdown_deadline, app.drain())
        .await
        .is_err()
    {
        return Err(
            "components did not stop in time (--feature.component-shutdown-deadline)".into(),
        );
    }
    stop_admin.cancel();
    let _ = tokio::time::timeout(ADMIN_GRACE, admin).await;
    Ok(())
}

/// Reloads on SIGHUP until a signal says to stop.
async fn serve(app: &App) -> Result<(), String> {
    let listen = |kind| signal(kind).map_err(|error| format!("cannot listen for signals: {error}"));
    let mut hangup = listen(SignalKind::hangup())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    loop {
        tokio::select! {
            // What is wrong was logged; the old configuration goes on.
            _ = hangup.recv() => drop(app.reload().await),
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
        }
    }
}
