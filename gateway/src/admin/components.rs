//! The components as JSON, in the form of Alloy's web API.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    app::App,
    graph::{NodeKind, NodeView},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Component {
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "localID")]
    local_id: String,
    #[serde(rename = "moduleID")]
    module_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    label: String,
    references_to: Vec<String>,
    referenced_by: Vec<String>,
    health: Health,
    #[serde(rename = "createdModuleIDs", skip_serializing_if = "Vec::is_empty")]
    created_module_ids: Vec<Arc<str>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Health {
    state: &'static str,
    message: String,
    updated_time: String,
}

impl From<NodeView> for Component {
    fn from(view: NodeView) -> Self {
        Self {
            kind: "block",
            local_id: view.local_id().to_owned(),
            module_id: view.module_id().to_owned(),
            name: view.name,
            label: view.label,
            references_to: view.references_to,
            referenced_by: view.referenced_by,
            health: Health {
                state: view.health.state.as_str(),
                message: view.health.message,
                updated_time: humantime::format_rfc3339_millis(view.health.updated).to_string(),
            },
            created_module_ids: view.modules,
        }
    }
}

/// Components outside of modules.
pub(super) async fn list(State(app): State<Arc<App>>) -> Response {
    in_module(&app, "").await
}

/// Components in the module of an id.
pub(super) async fn of_module(State(app): State<Arc<App>>, Path(path): Path<String>) -> Response {
    match path.strip_suffix("/components") {
        Some(module) if !module.is_empty() => in_module(&app, module).await,
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn in_module(app: &App, module: &str) -> Response {
    let views = app.engine().view().await;
    let known = |view: &NodeView| view.modules.iter().any(|id| **id == *module);
    if !module.is_empty() && !views.iter().any(known) {
        // So says Alloy, and its interface expects this code.
        return (StatusCode::INTERNAL_SERVER_ERROR, "module not found\n").into_response();
    }
    // Configuration blocks and imports are nodes to us, but no components to the API's users.
    let shown = |view: &NodeView| {
        matches!(view.kind, NodeKind::Component | NodeKind::Custom) && view.module_id() == module
    };
    let components = views.into_iter().filter(shown).map(Component::from);
    Json(components.collect::<Vec<_>>()).into_response()
}

pub(super) async fn detail(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    let views = app.engine().view().await;
    match views.into_iter().find(|view| *view.id == *id) {
        Some(view) => Json(Component::from(view)).into_response(),
        None => (StatusCode::NOT_FOUND, "no component has this ID\n").into_response(),
    }
}
