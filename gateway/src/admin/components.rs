//! The components as JSON, in the form of Alloy's web API.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{app::App, graph::NodeView};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Component {
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "localID")]
    local_id: String,
    #[serde(rename = "moduleID")]
    module_id: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    label: String,
    references_to: Vec<Arc<str>>,
    referenced_by: Vec<Arc<str>>,
    health: Health,
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
            name: view.name.to_owned(),
            kind: "block",
            local_id: view.id.to_string(),
            module_id: "",
            label: view.label,
            references_to: view.references_to,
            referenced_by: view.referenced_by,
            health: Health {
                state: view.health.state.as_str(),
                message: view.health.message,
                updated_time: humantime::format_rfc3339_millis(view.health.updated).to_string(),
            },
        }
    }
}

pub(super) async fn list(State(app): State<Arc<App>>) -> Json<serde_json::Value> {
    let views = app.engine().view().await;
    // Configuration blocks are nodes to us, but no components to the API's users.
    let components = views.into_iter().filter(|view| !view.label.is_empty());
    Json(
        components
            .map(|view| serde_json::json!(Component::from(view)))
            .collect(),
    )
}

pub(super) async fn detail(State(app): State<Arc<App>>, Path(id): Path<String>) -> Response {
    let views = app.engine().view().await;
    match views.into_iter().find(|view| *view.id == *id) {
        Some(view) => Json(serde_json::json!(Component::from(view))).into_response(),
        None => (StatusCode::NOT_FOUND, "no component has this ID\n").into_response(),
    }
}
