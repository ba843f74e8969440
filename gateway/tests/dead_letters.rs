//! Dead letters as an operator meets them: in the metrics, through the admin server of a gateway that
//! runs, and by command line when it does not.

#![expect(clippy::unwrap_used, reason = "what helps a test is a test, too")]

use std::{
    io::{Read, Write},
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, http::StatusCode, routing::post};
use loadtest::{fetch, ports};
use serde_json::{Value, json};

const CORTEN: &str = env!("CARGO_BIN_EXE_corten");

/// A backend that refuses poison while it is strict.
#[derive(Clone, Default)]
struct Backend {
    lenient: Arc<AtomicBool>,
    taken: Arc<Mutex<Vec<Bytes>>>,
    refused: Arc<Mutex<u32>>,
}

impl Backend {
    async fn start(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = Router::new()
            .route("/v1/logs", post(Self::take))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    async fn take(State(backend): State<Self>, body: Bytes) -> (StatusCode, &'static str) {
        let poison = count(&body, "poison") > 0;
        if poison && !backend.lenient.load(Ordering::Relaxed) {
            *backend.refused.lock().unwrap() += 1;
            return (StatusCode::BAD_REQUEST, "this line\nis poison");
        }
        backend.taken.lock().unwrap().push(body);
        (StatusCode::OK, "")
    }

    /// How often a word has arrived.
    fn arrived(&self, word: &str) -> usize {
        let taken = self.taken.lock().unwrap();
        taken.iter().map(|body| count(body, word)).sum()
    }
}

fn count(body: &[u8], word: &str) -> usize {
    let windows = body.windows(word.len());
    windows.filter(|window| *window == word.as_bytes()).count()
}

struct Gateway {
    admin: String,
    http: String,
    process: tokio::process::Child,
}

impl Gateway {
    async fn start(folder: &Path, backend: &str) -> Self {
        let free = ports::free(2).unwrap();
        let (admin, http) = (free[0].to_string(), free[1].to_string());
        let configuration = format!(
            "otelcol.receiver.otlp \"in\" {{
                http {{ endpoint = \"{http}\" }}
                output {{ logs = [otelcol.exporter.otlphttp.out.input] }}
            }}
            otelcol.exporter.otlphttp \"out\" {{
                client {{
                    endpoint    = \"http://{backend}\"
                    compression = \"none\"
                }}
            }}"
        );
        let file = folder.join("config.alloy");
        std::fs::write(&file, configuration).unwrap();
        let process = tokio::process::Command::new(CORTEN)
            .arg("run")
            .arg(&file)
            .arg(format!("--server.http.listen-addr={admin}"))
            .arg(format!("--storage.path={}", folder.join("data").display()))
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let gateway = Self {
            admin,
            http,
            process,
        };
        gateway.until("/-/ready", "is ready").await;
        gateway
    }

    async fn until(&self, path: &str, text: &str) {
        for _ in 0..1200 {
            let found = fetch::get(&self.admin, path).await;
            if matches!(&found, Ok((200, says)) if says.contains(text)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let found = fetch::get(&self.admin, path).await;
        panic!("{path} does not say {text:?}: {found:?}");
    }

    fn admin(&self, method: &str, path: &str) -> (u16, String) {
        ask(&self.admin, method, path, "", "")
    }

    async fn end(mut self) {
        let pid = i32::try_from(self.process.id().unwrap()).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.process.wait().await.unwrap().success());
    }
}

/// The status and the body of an answer.
fn ask(address: &str, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    (status, body)
}

fn logs(lines: &[&str]) -> String {
    let record = |line: &&str| json!({ "body": { "stringValue": line } });
    let records: Vec<Value> = lines.iter().map(record).collect();
    json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": records }] }] }).to_string()
}

