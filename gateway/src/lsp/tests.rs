//! The server, spoken to as an editor does.

use std::thread::JoinHandle;

use lsp_server::RequestId;
use serde_json::json;

use super::*;

const URI: &str = "file:///conf%20d/a.alloy";

const PIPELINE: &str = "\
otelcol.receiver.otlp \"in\" {
	grpc { }

	output {
		logs = [otelcol.exporter.debug.out.input]
	}
}

// \u{1F600} columns behind this count in UTF-16
otelcol.exporter.debug \"out\" { /* \u{1F600} */ verbosity = \"basc\" }
";

/// An editor whose server runs in a thread.
struct Editor {
    connection: Connection,
    server: Option<JoinHandle<Result<(), String>>>,
    last: i32,
}

impl Editor {
    fn start(folder: bool) -> Self {
        let (server, connection) = Connection::memory();
        let options = Options {
            stability: Stability::GenerallyAvailable,
            folder,
        };
        let server = Some(std::thread::spawn(move || serve(&server, options)));
        let mut editor = Self {
            connection,
            server,
            last: 0,
        };
        let item = json!({ "completionItem": { "snippetSupport": true } });
        let capabilities = json!({ "textDocument": { "completion": item } });
        let params = json!({ "capabilities": capabilities });
        let offered = editor.ask("initialize", params).unwrap();
        assert_eq!(offered["capabilities"]["hoverProvider"], true);
        editor.tell("initialized", json!({}));
        editor
    }

    fn tell(&self, method: &str, params: Value) {
        let notification = Notification::new(method.to_owned(), params);
        let message = Message::Notification(notification);
        self.connection.sender.send(message).unwrap();
    }

    fn ask(&mut self, method: &str, params: Value) -> Result<Value, String> {
        self.last += 1;
        let id = RequestId::from(self.last);
        let request = Request::new(id.clone(), method.to_owned(), params);
        let message = Message::Request(request);
        self.connection.sender.send(message).unwrap();
        loop {
            if let Message::Response(response) = self.next() {
                assert_eq!(response.id, id);
                return response.response_result.map_err(|error| error.message);
            }
        }
    }

    fn next(&self) -> Message {
        let wait = Duration::from_secs(10);
        self.connection.receiver.recv_timeout(wait).unwrap()
    }

    fn open(&self, uri: &str, text: &str) {
        let document = json!({
            "uri": uri, "languageId": "alloy", "version": 1, "text": text,
        });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
    }

    fn change(&self, text: &str) {
        let document = json!({ "uri": URI, "version": 2 });
        let changes = json!([{ "text": text }]);
        let params = json!({ "textDocument": document, "contentChanges": changes });
        self.tell("textDocument/didChange", params);
    }

    /// The diagnostics that come next, and of which document they are.
    fn diagnostics(&self) -> (String, Vec<Value>) {
        loop {
            if let Message::Notification(found) = self.next() {
                assert_eq!(found.method, PublishDiagnostics::METHOD);
                let list = found.params["diagnostics"].as_array().unwrap().clone();
                return (found.params["uri"].as_str().unwrap().to_owned(), list);
            }
        }
    }

    /// Asks about the place of the `|` in a text, which the document becomes.
    fn at(&mut self, method: &str, text: &str) -> Value {
        let offset = text.find('|').unwrap();
        let source = syntax::SourceFile::new("t", text.replacen('|', "", 1));
        self.change(source.text());
        let position = position::position(&source, offset as u32);
        let document = json!({ "uri": URI });
        let params = json!({ "textDocument": document, "position": position });
        self.ask(method, params).unwrap()
    }

    fn stop(mut self) {
        self.ask("shutdown", Value::Null).unwrap();
        self.tell("exit", Value::Null);
        let served = self.server.take().unwrap().join().unwrap();
        served.unwrap();
    }
}

fn labels(items: &Value) -> Vec<&str> {
    let items = items.as_array().unwrap();
    items
        .iter()
        .map(|item| item["label"].as_str().unwrap())
        .collect()
}

