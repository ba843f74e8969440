//! `corten lsp`: a language server, which is a thin layer over the language's own parser, checker,
//! printer and reference.
//!
//! One thread, one message after the other: a configuration is checked in milliseconds. Documents
//! are sent as a whole at each change, and checked when the editor has been quiet for a moment.

mod completion;
mod context;
mod definition;
mod documents;
mod hover;
mod position;

use std::{collections::BTreeSet, time::Duration};

use lsp_server::{Connection, ErrorCode, Message, Notification, Request, Response};
use lsp_types::{
    CompletionOptions, DidChangeTextDocumentParams, DidCloseTextDocumentParams,
    DidOpenTextDocumentParams, HoverProviderCapability, OneOf, PublishDiagnosticsParams,
    ServerCapabilities, TextDocumentPositionParams, TextDocumentSyncCapability,
    TextDocumentSyncKind, TextEdit, Uri,
    notification::{
        DidChangeTextDocument, DidCloseTextDocument, DidOpenTextDocument, Notification as _,
        PublishDiagnostics,
    },
    request::{Completion, Formatting, GotoDefinition, HoverRequest, Request as _},
};
use serde_json::{Value, json};

use crate::graph::Stability;
use documents::Documents;

/// How long an editor must be quiet before its documents are checked: shorter than a pause in
/// typing, longer than the time between two keys.
const QUIET: Duration = Duration::from_millis(150);

/// What the server is told when it is started.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The least stable components that may be used.
    pub stability: Stability,
    /// Whether the `*.alloy` files of a folder are one configuration.
    pub folder: bool,
}

/// Serves an editor until it says to end, or is gone.
///
/// # Errors
/// What was wrong with the protocol.
pub fn serve(connection: &Connection, options: Options) -> Result<(), String> {
    let offered = serde_json::to_value(capabilities()).map_err(|error| error.to_string())?;
    let client = connection
        .initialize(offered)
        .map_err(|error| error.to_string())?;
    let snippets = "/capabilities/textDocument/completion/completionItem/snippetSupport";
    let server = Server {
        connection,
        options,
        snippets: client.pointer(snippets) == Some(&Value::Bool(true)),
        documents: Documents::default(),
        stale: BTreeSet::new(),
    };
    server.run()
}

fn capabilities() -> ServerCapabilities {
    ServerCapabilities {
        text_document_sync: Some(TextDocumentSyncCapability::Kind(TextDocumentSyncKind::FULL)),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(vec![".".to_owned(), "\"".to_owned()]),
            ..CompletionOptions::default()
        }),
        definition_provider: Some(OneOf::Left(true)),
        document_formatting_provider: Some(OneOf::Left(true)),
        ..ServerCapabilities::default()
    }
}

struct Server<'a> {
    connection: &'a Connection,
    options: Options,
    /// Whether the editor understands placeholders in what is completed.
    snippets: bool,
    documents: Documents,
    /// Documents that have changed since they were checked.
    stale: BTreeSet<Uri>,
}

