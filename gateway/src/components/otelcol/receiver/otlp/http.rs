//! OTLP over HTTP, in protobuf and JSON.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{
        ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
    },
};
use http_body::Body;
use http_body_util::Full;
use hyper::body::Incoming;
use protos::{Signal, status::Status};
use tonic::Code;
use tower::Service;

use super::{
    admission::{Admission, Arrival},
    arguments::Http,
    grpc::partial_success,
    identity::Identification,
};
use crate::{
    batch::{Codec, Refusal, RefusalKind, Tenant},
    net::{
        body::{self, Pace},
        cors::Cors,
        grpc::shorten,
    },
};

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

type Answer = Response<Full<Bytes>>;

/// The paths of OTLP/HTTP.
#[derive(Debug)]
pub(super) struct HttpService {
    admission: Admission,
    identification: Identification,
    paths: [(String, Signal); 3],
    codecs: Vec<Codec>,
    /// The codecs as a client is told with a refusal.
    accept_encoding: HeaderValue,
    cors: Cors,
    body_max: u64,
    plain_max: u64,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

/// The two encodings of OTLP/HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Protobuf,
    Json,
}

impl HttpService {
    pub(super) fn new(
        http: &Http,
        admission: Admission,
        identification: Identification,
    ) -> Result<Self, String> {
        let path = |text: &str| format!("/{}", text.trim_start_matches('/'));
        let codecs = http.codecs()?;
        let named = http
            .compression_algorithms
            .iter()
            .filter(|name| !name.is_empty());
        let names: Vec<_> = named.map(String::as_str).collect();
        Ok(Self {
            admission,
            identification,
            paths: [
                (path(&http.logs_url_path), Signal::Logs),
                (path(&http.metrics_url_path), Signal::Metrics),
                (path(&http.traces_url_path), Signal::Traces),
            ],
            accept_encoding: HeaderValue::try_from(names.join(", "))
                .map_err(|error| format!("http: compression_algorithms: {error}"))?,
            codecs,
            cors: http
                .cors
                .as_ref()
                .map(super::Cors::rules)
                .transpose()?
                .unwrap_or_default(),
            body_max: http.body_max(),
            plain_max: http.plain_max(),
            read_timeout: Some(http.read_timeout).filter(|timeout| !timeout.is_zero()),
            write_timeout: Some(http.write_timeout).filter(|timeout| !timeout.is_zero()),
        })
    }

    pub(super) fn into_service(
        self,
    ) -> impl Service<Request<Incoming>, Response = Answer, Error = Infallible, Future: Send> + Clone
    {
        let this = Arc::new(self);
        tower::service_fn(move |request| {
            let this = this.clone();
            async move { Ok(this.answer(request).await) }
        })
    }

    async fn answer<B: Body<Data = Bytes> + Unpin>(&self, request: Request<B>) -> Answer {
        let (head, body) = request.into_parts();
        if let Some((status, headers)) = self.cors.preflight(&head.method, &head.headers) {
            let mut answer = Response::new(Full::default());
            *answer.status_mut() = status;
            *answer.headers_mut() = headers;
            return answer;
        }
        let mut answer = self.route(&head, body).await;
        self.cors.decorate(&head.headers, answer.headers_mut());
        answer
    }

