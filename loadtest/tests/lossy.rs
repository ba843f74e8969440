//! The oracle must be able to fail: a proxy that acknowledges everything and passes on less, more
//! or something else is caught.

#![expect(clippy::unwrap_used, reason = "all of this file is test code")]

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use loadtest::{
    Check, Oracle, Signal, Verdict,
    backend::{Backend, Options},
    client::{Protocol, Target},
    generate::{Generator, Profile},
    load::{Gauge, Load},
};
use tokio::{net::TcpListener, sync::watch};

/// What the proxy does to every tenth request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Crime {
    None,
    Drop,
    Repeat,
    FlipBit,
    ChangeTenant,
    CutInHalf,
}

type Forward = Client<HttpConnector, Full<Bytes>>;

/// Passes requests on to `backend`, and answers each with success whatever became of it.
async fn proxy(backend: SocketAddr, crime: Crime) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client: Forward = Client::builder(TokioExecutor::new()).build_http();
    let count = Arc::new(AtomicU64::new(0));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (client, count) = (client.clone(), Arc::clone(&count));
            let service = service_fn(move |request| {
                let struck = count.fetch_add(1, Ordering::Relaxed) % 10 == 3;
                let crime = if struck { crime } else { Crime::None };
                pass_on(client.clone(), backend, crime, request)
            });
            let server = hyper::server::conn::http1::Builder::new();
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

async fn pass_on(
    client: Forward,
    backend: SocketAddr,
    crime: Crime,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (mut head, body) = request.into_parts();
    let mut body = body.collect().await.unwrap().to_bytes().to_vec();
    let mut times = 1;
    match crime {
        Crime::None => {}
        Crime::Drop => times = 0,
        Crime::Repeat => times = 2,
        Crime::FlipBit => {
            let middle = body.len() / 2;
            body[middle] ^= 1;
        }
        Crime::ChangeTenant => {
            head.headers
                .insert("x-scope-orgid", HeaderValue::from_static("blue"));
        }
        Crime::CutInHalf => body.truncate(body.len() / 2),
    }
    head.uri = format!("http://{backend}{}", head.uri.path())
        .parse()
        .unwrap();
    head.headers.remove("content-length");
    for _ in 0..times {
        let body = Full::new(Bytes::from(body.clone()));
        drop(
            client
                .request(Request::from_parts(head.clone(), body))
                .await,
        );
    }
    Ok(Response::new(Full::new(Bytes::new())))
}

async fn verdict_on(crime: Crime) -> Verdict {
    let oracle = Oracle::new(77, &["backend"]);
    let options = Options {
        protocol: Protocol::Http,
        address: "127.0.0.1:0".parse().unwrap(),
        check: Check::Verify,
        destination: oracle.destination("backend"),
    };
    let backend = Backend::start(options).await.unwrap();
    let target = Target::new(
        Protocol::Http,
        proxy(backend.address(), crime).await.to_string(),
    );
    let load = Load {
        limit: Some(2000),
        ..Load::new(target.as_tenant(Some("red")))
    };
    let generator = Arc::new(Generator::new(Profile::new(Signal::Metrics, 20)));
    let gauge = Arc::new(Gauge::default());
    let stop = watch::Sender::new(false);
    load.run(&generator, &oracle, &gauge, &stop.subscribe())
        .await
        .unwrap();
    assert_eq!(
        gauge.sent().acked,
        2000,
        "the proxy acknowledges everything"
    );
    oracle.verdicts().remove(0)
}

#[tokio::test]
async fn every_crime_is_found_out() {
    let cases = [
        (Crime::None, true),
        (Crime::Drop, false),
        (Crime::Repeat, true),
        (Crime::FlipBit, false),
        (Crime::ChangeTenant, false),
        (Crime::CutInHalf, false),
    ];
    for (crime, clean) in cases {
        let verdict = verdict_on(crime).await;
        let total = verdict.total();
        assert_eq!(verdict.clean(), clean, "{crime:?}\n{verdict}");
        assert_eq!(total.acked, 2000);
        // Every tenth request of twenty items.
        let (missing, duplicates, misdelivered) = match crime {
            Crime::None => (0, 0, 0),
            Crime::Drop | Crime::CutInHalf => (200, 0, 0),
            Crime::Repeat => (0, 200, 0),
            Crime::ChangeTenant => (0, 0, 200),
            Crime::FlipBit => (total.missing, 0, 0),
        };
        assert_eq!(
            (total.missing, total.duplicates, total.misdelivered),
            (missing, duplicates, misdelivered),
            "{crime:?}\n{verdict}"
        );
        if crime == Crime::FlipBit {
            assert!(total.missing > 0, "{verdict}");
            assert!(total.corrupted + verdict.undecodable > 0, "{verdict}");
        }
    }
}
