//! The program as an operator meets it: its commands, its signals, its admin server.

#![expect(clippy::unwrap_used, reason = "what helps a test is a test, too")]

use std::{
    io::{Read, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use loadtest::{
    fetch, ports,
    process::{self, Process, Ready},
};
use rustix::process::{Pid, Signal, kill_process};

const CORTEN: &str = env!("CARGO_BIN_EXE_corten");

/// How long the program may take to become ready or to end: far more than it needs.
const PATIENCE: Duration = Duration::from_secs(60);

fn corten(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(CORTEN)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn validate_points_at_what_is_wrong() {
    let good = corten(&["validate", "-"], "otelcol.exporter.debug \"x\" { }\n");
    assert!(good.status.success(), "{}", text(&good.stderr));
    assert!(good.stdout.is_empty());
    let bad =
        "otelcol.exporter.debug \"x\" {\n\tverbos = \"basic\"\n}\nprometheus.scrap \"y\" { }\n";
    let found = corten(&["validate", "-"], bad);
    assert_eq!(found.status.code(), Some(1));
    let found = text(&found.stdout);
    for expected in [
        "standard input:2:2",
        "verbos",
        "verbosity",
        ":4:1",
        "prometheus.scrap",
    ] {
        assert!(found.contains(expected), "{expected:?} is not in\n{found}");
    }
    let json = corten(&["validate", "--output=json", "-"], bad);
    assert_eq!(json.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(found.as_array().unwrap().len(), 2, "{found}");
}

#[test]
fn docs_prints_a_page_and_names_what_there_is() {
    let page = corten(&["docs", "otelcol.exporter.otlp"], "");
    assert!(text(&page.stdout).starts_with("# otelcol.exporter.otlp\n"));
    assert!(text(&corten(&["docs"], "").stdout).contains("otelcol.receiver.otlp  "));
    for (name, expected) in [
        ("otelcol.exporter.otpl", "did you mean"),
        ("otelcol.exporter.datadog", "Corten does not have it yet"),
        ("declare", "part of the language"),
    ] {
        let refused = corten(&["docs", name], "");
        assert_eq!(refused.status.code(), Some(1));
        assert!(text(&refused.stderr).contains(expected), "{name}");
    }
}

#[test]
fn the_language_server_speaks_on_standard_input_and_output() {
    let message = |text: &str| format!("Content-Length: {}\r\n\r\n{text}", text.len());
    let messages = [
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}"#,
        r#"{"jsonrpc":"2.0","method":"initialized","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"shutdown"}"#,
        r#"{"jsonrpc":"2.0","method":"exit"}"#,
    ];
    let input: String = messages.iter().map(|text| message(text)).collect();
    let served = corten(&["lsp", "--stdio"], &input);
    assert!(served.status.success(), "{}", text(&served.stderr));
    let said = text(&served.stdout);
    assert!(
        said.contains("completionProvider") && said.contains("\"id\":2"),
        "{said}"
    );
}

#[test]
fn fmt_prints_writes_and_tests() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.alloy");
    let name = path.to_str().unwrap();
    let (loose, tight) = (
        "a \"b\" {\nx=1\n  long_name = 2\n}",
        "a \"b\" {\n\tx         = 1\n\tlong_name = 2\n}\n",
    );
    std::fs::write(&path, loose).unwrap();
    assert_eq!(text(&corten(&["fmt", name], "").stdout), tight);
    assert_eq!(text(&corten(&["fmt", "-"], loose).stdout), tight);
    assert_eq!(corten(&["fmt", "-t", name], "").status.code(), Some(1));
    assert!(corten(&["fmt", "-w", name], "").status.success());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), tight);
    assert!(corten(&["fmt", "-t", name], "").status.success());
    let broken = corten(&["fmt", "-w", "-"], loose);
    assert!(!broken.status.success());
}

#[test]
fn every_example_is_good_and_in_its_canonical_form() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut files = Vec::new();
    find(&examples, &mut files);
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        let name = file.to_str().unwrap();
        let found = corten(&["validate", name], "");
        assert!(found.status.success(), "{name}: {}", text(&found.stdout));
        assert!(
            corten(&["fmt", "-t", name], "").status.success(),
            "{name} is not formatted"
        );
    }
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, files);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "alloy")
        {
            files.push(path);
        }
    }
}