    async fn route<B: Body<Data = Bytes> + Unpin>(
        &self,
        head: &http::request::Parts,
        body: B,
    ) -> Answer {
        let path = self.paths.iter().find(|(path, _)| path == head.uri.path());
        let Some(&(_, signal)) = path else {
            return plain(StatusCode::NOT_FOUND, "no such path\n");
        };
        if head.method != Method::POST {
            let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "only POST is allowed\n");
            answer
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("POST"));
            return answer;
        }
        if let Some(reason) = self.admission.refuse_unrouted(signal) {
            return plain(StatusCode::NOT_FOUND, format!("{reason}\n"));
        }
        let Some(form) = Form::of(&head.headers) else {
            let message = "content-type must be application/x-protobuf or application/json\n";
            return plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
        };
        let Some(codec) = self.codec(&head.headers) else {
            let message = "content-encoding is not supported, accept-encoding says which are\n";
            let mut answer = plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
            answer
                .headers_mut()
                .insert(ACCEPT_ENCODING, self.accept_encoding.clone());
            return answer;
        };
        match self.take(signal, form, codec, &head.headers, body).await {
            Ok(answer) => answer,
            Err(refusal) => self.refuse(form, &refusal),
        }
    }

    async fn take<B: Body<Data = Bytes> + Unpin>(
        &self,
        signal: Signal,
        form: Form,
        codec: Codec,
        headers: &HeaderMap,
        body: B,
    ) -> Result<Answer, Refusal> {
        let refuse = |tenant: &Tenant, refusal| self.admission.refuse(signal, tenant, refusal);
        // What an unknown client says of its tenant is not to be believed.
        let sender = self
            .identification
            .identify(headers)
            .map_err(|refusal| refuse(&Tenant::default(), refusal))?;
        let mut share = self.admission.share();
        let body = {
            let mut pace = Pace::new(body, self.read_timeout);
            let mut admit = |bytes| share.take(bytes);
            body::read(&mut pace, self.body_max, &mut admit).await
        };
        let body = body.map_err(|error| refuse(&sender.tenant, share.unread(error)))?;
        let (is_json, plain_max) = (form == Form::Json, self.plain_max);
        let arrival = Arrival {
            signal,
            sender,
            codec,
            body,
            is_json,
            plain_max,
            share,
        };
        let admitted = self.admission.admit(arrival);
        let accepted = match self.write_timeout {
            None => admitted.await?,
            Some(timeout) => tokio::time::timeout(timeout, admitted)
                .await
                .map_err(|_| {
                    Refusal::unavailable("timeout", "not durable before the server's write_timeout")
                })??,
        };
        let partial = partial_success(accepted);
        Ok(form.answer(
            StatusCode::OK,
            match form {
                Form::Protobuf => partial.encode(),
                Form::Json => partial.encode_json(signal).into(),
            },
        ))
    }

    fn codec(&self, headers: &HeaderMap) -> Option<Codec> {
        let mut values = headers.get_all(CONTENT_ENCODING).iter();
        let codec = match values.next() {
            None => Codec::Identity,
            Some(value) => Codec::from_content_encoding(value.to_str().ok()?)?,
        };
        // One compression inside another has no honest use, and would be inflated uncounted.
        (values.next().is_none() && self.codecs.contains(&codec)).then_some(codec)
    }

    /// A refusal in OTLP/HTTP's words: a status whose body says the same in the request's form.
    fn refuse(&self, form: Form, refusal: &Refusal) -> Answer {
        let (http, code, delay) = match refusal.kind {
            RefusalKind::Unavailable { retry_after } => (
                StatusCode::SERVICE_UNAVAILABLE,
                Code::Unavailable,
                Some(retry_after),
            ),
            RefusalKind::Throttled { retry_after } => (
                StatusCode::TOO_MANY_REQUESTS,
                Code::ResourceExhausted,
                Some(retry_after),
            ),
            RefusalKind::Invalid => (StatusCode::BAD_REQUEST, Code::InvalidArgument, None),
            RefusalKind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, Code::ResourceExhausted, None),
            RefusalKind::Unauthenticated => (StatusCode::UNAUTHORIZED, Code::Unauthenticated, None),
            RefusalKind::Denied => (StatusCode::FORBIDDEN, Code::PermissionDenied, None),
        };
        let mut status = Status::new(code as i32, shorten(&refusal.message));
        if let Some(delay) = delay {
            status = status.retry_after(delay);
        }
        let mut answer = form.answer(
            http,
            match form {
                Form::Protobuf => status.encode(),
                Form::Json => status.encode_json().into(),
            },
        );
        let headers = answer.headers_mut();
        if let Some(delay) = delay {
            // Whole seconds, and never 0: "at once" is what an overloaded server does not want.
            let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, seconds.max(1).into());
        }
        if http == StatusCode::UNAUTHORIZED
            && let Some(auth) = &self.identification.auth
            && let Ok(challenge) = auth.challenge().parse()
        {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        answer
    }
}

impl Form {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("application/x-protobuf") {
            Some(Self::Protobuf)
        } else if kind.eq_ignore_ascii_case("application/json") {
            Some(Self::Json)
        } else {
            None
        }
    }

    fn answer(self, status: StatusCode, body: Bytes) -> Answer {
        let content_type = match self {
            Self::Protobuf => PROTOBUF,
            Self::Json => JSON,
        };
        let mut answer = Response::new(Full::new(body));
        *answer.status_mut() = status;
        answer.headers_mut().insert(CONTENT_TYPE, content_type);
        answer
    }
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(text.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, TEXT);
    answer
}
