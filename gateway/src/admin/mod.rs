//! The admin server: probes, reload, metrics and the API, under Alloy's paths and with Alloy's words.
//!
//! It is a listener of its own, on loopback unless told otherwise: who sends data has no business
//! here.

mod components;
mod dead_letters;
mod door;
mod guard;
mod live;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::{
        StatusCode,
        header::{ALLOW, CONTENT_TYPE},
    },
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};

use crate::{
    app::{App, LoadError},
    graph::HealthState,
};

/// The content type of OpenMetrics, in which `/metrics` answers.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All routes of the admin server, which listens at this address.
pub fn router(app: Arc<App>, listen: SocketAddr) -> Router {
    let reloading = match guard::may_reload_by_get(listen) {
        true => get(reload).post(reload),
        false => get(refuse_get).post(reload),
    };
    let gate = app.services().gate().clone();
    Router::new()
        .route("/-/ready", get(ready))
        .route("/-/healthy", get(healthy))
        .route("/-/reload", reloading)
        .route("/metrics", get(metrics))
        .route("/api/v0/web/components", get(components::list))
        .route("/api/v0/web/components/{*id}", get(components::detail))
        .route("/api/v0/web/debug/{*id}", get(live::watch))
        .route("/api/v0/web/modules/{*path}", get(components::of_module))
        .route(
            "/api/v0/dead-letters",
            get(dead_letters::list).delete(dead_letters::remove),
        )
        .route("/api/v0/dead-letters/replay", post(dead_letters::replay))
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            door::check(gate.clone(), request, next)
        }))
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            guard::check(listen, request, next)
        }))
        .with_state(app)
}

async fn ready(State(app): State<Arc<App>>) -> Response {
    match app.readiness().await {
        Ok(()) => (StatusCode::OK, "Corten is ready.\n").into_response(),
        Err(missing) => {
            let text = format!("Corten is not ready.\n{missing}\n");
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

async fn healthy(State(app): State<Arc<App>>) -> Response {
    let views = app.engine().view().await;
    let ill = |view: &&crate::graph::NodeView| view.health.state >= HealthState::Unhealthy;
    let mut problems: Vec<String> = views
        .iter()
        .filter(ill)
        .map(|view| view.id.to_string())
        .collect();
    problems.extend(app.log_problem());
    if problems.is_empty() {
        return (StatusCode::OK, "All Corten components are healthy.\n").into_response();
    }
    let text = format!("unhealthy components: {}\n", problems.join(", "));
    (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
}

async fn reload(State(app): State<Arc<App>>) -> Response {
    match app.reload().await {
        Ok(()) => {
            let text = match app.readiness().await {
                Ok(()) => "config reloaded\n".to_owned(),
                // It was loaded, and the one before is gone: that is no failure to load.
                Err(missing) => format!("config reloaded\n{missing}\n"),
            };
            (StatusCode::OK, text).into_response()
        }
        Err(error @ LoadError::Stopping) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}

async fn refuse_get() -> Response {
    let reason = "reload with POST: this server is not on loopback alone, and any web page can make \
                  a browser send a GET\n";
    (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "POST")], reason).into_response()
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    match app.services().metrics().encode() {
        Ok(text) => ([(CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(_) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "metrics cannot be encoded\n",
        )
            .into_response(),
    }
}