#[tokio::test]
async fn a_configuration_from_standard_input_survives_a_reload() {
    let folder = tempfile::tempdir().unwrap();
    let admin = ports::free(1).unwrap()[0].to_string();
    let mut child = tokio::process::Command::new(CORTEN)
        .args(["run", "-"])
        .arg(format!("--server.http.listen-addr={admin}"))
        .arg(format!("--storage.path={}", folder.path().display()))
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let text = b"otelcol.exporter.debug \"d\" { }";
    tokio::io::AsyncWriteExt::write_all(&mut input, text)
        .await
        .unwrap();
    drop(input);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !fetch::get(&admin, "/-/ready")
        .await
        .is_ok_and(|(status, _)| status == 200)
    {
        assert!(tokio::time::Instant::now() < deadline, "it is not ready");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let reloaded = fetch::get(&admin, "/-/reload").await.unwrap();
    assert_eq!(reloaded, (200, "config reloaded\n".to_owned()));
    let (_, components) = fetch::get(&admin, "/api/v0/web/components").await.unwrap();
    assert!(
        components.contains("otelcol.exporter.debug.d"),
        "{components}"
    );
}

/// A running gateway with its files.
struct Gateway {
    folder: tempfile::TempDir,
    admin: SocketAddr,
    grpc: SocketAddr,
    process: Process,
}

impl Gateway {
    async fn start() -> Self {
        Self::start_at(&ports::free(1).unwrap()[0].to_string()).await
    }

    /// With the files of an earlier one.
    async fn start_in(folder: tempfile::TempDir) -> Self {
        Self::start_with(folder, &ports::free(1).unwrap()[0].to_string()).await
    }

    /// With its admin server at an address which this machine can reach as loopback.
    async fn start_at(listen: &str) -> Self {
        Self::start_with(tempfile::tempdir().unwrap(), listen).await
    }

    async fn start_with(folder: tempfile::TempDir, listen: &str) -> Self {
        let grpc = ports::free(1).unwrap()[0];
        let port = listen.rsplit_once(':').unwrap().1.parse().unwrap();
        let admin = SocketAddr::from(([127, 0, 0, 1], port));
        let path = folder.path().join("config.alloy");
        std::fs::write(&path, configuration(grpc, "basic")).unwrap();
        let arguments = [
            "run".to_owned(),
            path.display().to_string(),
            format!("--server.http.listen-addr={listen}"),
            format!("--storage.path={}", folder.path().join("data").display()),
        ];
        let command = process::Command {
            program: CORTEN.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            environment: Vec::new(),
            log: folder.path().join("log"),
        };
        let mut process = Process::start(command).unwrap();
        let ready = Ready::Http {
            address: admin.to_string(),
            path: "/-/ready".to_owned(),
        };
        process.wait_ready(&ready, PATIENCE).await.unwrap();
        Self {
            folder,
            admin,
            grpc,
            process,
        }
    }

    fn configure(&self, text: &str) {
        std::fs::write(self.folder.path().join("config.alloy"), text).unwrap();
    }

    async fn get(&self, path: &str) -> (u16, String) {
        fetch::get(&self.admin.to_string(), path).await.unwrap()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    async fn until_ready_is(&self, status: u16, text: &str) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let admin = self.admin.to_string();
            let found = fetch::get(&admin, "/-/ready").await;
            if matches!(&found, Ok((is, says)) if *is == status && says.contains(text)) {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "{found:?}");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// Waits for a number of loads that succeeded or failed.
    async fn metric(&self, line: &str) {
        for _ in 0..400 {
            if self
                .get("/metrics")
                .await
                .1
                .lines()
                .any(|found| found == line)
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("no {line:?} in\n{}", self.get("/metrics").await.1);
    }
}

fn configuration(grpc: SocketAddr, verbosity: &str) -> String {
    format!(
        "otelcol.receiver.otlp \"r\" {{
            grpc {{
                endpoint = \"{grpc}\"
            }}
            output {{
                logs = [otelcol.exporter.debug.d.input]
            }}
        }}
        otelcol.exporter.debug \"d\" {{
            verbosity = \"{verbosity}\"
        }}"
    )
}

