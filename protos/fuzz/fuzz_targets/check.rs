//! The walk and the generated decoder agree about every body.

#![no_main]

use libfuzzer_sys::fuzz_target;
use protos::otlp::{
    ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportTraceServiceRequest, Message,
};
use protos::{Budget, Signal, check, count_items};

fuzz_target!(|body: &[u8]| {
    for signal in Signal::ALL {
        let decodes = match signal {
            Signal::Logs => ExportLogsServiceRequest::decode(body).is_ok(),
            Signal::Metrics => ExportMetricsServiceRequest::decode(body).is_ok(),
            Signal::Traces => ExportTraceServiceRequest::decode(body).is_ok(),
        };
        match check(signal, body, &Budget::UNLIMITED) {
            Ok(counts) => {
                assert!(decodes, "{signal}: accepted what cannot be decoded");
                assert_eq!(counts.items, count_items(signal, body));
            }
            Err(error) => {
                assert!(!decodes, "{signal}: {error}");
                assert!(error.offset() <= body.len());
            }
        }
    }
});