#[test]
fn what_is_wrong_is_shown_at_its_place_and_goes_when_it_is_right() {
    let editor = Editor::start(false);
    editor.open(URI, PIPELINE);
    let (uri, found) = editor.diagnostics();
    assert_eq!(uri, URI);
    assert_eq!(found.len(), 1, "{found:?}");
    let message = found[0]["message"].as_str().unwrap();
    assert!(message.contains("must be \"basic\""), "{message}");
    // The comment before it has a character of two units.
    let start = &found[0]["range"]["start"];
    let column = "otelcol.exporter.debug \"out\" { /* 12 */ verbosity = ".len();
    assert_eq!(
        (start["line"].as_u64(), start["character"].as_u64()),
        (Some(9), Some(column as u64))
    );
    editor.change(&PIPELINE.replace("basc", "basic"));
    assert_eq!(editor.diagnostics().1, Vec::<Value>::new());
    // A burst of changes is checked once.
    for text in ["a", "a.b", "logging { }"] {
        editor.change(text);
    }
    assert_eq!(editor.diagnostics().1, Vec::<Value>::new());
    editor.tell(
        "textDocument/didClose",
        json!({ "textDocument": { "uri": URI } }),
    );
    assert_eq!(editor.diagnostics().1, Vec::<Value>::new());
    editor.stop();
}

#[test]
fn hover_shows_the_reference() {
    let mut editor = Editor::start(false);
    editor.open(URI, "");
    let (before, behind) = ("otelcol.exporter.debug \"out\" { }\n", "\n");
    for (text, expected) in [
        (
            "otelcol.expor|ter.otlp \"x\" { }",
            "Sends telemetry to a backend by OTLP over gRPC",
        ),
        (
            "otelcol.exporter.otlp \"x\" {\n\tclient {\n\t\tend|point = 1\n\t}\n}",
            "(string, required)",
        ),
        (
            "otelcol.receiver.otlp \"x\" {\n\toutput {\n\t\tlogs = [otelcol.exporter.debug.out.in|put]\n\t}\n}",
            "capsule(otelcol.Consumer)",
        ),
        (
            "otelcol.processor.tra|nsform \"x\" { }",
            "Corten does not have it yet",
        ),
    ] {
        let found = editor.at(HoverRequest::METHOD, &format!("{before}{text}{behind}"));
        let value = found["contents"]["value"].as_str().unwrap_or_default();
        assert!(value.contains(expected), "{text}: {found}");
    }
    let nothing = editor.at(HoverRequest::METHOD, "// comm|ent\n");
    assert!(nothing.is_null(), "{nothing}");
    editor.stop();
}

