//! Modules in the program itself: the admin server shows what is in them, and their queues outlive it.

#![expect(clippy::unwrap_used, reason = "what helps a test is a test, too")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc,
    time::Duration,
};

use loadtest::{
    fetch, ports,
    process::{Command, Process, Ready},
};

const CORTEN: &str = env!("CARGO_BIN_EXE_corten");

/// How long the program may take for anything: far more than it needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The exporter inside of the custom component.
const EXPORTER: &str = "lib.to.backend/otelcol.exporter.otlphttp.default";

const LIBRARY: &str = "
declare \"to\" {
    argument \"url\" { }

    otelcol.exporter.otlphttp \"default\" {
        client {
            endpoint    = argument.url.value
            compression = \"none\"
        }

        retry_on_failure {
            initial_interval = \"100ms\"
            max_interval     = \"200ms\"
        }
    }

    export \"input\" {
        value = otelcol.exporter.otlphttp.default.input
    }
}
";

fn configuration(receiver: SocketAddr, backend: SocketAddr) -> String {
    format!(
        "import.file \"lib\" {{
            filename = file.path_join(module_path, \"lib\")
        }}

        lib.to \"backend\" {{
            url = \"http://{backend}\"
        }}

        otelcol.receiver.otlp \"default\" {{
            http {{
                endpoint = \"{receiver}\"
            }}

            output {{
                logs = [lib.to.backend.input]
            }}
        }}"
    )
}

/// A gateway with its files.
struct Gateway {
    folder: tempfile::TempDir,
    admin: String,
    receiver: SocketAddr,
    backend: SocketAddr,
    process: Process,
}

impl Gateway {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [admin, receiver, backend] = ports::free(3).unwrap()[..] else {
            panic!("three ports were asked for");
        };
        std::fs::create_dir(folder.path().join("lib")).unwrap();
        std::fs::write(folder.path().join("lib/to.alloy"), LIBRARY).unwrap();
        let config = folder.path().join("config.alloy");
        std::fs::write(&config, configuration(receiver, backend)).unwrap();
        let arguments = [
            "run".to_owned(),
            config.display().to_string(),
            format!("--server.http.listen-addr={admin}"),
            format!("--storage.path={}", folder.path().join("data").display()),
        ];
        let command = Command {
            program: CORTEN.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            environment: Vec::new(),
            log: folder.path().join("log"),
        };
        let process = Process::start(command).unwrap();
        let admin = admin.to_string();
        let mut gateway = Self {
            folder,
            admin,
            receiver,
            backend,
            process,
        };
        gateway.ready().await;
        gateway
    }

    async fn ready(&mut self) {
        let (address, path) = (self.admin.clone(), "/-/ready".to_owned());
        let ready = Ready::Http { address, path };
        self.process.wait_ready(&ready, PATIENCE).await.unwrap();
    }

    async fn get(&self, path: &str) -> (u16, String) {
        fetch::get(&self.admin, path).await.unwrap()
    }

    async fn json(&self, path: &str) -> serde_json::Value {
        let (status, text) = self.get(path).await;
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Sends one line of a log; the status of the answer.
    fn send(&self, line: &str) -> String {
        let body = serde_json::json!({ "resourceLogs": [{ "scopeLogs": [{ "logRecords": [
            { "body": { "stringValue": line } }
        ] }] }] })
        .to_string();
        let mut stream = TcpStream::connect(self.receiver).unwrap();
        let length = body.len();
        let request = format!(
            "POST /v1/logs HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.lines().next().unwrap().to_owned()
    }
}

/// A backend that takes everything, and what it took.
fn backend(address: SocketAddr) -> mpsc::Receiver<Vec<u8>> {
    let listener = TcpListener::bind(address).unwrap();
    let (sender, taken) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let sender = sender.clone();
            std::thread::spawn(move || while serve(&stream, &sender).is_some() {});
        }
    });
    taken
}

fn serve(stream: &TcpStream, taken: &mpsc::Sender<Vec<u8>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    taken.send(body).ok()?;
    let answer =
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
    let mut stream = stream;
    stream.write_all(answer.as_bytes()).ok()
}

fn holds(body: &[u8], line: &str) -> bool {
    body.windows(line.len())
        .any(|window| window == line.as_bytes())
}

#[tokio::test]
async fn the_admin_server_shows_modules_as_alloy_does() {
    let gateway = Gateway::start().await;
    let all = gateway.json("/api/v0/web/components").await;
    let shown: Vec<_> = all.as_array().unwrap().iter().collect();
    assert_eq!(
        shown.len(),
        2,
        "imports and what is in modules are not listed: {all}"
    );
    assert_eq!(shown[0]["localID"], "lib.to.backend");
    assert_eq!(shown[0]["moduleID"], "");
    assert_eq!(shown[0]["name"], "lib.to");
    assert_eq!(shown[0]["label"], "backend");
    assert_eq!(shown[0]["createdModuleIDs"][0], "lib.to.backend");
    assert_eq!(shown[0]["referencedBy"][0], "otelcol.receiver.otlp.default");
    let inside = gateway
        .json("/api/v0/web/modules/lib.to.backend/components")
        .await;
    assert_eq!(inside.as_array().unwrap().len(), 1, "{inside}");
    assert_eq!(inside[0]["localID"], "otelcol.exporter.otlphttp.default");
    assert_eq!(inside[0]["moduleID"], "lib.to.backend");
    let detail = gateway
        .json(&format!("/api/v0/web/components/{EXPORTER}"))
        .await;
    assert_eq!(detail["health"]["state"], "healthy");
    let (status, text) = gateway.get("/api/v0/web/modules/absent/components").await;
    assert_eq!((status, text.as_str()), (500, "module not found\n"));
    assert_eq!(gateway.get("/-/healthy").await.0, 200);

    // A module that turns bad is named, and what was made of it goes on.
    let library = gateway.folder.path().join("lib/to.alloy");
    std::fs::write(&library, "declare \"to\" {").unwrap();
    let mut healthy = gateway.get("/-/healthy").await;
    for _ in 0..400 {
        if healthy.0 == 500 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
        healthy = gateway.get("/-/healthy").await;
    }
    assert_eq!(
        healthy,
        (500, "unhealthy components: import.file.lib\n".to_owned())
    );
    assert_eq!(gateway.send("still taken"), "HTTP/1.1 200 OK");
}

#[tokio::test]
async fn a_queue_of_a_component_in_a_module_outlives_the_process() {
    let mut gateway = Gateway::start().await;
    assert_eq!(gateway.send("before the kill"), "HTTP/1.1 200 OK");
    let (_, metrics) = gateway.get("/metrics").await;
    let queued = metrics
        .lines()
        .find(|line| line.starts_with("corten_queue_items{") && line.contains(EXPORTER));
    assert!(
        queued.is_some_and(|line| line.ends_with(" 1.0")),
        "{queued:?}\n{metrics}"
    );
    gateway.process.kill().await.unwrap();
    gateway.process.restart().unwrap();
    gateway.ready().await;
    let taken = backend(gateway.backend);
    let body = taken.recv_timeout(PATIENCE).unwrap();
    assert!(holds(&body, "before the kill"));
    assert_eq!(gateway.send("after the kill"), "HTTP/1.1 200 OK");
    let body = taken.recv_timeout(PATIENCE).unwrap();
    assert!(holds(&body, "after the kill"));
    let log = std::fs::read_to_string(gateway.folder.path().join("log")).unwrap();
    assert!(!log.contains("not in the configuration"), "{log}");
}