#[tokio::test]
async fn a_gateway_reloads_reports_and_drains() {
    let mut gateway = Gateway::start().await;
    assert_eq!(gateway.get("/-/healthy").await.0, 200);
    let (status, components) = gateway.get("/api/v0/web/components").await;
    let components: serde_json::Value = serde_json::from_str(&components).unwrap();
    assert_eq!((status, components.as_array().unwrap().len()), (200, 2));
    assert_eq!(components[1]["localID"], "otelcol.receiver.otlp.r");
    assert_eq!(components[1]["referencesTo"][0], "otelcol.exporter.debug.d");
    assert_eq!(components[1]["health"]["state"], "healthy");
    assert_eq!(
        gateway
            .get("/api/v0/web/components/otelcol.exporter.debug.d")
            .await
            .0,
        200
    );
    assert_eq!(gateway.get("/api/v0/web/components/absent").await.0, 404);

    gateway.configure("otelcol.exporter.debug \"d\" { verbosity = ");
    let (status, reason) = gateway.get("/-/reload").await;
    assert_eq!(status, 400);
    assert!(reason.contains("config.alloy:1"), "{reason}");
    gateway.metric("corten_config_load_failures_total 1").await;
    gateway
        .metric("corten_config_last_load_successful 0.0")
        .await;
    assert_eq!(gateway.get("/-/healthy").await.0, 200);

    gateway.configure(&configuration(gateway.grpc, "normal"));
    assert_eq!(
        gateway.get("/-/reload").await,
        (200, "config reloaded\n".to_owned())
    );
    gateway
        .metric("corten_config_last_load_successful 1.0")
        .await;

    gateway.configure("nonsense");
    gateway.signal(Signal::HUP);
    gateway.metric("corten_config_load_failures_total 2").await;

    let ended = gateway.process.terminate(PATIENCE).await.unwrap();
    assert!(ended.success(), "{ended}");
}

#[tokio::test]
async fn a_second_signal_does_not_wait_for_a_request_under_way() {
    let mut gateway = Gateway::start().await;
    let text = configuration(gateway.grpc, "basic").replace("grpc {", "http {");
    gateway.configure(&text);
    assert_eq!(gateway.get("/-/reload").await.0, 200);
    // The request says how long it is and stops there, and a draining server waits for it.
    let mut client = std::net::TcpStream::connect(gateway.grpc).unwrap();
    let head = "POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                Content-Length: 100\r\n\r\n{";
    client.write_all(head.as_bytes()).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    gateway.signal(Signal::TERM);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(
        gateway.process.exited().unwrap().is_none(),
        "one signal waits for the request"
    );
    let ended = gateway
        .process
        .terminate(Duration::from_secs(2))
        .await
        .unwrap();
    assert_eq!(ended.code(), Some(1));
    assert!(gateway.log().contains("level=error msg=\"a second signal"));
}