#[test]
fn completion_knows_the_place() {
    let mut editor = Editor::start(false);
    editor.open(URI, "");
    let inside = |text: &str| {
        format!("otelcol.exporter.debug \"out\" {{ }}\notelcol.auth.basic \"b\" {{ }}\n{text}")
    };
    for (text, some, none) in [
        ("otelcol.exp|", "otelcol.exporter.otlp", "client"),
        (
            "otelcol.exporter.otlp \"x\" {\n\tcl|\n}",
            "client",
            "otelcol.exporter.otlp",
        ),
        (
            "otelcol.exporter.otlp \"x\" {\n\tclient {\n\t\t|\n\t}\n}",
            "endpoint",
            "client",
        ),
        (
            "otelcol.exporter.otlp \"x\" {\n\tclient {\n\t\tcompression = |\n\t}\n}",
            "zstd",
            "endpoint",
        ),
        (
            "otelcol.exporter.otlp \"x\" {\n\tclient {\n\t\tcompression = \"z|\"\n\t}\n}",
            "zstd",
            "string",
        ),
        (
            "otelcol.exporter.otlp \"x\" {\n\tclient {\n\t\tauth = ote|\n\t}\n}",
            "otelcol.auth.basic.b.handler",
            "otelcol.exporter.debug.out.input",
        ),
        (
            "otelcol.receiver.otlp \"x\" {\n\toutput {\n\t\tlogs = [|\n",
            "otelcol.exporter.debug.out.input",
            "otelcol.auth.basic.b.handler",
        ),
        ("local.file \"x\" {\n\tis_secret = |\n}", "true", "fsnotify"),
        ("local.file \"x\" {\n\tfilename = |\n}", "string", "format"),
    ] {
        let items = editor.at(Completion::METHOD, &inside(text));
        let labels = labels(&items);
        assert!(
            labels.contains(&some),
            "{text}: {some} is not in {labels:?}"
        );
        assert!(!labels.contains(&none), "{text}: {none} is in {labels:?}");
    }
    let items = editor.at(Completion::METHOD, "otelcol.exporter.ot|");
    let item = items
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["label"] == "otelcol.exporter.otlp");
    let edit = &item.unwrap()["textEdit"];
    assert_eq!(edit["range"]["start"]["character"], 0);
    assert_eq!(
        edit["newText"],
        "otelcol.exporter.otlp \"${1:default}\" {\n\t$0\n}"
    );
    editor.stop();
}

#[test]
fn formatting_is_that_of_fmt_and_leaves_what_is_broken_alone() {
    let mut editor = Editor::start(false);
    let params = json!({ "textDocument": { "uri": URI }, "options": { "tabSize": 4, "insertSpaces": true } });
    for (text, expected) in [
        (
            "logging {\nlevel=\"info\"\n}",
            json!("logging {\n\tlevel = \"info\"\n}\n"),
        ),
        ("logging { }\n", json!([])),
        ("logging {", Value::Null),
    ] {
        editor.open(URI, text);
        let edits = editor.ask(Formatting::METHOD, params.clone()).unwrap();
        let found = edits.pointer("/0/newText").unwrap_or(&edits);
        assert_eq!(*found, expected, "{text}");
    }
    editor.stop();
}

#[test]
fn a_name_leads_to_its_component_also_in_another_file_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let text = "\notelcol.exporter.debug \"out\" { }\n";
    std::fs::write(folder.path().join("b.alloy"), text).unwrap();
    let uri = |name: &str| format!("file://{}/{name}", folder.path().display());
    let receiver = PIPELINE.lines().take(7).collect::<Vec<_>>().join("\n");
    for (in_folder, errors) in [(true, 0), (false, 1)] {
        let mut editor = Editor::start(in_folder);
        editor.open(&uri("a.alloy"), &receiver);
        let (_, found) = editor.diagnostics();
        assert_eq!(found.len(), errors, "{found:?}");
        let params = json!({
            "textDocument": { "uri": uri("a.alloy") },
            "position": { "line": 4, "character": 20 },
        });
        let place = editor.ask(GotoDefinition::METHOD, params).unwrap();
        match in_folder {
            true => {
                assert_eq!(place["uri"], uri("b.alloy"));
                assert_eq!(
                    place["range"]["start"],
                    json!({ "line": 1, "character": 0 })
                );
            }
            false => assert!(place.is_null(), "{place}"),
        }
        editor.stop();
    }
}

#[test]
fn what_it_cannot_do_it_says() {
    let mut editor = Editor::start(false);
    let refused = editor.ask("textDocument/rename", json!({}));
    assert!(refused.unwrap_err().contains("not supported"));
    let place =
        json!({ "textDocument": { "uri": URI }, "position": { "line": 0, "character": 0 } });
    let unknown = editor.ask(HoverRequest::METHOD, place);
    assert!(unknown.unwrap_err().contains("is not open"));
    assert!(editor.ask(HoverRequest::METHOD, json!(3)).is_err());
    editor.tell("textDocument/didOpen", json!({ "nonsense": true }));
    editor.tell("$/unknown", Value::Null);
    editor.stop();
}
