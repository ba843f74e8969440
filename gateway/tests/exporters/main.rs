//! One attempt of an exporter against a backend on loopback: what arrives there, and what its
//! answer means.

#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod backend;
mod grpc;
mod http;
mod secure;

use std::sync::Arc;

use corten::{
    batch::{Codec, Frame, Metadata, Tenant},
    delivery::{Request, Verdict},
};
use protos::Signal;
use syntax::{
    Object, SourceFile,
    stdlib::{Library, System},
};

/// Decodes the arguments of an exporter.
fn decode<T: syntax::Arguments>(text: &str) -> Result<T, String> {
    decode_in(text, &Object::default())
}

/// The same with names that the text may refer to.
fn decode_in<T: syntax::Arguments>(text: &str, scope: &Object) -> Result<T, String> {
    let source = SourceFile::new("test.alloy", format!("exporter {{\n{text}\n}}\n"));
    let (file, diagnostics) = syntax::parse(&source);
    assert!(diagnostics.is_empty(), "{}", diagnostics.render());
    let library = Library::new(Arc::new(System), "1.0.0");
    let evaluator = syntax::Evaluator::new(&source, scope, &library);
    let block = file.body.blocks().next().unwrap();
    let (arguments, diagnostics) = syntax::decode::<T>(block, &evaluator);
    arguments.ok_or_else(|| diagnostics.render())
}

/// Bytes that nobody looks into on the way.
const PAYLOAD: &[u8] = b"not a request, and nobody needs to know: \x00\x01\x02\xff, \
    long enough to be worth compressing, long enough to be worth compressing";

/// A request for the backend, in this codec.
fn request(signal: Signal, codec: Codec) -> Request {
    let frame = Frame {
        codec,
        bytes: codec.compress(PAYLOAD),
        plain_length: PAYLOAD.len() as u64,
    };
    Request {
        signal,
        frame,
        items: 3,
        tenant: Tenant::default(),
        metadata: Metadata::default(),
    }
}

/// A verdict in one word.
fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered => "delivered",
        Verdict::Partial { .. } => "partial",
        Verdict::Retry { .. } => "retry",
        Verdict::TooLarge { .. } => "too large",
        Verdict::Refused { reason, .. } => reason,
        Verdict::Pause { .. } => "pause",
    }
}

/// The backend's words in a verdict.
fn message(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Delivered => "",
        Verdict::Partial { message, .. }
        | Verdict::Retry { message, .. }
        | Verdict::TooLarge { message }
        | Verdict::Refused { message, .. }
        | Verdict::Pause { message } => message,
    }
}