/// The head and the body of an answer to a request of these lines.
fn ask(address: &str, lines: &[&str]) -> String {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let request = format!("{}\r\nConnection: close\r\n\r\n", lines.join("\r\n"));
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test]
async fn a_reload_of_a_receiver_refuses_no_connection() {
    let gateway = Gateway::start().await;
    let (address, stop) = (gateway.grpc, Arc::new(AtomicBool::new(false)));
    let connected = Arc::new(AtomicU64::new(0));
    let client = std::thread::spawn({
        let (stop, connected) = (stop.clone(), connected.clone());
        move || {
            let mut refused = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                match std::net::TcpStream::connect(address) {
                    Ok(_) => {
                        connected.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(error) => refused.push(error),
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            refused
        }
    });
    for reload in 1..=3 {
        let size = format!("grpc {{\nmax_recv_msg_size = \"{reload}MiB\"");
        let text = configuration(address, "basic").replace("grpc {", &size);
        gateway.configure(&text);
        let reloaded = gateway.get("/-/reload").await;
        assert_eq!(reloaded, (200, "config reloaded\n".to_owned()));
        // The client is under way before, during and after each of them.
        let before = connected.load(Ordering::Relaxed);
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while connected.load(Ordering::Relaxed) < before + 20 {
            assert!(tokio::time::Instant::now() < deadline, "nobody connects");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    let refused = client.join().unwrap();
    assert!(refused.is_empty(), "{refused:?}");
    let replaced = gateway.log().matches("started=0 replaced=1").count();
    assert_eq!(replaced, 3, "{}", gateway.log());
}

#[tokio::test]
async fn a_web_page_cannot_reload() {
    let gateway = Gateway::start().await;
    let admin = gateway.admin.to_string();
    let host = format!("Host: {admin}");
    for site in ["cross-site", "same-site"] {
        let site = format!("Sec-Fetch-Site: {site}");
        let answer = ask(&admin, &["GET /-/reload HTTP/1.1", &host, &site]);
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    }
    assert_eq!(gateway.get("/-/reload").await.0, 200);

    // On all interfaces a GET is not enough, whoever sends it.
    let port = ports::free(1).unwrap()[0].port();
    let gateway = Gateway::start_at(&format!(":{port}")).await;
    let admin = gateway.admin.to_string();
    let answer = ask(&admin, &["GET /-/reload HTTP/1.1", "Host: gateway"]);
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
    assert!(answer.contains("allow: POST"), "{answer}");
    assert!(answer.contains("reload with POST"), "{answer}");
    let post = [
        "POST /-/reload HTTP/1.1",
        "Host: gateway",
        "Content-Length: 0",
    ];
    let answer = ask(&admin, &post);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let origin = "Origin: http://evil.example";
    let answer = ask(&admin, &[post[0], post[1], post[2], origin]);
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
}

#[tokio::test]
async fn a_gateway_whose_port_is_taken_is_not_ready_until_it_is_free() {
    let mut gateway = Gateway::start().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let text = configuration(taken.local_addr().unwrap(), "basic");
    gateway.configure(&text);
    let (status, reason) = gateway.get("/-/reload").await;
    let missing = "otelcol.receiver.otlp.r: cannot listen on";
    assert_eq!(status, 200);
    assert!(
        reason.starts_with("config reloaded\n") && reason.contains(missing),
        "{reason}"
    );
    gateway
        .metric("corten_config_last_load_successful 1.0")
        .await;
    let (status, reason) = gateway.get("/-/ready").await;
    assert_eq!(status, 503);
    assert!(reason.contains(missing), "{reason}");

    // The same at a first start.
    gateway.process.terminate(PATIENCE).await.unwrap();
    gateway.process.restart().unwrap();
    gateway.until_ready_is(503, missing).await;
    assert!(gateway.log().contains("corten is not ready"));
    drop(taken);
    gateway.until_ready_is(200, "Corten is ready.").await;
}

#[tokio::test]
async fn a_first_configuration_with_an_error_does_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.alloy");
    std::fs::write(&path, "otelcol.exporter.otlp \"x\" { }").unwrap();
    let storage = format!("--storage.path={}", folder.path().join("data").display());
    let admin = format!("--server.http.listen-addr={}", ports::free(1).unwrap()[0]);
    let ended = corten(&["run", path.to_str().unwrap(), &storage, &admin], "");
    assert_eq!(ended.status.code(), Some(1));
    let said = text(&ended.stderr);
    assert!(
        said.contains("config.alloy:1") && said.contains("client"),
        "{said}"
    );
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_it_is_killed_and_a_backend_is_away() {
    let mut options = loadtest::demo::Options::new(CORTEN.into());
    options.duration = Duration::from_secs(10);
    options.rate = 1000.0;
    let mut told = Vec::new();
    let report = loadtest::demo::run(&options, &mut told).await.unwrap();
    assert!(
        report.passed(),
        "{}\n{}",
        report.failures().join("\n"),
        text(&told)
    );
}

#[tokio::test]
async fn what_is_owed_to_a_component_that_is_gone_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let log = wal::Log::open(wal::Options::new(folder.path().join("data"))).unwrap();
    let gone = "otelcol.exporter.otlp.gone/logs/";
    let queue = log.queue(gone, wal::QueueLimits::default()).unwrap();
    let record = wal::Record {
        payload: "x".into(),
        attributes: Default::default(),
        items: 7,
        accepted_at: std::time::SystemTime::now(),
    };
    let append = wal::Append {
        queues: (&queue).into(),
        record,
    };
    log.commit(vec![append]).await.unwrap();
    log.close();
    let gateway = Gateway::start_in(folder).await;
    let logged = gateway.log();
    let line = logged
        .lines()
        .find(|line| line.contains("not in the configuration"))
        .unwrap();
    assert!(
        line.contains("component=otelcol.exporter.otlp.gone items=7"),
        "{line}"
    );
}