impl Server<'_> {
    fn run(mut self) -> Result<(), String> {
        let receiver = &self.connection.receiver;
        loop {
            let message = if self.stale.is_empty() {
                receiver.recv().ok()
            } else {
                match receiver.recv_timeout(QUIET) {
                    Ok(message) => Some(message),
                    Err(error) if error.is_timeout() => {
                        self.check()?;
                        continue;
                    }
                    Err(_) => None,
                }
            };
            match message {
                None => return Ok(()),
                Some(Message::Request(request)) => {
                    let ends = self.connection.handle_shutdown(&request);
                    if ends.map_err(|error| error.to_string())? {
                        return Ok(());
                    }
                    let response = self.answer(request);
                    self.send(Message::Response(response))?;
                }
                Some(Message::Notification(notification)) => self.notice(notification)?,
                Some(Message::Response(_)) => {}
            }
        }
    }

    fn send(&self, message: Message) -> Result<(), String> {
        let sent = self.connection.sender.send(message);
        sent.map_err(|_| "the editor is gone".to_owned())
    }

    fn answer(&self, request: Request) -> Response {
        let Request { id, method, params } = request;
        let result = match method.as_str() {
            HoverRequest::METHOD => self.at(&params, |source, offset| {
                json!(hover::at(
                    &self.documents.unit(source, self.options.folder),
                    offset
                ))
            }),
            Completion::METHOD => self.at(&params, |source, offset| {
                let unit = self.documents.unit(source, self.options.folder);
                json!(completion::at(&unit, offset, self.snippets))
            }),
            GotoDefinition::METHOD => self.at(&params, |source, offset| {
                json!(definition::at(
                    &self.documents.unit(source, self.options.folder),
                    offset
                ))
            }),
            Formatting::METHOD => self.format(&params),
            _ => {
                let message = format!("{method} is not supported");
                return Response::new_err(id, ErrorCode::MethodNotFound as i32, message);
            }
        };
        match result {
            Ok(value) => Response::new_ok(id, value),
            Err(message) => Response::new_err(id, ErrorCode::InvalidParams as i32, message),
        }
    }

    /// Answers what asks about a place in a document.
    fn at(&self, params: &Value, answer: impl Fn(&Uri, u32) -> Value) -> Result<Value, String> {
        let TextDocumentPositionParams {
            text_document,
            position,
        } = serde_json::from_value(params.clone()).map_err(|error| error.to_string())?;
        let source = self.documents.get(&text_document.uri)?;
        Ok(answer(
            &text_document.uri,
            position::offset(source, position),
        ))
    }

    /// The edit that makes a document canonical; none where it cannot be parsed.
    fn format(&self, params: &Value) -> Result<Value, String> {
        let uri = params
            .pointer("/textDocument/uri")
            .cloned()
            .unwrap_or_default();
        let uri: Uri = serde_json::from_value(uri).map_err(|error| error.to_string())?;
        let source = self.documents.get(&uri)?;
        let (file, diagnostics) = syntax::parse(source);
        if diagnostics.has_errors() {
            return Ok(Value::Null);
        }
        let new_text = syntax::print(&file);
        if new_text == source.text() {
            return Ok(json!([]));
        }
        let range = position::range(source, file.body.span);
        Ok(json!([TextEdit { range, new_text }]))
    }

    fn notice(&mut self, notification: Notification) -> Result<(), String> {
        let Notification { method, params } = notification;
        // What cannot be understood is not answered: a notification has no answer.
        match method.as_str() {
            DidOpenTextDocument::METHOD => {
                if let Ok(DidOpenTextDocumentParams { text_document }) =
                    serde_json::from_value(params)
                {
                    self.documents.set(&text_document.uri, text_document.text);
                    self.stale.insert(text_document.uri);
                }
            }
            DidChangeTextDocument::METHOD => {
                let changed = serde_json::from_value::<DidChangeTextDocumentParams>(params);
                if let Ok(mut changed) = changed
                    && let Some(change) = changed.content_changes.pop()
                {
                    self.documents.set(&changed.text_document.uri, change.text);
                    self.stale.insert(changed.text_document.uri);
                }
            }
            DidCloseTextDocument::METHOD => {
                if let Ok(DidCloseTextDocumentParams { text_document }) =
                    serde_json::from_value(params)
                {
                    self.documents.remove(&text_document.uri);
                    self.stale.remove(&text_document.uri);
                    self.publish(text_document.uri, Vec::new())?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Checks what has changed, and shows what was found in the documents that are open.
    fn check(&mut self) -> Result<(), String> {
        for uri in std::mem::take(&mut self.stale) {
            let unit = self.documents.unit(&uri, self.options.folder);
            let sources: Vec<_> = unit.files.iter().map(|file| file.source.clone()).collect();
            let found = crate::app::check(self.options.stability, &sources);
            for file in unit
                .files
                .iter()
                .filter(|file| self.documents.has(&file.uri))
            {
                let here = found.iter().filter(|found| found.file.same(&file.source));
                self.publish(file.uri.clone(), here.map(position::diagnostic).collect())?;
            }
        }
        Ok(())
    }

    fn publish(&self, uri: Uri, diagnostics: Vec<lsp_types::Diagnostic>) -> Result<(), String> {
        let version = None;
        let params = PublishDiagnosticsParams {
            uri,
            diagnostics,
            version,
        };
        let notification = Notification::new(PublishDiagnostics::METHOD.to_owned(), params);
        self.send(Message::Notification(notification))
    }
}

#[cfg(test)]
mod tests;
