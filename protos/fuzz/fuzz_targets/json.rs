//! JSON that is accepted becomes valid, canonical bytes; bytes become the JSON of what a decoder makes
//! of them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protos::otlp::{
    ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportTraceServiceRequest, Message,
};
use protos::response::PartialSuccess;
use protos::status::Status;
use protos::{Budget, Signal, check, json};

/// The same request as the generated types encode it.
fn encoded_again(signal: Signal, body: &[u8]) -> Vec<u8> {
    const VALID: &str = "the walk has accepted it";
    match signal {
        Signal::Logs => ExportLogsServiceRequest::decode(body)
            .expect(VALID)
            .encode_to_vec(),
        Signal::Metrics => ExportMetricsServiceRequest::decode(body)
            .expect(VALID)
            .encode_to_vec(),
        Signal::Traces => ExportTraceServiceRequest::decode(body)
            .expect(VALID)
            .encode_to_vec(),
    }
}

fuzz_target!(|input: &[u8]| {
    for signal in Signal::ALL {
        if let Ok(body) = json::to_protobuf(signal, input, &Budget::default()) {
            check(signal, &body, &Budget::default()).expect("what was read is valid");
            let text = json::from_protobuf(signal, &body).expect("it is valid");
            let again = json::to_protobuf(signal, text.as_bytes(), &Budget::default());
            assert_eq!(again.as_ref(), Ok(&body), "{text}");
        }
        if let Ok(text) = json::from_protobuf(signal, input) {
            let again = encoded_again(signal, input);
            let decoded = json::from_protobuf(signal, &again).expect("it is valid");
            // The decoder takes a negative zero for absence.
            assert!(
                text == decoded || text.contains("-0.0"),
                "{text}\n{decoded}"
            );
            let read = json::to_protobuf(signal, text.as_bytes(), &Budget::UNLIMITED);
            let read = read.expect("what was written can be read");
            assert_eq!(json::from_protobuf(signal, &read).as_ref(), Ok(&text));
        }
        if let Ok(partial) = PartialSuccess::decode_json(signal, input) {
            let text = partial.encode_json(signal);
            assert_eq!(
                PartialSuccess::decode_json(signal, text.as_bytes()),
                Ok(partial)
            );
        }
    }
    if let Ok(status) = Status::decode_json(input) {
        let text = status.encode_json();
        let again = Status::decode_json(text.as_bytes()).expect("what was written can be read");
        assert_eq!(again.encode_json(), text);
    }
});
