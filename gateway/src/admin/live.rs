//! Shows the data that a component handles while they pass, in the form of Alloy's web API: texts
//! with a mark behind each, in an answer that does not end.
//!
//! Who watches never holds the flow up: what comes too fast is missed, and what is too large is only
//! counted.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use futures::{Stream, stream};
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;

use crate::{app::App, graph::Tap};

/// The mark behind each text.
const MARK: &str = "|;|";

/// How many may watch at once: people with a browser. Each costs the decoding of what it is shown.
const ONLOOKERS_MAX: usize = 16;

static ONLOOKERS: AtomicUsize = AtomicUsize::new(0);

#[derive(Deserialize)]
pub(super) struct Parameters {
    /// The share of batches to show, from 0 to 1.
    #[serde(rename = "sampleProb")]
    sample: Option<String>,
}

pub(super) async fn watch(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Query(parameters): Query<Parameters>,
) -> Response {
    let refuse = |status: StatusCode, reason: String| (status, reason).into_response();
    let Some(share) = share(parameters.sample.as_deref()) else {
        let reason = "Invalid sample probability: sampleProb is a number from 0 to 1\n";
        return refuse(StatusCode::BAD_REQUEST, reason.to_owned());
    };
    if !app.services().live_debugging().is_allowed() {
        let reason = "the live debugging service is disabled: set enabled = true in a livedebugging \
                      block\n";
        return refuse(StatusCode::FORBIDDEN, reason.to_owned());
    }
    let Some(port) = app.engine().port(&id).await else {
        return refuse(
            StatusCode::NOT_FOUND,
            format!("no component has the ID {id:?}\n"),
        );
    };
    let Some(tap) = port.live() else {
        let reason = format!(
            "the component {id:?} does not support live debugging: no data flow \
                              through it\n"
        );
        return refuse(StatusCode::BAD_REQUEST, reason);
    };
    let Some(place) = Place::take() else {
        let reason = format!("{ONLOOKERS_MAX} others are watching, end one of them first\n");
        return refuse(StatusCode::SERVICE_UNAVAILABLE, reason);
    };
    let onlooker = Onlooker {
        app,
        id,
        tap,
        share,
        has_missed: false,
        _place: place,
    };
    let kind = [(CONTENT_TYPE, "text/plain; charset=utf-8")];
    (kind, Body::from_stream(onlooker.texts())).into_response()
}

fn share(parameter: Option<&str>) -> Option<f64> {
    let share = match parameter {
        None | Some("") => 1.0,
        Some(text) => text.parse().ok()?,
    };
    (0.0..=1.0).contains(&share).then_some(share)
}

struct Onlooker {
    app: Arc<App>,
    id: String,
    tap: Tap,
    share: f64,
    has_missed: bool,
    _place: Place,
}

impl Onlooker {
    fn texts(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
        stream::unfold(self, |mut onlooker| async move {
            let text = onlooker.next().await?;
            Some((Ok(text), onlooker))
        })
    }

    /// The next text; none once nothing may be watched any more, or the component is gone.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let live = self.app.services().live_debugging();
            let batch = tokio::select! {
                batch = self.tap.recv() => batch,
                () = live.forbidden() => return None,
            };
            match batch {
                Ok(batch) if rand::random::<f64>() < self.share => {
                    // Decoding takes its time.
                    let describe = move || App::describe(&batch) + MARK;
                    let text = tokio::task::spawn_blocking(describe).await.ok()?;
                    return Some(text.into());
                }
                Ok(_) => {}
                Err(RecvError::Lagged(missed)) => {
                    if !std::mem::replace(&mut self.has_missed, true) {
                        let component = &*self.id;
                        tracing::warn!(component, missed, "live debugging cannot keep up");
                    }
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

/// One of the places for those who watch.
struct Place;

impl Place {
    fn take() -> Option<Self> {
        let more = |count: usize| (count < ONLOOKERS_MAX).then_some(count + 1);
        ONLOOKERS
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()
            .map(|_| Self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        ONLOOKERS.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_number_from_zero_to_one() {
        for (text, expected) in [
            (None, Some(1.0)),
            (Some(""), Some(1.0)),
            (Some("0.25"), Some(0.25)),
            (Some("1"), Some(1.0)),
            (Some("1.1"), None),
            (Some("-0.1"), None),
            (Some("NaN"), None),
            (Some("half"), None),
        ] {
            assert_eq!(share(text), expected, "{text:?}");
        }
    }
}
