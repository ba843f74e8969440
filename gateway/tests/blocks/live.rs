//! The `livedebugging` block: what flows is shown to those who ask, if it may be.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::gateway::{Gateway, PATIENCE};

/// An onlooker of one component.
struct Onlooker {
    stream: TcpStream,
    seen: String,
}

impl Onlooker {
    async fn of(gateway: &Gateway, component: &str) -> Self {
        let mut stream = TcpStream::connect(gateway.admin).await.unwrap();
        let request = format!(
            "GET /api/v0/web/debug/{component}?sampleProb=1 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let seen = String::new();
        let mut onlooker = Self { stream, seen };
        onlooker.until("\r\n\r\n").await;
        assert!(
            onlooker.seen.starts_with("HTTP/1.1 200"),
            "{}",
            onlooker.seen
        );
        onlooker
    }

    /// Reads until this was seen; true if the answer ended before.
    async fn until(&mut self, text: &str) -> bool {
        let mut buffer = [0; 4096];
        while !self.seen.contains(text) {
            let read = timeout(PATIENCE, self.stream.read(&mut buffer)).await;
            let length = read.unwrap().unwrap();
            if length == 0 {
                return true;
            }
            let more = String::from_utf8_lossy(&buffer[..length]);
            self.seen.push_str(&more);
        }
        false
    }
}

pub(crate) async fn send_log(receiver: SocketAddr, text: &str) {
    let body = format!(
        "{{\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[{{\"body\":{{\"stringValue\":\
         \"{text}\"}}}}]}}]}}]}}"
    );
    let mut stream = TcpStream::connect(receiver).await.unwrap();
    let length = body.len();
    let request = format!(
        "POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// A receiver, a processor and an exporter in a row, behind this block.
pub(crate) fn pipeline(block: &str, receiver: SocketAddr) -> String {
    format!(
        "{block}
        otelcol.receiver.otlp \"r\" {{
            http {{
                endpoint = \"{receiver}\"
            }}
            output {{
                logs = [otelcol.processor.batch.b.input]
            }}
        }}
        otelcol.processor.batch \"b\" {{
            output {{
                logs = [otelcol.exporter.debug.d.input]
            }}
        }}
        otelcol.exporter.debug \"d\" {{ }}
        otelcol.auth.basic \"a\" {{
            username = \"u\"
            password = \"p\"
        }}"
    )
}

#[tokio::test]
async fn what_flows_is_shown_where_it_may_be() {
    let receiver = loadtest::ports::free(1).unwrap()[0];
    let debug = |component: &str| format!("/api/v0/web/debug/{component}");
    let gateway = Gateway::start(&pipeline("", receiver)).await;
    let (status, answer) = gateway.get(&debug("otelcol.receiver.otlp.r"), &[]).await;
    assert_eq!(status, 403);
    assert!(
        answer.contains("live debugging service is disabled"),
        "{answer}"
    );

    let enabled = pipeline("livedebugging {\nenabled = true\n}", receiver);
    gateway.load(&enabled).await.unwrap();
    for (path, expected) in [
        ("otelcol.receiver.otlp.absent", 404),
        ("otelcol.auth.basic.a", 400),
        ("otelcol.receiver.otlp.r?sampleProb=2", 400),
    ] {
        assert_eq!(gateway.get(&debug(path), &[]).await.0, expected, "{path}");
    }
    let components = [
        "otelcol.receiver.otlp.r",
        "otelcol.processor.batch.b",
        "otelcol.exporter.debug.d",
    ];
    let mut onlookers = Vec::new();
    for component in components {
        onlookers.push(Onlooker::of(&gateway, component).await);
    }
    send_log(receiver, "good morning").await;
    for onlooker in &mut onlookers {
        assert!(!onlooker.until("|;|").await);
        assert!(
            onlooker.seen.contains("Body: Str(good morning)"),
            "{}",
            onlooker.seen
        );
    }
    // Once it is no longer allowed, nobody sees more.
    gateway
        .load(&pipeline("livedebugging { }", receiver))
        .await
        .unwrap();
    send_log(receiver, "good night").await;
    for onlooker in &mut onlookers {
        onlooker.until("\r\n0\r\n").await;
        assert!(!onlooker.seen.contains("good night"), "{}", onlooker.seen);
    }
}