fn command(arguments: &[&str], data: &Path) -> (bool, String) {
    let output = Command::new(CORTEN)
        .args(["wal", "dead-letters"])
        .args(arguments)
        .arg(format!("--storage.path={}", data.display()))
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_good_is_kept_looked_at_and_sent_once_more() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let backend = Backend::default();
    let address = backend.start().await;
    let gateway = Gateway::start(folder.path(), &address).await;
    let json = "Content-Type: application/json\r\n";
    let lines = ["good 1", "poison 1", "good 2", "poison 2", "good 3"];
    let (status, answer) = ask(&gateway.http, "POST", "/v1/logs", json, &logs(&lines));
    assert_eq!(status, 200, "{answer}");
    let labels = "component=\"otelcol.exporter.otlphttp.out\",signal=\"logs\",tenant=\"\"";
    let row = |outcome: &str, reason: &str, items: u32| {
        let outcome = format!("outcome=\"{outcome}\",reason=\"{reason}\"");
        format!("corten_ledger_items_total{{{labels},{outcome}}} {items}")
    };
    gateway
        .until("/metrics", &row("dead_lettered", "invalid", 2))
        .await;
    gateway.until("/metrics", &row("delivered", "", 3)).await;
    let kept = "corten_dead_letter_items{component=\"otelcol.exporter.otlphttp.out\"} 2";
    gateway.until("/metrics", kept).await;
    assert!(*backend.refused.lock().unwrap() >= 2, "nothing was refused");

    let (status, list) = gateway.admin("GET", "/api/v0/dead-letters?body=true");
    let list: Vec<Value> = serde_json::from_str(&list).unwrap();
    assert_eq!((status, list.len()), (200, 2));
    let message = list[0]["message"].as_str().unwrap();
    assert!(message.ends_with("this line\\nis poison"), "{message}");
    assert_eq!(list[0]["reason"], "invalid");
    assert!(list[0]["body"].is_string());

    // Nothing is changed by accident, or by a page of somebody else.
    assert_eq!(gateway.admin("DELETE", "/api/v0/dead-letters").0, 400);
    let foreign = "Origin: http://evil.example\r\n";
    let path = "/api/v0/dead-letters/replay?all=true";
    assert_eq!(ask(&gateway.admin, "POST", path, foreign, "").0, 403);
    assert_eq!(gateway.admin("GET", path).0, 405);
    assert_eq!(
        gateway.admin("GET", "/api/v0/dead-letters?nonsense=1").0,
        400
    );

    // One is sent again, while the backend is as strict as before.
    let path = format!(
        "/api/v0/dead-letters/replay?id={}",
        list[0]["id"].as_str().unwrap()
    );
    let (status, moved) = gateway.admin("POST", &path);
    assert_eq!((status, &*moved), (200, "{\"letters\":1,\"items\":1}"));
    gateway
        .until("/metrics", &row("dead_lettered", "invalid", 3))
        .await;
    gateway.until("/metrics", kept).await;
    let (open, words) = command(&["list"], &data);
    assert!(!open && words.contains("in use"), "{words}");
    gateway.end().await;

    let (good, text) = command(&["list", "--signal=logs"], &data);
    assert!(good && text.lines().count() == 2, "{text}");
    let (good, text) = command(&["export"], &data);
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert!(good && first["body"].is_string(), "{text}");
    let id = format!("--id={}", first["id"].as_str().unwrap());
    let (good, text) = command(&["remove"], &data);
    assert!(!good && text.contains("--all"), "{text}");
    let (good, text) = command(&["remove", &id], &data);
    assert!(good && text.starts_with("1 dead letters"), "{text}");
    let (good, text) = command(&["replay", "--all"], &data);
    assert!(good && text.starts_with("1 dead letters"), "{text}");
    let (good, text) = command(&["list"], &folder.path().join("nowhere"));
    assert!(!good && text.contains("no log"), "{text}");

    backend.lenient.store(true, Ordering::Relaxed);
    let gateway = Gateway::start(folder.path(), &address).await;
    gateway.until("/metrics", &row("delivered", "", 4)).await;
    gateway.until("/metrics", &kept.replace("} 2", "} 0")).await;
    gateway.end().await;
    assert_eq!((backend.arrived("good"), backend.arrived("poison")), (3, 1));
}
