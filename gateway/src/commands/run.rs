//! `corten run`: load, build, run, drain.

use std::{process::ExitCode, sync::Arc, time::Duration};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{fail, sources::Sources};
use crate::{
    admin,
    app::App,
    batch::MemoryBudget,
    cli::RunOptions,
    net::server::{Limits, Server, Versions},
    services::Services,
    telemetry::Logs,
};

/// How long an admin request may take to end when the process does.
const ADMIN_GRACE: Duration = Duration::from_secs(1);

/// How long threads that wait for the disk may take to end when the process does.
const THREADS_GRACE: Duration = Duration::from_secs(1);

/// How long the log may take to close when the gateway ends with an error. Everything that was
/// acknowledged is on the disk before; it only saves the next start some work.
const CLOSE_GRACE: Duration = Duration::from_secs(5);

/// Runs until SIGTERM or SIGINT; SIGHUP reloads. A second SIGTERM or SIGINT does not wait until
/// components have stopped.
pub fn run(options: RunOptions) -> ExitCode {
    let logs = Logs::start();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return fail(format!("cannot start threads: {error}")),
    };
    let code = match runtime.block_on(gateway(options, logs)) {
        Ok(()) => 0,
        Err(reason) => {
            fail(reason);
            1
        }
    };
    runtime.shutdown_timeout(THREADS_GRACE);
    // Without the exit handlers of C++: RocksDB's take away what a thread may still stand on that
    // waits for the disk, and the process would end by SIGSEGV instead of saying how it ended.
    signal_hook::low_level::exit(code)
}

async fn gateway(options: RunOptions, logs: Logs) -> Result<(), String> {
    // Before anything else: a SIGHUP that nobody listens for ends the process.
    let mut signals = Signals::install()?;
    let services = Services::new(MemoryBudget::new(options.memory_budget), logs);
    let log = tokio::select! {
        log = open_log(&options) => log?,
        // The log has taken nothing yet, and a restart opens it as a kill would have left it.
        () = signals.stop() => {
            tracing::info!("stopped before the log was open");
            return Ok(());
        }
    };
    services.open(log);
    let ended = serve(options, services.clone(), &mut signals).await;
    if ended.is_err() {
        let log = services.log().clone();
        let closed = tokio::task::spawn_blocking(move || log.close());
        let _ = tokio::time::timeout(CLOSE_GRACE, closed).await;
    }
    ended
}

/// Runs the configuration, with the log open, until a signal says to stop. Without an error the
/// log is closed then.
async fn serve(
    options: RunOptions,
    services: Services,
    signals: &mut Signals,
) -> Result<(), String> {
    let sources = Sources::new(options.path);
    let stability = options.config.stability.into();
    let app = App::new(services, stability, Box::new(move || sources.read()));
    let app = Arc::new(app.stopping_within(options.shutdown_deadline));

    let listener = app
        .services()
        .listeners()
        .open(&options.listen)
        .await
        .map_err(|error| {
            format!("{error}; this is the admin server (--server.http.listen-addr)")
        })?;
    let address = listener
        .local_address()
        .ok_or("the admin server needs an address of TCP (--server.http.listen-addr)")?;
    let router = admin::router(app.clone(), address);
    let stop_admin = CancellationToken::new();
    let server = Server {
        limits: Limits::default(),
        versions: Versions::All,
        tls: app.services().gate().encryption(),
    };
    let admin = tokio::spawn(server.serve(listener, router, stop_admin.clone()));
    app.load().await.map_err(|error| error.to_string())?;
    tokio::spawn({
        let app = app.clone();
        async move { app.engine().follow().await }
    });
    match app.readiness().await {
        Ok(()) => {
            let storage = options.storage.display();
            tracing::info!(admin = %address, %storage, "corten is ready");
        }
        Err(missing) => tracing::error!(admin = %address, "corten is not ready: {missing}"),
    }
    signals.serve(&app).await;

    tracing::info!("stopping: no new data is taken, what is owed stays in the log");
    tokio::select! {
        drained = tokio::time::timeout(options.shutdown_deadline, app.drain()) => {
            drained.map_err(|_| {
                "components did not stop in time (--feature.component-shutdown-deadline)"
            })?;
        }
        () = signals.stop() => {
            let reason = "a second signal: components are not waited for; what was acknowledged is \
                          in the log";
            tracing::error!("{reason}");
            return Err(reason.to_owned());
        }
    }
    stop_admin.cancel();
    let _ = tokio::time::timeout(ADMIN_GRACE, admin).await;
    Ok(())
}

async fn open_log(options: &RunOptions) -> Result<wal::Log, String> {
    let mut storage = wal::Options::new(&options.storage);
    storage.budget_bytes = options.storage_budget;
    tokio::task::spawn_blocking(move || wal::Log::open(storage))
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())
}

/// What an operator can tell the process. A signal that comes while nobody waits for it is kept.
struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn install() -> Result<Self, String> {
        let listen =
            |kind| signal(kind).map_err(|error| format!("cannot listen for signals: {error}"));
        Ok(Self {
            hangup: listen(SignalKind::hangup())?,
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// Waits until a signal says to stop.
    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Reloads on SIGHUP until a signal says to stop.
    async fn serve(&mut self, app: &App) {
        loop {
            tokio::select! {
                // What is wrong was logged; the old configuration goes on.
                _ = self.hangup.recv() => drop(app.reload().await),
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
            }
        }
    }
}
