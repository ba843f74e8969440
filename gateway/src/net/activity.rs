//! What a connection is doing: requests are counted from their first byte to the last byte of
//! their answers, so that nobody closes a connection that is still answering.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures::{FutureExt, future};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;
use tower::{Service, util::Oneshot};

/// What a connection is doing.
#[derive(Debug)]
pub struct Activity {
    pub(super) opened: Instant,
    /// Milliseconds after `opened` when the last request began or ended.
    last: AtomicU64,
    requests: AtomicU64,
    answered: AtomicU64,
    in_flight: AtomicUsize,
    greeted: AtomicBool,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            opened: Instant::now(),
            last: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            greeted: AtomicBool::new(false),
        }
    }

    /// Requests begun and not yet answered in full.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Requests answered in full.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Requests begun.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The client has shown that it speaks HTTP/2, so that it may idle before its first request.
    pub(super) fn greet(&self) {
        self.greeted.store(true, Ordering::Relaxed);
    }

    /// Whether nothing was heard yet that would show an honest client.
    pub(super) fn is_silent(&self) -> bool {
        self.requests() == 0 && !self.greeted.load(Ordering::Relaxed)
    }

    /// When the last request began or ended.
    pub(super) fn last(&self) -> Instant {
        self.opened + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }

    fn touch(&self) {
        let now = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    /// Counts a request until what is returned is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.touch();
        InFlight(self.clone())
    }
}

/// A request in progress.
#[derive(Debug)]
pub struct InFlight(Arc<Activity>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.0.answered.fetch_add(1, Ordering::Relaxed);
        self.0.touch();
    }
}

/// A service whose requests are counted until the last byte of their answers.
pub(super) struct Counted<S> {
    service: S,
    activity: Arc<Activity>,
}

impl<S> Counted<S> {
    pub(super) fn new(service: S, activity: Arc<Activity>) -> Self {
        Self { service, activity }
    }
}

type Answer<B> = Result<Response<B>, Infallible>;

type Counting<F, B> = future::Map<
    future::Join<F, future::Ready<InFlight>>,
    fn((Answer<B>, InFlight)) -> Answer<CountedBody<B>>,
>;

impl<S, B> hyper::service::Service<Request<Incoming>> for Counted<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone,
{
    type Response = Response<CountedBody<B>>;
    type Error = Infallible;
    type Future = Counting<Oneshot<S, Request<Incoming>>, B>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let in_flight = future::ready(self.activity.begin());
        let answer = Oneshot::new(self.service.clone(), request);
        future::join(answer, in_flight).map(|(answer, in_flight)| {
            answer.map(|response| {
                response.map(|body| CountedBody {
                    body,
                    _in_flight: in_flight,
                })
            })
        })
    }
}

/// A body that holds its request in the count.
pub struct CountedBody<B> {
    body: B,
    _in_flight: InFlight,
}

impl<B: Body + Unpin> Body for CountedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
