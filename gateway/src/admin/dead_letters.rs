//! What destinations refused for good: looked at, sent once more, or removed.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    app::App,
    delivery::{DeadLetters, Moved, Selection},
};

/// Which letters are meant, in the query of a request.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Choice {
    component: Option<String>,
    signal: Option<String>,
    tenant: Option<String>,
    /// Names, with commas between them.
    id: Option<String>,
    /// All that there are; without it something must be chosen to be changed.
    #[serde(default)]
    all: bool,
    /// Whether the requests themselves are shown too.
    #[serde(default)]
    body: bool,
}

impl Choice {
    fn selection(&self) -> Result<Selection, String> {
        let signal = self.signal.as_deref().map(str::parse).transpose();
        let ids = self.id.as_deref().unwrap_or_default().split(',');
        Ok(Selection {
            component: self.component.clone(),
            signal: signal.map_err(|_| "signal must be logs, metrics or traces".to_owned())?,
            tenant: self.tenant.clone(),
            ids: ids.filter(|id| !id.is_empty()).map(str::to_owned).collect(),
        })
    }

    /// The selection for something that cannot be undone.
    fn careful_selection(&self) -> Result<Selection, String> {
        match self.selection()? {
            selection if selection == Selection::default() && !self.all => Err(
                "choose dead letters by component, signal, tenant or id, or say all=true"
                    .to_owned(),
            ),
            selection => Ok(selection),
        }
    }
}

pub(super) async fn list(State(app): State<Arc<App>>, Query(choice): Query<Choice>) -> Response {
    let selection = match choice.selection() {
        Ok(selection) => selection,
        Err(reason) => return refused(&reason),
    };
    match letters(&app).list(&selection).await {
        Ok(kept) => {
            let shown = |component: &str, letter: &crate::delivery::Letter| {
                letter.to_json(component, choice.body)
            };
            let letters = kept.iter().flat_map(|kept| {
                let component = &kept.component;
                kept.letters
                    .iter()
                    .map(move |letter| shown(component, letter))
            });
            Json(letters.collect::<Vec<Value>>()).into_response()
        }
        Err(reason) => later(&reason),
    }
}

pub(super) async fn replay(State(app): State<Arc<App>>, Query(choice): Query<Choice>) -> Response {
    match choice.careful_selection() {
        Ok(selection) => answer(letters(&app).replay(&selection).await),
        Err(reason) => refused(&reason),
    }
}

pub(super) async fn remove(State(app): State<Arc<App>>, Query(choice): Query<Choice>) -> Response {
    match choice.careful_selection() {
        Ok(selection) => answer(letters(&app).remove(&selection).await),
        Err(reason) => refused(&reason),
    }
}

fn letters(app: &App) -> DeadLetters {
    DeadLetters::new(app.services().log().clone())
}

fn answer(moved: Result<Moved, String>) -> Response {
    match moved {
        Ok(Moved { letters, items }) => {
            Json(json!({ "letters": letters, "items": items })).into_response()
        }
        Err(reason) => later(&reason),
    }
}

fn refused(reason: &str) -> Response {
    (StatusCode::BAD_REQUEST, format!("{reason}\n")).into_response()
}

fn later(reason: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response()
}
